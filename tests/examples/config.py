"""A right call of each door of gpt_helpers.config."""


def examples():
    """Yield the examples."""
    yield from ()
