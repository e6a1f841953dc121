"""The drawing of what speaks for a claim and what limits it: its numbers, and bars to scale."""

import pytest
from matplotlib.patches import FancyBboxPatch
from matplotlib.text import Text

from gpt_helpers.experiments import evidence
from gpt_helpers.figures.drawings import reasons
from tests.helpers.looks import faults
from tests.helpers.reference import refused

CLAIMS = {
    "one form for every task": {"evidence": {"a": 0.5, "b": 0.25}, "limit": {"c": 2.0, "d": 8.0}}
}


def texts(figure):
    """Return the texts of a figure, in the order in which they were written."""
    return [text.get_text() for text in figure.findobj(Text) if text.get_text().strip()]


def bars(figure):
    """Return (left, width) of the bars of a figure, in the order in which they were drawn."""
    boxes = [patch for patch in figure.axes[0].patches if isinstance(patch, FancyBboxPatch)]
    return [(box.get_x(), box.get_width()) for box in boxes]


@pytest.mark.parametrize("inches", [7.5, 3.0])
@pytest.mark.parametrize("language", ["ja", "en"])
def test_no_text_of_the_four_reasons_lies_on_another_or_is_cut(inches, language):
    drawn = reasons.evidence_and_limits(evidence.four_reasons())
    assert faults(drawn.figure(language, inches)) == []


@pytest.mark.parametrize("inches", [7.5, 3.0])
def test_every_number_stands_behind_its_label(inches):
    claims = evidence.four_reasons()
    found = texts(reasons.evidence_and_limits(claims).figure("en", inches))
    said = []
    for claim, sides in claims.items():
        said.append(claim)
        for side, numbers in sides.items():
            said += [side, *(part for item in numbers.items() for part in item)]
    assert found == [part if isinstance(part, str) else f"{part:,.5g}" for part in said]


@pytest.mark.parametrize("inches", [7.5, 3.0])
def test_bars_are_as_long_as_their_numbers_and_shares_as_parts_of_1(inches):
    drawn = bars(reasons.evidence_and_limits(CLAIMS).figure("en", inches))
    widths = [width for _, width in drawn]
    whole = widths[3]
    assert widths == pytest.approx([0.5 * whole, 0.25 * whole, 0.25 * whole, whole])
    left, right = drawn[0][0], drawn[2][0]
    assert (right > left + whole) == (inches == 7.5)  # beside each other on a desk


def test_a_claim_without_limits_is_refused():
    refused("give evidence and limit", reasons.evidence_and_limits, {"a": {"evidence": {"b": 1.0}}})
    sides = {"evidence": {"b": 1.0}, "limit": {"c": -1.0}}
    refused("'c' of claims", reasons.evidence_and_limits, {"a": sides})
