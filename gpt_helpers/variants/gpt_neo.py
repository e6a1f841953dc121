"""GPT-Neo: a GPT-3 whose scores are not divided by sqrt(D)."""

import functools
from dataclasses import dataclass

from gpt_helpers.architecture.attention import attention_fused
from gpt_helpers.architecture.model import GPTAttention, GPTBlock, GPTModel
from gpt_helpers.config import GPTConfig, check_fixed
from gpt_helpers.validation import check_fields, check_integer
from gpt_helpers.variants.windows import use_sliding_window


@dataclass(frozen=True)
class GPTNeoConfig(GPTConfig):
    """The shape of a GPT-Neo; the defaults are GPT-Neo 2.7B.

    window is the number of tokens that every second layer reads, the token itself included.
    Source: black2021gptneo.
    """

    n_positions: int = 2048
    n_embd: int = 2560
    n_layer: int = 32
    n_head: int = 20
    window: int = 256

    def __post_init__(self):
        """Refuse values that no model can have."""
        super().__post_init__()
        check_fixed(self, n_kv_head=(None, self.n_head))
        check_fields(self, check_integer, "window", at_least=1)


class GPTNeoAttention(GPTAttention):
    """GPTAttention without biases of queries, keys and values, and without the scale."""

    def __init__(self, config, attend=attention_fused):
        """Make the two projections."""
        unscaled = functools.partial(attention_unscaled, attend=attend)
        super().__init__(config, unscaled, qkv_bias=False)


class GPTNeoBlock(GPTBlock):
    """A GPTBlock with GPTNeoAttention."""

    def __init__(self, config, attend=attention_fused):
        """Make the two sub-layers and their norms."""
        super().__init__(config, attend, attention=GPTNeoAttention)


GPT_NEO_NAMES = {
    "h": "transformer.h",
    "wte": "transformer.wte",
    "wpe": "transformer.wpe",
    "ln_f": "transformer.ln_f",
    "ln_1": "ln_1",
    "attn.c_attn": tuple(f"attn.attention.{name}_proj" for name in "qkv"),
    "attn.c_proj": "attn.attention.out_proj",
    "ln_2": "ln_2",
    "mlp.c_fc": "mlp.c_fc",
    "mlp.c_proj": "mlp.c_proj",
}


class GPTNeoModel(GPTModel):
    """Embeddings, L blocks, the second, fourth, ... of which read a window, and a final norm."""

    config_kind, hf_names = GPTNeoConfig, GPT_NEO_NAMES

    def __init__(self, config, attend=attention_fused):
        """Make the layers, and hand every second one the attention with the window."""
        super().__init__(config, attend, block=GPTNeoBlock)
        use_sliding_window(self.h[1::2], config.window)


def attention_unscaled(q, k, v, padding=None, dropout=0.0, window=None, attend=attention_fused):
    """Return what attend returns for scores that are not divided by sqrt(D), (B, H, T, D).

    The other arguments and the errors are those of attention.attention.
    """
    return attend(q * q.shape[-1] ** 0.5, k, v, padding, dropout, window)  # (B, H, T, D)
