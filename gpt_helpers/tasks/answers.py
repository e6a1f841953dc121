"""Rows of prompt and answer: how they are padded, and which tokens the loss counts."""

import functools

import torch
import torch.nn.functional as F

from gpt_helpers.architecture.inputs import IGNORED
from gpt_helpers.architecture.losses import TokenLoss


def padded(rows, side="right", padding=0):
    """Return rows, a list of ids, as one tensor (N, T), T the longest, filled up on one side.

    Raises ValueError for no rows or another side.
    """
    if not rows or side not in ("left", "right"):
        raise ValueError(f"{len(rows)} rows, side={side!r}; give at least one row, left or right")
    flipped = [row.flip(0) if side == "left" else row for row in rows]
    filled = torch.nn.utils.rnn.pad_sequence(flipped, batch_first=True, padding_value=padding)
    return filled.flip(1) if side == "left" else filled  # (N, T)


def text_labels(ids, padding=0, end_is_padding=False):
    """Return the labels (B, T) for a loss on ids (B, T): all but padding, which fills rows up.

    With end_is_padding the same id also ends a text, as in the tokenizer of the book: of several
    in a row the first is then an end, and counted.
    """
    is_padding = ids == padding  # (B, T)
    if end_is_padding:
        is_padding = is_padding & F.pad(is_padding[:, :-1], (1, 0))  # (B, T)
    return ids.masked_fill(is_padding, IGNORED)  # (B, T)


def answer_labels(ids, marker, padding=0, end_is_padding=False):
    """Return the labels (B, T) for a loss on answers only: ids after the first marker of a row.

    What stands before, the marker itself and padding, as text_labels tells it, are not counted.
    Raises ValueError for a row without a marker: there would be nothing to learn from it.
    """
    is_marker = ids == marker
    without = (~is_marker.any(1)).nonzero()[:, 0].tolist()
    if without:
        raise ValueError(f"rows {without[:3]} lack the marker {marker}; an answer follows it")
    after = is_marker.cumsum(1) - is_marker.long() > 0  # (B, T)
    return text_labels(ids, padding, end_is_padding).masked_fill(~after, IGNORED)  # (B, T)


def token_after(marker, texts):
    """Return the token (N,) after the first marker of each of the texts (N, T); 0 without one."""
    is_marker = texts == marker
    is_first = is_marker & (is_marker.cumsum(1) == 1)  # (N, T)
    return texts[:, 1:].where(is_first[:, :-1], 0).sum(1)  # (N,)


def answer_loss(marker, padding=0, end_is_padding=False):
    """Return the TokenLoss of what follows the marker of each row, as answer_labels has it."""
    settings = {"marker": marker, "padding": padding, "end_is_padding": end_is_padding}
    return TokenLoss(functools.partial(answer_labels, **settings))


text_loss = TokenLoss(text_labels)  # of all tokens but the first and padding, which is id 0
