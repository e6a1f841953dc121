"""Drawings of decoding: padding, the loop that writes, and the cache that saves work."""

import functools

import numpy as np

from gpt_helpers.config import check_config
from gpt_helpers.figures.drawings.canvas import LINE, PAD, Box, Canvas
from gpt_helpers.figures.drawings.one_head import draw_square
from gpt_helpers.figures.drawings.text import CHIP
from gpt_helpers.figures.drawn import draws
from gpt_helpers.figures.inputs import check_distribution
from gpt_helpers.figures.style import BLUE, CONCEPTS, EDGE, GREY
from gpt_helpers.validation import (
    check_count,
    check_instance,
    check_integer,
    check_numbers,
    check_sequence,
    check_text,
)

CACHED = CONCEPTS["key"], CONCEPTS["value"]
WIDEST = 7  # columns of tokens that fit on a phone
MOST_NEXT = 5  # tokens among which is chosen
MOST_PASSES = 200  # that can be told apart
check_texts = functools.partial(check_sequence, kind=str)
check_matrix = functools.partial(check_numbers, n_axes=2)


def column_width(canvas):
    """Return how many points a column of tokens is wide."""
    return min(40, (canvas.width - 16) / WIDEST)


def draw_chip(canvas, place, y, token, colour=GREY, x=1):
    """Draw a token in its column, an empty one as a dashed place; return its Box."""
    width = column_width(canvas)
    box = Box(x + width * place, y, width - 1.6, CHIP)
    if not token:
        return canvas.frame(box, EDGE, rounded=5, dashed=True)
    return canvas.token(*box[:2], token, colour, width=box.width)


def check_rows(name, value):
    """Raise ValueError unless value is a list of lists of as many texts each."""
    check_sequence(name, value, list)
    for place, row in enumerate(value):
        check_texts(f"{name}[{place}]", row)
    if {len(row) for row in value} - set(range(1, WIDEST)) or len({*map(len, value)}) > 1:
        raise ValueError(f"{name}={value!r:.80} must be rows of one length, below {WIDEST}")


@draws(rows=check_rows, positions=check_matrix, visible=check_matrix)
def left_padding(rows, positions, visible):
    """Draw rows of tokens of one length, "" where one is padded, and what the last row reads.

    positions (B, T) are those of the tokens; visible (T, T) is 1 where a query of the last row
    may read a key.
    """
    size, visible = len(rows[0]), np.asarray(visible, dtype=float)
    for name, value, shape in (
        ("positions", positions, (len(rows), size)),
        ("visible", visible, (size, size)),
    ):
        if np.shape(value) != shape:
            raise ValueError(f"{name} has shape {np.shape(value)}; these rows need {shape}")
    canvas, y = Canvas(), LINE + 5
    canvas.text(1, 0, "tokens and their positions", "left", "top", bold=True)
    for row, places in zip(rows, positions, strict=True):
        for place, token in enumerate(row):
            chip = draw_chip(canvas, place, y, token)
            text = f"{places[place]:.0f}" if token else "–"
            canvas.text(chip.centre[0], y + CHIP, text, down="top", colour=GREY)
        chip = draw_chip(canvas, size, y, "")
        canvas.text(*chip.centre, "?")
        y += CHIP + LINE + 2 * PAD
    draw_readable(canvas, y, rows[-1], visible)
    return canvas.finished()


def draw_readable(canvas, y, tokens, visible):
    """Draw which tokens each token of a row may read, beside what stands above y or below."""
    x, y = (0, y + PAD) if canvas.is_narrow else (310, 0)
    canvas.text(x + 1, y, "what the last row reads", "left", "top", bold=True)
    names = [token or "–" for token in tokens]
    seen = np.where(visible > 0, visible, np.nan)
    width = (canvas.width - x - 44) / len(names)
    draw_square(canvas, x, y, names, seen, BLUE, width=min(34, width), numbers="g")


def check_next(name, value):
    """Raise ValueError unless value is {token: its probability} of a few tokens."""
    check_instance(name, value, dict)
    check_sequence(f"the tokens of {name}", list(value), str)
    check_distribution(name, list(value.values()))
    if len(value) > MOST_NEXT or not any(value.values()):
        raise ValueError(f"{name} has {len(value)} tokens; give {MOST_NEXT} at most, one likely")


@draws(tokens=check_texts, following=check_next, chosen=check_text)
def loop(tokens, following, chosen):
    """Draw one turn of the loop that writes: read, get {token: probability}, choose, append."""
    if chosen not in following:
        raise ValueError(f"chosen={chosen!r:.40} is none of following: {list(following)!r:.80}")
    if len(tokens) >= WIDEST:
        raise ValueError(f"{len(tokens)} tokens are too many to draw; give {WIDEST - 1} at most")
    canvas = Canvas()
    for place, token in enumerate(tokens):
        draw_chip(canvas, place, 1, token)
    new = draw_chip(canvas, len(tokens), 1, chosen, BLUE)
    end = new.x - 3
    canvas.line((1, CHIP + 5), (end, CHIP + 5), colour=GREY)
    box = canvas.box(1, 52, "GPT", GREY, width=44, height=34)
    canvas.arrow((box.top[0], CHIP + 5), box.top, GREY)
    left = 72
    canvas.arrow(box.right, (left - 3, box.right[1]), GREY)
    row = draw_choice(canvas, left, CHIP + 16, following, chosen)
    turn = canvas.width - 3 if canvas.is_narrow else 330
    canvas.line(row.right, (turn, row.right[1]), (turn, new.right[1]), colour=BLUE)
    canvas.arrow((turn, new.right[1]), new.right, BLUE)
    return canvas.finished()


