"""Causal attention: the mask, the equation, and PyTorch's fused kernel.

Every attention here has one signature, attend(q, k, v, padding=None, dropout=0.0),
and a model is given one of them. q is (B, H, T, D); k and v are (B, H, S, D). The T
queries are the last T of the S positions, so S > T means that S - T keys were
computed earlier. padding is a bool tensor (B, S), True at real tokens.
"""

import torch
import torch.nn.functional as F


def causal_mask(queries, keys):
    """Return the (T, S) bool mask: True where a query may read a key.

    queries (T,) and keys (S,) are positions in the sequence. Two queries at
    positions 3 and 4 against five keys give

        1 1 1 1 0
        1 1 1 1 1
    """
    if queries.ndim != 1 or keys.ndim != 1:
        shapes = f"queries {tuple(queries.shape)} and keys {tuple(keys.shape)}"
        raise ValueError(f"{shapes} must both be one-dimensional tensors of positions")
    return keys <= queries[:, None]  # (T, S)


def positions(q, k):
    """Return the positions of the queries (T,) and of the keys (S,)."""
    keys = torch.arange(k.shape[-2], device=k.device)  # (S,)
    return keys[k.shape[-2] - q.shape[-2] :], keys


def visible_keys(q, k, padding=None):
    """Return which keys each query may read: (T, S), or (B, 1, T, S) with padding."""
    visible = causal_mask(*positions(q, k))  # (T, S)
    if padding is not None:
        visible = visible & padding[:, None, None]  # (B, 1, T, S)
    return visible


def attention_weights(q, k, padding=None):
    """Return the softmax weights (B, H, T, S); each row sums to 1, or to 0 if it sees no key."""
    visible = visible_keys(q, k, padding)
    scores = q @ k.mT / q.shape[-1] ** 0.5  # (B, H, T, S)
    scores = scores.masked_fill(~visible, -torch.inf)  # (B, H, T, S)
    weights = scores.softmax(-1)  # (B, H, T, S)
    # A query that sees no key divides 0 by 0 in the softmax; it reads nothing.
    return weights.masked_fill(~visible, 0.0)  # (B, H, T, S)


def attention(q, k, v, padding=None, dropout=0.0):
    """Return causal softmax attention (B, H, T, D). Written to be read.

    q is (B, H, T, D); k and v are (B, H, S, D); padding is (B, S) or None. A query
    that sees no key returns zeros. dropout is the probability of dropping a weight.

    Raises ValueError for shapes that do not fit. Source: vaswani2017attention, eq. 1.
    """
    check_heads(q, k, v, padding, dropout)
    weights = attention_weights(q, k, padding)  # (B, H, T, S)
    return F.dropout(weights, dropout) @ v  # (B, H, T, D)


def attention_fused(q, k, v, padding=None, dropout=0.0):
    """Return what attention returns, by PyTorch's scaled_dot_product_attention.

    Arguments and errors are those of attention. The kernel's own is_causal flag counts
    from the first key, so it is right for T = S only; a single new query sees every key.
    """
    check_heads(q, k, v, padding, dropout)
    if padding is None and q.shape[-2] in (1, k.shape[-2]):
        is_causal = q.shape[-2] > 1
        return F.scaled_dot_product_attention(q, k, v, dropout_p=dropout, is_causal=is_causal)
    visible = visible_keys(q, k, padding)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=visible, dropout_p=dropout)


def check_heads(q, k, v, padding, dropout):
    """Raise ValueError unless the four tensors and the dropout fit together."""
    shapes = f"q {tuple(q.shape)}, k {tuple(k.shape)}, v {tuple(v.shape)}"
    if not (q.ndim == k.ndim == 4 and k.shape == v.shape):
        raise ValueError(f"{shapes}: need q (B, H, T, D), and k and v both (B, H, S, D)")
    if q.shape[:2] != k.shape[:2] or q.shape[3] != k.shape[3] or 0 in q.shape:
        raise ValueError(f"{shapes}: batch, heads and width must agree and not be empty")
    if q.shape[2] > k.shape[2]:
        raise ValueError(f"T={q.shape[2]} queries but S={k.shape[2]} keys; need S >= T")
    if not q.dtype == k.dtype == v.dtype or not q.dtype.is_floating_point:
        raise ValueError(f"dtypes {q.dtype}, {k.dtype}, {v.dtype} must be one floating type")
    if padding is not None and (padding.dtype, padding.shape) != (torch.bool, k[:, 0, :, 0].shape):
        expected = (k.shape[0], k.shape[2])
        found = f"{padding.dtype} {tuple(padding.shape)}"
        raise ValueError(f"padding is {found}; it must be bool {expected}, True at real tokens")
    if not 0 <= dropout < 1:
        raise ValueError(f"dropout={dropout!r} must be at least 0 and below 1")
