"""Llama: rotary positions, RMSNorm, SwiGLU, fewer heads of keys and values, no biases."""

import math
from dataclasses import dataclass

import torch.nn as nn

from gpt_helpers.architecture.attention import attention_fused
from gpt_helpers.config import GPTConfig, check_config
from gpt_helpers.validation import check_integer, check_real
from gpt_helpers.variants.mlps import Experts, SwiGLUMLP, check_experts
from gpt_helpers.variants.rotary import (
    RotaryAttention,
    RotaryBlock,
    RotaryLMHeadModel,
    RotaryModel,
    check_rotary,
    rotary_angles,
)


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
        check_rotary(self)
        check_real("rotary_base", self.rotary_base, above=1)
        check_real("rope_factor", self.rope_factor, at_least=1)
        check_integer("original_positions", self.original_positions, at_least=1)
        if self.n_experts is not None:
            check_experts(self)


class LlamaBlock(RotaryBlock):
    """Attention without biases, then a SwiGLU, or experts; norms are RMSNorms.

    Families that change its attention say another attention_class.
    Source: touvron2023llama, sec. 2.2.
    """

    attention_class = RotaryAttention

    def __init__(self, config, attend=attention_fused):
        """Make the two sub-layers and their norms."""
        mlp = SwiGLUMLP(config) if config.n_experts is None else Experts(config)
        super().__init__(config, nn.RMSNorm, self.attention_class(config, attend), mlp)


class LlamaModel(RotaryModel):
    """Token embeddings, L blocks and a final RMSNorm.

    Families that change its blocks say another block_class, and the config_class of theirs.
    """

    config_class, block_class = LlamaConfig, LlamaBlock

    def __init__(self, config, attend=attention_fused):
        """Make the layers."""
        check_config(config, self.config_class)
        super().__init__(config, attend, self.block_class, nn.RMSNorm)

    def rotation(self, position_ids):
        """Return the cosines and sines (N, 1, T, P) of positions (N, T)."""
        width, base = self.config.head_width, self.config.rotary_base
        return rotary_angles(position_ids, width, base, self.stretched)

    def stretched(self, frequencies):
        """Return the frequencies (P,) for texts that are longer than those of the first training.

        A pair that hardly turned in original_positions tokens is slowed down by rope_factor; of one
        that turned often, the frequency is kept. Source: peng2023yarn.
        """
        turns = frequencies * self.config.original_positions / (2 * math.pi)  # (P,)
        kept = self.kept(turns)  # (P,)
        return frequencies * (kept + (1 - kept) / self.config.rope_factor)  # (P,)

    def kept(self, turns):
        """Return the shares (P,) of their frequencies that pairs of so many turns keep."""
        return ((turns - 1) / (4 - 1)).clamp(0, 1)  # (P,)


class LlamaLMHeadModel(RotaryLMHeadModel):
    """GPTLMHeadModel on a LlamaModel, with a head that has weights of its own.

    Families say another model_class.
    """

    model_class = LlamaModel

    def __init__(self, config, attend=attention_fused):
        """Make the model and its head."""
        super().__init__(config, attend, transformer=self.model_class)
