"""Sums of digits: what is asked, what is written, and which sums nobody trains on."""

import functools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gpt_helpers.tasks import sums
from gpt_helpers.tasks.answers import answer_labels
from gpt_helpers.tasks.items import ItemBatches, draw_items, held_out
from tests.helpers.reference import refused

DIGITS = arrays(
    np.int64, st.tuples(st.integers(1, 5), st.integers(1, 9)), elements=st.integers(0, 9)
)
ITEM = np.array([[3, 8, 4]])


def text(written_as, item=ITEM):
    """Return the whole text of one item in a format."""
    return sums.SUM_WORDS.decode(sums.sum_texts(sums.FORMATS[written_as], item)[0])


def test_the_formats_differ_only_between_the_question_and_the_equals_sign():
    assert text("at once") == "3 8 4 : = 5"
    assert text("steps") == "3 8 4 : 3 1 5 = 5"
    assert text("dots") == "3 8 4 : . . . = 5"
    shuffled = text("shuffled steps").split()
    assert sorted(shuffled[4:7]) == ["1", "3", "5"]
    assert shuffled[:4] + shuffled[7:] == ["3", "8", "4", ":", "=", "5"]


@given(DIGITS)
def test_each_running_sum_is_the_one_before_and_the_next_digit_modulo_ten(items):
    for item, row in zip(items.tolist(), sums.running_sums(items).tolist(), strict=True):
        assert row == [sum(item[: k + 1]) % 10 for k in range(len(item))]
    assert sums.sum_of(items).tolist() == [sum(item) % 10 for item in items.tolist()]


@given(DIGITS, st.sampled_from(list(sums.FORMATS)))
def test_the_right_text_is_scored_as_right_in_every_format(items, written_as):
    texts = sums.sum_texts(sums.FORMATS[written_as], items)
    questions = sums.sum_questions(items)
    assert torch.equal(texts[:, : questions.shape[1]], questions)
    assert torch.equal(sums.sum_answers(texts[:, questions.shape[1] :]), sums.sum_of(items))


def test_what_is_no_answer_is_none():
    cases = {
        "3 1 5 = 7": 7,
        "= 0 = 5": 0,
        "3 1 5": -1,
        "3 1 =": -1,
        "= = 5": -1,
        "= : 4": -1,
        "= .": -1,
    }
    for written, answer in cases.items():
        assert sums.sum_answers(sums.SUM_WORDS.encode(written)[None]).tolist() == [answer], written
    assert sums.sum_answers(torch.zeros(2, 0, dtype=torch.long)).tolist() == [-1, -1]


def test_the_loss_counts_what_follows_the_question():
    texts = sums.sum_texts(sums.steps, ITEM)
    counted = answer_labels(texts, sums.ASK)[0]
    assert sums.SUM_WORDS.decode(counted[counted >= 0]) == "3 1 5 = 5"


def test_shuffled_steps_are_the_running_sums_in_an_order_that_tells_nothing():
    items = sums.draw_digits(6, np.random.default_rng(0), 4000)
    shuffled = sums.shuffled_steps(items) - sums.ZERO
    assert (np.sort(shuffled, 1) == np.sort(sums.running_sums(items), 1)).all()
    assert np.array_equal(shuffled, sums.shuffled_steps(items) - sums.ZERO)
    for place in range(6):
        assert (shuffled[:, place] == items[:, 0]).mean() < 0.3


@given(DIGITS.filter(lambda items: items.shape[1] > 1), st.data())
def test_a_wrong_step_is_wrong_and_the_rest_would_follow_from_it(items, data):
    n_digits = items.shape[1]
    at = data.draw(st.integers(1, n_digits - 1))
    begun, follows = sums.with_wrong_step(items, at, np.random.default_rng(0))
    right = sums.sum_texts(sums.steps, items)
    assert torch.equal(begun[:, :-1], right[:, : n_digits + at])
    assert (begun[:, -1] != right[:, n_digits + at]).all()
    for item, row, answer in zip(items.tolist(), begun.tolist(), follows.tolist(), strict=True):
        assert answer == (row[-1] - sums.ZERO + sum(item[at:])) % 10
    assert (follows != sums.sum_of(items)).all()


def test_every_other_digit_is_as_likely_a_wrong_step():
    items = np.zeros((9000, 3), np.int64)
    begun, _ = sums.with_wrong_step(items, 2, np.random.default_rng(0))
    counts = np.bincount(begun[:, -1] - sums.ZERO, minlength=10)
    assert counts[0] == 0
    assert (abs(counts[1:] - 1000) < 150).all()


@pytest.mark.parametrize("n_digits", [2, 4, 12, 16])
def test_no_sum_of_the_tests_is_ever_trained_on(n_digits):
    draw = functools.partial(sums.draw_digits, n_digits)
    tests = draw_items(draw, 2000, np.random.default_rng(7), for_tests=True)
    assert held_out(tests).all()
    batches = ItemBatches(draw, functools.partial(sums.sum_texts, sums.no_steps), 1000)
    trained = torch.cat([batches[step] for step in range(30)])[:, :n_digits].numpy() - sums.ZERO
    assert len(trained) == 30_000
    assert not held_out(trained).any()
    assert not set(map(bytes, tests)) & set(map(bytes, trained))


@given(DIGITS)
def test_different_items_have_different_questions(items):
    questions = {tuple(row) for row in sums.sum_questions(items).tolist()}
    assert len(questions) == len(np.unique(items, axis=0))


def test_digits_are_drawn_evenly():
    items = sums.draw_digits(3, np.random.default_rng(0), 10_000)
    for place in range(3):
        assert (abs(np.bincount(items[:, place], minlength=10) - 1000) < 130).all()


def test_wrong_arguments_are_refused():
    refused("n_digits=0", sums.draw_digits, 0, np.random.default_rng(0), 2)
    for at in (0, 3):
        refused(f"at={at}", sums.with_wrong_step, ITEM, at, np.random.default_rng(0))
    for bad in (ITEM + 9, ITEM - 5, ITEM[0], ITEM[:, :0]):
        refused("^items", sums.sum_of, bad)
        refused("^items", sums.sum_texts, sums.steps, bad)
