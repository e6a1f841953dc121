"""Gemma 3: a Gemma 2 with QK-norm in place of caps, and a rotation for windows, one for all."""

from dataclasses import dataclass

from gpt_helpers.architecture.attention import attention_fused
from gpt_helpers.architecture.model import GPTLMHeadModel
from gpt_helpers.config import GPTConfig, check_config
from gpt_helpers.validation import check_fields, check_integer, check_real
from gpt_helpers.variants.decoder import RotaryAttention, RotaryModel, SandwichBlock
from gpt_helpers.variants.gemma2 import GemmaNorm, scaled_queries
from gpt_helpers.variants.hugging_face import LLAMA_NAMES, SANDWICH_NAMES
from gpt_helpers.variants.llama import check_llama
from gpt_helpers.variants.mlps import GeGLUMLP
from gpt_helpers.variants.rotary import rotary_angles, rotate
from gpt_helpers.variants.windows import use_sliding_window

PERIOD = 6  # five layers with a window, then one without


@dataclass(frozen=True)
class Gemma3Config(GPTConfig):
    """The shape of a Gemma 3, of its text part; the defaults are Gemma 3 4B.

    window is the number of tokens that layers read, but for every sixth, which reads all. Layers
    with a window turn with the base window_base, those without with rotary_base and
    frequencies that are divided by rope_factor. Other fields are those of Gemma2Config.
    Source: gemma2025gemma3, sec. 2.
    """

    vocab_size: int = 262144
    n_positions: int = 131072
    n_embd: int = 2560
    n_layer: int = 34
    n_head: int = 8
    n_inner: int | None = 10240
    n_kv_head: int | None = 4
    dropout: float = 0.0
    layer_norm_epsilon: float = 1e-6
    rotary_base: float = 1000000.0
    rope_factor: float = 8.0
    window: int = 1024
    head_width: int = 256
    score_width: int = 256
    window_base: float = 10000.0

    def __post_init__(self):
        """Refuse values that no model can have."""
        super().__post_init__()
        check_llama(self)
        check_fields(self, check_integer, "head_width", at_least=2)
        check_fields(self, check_integer, "window", "score_width", at_least=1)
        check_fields(self, check_real, "window_base", above=1)
        check_fields(self, check_real, "rope_factor", at_least=1)


class Gemma3Attention(RotaryAttention):
    """RotaryAttention with QK-norm, the scale of Gemma 2, and one of two rotations.

    reads_all says which: True for a layer without a window, False for one with.
    """

    def __init__(self, config, attend=attention_fused, reads_all=True):
        """Make the projections and norms."""
        super().__init__(config, attend)
        self.q_norm = GemmaNorm(config.head_width, eps=config.layer_norm_epsilon)
        self.k_norm = GemmaNorm(config.head_width, eps=config.layer_norm_epsilon)
        self.score_width, self.reads_all = config.score_width, reads_all

    def rotated(self, q, k, rotation):
        """Return queries (B, H, T, D), scaled, and keys (B, G, T, D), normalised and rotated."""
        near, far = rotation
        own = far if self.reads_all else near
        q, k = rotate(self.q_norm(q), own), rotate(self.k_norm(k), own)
        return scaled_queries(q, self.score_width), k


class Gemma3Block(SandwichBlock):
    """Attention with QK-norm, then a GeGLU; norms, on both sides, are RMSNorms."""

    def __init__(self, config, attend=attention_fused, reads_all=True):
        """Make the two sub-layers and their norms."""
        attn = Gemma3Attention(config, attend, reads_all)
        super().__init__(config, GemmaNorm, attn, GeGLUMLP(config))


GEMMA3_NAMES = {
    **LLAMA_NAMES,
    **SANDWICH_NAMES,
    "attn.q_norm.bias": "self_attn.q_norm.weight",
    "attn.k_norm.bias": "self_attn.k_norm.weight",
}


class Gemma3Model(RotaryModel):
    """Token embeddings, L blocks, of which every sixth reads all tokens, and an RMSNorm."""

    hf_names = GEMMA3_NAMES

    def __init__(self, config, attend=attention_fused):
        """Make the layers, and hand those that read a window the attention with it."""
        check_config(config, Gemma3Config)
        super().__init__(config, attend, Gemma3Block, GemmaNorm, gemma3_rotations)
        local = [block for block in self.h if not block.attn.reads_all]
        use_sliding_window(local, config.window)

    def make_blocks(self, block, attend):
        """Return the L blocks, of which every sixth reads all tokens."""
        numbers = range(1, self.config.n_layer + 1)
        return [block(self.config, attend, number % PERIOD == 0) for number in numbers]

    def embed(self, input_ids, position_ids):
        """Return the stream (B, T, C), sqrt(C) times the embeddings, and both rotations."""
        x, rotations = super().embed(input_ids, position_ids)
        return x * self.config.n_embd**0.5, rotations


class Gemma3LMHeadModel(GPTLMHeadModel):
    """GPTLMHeadModel on a Gemma3Model; the head is the token embedding."""

    def __init__(self, config, attend=attention_fused):
        """Make the model and tie the head to its token embedding."""
        super().__init__(config, attend, transformer=Gemma3Model)


def gemma3_rotations(position_ids, config):
    """Return two rotations, each cosines and sines (N, 1, T, P): with a window, and without.

    Without one, all frequencies are slowed down alike, for longer texts.
    """
    width = config.head_width
    near = rotary_angles(position_ids, width, config.window_base)
    far = rotary_angles(
        position_ids, width, config.rotary_base, lambda found: found / config.rope_factor
    )
    return near, far
