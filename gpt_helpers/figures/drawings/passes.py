"""The drawing of one pass over the scores: the online softmax in numbers."""

import numpy as np
import torch

from gpt_helpers.figures.drawings.canvas import LINE, PAD, Box, Canvas
from gpt_helpers.figures.drawings.tiling import number_of, span
from gpt_helpers.figures.drawn import draws
from gpt_helpers.figures.style import BLUE, EDGE, GREEN, INK, ORANGE, PINK
from gpt_helpers.optimization.tiled import initial_softmax_state, update_online_softmax
from gpt_helpers.validation import check_count, check_numbers

MOST_TILES, MOST_KEYS = 4, 2  # tiles; keys of a tile


def check_scores(name, value):
    """Raise ValueError unless value is a list of numbers, not too many to draw."""
    n_scores = len(check_numbers(name, value))
    if n_scores > MOST_TILES * MOST_KEYS:
        raise ValueError(f"{name} has {n_scores} numbers; draw at most {MOST_TILES * MOST_KEYS}")


@draws(scores=check_scores, values=check_scores, block_size=check_count)
def online_softmax(scores, values, block_size=2):
    """Draw how one query reads its scores (S,) tile by tile, and what m, l and o are after each.

    values (S,) are one number of the value of each key. There are at most 4 tiles of 2 keys.

    Raises ValueError unless scores and values are equally many and fit into the drawing.
    """
    scores, values = np.asarray(scores, dtype=float), np.asarray(values, dtype=float)
    n_tiles = -(-len(scores) // block_size)
    if len(values) != len(scores):
        raise ValueError(f"{len(values)} values for {len(scores)} scores; give one for each")
    if n_tiles > MOST_TILES or block_size > MOST_KEYS:
        wanted = f"at most {MOST_TILES} tiles of {MOST_KEYS}"
        raise ValueError(f"block_size={block_size} gives {n_tiles} tiles; draw {wanted}")
    canvas, states = Canvas(), states_of(scores, values, block_size)
    for number, state in enumerate(states):
        if canvas.is_narrow:
            draw_down(canvas, number, state)
        else:
            draw_across(canvas, number, state, canvas.width / n_tiles)
    state = states[-1]
    words = f"o / ℓ = {number_of(state['o'] / state['l'])}"
    right = canvas.width - (PAD if canvas.is_narrow else ROOM + PAD)
    canvas.text(right, canvas.lowest + 4, words, "right", "top", GREEN, bold=True)
    return canvas.finished()


ROOM = 42  # points between two states
CELLS = 2 * 20  # points: the height of scores and values
STATE = 3 * (LINE + 2) + 2 * PAD  # points: the height of a state


def states_of(scores, values, block_size):
    """Return a dict for each tile: its keys, scores and values, shrink, and m, l, o after it."""
    scores, values = (torch.tensor(each)[None, None, None] for each in (scores, values))
    state, found = initial_softmax_state(values[..., :1]), []
    for start in range(0, scores.shape[-1], block_size):
        keys = slice(start, min(start + block_size, scores.shape[-1]))
        tile = {"keys": keys, "scores": scores[0, 0, 0, keys], "values": values[0, 0, 0, keys]}
        after = update_online_softmax(state, scores[..., keys], values[..., keys].mT)
        shrink = (state[0] - after[0]).exp().item() if start else None
        m, total, mixed = (part.item() for part in after)
        found.append(tile | {"shrink": shrink, "m": m, "l": total, "o": mixed})
        state = after
    return found


def draw_tile(canvas, x, y, tile, cell):
    """Draw the scores of a tile, and the values, below the name of its keys; return the Box."""
    canvas.text(x, y, f"keys {span(tile['keys'])}", "left", "top", ORANGE)
    for row, (name, colour) in enumerate((("scores", BLUE), ("values", GREEN))):
        for place, number in enumerate(tile[name]):
            box = Box(x + place * cell, y + LINE + 2 + 20 * row, cell, 20)
            canvas.frame(box, colour, 0.25, 0, line=0.6)
            canvas.text(*box.centre, number_of(number))
    return Box(x, y + LINE + 2, cell * len(tile["scores"]), CELLS)


def draw_state(canvas, box, state):
    """Draw a state as a box of names and numbers."""
    canvas.frame(box, EDGE, 0.12)
    for number, (name, key, colour) in enumerate(SYMBOLS):
        top = box.y + PAD + number * (LINE + 2)
        canvas.text(box.x + PAD, top, name, "left", "top", colour)
        value = number_of(state[key])
        canvas.text(box.x + box.width - PAD, top, value, "right", "top", colour)


SYMBOLS = (("m", "m", INK), ("ℓ", "l", INK), ("o", "o", GREEN))


def draw_across(canvas, number, state, step):
    """Draw a tile in its column, and the state below, right of the state before."""
    x, width = number * step + 1, step - ROOM
    tile = draw_tile(canvas, x, 0, state, width / MOST_KEYS)
    box = Box(x, tile.y + CELLS + 24, width, STATE)
    middle = x + width / 2
    canvas.arrow((middle, box.y - 21), (middle, box.y - 2), BLUE)
    draw_state(canvas, box, state)
    if state["shrink"] is not None:
        canvas.arrow((x - ROOM + 2, box.left[1]), (x - 2, box.left[1]), PINK)
        words = f"× {number_of(state['shrink'])}"
        canvas.text(x - ROOM / 2, box.left[1] - 9, words, colour=PINK)


def draw_down(canvas, number, state):
    """Draw a tile, and the state right of it, below the state before."""
    y = canvas.lowest + 22 if number else 1
    tile = draw_tile(canvas, 1, y, state, 34)
    box = Box(104, y, canvas.width - 105, STATE)
    middle = y + LINE + 2 + CELLS / 2
    canvas.arrow((tile.x + 70, middle), (box.x - 2, middle), BLUE)
    draw_state(canvas, box, state)
    if state["shrink"] is not None:
        x, words = box.bottom[0], f"× {number_of(state['shrink'])}"
        canvas.arrow((x, y - 21), (x, y - 2), PINK)
        canvas.text(x + 6, y - 12, words, "left", colour=PINK)
