"""Checks let pass what is right, return plain numbers, and name the value of what is wrong."""

import dataclasses
import math
import re
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gpt_helpers.validation import (
    check_callable,
    check_choice,
    check_count,
    check_fields,
    check_flag,
    check_instance,
    check_integer,
    check_real,
    check_sequence,
    check_text,
    checked_by,
    checks,
    optional,
)
from tests.helpers.reference import refused

INTEGER_KINDS = st.sampled_from([int, np.int8, np.int16, np.int32, np.int64])
REAL_KINDS = st.sampled_from([float, np.float32, np.float64, Fraction])
BOOLS = [True, False, np.True_, np.False_]
NO_NUMBERS = ["1", None, [1], (1,), {}, 1j, torch.tensor(1), np.array([1, 2]), print, *BOOLS]


@given(st.integers(-100, 100), INTEGER_KINDS, st.integers(-100, 100), st.integers(0, 200))
def test_integers_of_python_and_numpy_pass_within_the_bounds_and_come_back_plain(
    value, kind, low, width
):
    if low <= value <= low + width:
        found = check_integer("n", kind(value), low, low + width)
        assert (found, type(found)) == (value, int)
    else:
        message = f"n=.*{value}.* must be an integer from {low} to {low + width}"
        refused(message, check_integer, "n", kind(value), low, low + width)


@given(st.integers(-5, 5))
def test_the_bounds_of_an_integer_can_be_open(value):
    assert check_integer("n", value) == value
    for check, fits, words in (
        (lambda: check_integer("n", value, at_least=1), value >= 1, "a positive integer, such as"),
        (lambda: check_integer("n", value, at_least=2), value >= 2, "an integer of at least 2"),
        (lambda: check_integer("n", value, at_most=2), value <= 2, "an integer of at most 2"),
    ):
        if fits:
            assert check() == value
        else:
            refused(f"n={value} must be {words}", check)


@pytest.mark.parametrize("value", [*NO_NUMBERS, 1.0, np.float64(1), math.nan], ids=repr)
def test_what_is_no_integer_is_refused_and_named(value):
    refused(re.escape(f"steps={value!r} must be an integer"), check_integer, "steps", value)


@given(st.floats(-1e3, 1e3, width=32), REAL_KINDS)
def test_real_numbers_of_every_kind_pass_and_come_back_plain(value, kind):
    found = check_real("x", kind(value))
    assert (found, type(found)) == (value, float)


@given(st.integers(-100, 100), INTEGER_KINDS)
def test_an_integer_is_a_real_number_and_stays_an_integer(value, kind):
    found = check_real("x", kind(value))
    assert (found, type(found)) == (value, int)


BOUNDS = {"at_least": (">=", 1), "above": (">", 1), "below": ("<", 2), "at_most": ("<=", 2)}


@given(st.sampled_from([0, 1, 1.5, 2, 3.0]), st.sets(st.sampled_from(sorted(BOUNDS))))
def test_a_real_number_is_refused_with_all_its_bounds_if_one_is_not_kept(value, names):
    wanted = [BOUNDS[name] for name in BOUNDS if name in names]
    bounds = {name: BOUNDS[name][1] for name in names}
    if all(eval(f"{value} {sign} {bound}") for sign, bound in wanted):
        assert check_real("x", value, **bounds) == value
    else:
        words = " and ".join(f"{sign} {bound}" for sign, bound in wanted)
        refused(f"x={value} must be a finite number {words}$", check_real, "x", value, **bounds)


INFINITE = [math.nan, math.inf, -math.inf, np.float32("inf"), np.float64("nan"), 10**400]


@pytest.mark.parametrize("value", [*NO_NUMBERS, *INFINITE], ids=lambda value: repr(value)[:30])
def test_what_is_no_finite_number_is_refused_and_named(value):
    refused(re.escape(f"lr={value!r:.80} must be a finite number"), check_real, "lr", value)


@dataclasses.dataclass(frozen=True)
class Pair:
    """Two numbers."""

    low: int
    high: float


def test_fields_of_a_frozen_record_are_checked_and_kept_as_plain_numbers():
    pair = Pair(np.int32(3), np.float32(0.5))
    check_fields(pair, check_integer, "low", at_least=1)
    check_fields(pair, check_real, "high", below=1)
    assert [type(value) for value in (pair.low, pair.high)] == [int, float]
    refused("low=3 must be an integer from 0 to 2", check_fields, pair, check_integer, "low",
            at_least=0, at_most=2)  # fmt: skip


class Wordless:
    """What cannot be written."""

    def __repr__(self):
        """Fail."""
        raise RuntimeError


