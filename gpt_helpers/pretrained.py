"""A trained model as one file: float16 weights, with config and merges in its metadata."""

import dataclasses
from importlib import resources
from pathlib import Path

import torch

from gpt_helpers.checkpoint import check_shapes, copy_tensors, read_sealed, write_sealed
from gpt_helpers.config import GPTConfig
from gpt_helpers.data import build_tokenizer, merges_of
from gpt_helpers.layout import store_by_columns
from gpt_helpers.model import GPTLMHeadModel
from gpt_helpers.variants.modern import ModernLMHeadModel

MODELS = {"GPTLMHeadModel": GPTLMHeadModel, "ModernLMHeadModel": ModernLMHeadModel}
STDLIB = Path(str(resources.files("gpt_helpers"))) / "stdlib" / "model.safetensors"


def save_model(path, model, tokenizer):
    """Write a model's weights, rounded to float16, with its config and its tokenizer.

    Raises ValueError for a model of no known class or with other parts than its class makes,
    and for weights beyond float16.
    """
    kind = type(model).__name__
    if kind not in MODELS:
        raise ValueError(f"model is a {kind}; it must be one of {sorted(MODELS)}")
    with torch.device("meta"):
        rebuilt = dict(MODELS[kind](model.config).named_parameters())
    check_shapes(rebuilt, dict(model.named_parameters()), f"this {kind}")
    halves = {name: weight.half() for name, weight in model.named_parameters()}
    beyond = sorted(name for name, half in halves.items() if not half.isfinite().all())
    if beyond:
        raise ValueError(f"{beyond[:3]} hold numbers that float16 cannot; was the training sound?")
    config = dataclasses.asdict(model.config)
    write_sealed(path, halves, {"model": kind, "config": config, "merges": merges_of(tokenizer)})


def load_model(path=None):
    """Return (model, tokenizer) of a file of save_model, in eval mode, weights as float32.

    Without a path it is the model that was trained on the standard library and ships with
    the book. Raises ValueError for a file that is damaged, or no model.
    """
    path = STDLIB if path is None else path
    halves, facts = read_sealed(path)
    if not isinstance(facts, dict) or {"model", "config", "merges"} - facts.keys():
        raise ValueError(f"{path} holds no model; give a file that save_model wrote")
    if facts["model"] not in MODELS:
        raise ValueError(f"{path} holds a {facts['model']!r}; known are {sorted(MODELS)}")
    with torch.random.fork_rng([]):  # the weights that are drawn here are replaced
        model = MODELS[facts["model"]](GPTConfig(**facts["config"])).eval()
    copy_tensors(dict(model.named_parameters()), halves, path)
    return store_by_columns(model), build_tokenizer(facts["merges"])
