"""What is held out is a function of the item, and training never sees it."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gpt_helpers.tasks.items import (
    SHARE,
    ItemBatches,
    Mixture,
    check_items,
    draw_items,
    held_out,
)
from tests.helpers.reference import refused


def digits(rng, n):
    """Draw n items of 6 digits."""
    return rng.integers(10, size=(n, 6))


@given(arrays(np.int64, (5, 3), elements=st.integers(0, 100)), st.permutations(range(5)))
def test_the_side_of_an_item_depends_on_nothing_but_the_item(items, order):
    whole = held_out(items)
    assert (held_out(items[order]) == whole[order]).all()
    assert [held_out(items[i : i + 1])[0] for i in range(5)] == list(whole)
    assert (held_out(items.astype(np.int32)) == whole).all()


def test_one_item_in_eight_is_held_out_whatever_the_items_look_like():
    counting = np.arange(20_000)
    tables = {
        "counting": counting[:, None],
        "pairs": np.stack([counting // 141, counting % 141], 1),
        "digits": digits(np.random.default_rng(0), 20_000),
        "multiples of 8": 8 * counting[:, None],
    }
    for name, items in tables.items():
        assert abs(held_out(items).mean() - 1 / SHARE) < 0.01, name


def test_every_column_and_the_order_of_columns_decide():
    items = digits(np.random.default_rng(1), 4000)
    sides = held_out(items)
    for column in range(6):
        changed = items.copy()
        changed[:, column] = (changed[:, column] + 1) % 10
        assert 0.15 < (held_out(changed) != sides).mean() < 0.3
    assert (held_out(items[:, ::-1]) != sides).any()


def test_neighbours_of_held_out_items_are_held_out_no_more_often_than_others():
    sides = held_out(np.arange(20_000)[:, None])
    assert abs((sides[1:] & sides[:-1]).mean() - 1 / SHARE**2) < 0.005


def test_the_held_out_items_are_the_same_on_every_machine():
    assert np.flatnonzero(held_out(np.arange(64)[:, None])).tolist() == [6, 29, 33, 38, 43, 49, 51]


@pytest.mark.parametrize("for_tests", [True, False])
def test_drawn_items_are_all_of_the_side_that_was_asked_for(for_tests):
    items = draw_items(digits, 3000, np.random.default_rng(0), for_tests)
    assert items.shape == (3000, 6)
    assert (held_out(items) == for_tests).all()


def test_training_never_reads_an_item_that_tests_may_hold():
    batches = ItemBatches(digits, lambda items: items, 512, seed=3)
    tests = {tuple(row) for row in draw_items(digits, 2000, np.random.default_rng(9), True)}
    trained = {tuple(row) for step in range(40) for row in batches[step].tolist()}
    assert len(trained) > 20_000
    assert not tests & trained


def test_a_batch_depends_on_the_seed_and_the_step_only():
    first, again, other = (ItemBatches(digits, lambda x: x, 8, seed) for seed in (0, 0, 1))
    assert torch.equal(first[5], again[5])
    assert not torch.equal(first[5], first[6])
    assert not torch.equal(first[5], other[5])
    assert first[0].dtype == torch.int64


def test_what_is_no_item_is_refused():
    refused("3", held_out, np.arange(3))
    refused("float64", held_out, np.ones((3, 2)))
    refused("0", held_out, np.ones((3, 0), int))
    refused("n_items=0", draw_items, digits, 0, np.random.default_rng(0), True)
    refused("batch_size=0", ItemBatches, digits, list, 0)
    refused("step=-1", lambda: ItemBatches(digits, list, 2)[-1])


def test_a_task_without_items_for_a_side_is_refused_and_not_drawn_for_ever():
    only = np.flatnonzero(~held_out(np.arange(64)[:, None]))

    def draw(rng, n):
        return rng.choice(only, n)[:, None]

    assert len(draw_items(draw, 10, np.random.default_rng(0), for_tests=False)) == 10
    refused("0 items", draw_items, draw, 10, np.random.default_rng(0), for_tests=True)


def test_another_rule_may_say_what_is_held_out():
    def is_test(items):
        return items[:, 0] == 3

    tests = draw_items(digits, 500, np.random.default_rng(0), True, is_test)
    batches = ItemBatches(digits, np.asarray, 500, is_test=is_test)
    assert (tests[:, 0] == 3).all()
    assert all((batches[step][:, 0] != 3).all() for step in range(10))


def test_a_mixture_has_the_rows_of_every_source_padded_on_the_right():
    short, long = (ItemBatches(digits, lambda x, n=n: 1 + x[:, :n], 2) for n in (2, 4))
    mixed = Mixture([short, long])[3]
    assert torch.equal(mixed[:2], torch.nn.functional.pad(short[3], (0, 2)))
    assert torch.equal(mixed[2:], long[3])
    refused("0 sources", Mixture, [])


def test_items_have_their_columns_and_each_number_lies_below_its_limit():
    items = np.array([[3, 0], [9, 4]])
    check_items("items", items, 10)
    check_items("items", items, (10, 5))
    check_items("items", items[:0], (10, 5))
    for bad, limits in [
        (items, 9), (items, (10, 4)), (items - 1, 10), (items, (10, 5, 5)), (items[0], 10),
        (items.astype(float), 10), (items.tolist(), 10), (items[:, :0], 10), (items > 3, 10),
    ]:  # fmt: skip
        refused("^items", check_items, "items", bad, limits)
    refused("items is empty", check_items, "items", items[:0], 10, empty=False)
