"""How an exercise answers: right, or the first place that is wrong, and a hint.

What is said stands in words.csv, in each language: reasons, names of axes, and for each exercise
a hint, which does not give the solution away.
"""

import contextlib
import copy
import functools
import inspect
import math
import sys
from numbers import Integral, Real
from pathlib import Path

import numpy as np
import torch

from gpt_helpers.files import read_rows
from gpt_helpers.language import LANGUAGES, Translated
from gpt_helpers.validation import is_bool

SAYINGS = {row["name"]: row for row in read_rows(Path(__file__).with_name("words.csv"), ())}
TOLERANCE = 1e-5  # relative; of what is 0, and of tensors, absolute
LONGEST_SHOWN = 60  # characters of an argument; of a longer tensor the shape is shown
SIZE_LETTERS = {"V": "vocab_size", "C": "n_embd", "L": "n_layer", "H": "n_head", "F": "mlp_width"}


class Mistake(Exception):  # noqa: N818 - it is the reader's, and no error of the program
    """What is wrong with an answer: a reason of words.csv, what it tells, and the place.

    place is a list of (axis, index), axis being a name of words.csv.
    """

    def __init__(self, reason, place=(), **facts):
        """Note what is wrong, and where."""
        super().__init__(reason)
        self.reason, self.place, self.facts = reason, place, facts


def graded(exercise, function, right, cases, axes=(), solved_by=None):
    """Return "correct" as a Translated text, or what is wrong first, with what, and a hint.

    A reader's function is called with the arguments of each of the cases, in their order. It
    must return what right does, in whatever kind of number or tensor, and change no argument.
    axes name those of a result that has several numbers. solved_by is (function, parameter):
    one of the book that, given this parameter, is the solution, and may not be called so. An
    error of the function is answered too, and so is the interrupt of one that does not end.
    """
    if not callable(function):
        return told(Mistake("not a function", found=f"{function!r:.40}"))
    names = tuple(inspect.signature(right).parameters)
    for case in cases:
        expected = right(*case)
        try:
            check_case(function, case, names, expected, axes, solved_by)
        except (Exception, KeyboardInterrupt, SystemExit) as error:  # a reader's code may do all
            mistake = error if isinstance(error, Mistake) else mistake_of(error)
            return told(mistake, zip(names, case, strict=True), exercise)
    return Translated({language: said("correct", language) for language in LANGUAGES})


def mistake_of(error):
    """Return the Mistake that an error of a reader's function is."""
    if isinstance(error, KeyboardInterrupt):
        return Mistake("interrupted")
    first_line = "".join(str(error).splitlines()[:1])
    return Mistake("error", found=f"{type(error).__name__}: {first_line:.100}".removesuffix(": "))


def check_case(function, case, names, expected, axes, solved_by):
    """Raise Mistake unless function returns what is expected, and changes no argument."""
    arguments = copy.deepcopy(case)
    with refused(*solved_by) if solved_by else contextlib.nullcontext():
        found = function(*arguments)
    for name, argument, value in zip(names, arguments, case, strict=True):
        if not is_same(argument, value):
            raise Mistake("argument changed", found=name)
    if found is None:
        raise Mistake("nothing returned")
    compare(found, expected, axes)


@contextlib.contextmanager
def refused(function, parameter):
    """Raise Mistake where the block calls function and gives it this parameter, None until then."""

    def watch(frame, event, argument):
        is_it = event == "call" and frame.f_code is inspect.unwrap(function).__code__
        if is_it and frame.f_locals[parameter] is not None:
            raise Mistake("not your own", found=f"{function.__name__}({parameter}=...)")

    before = sys.getprofile()
    sys.setprofile(watch)
    try:
        yield
    finally:
        sys.setprofile(before)


def is_same(found, value):
    """Return whether an argument is as it was; functions, which have no equals, always are."""
    if isinstance(value, torch.Tensor):
        is_tensor = isinstance(found, torch.Tensor) and found.shape == value.shape
        return is_tensor and torch.equal(found, value)
    if isinstance(value, list):
        return len(found) == len(value) and all(map(is_same, found, value))
    return callable(value) or found == value


def compare(found, expected, axes, place=()):
    """Raise Mistake, with the first place, unless what is found is what is expected."""
    if isinstance(expected, torch.Tensor):
        compare_tensors(found, expected, axes, place)
    elif isinstance(expected, list | tuple):
        parts = results_in(found, len(expected))
        for n, (part, one) in enumerate(zip(parts, expected, strict=True)):
            compare(part, one, axes[1:], [(axes[0], n)])
    elif isinstance(expected, bool):
        compare_truths(found, expected, place)
    else:
        compare_numbers(found, expected, place)


