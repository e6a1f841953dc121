"""The stepper of attention in tiles: which scores are read, and the state that is kept."""

import numpy as np
import torch

from gpt_helpers.figures.drawings.canvas import LINE, PAD, Box, Canvas
from gpt_helpers.figures.drawn import draws
from gpt_helpers.figures.style import BLUE, EDGE, GREEN, INK, ORANGE, PINK
from gpt_helpers.optimization.tiled import (
    initial_softmax_state,
    tile_scores,
    tiles,
    update_online_softmax,
)
from gpt_helpers.validation import check_count, check_numbers

MOST_QUERIES, MOST_WIDTH, MOST_NUMBERS = 8, 64, 3  # that find room: queries, D, numbers of a value
MOST_TILE = 2  # queries of a tile whose states are shown


def check_heads(name, value):
    """Raise ValueError unless value is an array (T, D) of a few vectors."""
    n_rows, width = check_numbers(name, value, n_axes=2).shape
    if n_rows > MOST_QUERIES or width > MOST_WIDTH:
        wanted = f"at most ({MOST_QUERIES}, {MOST_WIDTH})"
        raise ValueError(f"{name}={value!r:.60} is {n_rows, width}; draw {wanted}")


def check_together(q, k, v):
    """Return q, k and v as tensors (T, D); raise ValueError unless they belong together."""
    parts = [torch.tensor(np.asarray(each, dtype=float)) for each in (q, k, v)]
    q, k, v = parts
    if q.shape != k.shape or len(v) != len(k) or v.shape[1] > MOST_NUMBERS:
        shapes = [tuple(part.shape) for part in parts]
        wanted = f"(T, D), (T, D), (T, {MOST_NUMBERS} or fewer)"
        raise ValueError(f"q, k, v are {shapes}; give {wanted}")
    return parts


def tile_states(q, k, v, block_size):
    """Return a row (dict) for each tile of causal attention, in the order in which it is read.

    q and k are (T, D), v is (T, D'). A row has rows and columns, slices; scores, (rows, columns);
    before and after, the states of the queries as (highest, total, mixed), each (rows, ...).
    """
    heads, found = [part[None, None] for part in (q, k, v)], []
    positions = torch.arange(len(q))
    for rows, row_of_tiles in tiles(len(q), len(k), block_size):
        state = initial_softmax_state(heads[2][:, :, rows])
        for columns in row_of_tiles:
            visible = positions[rows, None] >= positions[columns]
            scores = tile_scores(heads[0][:, :, rows], heads[1][:, :, columns], visible)
            after = update_online_softmax(state, scores, heads[2][:, :, columns])
            each = {"rows": rows, "columns": columns, "scores": scores[0, 0]}
            each |= {"before": plain(state), "after": plain(after)}
            found.append(each | {"is_last": columns is row_of_tiles[-1]})
            state = after
    return found


def plain(state):
    """Return the state (highest, total, mixed) of one head without its axes of batch and head."""
    return tuple(part[0, 0] for part in state)


@draws(q=check_heads, k=check_heads, v=check_heads, block_size=check_count)
def tiles_in_turn(q, k, v, block_size=2):
    """Draw, step by step, how tiled attention reads the scores and what it keeps meanwhile.

    q and k (T, D) and v (T, D') are those of one head, at most 8 positions; D' is 3 at most.

    Raises ValueError unless they belong together, and for tiles of more than 2 queries.
    """
    q, k, v = check_together(q, k, v)
    if block_size > MOST_TILE:
        raise ValueError(f"block_size={block_size} queries have no room; use 1 to {MOST_TILE}")
    read = tile_states(q, k, v, block_size)
    steps = []
    for number, tile in enumerate(read):
        rows, columns = (span(tile[name]) for name in ("rows", "columns"))
        words = "The result is o / ℓ." if tile["is_last"] else "m, ℓ and o are carried on."
        caption = f"Queries {rows} read keys {columns}. {words}"
        steps.append((caption, draw_tiles(read, number, len(q))))
    return steps


