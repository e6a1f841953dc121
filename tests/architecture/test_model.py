"""The model against Hugging Face's, against published counts, and against its own promises."""

import math

import pytest
import torch
from torch.nn import functional
from torch.testing import assert_close

from gpt_helpers.architecture.attention import attention, attention_fused
from gpt_helpers.architecture.model import (
    ACTIVATIONS,
    GPTMLP,
    GPTAttention,
    GPTBlock,
    GPTLMHeadModel,
    GPTModel,
    init_weights,
    next_token_loss,
)
from gpt_helpers.config import PRESETS, GPTConfig
from gpt_helpers.scaling_laws.counts import count_parameters
from tests.helpers.reference import (
    SMALL,
    hugging_face,
    left_padded,
    random_ids,
    random_model,
    refused,
)

CONFIGS = {
    "small": SMALL,
    "wide MLP, erf": GPTConfig(97, 33, 48, 2, 3, n_inner=50, activation="gelu_erf"),
    "demo, other epsilon": GPTConfig(1000, 128, 128, 4, 4, layer_norm_epsilon=1e-2),
}
IDS = random_ids(3, 12)


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("padded", [False, True], ids=["plain", "padded"])
@torch.no_grad()
def test_logits_equal_hugging_face(name, padded):
    config = CONFIGS[name]
    model = random_model(config, std=0.08)
    peer = hugging_face(model)
    n_tokens = config.n_positions
    ids = random_ids(3, n_tokens, config.vocab_size)
    mask, places = torch.ones_like(ids), torch.arange(n_tokens).expand(3, -1)
    if padded:
        mask[0, :7] = mask[1, :3] = 0
        places = (mask.cumsum(-1) - 1).clamp(min=0)
    expected = peer(ids, attention_mask=mask, position_ids=places).logits
    found = model(ids, attention_mask=mask if padded else None)["logits"]
    real = mask.bool()
    assert expected[real].std() > 0.2
    assert (found - expected)[real].abs().max() <= 1e-5


@pytest.mark.parametrize("activation", ["relu", "swish"])
@torch.no_grad()
def test_the_other_activations_equal_hugging_face_too(activation):
    model = random_model(std=0.08, activation=activation)
    assert (model(IDS)["logits"] - hugging_face(model)(IDS).logits).abs().max() <= 1e-5


def test_gelu_is_the_tanh_form_of_gpt2():
    x = torch.linspace(-5, 5, 101)
    inner = math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)
    assert_close(ACTIVATIONS["gelu"](x), 0.5 * x * (1 + inner.tanh()))
    gap = (ACTIVATIONS["gelu"](x) - ACTIVATIONS["gelu_erf"](x)).abs().max()
    assert 4e-4 < gap < 5e-4


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("gpt2", 124_439_808),
        ("gpt2-medium", 354_823_168),
        ("gpt2-large", 774_030_080),
        ("gpt2-xl", 1_557_611_200),
        ("demo", 937_728),
    ],
)
def test_the_published_sizes_have_the_published_number_of_parameters(name, count):
    with torch.device("meta"):
        model = GPTLMHeadModel(PRESETS[name])
    assert sum(parameter.numel() for parameter in model.parameters()) == count
    assert count_parameters(PRESETS[name]) == count


def test_parameters_have_the_names_of_the_published_weights():
    model = random_model()
    expected = set(hugging_face(model).state_dict())
    assert set(model.state_dict()) == expected


def test_the_state_dict_holds_parameters_only_and_no_mask():
    model = random_model()
    assert list(model.buffers()) == []
    assert set(model.state_dict()) - dict(model.named_parameters()).keys() == {"lm_head.weight"}


def test_the_head_is_the_token_embedding():
    model = random_model()
    assert model.lm_head.weight is model.transformer.wte.weight
    hidden = model.transformer(IDS)
    assert torch.equal(model(IDS)["logits"], hidden @ model.transformer.wte.weight.T)


