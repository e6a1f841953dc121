"""Drawings of text: how it is cut into tokens."""

from gpt_helpers.figures.drawings.canvas import LETTER, LINE, PAD, Canvas
from gpt_helpers.figures.drawn import draws
from gpt_helpers.figures.style import PALETTE
from gpt_helpers.validation import check_sequence

SIGNS = str.maketrans({" ": "␣", "\n": "⏎", "\t": "⇥"})
GAP = 3  # points between chips


def as_token(text):
    """Return a piece of text with signs for what is not seen: ␣ for a space, ⏎ and ⇥."""
    return text.translate(SIGNS)


@draws(texts=lambda name, value: check_sequence(name, value, list))
def tokens(texts):
    """Draw lists of tokens as rows of chips, each list with how many there are."""
    canvas = Canvas()
    x, y = 0, PAD
    for pieces in texts:
        x = 0
        for number, piece in enumerate(pieces):
            width = len(as_token(piece)) * LETTER + 2 * PAD
            if x + width > canvas.width:
                x, y = 0, y + LINE + 2 * PAD
            box = canvas.token(x, y, as_token(piece), PALETTE[number % 5])
            x = box.x + box.width + GAP
        y += LINE + 3 * PAD
    return canvas.finished()
