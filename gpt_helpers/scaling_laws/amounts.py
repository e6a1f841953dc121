"""What an amount must be, and the constants of a law of the loss. Imports no torch."""

import math
from numbers import Real

from gpt_helpers.validation import (
    as_floats,
    check_fields,
    check_real,
    check_text,
    is_bool,
    is_finite,
)


def check_constants(law, *constants, least=None):
    """Raise ValueError unless the constants of a law are positive, and the least loss at least 0.

    Otherwise its loss would not fall with the amounts, and it would have no optimum. All other
    fields are texts.
    """
    check_fields(law, check_real, *constants, above=0)
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


def is_amount(value, infinite=False):
    """Return whether value is a positive number, or an array of positive numbers."""
    if isinstance(value, Real):
        is_number = is_finite(value) or (infinite and value == math.inf)
        return is_number and value > 0 and not is_bool(value)
    numbers = as_floats(value) if hasattr(value, "dtype") else None
    if numbers is None or not (numbers > 0).all():
        return False
    return infinite or bool((numbers < math.inf).all())
