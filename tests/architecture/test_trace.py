"""A trace lists the steps that ran, in order, with what each one read."""

import functools
import operator
import weakref

import pytest
import torch
import torch.nn.functional as F

from gpt_helpers.architecture.attention import attention, attention_fused, attention_weights
from gpt_helpers.architecture.model import GPTLMHeadModel
from gpt_helpers.architecture.trace import recorded_attention, recorded_outputs, trace, weights_read
from gpt_helpers.optimization.peak import saved_bytes
from gpt_helpers.optimization.tiled import attention_tiled
from gpt_helpers.variants.gpt1 import GPT1Block, GPT1Model
from tests.helpers.reference import SMALL, random_ids, random_model, refused
from tests.helpers.twins import FAMILIES

MODEL = random_model()
IDS = random_ids(2, 5)
WHOLE = ("Embedding", "GPTBlock", "LayerNorm", "Linear")


def outline(steps):
    """Return the steps as short strings: number, name, numbers read."""
    return [f"{n} {step.name} {step.inputs}" for n, step in enumerate(steps)]


def test_the_embeddings_are_summed_and_the_blocks_follow_one_another():
    steps = trace(MODEL, IDS, leaves=WHOLE)
    assert outline(steps) == [
        "0 transformer.wte (None,)",
        "1 transformer.wpe (None,)",
        "2 + (0, 1)",
        "3 transformer.h.0 (2,)",
        "4 transformer.h.1 (3,)",
        "5 transformer.h.2 (4,)",
        "6 transformer.ln_f (5,)",
        "7 lm_head (6,)",
    ]
    assert steps[0].shape == (2, 5, 24)
    assert steps[-1].shape == (2, 5, 61)
    assert [step.kind for step in steps[:4]] == ["Embedding", "Embedding", "+", "GPTBlock"]


def test_a_block_normalises_before_and_gpt1s_after_the_sum():
    x = torch.randn(2, 5, SMALL.n_embd)
    pre, post = trace(MODEL.transformer.h[0], x), trace(GPT1Block(SMALL).eval(), x)
    assert outline(pre) == [
        "0 ln_1 (None,)",
        "1 attn (0,)",
        "2 + (None, 1)",
        "3 ln_2 (2,)",
        "4 mlp (3,)",
        "5 + (2, 4)",
    ]
    assert outline(post) == [
        "0 attn (None,)",
        "1 + (None, 0)",
        "2 ln_1 (1,)",
        "3 mlp (2,)",
        "4 + (2, 3)",
        "5 ln_2 (4,)",
    ]


@pytest.mark.parametrize("is_training", [True, False])
def test_dropout_is_part_of_what_surrounds_it(is_training):
    model = random_model().train(is_training)
    assert outline(trace(model, IDS)) == outline(trace(MODEL, IDS))


class Wired(torch.nn.Module):
    """A module whose forward is a function of itself and x."""

    def __init__(self, wiring):
        """Keep the function, and two linear layers for it to call."""
        super().__init__()
        self.wiring, self.a, self.b = wiring, torch.nn.Linear(3, 3), torch.nn.Linear(3, 3)

    def forward(self, x):
        """Return what the function does."""
        return self.wiring(self, x)


class Mixer(torch.nn.Module):
    """A leaf that takes and returns tensors in a tuple and in a dictionary."""

    def forward(self, pair, scale=None):
        """Return the mixture and its parts."""
        return {"mixed": pair[0] * pair[1], "parts": pair}


def outline_of(wiring):
    """Return the outline of a Wired module."""
    return outline(trace(Wired(wiring), torch.ones(2, 3)))


def in_place(x, y):
    """Return y, to which x is added."""
    y += x
    return y


def into(x, y):
    """Return the sum, written into a tensor that was there."""
    result = torch.empty_like(x)
    torch.add(x, y, out=result)
    return result


SUMS = {
    "x + y": lambda x, y: x + y,
    "y += x": in_place,
    "y.add_(x)": lambda x, y: y.add_(x),
    "x.add(other=y)": lambda x, y: x.add(other=y),
    "torch.add": torch.add,
    "torch.add(x, other=)": lambda x, y: torch.add(x, other=y),
    "torch.add(input=, other=)": lambda x, y: torch.add(other=y, input=x),
    "torch.add(out=)": into,
    "operator.iadd": operator.iadd,
    "sum": lambda x, y: sum([x, y]),
    "sum from x": lambda x, y: sum([y], start=x),
    "scaled": lambda x, y: torch.add(x, y, alpha=0.5),
    "after a scale and a view": lambda x, y: (x * 2).view(-1).view(2, 3) + y.clone(),
    "after dropout": lambda x, y: F.dropout(x, 0.1, False) + torch.nn.Identity()(input=y),
}


