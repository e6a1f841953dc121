"""Drawings of the residual stream: what enters it, what reads and writes it, what leaves it."""

import functools
from typing import NamedTuple

import numpy as np

from gpt_helpers.config import check_config
from gpt_helpers.figures.drawings.canvas import CELL, LETTER, LINE, PAD, Box, Canvas, signed
from gpt_helpers.figures.drawings.text import CHIP
from gpt_helpers.figures.drawn import draws
from gpt_helpers.figures.inputs import check_drawable
from gpt_helpers.figures.style import BLUE, CONCEPTS, EDGE, GREY
from gpt_helpers.validation import check_natural, check_numbers, check_real, check_text

WTE, WPE, STREAM = CONCEPTS["wte"], CONCEPTS["wpe"], CONCEPTS["residual"]
TABLE, N_ROWS = 36, 5  # points: the width of a table; how many of its rows are drawn
MOST_LAYERS = 6  # that have room abreast
MOST_NEXT = 4  # tokens that may follow
TOP = LINE + 2 + N_ROWS * CELL / 2  # points: the middle of the first table
check_shape = functools.partial(lambda name, value: check_config(value))


def check_following(name, value):
    """Raise ValueError unless value is {token: (logit, probability)} of a few tokens."""
    check_drawable(name, value, check_outlook, MOST_NEXT)
    for token in value:
        check_text(f"a token of {name}", token)


def check_outlook(name, value):
    """Raise ValueError unless value is a logit and a probability."""
    _, probability = check_numbers(name, value).tolist() if len(value) == 2 else (None, None)
    check_real(f"the probability of {name}", probability, at_least=0, at_most=1)


class Place(NamedTuple):
    """Where the parts of a look-up stand, in points, and how many numbers of a row have room."""

    table: float
    left: float
    n_shown: int
    width: float


@draws(
    config=check_shape,
    token=check_text,
    token_id=check_natural,
    position=check_natural,
    rows=functools.partial(check_numbers, n_axes=2),
)
def lookup(config, token, token_id, position, rows):
    """Draw how a token's row of wte and its position's row of wpe, rows (2, C), are added.

    The sum is that of the model, rounded after it was made, so what is drawn may differ by 1 in the
    last digit from the sum of the rounded numbers.
    """
    check_below("token_id", token_id, config.vocab_size)
    check_below("position", position, config.n_positions)
    if np.shape(rows) != (2, config.n_embd):
        raise ValueError(f"rows has shape {tuple(np.shape(rows))}; it must be (2, {config.n_embd})")
    canvas = Canvas()
    place = Place(58, 108, 3, 32) if canvas.is_narrow else Place(80, 146, 10, 36)
    shown = np.asarray(rows, dtype=float)[:, : place.n_shown]
    tables = ("wte", config.vocab_size, WTE), ("wpe", config.n_positions, WPE)
    labels = (token, f"id {token_id}"), (str(position), "position")
    for row, ((name, size, colour), label) in enumerate(zip(tables, labels, strict=True)):
        middle = TOP + 74 * row
        draw_asked(canvas, middle, place, *label, colour)
        draw_table(canvas, place.table, middle, f"{name} ({size}, {config.n_embd})", colour)
        draw_numbers(canvas, place, middle, shown[row], colour)
    draw_sum(canvas, place, position, shown)
    return canvas.finished()


def check_below(name, value, limit):
    """Raise ValueError unless a number of a row is one of a table."""
    if value >= limit:
        raise ValueError(f"{name}={value} must be below {limit}, the number of rows of its table")


def draw_asked(canvas, middle, place, written, label, colour):
    """Draw what is looked up, and its way to the table and on to the numbers."""
    chip = canvas.token(1, middle - CHIP / 2, written, width=max(40, len(written) * LETTER + PAD))
    canvas.text(chip.centre[0], middle + CHIP / 2, label, down="top", colour=GREY)
    canvas.arrow((chip.x + chip.width, middle), (place.table, middle), colour)
    canvas.arrow((place.table + TABLE, middle), (place.left, middle), colour)


