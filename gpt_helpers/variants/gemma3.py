"""Gemma 3: a Gemma 2 with QK-norm in place of caps, and a rotation for windows, one for all."""

from dataclasses import dataclass

from gpt_helpers.architecture.attention import attention_fused
from gpt_helpers.architecture.model import GPTLMHeadModel
from gpt_helpers.validation import check_real
from gpt_helpers.variants.gemma2 import Gemma2Block, Gemma2Config, Gemma2Model, scaled_queries
from gpt_helpers.variants.qwen3 import Qwen3Attention
from gpt_helpers.variants.rotary import rotary_angles

PERIOD = 6  # five layers with a window, then one without


@dataclass(frozen=True)
class Gemma3Config(Gemma2Config):
    """The shape of a Gemma 3, of its text part; the defaults are Gemma 3 4B.

    window is the number of tokens that layers read, but for every sixth, which reads all. Layers
    with a window turn with the base window_base, those without with rotary_base and
    frequencies that are divided by rope_factor; original_positions is not used.
    Source: gemma2025gemma3, sec. 2.
    """

    vocab_size: int = 262144
    n_positions: int = 131072
    n_embd: int = 2560
    n_layer: int = 34
    n_inner: int | None = 10240
    rotary_base: float = 1000000.0
    rope_factor: float = 8.0
    window: int = 1024
    window_base: float = 10000.0

    def __post_init__(self):
        """Refuse values that no model can have."""
        super().__post_init__()
        check_real("window_base", self.window_base, above=1)


class Gemma3Attention(Qwen3Attention):
    """Qwen3Attention with the scale of Gemma 2, and one of two rotations.

    reads_all says which: True for a layer without a window, False for one with.
    """

    def __init__(self, config, attend=attention_fused):
        """Make the projections and norms, for a layer without a window."""
        super().__init__(config, attend)
        self.score_width, self.reads_all = config.score_width, True

    def turned(self, q, k, rotation):
        """Return queries (B, H, T, D), scaled, and keys (B, G, T, D), normalised and turned."""
        near, far = rotation
        q, k = super().turned(q, k, far if self.reads_all else near)
        return scaled_queries(q, self.score_width), k


class Gemma3Block(Gemma2Block):
    """A Gemma2Block with Gemma3Attention."""

    attention_class = Gemma3Attention


class Gemma3Model(Gemma2Model):
    """Token embeddings, L blocks, of which every sixth reads all tokens, and an RMSNorm."""

    config_class, block_class = Gemma3Config, Gemma3Block

    def __init__(self, config, attend=attention_fused):
        """Make the layers, and tell those that read a window which rotation is theirs."""
        super().__init__(config, attend)
        for block in self.narrow_blocks():
            block.attn.reads_all = False

    def narrow_blocks(self):
        """Return the blocks that read a window."""
        return [block for number, block in enumerate(self.h, start=1) if number % PERIOD]

    def rotation(self, position_ids):
        """Return two rotations, each cosines and sines (N, 1, T, P): with a window, and without."""
        near = rotary_angles(position_ids, self.config.head_width, self.config.window_base)
        return near, super().rotation(position_ids)

    def stretched(self, frequencies):
        """Return the frequencies (P,), all of them slowed down alike, for longer texts."""
        return frequencies / self.config.rope_factor  # (P,)


class Gemma3LMHeadModel(GPTLMHeadModel):
    """GPTLMHeadModel on a Gemma3Model; the head is the token embedding."""

    def __init__(self, config, attend=attention_fused):
        """Make the model and tie the head to its token embedding."""
        super().__init__(config, attend, transformer=Gemma3Model)
