"""A right call of each door of gpt_helpers.text."""


def examples():
    """Yield the examples."""
    yield from ()