def draw_table(canvas, x, middle, title, colour):
    """Draw a table as a few rows, its middle row dark."""
    rows = np.zeros((N_ROWS, 1))
    rows[N_ROWS // 2] = 1
    top = middle - N_ROWS * CELL / 2
    canvas.text(x + TABLE / 2, top - 2, title, "center", "bottom", colour)
    canvas.matrix(x, top, rows, colour, CELL, width=TABLE)


def draw_numbers(canvas, place, middle, numbers, colour):
    """Draw the first numbers of a row, and dots for the others."""
    top = middle - CHIP / 2
    box = canvas.matrix(place.left, top, [numbers], colour, CHIP, ".2f", place.width)
    canvas.text(box.x + box.width + 3, middle, "…", "left")


def draw_sum(canvas, place, position, shown):
    """Draw the sum below a line, column by column."""
    middle = TOP + 74 + 44
    canvas.text(place.left - 7, TOP + 74 + CHIP / 2 + 5, "+")
    end = place.left + place.width * place.n_shown
    canvas.line((place.left - 12, middle - 22), (end, middle - 22), colour=EDGE)
    draw_numbers(canvas, place, middle, shown.sum(0), STREAM)
    canvas.text(place.left - 6, middle, f"x_{position}", "right", bold=True)


@draws(config=check_shape, sizes=check_numbers)
def bus(config, sizes):
    """Draw the residual stream as a bus through the blocks: each part reads it and adds to it.

    sizes (1 + 2L,) say how large what is added is: the embedding, then of each block what its
    attention and its MLP write.
    """
    sizes = list(sizes)
    if len(sizes) != 1 + 2 * config.n_layer or config.n_layer > MOST_LAYERS:
        found = f"{len(sizes)} sizes for {config.n_layer} layers"
        raise ValueError(f"{found}; give one and two for each layer, {MOST_LAYERS} at most")
    canvas = Canvas()
    (draw_bus_down if canvas.is_narrow else draw_bus_across)(canvas, config, sizes)
    return canvas.finished()


def draw_bus_across(canvas, config, sizes):
    """Draw the bus from left to right, with the blocks below it."""
    line, left, right = 16, 62, canvas.width - 74
    step = (right - left) / config.n_layer
    source = canvas.box(1, line - 14, "wte + wpe", WTE, width=58, height=28)
    canvas.text(source.centre[0], line + 24, signed(sizes[0]), colour=GREY)
    canvas.bus(source.right, (right + 12, line))
    for layer in range(config.n_layer):
        x = left + step * layer
        canvas.frame(Box(x + 2, 40, step - 4, 76), EDGE, 0.06, rounded=6)
        canvas.text(x + step / 2, 100, f"h.{layer}", down="top", bold=True)
        for place, name in enumerate(("attn", "mlp")):
            box = canvas.box(
                x + 5 + (step - 8) / 2 * place, 50, name, CONCEPTS[name], width=step / 2 - 6
            )
            start, end = box.x + 7, box.x + box.width - 7
            canvas.arrow((start, line + 2), (start, box.y), CONCEPTS[name])
            canvas.arrow((end, box.y), (end, line + 6), CONCEPTS[name])
            canvas.plus(end, line, 5)
            canvas.text(
                box.centre[0], 88, signed(sizes[1 + 2 * layer + place], "+.2f"), colour=GREY
            )
    end = canvas.box(canvas.width - 58, line - 15, "ln_f\nlm_head", STREAM, width=56, height=34)
    canvas.arrow((right + 12, line), (end.x, line), STREAM, line=2)


def draw_bus_down(canvas, config, sizes):
    """Draw the bus from top to bottom, with the blocks beside it."""
    line, y, step = 34, 52, 84
    source = canvas.box(1, 1, "wte + wpe", WTE, width=66, height=28)
    canvas.text(source.right[0] + 8, source.right[1], signed(sizes[0]), "left", colour=GREY)
    bottom = y + step * config.n_layer - 14
    canvas.bus((line, source.y + source.height), (line, bottom))
    for layer in range(config.n_layer):
        top = y - 14 + step * layer
        canvas.frame(Box(62, top, 150, step - 6), EDGE, 0.06, rounded=6)
        canvas.text(206, top + step / 2 - 3, f"h.{layer}", "right", bold=True)
        for place, name in enumerate(("attn", "mlp")):
            box = canvas.box(74, top + 6 + 37 * place, name, CONCEPTS[name], width=42, height=28)
            start, end = box.y + 7, box.y + box.height - 7
            canvas.arrow((line + 2, start), (box.x, start), CONCEPTS[name])
            canvas.arrow((box.x, end), (line + 6, end), CONCEPTS[name])
            canvas.plus(line, end, 5)
            written = signed(sizes[1 + 2 * layer + place], "+.2f")
            canvas.text(box.right[0] + 8, box.right[1], written, "left", colour=GREY)
    end = canvas.box(1, bottom + 12, "ln_f\nlm_head", STREAM, width=66, height=34)
    canvas.arrow((line, bottom), (line, end.y), STREAM, line=2)


@draws(
    config=check_shape,
    token=check_text,
    token_id=check_natural,
    following=check_following,
)
def shared_table(config, token, token_id, following):
    """Draw how one table is read at the entrance and compared with at the exit of a model.

    following is {token: (logit, probability)} of the likeliest next tokens, the first first.
    """
    check_below("token_id", token_id, config.vocab_size)
    canvas = Canvas()
    left = 66 if canvas.is_narrow else 100
    chip = canvas.token(1, 36, token)
    canvas.text(chip.centre[0], 36 + CHIP, f"id {token_id}", down="top", colour=GREY)
    table = canvas.matrix(left, 20, [[0], [0], [1], *[[0]] * 6], WTE, CELL, width=70)
    canvas.text(left + 35, 0, f"wte ({config.vocab_size}, {config.n_embd})", down="top", colour=WTE)
    canvas.arrow((chip.x + chip.width + 2, 36 + CHIP / 2), (left, 36 + CHIP / 2), WTE)
    blocks = canvas.box(left - 15, 138, f"h.0 … h.{config.n_layer - 1}, ln_f", STREAM, width=100)
    down, up = left + 12, left + 58
    canvas.arrow((down, table.bottom[1]), (down, blocks.y), WTE)
    canvas.text(down - 4, 120, "row", "right", colour=WTE)
    canvas.arrow((up, blocks.y), (up, table.bottom[1]), BLUE)
    canvas.text(up + 5, 120, "· every row", "left", colour=BLUE)
    start = left + 70, 60
    x = start[0] + (18 if canvas.is_narrow else 30)
    canvas.arrow(start, (x - 2, 60), BLUE)
    draw_following(canvas, x, following)
    return canvas.finished()


def draw_following(canvas, x, following):
    """Draw the likeliest next tokens with their logits, and their probabilities as bars."""
    y, length = 18, 120
    for next_token, (logit, probability) in following.items():
        canvas.token(x, y, next_token, BLUE, 0.12, width=34)
        if canvas.is_narrow:
            canvas.text(x + 38, y + CHIP / 2, f"{probability:.0%}", "left")
        else:
            canvas.text(x + 66, y + CHIP / 2, signed(logit), "right")
            bar = Box(x + 76, y + 3, length * probability, CHIP - 6)
            canvas.frame(bar, BLUE, 0.6, rounded=0, line=0.6)
            canvas.text(bar.x + bar.width + 5, y + CHIP / 2, f"{probability:.0%}", "left")
        y += CHIP + 4
    if not canvas.is_narrow:
        canvas.text(x + 66, 0, "logit", "right", "top", GREY)
        canvas.text(x + 76, 0, "softmax", "left", "top", GREY)
