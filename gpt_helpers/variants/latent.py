"""Latent attention: the cache keeps one narrow latent per token, not keys and values per head.

In shapes, R is the width of the latent of queries, or of keys and values, and W that of the key
that turns.
"""

import torch
import torch.nn as nn
import torch.nn.functional as F

from gpt_helpers.architecture.attention import attention_fused
from gpt_helpers.architecture.inputs import refuse_misfits
from gpt_helpers.architecture.model import split_heads
from gpt_helpers.config import check_config
from gpt_helpers.validation import check_callable, check_integer
from gpt_helpers.variants.rope_scaling import yarn_attention_factor
from gpt_helpers.variants.rotary import check_pairs, rotate_neighbours

# Of the norms of both latents, whatever epsilon the others have: so it is in the published code.
LATENT_EPSILON = 1e-6
LATENT_WIDTHS = "query_latent", "key_latent", "plain_width", "rotary_width", "value_width"


class LatentAttention(nn.Module):
    """Multi-head latent attention: keys and values of all heads are made from one latent.

    The cache keeps the latent, normalised, and one key that turns, which all heads share.
    Source: deepseek2024v2, sec. 2.1.2 and 2.1.3.
    """

    def __init__(self, config, attend=attention_fused):
        """Make the projections down to the latents, up to the heads, and into the stream."""
        super().__init__()
        check_latents(config)
        check_callable("attend", attend)
        self.attend, self.n_head = attend, config.n_head
        self.key_widths = config.plain_width, config.rotary_width
        self.value_widths = config.plain_width, config.value_width
        # YaRN lengthens what turns, in queries and in keys; here all of a query grows, by both.
        self.sharpness = yarn_attention_factor(config.rope_factor) ** 2
        up = config.n_head * config.head_width
        self.q_down = nn.Linear(config.n_embd, config.query_latent, bias=False)
        self.q_norm = nn.RMSNorm(config.query_latent, eps=LATENT_EPSILON)
        self.q_up = nn.Linear(config.query_latent, up, bias=False)
        self.kv_down = nn.Linear(config.n_embd, sum(config.cached_widths), bias=False)
        self.kv_norm = nn.RMSNorm(config.key_latent, eps=LATENT_EPSILON)
        up = config.n_head * sum(self.value_widths)
        self.kv_up = nn.Linear(config.key_latent, up, bias=False)
        self.c_proj = nn.Linear(config.n_head * config.value_width, config.n_embd, bias=False)

    @refuse_misfits
    def forward(self, x, rotation, padding=None, cache=None):
        """Return (B, T, C) for x (B, T, C); arguments are those of RotaryAttention."""
        q = self.queries(x, rotation)  # (B, H, T, D)
        latent, rotary_key = self.compressed(x, rotation)
        if cache is not None:
            latent, rotary_key = cache.append(latent, rotary_key)
        k, v = self.expanded(latent, rotary_key)  # (B, H, S, D)
        y = self.attend(q, k, v, padding)  # (B, H, T, D)
        y = y[..., : self.value_widths[1]].transpose(1, 2).flatten(2)
        return self.c_proj(y)  # (B, T, C)

    def queries(self, x, rotation):
        """Return queries (B, H, T, D) of x (B, T, C), by way of their latent."""
        latent = self.q_norm(self.q_down(x))  # (B, T, R)
        heads = split_heads(self.q_up(latent), self.n_head)  # (B, H, T, D)
        plain, turning = heads.split(self.key_widths, dim=-1)
        q = torch.cat([plain, rotate_neighbours(turning, rotation)], dim=-1)  # (B, H, T, D)
        return self.sharpness * q  # (B, H, T, D)

    def compressed(self, x, rotation):
        """Return what is cached: a latent (B, 1, T, R), a turned key (B, 1, T, W)."""
        widths = self.kv_up.in_features, self.key_widths[1]
        latent, turning = self.kv_down(x)[:, None].split(widths, dim=-1)
        latent = self.kv_norm(latent)  # (B, 1, T, R)
        return latent, rotate_neighbours(turning, rotation)

    def expanded(self, latent, rotary_key):
        """Return keys and values (B, H, S, D) of what is cached, of S tokens.

        Zeros fill values up to the width of keys, so that any attend reads them.
        """
        heads = self.kv_up(latent[:, 0]).unflatten(-1, (self.n_head, -1)).transpose(1, 2)
        plain, v = heads.split(self.value_widths, dim=-1)
        rotary_key = rotary_key.expand(-1, self.n_head, -1, -1)  # (B, H, S, W)
        k = torch.cat([plain, rotary_key], dim=-1)  # (B, H, S, D)
        return k, F.pad(v, (0, k.shape[-1] - v.shape[-1]))  # (B, H, S, D)


def check_latents(config):
    """Raise ValueError unless config is one whose heads can all read one latent."""
    check_config(config)
    for name in LATENT_WIDTHS:
        check_integer(name, getattr(config, name, None), at_least=1)
    check_pairs(config.rotary_width)
    if config.n_kv_head != 1:
        raise ValueError(f"n_kv_head={config.n_kv_head!r} but all heads read one latent; use 1")
    if config.value_width > config.head_width:
        raise ValueError(
            f"value_width={config.value_width} is more than plain_width + rotary_width ="
            f" {config.head_width}; make values narrower"
        )