def test_embeddings_are_added():
    model = random_model(std=0.2)
    seen = []
    model.transformer.h[0].register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    model(IDS)
    tokens, places = model.transformer.wte.weight[IDS], model.transformer.wpe.weight[:12]
    assert torch.equal(seen[0], tokens + places)


def test_a_block_normalises_what_it_reads_and_adds_to_the_stream():
    block = random_model(std=0.2).transformer.h[1]
    x = torch.randn(2, 5, SMALL.n_embd)
    middle = x + block.attn(block.ln_1(x))
    assert torch.equal(block(x), middle + block.mlp(block.ln_2(middle)))


def test_attention_splits_columns_into_heads_side_by_side():
    layer = random_model(std=0.2).transformer.h[0].attn
    x = torch.randn(2, 5, SMALL.n_embd)
    q, k, v = layer.c_attn(x).split(SMALL.n_embd, dim=-1)
    width, parts = SMALL.head_width, []
    for head in range(SMALL.n_head):
        columns = slice(head * width, (head + 1) * width)
        one = [part[..., columns][:, None] for part in (q, k, v)]
        parts.append(attention(*one)[:, 0])
    assert_close(layer(x), layer.c_proj(torch.cat(parts, dim=-1)))


def test_the_two_attentions_give_the_same_model():
    fused, reference = (
        GPTLMHeadModel(SMALL, attend).eval() for attend in (attention_fused, attention)
    )
    reference.load_state_dict(fused.state_dict())
    mask = (torch.arange(12) >= torch.tensor([[0], [4], [11]])).int()
    for given in (None, mask):
        assert_close(*(model(IDS, attention_mask=given)["logits"] for model in (fused, reference)))


def test_changing_the_future_does_not_change_the_past():
    model = random_model(std=0.2)
    before = model(IDS)["logits"]
    for now in range(11):
        changed = IDS.clone()
        changed[:, now + 1 :] = random_ids(3, 11 - now, seed=now + 1)
        after = model(changed)["logits"]
        assert_close(after[:, : now + 1], before[:, : now + 1])
        assert not torch.allclose(after[:, -1], before[:, -1])


def test_left_padded_prompts_have_the_logits_of_unpadded_ones():
    model = random_model(std=0.2)
    prompts = [random_ids(1, n, seed=n)[0] for n in (3, 12, 1, 7)]
    ids, mask = left_padded(prompts)
    found = model(ids, attention_mask=mask)["logits"]
    for row, prompt in enumerate(prompts):
        assert_close(found[row, -len(prompt) :], model(prompt[None])["logits"][0])


def test_residual_projections_start_smaller_by_the_root_of_twice_the_layers():
    config = GPTConfig(vocab_size=800, n_positions=300, n_embd=96, n_layer=8, n_head=4)
    model = random_model(config)
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            assert (parameter == 0).all()
        elif parameter.ndim == 1:
            assert (parameter == 1).all()
        else:
            expected = 0.02 / (4 if "c_proj" in name else 1)
            # The standard error of a standard deviation of n values is std / sqrt(2n).
            assert abs(parameter.std() / expected - 1) < 5 / math.sqrt(2 * parameter.numel())
            assert abs(parameter.mean()) < 5 * expected / math.sqrt(parameter.numel())


def test_the_range_of_the_initial_weights_is_the_configured_one():
    model = random_model(initializer_range=0.5)
    assert abs(model.transformer.wte.weight.std() - 0.5) < 0.05
    assert (random_model(initializer_range=0).transformer.wte.weight == 0).all()


def test_the_loss_at_initialisation_is_the_logarithm_of_the_vocabulary():
    model = random_model(PRESETS["demo"])
    ids = random_ids(8, 128, vocab_size=1000)
    assert abs(model(ids, labels=ids)["loss"].item() - math.log(1000)) < 0.05


