"""Rotary positions: whole heads and parts of them, halves and neighbours as pairs, and bases."""

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
from tests.helpers.reference import random_ids, refused

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


def test_a_pair_turns_by_its_frequency_times_the_position():
    x = torch.tensor([1.0, 2.0, 3.0, 4.0]).expand(1, 1, 1, 4)
    found = rotary.rotate(x, rotation_at([5], 4)).flatten().tolist()
    for (first, second), pair, angle in ((1, 3), 0, 5.0), ((2, 4), 1, 5.0 / 100):
        turned = complex(first, second) * complex(math.cos(angle), math.sin(angle))
        assert found[pair] == pytest.approx(turned.real)
        assert found[pair + 2] == pytest.approx(turned.imag)


def test_position_0_is_not_turned():
    x = torch.randn(2, 3, 1, 8)
    assert torch.equal(rotary.rotate(x, rotation_at([0], 8)), x)


def test_a_rotation_keeps_lengths():
    x = torch.randn(2, 3, 4, 8)
    assert_close(rotary.rotate(x, rotation_at([0, 7, 300, 9999], 8)).norm(dim=-1), x.norm(dim=-1))


def test_scores_depend_only_on_the_difference_of_positions():
    q, k = torch.randn(2, 1, 3, 1, 8, dtype=torch.float64)

    def scores(query, key):
        turned = rotary.rotate(q, rotation_at([query], 8)), rotary.rotate(k, rotation_at([key], 8))
        return (turned[0] * turned[1]).sum(-1)

    assert_close(scores(5, 2), scores(105, 102), rtol=0, atol=1e-5)
    assert (scores(5, 2) - scores(5, 3)).abs().min() > 1e-3
    assert (scores(5, 2) - scores(2, 5)).abs().min() > 1e-3


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


def test_rescaling_is_given_the_frequencies_and_replaces_them():
    seen = []

    def halved(frequencies):
        seen.append(frequencies)
        return frequencies / 2

    assert_close(rotation_at([6], 8, rescale=halved), rotation_at([3], 8))
    assert_close(seen[0], torch.tensor([1, 0.1, 0.01, 0.001]))


def test_rotation_keeps_the_dtype():
    for turn in (rotary.rotate, rotary.rotate_neighbours):
        found = turn(X.bfloat16(), rotation_at(list(range(5)), 4))
        assert found.dtype == torch.bfloat16
        wanted = turn(X, rotation_at(list(range(5)), 4))
        assert_close(found.float(), wanted, rtol=0.02, atol=0.02)


@pytest.mark.parametrize("default", [torch.bfloat16, torch.float16, torch.float64])
def test_angles_are_in_32_bits_whatever_the_default_dtype(default):
    positions = torch.arange(4096)[None]
    wanted = rotary.rotary_angles(positions, 64)
    torch.set_default_dtype(default)
    try:
        found = rotary.rotary_angles(positions, 64)
    finally:
        torch.set_default_dtype(torch.float32)
    assert all(map(torch.equal, found, wanted))
    assert found[0].unique(dim=2).shape[2] == 4096


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


def test_a_rotation_that_does_not_fit_is_refused():
    x, (cosines, sines) = torch.randn(2, 3, 5, 8), rotation_at(list(range(5)), 8)
    for wrong in (None, (cosines,), (cosines, sines[..., :2]), rotation_at([0], 8), (1, 2)):
        refused("rotation is", rotary.rotate, x, wrong)
    refused("rotation is", rotary.rotate, x[:1, :, :, :6], (cosines, sines))
    refused("rotation is", rotary.rotate, x, 5)
    refused("x is", rotary.rotate, x[0], (cosines, sines))
    refused("rotation is", rotary.rotate, x[..., :7], (cosines, sines))
    refused("x is", rotary.rotate, [1.0], (cosines, sines))


def test_positions_that_are_no_positions_are_refused():
    ids = random_ids(2, 15)
    refused("head_width=5", rotary.rotary_angles, ids, 5)
    refused("head_width='8'", rotary.rotary_angles, ids, "8")
    refused("dtype", rotary.rotary_angles, ids.float(), 8)
    refused(r"\(15,\)", rotary.rotary_angles, ids[0], 8)
