"""Sliding windows: layers that read only the last tokens."""

import functools

from gpt_helpers.validation import check_integer


def use_sliding_window(blocks, window):
    """Let these blocks read only the last window tokens, in place.

    The token itself is one of them. Source: child2019sparse.

    Raises ValueError unless window is a positive integer.
    """
    check_integer("window", window, at_least=1)
    for block in blocks:
        block.attn.attend = functools.partial(block.attn.attend, window=window)


def window_of(block):
    """Return how many tokens the attention of a block reads, None for all."""
    return getattr(block.attn.attend, "keywords", {}).get("window")
