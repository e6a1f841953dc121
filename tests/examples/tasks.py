"""A right call of each door of gpt_helpers.tasks."""


def examples():
    """Yield the examples."""
    yield from ()
