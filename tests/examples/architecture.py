"""A right call of each door of gpt_helpers.architecture."""

import torch
from torch import nn

from gpt_helpers.architecture import (
    attention,
    generation,
    heads,
    inputs,
    losses,
    model,
    modules,
    operands,
    sampling,
    trace,
)
from tests.helpers.misuse import Example
from tests.helpers.reference import random_ids
from tests.helpers.runs import TINY, tiny_model

# Each trusts its callers, who have checked; why, for the few that do.
TRUSTING = {
    "gpt_helpers.architecture.trace.trace": "what it hands on to a model is given by position",
    **{
        f"gpt_helpers.architecture.attention.{name}": "a part of attention, which checks"
        for name in (
            "causal_mask",
            "positions",
            "repeat_heads",
            "scaled_scores",
            "visible_keys",
            "visible_softmax",
        )
    },
    **{
        f"gpt_helpers.architecture.{name}": "a part of a model, whose door checks"
        for name in (
            "inputs.check_ranges",
            "inputs.padding_of",
            "inputs.positions_of",
            "sampling.cut",
            "inputs.refuse_misfits",
            "inputs.check_inputs",
            "model.split_heads",
            "losses.Loss",
            "losses.TokenLoss",
            "operands.check_devices",
            "operands.wide_product",
            "operands.widened",
            "operands.without_autocast",
        )
    },
}
TEXTS = "None stranger number bytes unknown empty"


def examples():
    """Yield the examples."""
    yield from of_attention()
    yield from of_generation()
    yield from of_heads()
    yield from of_inputs()
    yield from of_model()
    yield from of_sampling()
    yield from of_trace()


def of_attention():
    """Yield the examples of attention and operands."""
    q, k, v = (torch.randn(2, n, 5, 4) for n in (4, 2, 2))
    padding = torch.ones(2, 5, dtype=torch.bool)
    call = {"q": q, "k": k, "v": v, "padding": padding, "dropout": 0.1, "window": 3}
    takes = {"padding": "None", "dropout": "0", "window": "None"}
    takes |= dict.fromkeys("qkv", "nan")
    yield Example(attention.attention, call, takes)
    yield Example(attention.attention_fused, call, takes)
    yield Example(operands.check_heads, call, takes)
    call = {"q": q, "k": k, "padding": padding, "window": 3}
    yield Example(attention.attention_weights, call, takes)
    yield Example(
        operands.check_no_dropout,
        {"name": "dropout", "dropout": 0.0},
        {"name": TEXTS, "dropout": "None 0"},
    )


def of_generation():
    """Yield the examples of generation."""
    call = {"model": tiny_model(), "input_ids": random_ids(2, 4, 31), "max_new_tokens": 2}
    call |= {"eos_token_id": 3, "use_cache": True, "chunk_size": 2}
    takes = {
        "max_new_tokens": "0",
        "eos_token_id": "None 0",
        "chunk_size": "None",
        "input_ids": "-1 huge",
    }
    yield Example(generation.check_request, call, takes)
    call = call | {"temperature": 0.5, "top_k": 3, "top_p": 0.5, "generator": torch.Generator()}
    call |= {"attention_mask": torch.ones(2, 4, dtype=torch.bool)}
    takes = takes | {"temperature": "0", "top_k": "None", "top_p": "None", "generator": "None"}
    takes |= {"attention_mask": "None floats", "input_ids": ""}
    yield Example(generation.generate, call, takes)


def of_heads():
    """Yield the examples of heads."""
    ids, small = random_ids(2, 4, 31).repeat(1, 2), tiny_model()
    yield Example(heads.after_same, {"ids": ids}, {"ids": "-1 huge"})
    call = {"model": small, "ids": ids}
    yield Example(heads.attention_to, call | {"marked": heads.after_same(ids)})
    for door in (heads.induction_scores, heads.previous_scores, heads.repetition_losses):
        yield Example(door, call)
    yield Example(heads.ranked, {"scores": torch.rand(3, 2)})
    yield Example(heads.without_heads, {"model": small, "heads": [(0, 1)]}, {"heads": "empty"})
    call = {"vocab_size": 31, "n_tokens": 4, "batch_size": 2, "generator": torch.Generator()}
    yield Example(heads.repeated, call, {"generator": "None"})


def of_inputs():
    """Yield the examples of inputs and modules."""
    call = {"temperature": 0.5, "top_k": 3, "top_p": 0.5, "generator": torch.Generator()}
    takes = {"temperature": "0", "top_k": "None", "top_p": "None", "generator": "None"}
    yield Example(inputs.check_settings, call, takes)
    yield Example(
        inputs.check_logits, {"logits": torch.rand(2, 5)}, {"logits": "axis-more axis-less"}
    )
    small = tiny_model()
    yield Example(modules.evaluating, {"model": small}, {"model": "another"})
    yield Example(modules.store_by_columns, {"model": small}, {"model": "another"})
    yield Example(modules.check_model, {"model": small, "name": "model"}, {"name": TEXTS})


def of_model():
    """Yield the examples of model and losses."""
    yield Example(
        model.GPTAttention, {"config": TINY, "attend": attention.attention, "qkv_bias": True}
    )
    call = {"config": TINY, "attend": attention.attention}
    yield Example(model.GPTBlock, call | {"attention": model.GPTAttention})
    yield Example(model.GPTMLP, {"config": TINY})
    yield Example(model.GPTModel, call | {"block": model.GPTBlock, "norm": nn.LayerNorm})
    yield Example(
        model.GPTLMHeadModel, call | {"transformer": model.GPTModel, "head": model.tied_head}
    )
    call = {"model": tiny_model(), "std": 0.1, "residual_std": 0.1}
    yield Example(model.init_weights, call, {"model": "another", "std": "0", "residual_std": "0"})
    call = {"logits": torch.rand(2, 4, 31), "labels": random_ids(2, 4, 31)}
    yield Example(losses.token_losses, call, {"logits": "nan"})


def of_sampling():
    """Yield the examples of sampling."""
    logits, everywhere = torch.rand(2, 5), "axis-more axis-less"
    yield Example(
        sampling.apply_temperature,
        {"logits": logits, "temperature": 0.5},
        {"logits": everywhere, "temperature": "0"},
    )
    yield Example(sampling.top_k_filter, {"logits": logits, "k": 2}, {"logits": everywhere})
    yield Example(sampling.top_p_filter, {"logits": logits, "p": 0.5}, {"logits": everywhere})
    call = {"logits": logits, "temperature": 0.5, "top_k": 3, "top_p": 0.5}
    call |= {"generator": torch.Generator()}
    takes = {"temperature": "0", "top_k": "None", "top_p": "None", "generator": "None"}
    yield Example(sampling.sample, call, takes)


def of_trace():
    """Yield the examples of trace."""
    call = {"model": tiny_model(), "measure": None}
    yield Example(trace.recorded_attention, call, {"measure": "None"})
    yield Example(trace.recorded_outputs, {"model": nn.Sequential(nn.Tanh()), "kind": "Tanh"})
