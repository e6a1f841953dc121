"""PLaMo-13B: a Llama with a parallel block, whose heads share keys in another order."""

import functools
from dataclasses import dataclass

import torch.nn as nn

from gpt_helpers.architecture.attention import attention_fused
from gpt_helpers.architecture.model import GPTLMHeadModel
from gpt_helpers.architecture.operands import check_heads
from gpt_helpers.config import GPTConfig, check_config
from gpt_helpers.variants.decoder import ParallelBlock, RotaryAttention, RotaryModel, untied_head
from gpt_helpers.variants.llama import check_llama
from gpt_helpers.variants.mlps import SwiGLUMLP


@dataclass(frozen=True)
class PLaMoConfig(GPTConfig):
    """The shape of a PLaMo; the defaults are PLaMo-13B. Fields are those of Qwen2Config.

    Source: plamo2023 for the model, llamacpp2023plamo for what it computes.
    """

    vocab_size: int = 50432
    n_positions: int = 4096
    n_embd: int = 5120
    n_layer: int = 40
    n_head: int = 40
    n_inner: int | None = 16640
    n_kv_head: int | None = 5
    dropout: float = 0.0
    layer_norm_epsilon: float = 1e-6
    rotary_base: float = 10000.0

    def __post_init__(self):
        """Refuse values that no model can have."""
        super().__post_init__()
        check_llama(self)


class PLaMoAttention(RotaryAttention):
    """RotaryAttention in which heads G apart share a key head, not heads in a row.

    Query head h reads key head h mod G. Source: llamacpp2023plamo.
    """

    def __init__(self, config, attend=attention_fused):
        """Make the projections."""
        super().__init__(config, functools.partial(attention_interleaved, attend=attend))


def attention_interleaved(q, k, v, padding=None, dropout=0.0, window=None, attend=attention_fused):
    """Return what attend returns if query head h reads key head h mod G, (B, H, T, D).

    The other arguments and the errors are those of attention.attention.
    """
    check_heads(q, k, v, padding, dropout, window)
    n_groups = k.shape[1]
    in_rows = interleaved(q, n_groups)  # (B, H, T, D)
    y = attend(in_rows, k, v, padding, dropout, window)  # (B, H, T, D)
    return interleaved(y, q.shape[1] // n_groups)  # (B, H, T, D)


def interleaved(x, stride):
    """Return x (B, H, T, D) with every stride-th head in a row, from the first, the second, ...

    Six heads at stride two come in the order 0, 2, 4, 1, 3, 5; a stride of H / stride takes it
    back. stride must divide H.
    """
    return x.unflatten(1, (-1, stride)).transpose(1, 2).flatten(1, 2)  # (B, H, T, D)


class PLaMoBlock(ParallelBlock):
    """Attention and the MLP of a Llama read one normalised copy of the stream, as in GPT-J."""

    def __init__(self, config, attend=attention_fused):
        """Make the two sub-layers and their norm."""
        attn = PLaMoAttention(config, attend)
        super().__init__(config, nn.RMSNorm, attn, SwiGLUMLP(config))


class PLaMoModel(RotaryModel):
    """Token embeddings, L blocks and a final RMSNorm."""

    def __init__(self, config, attend=attention_fused):
        """Make the layers."""
        check_config(config, PLaMoConfig)
        super().__init__(config, attend, PLaMoBlock, nn.RMSNorm)


class PLaMoLMHeadModel(GPTLMHeadModel):
    """GPTLMHeadModel on a PLaMoModel, with a head that has weights of its own."""

    def __init__(self, config, attend=attention_fused):
        """Make the model and its head."""
        super().__init__(config, attend, transformer=PLaMoModel, head=untied_head)
