"""The decoder of every family that places tokens by rotations; a family names its parts.

The interface is that of GPT-2: the same arguments, results, cache and generate. A family gives
RotaryModel its blocks, norm and rotation, a block its norm, attention and MLP. In shapes, P is the
number of pairs of a head that turn, and N is B, or 1 where all rows are alike.
"""

import functools

import torch.nn as nn

from gpt_helpers.architecture.attention import attention_fused
from gpt_helpers.architecture.inputs import (
    check_inputs,
    padding_of,
    positions_of,
    refuse_misfits,
)
from gpt_helpers.architecture.model import init_weights, split_heads
from gpt_helpers.config import check_config
from gpt_helpers.tensor_checks import check_module
from gpt_helpers.validation import check_callable, check_flag
from gpt_helpers.variants.first_weights import draw_weights, pass_over_attention, pass_over_head
from gpt_helpers.variants.rotary import (
    BASE,
    check_pairs,
    rotary_angles,
    rotate,
    turning_width,
)


class RotaryAttention(nn.Module):
    """Causal self-attention whose queries and keys are rotated by the positions of their tokens.

    A head may be wider or narrower than C / H: the config says head_width. A family overrides
    rotated, where queries and keys are also normalised or scaled, or attended.
    """

    def __init__(self, config, attend=attention_fused, qkv_bias=False, out_bias=False):
        """Make the projection to queries, keys and values, and the one into the stream."""
        super().__init__()
        check_rotary(config)
        check_callable("attend", attend)
        check_flag("qkv_bias", qkv_bias)
        check_flag("out_bias", out_bias)
        self.heads = config.n_head, config.key_heads, config.key_heads  # of q, k, v
        self.attend = attend
        pass_over_attention(config)
        query_width = config.n_head * config.head_width
        width = query_width + 2 * config.key_width
        self.c_attn = nn.Linear(config.n_embd, width, bias=qkv_bias)
        self.c_proj = nn.Linear(query_width, config.n_embd, bias=out_bias)

    @refuse_misfits
    def forward(self, x, rotation, padding=None, cache=None):
        """Return (B, T, C) for x (B, T, C); rotation is that of the positions of its tokens.

        padding is (B, S), and the cache of the layer stores rotated keys.
        """
        heads = split_heads(self.c_attn(x), sum(self.heads))  # (B, H+2G, T, D)
        q, k, v = heads.split(self.heads, dim=1)
        q, k = self.rotated(q, k, rotation)
        if cache is not None:
            k, v = cache.append(k, v)  # (B, G, S, D)
        y = self.attended(q, k, v, padding)  # (B, H, T, D)
        y = y.transpose(1, 2).flatten(2)  # (B, T, H*D)
        return self.c_proj(y)  # (B, T, C)

    def rotated(self, q, k, rotation):
        """Return queries (B, H, T, D) and keys (B, G, T, D), rotated."""
        return rotate(q, rotation), rotate(k, rotation)

    def attended(self, q, k, v, padding=None):
        """Return the values that the queries read, (B, H, T, D)."""
        return self.attend(q, k, v, padding)  # (B, H, T, D)


class RotaryBlock(nn.Module):
    """Attention, then the MLP; each reads a normalised copy of the stream and adds to it."""

    def __init__(self, config, norm, attn, mlp):
        """Make two norms of the class norm, around the sub-layers that are given."""
        super().__init__()
        check_callable("attn", attn)
        check_callable("mlp", mlp)
        self.ln_1 = norm_of(config, norm)
        self.attn = attn
        self.ln_2 = norm_of(config, norm)
        self.mlp = mlp

    @refuse_misfits
    def forward(self, x, rotation, padding=None, cache=None):
        """Return (B, T, C) for x (B, T, C); arguments are those of RotaryAttention."""
        x = x + self.attn(self.ln_1(x), rotation, padding, cache)  # (B, T, C)
        return x + self.mlp(self.ln_2(x))  # (B, T, C)


class ParallelBlock(nn.Module):
    """Attention beside the MLP: both read one normalised copy of the stream and add to it.

    Source: wang2021gptj.
    """

    def __init__(self, config, norm, attn, mlp):
        """Make one norm of the class norm, before the sub-layers that are given."""
        super().__init__()
        self.ln_1 = norm_of(config, norm)
        self.attn = attn
        self.mlp = mlp

    @refuse_misfits
    def forward(self, x, rotation, padding=None, cache=None):
        """Return (B, T, C) for x (B, T, C); arguments are those of RotaryAttention."""
        y = self.ln_1(x)  # (B, T, C)
        return x + self.attn(y, rotation, padding, cache) + self.mlp(y)  # (B, T, C)


