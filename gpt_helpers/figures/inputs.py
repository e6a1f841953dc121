"""What can be drawn: the checks at the doors of the functions that draw."""

import functools
import unicodedata
from collections.abc import Sequence
from numbers import Real

import numpy as np
import torch

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

SMALLEST, LARGEST = 1e-100, 1e100  # what an axis can hold, with room for its margins
MOST_LINES = 20  # lines or bars that can be told apart
MOST_PANELS = 12  # that have room beside each other
SUM_ERROR = 0.01  # of a sum of probabilities in 16 bits

check_positive = functools.partial(check_real, at_least=SMALLEST, at_most=LARGEST)
check_height = functools.partial(check_real, at_least=1, at_most=100)  # inches
check_pixels = functools.partial(check_real, at_least=20, at_most=10_000)


def check_drawable(name, items, check=None, at_most=MOST_LINES):
    """Raise ValueError unless items is a dict of something to draw, none of it empty.

    check(name, item) looks at each item.
    """
    if not isinstance(items, dict) or not items:
        raise ValueError(f"{name}={items!r:.60} must be a dict with at least one entry")
    for title, item in items.items():
        check_instance(f"the title in {name}", title, (str, Real))
        if not hasattr(item, "__len__") or getattr(item, "shape", None) == ():
            raise ValueError(f"{name}[{title!r}]={item!r:.60} is nothing that can be drawn")
    check_apart(name, items)
    if len(items) > at_most:
        raise ValueError(f"{name} has {len(items)} entries; give at most {at_most} to one figure")
    empty = [title for title, item in items.items() if not len(item)]
    if empty:
        raise ValueError(f"{name} has nothing to draw for {empty}; leave the entry out")
    for title, item in items.items() if check else ():
        check(f"{name}[{title!r}]", item)


def check_apart(name, labels):
    """Raise ValueError if two of the labels, such as 1 and "1", read alike."""
    if len({unicodedata.normalize("NFC", str(label)) for label in labels}) < len(labels):
        raise ValueError(
            f"{name}={list(labels)!r:.80} has names that read alike; leave one out or rename it"
        )


def drawables(check=None, at_most=MOST_LINES):
    """Return the check of a dict whose items, at_most of them, pass a check."""
    return functools.partial(check_drawable, check=check, at_most=at_most)


def panels_of(check=None):
    """Return the check of a dict whose items pass a check, and are drawn side by side."""
    return drawables(check, at_most=MOST_PANELS)


def values_of(value):
    """Return value as an array of floats, or None if it holds something besides numbers.

    A tensor, or a list of them, may be of any dtype and on any device, sparse, and part of a
    graph; what a masked array hides is nan.
    """
    if isinstance(value, torch.Tensor):
        has_values = not (value.is_meta or value.is_nested or value.is_complex())
        return as_floats(array_of(value)) if has_values else None
    if isinstance(value, np.ma.MaskedArray):
        found = as_floats(value.data)
        return found if found is None else np.where(np.ma.getmaskarray(value), np.nan, found)
    kinds = torch.Tensor | np.ma.MaskedArray
    if isinstance(value, list | tuple) and any(isinstance(each, kinds) for each in value):
        parts = [values_of(each) if isinstance(each, kinds) else each for each in value]
        return None if any(part is None for part in parts) else as_floats(parts)
    return as_floats(value)


def array_of(tensor):
    """Return the array of a tensor; truth values stay what they are."""
    dense = tensor.detach().cpu()
    dense = dense.dequantize() if dense.is_quantized else dense.to_dense()
    return (dense.double() if dense.is_floating_point() else dense).numpy()


def fits_axis(values, is_log=False):
    """Return whether some of the values are finite, and none is too large or small for an axis.

    A logarithmic axis has no place for what is not positive.
    """
    shown = np.abs(values[np.isfinite(values) & ((values > 0) | (not is_log))])
    if not shown.size or shown.max() > LARGEST:
        return False
    return (shown.min() if is_log else shown.max() or 1) >= SMALLEST


def line_of(name, value, log=()):
    """Return value, (x, y), as two arrays; raise ValueError unless a line can be drawn of it.

    What is not finite is a gap. log names the axes that are logarithmic.
    """
    check_sequence(name, value)
    x, y = (values_of(part) for part in value) if len(value) == 2 else (None, None)
    if x is None or y is None or x.ndim != 1 or x.shape != y.shape:
        raise ValueError(f"{name}={value!r:.80} must be (x, y), as many numbers each")
    here = np.isfinite(x) & np.isfinite(y)
    for axis, values in (("x", x[here]), ("y", y[here])):
        if not fits_axis(values, axis in log):
            above = ", above 0 on a logarithmic axis" if axis in log else ""
            raise ValueError(
                f"{name}={value!r:.80} cannot be drawn; its {axis} must be finite numbers,"
                f" {SMALLEST} to {LARGEST} in size{above}"
            )
    return x, y


def check_line(name, value, log=()):
    """Raise ValueError unless value is (x, y) that line_of can draw."""
    line_of(name, value, log)


def lines_of(name, panels, log=()):
    """Return {title: {label: (x, y)}} with arrays for x and y; errors are those of line_of."""
    return {
        title: {
            label: line_of(f"{name}[{title!r}][{label!r}]", line, log)
            for label, line in lines.items()
        }
        for title, lines in panels.items()
    }


def check_distribution(name, value):
    """Raise ValueError unless value holds probabilities, all or some of a distribution."""
    found = values_of(value)
    check_numbers(name, value if found is None else found)
    if found.min() < 0 or found.sum() > 1 + SUM_ERROR:
        raise ValueError(f"{name}={value!r:.80} must be probabilities, from 0, of sum 1 at most")


def check_counts(name, value):
    """Raise ValueError unless value is {part: number}, none of them negative, not all zero."""
    check_instance(name, value, dict)
    for part, count in value.items():
        check_instance(f"a part of {name}", part, (str, Real))
        check_real(f"{name}[{part!r}]", count, at_least=0)
    check_apart(name, value)
    check_real(f"the sum of {name}", sum(value.values()), at_least=SMALLEST, at_most=LARGEST)


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


def check_label(name, value):
    """Raise ValueError unless value is a text, or a list of texts, one for each panel."""
    check_text(name, value) if isinstance(value, str) else check_captions(name, value)


def check_axes(name, value):
    """Raise ValueError unless value names axes: "x", "y", "xy", a list of them, or none."""
    check_sequence(name, list(value) if isinstance(value, str) else value, str, empty=True)
    for axis in value:
        check_choice(name, axis, ("x", "y"))


def matrix_of(name, value):
    """Return value as a matrix (rows, columns) of floats; truth values become 0 and 1.

    Raises ValueError unless all of them lie on a scale that begins at 0.
    """
    is_truth = str(getattr(value, "dtype", "")).endswith("bool")
    found = values_of(value * 1 if is_truth else value)
    check_numbers(name, value if found is None else found, n_axes=2)
    if found.min() < 0 or not fits_axis(found):
        raise ValueError(
            f"{name}={value!r:.80} must hold numbers from 0 to {LARGEST}, some above {SMALLEST}"
        )
    return found


CHECKS = {  # of what many functions that draw take
    "height": check_height,
    "xlabel": check_text,
    "ylabel": check_text,
    "log": check_axes,
    "chance": optional(functools.partial(check_real, at_least=0, at_most=1)),
    "vmax": optional(check_positive),
}
