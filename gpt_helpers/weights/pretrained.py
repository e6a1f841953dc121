"""Trained models in and out: the book's own files, and GPT-2 as Hugging Face stores it.

A file of the book is one file: float16 weights, with config and merges in its metadata.
"""

import dataclasses
from pathlib import Path

import torch
from tokenizers import Tokenizer

from gpt_helpers.architecture.model import GPTLMHeadModel
from gpt_helpers.architecture.modules import store_by_columns
from gpt_helpers.config import GPTConfig
from gpt_helpers.files import as_path
from gpt_helpers.text.tokenizer import END_OF_TEXT, build_tokenizer, merges_of
from gpt_helpers.validation import check_instance
from gpt_helpers.variants.modern import ModernLMHeadModel
from gpt_helpers.weights.gpt2_format import (
    check_depth,
    check_finite_weights,
    check_orientation,
    config_of,
    gpt2_settings,
    named_alike,
    stored_weights,
)
from gpt_helpers.weights.hub import CONFIG_FILE, read_folder, write_folder
from gpt_helpers.weights.rebuilt import check_rebuilt
from gpt_helpers.weights.sealed import check_shapes, copy_tensors, read_sealed, write_sealed

MODELS = {"GPTLMHeadModel": GPTLMHeadModel, "ModernLMHeadModel": ModernLMHeadModel}
STDLIB = Path(__file__).with_name("stdlib") / "model.safetensors"


def save_model(path, model, tokenizer):
    """Write a model's weights, rounded to float16, with its config and its tokenizer.

    Raises ValueError for a model of no known class, or that is not what its class makes of its
    config, which then is what is loaded; for weights beyond float16; and for a tokenizer that is
    not one of train_tokenizer's or has more tokens than the model.
    """
    kind = type(model).__name__
    if MODELS.get(kind) is not type(model):
        raise ValueError(f"model is a {kind}; it must be one of {sorted(MODELS)}")
    check_rebuilt(model, MODELS[kind])
    merges = merges_of(tokenizer)
    if build_tokenizer(merges).get_vocab() != tokenizer.get_vocab():
        raise ValueError("tokenizer is more than its merges; give one of train_tokenizer's")
    check_vocabulary(tokenizer, model.config)
    halves = {name: weight.half() for name, weight in model.named_parameters()}
    beyond = sorted(name for name, half in halves.items() if not half.isfinite().all())
    if beyond:
        raise ValueError(f"{beyond[:3]} hold numbers that float16 cannot; was the training sound?")
    config = dataclasses.asdict(model.config)
    write_sealed(path, halves, {"model": kind, "config": config, "merges": merges})


def load_model(path=None):
    """Return (model, tokenizer) of a file of save_model, in eval mode, weights as float32.

    Without a path it is the model that was trained on the standard library and ships with
    the book. Raises ValueError for a file that is damaged, or no model.
    """
    path = STDLIB if path is None else path
    halves, facts = read_sealed(path)
    if not isinstance(facts, dict) or {"model", "config", "merges"} - facts.keys():
        raise ValueError(f"{path} holds no model; give a file that save_model wrote")
    if facts["model"] not in list(MODELS):
        raise ValueError(f"{path} holds a {facts['model']!r}; known are {sorted(MODELS)}")
    try:
        config, tokenizer = GPTConfig(**facts["config"]), build_tokenizer(facts["merges"])
        check_vocabulary(tokenizer, config)
        check_depth(config, halves, "the file")
        with torch.device("meta"):
            model = MODELS[facts["model"]](config)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path} holds no model of this version: {error}") from error
    check_shapes(dict(model.named_parameters()), halves, path)
    with torch.random.fork_rng([]):  # the weights that are drawn here are replaced
        model = MODELS[facts["model"]](config).eval()
    copy_tensors(dict(model.named_parameters()), halves, path)
    return store_by_columns(model), tokenizer


def load_gpt2(path_or_name):
    """Return (model, tokenizer) of a GPT-2 in Hugging Face's format, in eval mode, as float32.

    path_or_name is a folder with config.json and weights, the file of weights in it, or the
    name of a model to fetch from huggingface.co, such as "openai-community/gpt2". Weights are
    model.safetensors or pytorch_model.bin, of which no code is run, or their .index.json with
    the parts that it names. tokenizer is that of tokenizer.json, or of vocab.json and
    merges.txt; None where there is none.

    Raises ValueError, with the names of tensors or settings, for files that are missing,
    damaged or of another architecture; ConnectionError for a name that cannot be fetched.
    Source: radford2019gpt2.
    """
    settings, tensors, tokenizer, file = read_folder(path_or_name)
    config = config_of(settings, file.parent / CONFIG_FILE)
    check_vocabulary(tokenizer, config, f"{file.parent}: tokenizer")
    tensors = named_alike(tensors, file)
    check_depth(config, tensors, file)
    with torch.device("meta"):
        model = GPTLMHeadModel(config)
    stored = stored_weights(model)
    check_orientation(stored, tensors, file)
    check_shapes(stored, tensors, file)
    check_finite_weights(tensors, file)
    model = model.to_empty(device="cpu").eval()
    model.lm_head.weight = model.transformer.wte.weight  # to_empty parts what is tied
    copy_tensors(stored_weights(model), tensors, file)
    return model, tokenizer


def save_gpt2(folder, model, tokenizer=None):
    """Write a model, and its tokenizer if given, for GPT2LMHeadModel.from_pretrained(folder).

    A folder with an older model then holds this one: without a tokenizer it has none, and what
    else told of the older one is gone. Raises ValueError for a model that is not what
    GPTLMHeadModel makes of its config, such as one with a window, and for weights that are not
    finite.
    """
    check_folder(folder)
    if type(model) is not GPTLMHeadModel:
        raise ValueError(f"model is a {type(model).__name__}; it must be a GPTLMHeadModel")
    check_rebuilt(model, GPTLMHeadModel)
    if tokenizer is not None:
        check_instance("tokenizer", tokenizer, Tokenizer)
    check_vocabulary(tokenizer, model.config)
    check_finite_weights(dict(model.named_parameters()), "model")
    end = None if tokenizer is None else tokenizer.token_to_id(END_OF_TEXT)
    weights = {name: weight.cpu().contiguous() for name, weight in stored_weights(model).items()}
    write_folder(Path(folder), gpt2_settings(model.config, end), weights, tokenizer)


def check_folder(folder):
    """Raise ValueError unless folder is one, or can be made."""
    path = as_path("folder", folder)
    if any(place.exists() and not place.is_dir() for place in (path, *path.parents)):
        raise ValueError(f"folder={str(folder)!r} is, or lies in, what is no folder; name another")


def check_vocabulary(tokenizer, config, name="tokenizer"):
    """Raise ValueError for a tokenizer, named so in errors, with more tokens than a model knows."""
    found = 0 if tokenizer is None else 1 + max(tokenizer.get_vocab().values(), default=-1)
    if found > config.vocab_size:
        raise ValueError(
            f"{name} has {found} tokens, the model {config.vocab_size}; they are no pair"
        )
