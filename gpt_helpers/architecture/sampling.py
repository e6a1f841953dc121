"""From scores to a next token. Knows no model's class.

The three filters take logits (..., V) and return logits of the same shape, so they can
be chained, looked at and drawn one by one.
"""

import torch

from gpt_helpers.architecture.inputs import (
    check_cut,
    check_logit_rows,
    check_logits,
    check_temperature,
    check_top_k,
    check_top_p,
)
from gpt_helpers.architecture.operands import widened
from gpt_helpers.validation import checked_by


@checked_by(check_temperature)
def apply_temperature(logits, temperature):
    """Return logits / temperature, (..., V). Below 1 sharpens, above 1 flattens.

    Temperature 0 keeps the highest logit only (of equal ones, the lowest token id).
    Raises ValueError for a negative temperature, or one so small that it overflows.
    """
    if temperature == 0:
        return top_k_filter.unchecked(logits, 1)
    scaled = logits / float(temperature)  # (..., V)
    if not scaled.amax(-1).isfinite().all():
        check_logits(logits)  # or else it is the fault of the temperature
        raise ValueError(f"{temperature=} is beyond {logits.dtype}; use 0 for argmax")
    return scaled


@checked_by(check_top_k)
def top_k_filter(logits, k):
    """Return logits with all but the k highest set to -inf, (..., V).

    Exactly k stay: among equal logits those with the lowest token ids. A k of V or
    more keeps all. Raises ValueError for k < 1.
    """
    ranking = logits.argsort(dim=-1, descending=True, stable=True)  # (..., V)
    return logits.scatter(-1, ranking[..., k:], -torch.inf)  # (..., V)


@checked_by(check_top_p)
def top_p_filter(logits, p):
    """Return logits with all but the smallest set of mass >= p set to -inf, (..., V).

    Tokens are taken from the likeliest down (equal ones by token id) until their
    probabilities reach p; the likeliest always stays. Raises ValueError unless
    0 < p <= 1. Source: holtzman2020nucleus, sec. 3.1.
    """
    if p == 1:
        return logits.clone()
    ranking = logits.argsort(dim=-1, descending=True, stable=True)  # (..., V)
    probabilities = logits.gather(-1, ranking).double().softmax(-1)  # (..., V)
    mass_before = probabilities.cumsum(-1) - probabilities  # (..., V)
    removed = torch.empty_like(ranking, dtype=torch.bool)  # (..., V)
    removed = removed.scatter(-1, ranking, mass_before >= float(p))  # (..., V)
    return logits.masked_fill(removed, -torch.inf)  # (..., V)


@checked_by(check_cut)
def cut(logits, temperature=1.0, top_k=None, top_p=None):
    """Return logits (..., V) after temperature, then top-k, then top-p; None keeps all tokens.

    They are in float32 at least, and so are the probabilities that come from them.
    """
    logits = apply_temperature.unchecked(widened(logits), temperature)  # (..., V)
    if top_k is not None:
        logits = top_k_filter.unchecked(logits, top_k)  # (..., V)
    if top_p is not None:
        logits = top_p_filter.unchecked(logits, top_p)  # (..., V)
    return logits


@checked_by(check_logit_rows)
def sample(logits, temperature=1.0, top_k=None, top_p=None, generator=None):
    """Return one token id (B,) per row of logits (B, V): temperature, then top-k, then top-p.

    Temperature 0 is argmax and draws nothing. Raises ValueError for settings out of range.
    """
    if temperature == 0:
        highest, ids = logits.max(-1)  # (B,)
        if not highest.isfinite().all():
            check_logits(logits)
        return ids  # (B,)
    probabilities = cut.unchecked(logits, temperature, top_k, top_p).softmax(-1)  # (B, V)
    return torch.multinomial(probabilities, 1, generator=generator)[:, 0]  # (B,)
