"""The steps of a journey inside the blocks: norm, attention, MLP, and the sum that grows."""

import numpy as np

from gpt_helpers.figures.drawings.canvas import Box, signed
from gpt_helpers.figures.drawings.one_head import ATTENTION, COLOURS, draw_square
from gpt_helpers.figures.drawings.text import CHIP
from gpt_helpers.figures.drawings.vectors import (
    CELL,
    INPUT,
    LEFT,
    OUTPUT,
    STRIP,
    TALL,
    n_cells,
    new_sheet,
    put_cells,
    put_down,
    put_plus,
    put_skyline,
    put_strip,
    put_tokens,
)
from gpt_helpers.figures.style import CONCEPTS, EDGE, GREY

STREAM, NORM, MLP = (CONCEPTS[name] for name in ("residual", "norm", "mlp"))


def norm_picture(pieces, journey, epsilon):
    """Return the Figure of layer normalisation: the scale is taken out, then learned anew."""
    canvas, x = new_sheet(), np.asarray(journey.stream[0])
    put_tokens(canvas, pieces)
    put_strip(canvas, INPUT, x, STREAM, "x")
    mean, spread = x.mean(), (x.var() + epsilon) ** 0.5
    middle = (INPUT + OUTPUT) / 2
    says = f"− mean {signed(mean)}, ÷ deviation {signed(spread)}"
    put_down(canvas, INPUT + STRIP, middle, says)
    put_strip(canvas, middle, (x - mean) / spread, STREAM, "")
    put_down(canvas, middle + STRIP, OUTPUT, "× gain, + bias")
    put_strip(canvas, OUTPUT, journey.normed, NORM, "n")
    return canvas.finished()


def projections_picture(pieces, journey):
    """Return the Figure of one vector that becomes a query, a key and a value."""
    canvas = new_sheet()
    put_tokens(canvas, pieces)
    put_strip(canvas, INPUT, journey.normed, NORM, "n")
    width = (canvas.width - 4) / 3
    n_shown = int((width - 4) / CELL)
    made = zip("QKV", (journey.q, journey.k, journey.v), COLOURS, strict=True)
    for place, (name, rows, colour) in enumerate(made):
        left = 2 + place * width
        x = left + n_shown * CELL / 2
        canvas.arrow((x, INPUT + STRIP + 3), (x, 110), colour)
        canvas.box(x - 22, 111, f"W_{name}", colour, width=44, height=28)
        canvas.arrow((x, 140), (x, OUTPUT - 20), colour)
        label = f"{name.lower()} ({len(rows[-1])})"
        canvas.text(x, OUTPUT - 11, label, colour=colour, bold=True)
        shown = [rows[-1][:n_shown]]
        box = canvas.matrix(left, OUTPUT, shown, colour, CHIP, ".2f", CELL)
        put_skyline(canvas, Box(left, OUTPUT + CHIP + 2, box.width, TALL), rows[-1], colour)
    return canvas.finished()


def weights_picture(pieces, journey):
    """Return the Figure of scores behind the mask, of which the last row becomes weights."""
    canvas, tokens = new_sheet(), [piece.written for piece in pieces]
    put_tokens(canvas, pieces)
    put_strip(canvas, INPUT, journey.q[-1], COLOURS[0], "q")
    q, k = np.asarray(journey.q), np.asarray(journey.k)
    scores = np.where(np.tri(len(q), dtype=bool), q @ k.T / q.shape[1] ** 0.5, np.nan)
    top, left = INPUT + STRIP + 1, 42  # where draw_square begins
    width = min(44, (canvas.width - left - 2) / len(tokens))
    canvas.text(1, top + 6, f"q·k / √{q.shape[1]}", "left", colour=GREY)
    below = draw_square(canvas, 0, top, tokens, scores, EDGE, len(tokens) - 1, width)
    x, end = left + width / 2, left + width * len(tokens)
    canvas.arrow((x, below + 2), (x, OUTPUT + 3), ATTENTION)
    canvas.text(x + 7, (below + OUTPUT + 4) / 2, "softmax", "left", colour=ATTENTION)
    canvas.matrix(left, OUTPUT + 5, [journey.weights[-1]], ATTENTION, CHIP, ".2f", width)
    canvas.text(left - 5, OUTPUT + 5 + CHIP / 2, "weights", "right", colour=ATTENTION)
    if canvas.width > end + 50:
        canvas.text(end + 5, OUTPUT + 5 + CHIP / 2, "sum 1.00", "left", colour=GREY)
    return canvas.finished()


