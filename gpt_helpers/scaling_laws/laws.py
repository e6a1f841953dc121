"""Published laws of the loss, with where their constants were seen. Imports no torch.

Losses are in nats per token. Amounts (parameters, tokens, FLOPs, PF-days) are positive numbers
or arrays of them. Training costs 6 FLOPs per parameter and token here: C = 6ND. Each law names
its source, and in flag how its constants were seen: a key of FLAGS.
"""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

from gpt_helpers.scaling_laws.amounts import check_amounts, check_constants, in_floats

FLAGS = {
    "P": "in the primary text, or the authors' own code",
    "S": "in secondary sources that agree",
    "F": "fitted here, to runs of our own",
}
PF_DAY = 1e15 * 24 * 3600  # FLOPs. Source: kaplan2020scaling, sec. 1.3
FLOPS_PER_PARAMETER = 6  # and token, in training


class Optimum(NamedTuple):
    """The best use of a budget: parameters, training tokens, and the loss they reach."""

    n_params: Any
    n_tokens: Any
    loss: Any


@dataclass(frozen=True)
class PowerLaw:
    """L(X) = (scale / X)^exponent, of one amount while no other one limits the loss."""

    scale: float
    exponent: float
    unit: str
    source: str
    flag: str

    def __post_init__(self):
        """Raise ValueError for constants that no law has."""
        check_constants(self, "scale", "exponent")

    @in_floats
    def loss(self, amount):
        """Return the loss, in nats per token, at an amount in the law's unit."""
        check_amounts(amount=amount)
        return (self.scale / amount) ** self.exponent


# The compute of "fixed batch" is that of runs which all had one batch size; that of "compute"
# is what the best batch size would have needed. "gpt3" is printed as 2.57 C^-0.048.
POWER_LAWS = {
    "parameters": PowerLaw(
        8.8e13, 0.076, "non-embedding parameters", "kaplan2020scaling, eq. 1.1", "P"
    ),
    "tokens": PowerLaw(5.4e13, 0.095, "tokens", "kaplan2020scaling, eq. 1.2", "P"),
    "compute": PowerLaw(3.1e8, 0.050, "PF-days", "kaplan2020scaling, eq. 1.3", "P"),
    "fixed batch": PowerLaw(1.6e7, 0.057, "PF-days", "kaplan2020scaling, table 5", "P"),
    "gpt3": PowerLaw(2.57 ** (1 / 0.048), 0.048, "PF-days", "brown2020gpt3, fig. 3.1", "S"),
}


@dataclass(frozen=True)
class JointLaw:
    """Kaplan's L(N, D) = floor + ((N_c / N)^(alpha_N / alpha_D) + D_c / D)^alpha_D, with floor 0.

    Kaplan's N counts no embeddings, and the constants are a fit of their own: those of POWER_LAWS
    do not belong into this form. Source: kaplan2020scaling, eq. 1.5.
    """

    params_scale: float
    tokens_scale: float
    params_exponent: float
    tokens_exponent: float
    source: str
    flag: str
    floor: float = 0.0

    def __post_init__(self):
        """Raise ValueError for constants that no law has."""
        check_constants(
            self, "params_scale", "tokens_scale", "params_exponent", "tokens_exponent",
            least="floor",
        )  # fmt: skip

    @in_floats
    def loss(self, n_params, n_tokens):
        """Return the loss, in nats per token, of early stopping on n_tokens tokens."""
        check_amounts(infinite=True, n_params=n_params, n_tokens=n_tokens)
        by_size = (self.params_scale / n_params) ** self.ratio
        by_data = self.tokens_scale / n_tokens
        return self.floor + (by_size + by_data) ** self.tokens_exponent

    @property
    def ratio(self):
        """Return alpha_N / alpha_D: the best number of tokens grows like N to this power."""
        return self.params_exponent / self.tokens_exponent

    @property
    def exponents(self):
        """Return (a, b): at C = 6ND the best size grows like C^a, the number of tokens like C^b."""
        return 1 / (1 + self.ratio), self.ratio / (1 + self.ratio)

    @in_floats
    def optimum(self, flops):
        """Return the Optimum of a training budget, if it is 6ND, whatever N counts."""
        check_amounts(flops=flops)
        product = flops / FLOPS_PER_PARAMETER
        balance = self.ratio * self.params_scale**self.ratio / self.tokens_scale
        n_params = (balance * product) ** self.exponents[0]
        return Optimum(n_params, product / n_params, self.loss(n_params, product / n_params))


KAPLAN = JointLaw(6.4e13, 1.8e13, 0.076, 0.103, "kaplan2020scaling, table 2", "P")


@in_floats
def kaplan_optimal(flops):
    """Return (n_params, n_tokens), without embeddings, that Kaplan's table 6 gives a budget.

    The two are fits of their own; 6ND is not exactly the budget. Source: kaplan2020scaling.
    """
    check_amounts(flops=flops)
    pf_days = flops / PF_DAY
    return 1.3e9 * pf_days**0.73, 2e10 * pf_days**0.27


