"""An answer is graded case by case: the first wrong place is named, whatever was returned."""

import asyncio
import re
import signal
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import torch

from gpt_helpers import language
from gpt_helpers.exercises import checks, grading
from gpt_helpers.exercises.grading import SAYINGS, graded
from gpt_helpers.exercises.workbook.calls import CHECK_OF
from gpt_helpers.files import read_rows
from tests.exercises.test_checks import all_checks, right_mask

REASONS = {
    "not a function", "not your own", "error", "interrupted", "argument changed",
    "nothing returned", "not a number", "not a truth value", "not a list", "not a tensor",
    "number of results", "whole matrix", "shape", "dtype", "wrong", "too large", "too small",
    "left", "no gradient",
}  # fmt: skip


def doubled(x):
    """Return twice x."""
    return 2 * x


def grade(function, *values, right=doubled, axes=("row", "column")):
    """Return the first line of what is said of a function, tried with each of the values."""
    return graded("clipped", function, right, [(x,) for x in values], axes).split("\n")[0]


@pytest.mark.parametrize(("row", "column"), [(0, 0), (0, 2), (1, 1), (2, 0)])
def test_the_first_wrong_place_is_named_in_the_order_of_reading(row, column):
    def answer(x):
        result = 2 * x
        result.view(-1)[3 * row + column :] += 1
        return result

    said = grade(answer, torch.zeros(3, 3))
    assert said == f"not yet: row {row}, column {column}: 1 is wrong"


def test_the_first_wrong_case_is_named():
    said = graded("clipped", lambda x: x + 2, doubled, [(2,), (2.0,), (5,), (7,)])
    assert said.split("\n")[:2] == ["not yet: it returns 7, which is too small", "tried with x=5"]


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (3, "it returns 3, which is too small"),
        (5.0, "it returns 5.0, which is too large"),
        (True, "it returns bool, not a number"),
        ("4", "it returns str, not a number"),
        (torch.tensor([4]), r"it returns Tensor (1,), not a number"),
        (float("nan"), "nan is wrong"),
        (10**400, f"1{'0' * 79} is wrong"),
        pytest.param(-(10**5000), "<int> is wrong", id="huge"),
        (None, "it returns nothing (None); return the result"),
    ],
)
def test_a_number_is_told_what_is_wrong_with_it(found, reason):
    assert grade(lambda x: found, 2) == f"not yet: {reason}"


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        ([2.0, 4.0], "it returns list, not a tensor"),
        (torch.ones(2, device="meta"), r"it returns meta Tensor (2,), not a tensor"),
        (np.array([2.0, "4"], dtype=object), r"it returns ndarray (2,), not a tensor"),
        (torch.tensor(2.0), "the shape is (), not (2,)"),
        (torch.tensor([2, 4]), "the dtype is torch.int64, not torch.float32"),
        (torch.tensor([2.0, torch.nan]), "column 1: nan is wrong"),
        (torch.tensor([-torch.inf, 4.0]), "column 0: -inf is wrong"),
        (torch.tensor([2.0, 4.0], requires_grad=True), None),
    ],
)
def test_a_tensor_is_told_what_is_wrong_with_it(found, reason):
    said = grade(lambda x: found, torch.tensor([1.0, 2.0]))
    assert said == ("correct" if reason is None else f"not yet: {reason}")


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (2, "it returns int, not a list"),
        (torch.tensor(2), "it returns Tensor (), not a list"),
        ([2], "it returns 1 results, not 2"),
        ([2, 5], "row 1: it returns 5, which is too large"),
        ([2, [4]], "row 1: it returns list, not a number"),
        ((2, 4), None),
        (torch.tensor([2, 4]), None),
    ],
)
def test_a_list_is_told_what_is_wrong_with_it(found, reason):
    said = grade(lambda x: found, [1, 2], right=lambda x: [2 * part for part in x])
    assert said == ("correct" if reason is None else f"not yet: {reason}")


@pytest.mark.parametrize(("found", "is_right"), [(True, 1), (1, 1), (0, 0), (2, 0), (0.5, 0)])
def test_a_truth_value_is_true_or_false(found, is_right):
    said = grade(lambda x: found, 1, right=lambda x: True)
    assert (said == "correct") == bool(is_right)


