"""What an argument must be. Each check names the value and says what to do; imports no torch.

A public function checks its arguments once, at its door, and what it calls inside trusts them.
NumPy's integers and floats are numbers as Python's are; bools are not. check_integer and
check_real return a plain Python number, so that what is stored and written is one.
"""

import functools
import inspect
import math
from collections.abc import Sequence
from numbers import Integral, Real
from pathlib import Path

import numpy as np

LARGEST = 2**63 - 1  # integer that PyTorch and NumPy hold


def check_integer(name, value, at_least=None, at_most=None):
    """Return value as an int; raise ValueError unless it is an integer within the bounds.

    Without a bound it must fit into 64 bits, as all that PyTorch and NumPy count.
    """
    is_integer = isinstance(value, Integral) and not is_bool(value)
    if is_integer and abs(value) > LARGEST:
        at_least = -LARGEST if at_least is None else at_least
        at_most = LARGEST if at_most is None else at_most
    is_high_enough = is_integer and (at_least is None or value >= at_least)
    if is_high_enough and (at_most is None or value <= at_most):
        return int(value)
    raise ValueError(f"{name}={shown(value)} must be {wanted_integer(at_least, at_most)}")


def shown(value):
    """Return a value as a message shows it: its beginning, or its kind if it cannot be written."""
    try:
        return f"{value!r:.80}"
    except Exception:  # of a stranger's __repr__; and Python writes no integer of 5,000 digits
        return f"<{type(value).__name__}>"


def wanted_integer(at_least, at_most):
    """Return the words for an integer within the bounds."""
    if at_least is None:
        return "an integer" if at_most is None else f"an integer of at most {at_most}"
    if at_most is None:
        positive = "a positive integer, such as 1 or 64"
        return positive if at_least == 1 else f"an integer of at least {at_least}"
    return f"an integer from {at_least} to {at_most}"


def check_real(name, value, *, at_least=None, above=None, below=None, at_most=None):
    """Return value as a number; raise ValueError unless it is finite and within the bounds."""
    is_real = isinstance(value, Real) and not is_bool(value) and is_finite(value)
    bounds = {">=": at_least, ">": above, "<": below, "<=": at_most}
    if is_real and all(
        (at_least is None or value >= at_least,
         above is None or value > above,
         below is None or value < below,
         at_most is None or value <= at_most)
    ):  # fmt: skip
        return int(value) if isinstance(value, Integral) else float(value)
    wanted = " and ".join(f"{sign} {at}" for sign, at in bounds.items() if at is not None)
    raise ValueError(f"{name}={shown(value)} must be a finite number {wanted}".rstrip())


def check_fields(record, check, *names, **bounds):
    """Check these fields of a frozen dataclass, and store in each what check returns.

    check is check_integer or check_real, and bounds are its own.
    """
    for name in names:
        object.__setattr__(record, name, check(name, getattr(record, name), **bounds))


def is_finite(value):
    """Return whether a number is one that a float can hold: no infinity, no nan, not 10**400."""
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def is_bool(value):
    """Return whether value is a truth value, Python's or NumPy's."""
    return type(value).__name__ in ("bool", "bool_")


def check_choice(name, value, choices):
    """Raise ValueError unless value is one of the names in choices."""
    if not isinstance(value, str | Integral) or is_bool(value) or value not in choices:
        raise ValueError(f"{name}={shown(value)} is unknown; use one of {tuple(choices)}")


def check_flag(name, value):
    """Return value as a bool; raise ValueError unless it is True or False."""
    if not is_bool(value):
        raise ValueError(f"{name}={shown(value)} must be True or False")
    return bool(value)


def check_text(name, value):
    """Raise ValueError unless value is a text."""
    if not isinstance(value, str):
        raise ValueError(f"{name} is a {type(value).__name__}; it must be a text")


def check_instance(name, value, kind):
    """Raise ValueError unless value is an object of a class, or of one of a tuple of classes."""
    if not isinstance(value, kind):
        kinds = kind if isinstance(kind, tuple) else (kind,)
        wanted = " or ".join(each.__name__ for each in kinds)
        raise ValueError(f"{name} is a {type(value).__name__}; it must be a {wanted}")


