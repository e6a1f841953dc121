"""Positions as rotations: the angles of positions, and the rotation of queries and keys.

In shapes, P is the number of pairs of a head that turn, at most D / 2, N is B, or 1 where all
rows are alike, M any number of heads, and W any width.
"""

from numbers import Integral

import torch

from gpt_helpers.architecture.operands import check_devices
from gpt_helpers.tensor_checks import check_plain, check_tensor, is_plain
from gpt_helpers.validation import check_callable, check_fields, check_integer, check_real

BASE = 10000.0


def rotary_angles(position_ids, head_width, base=BASE, rescale=None):
    """Return the cosines and the sines (N, 1, T, P) of the angles of positions (N, T), in float32.

    Pair p of the P = head_width / 2 turns by base ** (-p / P) radians per position. rescale is
    a function of these frequencies (P,) that returns them for longer texts. The axis of size 1
    is for the heads, which turn alike. In 16 bits neighbouring positions would be the same.

    Raises ValueError unless position_ids are integers (N, T), head_width is even and base is
    a number above 0. Source: su2021roformer, eq. 15.
    """
    check_tensor("position_ids", position_ids, "(N, T)", integers=True)
    check_pairs(head_width)
    check_real("base", base, above=0)
    options = {"device": position_ids.device, "dtype": torch.float32}
    pairs = torch.arange(head_width // 2, **options)  # (P,)
    frequencies = base ** (-2 * pairs / head_width)  # (P,)
    if rescale is not None:
        check_callable("rescale", rescale)
        frequencies = rescale(frequencies)  # (P,)
    angles = position_ids[:, None, :, None] * frequencies  # (N, 1, T, P)
    return angles.cos(), angles.sin()  # (N, 1, T, P)


def rotate(x, rotation):
    """Return x (B, M, T, W) of any M heads with each pair (x[p], x[p + P]) turned by its angle.

    rotation is the result of rotary_angles; columns from 2P on are left as they are. The
    product of a rotated query with a rotated key depends on the difference of their positions
    only. The pairs are those of Llama; the source pairs neighbours, as rotate_neighbours does.

    Raises ValueError for a rotation that does not fit x. Source: su2021roformer, eq. 34.
    """
    check_rotation(x, rotation)
    n_pairs = rotation[0].shape[-1]
    first, second, rest = x.tensor_split((n_pairs, 2 * n_pairs), dim=-1)
    first, second = rotated_pairs(first, second, rotation)  # (B, M, T, P)
    return torch.cat([first, second, rest], dim=-1).type_as(x)  # (B, M, T, W)


def rotate_neighbours(x, rotation):
    """Return x (B, M, T, W) with each pair (x[2p], x[2p + 1]) turned by its angle.

    It is rotate in another order of the columns. Raises ValueError for a rotation that does
    not fit x. Source: su2021roformer, eq. 34.
    """
    check_rotation(x, rotation)
    pairs, rest = x.tensor_split((2 * rotation[0].shape[-1],), dim=-1)
    halves = pairs[..., ::2], pairs[..., 1::2]
    first, second = rotated_pairs(*halves, rotation)  # (B, M, T, P)
    neighbours = torch.stack([first, second], dim=-1).flatten(-2)  # (B, M, T, 2P)
    return torch.cat([neighbours, rest], dim=-1).type_as(x)  # (B, M, T, W)


def rotated_pairs(first, second, rotation):
    """Return the first and the second of all pairs, each (B, M, T, P), turned by their angles."""
    cosines, sines = rotation
    turned = torch.addcmul(first * cosines, second, sines, value=-1)  # (B, M, T, P)
    return turned, torch.addcmul(second * cosines, first, sines)  # (B, M, T, P)


def turning_width(config):
    """Return how many columns of a head turn: rotary_width, or all where a config has none."""
    return getattr(config, "rotary_width", None) or config.head_width


def check_pairs(head_width):
    """Raise ValueError unless a head, or what turns of it, divides into pairs."""
    check_integer("head_width", head_width, at_least=2)
    if head_width % 2:
        raise ValueError(
            f"head_width={head_width} does not divide into pairs; make what turns of a head, by"
            " default n_embd / n_head, even"
        )


def check_rotary_width(config):
    """Raise ValueError unless config.rotary_width columns of a head can turn, or None for all."""
    width = config.rotary_width
    is_fitting = isinstance(width, Integral) and width in range(2, config.head_width + 1, 2)
    if width is not None and not is_fitting:
        raise ValueError(
            f"rotary_width={width!r} must be even, and 2 to head_width={config.head_width}, or"
            " None for all"
        )
    if width is not None:
        check_fields(config, check_integer, "rotary_width")


def check_rotation(x, rotation):
    """Raise ValueError unless rotation, two tensors (N, 1, T, P), fits x (B, H, T, D)."""
    if not isinstance(x, torch.Tensor) or x.ndim != 4:
        found = getattr(x, "shape", type(x).__name__)
        raise ValueError(f"x is {found}; it must be a tensor (B, H, T, D)")
    if not is_plain(x):
        check_plain("x", x, meta=True)
    if not x.is_floating_point():
        raise ValueError(f"x has dtype {x.dtype}; convert it with .float()")
    batch, _, n_tokens, width = x.shape
    parts = rotation if isinstance(rotation, tuple) else ()
    shapes = [getattr(part, "shape", type(part).__name__) for part in parts]
    n_pairs = next((part.shape[3] for part in parts if getattr(part, "ndim", 0) == 4), width)
    fitting = [(rows, 1, n_tokens, n_pairs) for rows in (1, batch)]
    is_pair = len(shapes) == 2 and shapes[0] == shapes[1]
    if not is_pair or shapes[0] not in fitting or 2 * n_pairs > width:
        raise ValueError(
            f"rotation is {shapes}, x {tuple(x.shape)}; use rotary_angles(position_ids,"
            f" {width}), or a smaller width, with one position per token"
        )
    if any(part.device != x.device for part in parts):
        check_devices(x=x, cosines=parts[0], sines=parts[1])