@dataclass(frozen=True)
class LossLaw:
    """L(N, D) = E + A / N^alpha + B / D^beta, with all parameters counted in N.

    Source: hoffmann2022chinchilla, eq. 2.
    """

    E: float
    A: float
    B: float
    alpha: float
    beta: float
    source: str
    flag: str

    def __post_init__(self):
        """Raise ValueError for constants that no law has."""
        check_constants(self, "A", "B", "alpha", "beta", least="E")

    @in_floats
    def loss(self, n_params, n_tokens):
        """Return the loss, in nats per token, after n_tokens tokens that are all new."""
        check_amounts(infinite=True, n_params=n_params, n_tokens=n_tokens)
        return self.E + self.A / n_params**self.alpha + self.B / n_tokens**self.beta

    @property
    def exponents(self):
        """Return (a, b): the best size grows like C^a, the best number of tokens like C^b."""
        total = self.alpha + self.beta
        return self.beta / total, self.alpha / total

    @property
    def balance(self):
        """Return G, which shares C/6 out: N = G (C/6)^a, D = (C/6)^b / G."""
        ratio = self.alpha * self.A / (self.beta * self.B)
        return ratio ** (1 / (self.alpha + self.beta))

    @in_floats
    def optimum(self, flops):
        """Return the Optimum of a training budget. Source: hoffmann2022chinchilla, eq. 4."""
        check_amounts(flops=flops)
        (a, b), product = self.exponents, flops / FLOPS_PER_PARAMETER
        n_params, n_tokens = self.balance * product**a, product**b / self.balance
        return Optimum(n_params, n_tokens, self.loss(n_params, n_tokens))

    @in_floats
    def budget(self, n_params):
        """Return the FLOPs for which n_params parameters are the best size."""
        check_amounts(n_params=n_params)
        return FLOPS_PER_PARAMETER * (n_params / self.balance) ** (1 / self.exponents[0])

    @in_floats
    def best_size(self, n_tokens):
        """Return the number of parameters for which n_tokens tokens are the best number."""
        check_amounts(n_tokens=n_tokens)
        return self.balance * (self.balance * n_tokens) ** (self.beta / self.alpha)


# One fit as it is printed and as it was, and the fit that replaces it: their optima differ.
FITS = {
    "printed": LossLaw(1.69, 406.4, 410.7, 0.34, 0.28, "hoffmann2022chinchilla, eq. 10", "P"),
    "unrounded": LossLaw(
        math.exp(0.5267228),
        math.exp(6.0073404),
        math.exp(6.0179186),
        0.33917084,
        0.2849083,
        "hoffmann2022chinchilla, text of eq. 10; besiroglu2024replication, notebook",
        "P",
    ),
    "refit": LossLaw(
        1.8172, 482.01, 2085.43, 0.3478, 0.3658, "besiroglu2024replication, eq. 5", "P"
    ),
}
# The optima that Chinchilla prints for its three approaches: parameters, FLOPs, tokens. Three rows
# of the third are not 6ND: at 175B 1.26e25 FLOPs are meant, at 280B 21.0e12 tokens, and the row
# of 67B is that of 70B. Source: hoffmann2022chinchilla, tables 3 and A3.
PRINTED_OPTIMA = {
    "training curves": (
        (400e6, 1.92e19, 8.0e9), (1e9, 1.21e20, 20.2e9), (10e9, 1.23e22, 205.1e9),
        (67e9, 5.76e23, 1.5e12), (175e9, 3.85e24, 3.7e12), (280e9, 9.90e24, 5.9e12),
        (520e9, 3.43e25, 11.0e12), (1e12, 1.27e26, 21.2e12), (10e12, 1.30e28, 216.2e12),
    ),
    "iso-FLOP profiles": (
        (400e6, 1.84e19, 7.7e9), (1e9, 1.20e20, 20.0e9), (10e9, 1.32e22, 219.5e9),
        (67e9, 6.88e23, 1.7e12), (175e9, 4.54e24, 4.3e12), (280e9, 1.18e25, 7.1e12),
        (520e9, 4.19e25, 13.4e12), (1e12, 1.59e26, 26.5e12), (10e12, 1.75e28, 292.0e12),
    ),
    "parametric loss": (
        (400e6, 2.21e19, 9.2e9), (1e9, 1.62e20, 27.1e9), (10e9, 2.46e22, 410.1e9),
        (67e9, 1.71e24, 4.1e12), (175e9, 1.26e24, 12.0e12), (280e9, 3.52e25, 20.1e12),
        (520e9, 1.36e26, 43.5e12), (1e12, 5.65e26, 94.1e12), (10e12, 8.55e28, 1425.5e12),
    ),
}  # fmt: skip


def compute_optimal(flops, fit="refit"):
    """Return the Optimum of a training budget by one of FITS, or by a LossLaw.

    Raises ValueError for another name, and for FLOPs that are not positive.
    """
    return law_of(fit).optimum(flops)


def law_of(fit):
    """Return the LossLaw of a name in FITS, or the LossLaw that is given."""
    if isinstance(fit, LossLaw):
        return fit
    if not isinstance(fit, str) or fit not in FITS:
        raise ValueError(f"fit={fit!r} is unknown; use one of {tuple(FITS)}, or a LossLaw")
    return FITS[fit]
