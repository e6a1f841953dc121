"""What can be drawn: the checks at the doors of the functions that draw."""

import functools
from collections.abc import Sequence
from numbers import Real

import numpy as np

from gpt_helpers.validation import (
    as_floats,
    check_choice,
    check_instance,
    check_numbers,
    check_real,
    check_sequence,
    check_text,
    optional,
)

check_height = functools.partial(check_real, above=0)


def check_drawable(name, items, check=None):
    """Raise ValueError unless items is a dict of something to draw, none of it empty.

    check(name, item) looks at each item.
    """
    if not isinstance(items, dict) or not items:
        raise ValueError(f"{name}={items!r:.60} must be a dict with at least one entry")
    for title, item in items.items():
        check_instance(f"the title in {name}", title, (str, Real))
        if not hasattr(item, "__len__"):
            raise ValueError(f"{name}[{title!r}]={item!r:.60} is nothing that can be drawn")
    empty = [title for title, item in items.items() if not len(item)]
    if empty:
        raise ValueError(f"{name} has nothing to draw for {empty}; leave the entry out")
    for title, item in items.items() if check else ():
        check(f"{name}[{title!r}]", item)


def drawables(check=None):
    """Return the check of a dict whose items pass a check."""
    return functools.partial(check_drawable, check=check)


def check_line(name, value):
    """Raise ValueError unless value is (x, y) of as many numbers each."""
    check_sequence(name, value)
    x, y = (as_floats(part) for part in value) if len(value) == 2 else (None, None)
    if x is None or y is None or x.ndim != 1 or x.shape != y.shape:
        raise ValueError(f"{name}={value!r:.80} must be (x, y), as many numbers each")


def check_counts(name, value):
    """Raise ValueError unless value is {part: number}, none of them negative, not all zero."""
    check_instance(name, value, dict)
    for part, count in value.items():
        check_instance(f"a part of {name}", part, (str, Real))
        check_real(f"{name}[{part!r}]", count, at_least=0)
    check_real(f"the sum of {name}", sum(value.values()), above=0)


def check_captions(name, value, count=None, empty=False):
    """Raise ValueError unless value is a list of texts or numbers, count of them.

    empty says whether there may also be none.
    """
    if not isinstance(value, Sequence | np.ndarray) or isinstance(value, str | bytes):
        raise ValueError(f"{name} is a {type(value).__name__}; it must be a list of texts")
    for label in value:
        check_instance(f"a label in {name}", label, (str, Real))
    fits = count is None or len(value) == count or (empty and not len(value))
    if not fits:
        raise ValueError(f"{len(value)} {name} for {count}; give one for each")


def check_axes(name, value):
    """Raise ValueError unless value names axes: "x", "y", "xy", a list of them, or none."""
    check_sequence(name, list(value) if isinstance(value, str) else value, str, empty=True)
    for axis in value:
        check_choice(name, axis, ("x", "y"))


def matrix_of(name, value):
    """Return value as a matrix (rows, columns) of floats; truth values become 0 and 1."""
    is_truth = str(getattr(value, "dtype", "")).endswith("bool")
    return check_numbers(name, value * 1 if is_truth else value, n_axes=2)


CHECKS = {  # of what many functions that draw take
    "height": check_height,
    "xlabel": check_text,
    "ylabel": check_text,
    "log": check_axes,
    "chance": optional(functools.partial(check_real, at_least=0, at_most=1)),
    "vmax": optional(check_height),
}
