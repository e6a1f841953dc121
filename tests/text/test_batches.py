"""Each token once per epoch, in an order that the seed and the step fix; and random windows."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gpt_helpers.text.batches import Batches, fixed_windows, sample_batch
from tests.helpers.reference import refused

sizes = st.tuples(st.integers(1, 200), st.integers(1, 6), st.integers(1, 9))


def epoch(batches, number=0):
    """Return all batches of an epoch in one (N, T)."""
    steps = range(number * batches.steps_per_epoch, (number + 1) * batches.steps_per_epoch)
    return torch.cat([batches[step] for step in steps])


@given(sizes, st.integers(0, 5), st.integers(0, 3))
def test_each_token_is_read_once_per_epoch_but_for_the_edges(size, seed, number):
    n_tokens, batch_size, width = size
    tokens = torch.arange(500, 500 + n_tokens)
    if (n_tokens - width + 1) // width < batch_size:
        refused(f"{n_tokens} tokens hold", Batches, tokens, batch_size, width, seed)
        return
    batches = Batches(tokens, batch_size, width, seed)
    rows = epoch(batches, number)
    assert rows.shape == (batches.steps_per_epoch * batch_size, width)
    assert (rows.diff(dim=1) == 1).all()
    assert rows.unique().numel() == rows.numel()
    assert rows.min() >= 500
    assert rows.max() < 500 + n_tokens
    missing = n_tokens - rows.numel()
    assert missing < 2 * width + (batch_size - 1) * width  # two edges, and one batch not full


def test_an_epoch_without_remainders_reads_all_windows():
    batches = Batches(torch.arange(24 + 3), 2, 4)
    assert batches.steps_per_epoch == 3
    rows = epoch(batches)
    start = rows.min().item()
    assert sorted(rows.flatten().tolist()) == list(range(start, start + 24))


def test_the_first_token_of_an_epoch_is_any_of_the_first_window():
    batches = Batches(torch.arange(27), 6, 4)
    starts = {epoch(batches, number).min().item() for number in range(40)}
    assert starts == {0, 1, 2, 3}
    last = max(epoch(batches, number).max().item() for number in range(40))
    assert last == 26


def test_a_batch_depends_on_the_seed_and_the_step_only():
    tokens = torch.arange(300)
    first, second = Batches(tokens, 4, 8, seed=1), Batches(tokens, 4, 8, seed=1)
    expected = [first[step] for step in range(20)]
    torch.manual_seed(5)
    np.random.seed(5)
    before = torch.get_rng_state()
    for step in (13, 0, 19, 7, 7):
        assert torch.equal(second[step], expected[step])
    assert torch.equal(torch.get_rng_state(), before)
    other = Batches(tokens, 4, 8, seed=2)
    assert not any(torch.equal(other[step], expected[step]) for step in range(20))


def test_epochs_and_steps_differ():
    batches = Batches(torch.arange(300), 4, 8)
    per_epoch = batches.steps_per_epoch
    assert per_epoch == (300 - 7) // 8 // 4
    found = [batches[step] for step in range(4 * per_epoch)]
    assert len({tuple(batch.flatten().tolist()) for batch in found}) == len(found)
    starts = epoch(batches)[:, 0]
    assert not torch.equal(starts, starts.sort().values)


def test_batches_are_long_whatever_integers_the_tokens_are():
    assert Batches(torch.arange(99).int(), 2, 3)[0].dtype == torch.int64
    assert fixed_windows(torch.arange(99).int(), 3).dtype == torch.int64


ROW = torch.arange(50)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1, 2], 1, 1), "tokens is a list; make it a tensor of integers"),
        ((ROW[None], 1, 1), r"tokens has shape \(1, 50\); it must be \(N,\)"),
        ((ROW / 2, 1, 1), "tokens has dtype torch.float32"),
        ((ROW, 0, 1), "batch_size=0 must be a positive integer"),
        ((ROW, 1, 1.5), "n_tokens=1.5 must be a positive integer"),
        ((ROW, 1, 1, -1), "seed=-1 must be an integer of at least 0"),
        ((ROW, 6, 9), "50 tokens hold 4 windows of 9; batch_size=6 needs more"),
        ((ROW, 1, 99), "50 tokens hold 0 windows of 99"),
    ],
)
def test_batches_that_cannot_be_are_refused(arguments, message):
    refused(message, Batches, *arguments)


@pytest.mark.parametrize("step", [-1, 1.0, True, None], ids=repr)
def test_a_step_that_cannot_be_is_refused(step):
    refused(f"step={step!r} must be an integer of at least 0", Batches(ROW, 1, 4).__getitem__, step)


@given(sizes)
def test_fixed_windows_stand_side_by_side_and_are_spread_evenly(size):
    n_tokens, wanted, width = size
    tokens, available = torch.arange(n_tokens), n_tokens // width
    if available == 0:
        refused(f"{n_tokens} tokens hold no window", fixed_windows, tokens, width)
        return
    if wanted > available:
        refused(
            f"n_windows={wanted}, but {n_tokens} tokens hold", fixed_windows, tokens, width, wanted
        )
        return
    rows = fixed_windows(tokens, width, wanted)
    assert rows.shape == (wanted, width)
    assert (rows.diff(dim=1) == 1).all()
    assert (rows[:, 0] % width == 0).all()
    gaps = rows[:, 0].diff() // width
    assert rows[0, 0] == 0
    assert ((gaps - available / wanted).abs() < 1).all()
    every = fixed_windows(tokens, width)
    assert torch.equal(every.flatten(), tokens[: available * width])


def test_fixed_windows_that_cannot_be_are_refused():
    refused("n_windows=6, but 50 tokens hold 5", fixed_windows, ROW, 9, 6)
    refused("n_windows=0 must be a positive integer", fixed_windows, ROW, 9, 0)
    refused("50 tokens hold no window of 51; give more", fixed_windows, ROW, 51)
    refused("n_tokens=0 must be a positive integer", fixed_windows, ROW, 0)
    refused("tokens is .*list", fixed_windows, [1, 2], 1)


@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 99))
def test_batches_are_windows_of_the_tokens(batch_size, n_tokens, seed):
    tokens = torch.arange(100, 112)
    batch = sample_batch(tokens, batch_size, n_tokens, torch.Generator().manual_seed(seed))
    assert batch.shape == (batch_size, n_tokens)
    assert (batch.diff(dim=1) == 1).all()
    assert batch.min() >= 100
    assert batch.max() < 112


def test_every_window_can_be_drawn_the_last_one_too():
    batch = sample_batch(torch.arange(6), 500, 4, torch.Generator().manual_seed(0))
    assert batch[:, 0].unique().tolist() == [0, 1, 2]
    assert sample_batch(torch.arange(6), 2, 6).tolist() == [[0, 1, 2, 3, 4, 5]] * 2


def test_a_generator_makes_batches_repeatable_without_touching_the_global_one():
    tokens, before = torch.arange(1000), torch.get_rng_state()
    first, second = (sample_batch(tokens, 9, 5, torch.Generator().manual_seed(1)) for _ in "ab")
    assert torch.equal(first, second)
    assert torch.equal(torch.get_rng_state(), before)


NINE = torch.arange(9)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((None, 1, 2), r"tokens is a NoneType; make it a tensor of integers \(N,\)"),
        (([1, 2, 3], 1, 2), "tokens is .*list"),
        ((np.arange(9), 1, 2), "tokens is a ndarray; make it a tensor"),
        ((NINE[None], 1, 2), r"shape \(1, 9\); it must be \(N,\)"),
        ((NINE / 2, 1, 2), "tokens has dtype torch.float32"),
        ((NINE > 3, 1, 2), "tokens has dtype torch.bool"),
        ((NINE, 1, 10), "n_tokens=10 is more than the 9 tokens"),
        ((NINE[:0], 1, 1), "n_tokens=1 is more than the 0 tokens"),
        ((NINE, 0, 2), "batch_size=0 must be a positive integer"),
        ((NINE, 2.0, 2), "batch_size=2.0"),
        ((NINE, 10**12, 2), "batch_size=1000000000000 windows of n_tokens=2 are more than"),
        ((NINE, True, 2), "batch_size=True"),
        ((NINE, 1, 0), "n_tokens=0"),
        ((NINE, 1, None), "n_tokens=None"),
        ((NINE, 1, 2, 7), "generator=7 must be a torch.Generator"),
    ],
)
def test_batches_that_cannot_be_drawn_are_refused(arguments, message):
    refused(message, sample_batch, *arguments)
