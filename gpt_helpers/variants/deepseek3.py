"""DeepSeek-V3: a Llama with latent attention, and with experts that are chosen by groups.

In shapes, N is the number of tokens B*T, A that of experts, J that of groups, I that of experts
in a group, and K that of a token's experts.
"""

import functools
from dataclasses import dataclass, replace

import torch
import torch.nn as nn

from gpt_helpers.architecture.attention import attention_fused
from gpt_helpers.architecture.inputs import refuse_misfits
from gpt_helpers.architecture.model import GPTLMHeadModel
from gpt_helpers.config import GPTConfig, check_config
from gpt_helpers.validation import check_fields, check_integer, check_real
from gpt_helpers.variants.decoder import RotaryBlock, RotaryModel, untied_head
from gpt_helpers.variants.hugging_face import EXPERT_NAMES, LLAMA_NAMES
from gpt_helpers.variants.latent import LATENT_WIDTHS, LatentAttention, check_latents
from gpt_helpers.variants.llama import check_llama
from gpt_helpers.variants.mlps import Experts, SwiGLUMLP, check_experts
from gpt_helpers.variants.rope_scaling import check_yarn, rescaled, yarn_ramp
from gpt_helpers.variants.rotary import rotary_angles


@dataclass(frozen=True)
class DeepSeek3Config(GPTConfig):
    """The shape of a DeepSeek-V3; the defaults are its 671B.

    Queries are made from a latent of width query_latent; keys and values of all heads from one
    of width key_latent, so n_kv_head is 1. Of a query and a key plain_width columns stay and
    rotary_width turn; values have value_width. The first n_dense layers have one MLP of width
    dense_width. In the others each token uses one expert of width n_inner that all share and
    n_experts_per_token of n_experts, from the best n_groups_chosen of n_groups groups; their
    shares sum to routed_scaling_factor. Other fields are those of LlamaConfig.

    Sources: deepseek2024v2, sec. 2.1; deepseek2024v3, sec. 2.1, 4.2, 4.3.
    """

    vocab_size: int = 129280
    n_positions: int = 163840
    n_embd: int = 7168
    n_layer: int = 61
    n_head: int = 128
    n_inner: int | None = 2048
    n_kv_head: int | None = 1
    dropout: float = 0.0
    layer_norm_epsilon: float = 1e-6
    rotary_base: float = 10000.0
    rope_factor: float = 40.0
    original_positions: int = 4096
    n_experts: int | None = 256
    n_experts_per_token: int | None = 8
    query_latent: int = 1536
    key_latent: int = 512
    plain_width: int = 128
    rotary_width: int = 64
    value_width: int = 128
    n_dense: int = 3
    dense_width: int = 18432
    n_groups: int = 8
    n_groups_chosen: int = 4
    routed_scaling_factor: float = 2.5

    def __post_init__(self):
        """Refuse values that no model can have."""
        check_latents(self)
        check_fields(self, check_integer, *LATENT_WIDTHS, at_least=1)
        super().__post_init__()
        check_llama(self)
        check_yarn(self, self.rotary_width, whole_pairs=True)
        check_experts(self)
        check_groups(self)
        check_fields(self, check_integer, "dense_width", at_least=1)
        check_fields(self, check_integer, "n_dense", at_least=0)
        check_fields(self, check_real, "routed_scaling_factor", above=0)

    @property
    def head_width(self):
        """Return D, the width of a query and of a key."""
        return self.plain_width + self.rotary_width

    @property
    def cached_widths(self):
        """Return the widths of what is kept of a token: its latent, and its key that turns."""
        return self.key_latent, self.rotary_width


class DeepSeek3Experts(Experts):
    """Experts that a sigmoid scores, and one more that every token uses.

    The balancing bias only chooses: training raises it for experts that are chosen too rarely,
    and not by the gradient. It keeps 32 bits whatever the rest is converted to, as in 16 it would
    choose others. Source: deepseek2024v3, eq. 12 to 16, and sec. 2.1.2.
    """

    def __init__(self, config):
        """Make the experts, the router and the expert that is shared."""
        check_config(config, DeepSeek3Config)
        super().__init__(config)
        bias = torch.zeros(config.n_experts, dtype=torch.float32)  # (A,)
        self.balancing_bias = nn.Parameter(bias, requires_grad=False)
        self.shared = SwiGLUMLP(config)
        self.groups = config.n_groups, config.n_groups_chosen
        self.routed_scaling_factor = config.routed_scaling_factor

    @refuse_misfits
    def forward(self, x):
        """Return (B, T, C) for x (B, T, C)."""
        return super().forward(x) + self.shared(x)  # (B, T, C)

    def _apply(self, convert, recurse=True):
        """Convert the weights, as nn.Module does, but for the bits of the balancing bias."""
        bias = self.balancing_bias.data
        super()._apply(convert, recurse)
        if self.balancing_bias.itemsize < bias.itemsize:
            self.balancing_bias.data = bias.to(self.balancing_bias.device)
        return self

    def routed(self, tokens):
        """Return shares and numbers (N, K) of the experts that tokens (N, C) use."""
        scores = self.router(tokens).sigmoid()  # (N, A)
        allowed = self.in_best_groups(scores.detach() + self.balancing_bias)  # (N, A)
        chosen = allowed.topk(self.n_experts_per_token, dim=-1).indices  # (N, K)
        shares = scores.gather(1, chosen)  # (N, K)
        total = shares.sum(-1, keepdim=True) + 1e-20  # (N, 1)
        return self.routed_scaling_factor * shares / total, chosen  # (N, K)

    def in_best_groups(self, scores):
        """Return scores (N, A), -inf but in groups whose two best score highest."""
        n_groups, n_groups_chosen = self.groups
        grouped = scores.unflatten(1, (n_groups, -1))  # (N, J, I)
        best = grouped.topk(2, dim=-1).values.sum(-1)  # (N, J)
        numbers = best.topk(n_groups_chosen, dim=-1).indices
        hidden = torch.ones_like(best).scatter(1, numbers, 0).bool()  # (N, J)
        return grouped.masked_fill(hidden[..., None], -torch.inf).flatten(1)  # (N, A)


