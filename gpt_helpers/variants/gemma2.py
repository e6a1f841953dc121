"""Gemma 2: a Llama with norms on both sides of each sub-layer, and with scores that are capped."""

from dataclasses import dataclass

import torch
import torch.nn as nn
import torch.nn.functional as F

from gpt_helpers.architecture.attention import (
    positions,
    repeat_heads,
    scaled_scores,
    visible_keys,
    visible_softmax,
)
from gpt_helpers.architecture.model import GPTLMHeadModel
from gpt_helpers.architecture.operands import check_heads, wide_product, widened
from gpt_helpers.config import GPTConfig, check_config
from gpt_helpers.validation import check_fields, check_integer, check_real
from gpt_helpers.variants.decoder import RotaryAttention, RotaryModel, SandwichBlock
from gpt_helpers.variants.hugging_face import LLAMA_NAMES, SANDWICH_NAMES
from gpt_helpers.variants.llama import check_llama
from gpt_helpers.variants.mlps import GeGLUMLP
from gpt_helpers.variants.windows import use_sliding_window

SCORE_CAP, LOGIT_CAP = 50.0, 30.0


@dataclass(frozen=True)
class Gemma2Config(GPTConfig):
    """The shape of a Gemma 2; the defaults are Gemma 2 2B.

    head_width is D, whatever C / H is. Scores are divided by the square root of score_width,
    which is D, or C / H in the 27B. window is the number of tokens that the first, third, ...
    layers read. Other fields are those of Qwen2Config. Source: gemma2024gemma2, sec. 2.
    """

    vocab_size: int = 256000
    n_positions: int = 8192
    n_embd: int = 2304
    n_layer: int = 26
    n_head: int = 8
    n_inner: int | None = 9216
    n_kv_head: int | None = 4
    dropout: float = 0.0
    layer_norm_epsilon: float = 1e-6
    rotary_base: float = 10000.0
    window: int = 4096
    head_width: int = 256
    score_width: int = 256

    def __post_init__(self):
        """Refuse values that no model can have."""
        super().__post_init__()
        check_llama(self)
        check_fields(self, check_integer, "head_width", at_least=2)
        check_fields(self, check_integer, "window", "score_width", at_least=1)


class GemmaNorm(nn.Module):
    """An RMSNorm whose gains are 1 + bias: in 16 bits, gains near 1 would lose more than these."""

    def __init__(self, width, eps):
        """Begin with gains of 1; eps is added to the mean of the squares."""
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(width))
        self.eps = eps

    def forward(self, x):
        """Return x (..., W), normalised in 32 bits at least."""
        gains = 1 + widened(self.bias)  # (W,)
        return F.rms_norm(widened(x), gains.shape, gains, self.eps).type_as(x)  # (..., W)


def softcap(x, cap):
    """Return x, of any shape, bent so that it stays between -cap and cap; near 0 it is x.

    Source: gemma2024gemma2, sec. 2.
    """
    check_real("cap", cap, above=0)
    return cap * (x / cap).tanh()


def attention_softcapped(q, k, v, padding=None, dropout=0.0, window=None):
    """Return attention (B, H, T, D) whose scores stay between -SCORE_CAP and SCORE_CAP.

    The arguments and the errors are those of attention.attention.
    """
    check_heads(q, k, v, padding, dropout, window)
    visible = visible_keys(*positions(q, k), padding, window)
    scores = scaled_scores(q, k)  # (B, H, T, S)
    scores = softcap(scores, SCORE_CAP)  # (B, H, T, S)
    weights = visible_softmax(scores, visible)  # (B, H, T, S)
    values = repeat_heads(v, q.shape[1])  # (B, H, S, D)
    mixed = wide_product(F.dropout(weights, dropout), values)  # (B, H, T, D)
    return mixed.type_as(q)  # (B, H, T, D)


def scaled_queries(q, score_width):
    """Return q (B, H, T, D) with which a score divided by sqrt(D) is one by sqrt(score_width)."""
    return q * (q.shape[-1] / score_width) ** 0.5  # (B, H, T, D)


class Gemma2Attention(RotaryAttention):
    """RotaryAttention whose scores are divided by the square root of config.score_width."""

    def __init__(self, config, attend=attention_softcapped):
        """Make the projections."""
        super().__init__(config, attend)
        self.score_width = config.score_width

    def rotated(self, q, k, rotation):
        """Return queries (B, H, T, D), scaled, and keys (B, G, T, D), rotated."""
        q, k = super().rotated(q, k, rotation)
        return scaled_queries(q, self.score_width), k


class Gemma2Block(SandwichBlock):
    """Attention with capped scores, then a GeGLU; norms, on both sides, are RMSNorms."""

    def __init__(self, config, attend=attention_softcapped):
        """Make the two sub-layers and their norms."""
        attn = Gemma2Attention(config, attend)
        super().__init__(config, GemmaNorm, attn, GeGLUMLP(config))


GEMMA2_NAMES = LLAMA_NAMES | SANDWICH_NAMES


class Gemma2Model(RotaryModel):
    """Token embeddings, L blocks, the first, third, ... of which read a window, and an RMSNorm."""

    hf_names = GEMMA2_NAMES

    def __init__(self, config, attend=attention_softcapped):
        """Make the layers, and hand those that read a window the attention with it."""
        check_config(config, Gemma2Config)
        super().__init__(config, attend, Gemma2Block, GemmaNorm)
        use_sliding_window(self.h[::2], config.window)

    def embed(self, input_ids, position_ids):
        """Return the stream (B, T, C), sqrt(C) times the embeddings, and the rotation."""
        x, rotation = super().embed(input_ids, position_ids)
        return x * self.config.n_embd**0.5, rotation


class CappedHead(nn.Linear):
    """The token embedding as a head whose logits stay between -LOGIT_CAP and LOGIT_CAP."""

    def __init__(self, config, embedding):
        """Share the weights of the embedding; its own are never made."""
        super().__init__(config.n_embd, config.vocab_size, bias=False, device="meta")
        self.weight = embedding.weight

    def forward(self, hidden):
        """Return logits (B, T, V) for hidden states (B, T, C)."""
        return softcap(super().forward(hidden), LOGIT_CAP)  # (B, T, V)


class Gemma2LMHeadModel(GPTLMHeadModel):
    """GPTLMHeadModel on a Gemma2Model, with a CappedHead."""

    def __init__(self, config, attend=attention_softcapped):
        """Make the model and its head, which is tied to the token embedding."""
        super().__init__(config, attend, transformer=Gemma2Model, head=CappedHead)
