"""A modern GPT: rotary positions, RMSNorm, QK-norm, no biases, a head of its own.

No norm has a gain: the matrix that reads the result can do its work, and the step is faster.
"""

import functools

import torch.nn as nn
import torch.nn.functional as F

from gpt_helpers.architecture.attention import attention_fused
from gpt_helpers.architecture.inputs import refuse_misfits
from gpt_helpers.architecture.model import GPTLMHeadModel, init_weights
from gpt_helpers.config import check_config, check_fixed
from gpt_helpers.validation import check_callable
from gpt_helpers.variants.decoder import (
    RotaryAttention,
    RotaryBlock,
    RotaryModel,
    check_rotary,
    untied_head,
)
from gpt_helpers.variants.rotary import rotate


class ModernAttention(RotaryAttention):
    """RotaryAttention whose queries and keys are normalised before they are rotated.

    Norm and rotation keep each query and key at length sqrt(D), so no score exceeds sqrt(D).
    Source: henry2020qknorm (with an RMSNorm, and the fixed scale of GPT-2).
    """

    def __init__(self, config, attend=attention_fused):
        """Make the projections, and the norm of queries and keys."""
        super().__init__(config, attend)
        self.qk_norm = rms_norm(config.head_width, eps=config.layer_norm_epsilon)

    def rotated(self, q, k, rotation):
        """Return queries (B, H, T, D) and keys (B, G, T, D), normalised and rotated."""
        return rotate(self.qk_norm(q), rotation), rotate(self.qk_norm(k), rotation)


class SquaredReLUMLP(nn.Module):
    """Two projections with max(x, 0) ** 2 between, for each position by itself.

    Source: so2021primer.
    """

    def __init__(self, config):
        """Make the two projections."""
        super().__init__()
        check_rotary(config)
        check_fixed(config, activation=("gelu",))
        self.c_fc = nn.Linear(config.n_embd, config.mlp_width, bias=False)
        self.c_proj = nn.Linear(config.mlp_width, config.n_embd, bias=False)

    @refuse_misfits
    def forward(self, x):
        """Return (B, T, C) for x (B, T, C)."""
        x = F.relu(self.c_fc(x)).square()  # (B, T, F)
        return self.c_proj(x)  # (B, T, C)


class ModernBlock(RotaryBlock):
    """A RotaryBlock with QK-norm and an MLP of any class."""

    def __init__(self, config, attend=attention_fused, mlp=SquaredReLUMLP):
        """Make the two sub-layers and their norms."""
        check_callable("mlp", mlp)
        super().__init__(config, rms_norm, ModernAttention(config, attend), mlp(config))


class ModernModel(RotaryModel):
    """A RotaryModel of ModernBlocks.

    At first the projections into the stream are zero, so that a block changes nothing.
    """

    def __init__(self, config, attend=attention_fused, mlp=SquaredReLUMLP):
        """Make the layers and draw their initial weights."""
        check_config(config, exact=True)
        super().__init__(config, attend, functools.partial(ModernBlock, mlp=mlp), rms_norm)
        # All are drawn once more, so that a seed gives the weights of the recorded runs.
        init_weights(self, config.initializer_range, residual_std=0)


class ModernLMHeadModel(GPTLMHeadModel):
    """GPTLMHeadModel on a ModernModel, with a head that has weights of its own.

    mlp is the class of the MLPs. Of the config, activation is not used, and dropout must be
    0: dataclasses.replace(config, dropout=0.0).
    """

    def __init__(self, config, attend=attention_fused, mlp=SquaredReLUMLP):
        """Make the model, and a head that is not tied to the token embedding."""
        super().__init__(config, attend, functools.partial(ModernModel, mlp=mlp), untied_head)


def rms_norm(width, eps):
    """Return a module that divides the last axis, of this width, by its root mean square.

    eps is added to the mean of the squares. Source: zhang2019rmsnorm, eq. 4, without the gain.
    """
    return nn.RMSNorm(width, eps=eps, elementwise_affine=False)
