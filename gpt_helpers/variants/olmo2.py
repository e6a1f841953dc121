"""OLMo 2: a Llama whose sub-layers read the stream as it is, and whose results are normalised.

In shapes, M is any number of heads.
"""

from dataclasses import dataclass

import torch.nn as nn

from gpt_helpers.architecture.attention import attention_fused
from gpt_helpers.architecture.inputs import refuse_misfits
from gpt_helpers.architecture.model import GPTLMHeadModel, split_heads
from gpt_helpers.config import GPTConfig, check_config
from gpt_helpers.variants.decoder import RotaryAttention, RotaryBlock, RotaryModel, untied_head
from gpt_helpers.variants.hugging_face import LLAMA_NAMES, QK_NORM_NAMES
from gpt_helpers.variants.llama import check_llama
from gpt_helpers.variants.mlps import SwiGLUMLP
from gpt_helpers.variants.rotary import rotate


@dataclass(frozen=True)
class OLMo2Config(GPTConfig):
    """The shape of an OLMo 2; the defaults are OLMo 2 7B. Fields are those of Qwen2Config.

    Source: olmo2024olmo2, sec. 2.
    """

    vocab_size: int = 100352
    n_positions: int = 4096
    n_embd: int = 4096
    n_layer: int = 32
    n_head: int = 32
    n_inner: int | None = 11008
    dropout: float = 0.0
    layer_norm_epsilon: float = 1e-6
    rotary_base: float = 500000.0

    def __post_init__(self):
        """Refuse values that no model can have."""
        super().__post_init__()
        check_llama(self)


class OLMo2Attention(RotaryAttention):
    """RotaryAttention whose queries and keys are normalised, all heads together, and rotated.

    Source: henry2020qknorm, which normalises each head by itself.
    """

    def __init__(self, config, attend=attention_fused):
        """Make the projections, and the norms of all queries and of all keys of a token."""
        super().__init__(config, attend)
        query_width = config.n_head * config.head_width
        self.q_norm = nn.RMSNorm(query_width, eps=config.layer_norm_epsilon)
        self.k_norm = nn.RMSNorm(config.key_width, eps=config.layer_norm_epsilon)

    def rotated(self, q, k, rotation):
        """Return queries (B, H, T, D) and keys (B, G, T, D), normalised and rotated."""
        q, k = normalised_together(q, self.q_norm), normalised_together(k, self.k_norm)
        return rotate(q, rotation), rotate(k, rotation)


def normalised_together(x, norm):
    """Return x (B, M, T, D) of any M heads, the M*D columns of a token normalised as one."""
    x, n_heads = x.transpose(1, 2).flatten(2), x.shape[1]
    return split_heads(norm(x), n_heads)  # (B, M, T, D)


class OLMo2Block(RotaryBlock):
    """Attention, then the MLP; what each adds to the stream is normalised, not what it reads."""

    def __init__(self, config, attend=attention_fused):
        """Make the two sub-layers and their norms."""
        attn = OLMo2Attention(config, attend)
        super().__init__(config, nn.RMSNorm, attn, SwiGLUMLP(config))

    @refuse_misfits
    def forward(self, x, rotation, padding=None, cache=None):
        """Return (B, T, C) for x (B, T, C); arguments are those of RotaryAttention."""
        x = x + self.ln_1(self.attn(x, rotation, padding, cache))  # (B, T, C)
        return x + self.ln_2(self.mlp(x))  # (B, T, C)


OLMO2_NAMES = {
    **LLAMA_NAMES,
    **QK_NORM_NAMES,
    "ln_1": "post_attention_layernorm",
    "ln_2": "post_feedforward_layernorm",
}


class OLMo2Model(RotaryModel):
    """Token embeddings, L blocks and a final RMSNorm."""

    hf_names = OLMO2_NAMES

    def __init__(self, config, attend=attention_fused):
        """Make the layers."""
        check_config(config, OLMo2Config)
        super().__init__(config, attend, OLMo2Block, nn.RMSNorm)


class OLMo2LMHeadModel(GPTLMHeadModel):
    """GPTLMHeadModel on an OLMo2Model, with a head that has weights of its own."""

    def __init__(self, config, attend=attention_fused):
        """Make the model and its head."""
        super().__init__(config, attend, transformer=OLMo2Model, head=untied_head)
