"""Qwen3: a Llama whose queries and keys are normalised, with heads of their own width."""

from dataclasses import dataclass

import torch.nn as nn

from gpt_helpers.architecture.attention import attention_fused
from gpt_helpers.variants.llama import LlamaBlock, LlamaConfig, LlamaLMHeadModel, LlamaModel
from gpt_helpers.variants.rotary import RotaryAttention, rotate


@dataclass(frozen=True)
class Qwen3Config(LlamaConfig):
    """The shape of a Qwen3; the defaults are Qwen3 8B.

    head_width is D, whatever C / H is. Source: qwen2025qwen3, sec. 2.
    """

    vocab_size: int = 151936
    n_positions: int = 40960
    n_layer: int = 36
    n_inner: int | None = 12288
    layer_norm_epsilon: float = 1e-6
    rotary_base: float = 1000000.0
    rope_factor: float = 1.0
    head_width: int = 128


class Qwen3Attention(RotaryAttention):
    """RotaryAttention whose queries and keys are normalised, each with gains, before they turn.

    Source: henry2020qknorm.
    """

    def __init__(self, config, attend=attention_fused):
        """Make the projections, and the norms of a query and of a key."""
        super().__init__(config, attend)
        self.q_norm = nn.RMSNorm(config.head_width, eps=config.layer_norm_epsilon)
        self.k_norm = nn.RMSNorm(config.head_width, eps=config.layer_norm_epsilon)

    def turned(self, q, k, rotation):
        """Return queries (B, H, T, D) and keys (B, G, T, D), normalised and turned."""
        return rotate(self.q_norm(q), rotation), rotate(self.k_norm(k), rotation)


class Qwen3Block(LlamaBlock):
    """A LlamaBlock with QK-norm."""

    attention_class = Qwen3Attention


class Qwen3Model(LlamaModel):
    """Token embeddings, L blocks and a final RMSNorm."""

    config_class, block_class = Qwen3Config, Qwen3Block


class Qwen3LMHeadModel(LlamaLMHeadModel):
    """GPTLMHeadModel on a Qwen3Model, with a head that has weights of its own."""

    model_class = Qwen3Model
