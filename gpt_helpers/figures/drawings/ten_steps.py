"""The way of one token through a GPT in ten steps, each a question, an answer and a picture.

What goes out of a step comes into the next one: vectors.py draws it in one place. The pictures
of the steps inside the blocks are in passing.py, the words of all in telling.py.
"""

import functools

from gpt_helpers.architecture.journey import Journey
from gpt_helpers.config import check_config
from gpt_helpers.figures.drawings import passing, telling
from gpt_helpers.figures.drawings.canvas import LINE, Box, signed
from gpt_helpers.figures.drawings.text import CHIP, Merge, Piece, as_token, check_written
from gpt_helpers.figures.drawings.vectors import (
    INPUT,
    LEFT,
    OUTPUT,
    STRIP,
    TOKEN,
    new_sheet,
    put_down,
    put_plus,
    put_skyline,
    put_strip,
    put_tokens,
    slot_of,
)
from gpt_helpers.figures.drawn import draws
from gpt_helpers.figures.style import BLUE, CONCEPTS, GREY, INK
from gpt_helpers.validation import check_instance, check_sequence, check_text

WTE, WPE, STREAM = CONCEPTS["wte"], CONCEPTS["wpe"], CONCEPTS["residual"]
MOST_LETTERS, MOST_TOKENS, MOST_MERGES, MOST_LAYERS = 16, 5, 4, 6  # that have room
N_LIKELY = 5  # tokens of which logits and probabilities are drawn
OTHER = 0.15, 0.5  # how dark a likely token is, and that which the dice has chosen


@draws(
    config=lambda name, value: check_config(value),
    line=check_text,
    pieces=functools.partial(check_sequence, kind=Piece),
    merges=functools.partial(check_sequence, kind=Merge),
    journey=functools.partial(check_instance, kind=Journey),
    likely=check_written,
    layout="story",
)
def story(config, line, pieces, merges, journey, likely):
    """Draw in ten steps how a model reads a line, and what becomes of its last token.

    pieces are the tokens of the line, merges those that make the last of them; likely are the
    five tokens with the highest logits of the journey, as they are written, the first first.
    """
    check_pieces_of(line, pieces, merges, journey)
    check_likely(journey, likely)
    if not 2 <= config.n_layer <= MOST_LAYERS:
        raise ValueError(f"config has {config.n_layer} layers; 2 to {MOST_LAYERS} can be drawn")
    pictures = [
        merging_picture(line, pieces, merges),
        lookup_picture(config, pieces, journey),
        passing.norm_picture(pieces, journey, config.layer_norm_epsilon),
        passing.projections_picture(pieces, journey),
        passing.weights_picture(pieces, journey),
        passing.mixing_picture(pieces, journey),
        passing.mlp_picture(pieces, journey),
        passing.blocks_picture(pieces, journey),
        logits_picture(pieces, journey, likely),
        dice_picture(pieces, journey, likely),
    ]
    words = telling.words_of_steps(config, line, pieces, merges, journey, likely)
    return list(zip(words, pictures, strict=True))


def check_pieces_of(line, pieces, merges, journey):
    """Raise ValueError unless pieces are the tokens of a short line, and merges make the last."""
    written = [piece.written for piece in pieces]
    if "".join(written) != as_token(line) or not line.isascii() or len(line) > MOST_LETTERS:
        raise ValueError(
            f"line={line!r:.60} is not what pieces are of; give {MOST_LETTERS} letters of ASCII"
        )
    if [piece.id for piece in pieces] != journey.ids or len(pieces) > MOST_TOKENS:
        raise ValueError(f"pieces={written} are not what the journey read, {MOST_TOKENS} at most")
    if merges[-1].pieces != written[-1:] or len(merges) > MOST_MERGES:
        raise ValueError(
            f"merges={merges!r:.60} do not make {written[-1]!r}, {MOST_MERGES} at most"
        )


def check_likely(journey, likely):
    """Raise ValueError unless there are five likely tokens, and the dice has chosen one of them."""
    if len(likely) != N_LIKELY:
        raise ValueError(f"likely={likely!r:.60} must be {N_LIKELY} tokens")
    if journey.chosen not in list(journey.probabilities)[:N_LIKELY]:
        raise ValueError(
            f"journey chose token {journey.chosen}, none of likely; follow with a seed"
        )


def merging_picture(line, pieces, merges):
    """Return the Figure of letters, their bytes, and the merges that make the last token."""
    canvas = new_sheet()
    slot, start = slot_of(canvas, pieces), len(line) - len(pieces[-1].written)
    for place, letter in enumerate(line):
        x, colour = 2 + slot * place, TOKEN if place >= start else GREY
        alpha = 0.35 if place >= start else 0.12
        canvas.token(x, 1, as_token(letter), colour, alpha, width=slot - 2)
        canvas.text(x + slot / 2 - 1, 1 + CHIP, f"{ord(letter):02X}", down="top", colour=colour)
    top = 2 * CHIP + LINE
    step = min(40, (OUTPUT - top) / len(merges))
    for number, merge in enumerate(merges):
        y, x = top + step * number, 2 + slot * start
        canvas.text(x - 6, y + CHIP / 2, f"merge {merge.rank + 1}", "right", colour=GREY)
        for piece in merge.pieces:
            width = slot * len(piece)
            alpha = 0.35 if piece == merge.left + merge.right else 0.08
            canvas.token(x, y, piece, TOKEN, alpha, width - 2)
            x += width
    last = put_tokens(canvas, pieces, OUTPUT)
    canvas.arrow((last.centre[0], y + CHIP + 3), (last.centre[0], OUTPUT - 3), TOKEN)
    put_ids(canvas, pieces, OUTPUT + CHIP)
    return canvas.finished()


