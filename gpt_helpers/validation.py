"""What an argument must be: each check names the value and says what to do. Imports no torch."""


def check_choice(name, value, choices):
    """Raise ValueError unless value is one of the names in choices."""
    if value not in choices:
        raise ValueError(f"{name}={value!r} is unknown; use one of {tuple(choices)}")


def check_positive_integer(name, value):
    """Raise ValueError unless value is an integer of at least 1 (a bool is not one)."""
    if type(value) is not int or value < 1:
        raise ValueError(f"{name}={value!r} must be a positive integer, such as 1 or 64")


def check_real(name, value, *, at_least=None, above=None, below=None):
    """Raise ValueError unless value is a finite real number within the bounds that are given."""
    inside = (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and abs(value) < float("inf")
        and (at_least is None or value >= at_least)
        and (above is None or value > above)
        and (below is None or value < below)
    )
    if not inside:
        bounds = {">=": at_least, ">": above, "<": below}
        wanted = " and ".join(f"{sign} {at}" for sign, at in bounds.items() if at is not None)
        raise ValueError(f"{name}={value!r} must be a finite number {wanted}".rstrip())


def check_counts(counts):
    """Raise ValueError unless each {name: (value, least)} is an integer of at least least."""
    for name, (value, least) in counts.items():
        if type(value) is not int or value < least:
            kind = "a positive integer" if least == 1 else f"an integer of at least {least}"
            raise ValueError(f"{name}={value!r} must be {kind}")
