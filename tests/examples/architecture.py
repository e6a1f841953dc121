"""A right call of each door of gpt_helpers.architecture."""

import torch
from torch import nn

from gpt_helpers.architecture import (
    attention,
    generation,
    heads,
    journey,
    losses,
    model,
    modules,
    sampling,
    trace,
)
from gpt_helpers.config import GPTConfig
from tests.helpers.misuse import Example

STEP = "a step of attention, which has checked its operands; runs in every layer"
TRUSTING = {
    "gpt_helpers.architecture.generation.write_on": "the loop of generate, which has checked",
    "gpt_helpers.architecture.attention.positions": STEP,
    "gpt_helpers.architecture.attention.repeat_heads": STEP,
    "gpt_helpers.architecture.attention.scaled_scores": STEP,
    "gpt_helpers.architecture.attention.visible_keys": STEP,
    "gpt_helpers.architecture.attention.visible_softmax": STEP,
    "gpt_helpers.architecture.model.split_heads": STEP,
    "gpt_helpers.architecture.journey.Journey": "what follow returns; nobody makes one",
    "gpt_helpers.architecture.trace.Step": "what trace returns; nobody makes one",
    "gpt_helpers.architecture.trace.trace": "what it hands on to a model is given by position",
}
CONFIG = GPTConfig(9, n_positions=8, n_embd=8, n_layer=2, n_head=2, dropout=0.0)


def examples():
    """Yield the examples."""
    yield from of_attention()
    yield from of_models()
    yield from of_generation()
    yield from of_sampling()
    yield from of_heads()
    yield from of_traces()
    yield from of_losses()


def of_attention():
    """Yield the examples of attention."""
    q, k, v = (torch.randn(1, 2, 4, 8) for _ in range(3))
    padding = torch.ones(1, 4, dtype=torch.bool)
    call = {"q": q, "k": k, "v": v, "padding": padding, "dropout": 0.0, "window": 2}
    takes = dict.fromkeys("qkv", "nan") | {"padding": "None", "dropout": "0", "window": "None"}
    yield Example(attention.attention, call, takes)
    yield Example(attention.attention_fused, call, takes)
    call = {name: call[name] for name in ("q", "k", "padding", "window")}
    yield Example(attention.attention_weights, call, takes)
    places = {"queries": torch.arange(2, 4), "keys": torch.arange(4), "window": 2}
    takes = {"queries": "empty -1 huge", "keys": "empty -1 huge", "window": "None"}
    yield Example(attention.causal_mask, places, takes)


def of_models():
    """Yield the examples of models and their parts."""
    attend = {"attend": attention.attention}
    yield Example(model.GPTAttention, {"config": CONFIG, **attend, "qkv_bias": False})
    yield Example(model.GPTMLP, {"config": CONFIG})
    parts = {"attention": model.GPTAttention}
    yield Example(model.GPTBlock, {"config": CONFIG, **attend, **parts})
    parts = {"block": model.GPTBlock, "norm": nn.LayerNorm}
    yield Example(model.GPTModel, {"config": CONFIG, **attend, **parts})
    parts = {"transformer": model.GPTModel, "head": model.tied_head}
    yield Example(model.GPTLMHeadModel, {"config": CONFIG, **attend, **parts})
    gpt = model.GPTLMHeadModel(CONFIG)
    takes = {"model": "another", "std": "0", "residual_std": "0"}
    yield Example(model.init_weights, {"model": gpt, "std": 0.1, "residual_std": 0.1}, takes)
    ids = torch.tensor([[1, 2, 3]])
    call = {"input_ids": ids, "attention_mask": torch.ones(1, 3), "labels": ids}
    call |= {"position_ids": torch.arange(3)[None], "cache": gpt.new_cache()}
    takes = {
        "attention_mask": "None integers",
        "labels": "None",
        "position_ids": "None",
        "cache": "None",
    }
    yield Example(gpt.forward, call, takes)
    yield Example(modules.evaluating, {"model": gpt}, {"model": "another"})
    yield Example(modules.taking_step, {"model": gpt}, {"model": "another"})
    yield Example(modules.store_by_columns, {"model": gpt}, {"model": "another"})


