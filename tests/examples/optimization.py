"""A right call of each door of gpt_helpers.optimization."""


def examples():
    """Yield the examples."""
    yield from ()
