"""gpt-oss: a Llama with experts, windows in every second layer, and attention to nothing."""

import functools
from dataclasses import dataclass

import torch
import torch.nn as nn

from gpt_helpers.architecture.inputs import refuse_misfits
from gpt_helpers.architecture.model import GPTLMHeadModel
from gpt_helpers.config import GPTConfig, check_config
from gpt_helpers.validation import check_fields, check_integer
from gpt_helpers.variants.decoder import RotaryAttention, RotaryBlock, RotaryModel, untied_head
from gpt_helpers.variants.hugging_face import LLAMA_NAMES, Adapted, transposed
from gpt_helpers.variants.llama import check_llama
from gpt_helpers.variants.mlps import Experts, check_experts
from gpt_helpers.variants.rope_scaling import (
    check_yarn,
    rescaled,
    yarn_attention_factor,
    yarn_ramp,
)
from gpt_helpers.variants.rotary import rotary_angles
from gpt_helpers.variants.sinks import attention_with_sinks
from gpt_helpers.variants.windows import use_sliding_window

ALPHA, LIMIT = 1.702, 7.0


@dataclass(frozen=True)
class GPTOSSConfig(GPTConfig):
    """The shape of a gpt-oss; the defaults are gpt-oss-120b.

    head_width is D, whatever C / H is. Each token uses n_experts_per_token of n_experts MLPs
    of width n_inner. window is the number of tokens that the first, third, ... layers read.
    Other fields are those of LlamaConfig. Source: openai2025gptoss, sec. 2.
    """

    vocab_size: int = 201088
    n_positions: int = 131072
    n_embd: int = 2880
    n_layer: int = 36
    n_head: int = 64
    n_inner: int | None = 2880
    n_kv_head: int | None = 8
    dropout: float = 0.0
    rotary_base: float = 150000.0
    rope_factor: float = 32.0
    original_positions: int = 4096
    n_experts: int | None = 128
    n_experts_per_token: int | None = 4
    window: int = 128
    head_width: int = 64

    def __post_init__(self):
        """Refuse values that no model can have."""
        super().__post_init__()
        check_llama(self)
        check_fields(self, check_integer, "head_width", at_least=2)
        check_yarn(self, self.head_width)
        check_experts(self)
        check_fields(self, check_integer, "window", at_least=1)


class GPTOSSAttention(RotaryAttention):
    """RotaryAttention with biases and, for each head, a learned score for reading nothing."""

    def __init__(self, config, attend=attention_with_sinks):
        """Make the projections and the scores."""
        super().__init__(config, attend, qkv_bias=True, out_bias=True)
        self.sink_bias = nn.Parameter(torch.zeros(config.n_head))

    def attended(self, q, k, v, padding=None):
        """Return the values that the queries read, (B, H, T, D)."""
        return self.attend(q, k, v, padding, sinks=self.sink_bias)  # (B, H, T, D)


class GPTOSSMLP(nn.Module):
    """An expert: a SwiGLU with biases and limits, which multiplies by 1 more than Llama's.

    c_fc holds the gate before what it gates.
    """

    def __init__(self, config):
        """Make the projections."""
        super().__init__()
        check_config(config)
        self.c_fc = nn.Linear(config.n_embd, 2 * config.mlp_width)
        self.c_proj = nn.Linear(config.mlp_width, config.n_embd)

    @refuse_misfits
    def forward(self, x):
        """Return (..., C) for x (..., C)."""
        gate, x = self.c_fc(x).chunk(2, dim=-1)  # (..., F)
        gate = gate.clamp(max=LIMIT)  # (..., F)
        x = x.clamp(-LIMIT, LIMIT) + 1  # (..., F)
        return self.c_proj(gate * (ALPHA * gate).sigmoid() * x)  # (..., C)


class GPTOSSBlock(RotaryBlock):
    """Attention with sinks, then experts; norms are RMSNorms."""

    def __init__(self, config, attend=attention_with_sinks):
        """Make the two sub-layers and their norms."""
        experts = Experts(config, GPTOSSMLP, bias=True)
        super().__init__(config, nn.RMSNorm, GPTOSSAttention(config, attend), experts)


def gates_first(columns, config):
    """Return columns that alternate between gate and gated as rows, all gates above all gated."""
    return transposed(torch.cat([columns[..., ::2], columns[..., 1::2]], dim=-1), config)


GPT_OSS_NAMES = LLAMA_NAMES | {
    "attn.sink_bias": "self_attn.sinks",
    "mlp.router": "mlp.router",
    "mlp.experts.{}.c_fc.weight": Adapted("mlp.experts.gate_up_proj", gates_first),
    "mlp.experts.{}.c_fc.bias": Adapted("mlp.experts.gate_up_proj_bias", gates_first),
    "mlp.experts.{}.c_proj.weight": Adapted("mlp.experts.down_proj", transposed),
    "mlp.experts.{}.c_proj.bias": "mlp.experts.down_proj_bias",
}


class GPTOSSModel(RotaryModel):
    """Token embeddings, L blocks, the first, third, ... of which read a window, and an RMSNorm."""

    hf_names = GPT_OSS_NAMES

    def __init__(self, config, attend=attention_with_sinks):
        """Make the layers, and hand those that read a window the attention with it."""
        check_config(config, GPTOSSConfig)
        super().__init__(config, attend, GPTOSSBlock, nn.RMSNorm, gpt_oss_rotation)
        use_sliding_window(self.h[::2], config.window)


class GPTOSSLMHeadModel(GPTLMHeadModel):
    """GPTLMHeadModel on a GPTOSSModel, with a head that has weights of its own."""

    def __init__(self, config, attend=attention_with_sinks):
        """Make the model and its head."""
        super().__init__(config, attend, transformer=GPTOSSModel, head=untied_head)


def gpt_oss_rotation(position_ids, config):
    """Return cosines and sines (N, 1, T, P) that are yarn_attention_factor times as long as 1."""
    rescale = functools.partial(rescaled, config=config, ramp=yarn_ramp)
    rotation = rotary_angles(position_ids, config.head_width, config.rotary_base, rescale)
    length = yarn_attention_factor(config.rope_factor)
    return tuple(length * part for part in rotation)
