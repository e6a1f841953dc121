"""A right call of the drawing of the workbook."""

from gpt_helpers.figures.drawings import assembly
from tests.helpers.misuse import Example


def examples():
    """Yield the example."""
    yield Example(assembly.functions, {"uses": {"softmax": [], "attention": ["softmax"]}})
