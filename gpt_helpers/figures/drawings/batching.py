"""Drawings of training data: windows of a stream of tokens, and passes over a batch."""

import numpy as np

from gpt_helpers.figures.drawings.canvas import LINE, PAD, Box, Canvas
from gpt_helpers.figures.drawings.text import as_token
from gpt_helpers.figures.drawn import draws
from gpt_helpers.figures.style import EDGE, GREY, OLIVE, RED, TEAL, VIOLET
from gpt_helpers.validation import check_count, check_integer, check_numbers, check_sequence

CHIP_LETTERS = 5  # letters of a token that are shown
MOST_TOKENS, MOST_ROWS, MOST_PLACES = 60, 3, 8  # of a stream; of a batch
MOST_PASSES, MOST_LOSSES = 8, 40  # and rows of a batch; of a row
ROW_NAME = 40  # points for the name of a row


def check_stream(name, value):
    """Raise ValueError unless value is a list of texts, not too many to draw."""
    check_sequence(name, value, str)
    if len(value) > MOST_TOKENS:
        raise ValueError(f"{name} has {len(value)} tokens; give at most {MOST_TOKENS}")


def check_stream_places(name, value):
    """Raise ValueError unless value is an array (B, T) of a few places in a stream."""
    found = check_numbers(name, value, n_axes=2, above=-1)
    n_rows, n_places = found.shape
    if n_rows > MOST_ROWS or not 2 <= n_places <= MOST_PLACES or (found % 1).any():
        wanted = f"whole numbers, up to {MOST_ROWS} rows of 2 to {MOST_PLACES}"
        raise ValueError(f"{name}={value!r:.60} is {found.shape}; give {wanted}")


@draws(pieces=check_stream, places=check_stream_places)
def windows(pieces, places):
    """Draw a stream of tokens, the windows of a batch in it, and what each place predicts.

    pieces are the tokens of the stream as texts; places (B, T) says where in the stream each
    token of the batch stands, as a batch of Batches(torch.arange(len(pieces)), B, T) does.

    Raises ValueError for a place beyond the stream.
    """
    places = np.asarray(places, dtype=int)
    check_integer("the last of places", int(places.max()), at_most=len(pieces) - 1)
    canvas, batch = Canvas(), [[as_chip(pieces[place]) for place in row] for row in places]
    stream = draw_stream(canvas, len(pieces), places)
    y = stream.y + stream.height + 2 * LINE
    half = canvas.width if canvas.is_narrow else canvas.width * 0.47
    canvas.text(0, y, f"a batch, B = {len(batch)}, T = {len(batch[0])}", "left", "top", bold=True)
    below = y + LINE + PAD
    for number, row in enumerate(batch):
        below = draw_row(canvas, 0, below, half, f"row {number}", row, ROW_COLOURS[number])
    x, y = (0, below + LINE) if canvas.is_narrow else (canvas.width - half, y)
    canvas.text(x, y, "each token predicts the next", "left", "top", bold=True)
    draw_shift(canvas, x, y + LINE + PAD, half, batch[0])
    return canvas.finished()


ROW_COLOURS = (TEAL, VIOLET, OLIVE)  # of the rows of a batch


def as_chip(piece, longest=CHIP_LETTERS):
    """Return a token as it is written on a narrow chip, its end left out if it is long."""
    text = as_token(piece)
    return text if len(text) <= longest else text[: longest - 1] + "…"


def draw_stream(canvas, n_tokens, places):
    """Draw a cell for each token of the stream, those of a window in its colour; return the Box."""
    canvas.text(0, 0, f"the stream of tokens, the first {n_tokens}", "left", "top", bold=True)
    cell, top = canvas.width / n_tokens, LINE + PAD
    for place in range(n_tokens):
        row = next((n for n, row in enumerate(places) if place in row), None)
        box = Box(place * cell + 0.5, top, cell - 1, 16)
        canvas.frame(
            box, EDGE if row is None else ROW_COLOURS[row], 0.15 if row is None else 0.5, 0
        )
    for number, row in enumerate(places):
        middle = (row[0] + len(row) / 2) * cell
        canvas.text(middle, top + 16 + 2, f"row {number}", down="top", colour=ROW_COLOURS[number])
    return Box(0, top, canvas.width, 16)


def draw_row(canvas, x, y, width, name, texts, colour, start=0, n_columns=None):
    """Draw chips in columns, the first of them in column start; return where the next row goes."""
    step = (width - ROW_NAME) / (n_columns or len(texts))
    canvas.text(x, y + (LINE + PAD) / 2, name, "left")
    for column, text in enumerate(texts, start):
        canvas.token(x + ROW_NAME + column * step + 1, y, text, colour, width=step - 2)
    return y + LINE + 2 * PAD


def draw_shift(canvas, x, y, width, texts):
    """Draw inputs above labels, which are the same tokens, each one place further on."""
    n_columns = len(texts) - 1
    step, colour = (width - ROW_NAME) / n_columns, ROW_COLOURS[0]
    draw_row(canvas, x, y, width, "inputs", texts[:-1], colour)
    below = y + LINE + PAD + 18
    draw_row(canvas, x, below, width, "labels", texts[1:], colour)
    for column in range(n_columns):
        middle = x + ROW_NAME + (column + 0.5) * step
        canvas.arrow((middle, y + LINE + PAD + 2), (middle, below - 2))