def of_generation():
    """Yield the examples of generation."""
    gpt = model.GPTLMHeadModel(CONFIG).eval()
    call = {"model": gpt, "input_ids": torch.tensor([[1, 2, 3]]), "max_new_tokens": 2}
    call |= {"temperature": 1.0, "top_k": 2, "top_p": 0.5, "attention_mask": torch.ones(1, 3)}
    call |= {"eos_token_id": 1, "generator": torch.Generator(), "use_cache": True}
    call |= {"chunk_size": 2}
    none = dict.fromkeys(
        ("top_k", "top_p", "attention_mask", "eos_token_id", "generator", "chunk_size"), "None"
    )
    takes = none | {"max_new_tokens": "0", "temperature": "0", "eos_token_id": "None 0"}
    takes |= {"attention_mask": "None integers"}
    yield Example(generation.generate, call, takes)


def of_sampling():
    """Yield the examples of sampling."""
    logits = torch.randn(2, 5)
    any_axes = "axis-less axis-more"
    settings = {"temperature": 0.5, "top_k": 2, "top_p": 0.5}
    takes = {"logits": any_axes, "temperature": "0", "top_k": "None", "top_p": "None"}
    yield Example(sampling.apply_temperature, {"logits": logits, "temperature": 0.5}, takes)
    yield Example(sampling.cut, {"logits": logits, **settings}, takes)
    yield Example(sampling.top_k_filter, {"logits": logits, "k": 2}, takes)
    yield Example(sampling.top_p_filter, {"logits": logits, "p": 0.5}, takes)
    call = {"logits": logits, **settings, "generator": torch.Generator()}
    yield Example(sampling.sample, call, takes | {"logits": "", "generator": "None"})


def of_heads():
    """Yield the examples of what heads attend to."""
    gpt = model.GPTLMHeadModel(CONFIG).eval()
    ids = torch.tensor([[1, 2, 1, 2]])
    yield Example(heads.after_same, {"ids": ids}, {"ids": "-1 huge"})
    marked = heads.after_same(ids)
    yield Example(heads.attention_to, {"model": gpt, "ids": ids, "marked": marked})
    yield Example(heads.induction_scores, {"model": gpt, "ids": ids})
    yield Example(heads.previous_scores, {"model": gpt, "ids": ids})
    yield Example(heads.repetition_losses, {"model": gpt, "ids": ids})
    yield Example(heads.ranked, {"scores": torch.rand(2, 2)})
    yield Example(heads.without_heads, {"model": gpt, "heads": [(0, 1)]}, {"heads": "empty"})


def of_traces():
    """Yield the examples of what a pass leaves behind."""
    gpt = model.GPTLMHeadModel(CONFIG).eval()
    measure = {"measure": attention.attention_weights}
    takes = {"measure": "None"}
    yield Example(trace.recorded_attention, {"model": gpt, **measure}, takes)
    yield Example(trace.recorded_outputs, {"model": gpt, "kind": "GPTMLP"})
    call = {"model": gpt, "ids": [1, 2, 3], "head": 1, "temperature": 0.5, "seed": 1}
    yield Example(journey.follow, call, {"head": "0", "seed": "0 huge"})


def of_losses():
    """Yield the examples of losses."""
    labels = torch.tensor([[1, 2, -100]])
    call = {"logits": torch.randn(1, 3, 5), "labels": labels}
    yield Example(losses.token_losses, call, {"logits": "nan"})
    yield Example(model.next_token_loss, call, {"logits": "nan"})
    yield Example(losses.TokenLoss, {"labels_of": lambda ids: ids})
    yield Example(losses.Loss, {})
