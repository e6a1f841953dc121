"""A drawing of rotary positions: each pair of columns is the hand of a clock."""

import math

from gpt_helpers.figures.drawings.canvas import LINE, PAD, Canvas
from gpt_helpers.figures.drawn import draws
from gpt_helpers.figures.style import CONCEPTS, INK
from gpt_helpers.validation import check_integer, check_sequence
from gpt_helpers.variants.rotary import BASE, check_pairs

QUERY, KEY = CONCEPTS["query"], CONCEPTS["key"]


def check_shown(name, value):
    """Raise ValueError unless value is one to four numbers of pairs of columns."""
    check_sequence(name, value)
    for place, pair in enumerate(value):
        check_integer(f"{name}[{place}]", pair, at_least=0)
    if len(value) > 4:
        raise ValueError(f"{name}={value!r:.60} are more than four; choose some")


def check_turned(name, value):
    """Raise ValueError unless value is one to three pairs of positions, [(query, key), ...]."""
    check_sequence(name, value, (list, tuple))
    for number, pair in enumerate(value):
        if len(pair) != 2:
            raise ValueError(f"{name}[{number}]={pair!r:.60} must be two positions, (query, key)")
        for position in pair:
            check_integer(f"a position in {name}[{number}]", position, at_least=0)
    if len(value) > 3:
        raise ValueError(f"{name}={value!r:.60} are more than three rows; choose some")


@draws(
    head_width=lambda name, value: check_pairs(value),
    pairs=check_shown,
    positions=check_turned,
)
def rotary_clocks(head_width, pairs, positions):
    """Draw pairs of columns of a head as clocks: how far a query and a key are turned.

    The clocks of a row are those of one (query, key) of positions; a column is a pair, of the
    head_width / 2 of a head, with how far it turns per position, in radians. Raises ValueError
    for a pair that is not there.
    """
    if max(pairs) >= head_width // 2:
        raise ValueError(f"{pairs=} must be below {head_width // 2}, half of {head_width=}")
    canvas = Canvas()
    frequencies = [BASE ** (-2 * pair / head_width) for pair in pairs]
    left = 0 if canvas.is_narrow else 130
    pitch = (canvas.width - left) / len(pairs)
    radius = min(34, pitch / 2 - 4)
    for number, (pair, frequency) in enumerate(zip(pairs, frequencies, strict=True)):
        x = left + (number + 0.5) * pitch
        canvas.text(x, LINE / 2, f"pair {pair}", bold=True)
        canvas.text(x, 1.5 * LINE, f"θ = {frequency:.3g}")
    for query, key in positions:
        top = canvas.lowest + 1.2 * LINE
        top = write_positions(canvas, top, radius, query, key)
        for number, frequency in enumerate(frequencies):
            centre = left + (number + 0.5) * pitch, top + radius
            draw_clock(canvas, centre, radius, query * frequency, key * frequency)
            between = f"{(query - key) * frequency:.3g} rad"
            canvas.text(centre[0], top + 2 * radius + 0.8 * LINE, between, bold=True)
    return canvas.finished()


def write_positions(canvas, top, radius, query, key):
    """Write the positions of a row, above it or at its left; return the top of its clocks."""
    texts = (f"query at {query}", QUERY), (f"key at {key}", KEY)
    if canvas.is_narrow:
        canvas.text(0, top, texts[0][0], "left", colour=QUERY, bold=True)
        canvas.text(canvas.width, top, texts[1][0], "right", colour=KEY, bold=True)
        return top + LINE
    for number, (text, colour) in enumerate(texts):
        y = top + radius + (number - 0.5) * 1.3 * LINE
        canvas.text(PAD, y, text, "left", colour=colour, bold=True)
    return top


def draw_clock(canvas, centre, radius, query, key):
    """Draw a clock whose hands stand at two angles, and the arc between them."""
    x, y = centre
    canvas.circle(x, y, radius)
    arc = [end_of_hand(x, y, 0.45 * radius, key + (query - key) * step / 24) for step in range(25)]
    canvas.line(*arc, colour=INK, line=1.0)
    for angle, colour in ((key, KEY), (query, QUERY)):
        canvas.arrow(centre, end_of_hand(x, y, radius - 2, angle), colour, line=1.8)


def end_of_hand(x, y, radius, angle):
    """Return the end of a hand that has turned by an angle, to the left from the right."""
    return x + radius * math.cos(angle), y - radius * math.sin(angle)
