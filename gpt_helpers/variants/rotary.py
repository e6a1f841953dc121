"""Positions as rotations: the angles, the rotation, and the parts of a GPT that is placed by them.

The interface is that of GPT-2: the same arguments, results, cache and generate. In shapes,
P is the number of pairs of a head that turn, at most D / 2, N is B, or 1 where all rows are
alike, M any number of heads, and W any width.
"""

import math

import torch
import torch.nn as nn

from gpt_helpers.architecture.attention import attention_fused
from gpt_helpers.architecture.inputs import refuse_misfits
from gpt_helpers.architecture.model import (
    GPTAttention,
    GPTLMHeadModel,
    GPTModel,
    init_weights,
    split_heads,
)
from gpt_helpers.config import check_config
from gpt_helpers.validation import check_callable, check_real, check_tensor

BASE = 10000.0


def rotary_angles(position_ids, head_width, base=BASE, rope_factor=None):
    """Return the cosines and the sines (N, 1, T, P) of the angles of positions (N, T).

    Pair p of the P = head_width / 2 turns by base ** (-p / P) radians per position. rope_factor
    is a function of these frequencies (P,) that returns them for longer texts. The axis of
    size 1 is for the heads, which turn alike.

    Raises ValueError unless position_ids are integers (N, T), head_width is even and base is
    a number above 0. Source: su2021roformer, eq. 15.
    """
    check_tensor("position_ids", position_ids, "(N, T)", integers=True)
    check_pairs(head_width)
    check_real("base", base, above=0)
    pairs = torch.arange(head_width // 2, device=position_ids.device)  # (P,)
    frequencies = base ** (-2 * pairs / head_width)  # (P,)
    if rope_factor is not None:
        frequencies = rope_factor(frequencies)  # (P,)
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
    cosines, sines = rotation
    n_pairs = cosines.shape[-1]
    first, second, rest = x.tensor_split((n_pairs, 2 * n_pairs), dim=-1)
    turned_first = torch.addcmul(first * cosines, second, sines, value=-1)  # (B, M, T, P)
    turned_second = torch.addcmul(second * cosines, first, sines)  # (B, M, T, P)
    return torch.cat([turned_first, turned_second, rest], dim=-1).type_as(x)  # (B, M, T, W)


def rotate_neighbours(x, rotation):
    """Return x (B, M, T, W) with each pair (x[2p], x[2p + 1]) turned by its angle.

    It is rotate in another order of the columns. Raises ValueError for a rotation that does
    not fit x. Source: su2021roformer, eq. 34.
    """
    check_rotation(x, rotation)
    columns, n_turned = torch.arange(x.shape[-1], device=x.device), 2 * rotation[0].shape[-1]
    turned, rest = columns[:n_turned], columns[n_turned:]
    order = torch.cat([turned[::2], turned[1::2], rest])  # (W,)
    return rotate(x[..., order], rotation)[..., order.argsort()]  # (B, M, T, W)


def yarn_attention_factor(rope_factor):
    """Return by how much longer queries and keys are where texts are rope_factor times longer.

    Scores grow by the square of it, so that the softmax over more keys stays as sharp.

    Raises ValueError unless rope_factor is a number of at least 1. Source: peng2023yarn.
    """
    check_real("rope_factor", rope_factor, at_least=1)
    return 0.1 * math.log(rope_factor) + 1


class RotaryAttention(GPTAttention):
    """GPTAttention whose queries and keys are turned by the positions of their tokens.

    A head may be wider or narrower than C / H: the config says head_width.
    """

    def __init__(self, config, attend=attention_fused, bias=False):
        """Make the projections again, for heads of that width, with or without biases."""
        super().__init__(config, attend)
        check_rotary(config)
        query_width = config.n_head * config.head_width
        self.c_attn = nn.Linear(config.n_embd, query_width + 2 * config.key_width, bias=bias)
        self.c_proj = nn.Linear(query_width, config.n_embd, bias=bias)

    @refuse_misfits
    def forward(self, x, rotation, padding=None, cache=None):
        """Return (B, T, C) for x (B, T, C); rotation is that of the positions of its tokens.

        padding is (B, S), and the cache of the layer stores rotated keys.
        """
        heads = split_heads(self.c_attn(x), sum(self.heads))  # (B, H+2G, T, D)
        q, k, v = heads.split(self.heads, dim=1)
        q, k = self.turned(q, k, rotation)
        if cache is not None:
            k, v = cache.append(k, v)  # (B, G, S, D)
        y = self.mixed(q, k, v, padding)  # (B, H, T, D)
        y = y.transpose(1, 2).flatten(2)  # (B, T, H*D)
        return self.c_proj(y)  # (B, T, C)

    def turned(self, q, k, rotation):
        """Return queries (B, H, T, D) and keys (B, G, T, D), turned."""
        return rotate(q, rotation), rotate(k, rotation)

    def mixed(self, q, k, v, padding=None):
        """Return the values that the queries read, (B, H, T, D)."""
        return self.attend(q, k, v, padding)  # (B, H, T, D)


class RotaryBlock(nn.Module):
    """Attention, then the MLP; each reads a normalised copy of the stream and adds to it."""

    def __init__(self, config, norm, attn, mlp):
        """Make two norms of the class norm, around the sub-layers that are given."""
        super().__init__()
        check_callable("norm", norm)
        self.ln_1 = norm(config.n_embd, eps=config.layer_norm_epsilon)
        self.attn = attn
        self.ln_2 = norm(config.n_embd, eps=config.layer_norm_epsilon)
        self.mlp = mlp

    @refuse_misfits
    def forward(self, x, rotation, padding=None, cache=None):
        """Return (B, T, C) for x (B, T, C); arguments are those of RotaryAttention."""
        x = x + self.attn(self.ln_1(x), rotation, padding, cache)  # (B, T, C)
        return x + self.mlp(self.ln_2(x))  # (B, T, C)


class RotaryModel(GPTModel):
    """Token embeddings, L blocks and a final norm: token ids (B, T) to hidden states (B, T, C)."""

    def __init__(self, config, attend, block, norm):
        """Make the layers, blocks of the class block; no table of positions is left."""
        super().__init__(config, attend, block)
        check_callable("norm", norm)
        del self.wpe, self.drop
        self.ln_f = norm(config.n_embd, eps=config.layer_norm_epsilon)

    def embed(self, input_ids, position_ids):
        """Return the stream (B, T, C) and the rotation, computed once for all blocks."""
        return self.wte(input_ids), self.rotation(position_ids)

    def rotation(self, position_ids):
        """Return the cosines and sines (N, 1, T, P) of positions (N, T)."""
        return rotary_angles(position_ids, self.config.head_width)


class RotaryLMHeadModel(GPTLMHeadModel):
    """GPTLMHeadModel with a head that has weights of its own."""

    def __init__(self, config, attend, transformer, bias=False):
        """Make the model, and a head that is not tied to the token embedding."""
        super().__init__(config, attend, transformer)
        self.lm_head = nn.Linear(config.n_embd, config.vocab_size, bias=bias)
        init_weights(self.lm_head, config.initializer_range, residual_std=0)


def check_rotary(config):
    """Raise ValueError unless config is one that a GPT with rotary positions can have."""
    check_config(config)
    check_pairs(config.head_width)
    if config.dropout:
        raise ValueError(
            f"dropout={config.dropout} but a GPT with rotary positions has none; make the"
            " config with dataclasses.replace(config, dropout=0.0)"
        )


def check_pairs(head_width):
    """Raise ValueError unless a head of this width divides into pairs."""
    if type(head_width) is not int or head_width < 2 or head_width % 2:
        raise ValueError(
            f"head_width={head_width!r} does not divide into pairs; make n_embd / n_head even"
        )


def check_partial(config):
    """Raise ValueError unless config.rotary_width columns of a head can turn, or None for all."""
    check_rotary(config)
    if config.rotary_width is None:
        return
    width = config.rotary_width
    if type(width) is not int or width % 2 or not 2 <= width <= config.head_width:
        raise ValueError(
            f"rotary_width={width!r} must be even, and 2 to head_width={config.head_width}, or"
            " None for all"
        )


def check_rotation(x, rotation):
    """Raise ValueError unless rotation, two tensors (N, 1, T, P), fits x (B, H, T, D)."""
    if not isinstance(x, torch.Tensor) or x.ndim != 4 or x.shape[3] % 2:
        found = getattr(x, "shape", type(x).__name__)
        raise ValueError(f"x is {found}; it must be a tensor (B, H, T, D), D even")
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
