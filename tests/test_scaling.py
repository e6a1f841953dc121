"""Counts in closed form, against the modules, the FLOP counter and the cache themselves."""

import math
import subprocess
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import SMALL, refused
from torch.utils.flop_counter import FlopCounterMode

from gpt_helpers.attention import attention, attention_fused
from gpt_helpers.config import PRESETS, GPTConfig
from gpt_helpers.model import GPTLMHeadModel
from gpt_helpers.scaling import (
    count_parameters,
    flops_by_module,
    flops_per_token,
    kv_cache_bytes,
    parameters_by_module,
)

CONFIGS = st.builds(
    lambda vocab, length, layers, heads, width, inner: GPTConfig(
        vocab, length, heads * width, layers, heads, inner
    ),
    *(st.integers(1, 9) for _ in range(5)),
    st.integers(1, 9) | st.none(),
)


def meta_model(config, attend=attention_fused):
    """Return a model without memory: shapes only."""
    with torch.device("meta"):
        return GPTLMHeadModel(config, attend).eval()


@settings(max_examples=30)
@given(CONFIGS)
def test_each_part_has_as_many_parameters_as_its_modules(config):
    model = meta_model(config).transformer
    found = {
        "wte": [model.wte],
        "wpe": [model.wpe],
        **{
            f"h.{name}": [block.get_submodule(name) for block in model.h]
            for name in ("ln_1", "attn", "ln_2", "mlp")
        },
        "ln_f": [model.ln_f],
    }
    counts = {
        name: sum(p.numel() for module in modules for p in module.parameters())
        for name, modules in found.items()
    }
    assert parameters_by_module(config) == counts
    assert count_parameters(config) == sum(counts.values())


@pytest.mark.parametrize("attend", [attention, attention_fused])
@pytest.mark.parametrize("name", ["gpt2", "gpt2-medium", "demo"])
def test_flops_per_token_equal_the_flop_counter_exactly(name, attend):
    config = PRESETS[name]
    model = meta_model(config, attend)
    for n_tokens in (37, config.n_positions):
        with FlopCounterMode(display=False) as counter:
            model(torch.zeros(1, n_tokens, dtype=torch.long, device="meta"))
        assert counter.get_total_flops() == n_tokens * flops_per_token(config, n_tokens)


@settings(max_examples=20)
@given(CONFIGS)
def test_flops_of_any_config_equal_the_flop_counter_exactly(config):
    n_tokens = config.n_positions
    with FlopCounterMode(display=False) as counter:
        meta_model(config)(torch.zeros(3, n_tokens, dtype=torch.long, device="meta"))
    assert counter.get_total_flops() == 3 * n_tokens * flops_per_token(config)


def test_flops_of_real_tensors_and_of_each_module_are_counted_too():
    model = GPTLMHeadModel(SMALL, attention).eval()  # the counter does not know the CPU kernel
    with FlopCounterMode(display=False) as counter:
        model(torch.zeros(1, 20, dtype=torch.long))
    by_module, total = flops_by_module(SMALL, 20), counter.get_total_flops()
    assert total == 20 * sum(by_module.values())
    found = {
        part: sum(counter.get_flop_counts()[f"GPTLMHeadModel.{name}"].values()) / 20
        for part, name in {"mlp": "transformer.h.0.mlp", "head": "lm_head"}.items()
    }
    assert found == {"mlp": by_module["h.mlp"] / 3, "head": by_module["lm_head"]}


def test_training_gpt2_costs_what_the_literature_says():
    assert 3 * flops_per_token(PRESETS["gpt2"]) == pytest.approx(8.544e8, rel=1e-3)
    assert 3 * flops_per_token(PRESETS["gpt2-xl"]) == pytest.approx(1.027e10, rel=1e-3)


def test_a_token_of_gpt2_takes_36864_bytes_of_cache():
    assert kv_cache_bytes(PRESETS["gpt2"], 1, 2) == 36_864
    assert kv_cache_bytes(PRESETS["gpt2"], 1024, 2) == 36 * 2**20
    assert kv_cache_bytes(PRESETS["gpt2"], 0, 4) == 0


def test_counting_needs_no_torch():
    code = "import gpt_helpers.scaling, sys; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("wrong", [None, "gpt2", 124, {"n_embd": 768}], ids=repr)
def test_what_is_no_config_is_refused(wrong):
    message = r"config=.* has no \w+; pass a GPTConfig, such as PRESETS\['gpt2'\]"
    for function in (count_parameters, parameters_by_module, flops_per_token, flops_by_module):
        refused(message, function, wrong)
    refused(message, kv_cache_bytes, wrong, 1, 2)


@pytest.mark.parametrize("wrong", [0, -1, 21, True, 2.0, "2", math.nan], ids=repr)
def test_a_length_that_is_none_is_refused(wrong):
    for function in (flops_per_token, flops_by_module):
        refused(f"n_positions={wrong!r} must be an integer in 1 to 20", function, SMALL, wrong)


@pytest.mark.parametrize("wrong", [-1, True, 2.0, "2", None, math.nan], ids=repr)
def test_a_count_of_bytes_that_is_none_is_refused(wrong):
    refused(f"n_tokens={wrong!r} must be", kv_cache_bytes, SMALL, wrong, 2)
    refused(f"bytes_per_value={wrong!r} must be", kv_cache_bytes, SMALL, 2, wrong)
    refused("bytes_per_value=0 must be", kv_cache_bytes, SMALL, 2, 0)
