"""A figure as data: which function draws it, of what. matplotlib draws it where it is shown.

A notebook stores the data, short and the same on every run, and the SVG of its own edition.
The book draws the same data again, in the reader's language, for a desk and for a phone.
"""

import dataclasses
import functools
import importlib
import inspect
import math
from collections.abc import Iterable
from numbers import Real

import matplotlib
import numpy as np
import pandas as pd
import torch

from gpt_helpers import language
from gpt_helpers.figures.inputs import CHECKS, array_of, values_of
from gpt_helpers.figures.style import DESK, STYLE, column
from gpt_helpers.figures.vector import stacked, to_svg
from gpt_helpers.figures.words import speaking, word
from gpt_helpers.validation import check_choice, check_real, checks

FIGURE = "application/vnd.gpt-figure+json"
DIGITS = 5  # significant ones of a number that is drawn
ARRAYS = np.ndarray | np.generic | pd.Series | pd.Index


class Drawn:
    """A figure, as a function made by draws returns it: data, and how they are drawn."""

    def __init__(self, draw, arguments):
        """Take the dotted name of the function and {parameter: data that JSON can hold}."""
        self.spec = {"draw": draw, "arguments": arguments}

    def frames(self, words="en", inches=DESK):
        """Return [(what a step says, Figure), ...] in a language, at most so many inches wide.

        A figure without steps is one step that says nothing.
        """
        check_choice("words", words, language.LANGUAGES)
        check_real("inches", inches, above=0)
        arguments = {name: restored(data) for name, data in self.spec["arguments"].items()}
        before = column.set(inches)
        try:
            with speaking(words), matplotlib.rc_context(STYLE):
                made = found_by_name(self.spec["draw"]).draw(**arguments)
                steps = made if isinstance(made, list) else [("", made)]
                return [(in_words(caption), figure) for caption, figure in steps]
        finally:
            column.reset(before)

    @property
    def layout(self):
        """Return how a page shows the steps: "stepper" or "story"."""
        return found_by_name(self.spec["draw"]).layout

    def figure(self, words="en", inches=DESK):
        """Return the matplotlib Figure, or that of the last step."""
        return self.frames(words, inches)[-1][1]

    def svgs(self, words="en", inches=DESK, name="figure"):
        """Return [(what a step says, its SVG as text)]; name, unique in a page, begins its ids."""
        frames = enumerate(self.frames(words, inches))
        return [(caption, to_svg(figure, f"{name}-{n}")) for n, (caption, figure) in frames]

    def svg(self, words="en", inches=DESK, name="figure"):
        """Return the figure as one SVG as text; the steps of a stepper stand below each other."""
        return stacked([svg for _, svg in self.svgs(words, inches, name)])

    def _repr_mimebundle_(self, include=None, exclude=None):
        """Return what a notebook shows and stores: the data, and the SVG in its language."""
        svg = self.svg(language.chosen)
        data = {FIGURE: self.spec, "image/svg+xml": svg, "text/plain": repr(self)}
        others = {name: self.svg(name) for name in language.LANGUAGES if name != language.chosen}
        return data, {"image/svg+xml": others}

    def __repr__(self):
        """Return a text without an address, which every run repeats."""
        return f"Drawn({self.spec['draw'].rpartition('.')[2]})"


def in_words(caption):
    """Return what a step says, line by line, in the language of the page."""
    return "\n".join(map(word, caption.split("\n")))


def draws(layout="stepper", **check_of):
    """Make a function that returns a Figure check its arguments and return them, Drawn.

    For a stepper it returns the list [(what a step says, its Figure), ...] instead, and for the
    layout "story" too, where a step says three lines: what it asks, the answer, and the alt text.

    check_of is that of checks; what many of these functions take is checked by CHECKS. The
    function is called once, so that it refuses at once what cannot be drawn.
    """

    def decorate(function):
        checked = checks(**{**CHECKS, **check_of})(function)
        name = f"{function.__module__}.{function.__name__}"

        @functools.wraps(function)
        def made(*arguments, **options):
            with matplotlib.rc_context(STYLE):
                checked(*arguments, **options)
            given = inspect.signature(function).bind(*arguments, **options).arguments
            return Drawn(name, {key: plain(value) for key, value in given.items()})

        made.draw, made.layout = function, layout
        return made

    return decorate


def plain(value):
    """Return a value as JSON can hold it: arrays as lists, objects with the name of their class.

    Numbers are rounded, to digits that no eye sees. Raises ValueError for what has no such form.
    """
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return rounded(value) if math.isfinite(value) else {"float": str(value)}
    if isinstance(value, torch.Tensor):
        return plain(array_of(value).tolist())
    if isinstance(value, np.ma.MaskedArray):
        return plain(values_of(value).tolist())
    if isinstance(value, ARRAYS):
        return plain(value.tolist())
    if isinstance(value, Real):
        return plain(float(value))
    if isinstance(value, dict):
        return {"keys": plain(list(value)), "values": plain(list(value.values()))}
    if dataclasses.is_dataclass(value) or hasattr(value, "_fields"):
        names = getattr(value, "_fields", None) or [f.name for f in dataclasses.fields(value)]
        kind = f"{type(value).__module__}.{type(value).__name__}"
        return {"class": kind, "fields": {name: plain(getattr(value, name)) for name in names}}
    if isinstance(value, Iterable):
        return [plain(part) for part in value]
    raise ValueError(f"{value!r:.60} cannot be drawn; give numbers, texts, arrays, lists, dicts")


def rounded(value):
    """Return a float with no more digits than DIGITS, as an int if it is whole and small."""
    short = float(f"{value:.{DIGITS}g}")
    return int(short) if short == int(short) and abs(short) < 10**DIGITS else short


def restored(data):
    """Return the value of which plain made the data; tuples and arrays come back as lists."""
    if isinstance(data, list):
        return [restored(part) for part in data]
    if not isinstance(data, dict):
        return data
    if "float" in data:
        return float(data["float"])
    if "class" in data:
        fields = {name: restored(part) for name, part in data["fields"].items()}
        return found_by_name(data["class"])(**fields)
    return dict(zip(map(hashable, data["keys"]), restored(data["values"]), strict=True))


def hashable(data):
    """Return a key of a dictionary, which may not be a list."""
    return tuple(map(hashable, data)) if isinstance(data, list) else data


def found_by_name(name):
    """Return the function or class of the package that has this dotted name."""
    module, _, name = name.rpartition(".")
    if not module.startswith("gpt_helpers."):
        raise ValueError(f"{module}.{name} is not of this package; a figure may not call it")
    return getattr(importlib.import_module(module), name)