class SandwichBlock(nn.Module):
    """Attention, then the MLP; what each reads is normalised, and what it adds, by other gains.

    Source: gemma2024gemma2, sec. 2.
    """

    def __init__(self, config, norm, attn, mlp):
        """Make four norms of the class norm, around the sub-layers that are given."""
        super().__init__()
        self.ln_1 = norm_of(config, norm)
        self.attn = attn
        self.ln_2 = norm_of(config, norm)
        self.mlp = mlp
        self.ln_1_out = norm_of(config, norm)
        self.ln_2_out = norm_of(config, norm)

    @refuse_misfits
    def forward(self, x, rotation, padding=None, cache=None):
        """Return (B, T, C) for x (B, T, C); arguments are those of RotaryAttention."""
        x = x + self.ln_1_out(self.attn(self.ln_1(x), rotation, padding, cache))  # (B, T, C)
        return x + self.ln_2_out(self.mlp(self.ln_2(x)))  # (B, T, C)


def norm_of(config, norm):
    """Return a module of the class norm for a stream of width C."""
    check_config(config)
    check_callable("norm", norm)
    return norm(config.n_embd, eps=config.layer_norm_epsilon)


def plain_rotation(position_ids, config):
    """Return the cosines and sines (N, 1, T, P) of positions (N, T), for what turns of a head.

    Their base is config.rotary_base, or BASE where the config has none.
    """
    base = getattr(config, "rotary_base", BASE)
    return rotary_angles(position_ids, turning_width(config), base)


class RotaryModel(nn.Module):
    """Token embeddings, L blocks and a final norm: token ids (B, T) to hidden states (B, T, C).

    block(config, attend) makes a block, norm is the class of the final norm, and
    rotation(position_ids, config) returns what every block turns queries and keys by.
    """

    def __init__(self, config, attend, block, norm, rotation=plain_rotation):
        """Make the layers and draw their first weights."""
        super().__init__()
        check_rotary(config)
        check_callable("block", block)
        check_callable("rotation", rotation)
        self.config = config
        self.rotation = functools.partial(rotation, config=config)
        self.wte = nn.Embedding(config.vocab_size, config.n_embd)
        self.h = nn.ModuleList(self.make_blocks(block, attend))
        self.ln_f = norm_of(config, norm)
        draw_weights(self)

    def make_blocks(self, block, attend):
        """Return the L blocks; a family whose layers differ overrides this."""
        return [block(self.config, attend) for _ in range(self.config.n_layer)]

    def forward(self, input_ids, attention_mask=None, position_ids=None, cache=None, labels=None):
        """Return hidden states (B, T, C); the arguments are those of GPTModel."""
        check_inputs(self, input_ids, attention_mask, position_ids, cache, labels)
        padding = padding_of(attention_mask, input_ids, cache)
        if position_ids is None:
            position_ids = positions_of(padding, input_ids, cache)
        x, rotation = self.embed(input_ids, position_ids)
        for index, block in enumerate(self.h):
            layer_cache = None if cache is None else cache.layers[index]
            x = block(x, rotation, padding, layer_cache)  # (B, T, C)
        return self.ln_f(x)  # (B, T, C)

    def embed(self, input_ids, position_ids):
        """Return the stream (B, T, C) and the rotation, computed once for all blocks."""
        return self.wte(input_ids), self.rotation(position_ids)


def untied_head(config, embedding, bias=False):
    """Return a head, (B, T, C) to (B, T, V), with weights that are not the token embedding's."""
    check_config(config)
    check_module("embedding", embedding)
    check_flag("bias", bias)
    pass_over_head(config)
    head = nn.Linear(config.n_embd, config.vocab_size, bias=bias)
    init_weights(head, config.initializer_range, residual_std=0)
    return head


def check_rotary(config):
    """Raise ValueError unless config is one that a GPT with rotary positions can have."""
    check_config(config)
    check_pairs(turning_width(config))
    if config.dropout:
        raise ValueError(
            f"dropout={config.dropout} but a GPT with rotary positions has none; make the"
            " config with dataclasses.replace(config, dropout=0.0)"
        )
