"""Rotary positions: parts of a head, neighbouring pairs, bases, and frequencies for long texts.

tests/variants/test_modern.py holds what is true of the rotation of whole heads.
"""

import cmath
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from gpt_helpers.variants import rotary
from gpt_helpers.variants.gpt_j import GPTJConfig
from gpt_helpers.variants.gpt_neox import GPTNeoXConfig
from gpt_helpers.variants.gpt_oss import GPTOSSConfig, GPTOSSModel
from gpt_helpers.variants.llama import LlamaConfig, LlamaModel
from gpt_helpers.variants.sizes import built
from tests.helpers.reference import SMALL, refused

X = torch.randn(2, 3, 5, 12, generator=torch.Generator().manual_seed(0))


def rotation_at(positions, width, **options):
    """Return the rotation of one row of positions."""
    return rotary.rotary_angles(torch.tensor([positions]), width, **options)


def turned_by_complex_numbers(row, position, pairs, base=10000.0):
    """Return a list of numbers in which pairs (i, j) are turned, as complex numbers."""
    found = list(row)
    for number, (i, j) in enumerate(pairs):
        angle = position * base ** (-number / len(pairs))
        value = complex(row[i], row[j]) * cmath.exp(1j * angle)
        found[i], found[j] = value.real, value.imag
    return found


@given(st.integers(0, 40), st.integers(1, 6), st.sampled_from([10.0, 500000.0]))
def test_pairs_turn_like_complex_numbers_and_the_rest_stays(position, n_pairs, base):
    rotation = rotation_at([position], 2 * n_pairs, base=base)
    row = X[0, 0, 0].tolist()
    halves = [(p, p + n_pairs) for p in range(n_pairs)]
    neighbours = [(2 * p, 2 * p + 1) for p in range(n_pairs)]
    for turn, pairs in ((rotary.rotate, halves), (rotary.rotate_neighbours, neighbours)):
        found = turn(X[:1, :1, :1], rotation).flatten()
        wanted = turned_by_complex_numbers(row, position, pairs, base)
        assert_close(found, torch.tensor(wanted), rtol=1e-4, atol=1e-5)
        assert found[2 * n_pairs :].tolist() == row[2 * n_pairs :]


def test_a_stretch_is_given_the_frequencies_and_replaces_them():
    seen = []

    def halved(frequencies):
        seen.append(frequencies)
        return frequencies / 2

    assert_close(rotation_at([6], 8, rope_factor=halved), rotation_at([3], 8))
    assert_close(seen[0], torch.tensor([1, 0.1, 0.01, 0.001]))


def test_rotation_keeps_the_dtype():
    for turn in (rotary.rotate, rotary.rotate_neighbours):
        found = turn(X.bfloat16(), rotation_at(list(range(5)), 4))
        assert found.dtype == torch.bfloat16
        wanted = turn(X, rotation_at(list(range(5)), 4))
        assert_close(found.float(), wanted, rtol=0.02, atol=0.02)


def frequencies_of(kind, config):
    """Return the frequencies (P,) that a model of this class makes of those of its config."""
    with torch.device("meta"):
        model = kind(config)
    width = config.head_width
    frequencies = config.rotary_base ** (-2 * torch.arange(width // 2) / width)
    return frequencies, model.stretched(frequencies)


@pytest.mark.parametrize(
    ("kind", "config", "often"),
    [(LlamaModel, LlamaConfig(n_layer=1), 4), (GPTOSSModel, GPTOSSConfig(n_layer=1), 32)],
)
def test_what_turned_often_is_kept_and_what_hardly_turned_is_slowed_down(kind, config, often):
    before, after = frequencies_of(kind, config)
    turns, slowed = before * config.original_positions / (2 * math.pi), before / after
    assert_close(slowed[turns > often], torch.ones(int((turns > often).sum())))
    assert_close(slowed[turns < 1], torch.full((int((turns < 1).sum()),), config.rope_factor))
    assert (slowed.diff() > -1e-4).all()
    between = slowed[(turns > 1.01) & (turns < 0.99 * often)]
    assert len(between) > 2
    assert ((between > 1) & (between < config.rope_factor)).all()


def test_gpt_oss_turns_to_a_greater_length():
    config = GPTOSSConfig(n_layer=1)
    with torch.device("meta"):
        model = GPTOSSModel(config)
    cosines, sines = model.rotation(torch.tensor([[0, 3]]))
    length = (cosines.square() + sines.square()).sqrt()
    assert_close(length, torch.full_like(length, 0.1 * math.log(32) + 1))


def test_heads_are_as_wide_as_the_config_says():
    attention = built("Qwen3 32B").transformer.h[0].attn
    assert tuple(attention.c_attn.weight.shape) == ((64 + 8 + 8) * 128, 5120)
    assert tuple(attention.c_proj.weight.shape) == (5120, 64 * 128)


def test_what_does_not_fit_is_refused():
    refused("base=0", rotation_at, [0], 8, base=0)
    refused("base=None", rotation_at, [0], 8, base=None)
    too_wide = rotation_at(list(range(5)), 14)
    for turn in (rotary.rotate, rotary.rotate_neighbours):
        refused("rotation is .* or a smaller width", turn, X, too_wide)
        refused("rotation is", turn, X, rotation_at([0, 1], 4))
        refused("rotation is", turn, X, None)
        refused("x is", turn, X[0], too_wide)
    for kind in (GPTJConfig, GPTNeoXConfig):
        refused("rotary_width='all' must be even", kind, rotary_width="all")
        refused("rotary_width=0", kind, rotary_width=0)
    refused("norm=None", rotary.RotaryBlock, SMALL, None, None, None)
    refused("norm='rms'", rotary.RotaryModel, SMALL, print, lambda *_: torch.nn.Identity(), "rms")
