"""Drawings of tuning: a thin product beside a matrix that stays, a pair that is pushed apart."""

import functools
import math

from gpt_helpers.figures.drawings.canvas import LINE, PAD, Box, Canvas, signed
from gpt_helpers.figures.drawn import draws
from gpt_helpers.figures.style import GREEN, GREY, PINK, RED
from gpt_helpers.validation import check_integer, check_real, check_sequence

check_side = functools.partial(check_integer, at_least=1)


tenths = functools.partial(signed, form=".1f")


@draws(n_outputs=check_side, n_inputs=check_side, rank=check_side)
def low_rank_update(n_outputs, n_inputs, rank):
    """Draw W (N, K) and the product B A of rank R that is added to it, all to one scale.

    Below each stand its shape and how many numbers it has. Raises ValueError for a rank above
    the shorter side of W.
    """
    if rank > min(n_outputs, n_inputs):
        raise ValueError(f"{rank=} is above {min(n_outputs, n_inputs)}, the shorter side of W")
    canvas = Canvas()
    pitch = min(canvas.width / 3, 115)
    scale = min(110 / n_outputs, 0.75 * pitch / n_inputs)
    middle = 1.5 * LINE + n_outputs * scale / 2
    shapes = {"W": (n_outputs, n_inputs), "B": (n_outputs, rank), "A": (rank, n_inputs)}
    for number, (name, (n_rows, n_columns)) in enumerate(shapes.items()):
        x, wide, high = (number + 0.5) * pitch, max(2, n_columns * scale), max(2, n_rows * scale)
        box = Box(x - wide / 2, middle - high / 2, wide, high)
        canvas.frame(box, PINK if number else GREY, 0.35, rounded=0)
        canvas.text(x, LINE / 2, name, bold=True)
        canvas.text(x, 2 * middle - 0.8 * LINE, f"{n_rows:,} × {n_columns:,}")
        if number:
            canvas.text(number * pitch, middle, "+×"[number - 1], bold=True)
    beside = 3 * pitch + 14, middle - 2 * LINE
    x, y = (PAD, canvas.lowest + LINE) if canvas.is_narrow else beside
    stays, trained = n_outputs * n_inputs, rank * (n_outputs + n_inputs)
    canvas.text(x, y, "W stays", "left", colour=GREY, bold=True)
    canvas.text(x, y + LINE, f"{n_outputs:,} × {n_inputs:,} = {stays:,}", "left")
    canvas.text(x, y + 2.6 * LINE, "B and A are trained", "left", colour=PINK, bold=True)
    added = f"{rank:,} × ({n_outputs:,} + {n_inputs:,}) = {trained:,}"
    canvas.text(x, y + 3.6 * LINE, added, "left")
    return canvas.finished()


def check_nats(name, value):
    """Raise ValueError unless value is two log-probabilities, of the preferred and the other."""
    check_sequence(name, value)
    if len(value) != 2:
        raise ValueError(f"{name}={value!r:.60} must be two numbers, [preferred, other]")
    for nats in value:
        check_real(f"a log-probability in {name}", nats, at_most=0)


@draws(before=check_nats, after=check_nats, beta=functools.partial(check_real, above=0))
def preference_pair(before, after, beta):
    """Draw how the log-probabilities, in nats, of a preferred answer and of another move apart.

    before are those of the reference, after those of the tuned model; below stands what the loss
    of preferences.dpo_loss makes of them, with beta.
    """
    canvas = Canvas()
    line = NatsAxis(canvas, min(*before, *after))
    pairs = zip(("preferred response", "other response"), before, after, (GREEN, RED), strict=True)
    for name, old, new, colour in pairs:
        line.draw(name, old, new, colour)
    line.ticks()
    gains = [new - old for old, new in zip(before, after, strict=True)]
    gap = gains[0] - gains[1]
    loss = math.log1p(math.exp(-beta * gap))
    y = canvas.lowest + 1.5 * LINE
    grown = f"{signed(gains[0], '.1f')} − ({signed(gains[1], '.1f')}) = {signed(gap, '.1f')}"
    for text in (
        f"gap grown by {grown}",
        f"loss −ln σ({beta:g} × {signed(gap, '.1f')}) = {loss:.2f}",
        f"at the start −ln σ(0) = {math.log(2):.2f}",
    ):
        canvas.text(PAD, y, text, across="left")
        y += 1.2 * LINE
    return canvas.finished()


class NatsAxis:
    """An axis of log-probabilities, 0 at its right end, with a row for each answer above it."""

    def __init__(self, canvas, least):
        """Begin above the first row; least is the lowest number that is drawn."""
        self.canvas, self.least = canvas, min(-1, math.floor(least))
        self.left, self.width, self.y = 14, canvas.width - 28, 0

    def place(self, nats):
        """Return x of a log-probability."""
        return self.left + self.width * (1 - nats / self.least)

    def draw(self, name, old, new, colour):
        """Draw how one answer moves: hollow where the reference has it, full where it is then."""
        canvas, y = self.canvas, self.y + 3.2 * LINE
        canvas.text(
            self.left - 9, self.y + 0.5 * LINE, name, across="left", bold=True, colour=colour
        )
        canvas.arrow((self.place(old), y), (self.place(new), y), colour, line=2)
        canvas.circle(self.place(old), y, 4, GREY, 1.0)
        canvas.circle(self.place(new), y, 4, colour, 1.0)
        canvas.text(self.place(old), y - LINE, f"reference {signed(old, '.1f')}")
        canvas.text(self.place(new), y + LINE, tenths(new), bold=True, colour=colour)
        self.y = y + 2 * LINE

    def ticks(self):
        """Draw the axis below the rows, with its numbers and what they are."""
        y = self.y + 4
        self.canvas.line((self.left, y), (self.left + self.width, y), line=0.8)
        for nats in range(self.least, 1):
            x = self.place(nats)
            self.canvas.line((x, y), (x, y + 3), line=0.8)
            self.canvas.text(x, y + LINE, f"−{-nats}" if nats else "0")
        self.canvas.text(self.canvas.width / 2, y + 2.1 * LINE, "log-probability (nats)")
