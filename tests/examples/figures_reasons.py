"""A right call of the drawing of what speaks for a claim and what limits it."""

from gpt_helpers.figures.drawings import reasons
from tests.helpers.misuse import Example


def examples():
    """Yield the example."""
    sides = {"evidence": {"best size, growth": 9.0}, "limit": {"measured loss": 2.7}}
    yield Example(reasons.evidence_and_limits, {"claims": {"abilities that emerge": sides}})
