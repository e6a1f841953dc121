"""The few things of which every drawing of an idea is made, in one visual grammar.

A drawing is made on a Canvas, whose units are points, 72 to an inch, from its upper left corner.
Each method draws one thing and returns the Box that it fills, from which arrows start. The canvas
is as wide as the column: a drawing looks at canvas.width and stacks what does not fit abreast.

    token    a piece of text, a rounded chip
    vector   numbers of one position, a strip of cells, the darker the larger
    matrix   rows and columns of cells
    box      what computes, with its name
    device   a frame with a title, that holds other things: a process, a memory
    bus      a thick line on which everything is added: the residual stream
    arrow    where a tensor goes
    circle   a dot, a clock
    text     words

One concept has one colour: style.CONCEPTS.
"""

from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch, Rectangle

from gpt_helpers.figures.style import EDGE, GREY, INK, PAPER, POINTS, column, labelled, soft
from gpt_helpers.figures.words import width_in_letters, word

LETTER = 0.62 * POINTS  # points: the width of a letter, with some room
LINE = 1.35 * POINTS  # points: the height of a line of text
PAD = 5  # points between a text and the edge of what holds it
CELL = 9  # points: the side of a cell of a vector or a matrix


class Box(NamedTuple):
    """A rectangle of a drawing in points: its left, its top, its width and its height."""

    x: float
    y: float
    width: float
    height: float

    @property
    def left(self):
        """The middle of the left side, (x, y)."""
        return self.x, self.y + self.height / 2

    @property
    def right(self):
        """The middle of the right side, (x, y)."""
        return self.x + self.width, self.y + self.height / 2

    @property
    def top(self):
        """The middle of the upper side, (x, y)."""
        return self.x + self.width / 2, self.y

    @property
    def bottom(self):
        """The middle of the lower side, (x, y)."""
        return self.x + self.width / 2, self.y + self.height

    @property
    def centre(self):
        """The middle, (x, y)."""
        return self.x + self.width / 2, self.y + self.height / 2


def width_of(text):
    """Return how many points a text is wide, at most, in the language of the page."""
    return max(map(width_in_letters, word(str(text)).split("\n"))) * LETTER


def signed(value, form=".2f"):
    """Return a number as text, with a true minus sign, and none before a zero."""
    text = f"{value:{form}}"
    return text.replace("-", "−") if float(text) else text.lstrip("-")


