"""Frequencies for longer texts: which pairs keep theirs, and by how much others are slowed down."""

import functools
import math

import pytest
import torch
from torch.testing import assert_close

from gpt_helpers.variants.deepseek3 import DeepSeek3Config
from gpt_helpers.variants.gpt_oss import GPTOSSConfig, gpt_oss_rotation
from gpt_helpers.variants.llama import LlamaConfig
from gpt_helpers.variants.rope_scaling import (
    llama3_ramp,
    llama3_rotation,
    rescaled,
    yarn_attention_factor,
    yarn_ramp,
)
from gpt_helpers.variants.rotary import rotary_angles
from tests.helpers.reference import refused

WHOLE = functools.partial(yarn_ramp, whole_pairs=True)


@pytest.mark.parametrize(
    ("ramp", "config", "often"),
    [(llama3_ramp, LlamaConfig(), 4), (yarn_ramp, GPTOSSConfig(), 32)],
)
def test_what_turned_often_is_kept_and_what_hardly_turned_is_slowed_down(ramp, config, often):
    width = config.head_width
    before = config.rotary_base ** (-2 * torch.arange(width // 2) / width)
    after = rescaled(before, config, ramp)
    turns, slowed = before * config.original_positions / (2 * math.pi), before / after
    assert_close(slowed[turns > often], torch.ones(int((turns > often).sum())))
    assert_close(slowed[turns < 1], torch.full((int((turns < 1).sum()),), config.rope_factor))
    assert (slowed.diff() > -1e-4).all()
    between = slowed[(turns > 1.01) & (turns < 0.99 * often)]
    assert len(between) > 2
    assert ((between > 1) & (between < config.rope_factor)).all()


def test_frequencies_of_deepseek_are_slowed_down_between_two_whole_pairs():
    """Of the 32 pairs of the published size, 11 are kept, 9 slowed down by 40, 12 between."""
    found = []
    for pair in range(32):
        frequency = 10000 ** (-pair / 32)
        turned_32, turned_1 = (
            32 * math.log(4096 / (2 * math.pi * turns)) / math.log(10000) for turns in (32, 1)
        )
        low, high = math.floor(turned_32), math.ceil(turned_1)
        assert (low, high) == (10, 23)
        slowed = min(1, max(0, (pair - low) / (high - low)))
        found.append(frequency * (1 - slowed) + frequency / 40 * slowed)
    plain = 10000 ** (-torch.arange(32, dtype=torch.float64) / 32)
    slower = rescaled(plain, DeepSeek3Config(), WHOLE)
    assert_close(slower, torch.tensor(found, dtype=torch.float64))
    assert (slower == plain).sum() == 11
    assert torch.isclose(slower, plain / 40).sum() == 9


@pytest.mark.parametrize("ramp", [yarn_ramp, WHOLE])
@pytest.mark.parametrize(
    ("length", "base", "wanted"),
    [
        (7, 1e6, [1.0, 0.0, 0.0, 0.0]),  # the first pair alone turned once
        (10**9, 1e4, [1.0, 1.0, 1.0, 1.0]),  # all turned often
    ],
)
def test_pairs_that_nearly_all_turn_seldom_or_often_leave_numbers(ramp, length, base, wanted):
    config = GPTOSSConfig(rotary_base=base, original_positions=length)
    kept = ramp(torch.zeros(4), config)
    assert_close(kept, torch.tensor(wanted), rtol=0, atol=0.1)


def test_gpt_oss_turns_to_a_greater_length():
    config = GPTOSSConfig(n_layer=1)
    cosines, sines = gpt_oss_rotation(torch.tensor([[0, 3]]), config)
    length = (cosines.square() + sines.square()).sqrt()
    assert_close(length, torch.full_like(length, 0.1 * math.log(32) + 1))


def test_a_factor_of_one_leaves_every_frequency_as_it_is():
    positions = torch.arange(50)[None]
    config = LlamaConfig(rope_factor=1.0, rotary_base=100.0, original_positions=32)
    found = llama3_rotation(positions, config)
    assert all(map(torch.equal, found, rotary_angles(positions, 128, 100.0)))


def test_queries_and_keys_of_yarn_grow_with_the_logarithm_of_the_factor():
    assert yarn_attention_factor(40.0) == pytest.approx(1.3688879)
    assert yarn_attention_factor(1) == 1
    refused("rope_factor=0.5", yarn_attention_factor, 0.5)
