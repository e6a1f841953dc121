"""Qwen2.5: a Llama with biases of queries, keys and values."""

from dataclasses import dataclass

import torch.nn as nn

from gpt_helpers.architecture.attention import attention_fused
from gpt_helpers.variants.llama import LlamaBlock, LlamaConfig, LlamaLMHeadModel, LlamaModel
from gpt_helpers.variants.rotary import RotaryAttention


@dataclass(frozen=True)
class Qwen2Config(LlamaConfig):
    """The shape of a Qwen2.5; the defaults are Qwen2.5 7B. Source: qwen2024qwen25, sec. 2."""

    vocab_size: int = 152064
    n_embd: int = 3584
    n_layer: int = 28
    n_head: int = 28
    n_inner: int | None = 18944
    n_kv_head: int | None = 4
    layer_norm_epsilon: float = 1e-6
    rotary_base: float = 1000000.0
    rope_factor: float = 1.0


class Qwen2Attention(RotaryAttention):
    """RotaryAttention with biases of queries, keys and values, and none of the projection."""

    def __init__(self, config, attend=attention_fused):
        """Make the projections, the first of them again, with a bias."""
        super().__init__(config, attend)
        self.c_attn = nn.Linear(config.n_embd, self.c_attn.out_features)


class Qwen2Block(LlamaBlock):
    """A LlamaBlock with Qwen2Attention."""

    attention_class = Qwen2Attention


class Qwen2Model(LlamaModel):
    """Token embeddings, L blocks and a final RMSNorm."""

    config_class, block_class = Qwen2Config, Qwen2Block


class Qwen2LMHeadModel(LlamaLMHeadModel):
    """GPTLMHeadModel on a Qwen2Model, with a head that has weights of its own."""

    model_class = Qwen2Model
