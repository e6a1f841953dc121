"""A right call of each door of gpt_helpers.variants."""


def examples():
    """Yield the examples."""
    yield from ()
