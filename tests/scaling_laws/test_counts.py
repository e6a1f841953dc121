"""Counts in closed form, against the modules, the FLOP counter and the cache themselves."""

import math
import subprocess
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

from gpt_helpers.architecture.attention import attention, attention_fused, causal_mask
from gpt_helpers.architecture.model import GPTLMHeadModel
from gpt_helpers.config import PRESETS, GPTConfig
from gpt_helpers.scaling_laws.counts import (
    count_parameters,
    flops_by_module,
    flops_per_token,
    kv_cache_bytes,
    non_embedding_parameters,
    parameters_by_module,
    training_flops,
)
from gpt_helpers.variants.llama import LlamaConfig
from tests.helpers.reference import SMALL, refused

CONFIGS = st.builds(
    lambda vocab, length, layers, groups, width, shared, inner: GPTConfig(
        vocab, length, groups * shared * width, layers, groups * shared, inner, groups
    ),
    *(st.integers(1, 9) for _ in range(5)),
    st.integers(1, 3),
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


@pytest.mark.parametrize(
    "sizes",
    [
        (61, 20, 24, 3, 4),
        (100, 32, 64, 2, 2),
        (257, 16, 8, 1, 1),
        (50, 9, 12, 4, 3),
        (64, 8, 16, 2, 1),
    ],
    ids=str,
)
def test_a_step_of_training_costs_what_the_flop_counter_finds(sizes):
    config = GPTConfig(*sizes, dropout=0.0)
    model = GPTLMHeadModel(config, attention)
    ids = torch.zeros(3, config.n_positions, dtype=torch.long)
    with FlopCounterMode(display=False) as counter:
        model(ids, labels=ids)["loss"].backward()
    assert counter.get_total_flops() == ids.numel() * training_flops(config)["exact"]
    assert training_flops(config)["exact"] == 3 * flops_per_token(config)


# Source: kaplan2020scaling, chowdhery2022palm, hoffmann2022chinchilla, each by its formula.
CONVENTIONS = {
    "gpt2": {"6N": 5.10e8, "6P": 7.47e8, "kaplan": 5.66e8, "palm": 8.552e8, "exact": 8.544e8},
    "gpt2-xl": {"6N": 8.85e9, "6P": 9.35e9, "kaplan": 9.32e9, "palm": 1.028e10, "exact": 1.027e10},
    "gpt3": {
        "6N": 1.0437e12, "6P": 1.0476e12, "kaplan": 1.0582e12, "palm": 1.0765e12, "exact": 1.0764e12
    },
}  # fmt: skip
CAUSAL = {"gpt2": 7.98e8, "gpt2-xl": 9.80e9, "gpt3": 1.0619e12}


@pytest.mark.parametrize("name", CONVENTIONS)
def test_training_costs_what_each_convention_says(name):
    assert training_flops(PRESETS[name]) == pytest.approx(CONVENTIONS[name], rel=1e-3)
    assert training_flops(PRESETS[name], causal=True)["exact"] == pytest.approx(
        CAUSAL[name], rel=1e-3
    )


def test_conventions_differ_by_attention_embeddings_and_norms_only():
    config = GPTConfig(61, 20, 24, 3, 4)
    square = 3 * flops_by_module(config, 7)["h.attn scores and values"]
    for causal, kaplan, palm in ((None, 0.5, 1), (True, 0.5, 0.5), (False, 1, 1)):
        found = training_flops(config, 7, causal)
        assert found["6N"] == 6 * 12 * config.n_layer * config.n_embd**2
        assert found["6P"] == 6 * count_parameters(config)
        assert found["kaplan"] == found["6N"] + kaplan * square
        assert found["palm"] == found["6P"] - 6 * 20 * 24 + palm * square
        head = 3 * flops_by_module(config)["lm_head"]
        assert found["exact"] == found["6N"] + palm * square + head


def test_half_the_square_is_what_the_causal_mask_leaves_but_for_half_the_diagonal():
    config, n = GPTConfig(61, 20, 24, 3, 4), 20
    whole, half = (
        flops_by_module(config, n, causal)["h.attn scores and values"] for causal in (False, True)
    )
    visible = causal_mask(torch.arange(n), torch.arange(n)).sum().item()
    assert whole * visible / n**2 == half + whole / (2 * n)
    assert flops_per_token(config, n, True) == flops_per_token(config, n) - half


@settings(max_examples=30)
@given(CONFIGS)
def test_non_embedding_parameters_are_those_of_blocks_and_the_last_norm(config):
    model = meta_model(config).transformer
    parts = [*model.h.parameters(), *model.ln_f.parameters()]
    assert non_embedding_parameters(config) == sum(p.numel() for p in parts)


def test_a_token_of_gpt2_takes_36864_bytes_of_cache():
    assert kv_cache_bytes(PRESETS["gpt2"], 1, 2) == 36_864
    assert kv_cache_bytes(PRESETS["gpt2"], 1024, 2) == 36 * 2**20
    assert kv_cache_bytes(PRESETS["gpt2"], 0, 4) == 0


def test_counting_needs_no_torch():
    code = "import gpt_helpers.scaling_laws.counts, sys; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("wrong", [None, "gpt2", 124, {"n_embd": 768}], ids=repr)
def test_what_is_no_config_is_refused(wrong):
    message = r"config=.* has no \w+; pass a GPTConfig, such as PRESETS\['gpt2'\]"
    for function in (count_parameters, parameters_by_module, flops_per_token, flops_by_module,
                     non_embedding_parameters, training_flops):  # fmt: skip
        refused(message, function, wrong)
    refused(message, kv_cache_bytes, wrong, 1, 2)


@pytest.mark.parametrize("wrong", [0, -1, 21, True, 2.0, "2", math.nan], ids=repr)
def test_a_length_that_is_none_is_refused(wrong):
    for function in (flops_per_token, flops_by_module, training_flops):
        refused(f"n_positions={wrong!r} must be an integer from 1 to 20", function, SMALL, wrong)


@pytest.mark.parametrize("wrong", [-1, True, 2.0, "2", None, math.nan], ids=repr)
def test_a_count_of_bytes_that_is_none_is_refused(wrong):
    refused(f"n_tokens={wrong!r} must be", kv_cache_bytes, SMALL, wrong, 2)
    refused(f"bytes_per_value={wrong!r} must be", kv_cache_bytes, SMALL, 2, wrong)
    refused("bytes_per_value=0 must be", kv_cache_bytes, SMALL, 2, 0)
    refused("n_tokens=21 must be an integer from 0 to 20", kv_cache_bytes, SMALL, 21, 2)


@pytest.mark.parametrize("function", [count_parameters, flops_per_token, training_flops])
def test_the_shape_of_another_family_is_refused(function):
    refused("config is a LlamaConfig; these are GPT-2's counts", function, LlamaConfig())
