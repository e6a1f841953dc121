"""Drawings of one head of attention: what it makes of a token, and its weights row by row."""

import functools
from dataclasses import dataclass

import numpy as np
import torch

from gpt_helpers.architecture import trace
from gpt_helpers.architecture.model import GPTLMHeadModel, split_heads
from gpt_helpers.figures.drawings.canvas import CELL, LINE, PAD, Box, Canvas, signed
from gpt_helpers.figures.drawings.text import CHIP
from gpt_helpers.figures.drawn import draws
from gpt_helpers.figures.style import CONCEPTS, EDGE, GREY, INK
from gpt_helpers.validation import (
    check_instance,
    check_integer,
    check_numbers,
    check_sequence,
    checks,
)

COLOURS = [CONCEPTS[name] for name in ("query", "key", "value")]
ATTENTION = CONCEPTS["attention"]
MOST = 6  # tokens whose row fits on a phone
N_SHOWN = 6  # cells of a vector that are drawn
ROW = CHIP + 3  # points: the height of a row of a table
check_texts = functools.partial(check_sequence, kind=str)


@dataclass(frozen=True)
class Head:
    """What one head makes of a text: x (C,), the normalised vector of the last token, of which
    its query, key and value are made, and the queries, keys and values (T, D) of all tokens.
    """

    x: list
    q: list
    k: list
    v: list

    def __post_init__(self):
        """Refuse what is no vector, and no queries, keys and values of the same tokens."""
        check_numbers("x", self.x)
        shapes = {check_numbers(name, getattr(self, name), n_axes=2).shape for name in "qkv"}
        if len(shapes) > 1:
            raise ValueError(f"q, k and v have shapes {sorted(shapes)}; they must be of one")

    @property
    def scores(self):
        """How well each query fits each key, (T, T); the future is not hidden yet."""
        q, k = np.asarray(self.q), np.asarray(self.k)
        return q @ k.T / q.shape[1] ** 0.5


@checks(
    model=functools.partial(check_instance, kind=GPTLMHeadModel),
    ids=functools.partial(check_sequence, kind=int),
)
def head_of(model, ids, layer, head):
    """Return the Head of a GPT that reads the list ids: this head of this layer, from 0."""
    shape = model.config
    check_integer("layer", layer, 0, shape.n_layer - 1)
    check_integer("head", head, 0, shape.n_head - 1)
    with trace.recorded_outputs(model, "LayerNorm") as normalised, torch.no_grad():
        model(torch.tensor([ids]))
        x = normalised[2 * layer]  # (1, T, C)
        projected = model.transformer.h[layer].attn.c_attn(x)  # (1, T, 3C)
        heads = split_heads(projected, 3 * shape.n_head)[0]  # (3H, T, D)
    return Head(x[0, -1].tolist(), *(heads[head + n * shape.n_head].tolist() for n in range(3)))


def check_fit(name, tokens, n_rows):
    """Raise ValueError unless there is a token for each row of something, and not too many."""
    if len(tokens) != n_rows or n_rows > MOST:
        raise ValueError(
            f"{len(tokens)} tokens for {n_rows} of {name}; give as many, {MOST} at most"
        )


@draws(tokens=check_texts, head=functools.partial(check_instance, kind=Head))
def one_token(tokens, head):
    """Draw how the last token makes its query, key and value, and what it reads of all tokens."""
    check_fit("head", tokens, len(head.q))
    canvas = Canvas()
    draw_projections(canvas, tokens[-1], head)
    left, top = (0, canvas.lowest + 3 * PAD) if canvas.is_narrow else (228, 0)
    draw_reading(canvas, left, top, tokens, head)
    return canvas.finished()


def draw_projections(canvas, token, head):
    """Draw one vector, three matrices, and the three vectors that they make of it."""
    chip = canvas.token(1, 22, token)
    strip = canvas.vector(chip.centre[0] - CELL / 2, 58, head.x[:8], GREY, upright=True)
    canvas.arrow(chip.bottom, strip.top, colour=GREY)
    canvas.text(1, strip.y + strip.height + 3, f"x ({len(head.x)})", "left", "top")
    vectors = zip("QKV", (head.q, head.k, head.v), COLOURS, strict=True)
    for row, (name, rows, colour) in enumerate(vectors):
        box = canvas.box(72, 14 + 46 * row, f"W_{name}", colour, width=40, height=26)
        canvas.arrow((strip.right[0] + 4, strip.right[1]), box.left, colour=colour)
        made = canvas.vector(box.right[0] + 26, box.right[1] - CELL / 2, rows[-1][:8], colour)
        canvas.arrow(box.right, made.left, colour=colour)
        canvas.text(
            made.top[0], made.y - 3, f"{name.lower()} ({len(rows[-1])})", "center", "bottom", colour
        )


