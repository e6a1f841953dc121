"""GPT-3: a GPT-2 of which every second layer reads only the last tokens."""

from dataclasses import dataclass

from gpt_helpers.architecture.attention import attention_fused
from gpt_helpers.architecture.model import GPTModel
from gpt_helpers.config import GPTConfig, check_fixed
from gpt_helpers.validation import check_fields, check_integer
from gpt_helpers.variants.windows import use_sliding_window


@dataclass(frozen=True)
class GPT3Config(GPTConfig):
    """The shape of a GPT-3; the defaults are GPT-3 175B.

    window is the number of tokens that every second layer reads, the token itself included.
    The paper states neither that number nor which layers: 128 is that of gpt-oss, which
    follows it. Source: brown2020gpt3, sec. 2.1; child2019sparse; openai2025gptoss.
    """

    n_positions: int = 2048
    n_embd: int = 12288
    n_layer: int = 96
    n_head: int = 96
    window: int = 128

    def __post_init__(self):
        """Refuse values that no model can have."""
        super().__post_init__()
        check_fixed(self, n_kv_head=(None, self.n_head))
        check_fields(self, check_integer, "window", at_least=1)


class GPT3Model(GPTModel):
    """Embeddings, L blocks, the second, fourth, ... of which read a window, and a final norm."""

    config_kind = GPT3Config

    def __init__(self, config, attend=attention_fused):
        """Make the layers, and hand every second one the attention with the window."""
        super().__init__(config, attend)
        use_sliding_window(self.h[1::2], config.window)
