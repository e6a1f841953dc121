"""MLPs after GPT-2's: the gated one of Llama, and experts of which each token uses a few.

In shapes, N is the number of tokens B*T, A that of all experts, and K that of a token's.
"""

import torch
import torch.nn as nn
import torch.nn.functional as F

from gpt_helpers.architecture.inputs import refuse_misfits
from gpt_helpers.architecture.model import ACTIVATIONS
from gpt_helpers.architecture.operands import widened, without_autocast
from gpt_helpers.config import check_fixed
from gpt_helpers.validation import check_callable, check_flag, check_integer
from gpt_helpers.variants.decoder import check_rotary


class SwiGLUMLP(nn.Module):
    """The product of two projections, one of them through swish, and a third into the stream.

    c_fc holds the first two, the gate before what it gates. With n_inner = 8/3 C there are
    as many weights as in an MLP of two projections and width 4C. Source: shazeer2020glu, eq. 6.
    """

    def __init__(self, config):
        """Make the projections."""
        super().__init__()
        check_rotary(config)
        check_fixed(config, activation=("gelu",))
        self.c_fc = nn.Linear(config.n_embd, 2 * config.mlp_width, bias=False)
        self.c_proj = nn.Linear(config.mlp_width, config.n_embd, bias=False)

    @refuse_misfits
    def forward(self, x):
        """Return (..., C) for x (..., C)."""
        gate, x = self.c_fc(x).chunk(2, dim=-1)  # (..., F)
        x = self.activation(gate) * x  # (..., F)
        return self.c_proj(x)  # (..., C)

    def activation(self, gate):
        """Return swish of the gate, (..., F)."""
        return ACTIVATIONS["swish"](gate)


class GeGLUMLP(SwiGLUMLP):
    """A SwiGLUMLP with GELU, in its tanh form, in place of swish. Source: shazeer2020glu, eq. 6."""

    def activation(self, gate):
        """Return GELU of the gate, (..., F)."""
        return ACTIVATIONS["gelu"](gate)


class Router(nn.Linear):
    """A Linear that computes in 32 bits at least, whatever its numbers have, under autocast too.

    In 16 bits many experts score the same, and a token gets others than those that score highest.
    """

    def forward(self, tokens):
        """Return scores (N, A) for tokens (N, C)."""
        bias = None if self.bias is None else widened(self.bias)
        with without_autocast(tokens):
            return F.linear(widened(tokens), widened(self.weight), bias)  # (N, A)


class Experts(nn.Module):
    """Several MLPs of which each token uses those that its router scores highest.

    A token's result is the sum of theirs, weighted by the softmax of the chosen scores.
    mlp is the class of an expert. Source: jiang2024mixtral, sec. 2.1.
    """

    def __init__(self, config, mlp=SwiGLUMLP, bias=False):
        """Make config.n_experts experts and the router."""
        super().__init__()
        check_experts(config)
        check_callable("mlp", mlp)
        check_flag("bias", bias)
        self.n_experts_per_token = config.n_experts_per_token
        self.router = Router(config.n_embd, config.n_experts, bias=bias)
        self.experts = nn.ModuleList([mlp(config) for _ in range(config.n_experts)])

    @refuse_misfits
    def forward(self, x):
        """Return (B, T, C) for x (B, T, C)."""
        tokens = x.flatten(0, 1)  # (N, C)
        shares, chosen = self.routed(tokens)  # (N, K)
        combined = torch.zeros_like(widened(tokens))  # (N, C)
        # An expert that no token chose reads no rows; so its gradient is 0, not missing.
        for number, expert in enumerate(self.experts):
            rows, places = (chosen == number).nonzero(as_tuple=True)
            result = widened(expert(tokens[rows])) * shares[rows, places, None]
            combined = combined.index_add(0, rows, result.type_as(combined))  # (N, C)
        return combined.view_as(x).type_as(x)  # (B, T, C)

    def routed(self, tokens):
        """Return shares (N, K) of the experts that tokens (N, C) use, and their numbers (N, K)."""
        scores, chosen = self.router(tokens).topk(self.n_experts_per_token, dim=-1)  # (N, K)
        return scores.softmax(-1), chosen  # (N, K)


def swiglu_or_experts(config):
    """Return a SwiGLUMLP, or Experts if config.n_experts is a number."""
    return SwiGLUMLP(config) if config.n_experts is None else Experts(config)


def check_optional_experts(config):
    """Raise ValueError unless config has experts, or says nothing of them."""
    if config.n_experts is not None:
        check_experts(config)
    elif config.n_experts_per_token is not None:
        raise ValueError(
            f"n_experts_per_token={config.n_experts_per_token!r} but n_experts=None; give both,"
            " or neither"
        )


def check_experts(config):
    """Raise ValueError unless config says how many experts there are and how many are chosen."""
    check_rotary(config)
    for name in ("n_experts", "n_experts_per_token"):
        number = check_integer(name, getattr(config, name, None), at_least=1)
        object.__setattr__(config, name, number)
    if config.n_experts_per_token > config.n_experts:
        raise ValueError(
            f"n_experts_per_token={config.n_experts_per_token} experts of"
            f" n_experts={config.n_experts}; choose fewer"
        )
