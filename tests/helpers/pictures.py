"""What drawings say, and whether they can be read on a desk and on a phone, in both languages."""

from gpt_helpers.figures.style import DESK, PHONE
from gpt_helpers.language import LANGUAGES
from tests.helpers.looks import faults

SIZES = {"desk": DESK, "phone": PHONE}


def said(drawn, step=-1, words="en", inches=DESK):
    """Return the texts of a step of a drawing, in the order in which they were written."""
    figure = drawn.frames(words, inches)[step][1]
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def unreadable(drawn):
    """Return what is wrong with how a drawing looks, in any language and at any width."""
    return [
        (words, size, caption, fault)
        for words in LANGUAGES
        for size, inches in SIZES.items()
        for caption, figure in drawn.frames(words, inches)
        for fault in faults(figure)
    ]
