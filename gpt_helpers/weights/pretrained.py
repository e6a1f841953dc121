"""Trained models in and out: the book's own files, and GPT-2 as Hugging Face stores it.

A file of the book is one file: float16 weights, with config and merges in its metadata.
"""

import dataclasses
from pathlib import Path

import torch

from gpt_helpers.architecture.model import GPTLMHeadModel
from gpt_helpers.architecture.modules import store_by_columns
from gpt_helpers.config import GPTConfig
from gpt_helpers.text.tokenizer import END_OF_TEXT, build_tokenizer, merges_of
from gpt_helpers.variants.modern import ModernLMHeadModel
from gpt_helpers.weights.gpt2_format import (
    check_orientation,
    check_precision,
    config_of,
    gpt2_settings,
    named_alike,
    stored_weights,
)
from gpt_helpers.weights.hub import (
    CONFIG_FILE,
    WEIGHTS_FILE,
    find_folder,
    read_settings,
    read_tokenizer,
    read_weights,
    write_folder,
)
from gpt_helpers.weights.sealed import check_shapes, copy_tensors, read_sealed, write_sealed

MODELS = {"GPTLMHeadModel": GPTLMHeadModel, "ModernLMHeadModel": ModernLMHeadModel}
STDLIB = Path(__file__).with_name("stdlib") / "model.safetensors"


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


def load_gpt2(path_or_name):
    """Return (model, tokenizer) of a GPT-2 in Hugging Face's format, in eval mode, as float32.

    path_or_name is a folder with config.json and model.safetensors, that second file, or the
    name of a model to fetch from huggingface.co, such as "openai-community/gpt2". tokenizer
    is that of tokenizer.json, None where there is none.

    Raises ValueError, with the names of tensors or settings, for files that are missing,
    damaged or of another architecture; ConnectionError for a name that cannot be fetched.
    Source: radford2019gpt2.
    """
    folder = find_folder(path_or_name)
    config = config_of(read_settings(folder), folder / CONFIG_FILE)
    file = folder / WEIGHTS_FILE
    tensors = named_alike(read_weights(folder), file)
    check_precision(tensors, file)
    model = empty_model(config).eval()
    stored = stored_weights(model)
    check_orientation(stored, tensors, file)
    copy_tensors(stored, tensors, file)
    tokenizer = read_tokenizer(folder)
    check_vocabulary(tokenizer, config)
    return model, tokenizer


def save_gpt2(folder, model, tokenizer=None):
    """Write a model, and its tokenizer if given, for GPT2LMHeadModel.from_pretrained(folder).

    Its attention function is not stored: who reads it takes causal attention, as GPT-2's is.
    Raises ValueError for a model of another architecture than GPT-2.
    """
    check_is_gpt2(model)
    check_vocabulary(tokenizer, model.config)
    end = None if tokenizer is None else tokenizer.token_to_id(END_OF_TEXT)
    weights = {name: weight.cpu().contiguous() for name, weight in stored_weights(model).items()}
    write_folder(folder, gpt2_settings(model.config, end), weights, tokenizer)


def empty_model(config):
    """Return a GPTLMHeadModel whose weights are still to be written; none are drawn."""
    with torch.device("meta"):
        model = GPTLMHeadModel(config)
    model = model.to_empty(device="cpu")
    model.lm_head.weight = model.transformer.wte.weight  # to_empty parts what is tied
    return model


def check_is_gpt2(model):
    """Raise ValueError unless a model's parts and weights are those of a GPTLMHeadModel."""
    if type(model) is not GPTLMHeadModel:
        raise ValueError(f"model is a {type(model).__name__}; it must be a GPTLMHeadModel")
    with torch.device("meta"):
        twin = GPTLMHeadModel(model.config)
    kinds = {name: type(part) for name, part in twin.named_modules()}
    for name, part in model.named_modules():
        if type(part) is not kinds.get(name):
            raise ValueError(f"model is not GPT-2: {name} is a {type(part).__name__}")
    check_shapes(stored_weights(twin), stored_weights(model), "model")


def check_vocabulary(tokenizer, config):
    """Raise ValueError for a tokenizer with more tokens than a model knows."""
    found = 0 if tokenizer is None else tokenizer.get_vocab_size()
    if found > config.vocab_size:
        raise ValueError(
            f"tokenizer has {found} tokens, the model {config.vocab_size}; they are no pair"
        )
