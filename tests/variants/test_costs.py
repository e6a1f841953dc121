"""FLOPs are those that torch counts, keys and values those that the cache of a model holds."""

import dataclasses

import pytest
import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

from gpt_helpers.architecture.attention import attention
from gpt_helpers.architecture.model import GPTLMHeadModel
from gpt_helpers.config import PRESETS
from gpt_helpers.scaling_laws.counts import flops_per_token, kv_cache_bytes
from gpt_helpers.variants.costs import cache_bytes, forward_flops, keys_read
from gpt_helpers.variants.gpt3 import GPT3Config
from gpt_helpers.variants.sizes import GPT3, built
from tests.helpers.reference import random_ids, refused
from tests.helpers.settings import drawn_config
from tests.helpers.twins import FAMILIES

SEEDS = range(6)


def without_filling(width):
    """Return an attention that reads so many columns of values, and no zeros after them."""

    def attend(q, k, v, padding=None):
        mixed = (q @ k.mT).softmax(-1) @ v[..., :width]
        return F.pad(mixed, (0, v.shape[-1] - width))

    return attend


def small(name, seed=None):
    """Return a small model of a family without a window, with attention that torch can count.

    Its config is that of the twins, or drawn by a seed.
    """
    family = FAMILIES[name]
    config = family.config if seed is None else drawn_config(name, seed)
    if hasattr(config, "window"):
        config = dataclasses.replace(config, window=config.n_positions)
    latent = hasattr(config, "value_width")
    attend = without_filling(config.value_width) if latent else attention
    return (family.model(config) if name == "gpt_oss" else family.model(config, attend)).eval()


@pytest.mark.parametrize("name", FAMILIES)
@torch.no_grad()
def test_flops_are_those_that_torch_counts_at_any_setting(name):
    for seed in SEEDS:
        model = small(name, seed)
        n_tokens = model.config.n_positions
        with FlopCounterMode(display=False) as counter:
            model(random_ids(1, n_tokens, model.config.vocab_size))
        assert counter.get_total_flops() == n_tokens * forward_flops(model, n_tokens), model.config


@pytest.mark.parametrize("name", FAMILIES)
@torch.no_grad()
def test_bytes_of_a_cache_are_those_that_it_holds_of_what_is_read_at_any_setting(name):
    for seed in SEEDS:
        config = drawn_config(name, seed)
        model = FAMILIES[name].model(config)
        cache = model(random_ids(1, config.n_positions, config.vocab_size), cache=True)["cache"]
        held = 0
        for layer, n_read in zip(cache.layers, keys_read(model, cache.length), strict=True):
            parts = layer.keys[:, :, -n_read:], layer.values[:, :, -n_read:]
            held += sum(part.numel() * part.element_size() for part in parts)
        assert cache_bytes(model, cache.length, 4) == held, config


@pytest.mark.parametrize("name", ["gpt2", "gpt2-xl", "demo"])
def test_gpt2_costs_what_its_closed_form_says(name):
    config = PRESETS[name]
    with torch.device("meta"):
        model = GPTLMHeadModel(config)
    for n_tokens in (1, 100, config.n_positions):
        assert forward_flops(model, n_tokens) == flops_per_token(config, n_tokens)
        assert cache_bytes(model, n_tokens, 2) == kv_cache_bytes(config, n_tokens, 2)


def test_a_layer_with_a_window_costs_no_more_than_it_reads():
    config = GPT3Config(vocab_size=61, n_positions=24, n_embd=24, n_layer=3, n_head=4, window=5)
    model = GPT3(config)
    assert keys_read(model, 13) == [13, 5, 13]
    assert keys_read(model, 4) == [4, 4, 4]
    saved = 13 - 5
    whole = GPT3(dataclasses.replace(config, window=24))
    assert forward_flops(whole, 13) - forward_flops(model, 13) == 4 * saved * 24
    assert cache_bytes(whole, 13, 2) - cache_bytes(model, 13, 2) == 2 * saved * 24 * 2


@pytest.mark.parametrize(
    ("name", "n_tokens", "published"),
    [
        # Source: openai2025gptoss: 18 of 36 layers keep 128 tokens; here with 24 layers.
        ("gpt-oss-20b", 131072, 2 * 512 * (12 * 131072 + 12 * 128) * 2),
        ("Llama 3.1 8B", 131072, 16 * 2**30),
        ("GPT-3 175B", 128, 9 * 2**30 // 16),
        ("Mistral 7B v0.1", 8192, 2 * 1024 * 32 * 4096 * 2),
    ],
)
def test_published_sizes_keep_the_published_bytes(name, n_tokens, published):
    assert cache_bytes(built(name), n_tokens, 2) == published


def test_impossible_numbers_of_tokens_are_refused():
    model = small("gpt1")
    refused("n_tokens=0 must be a positive integer", forward_flops, model, 0)
    refused("n_tokens=25 is more than n_positions=24", cache_bytes, model, 25, 2)
    refused("bytes_per_value=2.5", cache_bytes, model, 3, 2.5)