class DeepSeek3Block(RotaryBlock):
    """Latent attention, then experts, or one MLP for all tokens; norms are RMSNorms."""

    def __init__(self, config, attend=attention_fused, is_dense=False):
        """Make the two sub-layers and their norms; is_dense asks for one MLP."""
        attn = LatentAttention(config, attend)
        mlp = dense_mlp(config) if is_dense else DeepSeek3Experts(config)
        super().__init__(config, nn.RMSNorm, attn, mlp)


def dense_mlp(config):
    """Return a SwiGLUMLP of width config.dense_width."""
    return SwiGLUMLP(replace(config, n_inner=config.dense_width))


DEEPSEEK3_NAMES = {
    **LLAMA_NAMES,
    **EXPERT_NAMES,
    "attn.q_down": "self_attn.q_a_proj",
    "attn.q_norm": "self_attn.q_a_layernorm",
    "attn.q_up": "self_attn.q_b_proj",
    "attn.kv_down": "self_attn.kv_a_proj_with_mqa",
    "attn.kv_norm": "self_attn.kv_a_layernorm",
    "attn.kv_up": "self_attn.kv_b_proj",
    "mlp.balancing_bias": "mlp.gate.e_score_correction_bias",
    "mlp.shared.c_fc": ("mlp.shared_experts.gate_proj", "mlp.shared_experts.up_proj"),
    "mlp.shared.c_proj": "mlp.shared_experts.down_proj",
}


class DeepSeek3Model(RotaryModel):
    """Token embeddings, L blocks, the first few with one MLP for all tokens, and an RMSNorm."""

    hf_names = DEEPSEEK3_NAMES

    def __init__(self, config, attend=attention_fused):
        """Make the layers."""
        check_config(config, DeepSeek3Config)
        super().__init__(config, attend, DeepSeek3Block, nn.RMSNorm, deepseek3_rotation)

    def make_blocks(self, block, attend):
        """Return the L blocks, the first n_dense of them with one MLP for all tokens."""
        n_layer, n_dense = self.config.n_layer, self.config.n_dense
        return [block(self.config, attend, layer < n_dense) for layer in range(n_layer)]


class DeepSeek3LMHeadModel(GPTLMHeadModel):
    """GPTLMHeadModel on a DeepSeek3Model, with a head that has weights of its own."""

    def __init__(self, config, attend=attention_fused):
        """Make the model and its head."""
        super().__init__(config, attend, transformer=DeepSeek3Model, head=untied_head)


def deepseek3_rotation(position_ids, config):
    """Return the cosines and sines (N, 1, T, P) of positions (N, T), for the key that turns."""
    ramp = functools.partial(yarn_ramp, whole_pairs=True)
    rescale = functools.partial(rescaled, config=config, ramp=ramp)
    return rotary_angles(position_ids, config.rotary_width, config.rotary_base, rescale)


def check_groups(config):
    """Raise ValueError unless the groups divide the experts, and hold those that are chosen."""
    check_fields(config, check_integer, "n_groups", "n_groups_chosen", at_least=1)
    in_group, rest = divmod(config.n_experts, config.n_groups)
    if rest or in_group < 2:
        raise ValueError(
            f"n_groups={config.n_groups} must divide n_experts={config.n_experts} into groups of"
            " at least 2"
        )
    if config.n_groups_chosen > config.n_groups:
        raise ValueError(
            f"n_groups_chosen={config.n_groups_chosen} of n_groups={config.n_groups}; choose fewer"
        )
    if config.n_experts_per_token > config.n_groups_chosen * in_group:
        raise ValueError(
            f"n_experts_per_token={config.n_experts_per_token} experts are not in n_groups_chosen="
            f"{config.n_groups_chosen} groups of {in_group}; choose more groups"
        )