def put_ids(canvas, pieces, y):
    """Write the number of each token below it."""
    x, slot = 2, slot_of(canvas, pieces)
    for piece in pieces:
        width = slot * len(piece.written)
        colour = TOKEN if piece is pieces[-1] else GREY
        canvas.text(x + width / 2 - 1, y, piece.id, down="top", colour=colour)
        x += width


def lookup_picture(config, pieces, journey):
    """Return the Figure of the two rows that are looked up, and of their sum."""
    canvas, position = new_sheet(), len(pieces) - 1
    put_tokens(canvas, pieces)
    put_ids(canvas, pieces, CHIP + 1)
    sizes, asked = (config.vocab_size, config.n_positions), (pieces[-1].id, position)
    names = zip(("wte", "wpe"), (WTE, WPE), sizes, asked, journey.rows, strict=True)
    for row, (name, colour, size, index, values) in enumerate(names):
        x, y = 2 + row * canvas.width / 2, 60
        title = f"{name} ({size}, {len(values)})"
        canvas.text(x, y - 3, title, "left", "bottom", colour)
        table = canvas.matrix(x, y, [[0], [0], [1], [0], [0]], colour, 6, width=44)
        canvas.text(x + 49, table.centre[1], f"row {index}", "left", colour=colour)
        put_strip(canvas, 106 + (STRIP + 6) * row, values, colour, name, str(index))
    put_plus(canvas, OUTPUT - 5)
    put_strip(canvas, OUTPUT, journey.stream[0], STREAM, "x")
    return canvas.finished()


def logits_picture(pieces, journey, likely):
    """Return the Figure of the last norm, and of the logits of all tokens."""
    canvas = new_sheet()
    put_tokens(canvas, pieces)
    put_strip(canvas, INPUT, journey.stream[-1], STREAM, "x")
    middle = INPUT + STRIP + 18
    put_down(canvas, INPUT + STRIP, middle, "ln_f")
    strip = put_strip(canvas, middle, journey.final, CONCEPTS["norm"], "n")
    top = middle + STRIP + 18
    says = f"· each of {len(journey.logits):,} rows of wte"
    put_down(canvas, middle + STRIP, top, says, WTE)
    logits = Box(LEFT + 6, top + 1, strip.width - 6, OUTPUT - top - 8)
    put_skyline(canvas, logits, journey.logits, BLUE)
    canvas.text(1, logits.centre[1], "logits", "left", colour=BLUE)
    put_likely(canvas, OUTPUT, journey, likely)
    return canvas.finished()


def middles_of(canvas):
    """Return the middles of the columns of the likely tokens."""
    width = (canvas.width - 4) / N_LIKELY
    return [2 + width * (place + 0.5) for place in range(N_LIKELY)]


def put_likely(canvas, y, journey, likely):
    """Draw the likeliest tokens, and the logit of each below it."""
    ids = list(journey.probabilities)[:N_LIKELY]
    for x, token, written in zip(middles_of(canvas), ids, likely, strict=True):
        alpha = OTHER[token == journey.chosen and y == INPUT]
        canvas.token(x - 18, y, written, BLUE, alpha, width=36)
        canvas.text(x, y + CHIP + 2, signed(journey.logits[token]), down="top", colour=BLUE)


def dice_picture(pieces, journey, likely):
    """Return the Figure of probabilities, and of the dice that falls on one of them."""
    canvas = new_sheet()
    put_tokens(canvas, pieces)
    put_likely(canvas, INPUT, journey, likely)
    found = list(journey.probabilities.items())[:N_LIKELY]
    y, bottom, high = INPUT + STRIP, 146, 42
    canvas.text(2, y + 6, f"÷ {journey.temperature:g}, softmax", "left", colour=GREY)
    for x, (token, share) in zip(middles_of(canvas), found, strict=True):
        height = high * share / found[0][1]
        bar = Box(x - 14, bottom - height, 28, height)
        canvas.frame(bar, BLUE, OTHER[token == journey.chosen], rounded=0, line=0.6)
        canvas.text(x, bar.y - 2, f"{share:.1%}", down="bottom")
    place = put_line(canvas, bottom + 22, journey, found, likely)
    put_tokens(canvas, pieces, OUTPUT + 12)
    end = 2 + slot_of(canvas, pieces) * sum(len(piece.written) for piece in pieces)
    new = canvas.token(end, OUTPUT + 12, chosen_name(journey, likely), BLUE, OTHER[1])
    canvas.arrow(place, (new.centre[0], new.y - 2), BLUE)
    return canvas.finished()


def chosen_name(journey, likely):
    """Return how the token that the dice chooses is written."""
    return likely[list(journey.probabilities).index(journey.chosen)]


def put_line(canvas, y, journey, found, likely):
    """Draw the line from 0 to 1, the parts of the tokens on it, and the dice; return its place."""
    x, length = 2, canvas.width - 4
    for (token, share), written in zip(found, likely, strict=True):
        part = Box(x, y, length * share, CHIP)
        canvas.frame(part, BLUE, OTHER[token == journey.chosen], rounded=0, line=0.6)
        if part.width > 20:
            canvas.text(*part.centre, written, mono=True)
        x += part.width
    canvas.frame(Box(2, y, length, CHIP), GREY, rounded=0, line=0.6)
    place = 2 + length * journey.dice
    canvas.line((place, y - 5), (place, y + CHIP + 3), colour=INK, line=1.6)
    canvas.text(place, y - 4, f"dice {signed(journey.dice)}", down="bottom", bold=True)
    return place, y + CHIP + 5
