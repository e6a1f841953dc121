"""Attention tile by tile, forward and backward: what a kernel does, written to be read."""

import torch
from torch.autograd.function import once_differentiable

from gpt_helpers.architecture.attention import (
    positions,
    repeat_heads,
    scaled_scores,
    visible_keys,
)
from gpt_helpers.architecture.operands import (
    check_heads,
    check_no_dropout,
    widened,
    without_autocast,
)
from gpt_helpers.tensor_checks import check_tensor
from gpt_helpers.validation import check_integer


def attention_tiled(q, k, v, padding=None, dropout=0.0, window=None, block_size=128):
    """Return what attention returns, without ever holding a (T, S) matrix.

    Arguments and errors are those of attention, except that dropout must be 0. Besides the
    result only numbers per query are kept, and a tile of block_size queries and keys at a
    time; the backward pass computes the tiles again. Sums are taken in float32 at least.

    Source: dao2022flash, alg. 1 and 4; milakov2018online.
    """
    check_heads(q, k, v, padding, dropout, window)
    check_no_dropout("attention_tiled", dropout)
    check_integer("block_size", block_size, at_least=1)
    with without_autocast(q):
        return TiledAttention.apply(q, k, v, padding, window, block_size)


def key_tiles(first, last, block_size, window=None):
    """Return the slices of keys that queries at the positions first to last read.

    Tiles that lie wholly in the future, or wholly before the window, are left out.
    Raises ValueError unless 0 <= first <= last, and block_size and window are positive.
    """
    first = check_integer("first", first, at_least=0)
    last = check_integer("last", last, at_least=first)
    block_size = check_integer("block_size", block_size, at_least=1)
    if window is not None:
        window = check_integer("window", window, at_least=1)
    start = 0 if window is None else max(0, first - window + 1)
    starts = range(start // block_size * block_size, last + 1, block_size)
    return [slice(at, min(at + block_size, last + 1)) for at in starts]


def tiles(n_queries, n_keys, block_size, window=None):
    """Return [(rows, [columns, ...])]: slices of the queries, and of the keys that each reads.

    Raises ValueError unless there is a query, as many keys, and key_tiles takes the rest.
    """
    n_queries = check_integer("n_queries", n_queries, at_least=1)
    n_keys = check_integer("n_keys", n_keys, at_least=n_queries)
    block_size = check_integer("block_size", block_size, at_least=1)
    n_earlier, found = n_keys - n_queries, []
    for start in range(0, n_queries, block_size):
        rows = slice(start, min(start + block_size, n_queries))
        first, last = n_earlier + rows.start, n_earlier + rows.stop - 1
        found.append((rows, key_tiles(first, last, block_size, window)))
    return found


def tile_scores(q, k, visible):
    """Return scores (B, H, T, S) of a tile, in float32 at least; -inf if hidden."""
    return scaled_scores(q, k).masked_fill(~visible, -torch.inf)  # (B, H, T, S)


def initial_softmax_state(q):
    """Return the state of queries q (B, H, T, D) that have not read a key yet.

    It is the highest score, the sum of exp(score - highest), and the values weighted by it.
    Raises ValueError unless q is such a tensor of floats.
    """
    check_tensor("q", q, "(B, H, T, D)", floats=True, meta=True)
    mixed = torch.zeros_like(widened(q))  # (B, H, T, D)
    total = mixed[..., :1].clone()  # (B, H, T, 1)
    # Not -inf: the difference of two of them is no number.
    highest = torch.full_like(total, torch.finfo(total.dtype).min)  # (B, H, T, 1)
    return highest, total, mixed


def update_online_softmax(state, scores, values):
    """Return the state of the queries after reading a tile more.

    scores are (B, H, T, S), values (B, H, S, D). What was summed relative to a lower
    maximum is rescaled to the new one. Source: milakov2018online, alg. 3.
    """
    highest, total, mixed = state
    new_highest = highest.maximum(scores.amax(-1, keepdim=True))  # (B, H, T, 1)
    rescale = (highest - new_highest).exp()  # (B, H, T, 1)
    weights = (scores - new_highest).exp()  # (B, H, T, S)
    total = total * rescale + weights.sum(-1, keepdim=True)  # (B, H, T, 1)
    mixed = mixed * rescale + weights @ values  # (B, H, T, D)
    return new_highest, total, mixed


class TiledAttention(torch.autograd.Function):
    """Attention over tiles, forward and backward."""

    @staticmethod
    def forward(ctx, q, k, v, padding, window, block_size):
        """Return the result (B, H, T, D), and keep it with one number per query."""
        (queries, keys), n_head = positions(q, k), q.shape[1]
        result, log_sums = torch.empty_like(q), widened(q.new_empty(*q.shape[:3], 1))
        for rows, row_of_tiles in tiles(q.shape[2], k.shape[2], block_size, window):
            q_tile = q[:, :, rows]
            state = initial_softmax_state(q_tile)
            for columns in row_of_tiles:
                visible = visible_keys(queries[rows], keys[columns], padding, window)
                scores = tile_scores(q_tile, k[:, :, columns], visible)  # (B, H, T, S)
                values = widened(repeat_heads(v[:, :, columns], n_head))
                state = update_online_softmax(state, scores, values)
            highest, total, mixed = state
            # A query that read a key has a total of at least 1; any other has zeros.
            total = total.clamp(min=1)
            result[:, :, rows] = mixed / total
            log_sums[:, :, rows] = highest + total.log()
        ctx.save_for_backward(q, k, v, padding, result, log_sums)
        ctx.settings = window, block_size
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient):
        """Return the gradients of q (B, H, T, D), k and v (B, G, S, D).

        The weights are exp(score - log of the sum). Source: dao2022flash, alg. 4.
        """
        q, k, v, padding, result, log_sums = ctx.saved_tensors
        window, block_size = ctx.settings
        (queries, keys), scale = positions(q, k), q.shape[-1] ** -0.5
        n_head, n_groups = q.shape[1], k.shape[1]
        sums = [torch.zeros_like(widened(x)) for x in (q, k, v)]
        q_gradient, k_gradient, v_gradient = sums
        delta = (widened(gradient) * result).sum(-1, keepdim=True)  # (B, H, T, 1)
        for rows, row_of_tiles in tiles(q.shape[2], k.shape[2], block_size, window):
            q_tile, pull = widened(q[:, :, rows]), widened(gradient[:, :, rows])
            for columns in row_of_tiles:
                pair = (repeat_heads(x[:, :, columns], n_head) for x in (k, v))
                k_tile, v_tile = (widened(x) for x in pair)
                visible = visible_keys(queries[rows], keys[columns], padding, window)
                scores = tile_scores(q_tile, k_tile, visible)  # (B, H, T, S)
                weights = (scores - log_sums[:, :, rows]).exp()  # (B, H, T, S)
                slopes = weights * (pull @ v_tile.mT - delta[:, :, rows])  # (B, H, T, S)
                slopes = slopes * scale  # (B, H, T, S)
                q_gradient[:, :, rows] += slopes @ k_tile
                k_gradient[:, :, columns] += sum_heads(slopes.mT @ q_tile, n_groups)
                v_gradient[:, :, columns] += sum_heads(weights.mT @ pull, n_groups)
        gradients = (total.type_as(x) for total, x in zip(sums, (q, k, v), strict=True))
        return *gradients, None, None, None


def sum_heads(x, n_groups):
    """Return x (B, H, S, D) with the heads that share one of n_groups added up, (B, G, S, D)."""
    return x if x.shape[1] == n_groups else x.unflatten(1, (n_groups, -1)).sum(2)
