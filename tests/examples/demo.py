"""A right call of each door of gpt_helpers.demo."""


def examples():
    """Yield the examples."""
    yield from ()
