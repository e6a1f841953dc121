"""What an amount must be, and the constants of a law of the loss. Imports no torch."""

import functools
import math
from numbers import Real

import numpy as np

from gpt_helpers.validation import (
    as_floats,
    check_fields,
    check_real,
    check_text,
    is_bool,
    is_finite,
    shown,
)

EXPONENTS = 1e-6, 1e6  # the lowest and the highest: floats do not hold the powers of others


def check_constants(law, *constants, least=None):
    """Raise ValueError unless the constants of a law are positive, and the least loss at least 0.

    Otherwise its loss would not fall with the amounts, and it would have no optimum. Exponents
    lie within EXPONENTS. All other fields are texts.
    """
    check_fields(law, check_real, *constants, above=0)
    low, high = EXPONENTS
    powers = [name for name in constants if name.endswith(("alpha", "beta", "exponent"))]
    check_fields(law, check_real, *powers, at_least=low, at_most=high)
    if least is not None:
        check_fields(law, check_real, least, at_least=0)
    for name in vars(law).keys() - {*constants, least}:
        check_text(name, getattr(law, name))


def check_amounts(infinite=False, **amounts):
    """Raise ValueError unless each, a number or an array, is above 0 throughout, and finite.

    With infinite it may also be infinite, to ask for a limit.
    """
    for name, value in amounts.items():
        if not is_amount(value, infinite):
            message = f"{name}={value!r:.60} must be positive, a number such as 1e9 or an array"
            raise ValueError(message)


def in_floats(function):
    """Make a function of amounts compute in 64 bits; raise ValueError for what they do not hold."""

    @functools.wraps(function)
    def widened(*args, **kwargs):
        try:
            with np.errstate(over="raise", divide="raise", invalid="raise"):
                return function(*map(wide, args), **{name: wide(x) for name, x in kwargs.items()})
        except ArithmeticError as error:
            given = ", ".join([*map(shown, args), *map(shown, kwargs.values())])
            raise ValueError(f"a float cannot hold {function.__name__} of {given}") from error

    return widened


def wide(value):
    """Return a number, or an array, of NumPy in 64 bits; anything else as it is."""
    if isinstance(value, np.number):
        return value.item()
    is_array = isinstance(value, np.ndarray) and value.dtype.kind in "iuf"
    return value.astype(float) if is_array else value


def is_amount(value, infinite=False):
    """Return whether value is a positive number, or an array of positive numbers."""
    if isinstance(value, Real):
        is_number = is_finite(value) or (infinite and value == math.inf)
        return is_number and value > 0 and not is_bool(value)
    numbers = as_floats(value) if hasattr(value, "dtype") else None
    if numbers is None or not (numbers > 0).all():
        return False
    return infinite or bool((numbers < math.inf).all())
