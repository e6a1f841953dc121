"""GPT-NeoX: a GPT-2 with rotary positions in a part of each head, and attention beside the MLP."""

from dataclasses import dataclass

import torch.nn as nn

from gpt_helpers.architecture.attention import attention_fused
from gpt_helpers.architecture.inputs import refuse_misfits
from gpt_helpers.architecture.model import GPTMLP, GPTLMHeadModel
from gpt_helpers.config import GPTConfig, check_config, check_fixed
from gpt_helpers.validation import check_fields, check_real
from gpt_helpers.variants.decoder import (
    RotaryAttention,
    RotaryBlock,
    RotaryModel,
    check_rotary,
    untied_head,
)
from gpt_helpers.variants.hugging_face import Adapted
from gpt_helpers.variants.rotary import check_rotary_width


@dataclass(frozen=True)
class GPTNeoXConfig(GPTConfig):
    """The shape of a GPT-NeoX; the defaults are GPT-NeoX-20B.

    The first rotary_width columns of each head turn, None means all. parallel says whether
    attention and MLP read the same stream, or the MLP what attention has added to.
    Source: black2022neox, sec. 2.
    """

    vocab_size: int = 50432
    n_positions: int = 2048
    n_embd: int = 6144
    n_layer: int = 44
    n_head: int = 64
    activation: str = "gelu_erf"
    dropout: float = 0.0
    rotary_width: int | None = 24
    rotary_base: float = 10000.0
    parallel: bool = True

    def __post_init__(self):
        """Refuse values that no model can have."""
        super().__post_init__()
        check_fixed(self, n_kv_head=(None, self.n_head))
        check_rotary_width(self)
        check_rotary(self)
        check_fields(self, check_real, "rotary_base", above=1)
        if type(self.parallel) is not bool:
            raise ValueError(f"parallel={self.parallel!r} must be True or False")


class GPTNeoXBlock(RotaryBlock):
    """Attention and the MLP, each with a norm of its own; both are added to the stream."""

    def __init__(self, config, attend=attention_fused):
        """Make the two sub-layers and their norms."""
        attn = RotaryAttention(config, attend, qkv_bias=True, out_bias=True)
        super().__init__(config, nn.LayerNorm, attn, GPTMLP(config))
        self.parallel = config.parallel

    @refuse_misfits
    def forward(self, x, rotation, padding=None, cache=None):
        """Return (B, T, C) for x (B, T, C); arguments are those of RotaryAttention."""
        y = x + self.attn(self.ln_1(x), rotation, padding, cache)  # (B, T, C)
        return y + self.mlp(self.ln_2(x if self.parallel else y))  # (B, T, C)


def by_part(rows, config):
    """Return rows that are stored head by head with all queries before all keys and values."""
    heads = rows.unflatten(0, (config.n_head, 3, config.head_width))
    return heads.transpose(0, 1).flatten(0, 2)


GPT_NEOX_NAMES = {
    "h": "gpt_neox.layers",
    "wte": "gpt_neox.embed_in",
    "ln_f": "gpt_neox.final_layer_norm",
    "lm_head": "lm_head",
    "ln_1": "input_layernorm",
    "attn.c_attn": Adapted("attention.query_key_value", by_part),
    "attn.c_proj": "attention.dense",
    "ln_2": "post_attention_layernorm",
    "mlp.c_fc": "mlp.dense_h_to_4h",
    "mlp.c_proj": "mlp.dense_4h_to_h",
}


class GPTNeoXModel(RotaryModel):
    """Token embeddings, L blocks and a final norm."""

    hf_names = GPT_NEOX_NAMES

    def __init__(self, config, attend=attention_fused):
        """Make the layers."""
        check_config(config, GPTNeoXConfig)
        super().__init__(config, attend, GPTNeoXBlock, nn.LayerNorm)


class GPTNeoXLMHeadModel(GPTLMHeadModel):
    """GPTLMHeadModel on a GPTNeoXModel, with a head that has weights of its own."""

    def __init__(self, config, attend=attention_fused):
        """Make the model and its head."""
        super().__init__(config, attend, transformer=GPTNeoXModel, head=untied_head)