def check_sequence(name, value, kind=None, empty=False):
    """Raise ValueError unless value is a sequence, as a list is, whose elements are of a class.

    kind None admits any elements; empty says whether there may be none.
    """
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        raise ValueError(f"{name} is a {type(value).__name__}; it must be a list or a tuple")
    if not empty and not len(value):
        raise ValueError(f"{name} is empty; give at least one element")
    for place, element in enumerate(value if kind else ()):
        check_instance(f"{name}[{place}]", element, kind)


def check_rows(name, value, columns):
    """Raise ValueError unless value is a sequence of rows (dicts) that have these columns."""
    check_sequence(name, value, dict)
    for place, row in enumerate(value):
        missing = [column for column in columns if column not in row]
        if missing:
            raise ValueError(f"{name}[{place}] has no {missing[0]}; give rows with {columns}")


def check_numbers(name, value, n_axes=1, above=None):
    """Return value as an array of floats; raise ValueError unless all are finite, and above that.

    value is an array, or a list of numbers, or of lists of them, with n_axes axes.
    """
    wanted = f"an array, or a list, of {n_axes} axes of finite numbers"
    found = as_floats(value)
    if found is None or found.ndim != n_axes or not found.size:
        raise ValueError(f"{name}={shown(value)} must be {wanted}, at least one")
    if not np.isfinite(found).all() or not (above is None or (found > above).all()):
        bound = "" if above is None else f" above {above}"
        raise ValueError(f"{name}={shown(value)} must be {wanted}{bound}")
    return found


def as_floats(value):
    """Return value as an array of floats, or None if it holds something besides numbers."""
    try:
        found = np.asarray(value)
        is_real = found.dtype.kind in "iuf" or all(isinstance(x, Real | None) for x in found.flat)
        return found.astype(float) if is_real else None
    except (TypeError, ValueError, RuntimeError, OverflowError):  # of what is no array, or no float
        return None


def check_file(name, value):
    """Raise ValueError unless value is the path of a file that is there."""
    if not isinstance(value, str | Path) or not Path(value).is_file():
        is_path = isinstance(value, str | Path)
        place = repr(str(value)) if is_path else shown(value)  # a path to its end
        raise ValueError(f"{name}={place} is no file; give the path of one that is there")


def check_callable(name, value):
    """Raise ValueError unless value can be called."""
    if not callable(value):
        raise ValueError(f"{name}={shown(value)} must be a function or a class, not its name")


def checked_by(check):
    """Make a public function call check with its own arguments first, at its door.

    Inner code, which has checked already, calls the .unchecked function.
    """

    def decorate(function):
        @functools.wraps(function)
        def checked(*args, **kwargs):
            try:
                check(*args, **kwargs)
            except TypeError:
                # Where the call itself is wrong, its error names function, not check.
                inspect.signature(function).bind(*args, **kwargs)
                raise
            return function(*args, **kwargs)

        checked.unchecked = function
        return checked

    return decorate


def checks(**check_of):
    """Make a public function check these of its arguments first: {name: check(name, value)}.

    The checks are functions of this module, or partials of them: n_items=check_count. A number
    is passed on as its check returns it, plain. A default is not checked. Inner code, which has
    checked already, calls the .unchecked function.
    """

    def decorate(function):
        signature = inspect.signature(function)

        @functools.wraps(function)
        def checked(*args, **kwargs):
            call = signature.bind(*args, **kwargs)
            for name, check_one in check_of.items():
                if name in call.arguments:
                    found = check_one(name, call.arguments[name])
                    if isinstance(found, Real):
                        call.arguments[name] = found
            return function(*call.args, **call.kwargs)

        checked.unchecked = function
        return checked

    return decorate


def optional(check):
    """Return the check that takes what a check takes, and None."""
    return lambda name, value: None if value is None else check(name, value)


check_count = functools.partial(check_integer, at_least=1)
check_natural = functools.partial(check_integer, at_least=0)
check_path = functools.partial(check_instance, kind=Path)
check_rng = functools.partial(check_instance, kind=np.random.Generator)