def draw_reading(canvas, left, top, tokens, head):
    """Draw a table: of each token the score, its exponential, the weight, and the value read."""
    scores = head.scores[-1]
    powers = np.exp(scores - scores.max())
    weights, n_values = powers / powers.sum(), 2 if canvas.is_narrow else 3
    values = np.asarray(head.v)[:, :n_values]
    columns = table_columns(canvas, left)
    for name, x in columns.items():
        canvas.text(x, top, name, "left" if name == "v" else "center", "top", GREY)
    y = top + LINE + 3
    for row, token in enumerate(tokens):
        middle = y + CHIP / 2
        canvas.token(left + 1, y, token, width=40)
        if "k" in columns:
            canvas.vector(columns["k"] - 27, middle - CELL / 2, head.k[row][:N_SHOWN], COLOURS[1])
        canvas.text(columns["score"], middle, signed(scores[row]))
        canvas.text(columns["exp"], middle, signed(powers[row]))
        shade = Box(columns["weight"] - 17, y + 1, 34, CHIP - 2)
        canvas.frame(shade, ATTENTION, 0.1 + 0.6 * weights[row], rounded=0, line=0.6)
        canvas.text(*shade.centre, signed(weights[row]))
        place = columns["v"], y + 1, values[row : row + 1], COLOURS[2]
        canvas.matrix(*place, cell=CHIP - 2, numbers=".2f", width=32)
        y += ROW
    draw_sums(canvas, left, y + 3, columns, powers, weights @ values)


def table_columns(canvas, left):
    """Return {name: x in points} of the columns of a table, fewer on a phone; v begins there."""
    places = {"score": 61, "exp": 95, "weight": 129, "v": 150}
    if not canvas.is_narrow:
        places = {"k": 76, "score": 124, "exp": 160, "weight": 196, "v": 218}
    return {name: left + place for name, place in places.items()}


def draw_sums(canvas, left, y, columns, powers, mixed):
    """Draw the last line of the table: what the exponentials and the weighted values add up to."""
    end = columns["v"] + 32 * len(mixed)
    canvas.line((left, y), (end, y), colour=EDGE)
    middle = y + 4 + CHIP / 2
    canvas.text(left, middle, "sum", "left")
    canvas.text(columns["exp"], middle, signed(powers.sum()))
    canvas.text(columns["weight"], middle, "1.00")
    canvas.matrix(columns["v"], y + 5, [mixed], COLOURS[2], CHIP - 2, ".2f", 32)
    canvas.text((columns["v"] + end) / 2, y + CHIP + 8, "weight × v", "center", "top", GREY)


@draws(tokens=check_texts, scores=functools.partial(check_numbers, n_axes=2))
def row_by_row(tokens, scores):
    """Draw step by step how scores (T, T) become weights: masked, then a softmax of each row."""
    scores = np.asarray(scores, dtype=float)
    check_fit("scores", tokens, len(scores))
    check_fit("scores", tokens, scores.shape[1])
    hidden = np.where(np.tri(len(tokens), dtype=bool), scores, np.nan)
    frames = [
        ("every query meets every key", draw_rows(tokens, scores, None)),
        ("the mask hides the future", draw_rows(tokens, hidden, None)),
    ]
    for row in range(len(tokens)):
        frames.append((f"softmax of row {row}", draw_rows(tokens, hidden, row)))
    return frames


def draw_rows(tokens, scores, row):
    """Return the Figure of scores, and of the weights of the rows up to this one, if any."""
    canvas = Canvas()
    powers = np.exp(scores - np.nanmax(scores, 1, keepdims=True))
    weights = powers / np.nansum(powers, 1, keepdims=True)
    weights[0 if row is None else row + 1 :] = np.nan
    below = draw_square(canvas, 0, 0, tokens, scores, EDGE, row)
    x, y = (0, below + 2 * LINE + 4 * PAD) if canvas.is_narrow else (290, 0)
    draw_square(canvas, x, y, tokens, weights, ATTENTION, row)
    canvas.text(x, y, "weights", "left", "top", bold=True)
    canvas.text(0, 0, "scores", "left", "top", bold=True)
    if row is not None:
        draw_powers(canvas, below + 4, powers[row])
    canvas.lowest = max(canvas.lowest, below + 2 * LINE + 2 * PAD)
    return canvas.finished()


def draw_square(canvas, x, y, tokens, values, colour, row=None, width=34, numbers=".2f"):
    """Draw a matrix of queries and keys with their tokens, one row framed; return its lower end."""
    left, top = x + 42, y + 2 * LINE + 5
    for place, token in enumerate(tokens):
        middle = left + width * (place + 0.5), y + LINE + 3
        canvas.text(*middle, token, "center", "top", COLOURS[1], mono=True)
        middle = left - 4, top + CHIP * (place + 0.5)
        canvas.text(*middle, token, "right", colour=COLOURS[0], mono=True)
    shades = np.zeros_like(values) if colour == EDGE else None
    box = canvas.matrix(left, top, values, colour, CHIP, numbers, width, shades)
    if row is not None:
        canvas.frame(Box(left, top + CHIP * row, box.width, CHIP), INK, rounded=0, line=1.6)
    return box.y + box.height


def draw_powers(canvas, y, powers):
    """Draw the exponentials of a row below their columns, and their sum."""
    canvas.text(38, y + CHIP / 2, "exp", "right", colour=GREY)
    seen = powers[~np.isnan(powers)]
    for place, power in enumerate(seen):
        canvas.text(42 + 34 * (place + 0.5), y + CHIP / 2, signed(power))
    canvas.text(42, y + CHIP + LINE / 2, f"sum {seen.sum():.2f}", "left", colour=GREY)
