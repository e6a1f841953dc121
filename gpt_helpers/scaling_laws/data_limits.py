"""Laws of the loss where data run out, or where a model is used a lot. Imports no torch."""

import math
from dataclasses import dataclass

from gpt_helpers.scaling_laws.amounts import check_amounts
from gpt_helpers.scaling_laws.laws import LossLaw, Optimum, law_of
from gpt_helpers.validation import check_real


@dataclass(frozen=True)
class RepetitionLaw:
    """A LossLaw in which repeated tokens, and parameters beyond the best size, count for less.

    U unique things of which each came back R times count as U + U r (1 - exp(-R / r)): at R = r
    a repetition has lost 1 - 1/e of its worth. Source: muennighoff2023data, app. A.
    """

    law: LossLaw
    tokens_decay: float
    params_decay: float
    source: str
    flag: str

    def effective_tokens(self, n_tokens, n_unique):
        """Return how many new tokens n_tokens tokens are worth, of which n_unique are new."""
        return effective_amount(n_tokens, n_unique, self.tokens_decay)

    def effective_params(self, n_params, n_unique):
        """Return how many parameters n_params are worth, with n_unique tokens to learn from."""
        return effective_amount(n_params, self.law.best_size(n_unique), self.params_decay)

    def loss(self, n_params, n_tokens, n_unique):
        """Return the loss, in nats per token, after n_tokens / n_unique epochs.

        Amounts are positive numbers, no arrays.
        """
        check_amounts(n_params=n_params, n_tokens=n_tokens, n_unique=n_unique)
        return self.law.loss(
            self.effective_params(n_params, min(n_unique, n_tokens)),
            self.effective_tokens(n_tokens, n_unique),
        )


# The law is printed with 1.87, 521, 1488 and 0.35; both decays are printed in full.
REPETITION = RepetitionLaw(
    LossLaw(
        math.exp(0.6254804),
        math.exp(6.255414),
        math.exp(7.3049974),
        0.3526596,
        0.3526596,
        "muennighoff2023data, authors' code",
        "S",
    ),
    15.387756,
    5.309743,
    "muennighoff2023data, app. A",
    "P",
)


def effective_amount(amount, unique, decay):
    """Return what an amount is worth of which only so much is unique; all of it if it is less.

    Raises ValueError unless all three are positive numbers.
    """
    amount = check_real("amount", amount, above=0)
    unique = check_real("unique", unique, above=0)
    decay = check_real("decay", decay, above=0)
    if amount <= unique:
        return amount
    return unique + unique * decay * -math.expm1(-(amount / unique - 1) / decay)


def inference_optimal(loss, n_inference_tokens, fit="refit"):
    """Return the Optimum that reaches a loss for the fewest FLOPs of training and use together.

    To read or write n_inference_tokens tokens costs 2N FLOPs each, so 6 N D + 2 N D_inf in all.
    Without any it is the best use of a training budget. At the minimum
    alpha A / N^alpha = (1 + D_inf / 3D) beta B / D^beta: the root is found by bisection, on the
    share of what the loss has above E that is due to the size.

    Raises ValueError for a loss that the law never reaches, and for fewer than 0 tokens, or so
    many that the share is 1 to the last digit. Source: sardana2024beyond, eq. 2.
    """
    law = law_of(fit)
    excess = check_real("loss", loss, above=law.E, at_most=1e3) - law.E
    n_used = check_real("n_inference_tokens", n_inference_tokens, at_least=0, at_most=1e50)
    low, high = 0.0, 1.0
    for _ in range(100):
        share = (low + high) / 2
        n_tokens = (law.B / (excess * (1 - share))) ** (1 / law.beta)
        price = 1 + n_used / (3 * n_tokens)
        is_too_small = law.alpha * share > price * law.beta * (1 - share)
        low, high = (low, share) if is_too_small else (share, high)
    n_params = (law.A / (excess * share)) ** (1 / law.alpha)
    return Optimum(n_params, n_tokens, law.loss(n_params, n_tokens))
