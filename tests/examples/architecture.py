"""A right call of each door of gpt_helpers.architecture."""


def examples():
    """Yield the examples."""
    yield from ()
