"""A right call of each door of gpt_helpers.experiments."""


def examples():
    """Yield the examples."""
    yield from ()
