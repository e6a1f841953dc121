"""A model is one file: weights in float16, its config and its tokenizer."""

import dataclasses

import pytest
import torch
from reference import random_ids, refused
from runs import KINDS, are_equal, tiny_model, weights_of

from gpt_helpers.attention import attention_fused
from gpt_helpers.checkpoint import read_sealed, write_sealed
from gpt_helpers.data import merges_of, train_tokenizer
from gpt_helpers.pretrained import load_model, save_model
from gpt_helpers.scaling import count_parameters
from gpt_helpers.variants.modern import ModernLMHeadModel, SwiGLUMLP

TEXT = "def f(x):\n    return x\n注意は自己注意である。" * 20


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer([TEXT], 300)


@pytest.fixture
def path(tmp_path, tokenizer):
    """Return the path of a model's file."""
    save_model(tmp_path / "model.safetensors", tiny_model(vocab_size=300), tokenizer)
    return tmp_path / "model.safetensors"


@pytest.mark.parametrize("kind", ["gpt", "modern"])
def test_a_model_comes_back_with_weights_rounded_to_float16(tmp_path, tokenizer, kind):
    model = tiny_model(kind, vocab_size=300, n_inner=20, activation="relu", layer_norm_epsilon=1e-4)
    save_model(tmp_path / "model", model, tokenizer)
    found, _ = load_model(tmp_path / "model")
    assert type(found) is type(model)
    assert found.config == model.config
    assert not found.training
    rounded = {name: weight.half().float() for name, weight in weights_of(model).items()}
    assert are_equal(weights_of(found), rounded)
    assert all(weight.requires_grad for weight in found.parameters())
    ids = random_ids(2, 12, 300)
    assert (found(ids)["logits"] - model.eval()(ids)["logits"]).abs().max() < 1e-2
    save_model(tmp_path / "again", found, tokenizer)  # rounding twice is rounding once
    assert are_equal(weights_of(load_model(tmp_path / "again")[0]), rounded)


def test_the_head_is_still_tied_and_stored_once(path):
    model, _ = load_model(path)
    assert model.lm_head.weight is model.transformer.wte.weight
    halves, facts = read_sealed(path)
    assert sum(half.numel() for half in halves.values()) == count_parameters(model.config)
    assert {half.dtype for half in halves.values()} == {torch.float16}
    assert facts["config"] == dataclasses.asdict(model.config)


def test_the_tokenizer_comes_back(path, tokenizer):
    _, found = load_model(str(path))
    assert found.get_vocab() == tokenizer.get_vocab()
    assert merges_of(found) == merges_of(tokenizer)
    for text in (TEXT, "print('a')\n", "日本語", "<|endoftext|>"):
        assert found.encode(text).ids == tokenizer.encode(text).ids


def test_loading_draws_nothing_from_the_generator_of_the_program(path):
    before = torch.get_rng_state()
    load_model(path)
    assert torch.equal(torch.get_rng_state(), before)


def test_weights_beyond_float16_are_refused_and_nothing_is_written(tmp_path, tokenizer):
    for wrong in (70_000.0, torch.nan, -torch.inf):
        model = tiny_model(vocab_size=300)
        model.transformer.h[1].mlp.c_fc.weight.data[3, 3] = wrong
        message = r"\['transformer.h.1.mlp.c_fc.weight'\] hold numbers that float16 cannot"
        refused(message, save_model, tmp_path / "model", model, tokenizer)
    assert list(tmp_path.iterdir()) == []


def test_a_model_that_could_not_be_loaded_again_is_not_saved(tmp_path, tokenizer):
    path = tmp_path / "model"
    refused("model is a NoneType; it must be one of", save_model, path, None, tokenizer)
    refused("model is a GPTModel", save_model, path, tiny_model().transformer, tokenizer)
    gated = ModernLMHeadModel(tiny_model().config, attention_fused, mlp=SwiGLUMLP)
    message = r"this ModernLMHeadModel is of another model: .* is \(128, 16\), not \(64, 16\)"
    refused(message, save_model, path, gated, tokenizer)
    message = r"this GPTLMHeadModel is of another model: it lacks \['transformer.ln_f.bias'"
    refused(message, save_model, path, KINDS["gpt1"](tiny_model().config), tokenizer)
    refused("tokenizer is a NoneType", save_model, path, tiny_model(), None)
    assert list(tmp_path.iterdir()) == []


def test_files_that_hold_no_model_are_refused(path):
    halves, facts = read_sealed(path)
    refused("none is not a file", load_model, path.parent / "none")
    wrong = {
        "holds no model; give a file that save_model wrote": {},
        "holds no model": {"model": "GPTLMHeadModel", "config": facts["config"]},
        r"holds a 'BERT'; known are \['GPTLMHeadModel'": facts | {"model": "BERT"},
        "is of another model": facts | {"model": "ModernLMHeadModel"},
        "n_embd=-1 must be": facts | {"config": facts["config"] | {"n_embd": -1}},
        r"wte.weight is \(300, 16\), not \(301, 16\)": facts
        | {"config": facts["config"] | {"vocab_size": 301}},
        "merge .* joins no two earlier tokens": facts | {"merges": facts["merges"][1:]},
    }
    for message, others in wrong.items():
        write_sealed(path, halves, others)
        refused(message, load_model, path)
    write_sealed(path, {}, facts)
    refused("is of another model: it lacks", load_model, path)


def test_a_damaged_file_is_refused(path):
    data = bytearray(path.read_bytes())
    path.write_bytes(data[:-100])
    refused("cut short", load_model, path)
    data[-100] ^= 4
    path.write_bytes(data)
    refused("was altered", load_model, path)
    torch.save(tiny_model().state_dict(), path)
    refused("is no sealed file", load_model, path)