def test_the_loss_is_the_mean_of_minus_log_probabilities_of_the_next_tokens():
    model = random_model(std=0.2)
    output = model(IDS, labels=IDS)
    log_probabilities = output["logits"].log_softmax(-1)
    terms = [-log_probabilities[b, t, IDS[b, t + 1]] for b in range(3) for t in range(11)]
    assert_close(output["loss"], torch.stack(terms).mean())
    assert_close(output["loss"], hugging_face(model)(IDS, labels=IDS).loss)
    assert "loss" not in model(IDS)


def test_labels_of_minus_100_are_left_out():
    logits, labels = torch.randn(1, 4, 7), torch.tensor([[5, 3, -100, 2]])
    expected = functional.cross_entropy(logits[0, [0, 2]], torch.tensor([3, 2]))
    assert_close(next_token_loss(logits, labels), expected)
    # The first label is the target of nothing.
    assert torch.equal(
        next_token_loss(logits, labels.index_fill(1, torch.tensor(0), -100)), expected
    )


def test_loss_refuses_what_has_no_next_token():
    logits = torch.randn(2, 4, 7)
    refused("logits is a NoneType", next_token_loss, None, IDS)
    refused(r"logits has shape \(4, 7\); it must be \(B, T, V\)", next_token_loss, logits[0], IDS)
    refused(r"labels has shape \(3, 12\) but", next_token_loss, logits, IDS)
    refused("leave nothing to predict", next_token_loss, logits, torch.full((2, 4), -100))
    refused("labels spans 7 to 7, .* = 6", next_token_loss, logits, torch.full((2, 4), 7))


def test_dropout_is_active_in_training_only():
    model = random_model(std=0.1, dropout=0.3)
    assert torch.equal(model(IDS)["logits"], model(IDS)["logits"])
    model.train()
    torch.manual_seed(0)
    first, second = model(IDS)["logits"], model(IDS)["logits"]
    assert not torch.equal(first, second)
    torch.manual_seed(0)
    assert torch.equal(model(IDS)["logits"], first)


def test_without_dropout_training_and_evaluation_agree():
    model = random_model(std=0.1, dropout=0.0)
    expected = model(IDS)["logits"]
    assert torch.equal(model.train()(IDS)["logits"], expected)


@pytest.mark.parametrize("part", ["drop", "attend", "attn", "mlp"])
def test_each_place_drops_by_itself(part):
    """Only one place drops; in training its values are 0 or scaled by 1 / (1 - p)."""
    torch.manual_seed(0)
    model = random_model(std=0.3, dropout=0.5, n_layer=1).train()
    x = torch.randn(2, 16, SMALL.n_embd)
    block = model.transformer.h[0]
    if part == "drop":
        seen = []
        block.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
        model(IDS)
        model.eval()(IDS)
        result, plain = seen
    elif part == "mlp":
        result, plain = block.mlp(x), block.mlp.eval()(x)
    else:
        dropped = []
        block.attn.attend = lambda q, k, v, padding, dropout: dropped.append(dropout) or v
        result, plain = block.attn(x), block.attn.eval()(x)
        assert dropped == [0.5, 0.0]
    is_zero = result == 0
    assert 0.4 < is_zero.float().mean() < 0.6
    assert_close(result[~is_zero], 2 * plain[~is_zero])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_low_precision_errs_at_most_twice_as_much_fused_as_by_the_equation(dtype):
    truth_model = random_model(std=0.08)
    truth = truth_model(IDS)["logits"]
    errors = []
    for attend in (attention, attention_fused):
        model = GPTLMHeadModel(SMALL, attend).eval()
        model.load_state_dict(truth_model.state_dict())
        found = model.to(dtype)(IDS, labels=IDS)
        assert found["logits"].dtype == dtype
        assert found["loss"].isfinite()
        errors.append((found["logits"].float() - truth).abs().max())
    assert errors[1] <= 2 * errors[0]


def test_double_precision_agrees_with_single():
    model = random_model(std=0.08)
    expected = model(IDS)["logits"]
    assert_close(model.double()(IDS)["logits"].float(), expected)


