"""Fitting a law of the loss to runs, with intervals. Imports no torch.

runs are rows (parameters, tokens, loss in nats per token). The fit is Chinchilla's: Huber's
function of the error of log loss, summed over the runs, minimised by L-BFGS from a grid of starts.
Source: hoffmann2022chinchilla, sec. 3.3; besiroglu2024replication (sums, not means: the optimiser
stops where the objective changes by less than a tolerance, so a smaller one stops too early).
"""

import itertools
from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize

from gpt_helpers.laws import LossLaw

HUBER_DELTA = 1e-3
GRID = {
    "alpha": np.arange(0, 2.5, 0.5), "beta": np.arange(0, 2.5, 0.5),
    "e": np.arange(-1, 1.5, 0.5), "a": np.arange(0, 30, 5), "b": np.arange(0, 30, 5),
}  # fmt: skip
N_STARTS = 30  # those of the grid with the lowest objective
OPTIONS = {"maxiter": 5000, "maxfun": 20000, "ftol": 1e-14, "gtol": 1e-9}


class Interval(NamedTuple):
    """What most refits of resampled runs lie between."""

    low: float
    high: float


def objective(point, runs, delta):
    """Return the sum of Huber's function over the runs, and its gradient (5,).

    point is (alpha, beta, e, a, b): the law exp(e) + exp(a) / N^alpha + exp(b) / D^beta.
    """
    alpha, beta, e, a, b = point
    log_n, log_d, log_loss = np.log(runs).T  # (K,) each
    terms = np.stack([a - alpha * log_n, b - beta * log_d, np.full_like(log_n, e)])
    top = terms.max(0)
    weights = np.exp(terms - top)
    total = weights.sum(0)
    error = top + np.log(total) - log_loss
    is_small = np.abs(error) <= delta
    value = np.where(is_small, error**2 / 2, delta * (np.abs(error) - delta / 2)).sum()
    slope = np.clip(error, -delta, delta) * weights / total  # (3, K)
    by_size, by_data, rest = slope.sum(1)
    return value, np.array(
        [-(slope[0] * log_n).sum(), -(slope[1] * log_d).sum(), rest, by_size, by_data]
    )


def starts_for(runs, delta):
    """Return the N_STARTS points (5,) of the grid at which the objective is lowest."""
    points = np.array(list(itertools.product(*GRID.values())))
    values = [objective(point, runs, delta)[0] for point in points]
    return points[np.argsort(values, kind="stable")[:N_STARTS]]


def minimum_from(starts, runs, delta):
    """Return the lowest point (5,) that L-BFGS reaches from any of the starts."""
    scale = 1 / delta  # of the objective, so that its tolerances are those of a sum of order 1
    found = [
        minimize(
            lambda point: tuple(scale * part for part in objective(point, runs, delta)),
            start,
            jac=True,
            method="L-BFGS-B",
            options=OPTIONS,
        )
        for start in starts
    ]
    return min(found, key=lambda result: result.fun).x


def fit_loss_law(runs, delta=HUBER_DELTA, start=None):
    """Return the LossLaw that fits runs (K, 3) best.

    delta is the error of log loss from which on Huber's function grows linearly. start is a
    LossLaw to begin at instead of the grid. Raises ValueError for fewer than 6 runs, for values
    that are not positive, and where sizes or tokens are all the same.
    """
    runs = checked(runs)
    starts = starts_for(runs, delta) if start is None else [point_of(start)]
    alpha, beta, e, a, b = minimum_from(starts, runs, delta)
    E, A, B = np.exp([e, a, b]).tolist()  # noqa: N806
    return LossLaw(E, A, B, float(alpha), float(beta), f"fitted to {len(runs)} runs", "F")


def point_of(law):
    """Return the point (5,) of a LossLaw."""
    return np.array([law.alpha, law.beta, *np.log([law.E, law.A, law.B])])


def bootstrap_laws(runs, law, n_samples=200, seed=0, delta=HUBER_DELTA):
    """Return n_samples LossLaws, each fitted to as many runs drawn with replacement.

    law is the fit to all runs, at which each fit begins. A sample of fewer than 6 different runs
    is drawn anew.
    """
    runs, chance = checked(runs), np.random.default_rng(seed)
    laws = []
    while len(laws) < n_samples:
        chosen = chance.integers(len(runs), size=len(runs))
        if len(set(chosen)) >= 6:
            laws.append(fit_loss_law(runs[chosen], delta, start=law))
    return laws


def interval(values, share=0.8):
    """Return the Interval that holds the middle share of the values.

    Raises ValueError for a share that is not between 0 and 1.
    """
    if not 0 < share < 1:
        raise ValueError(f"share={share!r} must be between 0 and 1, such as 0.8")
    low, high = np.quantile(values, [(1 - share) / 2, (1 + share) / 2]).tolist()
    return Interval(low, high)


def predicted_losses(runs, law, laws, n_params, n_tokens, seed=0):
    """Return a loss of a new run for each of the laws: its own, times a drawn error of a run.

    law is the fit to all runs; the errors are the ratios of their losses to it.
    """
    runs, chance = checked(runs), np.random.default_rng(seed)
    errors = runs[:, 2] / law.loss(runs[:, 0], runs[:, 1])
    return [other.loss(n_params, n_tokens) * chance.choice(errors) for other in laws]


class Minimum(NamedTuple):
    """The lowest point of an iso-FLOP profile: parameters, loss, and curvature in log10 N."""

    n_params: float
    loss: float
    curvature: float


def profile_minimum(n_params, losses):
    """Return the Minimum of a parabola through losses (K,) over log10 of n_params (K,).

    Raises ValueError for fewer than 3 sizes, and for a parabola that has no minimum.
    Source: hoffmann2022chinchilla, sec. 3.2.
    """
    if len(set(n_params)) < 3:
        raise ValueError(f"n_params={list(n_params)} must hold at least 3 sizes for a parabola")
    logs = np.log10(n_params)
    middle = logs.mean()
    curvature, slope, level = np.polyfit(logs - middle, losses, 2)
    if curvature <= 0:
        raise ValueError(f"losses={list(losses)} have no minimum; add smaller or larger models")
    at = -slope / (2 * curvature)
    return Minimum(10 ** (middle + at), level + slope * at / 2, curvature)


def fit_power(amounts, values):
    """Return (prefactor, exponent) of values = prefactor * amounts^exponent, by least squares."""
    exponent, start = np.polyfit(np.log(amounts), np.log(values), 1)
    return float(np.exp(start)), float(exponent)


def checked(runs):
    """Return runs as an array (K, 3); raise ValueError if no law can be fitted to them."""
    runs = np.asarray(runs, dtype=float)
    if runs.ndim != 2 or runs.shape[1] != 3 or len(runs) < 6:
        raise ValueError(f"runs is {runs.shape}; it must be (K, 3) with at least 6 rows")
    if not (runs > 0).all() or not np.isfinite(runs).all():
        raise ValueError(f"runs holds {runs.min()}; parameters, tokens and losses are positive")
    for name, column in zip(("sizes", "tokens"), runs.T, strict=False):
        if np.ptp(column) == 0:
            raise ValueError(f"all {name} are {column[0]:g}; a law needs different ones")
    return runs
