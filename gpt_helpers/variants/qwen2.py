"""Qwen2.5: a Llama with biases of queries, keys and values."""

from dataclasses import dataclass

import torch.nn as nn

from gpt_helpers.architecture.attention import attention_fused
from gpt_helpers.architecture.model import GPTLMHeadModel
from gpt_helpers.config import GPTConfig, check_config
from gpt_helpers.variants.decoder import RotaryAttention, RotaryBlock, RotaryModel, untied_head
from gpt_helpers.variants.hugging_face import LLAMA_NAMES
from gpt_helpers.variants.llama import check_llama
from gpt_helpers.variants.mlps import SwiGLUMLP


@dataclass(frozen=True)
class Qwen2Config(GPTConfig):
    """The shape of a Qwen2.5; the defaults are Qwen2.5 7B.

    rotary_base is the base of the frequencies, which are not rescaled; activation is not used.
    Source: qwen2024qwen25, sec. 2.
    """

    vocab_size: int = 152064
    n_positions: int = 131072
    n_embd: int = 3584
    n_layer: int = 28
    n_head: int = 28
    n_inner: int | None = 18944
    n_kv_head: int | None = 4
    dropout: float = 0.0
    layer_norm_epsilon: float = 1e-6
    rotary_base: float = 1000000.0

    def __post_init__(self):
        """Refuse values that no model can have."""
        super().__post_init__()
        check_llama(self)


class Qwen2Attention(RotaryAttention):
    """RotaryAttention with biases of queries, keys and values, and none of the projection."""

    def __init__(self, config, attend=attention_fused):
        """Make the projections."""
        super().__init__(config, attend, qkv_bias=True)


class Qwen2Block(RotaryBlock):
    """Attention, then a SwiGLU; norms are RMSNorms."""

    def __init__(self, config, attend=attention_fused):
        """Make the two sub-layers and their norms."""
        attn = Qwen2Attention(config, attend)
        super().__init__(config, nn.RMSNorm, attn, SwiGLUMLP(config))


class Qwen2Model(RotaryModel):
    """Token embeddings, L blocks and a final RMSNorm."""

    hf_names = LLAMA_NAMES

    def __init__(self, config, attend=attention_fused):
        """Make the layers."""
        check_config(config, Qwen2Config)
        super().__init__(config, attend, Qwen2Block, nn.RMSNorm)


class Qwen2LMHeadModel(GPTLMHeadModel):
    """GPTLMHeadModel on a Qwen2Model, with a head that has weights of its own."""

    def __init__(self, config, attend=attention_fused):
        """Make the model and its head."""
        super().__init__(config, attend, transformer=Qwen2Model, head=untied_head)
