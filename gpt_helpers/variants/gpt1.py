"""GPT-1: a GPT-2 whose norms come after the sums (post-LN), and without a final norm."""

import torch.nn as nn

from gpt_helpers.architecture.attention import attention_fused
from gpt_helpers.architecture.model import GPTBlock, GPTModel


class GPT1Block(GPTBlock):
    """Attention, then the MLP; each sum with the stream is normalised.

    Source: radford2018gpt1.
    """

    def forward(self, x, padding=None, cache=None):
        """Return (B, T, C) for x (B, T, C)."""
        x = self.ln_1(x + self.attn(x, padding, cache))  # (B, T, C)
        return self.ln_2(x + self.mlp(x))  # (B, T, C)


class GPT1Model(GPTModel):
    """Embeddings and L post-LN blocks; hand it to GPTLMHeadModel as its transformer."""

    def __init__(self, config, attend=attention_fused):
        """Make the layers; the last block ends in a norm, so none follows."""
        super().__init__(config, attend, block=GPT1Block, norm=nn.Identity)
