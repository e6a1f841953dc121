"""GPT-J: one norm per block, attention beside the MLP, neighbouring columns turn in pairs."""

from dataclasses import dataclass

import torch.nn as nn

from gpt_helpers.architecture.attention import attention_fused
from gpt_helpers.architecture.inputs import refuse_misfits
from gpt_helpers.architecture.model import GPTMLP
from gpt_helpers.config import GPTConfig, check_config
from gpt_helpers.variants.rotary import (
    RotaryAttention,
    RotaryBlock,
    RotaryLMHeadModel,
    RotaryModel,
    check_partial,
    rotary_angles,
    rotate_neighbours,
)


@dataclass(frozen=True)
class GPTJConfig(GPTConfig):
    """The shape of a GPT-J; the defaults are GPT-J-6B.

    The first rotary_width columns of each head turn, None means all. Source: wang2021gptj.
    """

    vocab_size: int = 50400
    n_positions: int = 2048
    n_embd: int = 4096
    n_layer: int = 28
    n_head: int = 16
    dropout: float = 0.0
    rotary_width: int | None = 64

    def __post_init__(self):
        """Refuse values that no model can have."""
        super().__post_init__()
        check_partial(self)


class GPTJAttention(RotaryAttention):
    """RotaryAttention without biases, whose pairs are neighbouring columns."""

    def turned(self, q, k, rotation):
        """Return queries (B, H, T, D) and keys (B, G, T, D), turned."""
        return rotate_neighbours(q, rotation), rotate_neighbours(k, rotation)


class GPTJBlock(RotaryBlock):
    """Attention and the MLP, which has biases, read one normalised copy of the stream."""

    def __init__(self, config, attend=attention_fused):
        """Make the two sub-layers and their norm."""
        super().__init__(config, nn.LayerNorm, GPTJAttention(config, attend), GPTMLP(config))
        del self.ln_2

    @refuse_misfits
    def forward(self, x, rotation, padding=None, cache=None):
        """Return (B, T, C) for x (B, T, C); arguments are those of RotaryAttention."""
        y = self.ln_1(x)  # (B, T, C)
        return x + self.attn(y, rotation, padding, cache) + self.mlp(y)  # (B, T, C)


class GPTJModel(RotaryModel):
    """Token embeddings, L blocks and a final norm."""

    def __init__(self, config, attend=attention_fused):
        """Make the layers."""
        check_config(config, GPTJConfig)
        super().__init__(config, attend, GPTJBlock, nn.LayerNorm)

    def rotation(self, position_ids):
        """Return the cosines and sines (N, 1, T, P) of positions (N, T)."""
        return rotary_angles(position_ids, self.config.rotary_width or self.config.head_width)


class GPTJLMHeadModel(RotaryLMHeadModel):
    """GPTLMHeadModel on a GPTJModel, with a head that has weights of its own, and a bias."""

    def __init__(self, config, attend=attention_fused):
        """Make the model and its head."""
        super().__init__(config, attend, transformer=GPTJModel, bias=True)
