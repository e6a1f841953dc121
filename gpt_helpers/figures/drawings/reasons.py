"""What speaks for a claim and what limits it, as numbers that can be compared at a glance."""

from functools import partial

from gpt_helpers.figures.drawings.canvas import LINE, PAD, Box, Canvas
from gpt_helpers.figures.drawn import draws
from gpt_helpers.figures.inputs import LARGEST, drawables
from gpt_helpers.figures.style import BLUE, GREY, ORANGE
from gpt_helpers.validation import check_instance, check_real

SIDES = {"evidence": BLUE, "limit": ORANGE}
FOR_NUMBER = 44  # points for the number behind a bar
check_bar = partial(check_real, at_least=0, at_most=LARGEST)


def check_sides(name, value):
    """Raise ValueError unless value is {"evidence": {label: number}, "limit": {label: number}}."""
    check_instance(name, value, dict)
    if set(value) != set(SIDES):
        raise ValueError(f"{name} has {list(value)!r:.60}; give evidence and limit")
    for side, bars in value.items():
        drawables(at_most=4)(f"{side} of {name}", {label: [bar] for label, bar in bars.items()})
        for label, bar in bars.items():
            check_bar(f"{label!r} of {name}", bar)


@draws(claims=drawables(check_sides, at_most=8))
def evidence_and_limits(claims):
    """Draw {claim: {"evidence": {label: number}, "limit": {label: number}}} as two columns of bars.

    A bar is as long as its number: the largest of a side, if it is above 1, fills the column, and
    if none is, 1 does, as of shares. On a phone the limits of a claim stand below its evidence.
    """
    canvas, y = Canvas(), 0
    width = canvas.width if canvas.is_narrow else (canvas.width - 24) / 2
    for number, (claim, sides) in enumerate(claims.items()):
        if number:
            canvas.line((0, y), (canvas.width, y), colour=GREY, line=0.5)
            y += 2 * PAD
        canvas.text(0, y, claim, across="left", down="top", bold=True)
        top = y = y + LINE + PAD
        for side, colour in SIDES.items():
            is_right = side == "limit" and not canvas.is_narrow
            x, y = (canvas.width - width, top) if is_right else (0, y)
            y = draw_side(canvas, x, y, width, side, sides[side], colour)
        y = canvas.lowest + 2 * PAD
    return canvas.finished()


def draw_side(canvas, x, y, width, side, bars, colour):
    """Draw the bars of one side of a claim from (x, y) down, and return where they end."""
    canvas.text(x, y, side, across="left", down="top", colour=colour, bold=True)
    y, longest = y + LINE, max(1, *bars.values())
    for label, number in bars.items():
        canvas.text(x, y, label, across="left", down="top")
        y += LINE
        long = (width - FOR_NUMBER) * number / longest
        bar = canvas.frame(Box(x, y + 2, long, 7), colour, 0.7, 0)
        canvas.text(bar.right[0] + PAD, bar.right[1], f"{number:,g}", across="left")
        y += LINE
    return y + PAD
