"""Causal attention: the mask, the equation, and PyTorch's fused kernel.

Every attention here has one signature, attend(q, k, v, padding=None, dropout=0.0,
window=None), and a model is given one of them. q is (B, H, T, D); k and v are (B, G, S, D),
and H / G query heads in a row share a key head. The T queries are the last T of the S
positions, so S > T means that S - T keys were computed earlier. padding is a bool tensor
(B, S), True at real tokens. With a window of W a query reads the last W keys, its own included.
What attends checks its operands once; the parts of which it is made trust theirs.
"""

import torch
import torch.nn.functional as F

from gpt_helpers.architecture.operands import check_heads, check_places, wide_product
from gpt_helpers.validation import checked_by


@checked_by(check_places)
def causal_mask(queries, keys, window=None):
    """Return the (T, S) bool mask: True where a query may read a key.

    queries (T,) and keys (S,) are positions in the sequence. Two queries at
    positions 3 and 4 against five keys give, without a window and with one of 3,

        1 1 1 1 0        0 1 1 1 0
        1 1 1 1 1        0 0 1 1 1
    """
    visible = keys <= queries[:, None]  # (T, S)
    if window is not None:
        visible = visible & (keys > queries[:, None] - window)  # (T, S)
    return visible


def positions(q, k):
    """Return the positions of the queries (T,) and of the keys (S,)."""
    keys = torch.arange(k.shape[-2], device=k.device)  # (S,)
    return keys[k.shape[-2] - q.shape[-2] :], keys


def visible_keys(queries, keys, padding=None, window=None):
    """Return which keys each query may read: (T, S), or (B, 1, T, S) with padding.

    queries (T,) and keys (S,) are positions, at which padding (B, n) is looked up.
    """
    visible = causal_mask.unchecked(queries, keys, window)  # (T, S)
    if padding is not None:
        visible = visible & padding[:, None, None, keys]  # (B, 1, T, S)
    return visible


def repeat_heads(x, n_head):
    """Return x (B, G, S, D) with each head n_head / G times in a row, (B, H, S, D).

    Source: ainslie2023gqa.
    """
    return x if x.shape[1] == n_head else x.repeat_interleave(n_head // x.shape[1], dim=1)


def scaled_scores(q, k):
    """Return how well queries (B, H, T, D) fit keys (B, G, S, D): (B, H, T, S).

    They are in float32 at least: in 16 bits a score could be too large.
    """
    keys = repeat_heads(k, q.shape[1])  # (B, H, S, D)
    return wide_product(q, keys.mT) / q.shape[-1] ** 0.5  # (B, H, T, S)


def visible_softmax(scores, visible):
    """Return the weights (B, H, T, S) of scores, 0 where a key is not visible."""
    scores = scores.masked_fill(~visible, -torch.inf)  # (B, H, T, S)
    weights = scores.softmax(-1)  # (B, H, T, S)
    # A query that sees no key divides 0 by 0 in the softmax; it reads nothing.
    return weights.masked_fill(~visible, 0.0)  # (B, H, T, S)


def attention(q, k, v, padding=None, dropout=0.0, window=None):
    """Return causal softmax attention (B, H, T, D). Written to be read.

    q is (B, H, T, D); k and v are (B, G, S, D); padding is (B, S) or None. A query
    that sees no key returns zeros. dropout is the probability of dropping a weight.

    Raises ValueError for shapes that do not fit. Source: vaswani2017attention, eq. 1.
    """
    check_heads(q, k, v, padding, dropout, window)
    visible = visible_keys(*positions(q, k), padding, window)
    # The scores have no name here: they are freed when they have been masked.
    weights = visible_softmax(scaled_scores(q, k), visible)  # (B, H, T, S)
    values = repeat_heads(v, q.shape[1])  # (B, H, S, D)
    mixed = wide_product(F.dropout(weights, dropout), values)  # (B, H, T, D)
    return mixed.type_as(q)  # (B, H, T, D)


def attention_weights(q, k, padding=None, window=None):
    """Return the weights (B, H, T, S) of attention; a row sums to 1, or to 0 if blind."""
    check_heads(q, k, k, padding, window=window)
    visible = visible_keys(*positions(q, k), padding, window)
    return visible_softmax(scaled_scores(q, k), visible)  # (B, H, T, S)


def attention_fused(q, k, v, padding=None, dropout=0.0, window=None):
    """Return what attention returns, by PyTorch's scaled_dot_product_attention.

    Arguments and errors are those of attention. The kernel's own is_causal flag counts
    from the first key, so it is right for T = S only; a single new query sees every key.
    """
    check_heads(q, k, v, padding, dropout, window)
    (n_head, n_queries), (n_groups, n_keys) = q.shape[1:3], k.shape[1:3]
    options = {"dropout_p": dropout, "enable_gqa": n_head != n_groups}
    within = window is None or window >= n_keys
    if padding is None and within and n_queries in (1, n_keys):
        return F.scaled_dot_product_attention(q, k, v, is_causal=n_queries > 1, **options)
    visible = visible_keys(*positions(q, k), padding, window)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=visible, **options)
