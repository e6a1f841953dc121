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
    check_positions(queries, keys)
    return keys <= queries[:, None]  # (T, S)


def positions(q, k):
    """Return the positions of the queries (T,) and of the keys (S,)."""
    check_heads(q, k, k)
    keys = torch.arange(k.shape[-2], device=k.device)  # (S,)
    return keys[k.shape[-2] - q.shape[-2] :], keys


def visible_keys(q, k, padding=None):
    """Return which keys each query may read: (T, S), or (B, 1, T, S) with padding."""
    check_heads(q, k, k, padding)
    visible = causal_mask(*positions(q, k))  # (T, S)
    if padding is not None:
        visible = visible & padding[:, None, None]  # (B, 1, T, S)
    return visible


def attention_weights(q, k, padding=None):
    """Return the softmax weights (B, H, T, S); a row sums to 1, or to 0 if blind."""
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


def check_positions(queries, keys):
    """Raise ValueError unless both are one-dimensional tensors of integers."""
    for name, value in {"queries": queries, "keys": keys}.items():
        if not isinstance(value, torch.Tensor) or value.ndim != 1:
            found = tuple(value.shape) if isinstance(value, torch.Tensor) else repr(value)
            raise ValueError(f"{name} is {found}; make it a one-dimensional tensor of positions")
        if value.dtype not in (torch.int64, torch.int32):
            raise ValueError(f"{name} has dtype {value.dtype}; convert positions with .long()")
    check_devices(queries=queries, keys=keys)


def check_heads(q, k, v, padding=None, dropout=0.0):
    """Raise ValueError unless the four tensors and the dropout fit together."""
    if not (torch.is_tensor(q) and torch.is_tensor(k) and torch.is_tensor(v)):
        found = ", ".join(type(value).__name__ for value in (q, k, v))
        raise ValueError(f"q, k, v are {found}; make them tensors (B, H, T, D)")
    if not (q.ndim == k.ndim == 4 and k.shape == v.shape):
        found = f"q {tuple(q.shape)}, k {tuple(k.shape)}, v {tuple(v.shape)}"
        raise ValueError(f"{found}: need q (B, H, T, D), and k and v both (B, H, S, D)")
    (batch, n_heads, n_queries, width), n_keys = q.shape, k.shape[2]
    if k.shape != (batch, n_heads, n_keys, width) or q.numel() == 0:
        found = f"q {tuple(q.shape)}, k {tuple(k.shape)}"
        raise ValueError(f"{found}: batch, heads and width must agree and not be empty")
    if n_queries > n_keys:
        raise ValueError(f"T={n_queries} queries but S={n_keys} keys; need S >= T")
    if not q.dtype == k.dtype == v.dtype or not q.dtype.is_floating_point:
        raise ValueError(f"dtypes {q.dtype}, {k.dtype}, {v.dtype} must be one floating type")
    if not q.device == k.device == v.device:
        check_devices(q=q, k=k, v=v)
    if padding is not None:
        check_padding(padding, k)
    if not isinstance(dropout, float | int) or dropout is True or not 0 <= dropout < 1:
        raise ValueError(f"dropout={dropout!r} must be a number, at least 0 and below 1")


def check_padding(padding, k):
    """Raise ValueError unless padding is a bool tensor (B, S) for the keys k (B, H, S, D)."""
    expected = (k.shape[0], k.shape[2])
    found = getattr(padding, "dtype", type(padding).__name__), *getattr(padding, "shape", ())
    if not isinstance(padding, torch.Tensor) or found != (torch.bool, *expected):
        raise ValueError(f"padding is {found}; it must be bool {expected}, True at real tokens")
    check_devices(k=k, padding=padding)


def check_devices(**tensors):
    """Raise ValueError unless the tensors that are not None are all on one device."""
    given = {name: tensor.device for name, tensor in tensors.items() if tensor is not None}
    if len(set(given.values())) > 1:
        found = ", ".join(f"{name} on {device}" for name, device in given.items())
        raise ValueError(f"{found}; move all to one device with .to(device)")
