"""A GPTConfig is either the shape of a possible GPT or refused with a reason."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt_helpers.config import ACTIVATION_NAMES, PRESETS, GPTConfig
from gpt_helpers.training.settings import TrainingSettings
from tests.helpers.reference import refused

SIZES = ("vocab_size", "n_positions", "n_embd", "n_layer", "n_head")


def test_the_defaults_are_gpt2():
    assert PRESETS["gpt2"] == GPTConfig()
    expected = (50257, 1024, 768, 12, 12, None, None, "gelu", 0.1, 1e-5, 0.02)
    assert dataclasses.astuple(GPTConfig()) == expected


def test_the_presets_differ_in_size_only():
    sizes = {name: dataclasses.astuple(config)[:5] for name, config in PRESETS.items()}
    assert sizes == {
        "gpt2": (50257, 1024, 768, 12, 12),
        "gpt2-medium": (50257, 1024, 1024, 24, 16),
        "gpt2-large": (50257, 1024, 1280, 36, 20),
        "gpt2-xl": (50257, 1024, 1600, 48, 25),
        "gpt3": (50257, 2048, 12288, 96, 96),
        "demo": (1000, 128, 128, 4, 4),
    }
    assert {dataclasses.astuple(config)[5:] for config in PRESETS.values()} == {
        dataclasses.astuple(GPTConfig())[5:]
    }


def test_a_config_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        GPTConfig().n_layer = 3


@given(st.integers(1, 64), st.integers(1, 64), st.integers(1, 512) | st.none())
def test_widths_divide_into_heads_and_the_mlp_is_four_times_as_wide(heads, width, inner):
    config = GPTConfig(n_embd=heads * width, n_head=heads, n_inner=inner)
    assert config.head_width == width
    assert config.mlp_width == (4 * heads * width if inner is None else inner)


@given(st.integers(1, 64), st.integers(1, 64))
def test_a_width_that_leaves_a_remainder_is_refused_with_both_numbers(width, heads):
    if width % heads:
        refused(
            f"n_embd={width} .* n_head={heads} .*multiple of {heads}",
            GPTConfig,
            n_embd=width,
            n_head=heads,
        )
    else:
        assert GPTConfig(n_embd=width, n_head=heads).head_width * heads == width


@pytest.mark.parametrize("name", [*SIZES, "n_inner"])
@pytest.mark.parametrize("value", [0, -3, True, 2.0, math.nan, "8", [8]], ids=repr)
def test_a_size_that_is_no_positive_integer_is_refused(name, value):
    refused(
        rf"{name}={value!r} must be a positive integer".replace("[", r"\["),
        GPTConfig,
        **{name: value},
    )


@pytest.mark.parametrize("value", [2**28 + 1, 10**12, 10**400], ids=int.bit_length)
@pytest.mark.parametrize("name", [*SIZES, "n_inner", "n_kv_head"])
def test_a_size_beyond_all_memory_is_refused(name, value):
    refused(f"{name}={str(value)[:60]}.* must be an integer", GPTConfig, **{name: value})


@pytest.mark.parametrize("name", SIZES)
def test_only_the_mlp_width_may_be_left_open(name):
    refused(f"{name}=None", GPTConfig, **{name: None})


@pytest.mark.parametrize(
    ("name", "values", "bounds"),
    [
        ("dropout", (-0.1, 1, 1.5), ">= 0 and < 1"),
        ("layer_norm_epsilon", (0, -1e-5), "> 0"),
        ("initializer_range", (-0.02,), ">= 0"),
    ],
)
def test_a_number_out_of_bounds_is_refused_with_the_bounds(name, values, bounds):
    for value in (*values, math.nan, math.inf, -math.inf, True, None, "0.1", 1j):
        refused(
            rf"{name}={value!r} must be a finite number {bounds}".replace("(", r"\("),
            GPTConfig,
            **{name: value},
        )


@pytest.mark.parametrize("value", ["GELU", None, 3, ["gelu"]], ids=repr)
def test_an_unknown_activation_is_refused_with_the_known_ones(value):
    refused(
        f"activation=.* is unknown; use one of .*{ACTIVATION_NAMES[-1]}",
        GPTConfig,
        activation=value,
    )


def test_the_ends_of_each_range_are_allowed():
    GPTConfig(1, 1, 1, 1, 1, 1, dropout=0, layer_norm_epsilon=1e-30, initializer_range=0)
    assert {GPTConfig(activation=name).activation for name in ACTIVATION_NAMES} == {
        "gelu",
        "gelu_erf",
        "relu",
        "swish",
    }


def test_numbers_of_numpy_are_kept_as_plain_ones():
    sizes = {"n_embd": np.int64(64), "n_head": np.int32(4), "n_kv_head": np.int16(2)}
    config = GPTConfig(**sizes, n_inner=np.int64(7), dropout=np.float32(0.25))
    assert config == GPTConfig(n_embd=64, n_head=4, n_kv_head=2, n_inner=7, dropout=0.25)
    kinds = {type(value) for value in dataclasses.astuple(config)}
    assert kinds == {int, float, str}


def test_the_defaults_of_training_are_those_of_gpt3():
    settings = TrainingSettings()
    assert (settings.betas, settings.epsilon) == ((0.9, 0.95), 1e-8)
    assert (settings.weight_decay, settings.max_grad_norm) == (0.1, 1.0)


def test_the_schedule_ends_with_the_run_unless_it_is_given():
    assert TrainingSettings(total_steps=70).schedule_arguments["total_steps"] == 70
    longer = TrainingSettings(total_steps=70, schedule_steps=90, warmup_steps=80)
    assert longer.schedule_arguments["total_steps"] == 90


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"total_steps": 0}, "total_steps=0 must be a positive integer"),
        ({"total_steps": 10}, "warmup_steps=50 must be an integer from 0 to total_steps=10"),
        ({"schedule_steps": 10}, "warmup_steps=50 .* total_steps=10"),
        ({"accumulation": 1.0}, "accumulation=1.0 must be a positive integer"),
        ({"evaluate_every": 0}, "evaluate_every=0"),
        ({"save_every": True}, "save_every=True"),
        ({"max_lr": 0}, "max_lr=0 must be a finite number > 0"),
        ({"min_lr": 1.0}, "min_lr=1.0 is above max_lr=0.003"),
        ({"schedule": "step"}, "schedule='step' is unknown; use one of"),
        ({"optimizer": "sgd"}, "optimizer='sgd' is unknown; use one of"),
        ({"precision": "fp8"}, "precision='fp8' is unknown; use one of"),
        ({"muon_lr": -1}, "muon_lr=-1"),
        ({"betas": [0.9, 0.95]}, "betas=.* must be a pair"),
        ({"betas": (0.9,)}, "betas=.* must be a pair"),
        ({"betas": (0.9, 1.0)}, "betas=1.0 must be a finite number >= 0 and < 1"),
        ({"epsilon": 0}, "epsilon=0 must be a finite number > 0"),
        ({"weight_decay": -0.1}, "weight_decay=-0.1"),
        ({"max_grad_norm": 0}, "max_grad_norm=0 must be a finite number > 0"),
        ({"max_grad_norm": math.inf}, "max_grad_norm=inf"),
        ({"seed": -1}, "seed=-1 must be an integer of at least 0"),
        ({"seed": None}, "seed=None"),
        ({"cooldown_share": 2}, "cooldown_share=2 must be at most 1"),
    ],
)
def test_training_that_cannot_be_is_refused(changes, message):
    refused(message, TrainingSettings, **changes)
