"""Drawings of text: how it is cut into tokens, and how byte pair encoding grows them."""

import functools
from dataclasses import dataclass
from itertools import groupby, pairwise

from gpt_helpers.architecture.inputs import check_logits
from gpt_helpers.figures.drawings.canvas import LETTER, LINE, PAD, Canvas
from gpt_helpers.figures.drawn import draws
from gpt_helpers.figures.style import BLUE, GREY, ORANGE, PALETTE
from gpt_helpers.tensor_checks import check_tensor
from gpt_helpers.text.tokenizer import build_tokenizer, check_tokenizer, merges_of
from gpt_helpers.validation import (
    check_integer,
    check_sequence,
    check_text,
    checks,
)

SIGNS = str.maketrans({" ": "␣", "\n": "⏎", "\t": "⇥"})
GAP = 3  # points between chips
CHIP = LINE + PAD  # points: the height of a chip


@dataclass(frozen=True)
class Piece:
    """A token of a text: how it is written, its id, and where in the text it begins.

    A token that is less than a character is written as its bytes, in hexadecimal, and part_of
    is that character; else part_of is empty.
    """

    written: str
    id: int
    start: int
    part_of: str


@dataclass(frozen=True)
class Merge:
    """A merge made in a text: its number, what it joins, and the pieces of the text after it."""

    rank: int
    left: str
    right: str
    pieces: list


@checks(text=check_text)
def as_token(text):
    """Return a piece of text with signs for what is not seen: ␣ for a space, ⏎ and ⇥."""
    return text.translate(SIGNS)


check_bpe = functools.partial(lambda name, value: check_tokenizer(value))


@checks(tokenizer=check_bpe, text=check_text)
def pieces_of(tokenizer, text):
    """Return the tokens of a text, a list of Piece."""
    encoding, left, found = tokenizer.encode(text), text.encode(), []
    for token, number, (start, end) in zip(
        encoding.tokens, encoding.ids, encoding.offsets, strict=True
    ):
        part, left = left[: len(token)], left[len(token) :]  # a letter of a token is a byte
        is_whole = text[start:end].encode() == part
        written = as_token(text[start:end]) if is_whole else part.hex(" ").upper()
        found.append(Piece(written, number, start, "" if is_whole else text[start:end]))
    return found


@checks(tokenizer=check_bpe, text=check_text)
def merges_in(tokenizer, text):
    """Return the Merges by which the bytes of a text become its tokens, the first learned first.

    The text is cut with more and more merges; those that change how are what is returned.
    """
    known, decode = merges_of(tokenizer), tokenizer.decoder.decode
    held, found = build_tokenizer([]).encode(text).tokens, []
    for rank, pair in enumerate(known):
        if not set(pair) <= set(held):
            continue
        after = build_tokenizer(known[: rank + 1]).encode(text).tokens
        if after != held:
            left, right, *rest = (as_token(decode([token])) for token in [*pair, *after])
            found.append(Merge(rank, left, right, rest))
            held = after
    return found


@checks(
    tokenizer=check_bpe,
    logits=functools.partial(check_tensor, axes="(V,)", floats=True, empty=False),
)
def likely_next(tokenizer, logits, n_tokens=4):
    """Return {token: (logit, probability)} of the likeliest of logits (V,), the first first."""
    check_logits(logits)
    n_tokens = check_integer("n_tokens", n_tokens, 1, len(logits))
    likely = logits.topk(n_tokens)
    written = [as_token(tokenizer.decode([token])) for token in likely.indices.tolist()]
    shares = logits.softmax(-1)[likely.indices]
    return dict(
        zip(written, zip(likely.values.tolist(), shares.tolist(), strict=True), strict=True)
    )


def check_rows(name, value):
    """Raise ValueError unless value is a list of lists of Piece."""
    check_sequence(name, value)
    for place, row in enumerate(value):
        check_sequence(f"{name}[{place}]", row, Piece)


@draws(texts=check_rows)
def tokens(texts):
    """Draw texts, each a list of Piece, as chips with the id below each.

    A character that is cut into several tokens stands above them.
    """
    canvas, y = Canvas(), 1
    for row in texts:
        y = draw_text(canvas, y, row) + 2 * PAD
    return canvas.finished()


def draw_text(canvas, y, row):
    """Draw the chips of a text from y down, in as many lines as it takes; return where it ends."""
    x, number = 1, 0
    above = LINE if any(piece.part_of for piece in row) else 0
    for (_, character), group in groupby(row, lambda piece: (piece.start, piece.part_of)):
        group = list(group)
        widths = [width_of_chip(piece) for piece in group]
        whole = sum(widths) + GAP * (len(group) - 1)
        if x > 1 and x + whole > canvas.width - 1:
            x, y = 1, y + above + CHIP + LINE + PAD
        if character:
            draw_bracket(canvas, x, y, whole, character)
        for piece, width in zip(group, widths, strict=True):
            colour = PALETTE[number % 5]
            chip = canvas.token(x, y + above, piece.written, colour, width=width)
            canvas.text(chip.bottom[0], y + above + CHIP, piece.id, down="top", colour=GREY)
            x += width + GAP
            number += not character
        number += bool(character)
        x += GAP * bool(character)
    return y + above + CHIP + LINE


def width_of_chip(piece):
    """Return how many points a chip is wide, so that its token and its id fit."""
    return max(len(piece.written) * LETTER + 1.6 * PAD, len(str(piece.id)) * LETTER + 2)


def draw_bracket(canvas, x, y, width, character):
    """Draw a character above the tokens that are parts of it."""
    canvas.text(x + width / 2, y, character, down="top")
    gap = (width - 2 * LINE) / 2
    middle = y + LINE / 2
    for start, end, edge in ((x, x + gap, x), (x + width - gap, x + width, x + width)):
        canvas.line((start, middle), (end, middle), colour=GREY, line=0.8)
        canvas.line((edge, middle), (edge, y + LINE - 1), colour=GREY, line=0.8)


@draws(
    text=check_text,
    merges=functools.partial(check_sequence, kind=Merge),
)
def byte_pairs(text, merges):
    """Draw step by step how the bytes of a text, of one byte a character, become its tokens."""
    if len(text) != len(text.encode()) or "".join(merges[-1].pieces) != as_token(text):
        raise ValueError(f"text={text!r:.60} is not what the merges cut, one byte a character")
    held = list(as_token(text))
    frames = [(f"{len(held)} bytes", draw_merged(text, held, merges[0]))]
    for number, merge in enumerate(merges):
        following = merges[number + 1] if number + 1 < len(merges) else None
        says = f"merge {merge.rank + 1}: {merge.left} + {merge.right}, {len(merge.pieces)} tokens"
        frames.append((says, draw_merged(text, merge.pieces, following, merge)))
    return frames


def draw_merged(text, held, following=None, merge=None):
    """Return the Figure of a text in pieces; blue is what was merged, underlined what will be."""
    canvas = Canvas()
    slot = min(24, (canvas.width - 2) / len(text))
    x, chips, new = 1, [], merge and merge.left + merge.right
    for piece in held:
        colour, alpha = (BLUE, 0.3) if piece == new else (GREY, 0.1)
        chips.append(canvas.token(x, 1, piece, colour, alpha, slot * len(piece) - 2))
        x += slot * len(piece)
    canvas.lowest += 6
    for (left, one), (right, other) in pairwise(zip(chips, held, strict=True)):
        if following and (one, other) == (following.left, following.right):
            y = CHIP + 5
            canvas.line((left.x + 1, y), (right.x + right.width - 1, y), colour=ORANGE, line=2)
    return canvas.finished()
