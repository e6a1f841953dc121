"""What every attention accepts, operands that fit together, and how it multiplies them."""

import torch

from gpt_helpers.tensor_checks import check_plain, check_tensor, is_plain
from gpt_helpers.validation import check_integer, check_real


def check_heads(q, k, v, padding=None, dropout=0.0, window=None):
    """Raise ValueError unless q (B, H, T, D), k and v (B, G, S, D), and the rest fit together."""
    if not (torch.is_tensor(q) and torch.is_tensor(k) and torch.is_tensor(v)):
        found = ", ".join(type(value).__name__ for value in (q, k, v))
        raise ValueError(f"q, k, v are {found}; make them tensors (B, H, T, D)")
    if not (is_plain(q) and is_plain(k) and is_plain(v)):
        for name, value in (("q", q), ("k", k), ("v", v)):
            check_plain(name, value, meta=True)
    if not (q.ndim == k.ndim == 4 and k.shape == v.shape):
        found = f"q {tuple(q.shape)}, k {tuple(k.shape)}, v {tuple(v.shape)}"
        raise ValueError(f"{found}: need q (B, H, T, D), and k and v both (B, G, S, D)")
    (batch, n_heads, n_queries, width), (_, n_groups, n_keys, _) = q.shape, k.shape
    if k.shape != (batch, n_groups, n_keys, width) or q.numel() == 0:
        found = f"q {tuple(q.shape)}, k {tuple(k.shape)}"
        raise ValueError(f"{found}: batch and width must agree and not be empty")
    if n_groups == 0 or n_heads % n_groups:
        raise ValueError(f"H={n_heads} query heads cannot share G={n_groups} key heads evenly")
    if n_queries > n_keys:
        raise ValueError(f"T={n_queries} queries but S={n_keys} keys; need S >= T")
    if not q.dtype == k.dtype == v.dtype or not q.dtype.is_floating_point:
        found = f"dtypes of q, k, v are {q.dtype}, {k.dtype}, {v.dtype}"
        raise ValueError(f"{found}; make them one floating type")
    if not q.device == k.device == v.device:
        check_devices(q=q, k=k, v=v)
    if padding is not None:
        check_padding(padding, k)
    if not (isinstance(dropout, float) and 0 <= dropout < 1):
        check_real("dropout", dropout, at_least=0, below=1)
    if window is not None:
        check_integer("window", window, at_least=1)


def check_places(queries, keys, window=None):
    """Raise ValueError unless queries (T,) and keys (S,) are positions, and window is one."""
    check_tensor("queries", queries, "(T,)", integers=True, meta=True)
    check_tensor("keys", keys, "(S,)", integers=True, meta=True)
    check_devices(queries=queries, keys=keys)
    if window is not None:
        check_integer("window", window, at_least=1)


def check_no_dropout(name, dropout):
    """Raise ValueError if a kernel that cannot drop weights is asked to."""
    if dropout:
        raise ValueError(f"{name} drops no weights, but dropout={dropout}; use attention_fused")


def check_padding(padding, k):
    """Raise ValueError unless padding is a bool tensor (B, S) for the keys k (B, G, S, D)."""
    expected = (k.shape[0], k.shape[2])
    found = getattr(padding, "dtype", type(padding).__name__), *getattr(padding, "shape", ())
    if not isinstance(padding, torch.Tensor) or found != (torch.bool, *expected):
        raise ValueError(f"padding is {found}; it must be bool {expected}, True at real tokens")
    check_plain("padding", padding, meta=True)
    check_devices(k=k, padding=padding)


def check_devices(**tensors):
    """Raise ValueError unless the tensors that are not None are all on one device."""
    given = {name: tensor.device for name, tensor in tensors.items() if tensor is not None}
    if len(set(given.values())) > 1:
        found = ", ".join(f"{name} on {device}" for name, device in given.items())
        raise ValueError(f"{found}; move all to one device with .to(device)")


def widened(x):
    """Return x in float32, or as it is if it is wider."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def wide_product(x, y):
    """Return x @ y in float32 at least, whatever their dtypes are, even under autocast."""
    with without_autocast(x):
        return widened(x) @ widened(y)


def without_autocast(x):
    """Return a context in which products on the device of x keep the dtype of their operands."""
    return torch.autocast("cpu" if x.is_meta else x.device.type, enabled=False)
