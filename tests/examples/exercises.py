"""A right call of each door of gpt_helpers.exercises."""

from tests.exercises.test_checks import RIGHT
from tests.helpers.misuse import Example

ANSWERED = "None stranger text number"  # a reader who gives no function is told so, in an answer


def examples():
    """Yield the examples."""
    for check, answers in RIGHT.items():
        yield Example(check, {"function": answers[0]}, {"function": ANSWERED})
