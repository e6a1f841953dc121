"""What drawings say, and whether they can be read on a desk and on a phone, in both languages."""

from gpt_helpers.figures.style import DESK, PHONE
from gpt_helpers.language import LANGUAGES
from tests.helpers.looks import faults

SIZES = {"desk": DESK, "phone": PHONE}


def said_by_step(drawn, inches=DESK):
    """Return of each step of a drawing its texts in English, in the order of writing."""
    figures = [figure for _, figure in drawn.frames("en", inches)]
    return [[text.get_text() for text in figure.axes[0].texts] for figure in figures]


def said(drawn, inches=DESK):
    """Return the texts of a drawing, or of its last step."""
    return said_by_step(drawn, inches)[-1]


def unreadable(drawn):
    """Return what is wrong with how a drawing looks, in any language and at any width."""
    return [
        (words, size, caption, fault)
        for words in LANGUAGES
        for size, inches in SIZES.items()
        for caption, figure in drawn.frames(words, inches)
        for fault in faults(figure)
    ]