@pytest.mark.parametrize("name", SUMS)
def test_a_sum_is_a_step_however_it_is_written(name):
    steps = outline_of(lambda own, x: own.b(SUMS[name](own.a(x), own.b(x))))
    order = "(1, 0)" if name in ("y += x", "y.add_(x)") else "(0, 1)"
    assert steps == ["0 a (None,)", "1 b (None,)", f"2 + {order}", "3 b (2,)"]


def test_a_module_reads_what_it_is_given_by_name():
    assert outline_of(lambda own, x: own.b(input=own.a(input=x))) == ["0 a (None,)", "1 b (0,)"]


def test_a_module_reads_and_returns_what_lies_in_tuples_and_dictionaries():
    def wiring(own, x):
        mixed = own.mixer((own.a(x), own.b(x)), scale=x)
        return own.b(mixed["mixed"]) + mixed["parts"][0]

    model = Wired(wiring)
    model.mixer = Mixer()
    steps = trace(model, torch.ones(2, 3), leaves=("Linear", "Mixer"))
    assert outline(steps)[2:] == ["2 mixer (0, 1, None)", "3 b (2,)", "4 + (3, 2)"]
    assert steps[2].shape == (2, 3)


def test_what_a_step_reads_is_not_lost_between_the_embedding_and_the_first_block():
    family = FAMILIES["gemma2"]
    steps = trace(family.model(family.config).eval(), IDS, leaves=(*WHOLE, "Gemma2Block"))
    assert [step.name for step in steps][:1] == ["transformer.wte"]
    assert next(step for step in steps if step.name == "transformer.h.0").inputs[0] == 0


def test_parameters_of_all_steps_are_those_of_the_model_and_the_tied_head():
    n_parameters = sum(parameter.numel() for parameter in MODEL.parameters())
    steps = trace(MODEL, IDS)
    assert sum(step.n_parameters for step in steps) == n_parameters + 61 * 24
    assert all((step.n_parameters == 0) == (step.kind == "+") for step in steps)


def test_post_norm_models_end_without_a_norm():
    model = GPTLMHeadModel(SMALL, transformer=GPT1Model).eval()
    names = [step.name for step in trace(model, IDS)]
    assert "transformer.ln_f" not in names
    assert names[-2:] == ["transformer.h.2.ln_2", "lm_head"]
    assert trace(model, IDS)[-1].inputs == (len(names) - 2,)


def test_tracing_leaves_no_hooks_and_no_gradients_even_after_an_error():
    refused("input_ids", trace, MODEL, None)
    trace(MODEL, IDS)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in MODEL.modules())
    assert all(parameter.grad is None for parameter in MODEL.parameters())


def test_recorded_weights_are_those_of_every_layer_and_the_output_stays_equal():
    mask = torch.tensor([[0, 1, 1, 1, 1], [1, 1, 1, 1, 1]])
    expected = MODEL(IDS, attention_mask=mask)["logits"]
    before = [block.attn.attend for block in MODEL.transformer.h]
    with recorded_attention(MODEL) as weights:
        found = MODEL(IDS, attention_mask=mask)["logits"]
    assert torch.equal(found, expected)
    assert [tuple(layer.shape) for layer in weights] == [(2, 4, 5, 5)] * 3
    assert (weights[0][0, :, :, 0] == 0).all()
    assert torch.allclose(weights[2][1].sum(-1), torch.ones(4, 5))
    assert [block.attn.attend for block in MODEL.transformer.h] == before


@pytest.mark.parametrize("attend", [attention, attention_fused, attention_tiled])
@pytest.mark.parametrize("n_keys", [3, 7, 8, 15, 16])
def test_weights_read_are_those_of_the_equation_with_fewer_and_with_more_keys_than_columns(
    attend, n_keys
):
    generator = torch.Generator().manual_seed(0)
    q = torch.randn(2, 4, 3, 8, generator=generator)
    k = torch.randn(2, 2, n_keys, 8, generator=generator)
    padding = torch.ones(2, n_keys, dtype=torch.bool)
    padding[1, :2] = False
    found = weights_read(functools.partial(attend, padding=padding, window=4), q, k)
    torch.testing.assert_close(found, attention_weights(q, k, padding, 4))


def test_a_measure_is_of_the_queries_and_keys_of_every_layer():
    def measure(q, k, padding, window):
        return attention_weights(q, k, padding, window)

    with recorded_attention(MODEL, measure) as measured:
        MODEL(IDS)
    with recorded_attention(MODEL) as weights:
        MODEL(IDS)
    torch.testing.assert_close(measured, weights)