class Canvas:
    """An empty sheet, as wide as the column; units are points, y goes down."""

    def __init__(self):
        """Make a sheet; it becomes as high as what is drawn on it."""
        self.width, self.lowest = column.get() * 72, 0.0
        self.figure = Figure()
        self.axis = self.figure.add_axes((0, 0, 1, 1))
        self.axis.set_axis_off()

    @property
    def is_narrow(self):
        """Whether the sheet is that of a phone."""
        return self.width < 360

    def finished(self):
        """Return the Figure, with its texts in the language of the page."""
        height = self.lowest + 2
        self.figure.set_size_inches(self.width / 72, height / 72)
        self.axis.set(xlim=(0, self.width), ylim=(height, 0))
        for artist in (*self.axis.patches, *self.axis.lines, *self.axis.texts):
            artist.set_clip_on(False)  # all of it is on the sheet
        return labelled(self.figure, legend=False)

    def used(self, box):
        """Return a Box, on which something is drawn."""
        self.lowest = max(self.lowest, box.y + box.height)
        return box

    def text(self, x, y, text, across="center", down="center", colour=INK, bold=False, mono=False):
        """Write words; across is left, center or right of them at x, down top, center, bottom."""
        lines = (str(text) if mono else word(str(text))).split("\n")
        style = {"ha": across, "va": "baseline", "color": colour, "zorder": 5}
        style |= {"weight": "bold"} if bold else {}
        style |= {"family": "monospace"} if mono else {}
        width, height = max(map(width_in_letters, lines)) * LETTER, LINE * len(lines)
        shift = {"left": 0, "center": 0.5, "right": 1, "top": 0, "bottom": 1}
        box = Box(x - shift[across] * width, y - shift[down] * height, width, height)
        for number, line in enumerate(lines):
            self.axis.text(x, box.y + LINE * (number + 0.5) + 0.35 * POINTS, line, **style)
        return self.used(box)

    def frame(self, box, colour=EDGE, alpha=0.0, rounded=3, line=1.0, dashed=False):
        """Draw the outline of a Box, and fill it with a colour that lets the page shine through."""
        style = f"round,pad=0,rounding_size={rounded}" if rounded else "square,pad=0"
        face = soft(colour, alpha) if alpha else "none"
        patch = FancyBboxPatch(
            box[:2], box.width, box.height, boxstyle=style, facecolor=face, edgecolor=colour,
            linewidth=line, linestyle=(0, (3, 2)) if dashed else "-", zorder=2,
        )  # fmt: skip
        self.axis.add_patch(patch)
        return self.used(box)

    def circle(self, x, y, radius, colour=EDGE, alpha=0.0, line=1.0):
        """Draw a circle around (x, y), filled with a colour that lets the page shine through."""
        face = soft(colour, alpha) if alpha else "none"
        look = {"facecolor": face, "edgecolor": colour, "linewidth": line, "zorder": 4}
        self.axis.add_patch(Circle((x, y), radius, **look))
        return self.used(Box(x - radius, y - radius, 2 * radius, 2 * radius))

    def token(self, x, y, text, colour=GREY, alpha=0.18, width=None):
        """Draw a piece of text as a chip whose upper left corner is at (x, y)."""
        box = Box(x, y, width or len(text) * LETTER + 2 * PAD, LINE + PAD)
        self.frame(box, colour, alpha, rounded=5)
        self.text(*box.centre, text, mono=True)
        return box

    def box(self, x, y, text, colour=EDGE, width=None, height=None, alpha=0.22):
        """Draw what computes, with its name."""
        n_lines = word(str(text)).count("\n") + 1
        box = Box(x, y, width or width_of(text) + 2 * PAD, height or n_lines * LINE + 2 * PAD)
        self.frame(box, colour, alpha)
        self.text(*box.centre, text)
        return box

    def device(self, x, y, width, height, title, colour=EDGE):
        """Draw a frame that holds other things, its title in its upper left corner."""
        box = self.frame(Box(x, y, width, height), colour, 0.06, rounded=6)
        self.text(x + PAD, y + PAD, title, across="left", down="top", bold=True)
        return box

    def vector(self, x, y, values, colour, upright=False, cell=CELL):
        """Draw numbers as a strip of cells, the darker the larger their size."""
        values = np.asarray(values, dtype=float)
        return self.matrix(x, y, values[:, None] if upright else values[None], colour, cell)

    def matrix(self, x, y, values, colour, cell=CELL, numbers="", width=None, shades=None):
        """Draw (rows, columns) of numbers as cells, the darker the larger their size.

        A cell of NaN is empty, with a dashed edge: what is not there. numbers, such as "g" or
        ".2f", says how they are written in. A cell is cell points high, and width wide if that
        is given. shades (rows, columns) say how dark each is, if not the numbers themselves.
        """
        values = np.asarray(values, dtype=float)
        shades = np.abs(values if shades is None else np.asarray(shades, dtype=float))
        width, shades = width or cell, shades / (np.nanmax(shades, initial=0) or 1.0)
        for (row, place), value in np.ndenumerate(values):
            box = Box(x + place * width, y + row * cell, width, cell)
            is_there = not np.isnan(value)
            face = soft(colour, 0.08 + 0.62 * shades[row, place]) if is_there else "none"
            look = {"facecolor": face, "edgecolor": colour if is_there else EDGE}
            look |= {"linewidth": 0.6, "linestyle": "-" if is_there else (0, (2, 2))}
            self.axis.add_patch(Rectangle(box[:2], width, cell, zorder=2, **look))
            if numbers and is_there:
                self.text(*box.centre, signed(value, numbers))
        return self.used(Box(x, y, width * values.shape[1], cell * values.shape[0]))

    def arrow(self, start, end, colour=INK, text="", bend=0.0, line=1.2, dashed=False, both=False):
        """Draw an arrow from (x, y) to (x, y); bend curves it to the right (or left, below 0)."""
        patch = FancyArrowPatch(
            start, end, arrowstyle="<|-|>" if both else "-|>", mutation_scale=8, color=colour,
            connectionstyle=f"arc3,rad={bend}", linewidth=line, shrinkA=0, shrinkB=1,
            linestyle=(0, (3, 2)) if dashed else "-", zorder=3,
        )  # fmt: skip
        self.axis.add_patch(patch)
        if text:
            middle = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2
            across = "left" if abs(end[0] - start[0]) < abs(end[1] - start[1]) else "center"
            shift = (PAD, 0) if across == "left" else (0, -LINE / 2 - 2)
            self.text(middle[0] + shift[0], middle[1] + shift[1], text, across=across)

    def line(self, *points, colour=INK, line=1.2, dashed=False):
        """Draw a line through points (x, y)."""
        x, y = zip(*points, strict=True)
        self.axis.plot(
            x, y, color=colour, linewidth=line, linestyle=(0, (3, 2)) if dashed else "-",
            solid_capstyle="round", zorder=2,
        )  # fmt: skip
        self.lowest = max(self.lowest, *y)

    def bus(self, *points, colour=GREY):
        """Draw the thick line on which everything is added."""
        self.line(*points, colour=colour, line=4)

    def plus(self, x, y, radius=6, colour=INK):
        """Draw a sum: a circle with a cross."""
        box = Box(x - radius, y - radius, 2 * radius, 2 * radius)
        patch = FancyBboxPatch(
            box[:2], box.width, box.height, boxstyle=f"round,pad=0,rounding_size={radius}",
            facecolor=PAPER, edgecolor=colour, linewidth=1.1, zorder=4,
        )  # fmt: skip
        self.axis.add_patch(patch)
        for dx, dy in ((radius / 2, 0), (0, radius / 2)):
            self.axis.plot(
                (x - dx, x + dx), (y - dy, y + dy), color=colour, linewidth=1.1, zorder=5
            )
        return box