def test_autocast_runs_and_stays_close():
    model = random_model(std=0.08)
    expected = model(IDS)["logits"]
    with torch.autocast("cpu", torch.bfloat16):
        found = model(IDS)["logits"]
    assert found.dtype == torch.bfloat16
    assert (found - expected).abs().max() < 0.1


def test_every_parameter_learns():
    model = random_model().train()
    model(random_ids(4, SMALL.n_positions), labels=random_ids(4, SMALL.n_positions))[
        "loss"
    ].backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in model.parameters())


def test_a_few_steps_learn_a_fixed_sequence():
    model = random_model(dropout=0.0).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(60):
        loss = model(IDS, labels=IDS)["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 0.1
    found = model.generate(IDS[:, :1], 11, temperature=0)
    assert (found[:, 2:] == IDS[:, 2:]).float().mean() > 0.9


@pytest.mark.parametrize("module", [GPTAttention, GPTMLP, GPTBlock, GPTModel, GPTLMHeadModel])
@pytest.mark.parametrize("wrong", [None, "gpt2", {"n_embd": 8}], ids=repr)
def test_modules_refuse_what_is_no_config(module, wrong):
    refused(r"config=.* must be a GPTConfig, such as PRESETS\['demo'\]", module, wrong)


def test_modules_refuse_parts_that_cannot_be_called():
    refused("attend='fused' must be a function", GPTAttention, SMALL, "fused")
    refused("attend=None must be a function", GPTLMHeadModel, SMALL, None)
    refused("block='post' must be", GPTModel, SMALL, block="post")
    refused("transformer=3 must be", GPTLMHeadModel, SMALL, transformer=3)


@pytest.mark.parametrize("module", [GPTAttention, GPTMLP, GPTBlock])
@pytest.mark.parametrize(
    ("x", "message"),
    [
        (None, "x is NoneType"),
        ([1.0], "x is list"),
        (torch.randn(2, 5, 23), r"\[2, 5, 23\].*\(B, T, 24\)"),
        (torch.ones(2, 5, 24).long(), "x is torch.int64 on cpu, the weights torch.float32"),
        (torch.randn(2, 5, 24).double(), r"torch.float64 on cpu, .* convert one with .to\(\)"),
        (torch.randn(2, 5, 24, device="meta"), "x is torch.float32 on meta"),
    ],
)
def test_modules_refuse_a_stream_that_does_not_fit(module, x, message):
    refused(message, module(SMALL), x)


@pytest.mark.parametrize("module", [GPTAttention, GPTBlock])
def test_attention_needs_a_batch_of_at_least_one_token(module):
    refused(r"\[5, 24\]\); it must be a tensor \(B, T, 24\)", module(SMALL), torch.randn(5, 24))
    refused(r"\[2, 0, 24\].*not empty", module(SMALL), torch.randn(2, 0, 24))
    assert GPTMLP(SMALL)(torch.randn(5, 24)).shape == (5, 24)  # each position by itself


def test_an_error_that_is_not_about_the_stream_is_passed_on():
    layer = GPTAttention(SMALL, attend=lambda *arguments: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        layer(torch.randn(2, 5, 24))
    layer.attend = lambda *arguments: None
    with pytest.raises(AttributeError, match="transpose"):
        layer(torch.randn(2, 5, 24))


def test_attention_refuses_padding_that_does_not_fit():
    layer, x = GPTAttention(SMALL), torch.randn(2, 5, 24)
    refused(r"padding is .*float32.* bool \(2, 5\)", layer, x, torch.ones(2, 5))


def test_initialisation_refuses_what_it_cannot_draw():
    refused("model is a NoneType; it must be an nn.Module", init_weights, None, 0.02, 0.02)
    refused("std=-1 must be a finite number >= 0", init_weights, GPTMLP(SMALL), -1, 0.02)
    refused("residual_std=nan must be", init_weights, GPTMLP(SMALL), 0.02, math.nan)
