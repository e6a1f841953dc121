"""Sliding windows: layers that read only the last tokens."""

import functools

from torch import nn

from gpt_helpers.validation import check_integer


def use_sliding_window(blocks, window):
    """Let these blocks read only the last window tokens, in place.

    The token itself is one of them. Source: child2019sparse.

    Raises ValueError unless window is a positive integer and all blocks attend.
    """
    check_integer("window", window, at_least=1)
    check_blocks(blocks)
    for block in blocks:
        block.attn.attend = functools.partial(block.attn.attend, window=window)


def window_of(block):
    """Return how many tokens the attention of a block reads, None for all."""
    return getattr(block.attn.attend, "keywords", {}).get("window")


def check_blocks(blocks):
    """Raise ValueError unless blocks is a list of blocks, or an nn.ModuleList of them."""
    found = list(blocks) if isinstance(blocks, list | tuple | nn.ModuleList) else [None]
    if not all(hasattr(getattr(block, "attn", None), "attend") for block in found):
        raise ValueError(
            f"blocks is {type(blocks).__name__} {blocks!r:.60}; give model.transformer.h"
        )
