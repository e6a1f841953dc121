"""GPT-Neo: every second layer reads a window, and scores are not divided by sqrt(D)."""

import functools
from dataclasses import dataclass

import torch.nn as nn

from gpt_helpers.architecture.attention import attention_fused
from gpt_helpers.architecture.model import GPTAttention, GPTBlock
from gpt_helpers.config import check_config
from gpt_helpers.variants.gpt3 import GPT3Config, GPT3Model


@dataclass(frozen=True)
class GPTNeoConfig(GPT3Config):
    """The shape of a GPT-Neo; the defaults are GPT-Neo 2.7B. Source: black2021gptneo."""

    n_embd: int = 2560
    n_layer: int = 32
    n_head: int = 20
    window: int = 256


class GPTNeoAttention(GPTAttention):
    """GPTAttention without biases of queries, keys and values, and without the scale."""

    def __init__(self, config, attend=attention_fused):
        """Make the projection of queries, keys and values again, without a bias."""
        super().__init__(config, functools.partial(attention_unscaled, attend=attend))
        self.c_attn = nn.Linear(config.n_embd, config.n_embd + 2 * config.key_width, bias=False)


class GPTNeoBlock(GPTBlock):
    """A GPTBlock with GPTNeoAttention."""

    def __init__(self, config, attend=attention_fused):
        """Make the block, and its attention again."""
        super().__init__(config, attend)
        self.attn = GPTNeoAttention(config, attend)


class GPTNeoModel(GPT3Model):
    """Embeddings, L blocks of which every second reads a window, and a final norm."""

    def __init__(self, config, attend=attention_fused):
        """Make the layers."""
        check_config(config, GPTNeoConfig)
        super().__init__(config, attend, block=GPTNeoBlock)


def attention_unscaled(q, k, v, padding=None, dropout=0.0, window=None, attend=attention_fused):
    """Return what attend returns for scores that are not divided by sqrt(D), (B, H, T, D).

    The other arguments and the errors are those of attention.attention.
    """
    return attend(q * q.shape[-1] ** 0.5, k, v, padding, dropout, window)  # (B, H, T, D)
