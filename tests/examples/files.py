"""A right call of each door of gpt_helpers.files."""


def examples():
    """Yield the examples."""
    yield from ()