def results_in(found, n_parts):
    """Return the parts of a result of n_parts; raise Mistake unless it has them."""
    is_sequence = isinstance(found, list | tuple | np.ndarray | torch.Tensor)
    if not is_sequence or getattr(found, "shape", None) == ():
        raise Mistake("not a list", found=kind_of(found))
    if len(found) != n_parts:
        raise Mistake("number of results", found=len(found), wanted=n_parts)
    return found


def compare_truths(found, expected, place):
    """Raise Mistake unless found, of Python, NumPy or torch, is the truth value expected."""
    plain = plain_number(found)
    if not is_bool(plain) and not (isinstance(plain, Integral) and plain in (0, 1)):
        raise Mistake("not a truth value", place, found=kind_of(found))
    if bool(plain) != expected:
        raise Mistake("wrong", place, found=bool(plain))


def compare_numbers(found, expected, place):
    """Raise Mistake unless found is the number expected, a float within TOLERANCE."""
    plain = plain_number(found)
    if not isinstance(plain, Real) or is_bool(plain):
        raise Mistake("not a number", place, found=kind_of(found))
    if not math.isfinite(plain):
        raise Mistake("wrong", place, found=plain)
    is_count = isinstance(expected, int)
    allowed = 0 if is_count else TOLERANCE * abs(expected) or TOLERANCE
    if abs(plain - expected) > allowed:
        reason = "too large" if plain > expected else "too small"
        raise Mistake(reason, place, found=plain if is_count else f"{plain:.6g}")


def plain_number(found):
    """Return a number of NumPy or torch as one of Python; anything else as it is."""
    return found.item() if getattr(found, "shape", None) == () else found


def compare_tensors(found, expected, axes, place):
    """Raise Mistake unless found, of torch or NumPy, is the tensor expected, within TOLERANCE."""
    found = torch.from_numpy(found) if isinstance(found, np.ndarray) else found
    if not isinstance(found, torch.Tensor):
        raise Mistake("not a tensor", place, found=kind_of(found))
    if found.shape != expected.shape:
        shapes = {"found": tuple(found.shape), "wanted": tuple(expected.shape)}
        raise Mistake("shape", place, **shapes)
    kinds = [(x.dtype == torch.bool, x.is_floating_point()) for x in (found, expected)]
    if kinds[0] != kinds[1]:
        raise Mistake("dtype", place, found=found.dtype, wanted=expected.dtype)
    found = found.detach().cpu()
    wrong = ~torch.isclose(found.double(), expected.double(), rtol=TOLERANCE, atol=TOLERANCE)
    if wrong.any():
        first = wrong.nonzero()[0].tolist()
        value = found[tuple(first)].item()
        at = zip(axes[len(axes) - len(first) :], first, strict=True)
        shown = value if is_bool(value) else f"{value:.4g}"
        raise Mistake("wrong", [*place, *at], found=shown)


def kind_of(found):
    """Return the class of a result, with its shape if it has one: "int", "Tensor (2, 3)"."""
    shape = getattr(found, "shape", None)
    return type(found).__name__ + (f" {tuple(shape)}" if isinstance(shape, tuple) else "")


def told(mistake, given=(), exercise=None):
    """Return a Translated text: what is wrong, with which (name, argument), and the hint."""
    shown = ", ".join(shown_argument(*each) for each in given if not callable(each[1]))
    texts = {}
    for language in LANGUAGES:
        say = functools.partial(said, language=language)
        place = say("and").join(say(axis, n=n) for axis, n in mistake.place)
        reason = say(mistake.reason, **mistake.facts)
        lines = [say("not yet", reason=say("at", place=place, reason=reason) if place else reason)]
        lines += [say("given", given=shown)] if shown else []
        lines += [say("hint", hint=say(exercise))] if exercise else []
        texts[language] = "\n".join(lines)
    return Translated(texts)


def said(name, language, **facts):
    """Return a text of words.csv in a language, with the facts that it tells."""
    return SAYINGS[name][language].format(**facts)


def shown_argument(name, value):
    """Return an argument in short, such as "window=3"; of a long tensor, the shape."""
    if hasattr(value, "vocab_size"):
        return ", ".join(
            f"{letter}={getattr(value, size)}" for letter, size in SIZE_LETTERS.items()
        )
    text = shown_value(value)
    if isinstance(value, torch.Tensor) and len(text) > LONGEST_SHOWN:
        return f"{name} {tuple(value.shape)}"
    return f"{name}={text}"


def shown_value(value, digits="%s"):
    """Return a value as it is shown: tensors as lists, of numbers with 4 digits."""
    if isinstance(value, torch.Tensor):
        digits = "%.4g" if value.is_floating_point() else "%s"
        return shown_value(value.tolist(), digits)
    if isinstance(value, list):
        return f"[{', '.join(shown_value(part, digits) for part in value)}]"
    return digits % value
