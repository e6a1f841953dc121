"""How an exercise answers: right, or the first place that is wrong, and a hint.

What is said stands in words.csv, in each language: reasons, names of axes, and for each exercise
a hint, which does not give the solution away.
"""

import functools
import inspect
import reprlib
import textwrap
from pathlib import Path

import torch

from gpt_helpers.exercises.comparing import Mistake, compare
from gpt_helpers.exercises.solutions import OF_THE_BOOK, OF_TORCH, SOLUTIONS
from gpt_helpers.exercises.trial import tried
from gpt_helpers.files import read_rows
from gpt_helpers.language import LANGUAGES, Translated

SAYINGS = {row["name"]: row for row in read_rows(Path(__file__).with_name("words.csv"), ())}
LONGEST_SHOWN = 60  # characters of an argument; of a longer tensor the shape is shown
SIZE_LETTERS = {"V": "vocab_size", "C": "n_embd", "L": "n_layer", "H": "n_head", "F": "mlp_width"}


def graded(exercise, function, right, cases, axes=(), most_numbers=None, all_own=False):
    """Return "correct" as a Translated text, or what is wrong first, with what, and a hint.

    A reader's function is called with the arguments of each of the cases, in their order. It
    must return what right does, in whatever kind of number or tensor, and change no argument.
    axes name those of a result that has several numbers. most_numbers, a function of the
    arguments, returns how many numbers a tensor may have that is formed on the way; no fused
    attention may be used then. With all_own no part of a GPT may be called that is ready-made,
    in the book or in PyTorch.

    Whatever the function raises is answered, and so is the interrupt of one that does not end.
    """
    if not callable(function):
        return told(Mistake("not a function", found=reprlib.repr(function)))
    names = tuple(inspect.signature(right).parameters)
    solutions = OF_THE_BOOK if all_own else SOLUTIONS.get(exercise, {})
    operations = OF_TORCH if all_own else ("attention",) if most_numbers else ()
    for case in cases:
        expected = right(*case)
        try:
            found = tried(function, case, names, solutions, operations, most_numbers)
            compare(found, expected, axes)
        except BaseException as error:
            mistake = error if isinstance(error, Mistake) else mistake_of(error)
            return told(mistake, zip(names, case, strict=True), exercise)
    return Translated({language: said("correct", language) for language in LANGUAGES})


def is_right(answer):
    """Return whether an answer of graded says "correct"."""
    return answer.texts["en"] == SAYINGS["correct"]["en"]


def mistake_of(error):
    """Return the Mistake that an error of a reader's function is."""
    if isinstance(error, KeyboardInterrupt):
        return Mistake("interrupted")
    try:
        first_line = "".join(str(error).splitlines()[:1])
    except BaseException:
        first_line = ""
    return Mistake("error", found=f"{type(error).__name__}: {first_line:.100}".removesuffix(": "))


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
    if isinstance(value, dict):
        names = textwrap.shorten(", ".join(value), LONGEST_SHOWN // 3, placeholder=" ...")
        return f"{name}={{{names}}}"
    text = shown_value(value)
    if isinstance(value, torch.Tensor) and len(text) > LONGEST_SHOWN:
        return f"{name} {tuple(value.shape)}"
    return f"{name}={text}"


def shown_value(value, digits="%s"):
    """Return a value as it is shown: tensors as lists, of numbers with 4 digits."""
    if isinstance(value, torch.Tensor):
        digits = "%.4g" if value.is_floating_point() else "%s"
        return shown_value(value.tolist(), digits)
    if isinstance(value, list | tuple):
        return f"[{', '.join(shown_value(part, digits) for part in value)}]"
    return digits % value
