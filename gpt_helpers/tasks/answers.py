"""Rows of prompt and answer: how they are padded, and which tokens the loss counts."""

from functools import partial

import torch
import torch.nn.functional as F

from gpt_helpers.architecture.inputs import IGNORED
from gpt_helpers.architecture.losses import TokenLoss
from gpt_helpers.tensor_checks import check_tensor
from gpt_helpers.validation import (
    check_choice,
    check_flag,
    check_integer,
    check_natural,
    check_sequence,
    checks,
)

check_id_rows = partial(check_tensor, axes="(B, T)", integers=True)


@checks(side=partial(check_choice, choices=("left", "right")), padding=check_integer)
def padded(rows, side="right", padding=0):
    """Return rows, a list of ids, as one tensor (N, T), T the longest, filled up on one side.

    Raises ValueError for no rows, what are no rows, or another side.
    """
    check_sequence("rows", rows, torch.Tensor, empty=True)
    if not rows:
        raise ValueError("0 rows have no longest; give at least one")
    for place, row in enumerate(rows):
        check_tensor(f"rows[{place}]", row, "(T,)", integers=True)
    flipped = [row.flip(0) if side == "left" else row for row in rows]
    filled = torch.nn.utils.rnn.pad_sequence(flipped, batch_first=True, padding_value=padding)
    return filled.flip(1) if side == "left" else filled  # (N, T)


@checks(ids=check_id_rows, padding=check_integer, end_is_padding=check_flag)
def text_labels(ids, padding=0, end_is_padding=False):
    """Return the labels (B, T) for a loss on ids (B, T): all but padding, which fills rows up.

    With end_is_padding the same id also ends a text, as in the tokenizer of the book: of several
    in a row the first is then an end, and counted.
    """
    is_padding = ids == padding  # (B, T)
    if end_is_padding:
        is_padding = is_padding & F.pad(is_padding[:, :-1], (1, 0))  # (B, T)
    return ids.masked_fill(is_padding, IGNORED)  # (B, T)


@checks(ids=check_id_rows, marker=check_natural, padding=check_integer, end_is_padding=check_flag)
def answer_labels(ids, marker, padding=0, end_is_padding=False):
    """Return the labels (B, T) for a loss on answers only: ids after the first marker of a row.

    What stands before, the marker itself and padding, as text_labels tells it, are not counted.
    Raises ValueError for a row without a marker: there would be nothing to learn from it.
    """
    if marker == padding:
        raise ValueError(f"marker={marker} is the padding; an answer follows another token")
    is_marker = ids == marker
    without = (~is_marker.any(1)).nonzero()[:, 0].tolist()
    if without:
        raise ValueError(
            f"ids lack the marker {marker} in rows {without[:3]}; an answer follows it"
        )
    after = is_marker.cumsum(1) - is_marker.long() > 0  # (B, T)
    return text_labels(ids, padding, end_is_padding).masked_fill(~after, IGNORED)  # (B, T)


def token_after(marker, texts):
    """Return the token (N,) after the first marker of each of the texts (N, T); 0 without one."""
    is_marker = texts == marker
    is_first = is_marker & (is_marker.cumsum(1) == 1)  # (N, T)
    return texts[:, 1:].where(is_first[:, :-1], 0).sum(1)  # (N,)


@checks(marker=check_natural, padding=check_integer, end_is_padding=check_flag)
def answer_loss(marker, padding=0, end_is_padding=False):
    """Return the TokenLoss of what follows the marker of each row, as answer_labels has it."""
    settings = {"marker": marker, "padding": padding, "end_is_padding": end_is_padding}
    return TokenLoss(partial(answer_labels, **settings))


text_loss = TokenLoss(text_labels)  # of all tokens but the first and padding, which is id 0
