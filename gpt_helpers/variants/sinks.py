"""Attention in which a head may also read nothing: a learned score beside those of the keys."""

import torch
import torch.nn.functional as F

from gpt_helpers.architecture.attention import attention, positions, repeat_heads, visible_keys
from gpt_helpers.architecture.operands import check_devices, check_heads, wide_product
from gpt_helpers.optimization.tiled import tile_scores
from gpt_helpers.tensor_checks import check_plain


def attention_with_sinks(q, k, v, padding=None, dropout=0.0, window=None, sinks=None):
    """Return attention (B, H, T, D) in which a head may also read nothing.

    sinks (H,) is a score per head beside those of the keys; the weight that it gets reads
    nothing, so that the weights of the keys add up to less than 1. None means none. The other
    arguments and the errors are those of attention.attention.
    Source: openai2025gptoss, sec. 2; xiao2023sinks.
    """
    if sinks is None:
        return attention(q, k, v, padding, dropout, window)
    check_heads(q, k, v, padding, dropout, window)
    check_sinks(sinks, q)
    visible = visible_keys(*positions(q, k), padding, window)
    scores = tile_scores(q, k, visible)  # (B, H, T, S)
    nothing = sinks[:, None, None].to(scores).expand(*scores.shape[:3], 1)  # (B, H, T, 1)
    weights = torch.cat([scores, nothing], dim=-1).softmax(-1)[..., :-1]  # (B, H, T, S)
    values = repeat_heads(v, q.shape[1])  # (B, H, S, D)
    mixed = wide_product(F.dropout(weights, dropout), values)  # (B, H, T, D)
    return mixed.type_as(q)  # (B, H, T, D)


def check_sinks(sinks, q):
    """Raise ValueError unless sinks is a tensor (H,) for the queries q (B, H, T, D)."""
    found = getattr(sinks, "shape", type(sinks).__name__)
    if not isinstance(sinks, torch.Tensor) or sinks.shape != q.shape[1:2]:
        raise ValueError(f"sinks are {found}; they must be one score per head, ({q.shape[1]},)")
    check_plain("sinks", sinks, meta=True)
    if not sinks.is_floating_point():
        raise ValueError(f"sinks has dtype {sinks.dtype}; convert it with .float()")
    check_devices(q=q, sinks=sinks)