def test_what_the_reader_wrote_and_did_not_mean_is_told_in_its_own_words():
    assert grade(lambda: 3, 1).startswith("not yet: it fails (TypeError: ")
    assert grade(lambda x: [][1], 1) == "not yet: it fails (IndexError: list index out of range)"
    assert (
        grade(lambda x: exec("raise ValueError('a\\nb')"), 1) == "not yet: it fails (ValueError: a)"
    )
    assert grade(lambda x: exec("assert False"), 1) == "not yet: it fails (AssertionError)"
    assert grade(lambda x: sys.exit("end"), 1) == "not yet: it fails (SystemExit: end)"
    assert len(grade(lambda x: exec(f"raise ValueError('{'a' * 999}')"), 1)) < 150


@pytest.mark.parametrize("wrong", [None, 3, torch.zeros(2), "f"])
@pytest.mark.parametrize("check", all_checks(), ids=lambda check: check.__name__)
def test_what_is_no_function_is_told_so(check, wrong):
    said = check(wrong)
    assert (
        said == f"not yet: {wrong!r} is no function; pass the function itself, and do not call it"
    )
    assert said.texts["ja"].startswith("まだ違う：関数ではなく")


class WordlessError(Exception):
    """An error that cannot be written."""

    def __str__(self):
        """Fail."""
        raise ValueError


class Wordless:
    """What cannot be written, compared or measured, and is no function."""

    def __getattr__(self, name):
        """Fail."""
        raise WordlessError

    __repr__ = __len__ = __eq__ = __getattr__


def raising(error):
    """Return a function that raises an error."""

    def answer(x):
        raise error

    return answer


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (WordlessError(), "WordlessError"),
        (asyncio.CancelledError(), "CancelledError"),
        (GeneratorExit("end"), "GeneratorExit: end"),
        (BaseException("so"), "BaseException: so"),
        (BaseExceptionGroup("all", [KeyError(1)]), "ExceptionGroup: all (1 sub-exception)"),
        (StopIteration(), "StopIteration"),
        (RecursionError("deep"), "RecursionError: deep"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_whatever_a_function_raises_is_told(error, told):
    assert grade(raising(error), 1) == f"not yet: it fails ({told})"
    assert graded("clipped", raising(error), doubled, [(1,)]).texts["ja"].startswith("まだ違う")


def test_an_object_without_words_is_told_by_its_class():
    assert grade(lambda x: Wordless(), 1) == "not yet: it fails (WordlessError)"
    assert re.fullmatch("not yet: <Wordless.*> is no function; .*", grade(Wordless(), 1))


def test_a_function_that_does_not_end_is_told_so_when_it_is_interrupted():
    def endless(x):
        while True:
            pass

    timer = threading.Timer(0.3, signal.raise_signal, [signal.SIGINT])
    timer.start()
    assert grade(endless, 1) == "not yet: it was interrupted; is there a loop that does not end?"


def test_a_long_argument_is_shown_by_its_shape_and_a_short_one_by_its_numbers():
    said = graded(
        "clipped", lambda x: x, doubled, [(torch.full((2, 2), 1 / 3),)], ("row", "column")
    )
    assert "\ntried with x=[[0.3333, 0.3333], [0.3333, 0.3333]]\n" in said
    said = graded("clipped", lambda x: x, doubled, [(torch.ones(9, 9),)], ("row", "column"))
    assert "\ntried with x (9, 9)\n" in said


def test_there_are_words_for_every_reason_and_exercise_in_both_languages():
    frame = {"correct", "not yet", "at", "and", "given", "hint"}
    axes = {"query", "key", "row", "column", "token", "head", "position", "dimension", "tensor",
            "result", "element"}  # fmt: skip
    results = {"functions left", "beside the book", "own training"}
    exercises = {check.__name__ for check in all_checks()} | set(CHECK_OF)
    assert set(SAYINGS) == frame | REASONS | axes | results | exercises
    for row in SAYINGS.values():
        facts = {name: re.findall(r"\{\w+\}", row[name]) for name in language.LANGUAGES}
        assert sorted(facts["ja"]) == sorted(facts["en"]), row
        assert row["name"] == "and" or re.search("[ぁ-んァ-ン一-龥]", row["ja"]) or facts["ja"], row


def test_an_answer_is_in_the_language_that_is_chosen():
    assert checks.window_mask(right_mask) == "correct"
    language.use("ja")
    assert checks.window_mask(right_mask) == "正解"
    said = checks.window_mask(lambda queries, keys, window: keys <= queries[:, None])
    assert said.startswith("まだ違う：クエリ1、キー0：Trueは正しくない。\n試した引数：queries=")
    assert "ヒント：" in said


def test_no_saying_stands_behind_another_of_its_name():
    path = Path(grading.__file__).with_name("words.csv")
    assert len(read_rows(path, ())) == len(SAYINGS)