def draw_choice(canvas, x, y, following, chosen):
    """Draw tokens with their probabilities as bars; return the Box of the one that is chosen."""
    length = (60 if canvas.is_narrow else 170) / max(following.values())
    for token, probability in following.items():
        colour = BLUE if token == chosen else GREY
        chip = canvas.token(x, y, token, colour, width=38)
        bar = Box(x + 42, y + 3, length * probability, CHIP - 6)
        canvas.frame(bar, colour, 0.5, rounded=0, line=0.6)
        share = canvas.text(bar.right[0] + 4, chip.right[1], f"{probability:.0%}", "left")
        if token == chosen:
            found = Box(x, y, share.x + share.width - x + 9, CHIP)
        y += CHIP + 4
    return found


@draws(
    n_prompt=check_count, n_new=functools.partial(check_integer, at_least=1, at_most=MOST_PASSES)
)
def work(n_prompt, n_new):
    """Draw which positions each pass computes that writes n_new tokens, without a cache and with.

    A row is a pass. What it computes is dark, what it finds in the cache is light.
    """
    canvas = Canvas()
    lengths = [n_prompt + n for n in range(n_new)]
    new = [n_prompt, *[1] * (n_new - 1)]
    panels = {"no cache": lengths, "cache": new}
    width = canvas.width - 4 if canvas.is_narrow else canvas.width / 2 - 20
    x, y = 1, 0
    for name, computed in panels.items():
        canvas.text(x, y, f"{name}: {sum(computed):,} positions", "left", "top", bold=True)
        below = draw_passes(canvas, x, y + LINE + 4, width, lengths, computed)
        x, y = (1, below + 2 * PAD) if canvas.is_narrow else (x + width + 36, 0)
    return canvas.finished()


def draw_passes(canvas, x, y, width, lengths, computed):
    """Draw a row for each pass over so many positions, of which it computes the last so many."""
    unit, height = min(16, width / lengths[-1]), min(12, 150 / len(lengths))
    for length, n_computed in zip(lengths, computed, strict=True):
        start = x + unit * (length - n_computed)
        if length > n_computed:
            canvas.frame(Box(x, y, start - x, height), GREY, 0.18, rounded=0, line=0)
        canvas.frame(Box(start, y, unit * n_computed, height), BLUE, 0.85, rounded=0, line=0)
        y += height
    return y


@draws(config=lambda name, value: check_config(value), tokens=check_texts, n_prompt=check_count)
def cache_grows(config, tokens, n_prompt):
    """Draw step by step the cache that grows while the tokens after the first n_prompt are written.

    Below stands how many numbers of keys and values were computed so far, with it and without.
    """
    if not n_prompt < len(tokens) <= WIDEST:
        raise ValueError(
            f"n_prompt={n_prompt} and {len(tokens)} tokens; give more, {WIDEST} at most"
        )
    lengths = list(range(n_prompt, len(tokens)))
    each = 2 * config.n_layer * config.key_width
    frames = []
    for number, length in enumerate(lengths):
        start = 0 if number == 0 else length - 1
        sums = {"no cache": each * sum(lengths[: number + 1]), "cache": each * length}
        says = f"pass {number + 1}, positions computed with the cache: {length - start}"
        figure = draw_cache(tokens[: length + 1], start, sums, each * sum(lengths))
        frames.append((says, figure))
    return frames


def draw_cache(tokens, start, sums, most):
    """Return the Figure of one pass: tokens from start on go in, and the last comes out."""
    canvas, length = Canvas(), len(tokens) - 1
    for place, token in enumerate(tokens[:-1]):
        draw_chip(canvas, place, 1, token, BLUE if place >= start else GREY, x=15)
    out = draw_chip(canvas, length, 1, "", x=15)
    canvas.text(*out.centre, tokens[-1], mono=True)
    for row, (name, colour) in enumerate(zip("KV", CACHED, strict=True)):
        y = CHIP + 8 + 15 * row
        canvas.text(1, y + 6, name, "left", colour=colour)
        for place in range(length):
            box = Box(15 + column_width(canvas) * place, y, column_width(canvas) - 1.6, 12)
            canvas.frame(box, colour, 0.65 if place >= start else 0.15, rounded=0, line=0.8)
    y += 12 + 2 * PAD
    for (name, total), colour in zip(sums.items(), (GREY, BLUE), strict=True):
        canvas.text(1, y, f"{name}: {total:,} numbers", "left", "top")
        length = max(1, (canvas.width - 4) * min(1, 420 / canvas.width) * total / most)
        canvas.frame(Box(1, y + LINE + 1, length, 8), colour, 0.6, rounded=0, line=0.6)
        y += LINE + 16
    return canvas.finished()
