"""From scores to a next token, and from next tokens to text. Knows no model's class.

The three filters take logits (..., V) and return logits of the same shape, so they can
be chained, looked at and drawn one by one.
"""

import torch


def apply_temperature(logits, temperature):
    """Return logits / temperature, (..., V). Below 1 sharpens, above 1 flattens.

    Temperature 0 keeps the highest logit only (of equal ones, the lowest token id).
    Raises ValueError for a negative temperature, or one so small that it overflows.
    """
    check_logits(logits)
    check_temperature(temperature)
    if temperature == 0:
        return top_k_filter(logits, 1)
    scaled = logits / temperature  # (..., V)
    if not scaled.amax(-1).isfinite().all():
        found = f"temperature={temperature} is out of range for {logits.dtype}"
        raise ValueError(f"{found}; use 0 for argmax")
    return scaled


def top_k_filter(logits, k):
    """Return logits with all but the k highest set to -inf, (..., V).

    Exactly k stay: among equal logits those with the lowest token ids. A k of V or
    more keeps all. Raises ValueError for k < 1.
    """
    check_logits(logits)
    check_count("top_k", k)
    ranking = logits.argsort(dim=-1, descending=True, stable=True)  # (..., V)
    return logits.scatter(-1, ranking[..., k:], -torch.inf)  # (..., V)


def top_p_filter(logits, p):
    """Return logits with all but the smallest set of mass >= p set to -inf, (..., V).

    Tokens are taken from the likeliest down (equal ones by token id) until their
    probabilities reach p; the likeliest always stays. Raises ValueError unless
    0 < p <= 1. Source: holtzman2020nucleus, sec. 3.1.
    """
    check_logits(logits)
    check_mass(p)
    if p == 1:
        return logits.clone()
    ranking = logits.argsort(dim=-1, descending=True, stable=True)  # (..., V)
    probabilities = logits.gather(-1, ranking).double().softmax(-1)  # (..., V)
    mass_before = probabilities.cumsum(-1) - probabilities  # (..., V)
    removed = torch.empty_like(ranking, dtype=torch.bool)  # (..., V)
    removed = removed.scatter(-1, ranking, mass_before >= p)  # (..., V)
    return logits.masked_fill(removed, -torch.inf)  # (..., V)


def sample(logits, temperature=1.0, top_k=None, top_p=None, generator=None):
    """Return one token id (B,) per row of logits (B, V): temperature, then top-k, then top-p.

    Temperature 0 is argmax and draws nothing. Raises ValueError for settings out of range.
    """
    check_settings(temperature, top_k, top_p, generator)
    if not isinstance(logits, torch.Tensor) or logits.ndim != 2:
        found = getattr(logits, "shape", type(logits).__name__)
        raise ValueError(f"logits are {found}; they must be a tensor (B, V), one row per text")
    if temperature == 0:
        return logits.argmax(-1)  # (B,)
    logits = apply_temperature(logits, temperature)  # (B, V)
    if top_k is not None:
        logits = top_k_filter(logits, top_k)  # (B, V)
    if top_p is not None:
        logits = top_p_filter(logits, top_p)  # (B, V)
    return torch.multinomial(logits.softmax(-1), 1, generator=generator)[:, 0]  # (B,)


def check_logits(logits):
    """Raise ValueError unless logits (..., V) are scores of which each row has a finite highest."""
    if not isinstance(logits, torch.Tensor) or not logits.dtype.is_floating_point:
        found = getattr(logits, "dtype", type(logits).__name__)
        raise ValueError(f"logits are {found}; they must be a floating tensor (..., V)")
    if logits.ndim == 0 or logits.numel() == 0:
        raise ValueError(f"logits have shape {tuple(logits.shape)}; need (..., V), not empty")
    highest = logits.amax(-1)
    if not highest.isfinite().all():
        bad = highest[~highest.isfinite()][0].item()
        raise ValueError(f"a row of logits has the maximum {bad}; every row needs a finite one")


def check_settings(temperature, top_k, top_p, generator):
    """Raise ValueError for a setting out of range."""
    if generator is not None and not isinstance(generator, torch.Generator):
        raise ValueError(f"generator={generator!r} must be a torch.Generator, or None")
    check_temperature(temperature)
    if top_k is not None:
        check_count("top_k", top_k)
    if top_p is not None:
        check_mass(top_p)


def check_temperature(temperature):
    """Raise ValueError unless temperature is a finite number of at least 0."""
    if not is_number(temperature) or not 0 <= temperature < float("inf"):
        raise ValueError(f"temperature={temperature!r} must be a finite number >= 0; 0 is argmax")


def is_number(value):
    """Return whether value is an int or a float (a bool is neither here)."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def check_count(name, value):
    """Raise ValueError unless value is an integer of at least 1."""
    if type(value) is not int or value < 1:
        raise ValueError(f"{name}={value!r} must be an integer >= 1; None keeps all tokens")


def check_mass(p):
    """Raise ValueError unless p is a probability mass that can be kept."""
    if not is_number(p) or not 0 < p <= 1:
        raise ValueError(f"top_p={p!r} must be above 0 and at most 1; None keeps all tokens")
