"""PLaMo-13B: a Llama with a parallel block, whose heads share keys in another order."""

import functools
from dataclasses import dataclass

from gpt_helpers.architecture.attention import attention_fused
from gpt_helpers.architecture.operands import check_heads
from gpt_helpers.variants.gpt_j import GPTJBlock
from gpt_helpers.variants.llama import LlamaBlock, LlamaConfig, LlamaLMHeadModel, LlamaModel
from gpt_helpers.variants.rotary import RotaryAttention


@dataclass(frozen=True)
class PLaMoConfig(LlamaConfig):
    """The shape of a PLaMo; the defaults are PLaMo-13B.

    Source: plamo2023 for the model, llamacpp2023plamo for what it computes.
    """

    vocab_size: int = 50432
    n_positions: int = 4096
    n_embd: int = 5120
    n_layer: int = 40
    n_head: int = 40
    n_inner: int | None = 16640
    n_kv_head: int | None = 5
    layer_norm_epsilon: float = 1e-6
    rotary_base: float = 10000.0
    rope_factor: float = 1.0


class PLaMoAttention(RotaryAttention):
    """RotaryAttention in which heads G apart share a key head, not heads in a row.

    Query head h reads key head h mod G. Source: llamacpp2023plamo.
    """

    def __init__(self, config, attend=attention_fused):
        """Make the projections."""
        super().__init__(config, functools.partial(attention_dealt, attend=attend))


def attention_dealt(q, k, v, padding=None, dropout=0.0, window=None, attend=attention_fused):
    """Return what attend returns if query head h reads key head h mod G, (B, H, T, D).

    The other arguments and the errors are those of attention.attention.
    """
    check_heads(q, k, v, padding, dropout, window)
    n_groups = k.shape[1]
    in_rows = dealt(q, n_groups)  # (B, H, T, D)
    y = attend(in_rows, k, v, padding, dropout, window)  # (B, H, T, D)
    return dealt(y, q.shape[1] // n_groups)  # (B, H, T, D)


def dealt(x, n_piles):
    """Return x (B, H, T, D) with its heads dealt to n_piles in turn, pile after pile.

    Six heads, to two piles, come in the order 0, 2, 4, 1, 3, 5. To deal to H / n_piles piles
    takes it back. n_piles must divide H.
    """
    return x.unflatten(1, (-1, n_piles)).transpose(1, 2).flatten(1, 2)  # (B, H, T, D)


class PLaMoBlock(LlamaBlock):
    """Attention and the MLP of a Llama read one normalised copy of the stream, as in GPT-J."""

    attention_class = PLaMoAttention

    def __init__(self, config, attend=attention_fused):
        """Make the two sub-layers and their norm."""
        super().__init__(config, attend)
        del self.ln_2

    forward = GPTJBlock.forward


class PLaMoModel(LlamaModel):
    """Token embeddings, L blocks and a final RMSNorm."""

    config_class, block_class = PLaMoConfig, PLaMoBlock


class PLaMoLMHeadModel(LlamaLMHeadModel):
    """GPTLMHeadModel on a PLaMoModel, with a head that has weights of its own."""

    model_class = PLaMoModel