@pytest.mark.parametrize(
    "value",
    [2**63, -(2**63), 10**400, 10**5000, np.uint64(2**63)],
    ids=lambda value: f"{math.log10(abs(value)):.1f}",
)
def test_an_integer_that_64_bits_do_not_hold_is_refused(value):
    for bounds in ({}, {"at_least": 1}, {"at_most": 9}):
        refused("n=.* must be an? .*integer", check_integer, "n", value, **bounds)
    assert check_integer("n", 2**63 - 1) == 2**63 - 1
    assert check_integer("n", 2**64, at_most=2**64) == 2**64


@pytest.mark.parametrize("check", [check_integer, check_real, check_flag, check_callable])
def test_a_refusal_shows_the_beginning_of_a_value_or_its_class(check):
    refused("x=<Wordless> must be", check, "x", Wordless())
    with pytest.raises(ValueError, match="x=") as caught:
        check("x", "a" * 10**6)
    assert len(str(caught.value)) < 200


def test_a_choice_is_one_of_the_names_that_there_are():
    check_choice("kind", "a", ("a", "b"))
    check_choice("n", np.int64(2), (1, 2))
    for wrong in ("c", "", None, ["a"], True, 1.0):
        refused(r"kind=.* is unknown; use one of \('a', 1\)", check_choice, "kind", wrong, ("a", 1))


def test_a_function_is_wanted_not_its_name():
    check_callable("attend", print)
    refused("attend='print' must be a function or a class", check_callable, "attend", "print")


@checks(n=check_count, share=check_real, names=check_sequence)
def parts(n, share=1, names=("a",)):
    """Return the arguments."""
    return n, share, names


def test_a_number_is_passed_on_as_python_has_it_and_all_else_as_it_is():
    names = ["a", "b"]
    found = parts(np.int8(100), share=np.float16(0.5), names=names)
    assert found == (100, 0.5, names)
    assert [type(part) for part in found] == [int, float, list]
    assert found[2] is names
    assert type(parts.unchecked(np.int8(1))[0]) is np.int8


def check_half(x, scale=1):
    """Raise ValueError for an odd number."""
    if x % 2:
        raise ValueError(f"{x=} is odd")


@checked_by(check_half)
def half(x, scale=1):
    """Return the half of x, scaled."""
    return scale * x // 2


def test_a_door_checks_each_call_once_and_the_inner_function_not_at_all():
    assert (half(4), half(x=4, scale=3), half.unchecked(5)) == (2, 6, 2)
    assert (half.__name__, half.__doc__) == ("half", "Return the half of x, scaled.")
    refused("x=3 is odd", half, 3)


def test_a_wrong_call_is_told_of_the_function_not_of_its_check():
    for wrong in (lambda: half(), lambda: half(4, size=1), lambda: half(4, 1, 2)):
        with pytest.raises(TypeError) as caught:
            wrong()
        assert "check_half" not in str(caught.value)
    with pytest.raises(TypeError, match="unsupported operand"):
        half(None)  # an error within the check is its own


def test_flags_texts_and_objects_of_a_class_pass_and_others_are_named():
    assert (check_flag("f", np.True_), check_flag("f", False)) == (True, False)
    for value in ("no", None, 1, [True]):
        refused(f"f={re.escape(repr(value))} must be True or False", check_flag, "f", value)
    check_text("t", "")
    refused("t is a bytes; it must be a text", check_text, "t", b"a")
    check_instance("c", 1.5, (int, float))
    refused("c is a str; it must be a int or float", check_instance, "c", "a", (int, float))


def test_a_sequence_has_elements_of_its_class():
    for value in ([1, 2], (1, 2), range(2)):
        check_sequence("s", value, int)
    check_sequence("s", [], empty=True)
    refused("s is empty; give at least one element", check_sequence, "s", [])
    refused(r"s\[1\] is a str; it must be a int", check_sequence, "s", [1, "a"], int)
    for value in ("ab", b"ab", None, 3, {1: 2}, iter([1])):
        refused("s is a .*; it must be a list or a tuple", check_sequence, "s", value)


@checks(n=optional(check_count), loud=check_flag)
def said(text, n=None, loud=False):
    """Return a text n times, or once."""
    return text * (n or 1) + "!" * loud


def test_each_argument_is_checked_by_its_own_check_and_a_default_is_not():
    assert said("a") == said("a", None) == "a"
    assert said("a", 2, loud=True) == "aa!"
    for bad in ((0,), (1.5,), ("2",)):
        refused(f"n={bad[0]!r} must be", said, "a", *bad)
    refused("loud=1 must be True or False", said, "a", loud=1)
    assert said.unchecked("a", loud=1) == "a!"
    with pytest.raises(TypeError, match="text"):
        said(n=2)
