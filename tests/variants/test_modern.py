"""A modern GPT: against Qwen3 of transformers, against hand calculation, and as a GPT."""

import dataclasses
import math

import pytest
import torch
from torch.testing import assert_close

from gpt_helpers.architecture.attention import attention
from gpt_helpers.architecture.kv_cache import KVCache
from gpt_helpers.architecture.model import GPTMLP
from gpt_helpers.variants.mlps import SwiGLUMLP
from gpt_helpers.variants.modern import ModernLMHeadModel, ModernModel, SquaredReLUMLP
from gpt_helpers.variants.rotary import rotary_angles, rotate
from tests.helpers.reference import SMALL, left_padded, random_ids, refused

CONFIG = dataclasses.replace(SMALL, dropout=0.0, layer_norm_epsilon=0.01)
IDS = random_ids(2, 15)
MLPS = pytest.mark.parametrize("mlp", [SquaredReLUMLP, SwiGLUMLP])


def random_modern(mlp=SquaredReLUMLP, std=0.3, **options):
    """Return a small model in eval mode; std redraws every matrix, zero ones too."""
    torch.manual_seed(0)
    gpt = ModernLMHeadModel(CONFIG, mlp=mlp, **options).eval()
    for parameter in gpt.parameters() if std else ():
        torch.nn.init.normal_(parameter, std=std)
    return gpt


def qwen3(gpt):
    """Return a Qwen3ForCausalLM with the weights of our model with SwiGLUMLP."""
    from transformers import Qwen3Config, Qwen3ForCausalLM  # takes seconds; few tests need it

    config = gpt.config
    peer = Qwen3ForCausalLM(
        Qwen3Config(
            vocab_size=config.vocab_size,
            hidden_size=config.n_embd,
            intermediate_size=config.mlp_width,
            num_hidden_layers=config.n_layer,
            num_attention_heads=config.n_head,
            num_key_value_heads=config.n_head,
            head_dim=config.head_width,
            max_position_embeddings=config.n_positions,
            rms_norm_eps=config.layer_norm_epsilon,
            rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
            tie_word_embeddings=False,
            bos_token_id=None,
            eos_token_id=None,
        )
    )
    ours = gpt.state_dict()
    weights = {name: torch.ones_like(g) for name, g in peer.state_dict().items() if "norm" in name}
    weights["model.embed_tokens.weight"] = ours["transformer.wte.weight"]
    weights["lm_head.weight"] = ours["lm_head.weight"]
    for layer in range(config.n_layer):
        theirs, block = f"model.layers.{layer}", f"transformer.h.{layer}"
        for part, weight in zip("qkv", ours[f"{block}.attn.c_attn.weight"].chunk(3), strict=True):
            weights[f"{theirs}.self_attn.{part}_proj.weight"] = weight
        weights[f"{theirs}.self_attn.o_proj.weight"] = ours[f"{block}.attn.c_proj.weight"]
        gate, up = ours[f"{block}.mlp.c_fc.weight"].chunk(2)
        weights[f"{theirs}.mlp.gate_proj.weight"] = gate
        weights[f"{theirs}.mlp.up_proj.weight"] = up
        weights[f"{theirs}.mlp.down_proj.weight"] = ours[f"{block}.mlp.c_proj.weight"]
    peer.load_state_dict(weights)
    return peer.eval()


def rotation_of(n_tokens):
    """Return the rotation of so many tokens from the first, for whole heads."""
    return rotary_angles(torch.arange(n_tokens)[None], CONFIG.head_width)


# Against an independent implementation.


@torch.no_grad()
def test_logits_and_loss_are_those_of_qwen3_with_the_same_weights():
    gpt = random_modern(SwiGLUMLP)
    ours, theirs = gpt(IDS, labels=IDS), qwen3(gpt)(IDS, labels=IDS)
    assert_close(ours["logits"], theirs.logits, rtol=0, atol=1e-5)
    assert_close(ours["loss"], theirs.loss)


@torch.no_grad()
def test_logits_of_left_padded_rows_are_those_of_qwen3():
    gpt = random_modern(SwiGLUMLP)
    ids, mask = left_padded([IDS[0], IDS[1, :9]])
    theirs = qwen3(gpt)(ids, attention_mask=mask).logits
    real = mask.bool()
    assert_close(gpt(ids, attention_mask=mask)["logits"][real], theirs[real], rtol=0, atol=1e-5)


