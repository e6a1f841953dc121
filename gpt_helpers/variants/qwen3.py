"""Qwen3: a Llama whose queries and keys are normalised, with heads of their own width."""

from dataclasses import dataclass

import torch.nn as nn

from gpt_helpers.architecture.attention import attention_fused
from gpt_helpers.architecture.model import GPTLMHeadModel
from gpt_helpers.config import GPTConfig, check_config
from gpt_helpers.validation import check_fields, check_integer
from gpt_helpers.variants.decoder import RotaryAttention, RotaryBlock, RotaryModel, untied_head
from gpt_helpers.variants.hugging_face import EXPERT_NAMES, LLAMA_NAMES, QK_NORM_NAMES
from gpt_helpers.variants.llama import check_llama
from gpt_helpers.variants.mlps import check_optional_experts, swiglu_or_experts
from gpt_helpers.variants.rotary import rotate


@dataclass(frozen=True)
class Qwen3Config(GPTConfig):
    """The shape of a Qwen3; the defaults are Qwen3 8B.

    head_width is D, whatever C / H is. Frequencies are not rescaled; other fields are those of
    LlamaConfig. Source: qwen2025qwen3, sec. 2.
    """

    vocab_size: int = 151936
    n_positions: int = 40960
    n_embd: int = 4096
    n_layer: int = 36
    n_head: int = 32
    n_inner: int | None = 12288
    n_kv_head: int | None = 8
    dropout: float = 0.0
    layer_norm_epsilon: float = 1e-6
    rotary_base: float = 1000000.0
    n_experts: int | None = None
    n_experts_per_token: int | None = None
    head_width: int = 128

    def __post_init__(self):
        """Refuse values that no model can have."""
        super().__post_init__()
        check_llama(self)
        check_optional_experts(self)
        check_fields(self, check_integer, "head_width", at_least=2)


class Qwen3Attention(RotaryAttention):
    """RotaryAttention whose queries and keys are normalised, each with gains, and then rotated.

    Source: henry2020qknorm.
    """

    def __init__(self, config, attend=attention_fused):
        """Make the projections, and the norms of a query and of a key."""
        super().__init__(config, attend)
        self.q_norm = nn.RMSNorm(config.head_width, eps=config.layer_norm_epsilon)
        self.k_norm = nn.RMSNorm(config.head_width, eps=config.layer_norm_epsilon)

    def rotated(self, q, k, rotation):
        """Return queries (B, H, T, D) and keys (B, G, T, D), normalised and rotated."""
        return rotate(self.q_norm(q), rotation), rotate(self.k_norm(k), rotation)


class Qwen3Block(RotaryBlock):
    """Attention with QK-norm, then a SwiGLU, or experts; norms are RMSNorms."""

    def __init__(self, config, attend=attention_fused):
        """Make the two sub-layers and their norms."""
        attn = Qwen3Attention(config, attend)
        super().__init__(config, nn.RMSNorm, attn, swiglu_or_experts(config))


QWEN3_NAMES = LLAMA_NAMES | QK_NORM_NAMES | EXPERT_NAMES


class Qwen3Model(RotaryModel):
    """Token embeddings, L blocks and a final RMSNorm."""

    hf_names = QWEN3_NAMES

    def __init__(self, config, attend=attention_fused):
        """Make the layers."""
        check_config(config, Qwen3Config)
        super().__init__(config, attend, Qwen3Block, nn.RMSNorm)


class Qwen3LMHeadModel(GPTLMHeadModel):
    """GPTLMHeadModel on a Qwen3Model, with a head that has weights of its own."""

    def __init__(self, config, attend=attention_fused):
        """Make the model and its head."""
        super().__init__(config, attend, transformer=Qwen3Model, head=untied_head)