def span(part):
    """Return the positions of a slice as a text, "2 to 3"."""
    first, last = part.start, part.stop - 1
    return f"{first}" if first == last else f"{first}–{last}"


def draw_tiles(read, number, n_tokens):
    """Return the Figure of the tiles, of which so many were read, and of the states."""
    canvas, side = Canvas(), 16
    cell = min(30, (canvas.width - side - 2) / n_tokens)
    canvas.text(side, 0, "scores: query ↓, key →", "left", "top", bold=True)
    top = 2 * LINE + 4
    for place in range(n_tokens):
        canvas.text(side + (place + 0.5) * cell, top - LINE / 2 - 1, place, colour=ORANGE)
        canvas.text(side / 2, top + (place + 0.5) * cell, place, colour=BLUE)
    for each in range(n_tokens**2):
        row, column = divmod(each, n_tokens)
        box = Box(side + column * cell, top + row * cell, cell, cell)
        canvas.frame(box, EDGE, 0, 0, line=0.4)
    for index, tile in enumerate(read):
        draw_tile(canvas, (side, top), cell, tile, index - number)
    if canvas.is_narrow:
        draw_states(canvas, 0, top + n_tokens * cell + 2 * PAD, canvas.width, read[number])
    else:
        left = side + n_tokens * cell + 32
        draw_states(canvas, left, 0, canvas.width - left, read[number])
    canvas.used(Box(0, 0, 1, top + n_tokens * cell + (7 * LINE + 20 if canvas.is_narrow else 2)))
    return canvas.finished()


def draw_tile(canvas, corner, cell, tile, age):
    """Draw the scores of a tile: with numbers if it is being read (age 0), pale if it was."""
    (left, top), rows, columns = corner, tile["rows"], tile["columns"]
    for (row, column), score in np.ndenumerate(tile["scores"].numpy()):
        x = left + (columns.start + column) * cell
        box = Box(x, top + (rows.start + row) * cell, cell, cell)
        if np.isinf(score) or age > 0:
            continue
        canvas.frame(box, BLUE, 0.3 if age == 0 else 0.1, 0, line=0.4)
        if age == 0:
            canvas.text(*box.centre, number_of(score, 1))
    if age <= 0:
        height, width = tile["scores"].shape
        x, y = left + columns.start * cell, top + rows.start * cell
        outline = Box(x, y, width * cell, height * cell)
        canvas.frame(outline, INK if age == 0 else BLUE, 0, 0, line=1.8 if age == 0 else 0.8)


def number_of(value, digits=2):
    """Return a number with so many digits, and a minus sign."""
    return f"{float(value):.{digits}f}".replace("-", "−")


def draw_states(canvas, x, y, width, tile):
    """Draw the states of the queries of a tile, before and after it was read."""
    n_rows = len(tile["scores"])
    step = width / n_rows
    for row in range(n_rows):
        left = x + row * step
        query = tile["rows"].start + row
        canvas.text(left, y, f"query {query}", "left", "top", BLUE, bold=True)
        lines = state_lines([part[row] for part in tile["before"]],
                            [part[row] for part in tile["after"]], tile["is_last"])  # fmt: skip
        for place, (name, value, colour) in enumerate(lines):
            top = y + (place + 1) * (LINE + 4)
            canvas.text(left, top, name, "left", "top", colour)
            canvas.text(left + step - 12, top, value, "right", "top", colour, bold=name == "o / ℓ")


def state_lines(before, after, is_last):
    """Return [(symbol, value, colour), ...] of the state of one query."""
    is_new = float(before[1]) == 0
    shrink = "" if is_new else number_of((before[0] - after[0]).exp())
    lines = [
        ("shrink by", shrink, PINK),
        ("m", number_of(after[0]), INK),
        ("ℓ", number_of(after[1]), INK),
        ("o", "  ".join(number_of(each) for each in after[2]), GREEN),
    ]
    if is_last:
        lines.append(("o / ℓ", "  ".join(number_of(each) for each in after[2] / after[1]), GREEN))
    return lines