def check_row_losses(name, value):
    """Raise ValueError unless value is a list of rows, each a few losses of tokens."""
    check_sequence(name, value)
    if len(value) > MOST_PASSES:
        raise ValueError(f"{name} has {len(value)} rows; give at most {MOST_PASSES}")
    for place, row in enumerate(value):
        found = check_numbers(f"{name}[{place}]", row)
        if found.min() < 0 or len(found) > MOST_LOSSES:
            wanted = f"1 to {MOST_LOSSES} losses of 0 or more"
            raise ValueError(f"{name}[{place}]={row!r:.60} must be {wanted}")


@draws(losses=check_row_losses, n_passes=check_count)
def accumulation(losses, n_passes):
    """Draw, step by step, how the loss of a batch is added up over passes.

    losses are, for each row of the batch, those of its tokens that count; rows may be of
    unequal length. Each of the n_passes passes reads equally many rows.

    Raises ValueError where the rows cannot be shared out so.
    """
    rows = [np.asarray(row, dtype=float) for row in losses]
    if len(rows) % n_passes:
        raise ValueError(f"n_passes={n_passes} cannot share out {len(rows)} rows; use a divisor")
    n_rows, total = len(rows) // n_passes, sum(map(len, rows))
    steps = []
    for done in range(1, n_passes + 1):
        read = rows[: done * n_rows]
        added = sum(row.sum() for row in read[-n_rows:])
        caption = f"Pass {done} of {n_passes}: losses of sum {added:.1f} are divided by {total}."
        steps.append((caption, draw_pass(rows, n_rows, done)))
    return [*steps, (LAST, draw_pass(rows, n_rows, n_passes, ends=True))]


LAST = "All tokens weigh the same. The mean of the means of the passes is another number."


def draw_pass(rows, n_rows, done, ends=False):
    """Return the Figure of a batch of which the first passes are done, n_rows rows each."""
    canvas = Canvas()
    longest, total = max(map(len, rows)), sum(map(len, rows))
    side = canvas.width if canvas.is_narrow else canvas.width * 0.5
    cell = min(18, (side - 4) / longest)
    canvas.text(0, 0, f"a batch: {total} tokens count", "left", "top", bold=True)
    y, highest = LINE + PAD, max(row.max() for row in rows)
    for number, row in enumerate(rows):
        is_read, is_now = number < done * n_rows, number // n_rows == done - 1 and not ends
        colour = VIOLET if is_now else TEAL
        for place, loss in enumerate(row):
            box = Box(place * cell, y, cell, 12)
            alpha = 0.1 + 0.6 * loss / highest if is_read else 0.12
            canvas.frame(box, colour if is_read else EDGE, alpha, 0, line=0.6)
        y += 14 + (6 if number % n_rows == n_rows - 1 else 0)
    left, top = (0, y + PAD) if canvas.is_narrow else (canvas.width * 0.54, 0)
    draw_totals(canvas, left, top, canvas.width - left, sums_of(rows, n_rows), done, ends)
    return canvas.finished()


def sums_of(rows, n_rows):
    """Return [(sum of the losses, tokens that count)] of each pass over n_rows rows."""
    parts = [rows[start : start + n_rows] for start in range(0, len(rows), n_rows)]
    return [(sum(row.sum() for row in part), sum(map(len, part))) for part in parts]


def draw_totals(canvas, x, y, width, sums, done, ends):
    """Draw a table of what each pass adds, and below it what has been added up."""
    total, right = sum(count for _, count in sums), x + width
    columns = x + 14, x + width * 0.4, x + width * 0.63, right
    titles = "no.", "sum", "tokens", f"sum / {total}"
    for column, title in zip(columns, titles, strict=True):
        canvas.text(column, y, title, "right" if column > x + 14 else "center", "top", bold=True)
    y += LINE + PAD
    for number, (loss, count) in enumerate(sums[:done]):
        is_now = number == done - 1 and not ends
        cells = number + 1, f"{loss:.1f}", count, f"{loss / total:.3f}"
        for column, text in zip(columns, cells, strict=True):
            where = "right" if column > x + 14 else "center"
            canvas.text(column, y, text, where, "top", VIOLET if is_now else TEAL)
        y += LINE + 2
    y += 2 + (LINE + 2) * (len(sums) - min(done, len(sums)))
    canvas.line((x, y), (right, y), colour=GREY, line=0.8)
    so_far = sum(loss for loss, _ in sums[:done]) / total
    label = "loss of the batch" if done == len(sums) else "so far"
    canvas.text(x, y + 4, label, "left", "top", bold=True)
    canvas.text(right, y + 4, f"{so_far:.3f}", "right", "top", bold=True)
    other = np.mean([loss / count for loss, count in sums])
    if ends:
        canvas.text(x, y + 6 + LINE, "mean of means", "left", "top", RED)
        canvas.text(right, y + 6 + LINE, f"{other:.3f}", "right", "top", RED)
    canvas.used(Box(x, y, width, 8 + 2 * LINE))
