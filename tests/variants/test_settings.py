"""Every setting that a family admits is honoured as transformers does, or refused by a sentence."""

import dataclasses
import random

import pytest
import torch
from torch.testing import assert_close

from gpt_helpers.architecture.model import GPTLMHeadModel
from gpt_helpers.config import GPTConfig
from gpt_helpers.variants.gpt3 import GPT3Config
from gpt_helpers.variants.llama import LlamaModel
from gpt_helpers.variants.modern import ModernLMHeadModel
from gpt_helpers.variants.sizes import GPT1, count_all
from tests.helpers.reference import random_ids, refused
from tests.helpers.settings import drawn_config
from tests.helpers.twins import FAMILIES, SHAPE, randomised, twins

SEEDS = range(8)
DTYPES = torch.bfloat16, torch.float16
IDS = random_ids(8, 24)


def drawn_twins(name, seed):
    """Return (ours, theirs) of a config drawn by a seed, and ids (2, T) as long as they may be."""
    family = dataclasses.replace(FAMILIES[name], config=drawn_config(name, seed))
    ours, theirs = twins(family)
    return ours, theirs, random_ids(2, ours.config.n_positions, ours.config.vocab_size, seed)


@pytest.mark.parametrize("name", FAMILIES)
@torch.no_grad()
def test_logits_and_numbers_of_parameters_are_those_of_transformers_at_any_setting(name):
    for seed in SEEDS:
        ours, theirs, ids = drawn_twins(name, seed)
        wanted = theirs(ids).logits
        scale = max(1.0, wanted.std().item())
        found = ours(ids)["logits"]
        assert_close(found, wanted, rtol=0, atol=1e-3 * scale, msg=f"{seed}: {ours.config}")
        biases = sum(
            layer.mlp.balancing_bias.numel()
            for layer in ours.transformer.h
            if hasattr(layer.mlp, "balancing_bias")
        )  # a buffer of theirs
        assert count_all(ours) - biases == sum(p.numel() for p in theirs.parameters()), ours.config


@pytest.mark.parametrize("name", FAMILIES)
@torch.no_grad()
def test_what_is_read_in_two_parts_is_read_as_a_whole_at_any_setting(name):
    for seed in SEEDS:
        config = drawn_config(name, seed)
        ours = randomised(FAMILIES[name].model(config))
        ids = random_ids(2, config.n_positions, config.vocab_size, seed)
        if ids.shape[1] > 1:
            split = random.Random(seed).randrange(1, ids.shape[1])
            cache = ours(ids[:, :split], cache=True)["cache"]
            found = ours(ids[:, split:], cache=cache)["logits"]
            wanted = ours(ids)["logits"]
            scale = max(1.0, wanted.std().item())
            assert_close(found, wanted[:, split:], rtol=0, atol=1e-3 * scale, msg=f"{ours.config}")


# Sixteen bits.


def rounding_errors(name, dtype, seed):
    """Return the mean errors of logits, ours and theirs, of models converted to a dtype."""
    ours, theirs = twins(FAMILIES[name], seed=seed, std=0.15)
    exact = theirs(IDS).logits
    biases = {n: b.clone() for n, b in theirs.named_buffers() if "correction_bias" in n}
    ours, theirs = ours.to(dtype), theirs.to(dtype)
    for place, bias in biases.items():  # which from_pretrained leaves in 32 bits
        theirs.get_submodule(place.rpartition(".")[0]).e_score_correction_bias = bias
    found, peer = ours(IDS)["logits"], theirs(IDS).logits
    return (found - exact).abs().mean().item(), (peer - exact).abs().mean().item()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", FAMILIES)
@torch.no_grad()
def test_sixteen_bits_cost_no_more_than_they_cost_transformers(name, dtype):
    errors = [rounding_errors(name, dtype, seed) for seed in range(4)]
    found, peer = (sum(column) for column in zip(*errors, strict=True))
    assert found < 1.08 * peer


