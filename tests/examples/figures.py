"""A right call of each door of gpt_helpers.figures."""


def examples():
    """Yield the examples."""
    yield from ()
