"""How nbval compares a figure: by its data, texts exactly and numbers to one part in a hundred.

Of a cell with the tag "measured", whose numbers are seconds or what a machine has learned, it
compares the texts and how many numbers there are.

How the data are drawn (image/svg+xml) follows from them, and differs between versions of
matplotlib; tests/figures looks at the drawing.
"""

import math

from nbval.plugin import IPyNbCell, IPyNbFile

DRAWING, CLOSE = "image/svg+xml", 0.01


def without_numbers(data):
    """Return a figure's data with 0 in place of each number."""
    if isinstance(data, dict):
        return {key: without_numbers(value) for key, value in data.items()}
    if isinstance(data, list):
        return [without_numbers(value) for value in data]
    return 0 if isinstance(data, int | float) else data


def is_same(one, other):
    """Return whether two pieces of a figure's data are equal, their numbers nearly."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(is_same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and is_same_row(one, other)
    return (type(one) is type(other) and one == other) or is_near(one, other, 0.0)


def is_same_row(one, other):
    """Return whether two lists are equal; numbers are measured by the largest of their list."""
    largest = max((abs(item) for item in one if isinstance(item, int | float)), default=0)
    pairs = zip(one, other, strict=True)
    return all(is_same(a, b) or is_near(a, b, CLOSE * largest) for a, b in pairs)


def is_near(one, other, tolerance):
    """Return whether two values are numbers, and close."""
    numbers = isinstance(one, int | float) and isinstance(other, int | float)
    return numbers and math.isclose(one, other, rel_tol=CLOSE, abs_tol=tolerance)


class Data(dict):
    """The data of a figure, equal to others that are nearly the same."""

    def __eq__(self, other):
        return is_same(dict(self), dict(other))

    def __ne__(self, other):
        return not self == other

    __hash__ = None


def sanitize(cell, value, sanitize=IPyNbCell.sanitize):
    """Return what nbval compares of an output."""
    if not isinstance(value, dict) or "draw" not in value:
        return sanitize(cell, value)
    is_measured = "measured" in cell.cell.metadata.get("tags", ())
    return Data(without_numbers(value) if is_measured else value)


def initialised(file, *arguments, initialise=IPyNbFile.__init__, **options):
    """Make a notebook of nbval, which does not compare drawings."""
    initialise(file, *arguments, **options)
    file.skip_compare = (*file.skip_compare, DRAWING)


IPyNbCell.sanitize, IPyNbFile.__init__ = sanitize, initialised
