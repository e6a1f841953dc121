"""GPT-1: a GPT-2 whose norms come after the sums (post-LN), and without a final norm."""

import torch.nn as nn

from gpt_helpers.architecture.attention import attention_fused
from gpt_helpers.architecture.model import GPTBlock, GPTModel
from gpt_helpers.variants.hugging_face import Adapted, transposed


class GPT1Block(GPTBlock):
    """Attention, then the MLP; each sum with the stream is normalised.

    Source: radford2018gpt1.
    """

    def forward(self, x, padding=None, cache=None):
        """Return (B, T, C) for x (B, T, C)."""
        x = self.ln_1(x + self.attn(x, padding, cache))  # (B, T, C)
        return self.ln_2(x + self.mlp(x))  # (B, T, C)


GPT1_NAMES = {
    "h": "transformer.h",
    "wte": "transformer.tokens_embed",
    "wpe": "transformer.positions_embed",
    "ln_1": "ln_1",
    "attn.c_attn": Adapted("attn.c_attn", transposed),
    "attn.c_proj": Adapted("attn.c_proj", transposed),
    "ln_2": "ln_2",
    "mlp.c_fc": Adapted("mlp.c_fc", transposed),
    "mlp.c_proj": Adapted("mlp.c_proj", transposed),
}


class GPT1Model(GPTModel):
    """Embeddings and L post-LN blocks; hand it to GPTLMHeadModel as its transformer."""

    hf_names = GPT1_NAMES

    def __init__(self, config, attend=attention_fused):
        """Make the layers; the last block ends in a norm, so none follows."""
        super().__init__(config, attend, block=GPT1Block, norm=nn.Identity)
