"""A modern GPT: rotary positions, RMSNorm, QK-norm, no biases, a head of its own.

The interface is that of GPT-2: the same arguments, results, cache and generate. In shapes,
P = D / 2 is the number of pairs of a head, and N is B, or 1 where all rows are alike.
No norm has a gain: the matrix that reads the result can do its work, and the step is faster.
"""

import functools

import torch
import torch.nn as nn
import torch.nn.functional as F

from gpt_helpers.attention import attention_fused
from gpt_helpers.config import check_config
from gpt_helpers.inputs import (
    check_callable,
    check_inputs,
    check_integers,
    padding_of,
    positions_of,
    refuse_misfits,
)
from gpt_helpers.model import GPTAttention, GPTLMHeadModel, GPTModel, init_weights, split_heads
from gpt_helpers.operands import check_devices

BASE = 10000.0


def rotary_angles(position_ids, head_width):
    """Return the cosines and the sines (N, 1, T, P) of the angles of positions (N, T).

    Pair p of the P = head_width / 2 turns by BASE ** (-p / P) radians per position. The
    axis of size 1 is for the heads, which turn alike.

    Raises ValueError unless position_ids are integers (N, T) and head_width is even.
    Source: su2021roformer, eq. 15.
    """
    check_integers("position_ids", position_ids)
    if position_ids.ndim != 2:
        raise ValueError(f"position_ids has shape {tuple(position_ids.shape)}; it must be (N, T)")
    check_pairs(head_width)
    pairs = torch.arange(head_width // 2, device=position_ids.device)  # (P,)
    frequencies = BASE ** (-2 * pairs / head_width)  # (P,)
    angles = position_ids[:, None, :, None] * frequencies  # (N, 1, T, P)
    return angles.cos(), angles.sin()  # (N, 1, T, P)


def rotate(x, rotation):
    """Return x (B, M, T, D) of any M heads with each pair (x[p], x[p + P]) turned by its angle.

    rotation is the result of rotary_angles. The product of a rotated query with a rotated
    key depends on the difference of their positions only. The pairs are those of Llama;
    the source pairs neighbours, which is the same but for the order of the columns.

    Raises ValueError for a rotation that does not fit x. Source: su2021roformer, eq. 34.
    """
    check_rotation(x, rotation)
    cosines, sines = rotation
    first, second = x.chunk(2, dim=-1)  # (B, M, T, P)
    turned_first = torch.addcmul(first * cosines, second, sines, value=-1)  # (B, M, T, P)
    turned_second = torch.addcmul(second * cosines, first, sines)  # (B, M, T, P)
    return torch.cat([turned_first, turned_second], dim=-1).type_as(x)  # (B, M, T, D)


class ModernAttention(GPTAttention):
    """GPTAttention without biases, whose queries and keys are normalised, then rotated.

    Norm and rotation keep each query and key at length sqrt(D), so no score exceeds sqrt(D).
    Source: henry2020qknorm (with an RMSNorm, and the fixed scale of GPT-2).
    """

    def __init__(self, config, attend=attention_fused):
        """Make the projections again, without biases, and the norm of queries and keys."""
        super().__init__(config, attend)
        check_modern(config)
        self.c_attn = nn.Linear(config.n_embd, config.n_embd + 2 * config.key_width, bias=False)
        self.c_proj = nn.Linear(config.n_embd, config.n_embd, bias=False)
        self.qk_norm = rms_norm(config, config.head_width)

    @refuse_misfits
    def forward(self, x, rotation, padding=None, cache=None):
        """Return (B, T, C) for x (B, T, C); rotation is that of the positions of its tokens.

        padding is (B, S), and the cache of the layer stores rotated keys.
        """
        heads = split_heads(self.c_attn(x), sum(self.heads))  # (B, H+2G, T, D)
        q, k, v = heads.split(self.heads, dim=1)
        q = rotate(self.qk_norm(q), rotation)  # (B, H, T, D)
        k = rotate(self.qk_norm(k), rotation)  # (B, G, T, D)
        if cache is not None:
            k, v = cache.append(k, v)  # (B, G, S, D)
        y = self.attend(q, k, v, padding)  # (B, H, T, D)
        y = y.transpose(1, 2).flatten(2)  # (B, T, C)
        return self.c_proj(y)  # (B, T, C)


class SquaredReLUMLP(nn.Module):
    """Two projections with max(x, 0) ** 2 between, for each position by itself.

    Source: so2021primer.
    """

    def __init__(self, config):
        """Make the two projections."""
        super().__init__()
        check_modern(config)
        self.c_fc = nn.Linear(config.n_embd, config.mlp_width, bias=False)
        self.c_proj = nn.Linear(config.mlp_width, config.n_embd, bias=False)

    @refuse_misfits
    def forward(self, x):
        """Return (B, T, C) for x (B, T, C)."""
        x = F.relu(self.c_fc(x)).square()  # (B, T, F)
        return self.c_proj(x)  # (B, T, C)


class SwiGLUMLP(nn.Module):
    """The product of two projections, one of them through swish, and a third into the stream.

    c_fc holds the first two, the gate before what it gates. With n_inner = 8/3 C there are
    as many weights as in a SquaredReLUMLP of width 4C. Source: shazeer2020glu, eq. 6.
    """

    def __init__(self, config):
        """Make the projections."""
        super().__init__()
        check_modern(config)
        self.c_fc = nn.Linear(config.n_embd, 2 * config.mlp_width, bias=False)
        self.c_proj = nn.Linear(config.mlp_width, config.n_embd, bias=False)

    @refuse_misfits
    def forward(self, x):
        """Return (B, T, C) for x (B, T, C)."""
        gate, x = self.c_fc(x).chunk(2, dim=-1)  # (B, T, F)
        x = F.silu(gate) * x  # (B, T, F)
        return self.c_proj(x)  # (B, T, C)


class ModernBlock(nn.Module):
    """Attention, then the MLP; each reads a normalised copy of the stream and adds to it."""

    def __init__(self, config, attend=attention_fused, mlp=SquaredReLUMLP):
        """Make the two sub-layers and their norms."""
        super().__init__()
        check_callable("mlp", mlp)
        self.attn = ModernAttention(config, attend)
        self.ln_1 = rms_norm(config, config.n_embd)
        self.ln_2 = rms_norm(config, config.n_embd)
        self.mlp = mlp(config)

    @refuse_misfits
    def forward(self, x, rotation, padding=None, cache=None):
        """Return (B, T, C) for x (B, T, C); the arguments are those of ModernAttention."""
        x = x + self.attn(self.ln_1(x), rotation, padding, cache)  # (B, T, C)
        return x + self.mlp(self.ln_2(x))  # (B, T, C)


class ModernModel(GPTModel):
    """Token embeddings, L blocks and a final norm: token ids (B, T) to hidden states (B, T, C).

    At first the projections into the stream are zero, so that a block changes nothing.
    """

    def __init__(self, config, attend=attention_fused, mlp=SquaredReLUMLP):
        """Make the layers and draw their initial weights; no table of positions is left."""
        super().__init__(config, attend, block=functools.partial(ModernBlock, mlp=mlp))
        del self.wpe, self.drop
        self.ln_f = rms_norm(config, config.n_embd)
        init_weights(self, config.initializer_range, residual_std=0)

    def forward(self, input_ids, attention_mask=None, position_ids=None, cache=None):
        """Return hidden states (B, T, C); the arguments are those of GPTLMHeadModel."""
        check_inputs(self.config, input_ids, attention_mask, position_ids, cache)
        check_devices(wte=self.wte.weight, ids=input_ids, mask=attention_mask, at=position_ids)
        padding = padding_of(attention_mask, input_ids, cache)
        if position_ids is None:
            position_ids = positions_of(padding, input_ids, cache)
        rotation = rotary_angles(position_ids, self.config.head_width)
        x = self.wte(input_ids)  # (B, T, C)
        for index, block in enumerate(self.h):
            layer_cache = None if cache is None else cache.layers[index]
            x = block(x, rotation, padding, layer_cache)  # (B, T, C)
        return self.ln_f(x)  # (B, T, C)


class ModernLMHeadModel(GPTLMHeadModel):
    """GPTLMHeadModel on a ModernModel, with a head that has weights of its own.

    mlp is the class of the MLPs. Of the config, activation is not used, and dropout must be
    0: dataclasses.replace(config, dropout=0.0).
    """

    def __init__(self, config, attend=attention_fused, mlp=SquaredReLUMLP):
        """Make the model, and a head that is not tied to the token embedding."""
        super().__init__(config, attend, transformer=functools.partial(ModernModel, mlp=mlp))
        self.lm_head = nn.Linear(config.n_embd, config.vocab_size, bias=False)
        init_weights(self.lm_head, config.initializer_range, residual_std=0)


def rms_norm(config, width):
    """Return a module that divides the last axis, of this width, by its root mean square.

    Source: zhang2019rmsnorm, eq. 4, without the gain.
    """
    return nn.RMSNorm(width, eps=config.layer_norm_epsilon, elementwise_affine=False)


def check_modern(config):
    """Raise ValueError unless config is one that a modern GPT can have."""
    check_config(config)
    check_pairs(config.head_width)
    if config.dropout:
        raise ValueError(
            f"dropout={config.dropout} but a modern GPT has none; make the config with"
            " dataclasses.replace(config, dropout=0.0)"
        )


def check_pairs(head_width):
    """Raise ValueError unless a head of this width divides into pairs."""
    if type(head_width) is not int or head_width < 2 or head_width % 2:
        raise ValueError(
            f"head_width={head_width!r} does not divide into pairs; make n_embd / n_head even"
        )


def check_rotation(x, rotation):
    """Raise ValueError unless rotation, two tensors (N, 1, T, P), fits x (B, H, T, D)."""
    if not isinstance(x, torch.Tensor) or x.ndim != 4 or x.shape[3] % 2:
        found = getattr(x, "shape", type(x).__name__)
        raise ValueError(f"x is {found}; it must be a tensor (B, H, T, D), D even")
    batch, _, n_tokens, width = x.shape
    parts = rotation if isinstance(rotation, tuple) else ()
    shapes = [getattr(part, "shape", type(part).__name__) for part in parts]
    fitting = [(rows, 1, n_tokens, width // 2) for rows in (1, batch)]
    if len(shapes) != 2 or shapes[0] != shapes[1] or shapes[0] not in fitting:
        raise ValueError(
            f"rotation is {shapes}, x {tuple(x.shape)}; use rotary_angles(position_ids,"
            f" {width}) with one position per token"
        )
