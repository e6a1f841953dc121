"""A model is saved only if what is loaded computes what it does."""

import copy
import dataclasses
import functools

import pytest
import torch

from gpt_helpers.architecture.attention import attention, attention_fused
from gpt_helpers.architecture.model import GPTLMHeadModel
from gpt_helpers.architecture.modules import fast_attribute_lookup
from gpt_helpers.optimization.tiled import attention_tiled
from gpt_helpers.text.tokenizer import train_tokenizer
from gpt_helpers.variants.gpt1 import GPT1Block
from gpt_helpers.weights.pretrained import save_gpt2, save_model
from tests.helpers.reference import SMALL, random_model, refused


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(["def f(x):\n    return x\n"], 257)


def with_other_block(model):
    """Put a block of GPT-1, which has the same weights, into a model."""
    model.transformer.h[1] = GPT1Block(model.config)


def with_own_head(model):
    """Untie the head of a model."""
    model.lm_head.weight = torch.nn.Parameter(model.lm_head.weight.detach().clone())


def with_wider_mlp(model):
    """Give one MLP of a model another width."""
    model.transformer.h[0].mlp = random_model(n_inner=40).transformer.h[0].mlp


def with_gate(model):
    """Let a hook change what an MLP returns."""
    model.transformer.h[2].mlp.register_forward_hook(lambda *results: results[-1] / 2)


def of_another_class(model):
    """Make a model one of a class of its own that has the name of ours."""
    model.__class__ = type("GPTLMHeadModel", (GPTLMHeadModel,), {})


def setting(place, name, value):
    """Return what changes a setting of a part of a model."""
    return lambda model: setattr(model.get_submodule(place), name, value)


def nearly(*operands):
    """Return attention that reads values a thousandth too small."""
    return 0.999 * attention_fused(*operands)


NARROW = functools.partial(attention_fused, window=SMALL.n_positions - 1)
OTHER_MODELS = [
    (with_other_block, "has transformer.h.1 as a GPT1Block; one that is loaded has a GPTBlock"),
    (with_own_head, r"model is of another model: it lacks \[\] and has \['lm_head.weight'\]"),
    (with_wider_mlp, r"transformer.h.0.mlp.c_fc.weight is \(40, 24\), not \(96, 24\)"),
    (with_gate, "has transformer.h.2.mlp with hooks, or a forward of its own; remove them first"),
    (of_another_class, "model is a GPTLMHeadModel|has itself as a GPTLMHeadModel"),
    (setting("transformer.h.0.mlp", "forward", torch.relu), "mlp with hooks, or a forward of"),
    (setting("transformer.h.1.ln_2", "eps", 1e-3), "h.1.ln_2.eps=0.001; one that is loaded has 1"),
    (setting("transformer.ln_f", "eps", 2e-5), "ln_f.eps=2e-05; one that is loaded has 1e-05"),
    (setting("transformer.h.2.mlp", "activation", torch.relu), "mlp.activation=<.* relu"),
    (setting("transformer.h.0.attn", "heads", (4, 4, 3)), r"heads=\(4, 4, 3\); one that is"),
    (setting("transformer.h.0.attn", "dropout", 0.7), "attn.dropout=0.7; one that is loaded has"),
    (setting("transformer.drop", "p", 0.7), "drop.p=0.7; one that is loaded has 0.1"),
    (setting("transformer.wte", "padding_idx", 0), "wte.padding_idx=0; one that is loaded has N"),
    (setting("transformer.h.0.attn", "attend", nearly), "not causal attention"),
    (setting("transformer.h.2.attn", "attend", NARROW), "not causal attention"),
    (setting("transformer.h.2.attn", "attend", torch.add), "has an attend that fails here"),
]


@pytest.mark.parametrize(("change", "message"), OTHER_MODELS, ids=range(len(OTHER_MODELS)))
def test_a_model_that_would_compute_something_else_when_loaded_is_not_saved(
    tmp_path, tokenizer, change, message
):
    model = random_model(vocab_size=257)
    change(model)
    refused(message, save_gpt2, tmp_path, model)
    refused(message, save_model, tmp_path / "model", model, tokenizer)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("attend", [attention, attention_fused, attention_tiled])
def test_a_model_of_any_causal_attention_is_saved_as_is_a_copy_of_one(tmp_path, tokenizer, attend):
    wide = functools.partial(attend, window=SMALL.n_positions)  # which hides nothing
    for dtype in (torch.float32, torch.bfloat16, torch.float64):
        model = GPTLMHeadModel(dataclasses.replace(SMALL, vocab_size=257), wide).to(dtype)
        save_model(tmp_path / "model", copy.deepcopy(model), tokenizer)
    save_gpt2(tmp_path, copy.deepcopy(model.float()))
    with fast_attribute_lookup(model):
        save_gpt2(tmp_path, model)
