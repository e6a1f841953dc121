"""Rows of prompt and answer: how they are padded, and which tokens the loss counts."""

import torch

from gpt_helpers.architecture.inputs import IGNORED


def padded(rows, side="right", padding=0):
    """Return rows, a list of ids, as one tensor (N, T), T the longest, filled up on one side.

    Raises ValueError for no rows or another side.
    """
    if not rows or side not in ("left", "right"):
        raise ValueError(f"{len(rows)} rows, side={side!r}; give at least one row, left or right")
    flipped = [row.flip(0) if side == "left" else row for row in rows]
    filled = torch.nn.utils.rnn.pad_sequence(flipped, batch_first=True, padding_value=padding)
    return filled.flip(1) if side == "left" else filled  # (N, T)


def answer_labels(ids, marker, padding=0):
    """Return the labels (B, T) for a loss on answers only: ids after the first marker of a row.

    What stands before, the marker itself and padding are not counted. Raises ValueError for a
    row without a marker: there would be nothing to learn from it.
    """
    is_marker = ids == marker
    without = (~is_marker.any(1)).nonzero()[:, 0].tolist()
    if without:
        raise ValueError(f"rows {without[:3]} lack the marker {marker}; an answer follows it")
    after = is_marker.cumsum(1) - is_marker.long() > 0  # (B, T)
    return ids.masked_fill(~after | (ids == padding), IGNORED)  # (B, T)


def token_after(marker, texts):
    """Return the token (N,) after the first marker of each of the texts (N, T); 0 without one."""
    is_marker = texts == marker
    is_first = is_marker & (is_marker.cumsum(1) == 1)  # (N, T)
    return texts[:, 1:].where(is_first[:, :-1], 0).sum(1)  # (N,)


def answer_loss(marker):
    """Return the function (model, ids) -> loss that counts what follows the marker of each row."""

    def loss_of(model, ids):
        return model(ids, labels=answer_labels(ids, marker))["loss"]

    return loss_of


def text_loss(model, ids):
    """Return the loss of all tokens of ids (B, T) but the first and padding, in nats per token."""
    return model(ids, labels=ids.masked_fill(ids == 0, IGNORED))["loss"]
