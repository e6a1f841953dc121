"""Llama: a GPT-2 with rotary positions, RMSNorm, SwiGLU, fewer heads of keys, and no biases."""

from dataclasses import dataclass

import torch.nn as nn

from gpt_helpers.architecture.attention import attention_fused
from gpt_helpers.architecture.model import GPTLMHeadModel
from gpt_helpers.config import GPTConfig, check_config, check_fixed
from gpt_helpers.validation import check_fields, check_real
from gpt_helpers.variants.decoder import (
    RotaryAttention,
    RotaryBlock,
    RotaryModel,
    check_rotary,
    untied_head,
)
from gpt_helpers.variants.hugging_face import EXPERT_NAMES, LLAMA_NAMES
from gpt_helpers.variants.mlps import check_optional_experts, swiglu_or_experts
from gpt_helpers.variants.rope_scaling import check_rope, llama3_rotation


@dataclass(frozen=True)
class LlamaConfig(GPTConfig):
    """The shape of a Llama; the defaults are Llama 3.1 8B.

    rotary_base is the base of the frequencies. rope_factor is how many times longer texts may be
    than the original_positions tokens of the first training; 1 leaves the frequencies as they are.
    With n_experts, each token uses n_experts_per_token of that many MLPs of width n_inner
    (Mixtral); None means one MLP for all. activation is not used.

    Source: grattafiori2024llama3, sec. 3.2.
    """

    vocab_size: int = 128256
    n_positions: int = 131072
    n_embd: int = 4096
    n_layer: int = 32
    n_head: int = 32
    n_inner: int | None = 14336
    n_kv_head: int | None = 8
    dropout: float = 0.0
    rotary_base: float = 500000.0
    rope_factor: float = 8.0
    original_positions: int = 8192
    n_experts: int | None = None
    n_experts_per_token: int | None = None

    def __post_init__(self):
        """Refuse values that no model can have."""
        super().__post_init__()
        check_llama(self)
        check_rope(self)
        check_optional_experts(self)


class LlamaBlock(RotaryBlock):
    """Attention without biases, then a SwiGLU, or experts; norms are RMSNorms.

    Source: touvron2023llama, sec. 2.2.
    """

    def __init__(self, config, attend=attention_fused):
        """Make the two sub-layers and their norms."""
        attn = RotaryAttention(config, attend)
        super().__init__(config, nn.RMSNorm, attn, swiglu_or_experts(config))


class LlamaModel(RotaryModel):
    """Token embeddings, L blocks and a final RMSNorm."""

    hf_names = LLAMA_NAMES | EXPERT_NAMES

    def __init__(self, config, attend=attention_fused):
        """Make the layers."""
        check_config(config, LlamaConfig)
        super().__init__(config, attend, LlamaBlock, nn.RMSNorm, llama3_rotation)


class LlamaLMHeadModel(GPTLMHeadModel):
    """GPTLMHeadModel on a LlamaModel, with a head that has weights of its own."""

    def __init__(self, config, attend=attention_fused):
        """Make the model and its head."""
        super().__init__(config, attend, transformer=LlamaModel, head=untied_head)


def check_llama(config):
    """Raise ValueError unless config has the rotation of a Llama, and no activation of its own."""
    check_rotary(config)
    check_fixed(config, activation=("gelu",))
    check_fields(config, check_real, "rotary_base", above=1)