@torch.no_grad()
def test_logits_at_given_positions_are_those_of_qwen3():
    gpt = random_modern(SwiGLUMLP)
    positions = torch.tensor([[0, 1, 2, 7, 8, 19], [3, 3, 4, 4, 5, 5]])
    ours = gpt(IDS[:, :6], position_ids=positions)["logits"]
    mask = torch.ones(2, 6)  # without one, a jump of the positions is the start of a new text
    theirs = qwen3(gpt)(IDS[:, :6], attention_mask=mask, position_ids=positions).logits
    assert_close(ours, theirs, rtol=0, atol=1e-5)


# Positions.


@torch.no_grad()
def test_shifting_every_position_changes_no_logit():
    gpt = random_modern()
    ids, positions = IDS[:, :8], torch.arange(8)[None]
    found = gpt(ids, position_ids=positions + 11)["logits"]
    assert_close(found, gpt(ids, position_ids=positions)["logits"], rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_order_matters_although_there_is_no_position_embedding():
    gpt = random_modern()
    assert "transformer.wpe.weight" not in gpt.state_dict()
    swapped = IDS[:, [1, 0, *range(2, 15)]]
    assert (gpt(swapped)["logits"] - gpt(IDS)["logits"])[:, -1].abs().max() > 1e-2


# The parts, by hand.


def test_the_mlp_squares_what_relu_leaves():
    mlp = SquaredReLUMLP(dataclasses.replace(CONFIG, n_embd=2, n_head=1, n_inner=3))
    weights = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    mlp.load_state_dict({"c_fc.weight": weights, "c_proj.weight": weights.T})
    assert mlp(torch.tensor([[[2.0, -5.0], [3.0, 1.0]]])).tolist() == [[[4, 0], [25, 17]]]


def test_swiglu_is_the_swish_of_the_gate_times_the_other_projection():
    mlp = SwiGLUMLP(dataclasses.replace(CONFIG, n_embd=2, n_head=1, n_inner=1))
    mlp.load_state_dict(
        {
            "c_fc.weight": torch.tensor([[1.0, 0.0], [0.0, 1.0]]),
            "c_proj.weight": torch.tensor([[1.0], [10.0]]),
        }
    )
    gated = 2 / (1 + math.exp(-2)) * 3
    assert_close(mlp(torch.tensor([[[2.0, 3.0]]])), torch.tensor([[[gated, 10 * gated]]]))


def test_queries_and_keys_reach_attention_with_length_sqrt_d():
    heads = []

    def recording(q, k, v, padding=None, dropout=0.0):
        heads.extend([q, k])
        return attention(q, k, v, padding, dropout)

    random_modern(attend=recording, std=30.0)(IDS)
    assert len(heads) == 2 * CONFIG.n_layer
    for head in heads:
        length = torch.full(head.shape[:-1], CONFIG.head_width**0.5)
        assert_close(head.norm(dim=-1), length, rtol=1e-3, atol=0)


@MLPS
@torch.no_grad()
def test_a_block_adds_what_each_part_makes_of_the_normalised_stream(mlp):
    block = random_modern(mlp).transformer.h[0]
    rotation, x = rotation_of(5), 10 * torch.randn(2, 5, 24)

    def normalised(x):
        return x / (x.square().mean(-1, keepdim=True) + 0.01).sqrt()

    middle = x + block.attn(normalised(x), rotation)
    assert_close(block(x, rotation), middle + block.mlp(normalised(middle)))


@torch.no_grad()
def test_the_final_norm_comes_before_the_head():
    gpt = random_modern()
    hidden = gpt.transformer(IDS)
    assert_close(hidden.square().mean(-1).sqrt(), torch.ones(2, 15), rtol=0, atol=0.1)
    assert torch.equal(gpt.lm_head(hidden), gpt(IDS)["logits"])


def test_any_class_of_mlps_will_do():
    gpt = ModernLMHeadModel(CONFIG, mlp=GPTMLP)
    assert {type(block.mlp) for block in gpt.transformer.h} == {GPTMLP}
    assert gpt(IDS)["logits"].shape == (2, 15, CONFIG.vocab_size)


# At initialisation.


@MLPS
@torch.no_grad()
def test_at_first_every_block_leaves_the_stream_as_it_is(mlp):
    gpt = random_modern(mlp, std=None)
    x, rotation = torch.randn(2, 5, 24), rotation_of(5)
    assert all(torch.equal(block(x, rotation), x) for block in gpt.transformer.h)


@MLPS
def test_at_first_the_loss_is_near_that_of_a_uniform_guess(mlp):
    loss = random_modern(mlp, std=None)(IDS, labels=IDS)["loss"].item()
    assert loss == pytest.approx(math.log(CONFIG.vocab_size), abs=0.1)


@MLPS
def test_every_parameter_learns_within_two_steps(mlp):
    gpt = random_modern(mlp, std=None).train()
    before = {name: value.clone() for name, value in gpt.named_parameters()}
    optimizer = torch.optim.SGD(gpt.parameters(), lr=1.0)
    for _ in range(2):
        optimizer.zero_grad()
        gpt(IDS, labels=IDS)["loss"].backward()
        optimizer.step()
    assert [n for n, value in gpt.named_parameters() if torch.equal(value, before[n])] == []


def test_the_head_is_not_tied_to_the_token_embedding():
    gpt = random_modern(std=None)
    head, embedding = gpt.lm_head.weight, gpt.transformer.wte.weight
    assert head.data_ptr() != embedding.data_ptr()
    assert not torch.equal(head, embedding)
    assert head.std().item() == pytest.approx(CONFIG.initializer_range, rel=0.1)


@pytest.mark.parametrize(("mlp", "n_matrices"), [(SquaredReLUMLP, 2), (SwiGLUMLP, 3)])
def test_the_number_of_parameters_is_that_of_the_formula(mlp, n_matrices):
    gpt = ModernLMHeadModel(dataclasses.replace(CONFIG, n_inner=50), mlp=mlp)
    count = sum(parameter.numel() for parameter in gpt.parameters())
    assert count == 2 * 61 * 24 + 3 * (4 * 24 * 24 + n_matrices * 24 * 50)
    assert all(parameter.ndim == 2 for parameter in gpt.parameters())


def test_the_names_of_parameters_are_those_of_gpt2():
    parts = ("attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj")
    blocks = [f"transformer.h.{layer}.{part}.weight" for layer in range(3) for part in parts]
    names = ["transformer.wte.weight", *blocks, "lm_head.weight"]
    assert list(random_modern().state_dict()) == names


# As a GPT.


@MLPS
@torch.no_grad()
def test_the_cache_changes_nothing_at_any_split(mlp):
    gpt = random_modern(mlp)
    whole = gpt(IDS)["logits"]
    for split in range(1, 15):
        first = gpt(IDS[:, :split], cache=True)
        second = gpt(IDS[:, split:], cache=first["cache"])
        found = torch.cat([first["logits"], second["logits"]], dim=1)
        assert_close(found, whole, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_the_cache_changes_nothing_after_left_padding_or_at_given_positions():
    gpt = random_modern()
    ids, mask = left_padded([IDS[0], IDS[1, :9]])
    positions = torch.arange(15)[None] + torch.tensor([[4], [0]])
    positions[:, 9:] += 1
    for options in ({"attention_mask": mask}, {"position_ids": positions}):
        whole = gpt(ids, **options)["logits"]
        for split in (8, 14):
            parts = [{n: value[:, :split] for n, value in options.items()}, {}]
            if "position_ids" in options:
                parts[1]["position_ids"] = positions[:, split:]
            cache = gpt(ids[:, :split], cache=True, **parts[0])["cache"]
            found = gpt(ids[:, split:], cache=cache, **parts[1])["logits"]
            assert_close(found, whole[:, split:], rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_the_cache_holds_rotated_keys():
    gpt = random_modern()
    shifted = gpt(IDS, position_ids=torch.arange(15)[None] + 1, cache=True)["cache"].layers[0].keys
    keys = gpt(IDS, cache=True)["cache"].layers[0].keys
    assert (keys - shifted)[:, :, :15].abs().max() > 0.1
    turned = rotate(keys[:, :, :15], rotary_angles(torch.ones(1, 15).long(), CONFIG.head_width))
    assert_close(turned, shifted[:, :, :15], rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_a_padded_row_is_what_it_is_alone():
    gpt = random_modern()
    ids, mask = left_padded([IDS[0], IDS[1, :9]])
    found = gpt(ids, attention_mask=mask)["logits"][1:, 6:]
    assert_close(found, gpt(IDS[1:, :9])["logits"], rtol=1e-4, atol=1e-5)


@MLPS
@torch.no_grad()
def test_changing_the_future_does_not_change_the_past(mlp):
    gpt, changed = random_modern(mlp), IDS.clone()
    changed[:, 9:] = 0
    ours, theirs = gpt(changed)["logits"], gpt(IDS)["logits"]
    assert_close(ours[:, :9], theirs[:, :9])
    assert (ours[:, 9:] - theirs[:, 9:]).abs().max() > 0.1


def test_generation_is_the_same_with_and_without_a_cache_even_past_the_window():
    gpt = random_modern()
    ids, mask = left_padded([IDS[0, :6], IDS[1, :4]])
    found = [
        gpt.generate(ids, 20, attention_mask=mask, temperature=0, use_cache=use_cache)
        for use_cache in (True, False)
    ]
    assert torch.equal(*found)
    assert isinstance(gpt.new_cache(), KVCache)


@torch.no_grad()
def test_it_reads_in_half_precision_and_under_autocast():
    gpt = random_modern(std=0.05)
    logits = gpt(IDS)["logits"]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert_close(gpt(IDS)["logits"].float(), logits, rtol=0, atol=0.05)
    half = gpt.bfloat16()(IDS)["logits"]
    assert half.dtype == torch.bfloat16
    assert_close(half.float(), logits, rtol=0, atol=0.05)


@torch.no_grad()
def test_the_reference_and_the_fused_attention_agree():
    logits = random_modern(attend=attention)(IDS)["logits"]
    assert_close(random_modern()(IDS)["logits"], logits, rtol=1e-4, atol=1e-5)


# What is refused.


@pytest.mark.parametrize("kind", [ModernLMHeadModel, ModernModel, SquaredReLUMLP, SwiGLUMLP])
def test_a_config_that_no_modern_gpt_can_have_is_refused(kind):
    refused("dropout=0.1.*dataclasses.replace", kind, dataclasses.replace(CONFIG, dropout=0.1))
    odd = dataclasses.replace(CONFIG, n_embd=28)
    refused("head_width=7 .*even", kind, odd)
    refused("GPTConfig", kind, "gpt2")


def test_what_cannot_be_called_is_refused():
    refused("mlp='swiglu'", ModernLMHeadModel, CONFIG, mlp="swiglu")
    refused("attend=None", ModernLMHeadModel, CONFIG, attend=None)


@pytest.mark.parametrize(
    ("message", "options"),
    [
        ("vocab_size", {"input_ids": IDS + 61}),
        ("dtype", {"input_ids": IDS.float()}),
        ("n_positions=20", {"input_ids": random_ids(2, 21)}),
        ("attention_mask", {"attention_mask": torch.ones(2, 14)}),
        ("position_ids", {"position_ids": torch.arange(14)[None]}),
        ("n_positions", {"position_ids": torch.arange(15)[None] + 9}),
        ("labels", {"labels": IDS[:, :3]}),
        ("cache", {"cache": KVCache(dataclasses.replace(CONFIG, n_layer=1))}),
    ],
)
def test_bad_input_is_refused(message, options):
    refused(message, random_modern(), **{"input_ids": IDS, **options})


@pytest.mark.parametrize("name", ["attn", "mlp", "block"])
def test_a_stream_that_does_not_fit_is_refused(name):
    block = random_modern().transformer.h[0]
    layer = block if name == "block" else getattr(block, name)
    rest = () if name == "mlp" else (rotation_of(5),)
    refused("x is", layer, torch.randn(2, 5, 23), *rest)
    if name != "mlp":  # which reads each position by itself
        refused("x is", layer, torch.randn(5, 24), *rest)
        refused("rotation is", layer, torch.randn(2, 5, 24), rotation_of(2))
    refused("convert", layer, torch.randn(2, 5, 24, dtype=torch.float64), *rest)