def test_recorded_outputs_are_those_of_the_named_class_in_order():
    with recorded_outputs(MODEL, "GPTBlock") as outputs:
        hidden = MODEL.transformer(IDS)
    assert len(outputs) == 3
    assert torch.equal(MODEL.transformer.ln_f(outputs[-1]), hidden)
    assert not any(module._forward_hooks for module in MODEL.modules())


def test_recording_ends_after_an_error_too():
    before = MODEL.transformer.h[0].attn.attend
    with pytest.raises(KeyError), recorded_attention(MODEL):
        raise KeyError
    with pytest.raises(KeyError), recorded_outputs(MODEL, "GPTMLP"):
        raise KeyError
    assert MODEL.transformer.h[0].attn.attend is before
    assert not any(module._forward_hooks for module in MODEL.modules())


def test_saved_bytes_are_those_of_what_the_backward_pass_reads():
    x = torch.randn(6, 10, requires_grad=True)
    w = torch.randn(10, 3, requires_grad=True)
    assert saved_bytes(lambda: x + x) == 0
    assert saved_bytes(lambda: x.exp()) == 4 * 60
    assert saved_bytes(lambda: x.double().exp()) == 8 * 60
    assert saved_bytes(lambda: x @ w) == 4 * (60 + 30)
    assert saved_bytes(lambda: x.exp().sum().backward()) == 4 * 60
    assert torch.equal(x.grad, x.exp())
    with torch.no_grad():
        assert saved_bytes(lambda: x @ w) == 0


def test_saved_bytes_count_shared_memory_once_and_wholly():
    x = torch.randn(6, 10, requires_grad=True)
    assert saved_bytes(lambda: x * x) == 4 * 60
    assert saved_bytes(lambda: x[1:, :2] * x.T[2:4, :5].T) == 4 * 60
    assert saved_bytes(lambda: [x.exp() for _ in range(9)]) == 9 * 4 * 60
    assert saved_bytes(lambda: [x.flatten()[n].exp().item() for n in range(9)]) == 9 * 4


def test_saved_bytes_leave_out_what_is_excluded_and_its_views():
    linear, x = torch.nn.Linear(10, 3), torch.randn(6, 10, requires_grad=True)
    assert saved_bytes(lambda: linear(x)) == 4 * (60 + 30)
    assert saved_bytes(lambda: linear(x), linear.parameters()) == 4 * 60
    assert saved_bytes(lambda: linear(x), [x]) == 4 * 30
    assert saved_bytes(lambda: linear(x), [x[3:], *linear.parameters()]) == 0


def test_saved_bytes_free_all_that_was_saved():
    x, memory = torch.randn(6, 10, requires_grad=True), []

    def remember():
        memory.append(weakref.ref(x.exp().untyped_storage()))

    assert saved_bytes(remember) == 4 * 60
    assert memory[0]() is None


def test_attention_saves_its_weights_and_the_fused_kernel_does_not():
    def saved(attend, n_tokens):
        q, k, v = torch.randn(3, 2, 4, n_tokens, 8, requires_grad=True)
        return saved_bytes(lambda: attend(q, k, v))

    assert saved(attention_fused, 64) == 2 * saved(attention_fused, 32)
    growth = saved(attention, 64) - 2 * saved(attention, 32)
    assert growth >= 2 * 4 * (64**2 - 2 * 32**2) * 4  # at least one (B, H, T, S) in float32


def test_what_cannot_be_traced_is_refused():
    refused("model is a NoneType; it must be an nn.Module", trace, None, IDS)
    for wrong in ("Linear", 3, None, [torch.nn.Linear]):
        refused("leaves=.* must be a tuple of class names", trace, MODEL, IDS, leaves=wrong)
    refused("model is a str", recorded_attention("gpt2").__enter__)
    refused(
        "model is a Linear without attention", recorded_attention(torch.nn.Linear(2, 2)).__enter__
    )
    refused("measure=3 must be a function, or None", recorded_attention(MODEL, 3).__enter__)
    refused("model is a NoneType", recorded_outputs(None, "GPTMLP").__enter__)
    refused("kind='MLP' is no module .*GPTMLP", recorded_outputs(MODEL, "MLP").__enter__)
    refused("function=3 must be callable", saved_bytes, 3)
    for wrong in (None, 3, [3], torch.zeros(2), torch.tensor(1.0), "ab"):
        refused("excluded is a .*; make it tensors", saved_bytes, MODEL, wrong)
