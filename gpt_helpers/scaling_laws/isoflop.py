"""Iso-FLOP profiles: the best size for a budget from runs that all spend it. Imports no torch."""

from typing import NamedTuple

import numpy as np

from gpt_helpers.scaling_laws.amounts import check_amounts
from gpt_helpers.validation import check_integer, check_numbers

ROUNDING = 1e-9  # of a loss: a parabola that bends by less is a line


class Minimum(NamedTuple):
    """The lowest point of an iso-FLOP profile: parameters, loss, and curvature in log10 N."""

    n_params: float
    loss: float
    curvature: float

    def loss_at(self, n_params):
        """Return the loss of the parabola at other numbers of parameters (K,)."""
        check_amounts(n_params=n_params)
        return self.loss + self.curvature * np.log10(n_params / self.n_params) ** 2


def profile_minimum(n_params, losses):
    """Return the Minimum of a parabola through losses (K,) over log10 of n_params (K,).

    Raises ValueError for fewer than 3 sizes, for sizes and losses that are not equally many
    numbers, and for a parabola that has no minimum between the sizes.
    Source: hoffmann2022chinchilla, sec. 3.2.
    """
    check_points(n_params=n_params, losses=losses)
    if len(set(n_params)) < 3:
        raise ValueError(f"n_params={list(n_params)} must hold at least 3 sizes for a parabola")
    logs = np.log10(n_params)
    middle = logs.mean()
    curvature, slope, level = np.polyfit(logs - middle, losses, 2)
    bends = curvature * np.ptp(logs) ** 2 > ROUNDING * level
    at = -slope / (2 * curvature) if bends else np.inf
    if not logs.min() <= middle + at <= logs.max():
        raise ValueError(f"losses={list(losses)} have no minimum; add smaller or larger models")
    return Minimum(10 ** (middle + at), level + slope * at / 2, curvature)


def lowest_minimum(n_params, losses, n_sizes=4):
    """Return the profile_minimum through the n_sizes sizes that have the lowest losses.

    Far from its bottom a profile is no parabola. Errors are those of profile_minimum.
    """
    check_points(n_params=n_params, losses=losses)
    check_integer("n_sizes", n_sizes, at_least=3)
    best = {}
    for size, loss in zip(n_params, losses, strict=True):
        best[size] = min(loss, best.get(size, loss))
    chosen = sorted(best, key=best.get)[:n_sizes]
    points = [(s, x) for s, x in zip(n_params, losses, strict=True) if s in chosen]
    return profile_minimum(*zip(*points, strict=True))


def fit_power(amounts, values):
    """Return (prefactor, exponent) of values = prefactor * amounts^exponent, by least squares.

    Raises ValueError unless amounts, of which two differ, and values are equally many positive
    numbers.
    """
    check_points(amounts=amounts, values=values)
    if len(set(amounts)) < 2:
        raise ValueError(f"amounts={list(amounts)} must hold at least 2 that differ")
    exponent, start = np.polyfit(np.log(amounts), np.log(values), 1)
    return float(np.exp(start)), float(exponent)


def check_points(**columns):
    """Raise ValueError unless both columns hold positive numbers (K,), equally many."""
    counts = {name: len(check_numbers(name, value, above=0)) for name, value in columns.items()}
    if len(set(counts.values())) > 1:
        raise ValueError(f"lengths differ, {counts}; give as many of one as of the other")
