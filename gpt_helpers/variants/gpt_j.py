"""GPT-J: a GPT-2 with rotary positions, pairs of neighbours, and attention beside the MLP."""

from dataclasses import dataclass

import torch.nn as nn

from gpt_helpers.architecture.attention import attention_fused
from gpt_helpers.architecture.model import GPTMLP, GPTLMHeadModel
from gpt_helpers.config import GPTConfig, check_config, check_fixed
from gpt_helpers.variants.decoder import (
    ParallelBlock,
    RotaryAttention,
    RotaryModel,
    check_rotary,
    untied_head,
)
from gpt_helpers.variants.rotary import check_rotary_width, rotate_neighbours


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
        check_fixed(self, n_kv_head=(None, self.n_head))
        check_rotary_width(self)
        check_rotary(self)


class GPTJAttention(RotaryAttention):
    """RotaryAttention without biases, whose pairs are neighbouring columns."""

    def rotated(self, q, k, rotation):
        """Return queries (B, H, T, D) and keys (B, G, T, D), rotated."""
        return rotate_neighbours(q, rotation), rotate_neighbours(k, rotation)


class GPTJBlock(ParallelBlock):
    """Attention and the MLP, which has biases, read one normalised copy of the stream."""

    def __init__(self, config, attend=attention_fused):
        """Make the two sub-layers and their norm."""
        super().__init__(config, nn.LayerNorm, GPTJAttention(config, attend), GPTMLP(config))


GPT_J_NAMES = {
    "h": "transformer.h",
    "wte": "transformer.wte",
    "ln_f": "transformer.ln_f",
    "lm_head": "lm_head",
    "ln_1": "ln_1",
    "attn.c_attn": ("attn.q_proj", "attn.k_proj", "attn.v_proj"),
    "attn.c_proj": "attn.out_proj",
    "mlp.c_fc": "mlp.fc_in",
    "mlp.c_proj": "mlp.fc_out",
}


class GPTJModel(RotaryModel):
    """Token embeddings, L blocks and a final norm."""

    hf_names = GPT_J_NAMES

    def __init__(self, config, attend=attention_fused):
        """Make the layers."""
        check_config(config, GPTJConfig)
        super().__init__(config, attend, GPTJBlock, nn.LayerNorm)


class GPTJLMHeadModel(GPTLMHeadModel):
    """GPTLMHeadModel on a GPTJModel, with a head that has weights of its own, and a bias."""

    def __init__(self, config, attend=attention_fused):
        """Make the model and its head."""
        super().__init__(config, attend, transformer=GPTJModel, head=head_with_bias)


def head_with_bias(config, embedding):
    """Return an untied_head with a bias."""
    return untied_head(config, embedding, bias=True)