@pytest.mark.parametrize("default", [torch.bfloat16, torch.float64])
@pytest.mark.parametrize("name", FAMILIES)
@torch.no_grad()
def test_the_default_dtype_says_nothing_of_rotations_and_routers(name, default):
    family = FAMILIES[name]
    converted = randomised(family.model(family.config)).to(default)
    torch.set_default_dtype(default)
    try:
        built = family.model(family.config).eval()
        built.load_state_dict(converted.state_dict())
        found = built(IDS)["logits"]
    finally:
        torch.set_default_dtype(torch.float32)
    assert torch.equal(found, converted(IDS)["logits"])


# What a family has no choice of.


@pytest.mark.parametrize(
    ("names", "options"),
    [
        ("qwen2 qwen3 olmo2 plamo gemma2 gpt_neox", {"rope_factor": 4.0}),
        ("qwen2 qwen3 olmo2 plamo gemma2 gemma3", {"original_positions": 32}),
        ("qwen2 olmo2 plamo gemma2 gemma3 gpt_j", {"n_experts": 4}),
        ("llama qwen2 olmo2 gpt_oss deepseek3 gpt_neo", {"parallel": True}),
        ("llama qwen2 qwen3 olmo2 plamo gpt_j gpt_neox", {"window": 4}),
        ("llama qwen2 olmo2 plamo gpt_neo", {"rotary_width": 2}),
        ("llama qwen2 olmo2 plamo gpt_neox", {"head_width": 8}),
        ("gpt_j gpt_neo", {"rotary_base": 100.0}),
        ("llama qwen3 gpt_oss", {"score_width": 8}),
    ],
)
def test_what_another_family_has_a_choice_of_is_no_field(names, options):
    for name in names.split():
        with pytest.raises(TypeError, match=f"unexpected keyword argument '{next(iter(options))}'"):
            type(FAMILIES[name].config)(**SHAPE, **options)


def test_a_choice_that_every_config_has_is_refused_where_a_family_has_not():
    for name in ("gpt_neo", "gpt_j", "gpt_neox"):
        config = FAMILIES[name].config
        assert dataclasses.replace(config, n_kv_head=4).key_heads == 4
        refused("n_kv_head=2 is no choice of", dataclasses.replace, config, n_kv_head=2)
    refused("n_kv_head=2 is no choice of GPT3Config", GPT3Config, **SHAPE, n_kv_head=2)
    for name in ("llama", "plamo", "qwen2", "qwen3", "olmo2", "gemma2", "gemma3", "gpt_oss",
                 "deepseek3"):  # fmt: skip
        config = FAMILIES[name].config
        refused("activation='relu' is no choice of", dataclasses.replace, config, activation="relu")
    relu = GPTConfig(**SHAPE, dropout=0.0, activation="relu")
    refused("activation='relu' is no choice of", ModernLMHeadModel, relu)


def test_a_config_of_more_fields_than_a_model_uses_is_refused():
    for name in ("gpt_neo", "llama", "gpt_j"):
        config = FAMILIES[name].config
        refused("must be a GPTConfig", GPTLMHeadModel, config)
        refused("must be a GPTConfig", GPT1, config)
        refused("must be a GPTConfig", ModernLMHeadModel, dataclasses.replace(config, dropout=0.0))
    assert (
        GPTLMHeadModel(FAMILIES["llama"].config, transformer=LlamaModel).config.rotary_base == 100
    )


def test_how_many_experts_a_token_uses_says_nothing_without_experts():
    for name in ("llama", "qwen3"):
        config = FAMILIES[name].config
        refused("n_experts_per_token=2 but n_experts=None; give both", dataclasses.replace, config,
                n_experts_per_token=2)  # fmt: skip


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("gpt_oss", {"original_positions": 6}, "original_positions=6 .*none turned once"),
        ("gpt_oss", {"rotary_base": 1.5, "original_positions": 10**6}, "all turned 32 times"),
        ("deepseek3", {"rotary_base": 1.5, "original_positions": 10**6}, "all turned 32 times"),
    ],
)
def test_a_length_from_which_yarn_cannot_go_on_is_refused(name, changes, message):
    config = FAMILIES[name].config
    refused(message, dataclasses.replace, config, **changes)
    assert dataclasses.replace(config, **changes, rope_factor=1.0).rope_factor == 1
