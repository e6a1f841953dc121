"""The sheet of a drawing in which one vector is followed from step to step.

All steps have one height. The text stands at the top, what comes in below it, and what goes out
at the bottom, where the next step takes it up. A vector is a strip: its first numbers in cells,
and below them all of its numbers as a skyline, up where they are positive.
"""

import numpy as np
from matplotlib.patches import Polygon

from gpt_helpers.figures.drawings.canvas import PAD, Box, Canvas
from gpt_helpers.figures.drawings.text import CHIP
from gpt_helpers.figures.style import EDGE, GREY, TEAL, soft

BESIDE_TEXT = 288  # points: beside a column of text
LEFT, CELL = 40, 32  # points: where strips begin, and the width of a number
TALL = 22  # points: the height of a skyline
INPUT, OUTPUT = 28, 208  # points: where what comes in stands, and what goes out
STRIP = CHIP + TALL + 2  # points: the height of a strip
TOKEN = TEAL  # the colour of the token that is followed


def new_sheet():
    """Return a Canvas that is no wider than what stands beside a column of text."""
    canvas = Canvas()
    canvas.width = min(canvas.width, BESIDE_TEXT)
    canvas.used(Box(0, 0, canvas.width, OUTPUT + STRIP + 2))
    return canvas


def n_cells(canvas):
    """Return how many numbers of a vector have room."""
    return int((canvas.width - LEFT - 12) / CELL)


def slot_of(canvas, pieces):
    """Return how many points a letter of a text is given; one more token has room."""
    return min(20, (canvas.width - 26) / sum(len(piece.written) for piece in pieces))


def put_tokens(canvas, pieces, y=1):
    """Draw the tokens of a text abreast, the last one dark; return the Box of the last."""
    x, slot = 2, slot_of(canvas, pieces)
    for place, piece in enumerate(pieces):
        colour, alpha = (TOKEN, 0.35) if place == len(pieces) - 1 else (GREY, 0.12)
        width = slot * len(piece.written)
        box = canvas.token(x, y, piece.written, colour, alpha, width - 2)
        x += width
    return box


def put_strip(canvas, y, values, colour, label, below="", highest=None):
    """Draw a vector with its name, and a word below it, at the left; return the Box of its cells.

    highest is the size of a number that is as high as the skyline; the largest, if not given.
    """
    box = put_cells(canvas, y, values, colour, label)
    if below:
        canvas.text(LEFT - 5, y + CHIP + TALL / 2 + 1, below, "right", colour=GREY)
    put_skyline(canvas, Box(LEFT, y + CHIP + 2, box.width, TALL), values, colour, highest)
    return box


def put_cells(canvas, y, values, colour, label="", first=0):
    """Draw the first numbers of a vector in cells, from a column on, and dots for the others."""
    n_shown = n_cells(canvas) - first
    x, shown = LEFT + first * CELL, [values[:n_shown]]
    box = canvas.matrix(x, y, shown, colour, CHIP, ".2f", CELL)
    if label:
        canvas.text(LEFT - 5, y + CHIP / 2, label, "right", colour=colour, bold=True)
    if len(values) > n_shown:
        canvas.text(box.x + box.width + 2, y + CHIP / 2, "…", "left")
    return box


def put_skyline(canvas, box, values, colour, highest=None):
    """Draw all numbers of a vector from left to right, as heights above and below a line."""
    values = np.asarray(values, dtype=float)
    x = np.linspace(box.x, box.x + box.width, len(values))
    y = box.centre[1] - values / (highest or np.abs(values).max() or 1) * box.height / 2
    ends = (x[-1], box.centre[1]), (x[0], box.centre[1])
    look = {"facecolor": soft(colour, 0.85), "edgecolor": "none", "linewidth": 0, "zorder": 2}
    canvas.axis.add_patch(Polygon([*zip(x, y, strict=True), *ends], **look))
    canvas.line(*ends, colour=EDGE, line=0.6)
    return canvas.used(box)


def put_down(canvas, start, end, says, colour=GREY):
    """Draw an arrow from one strip down to the next, with words beside it."""
    x = LEFT + CELL / 2
    canvas.arrow((x, start + 3), (x, end - 3), colour)
    canvas.text(x + PAD + 2, (start + end) / 2, says, "left", colour=colour)


def put_plus(canvas, y):
    """Draw the line below which the sum of what stands above it follows."""
    end = LEFT + CELL * n_cells(canvas)
    canvas.line((2, y), (end, y), colour=EDGE)
    canvas.text(6, y - PAD - 4, "+", bold=True)