def mixing_picture(pieces, journey):
    """Return the Figure of values, each times its weight, and of what the heads add to x."""
    canvas, width = new_sheet(), len(journey.v[0])
    put_tokens(canvas, pieces)
    y = INPUT
    for piece, weight, value in zip(pieces, journey.weights[-1], journey.v, strict=True):
        canvas.text(LEFT - 5, y + CHIP / 2, piece.written, "right", mono=True)
        canvas.matrix(LEFT, y, [[weight]], ATTENTION, CHIP, ".2f", CELL, shades=[[weight * 2]])
        put_cells(canvas, y, value, COLOURS[2], first=1)
        y += CHIP + 1
    canvas.text(LEFT + CELL / 2, y + CHIP / 2 + 3, "mix", colour=COLOURS[2], bold=True)
    put_cells(canvas, y + 3, journey.joined[journey.head * width :][:width], COLOURS[2], first=1)
    bottom = OUTPUT - 2 * CHIP - 8
    heads = f"heads 0–{len(journey.joined) // width - 1}, W_O"
    put_down(canvas, y + CHIP + 3, bottom, heads, ATTENTION)
    put_cells(canvas, bottom, journey.attended, ATTENTION, "attn")
    put_cells(canvas, bottom + CHIP + 1, journey.stream[0], STREAM, "x")
    put_plus(canvas, OUTPUT - 4)
    put_strip(canvas, OUTPUT, after_attention(journey), STREAM, "x")
    return canvas.finished()


def after_attention(journey):
    """Return what the MLP of the first block finds: x, and what the attention has added to it."""
    return np.add(journey.stream[0], journey.attended)


def mlp_picture(pieces, journey):
    """Return the Figure of the MLP: wider, through the activation, back, and added to x."""
    canvas = new_sheet()
    put_tokens(canvas, pieces)
    put_strip(canvas, INPUT, after_attention(journey), STREAM, "x")
    n_hidden, high = len(journey.hidden), 44
    top = INPUT + STRIP + 18
    put_down(canvas, INPUT + STRIP, top, "ln_2, c_fc, GELU", MLP)
    hidden = Box(LEFT, top + 1, CELL * n_cells(canvas), high)
    put_skyline(canvas, hidden, journey.hidden, MLP)
    canvas.text(LEFT - 5, top + high / 2, n_hidden, "right", colour=MLP, bold=True)
    y = OUTPUT - CHIP - 7
    put_down(canvas, top + high, y, "c_proj", MLP)
    put_cells(canvas, y, journey.added, MLP, "mlp")
    put_plus(canvas, OUTPUT - 4)
    put_strip(canvas, OUTPUT, journey.stream[1], STREAM, "x")
    return canvas.finished()


def blocks_picture(pieces, journey):
    """Return the Figure of the sum after each block, on one scale, with its length."""
    canvas, stream = new_sheet(), np.asarray(journey.stream)[1:]
    put_tokens(canvas, pieces)
    last, highest = len(stream) - 1, np.abs(stream).max()
    end, top = LEFT + CELL * n_cells(canvas), INPUT + STRIP + 4
    step = (OUTPUT - top) / max(1, last - 1)
    for number, x in enumerate(stream):
        if number in (0, last):
            y = OUTPUT if number else INPUT
            put_cells(canvas, y, x, STREAM, f"h.{number}")
            box = Box(LEFT, y + CHIP + 2, end - LEFT - 60, TALL)
        else:
            y = top + step * (number - 1)
            canvas.text(LEFT - 5, y + step / 2, f"h.{number}", "right", colour=STREAM, bold=True)
            box = Box(LEFT, y + step / 2 - TALL / 2, end - LEFT - 60, TALL)
        put_skyline(canvas, box, x, STREAM, highest)
        canvas.text(end, box.centre[1], f"length {np.linalg.norm(x):.1f}", "right")
    return canvas.finished()
