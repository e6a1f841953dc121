"""Fitting a law of the loss to runs, with intervals. Imports no torch.

runs are rows (parameters, tokens, loss in nats per token). The fit is Chinchilla's: Huber's
function of the error of log loss, summed over the runs, minimised by L-BFGS from a grid of starts.
Source: hoffmann2022chinchilla, sec. 3.3; besiroglu2024replication (sums, not means: the optimiser
stops where the objective changes by less than a tolerance, so a smaller one stops too early).
"""

import itertools
from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize, minimize_scalar

from gpt_helpers.scaling_laws.amounts import check_amounts
from gpt_helpers.scaling_laws.data_limits import effective_amount
from gpt_helpers.scaling_laws.laws import JointLaw, LossLaw
from gpt_helpers.validation import (
    as_floats,
    check_choice,
    check_instance,
    check_integer,
    check_numbers,
    check_real,
    check_sequence,
)

HUBER_DELTA = 1e-3
N_STARTS = 30  # those of the grid with the lowest objective
OPTIONS = {"maxiter": 5000, "maxfun": 20000, "ftol": 1e-14, "gtol": 1e-9}
GRIDS = {
    "additive": (  # alpha, beta, log E, log A, log B, as Chinchilla's grid
        np.arange(0, 2.5, 0.5), np.arange(0, 2.5, 0.5), np.arange(-1, 1.5, 0.5),
        np.arange(0, 30, 5), np.arange(0, 30, 5),
    ),
    "joint": (  # alpha_D, alpha_N / alpha_D, log N_c times that, log D_c
        np.arange(0.1, 0.6, 0.1), np.arange(0.4, 1.6, 0.3), np.arange(5, 35, 5),
        np.arange(10, 40, 5),
    ),
    "joint with floor": (  # the same, and the log of the floor
        np.arange(0.1, 0.6, 0.1), np.arange(0.4, 1.6, 0.3), np.arange(5, 35, 5),
        np.arange(10, 40, 5), np.arange(-1, 1.5, 0.5),
    ),
}  # fmt: skip
FORMS = tuple(GRIDS)
LAWS = LossLaw, JointLaw


class Interval(NamedTuple):
    """What most refits of resampled runs lie between."""

    low: float
    high: float


def soft_maximum(terms):
    """Return the log of the sum of exp(terms) (M, K) over M, and each term's share (M, K)."""
    top = terms.max(0)
    parts = np.exp(terms - top)
    return top + np.log(parts.sum(0)), parts / parts.sum(0)


def log_losses(form, point, log_n, log_d):
    """Return the log losses (K,) of a form at a point (P,), and their gradients (P, K)."""
    if form == "additive":
        alpha, beta, e, a, b = point
        flat = np.full_like(log_n, e)
        found, (by_size, by_data, rest) = soft_maximum(
            np.stack([a - alpha * log_n, b - beta * log_d, flat])
        )
        return found, np.stack([-by_size * log_n, -by_data * log_d, rest, by_size, by_data])
    exponent, ratio, a, b = point[:4]
    inner, (by_size, by_data) = soft_maximum(np.stack([a - ratio * log_n, b - log_d]))
    slopes = np.stack([inner, -exponent * by_size * log_n, exponent * by_size, exponent * by_data])
    if form == "joint":
        return exponent * inner, slopes
    found, (above, rest) = soft_maximum(np.stack([exponent * inner, np.full_like(inner, point[4])]))
    return found, np.concatenate([above * slopes, rest[None]])


def objective(form, point, runs, delta):
    """Return the sum of Huber's function over the runs, and its gradient (P,)."""
    log_n, log_d, log_loss = np.log(runs).T  # each (K,)
    found, slopes = log_losses(form, point, log_n, log_d)
    error = found - log_loss
    small = np.abs(error) <= delta
    value = np.where(small, error**2 / 2, delta * (np.abs(error) - delta / 2)).sum()
    return value, slopes @ np.clip(error, -delta, delta)


def starts_for(form, runs, delta):
    """Return the N_STARTS points (P,) of the grid at which the objective is lowest."""
    points = np.array(list(itertools.product(*GRIDS[form])))
    values = [objective(form, point, runs, delta)[0] for point in points]
    return points[np.argsort(values, kind="stable")[:N_STARTS]]


def minimum_from(form, starts, runs, delta):
    """Return the lowest point (P,) that L-BFGS reaches from any of the starts."""
    scale = 1 / delta  # of the objective, so that its tolerances are those of a sum of order 1
    found = [
        minimize(
            lambda point: tuple(scale * part for part in objective(form, point, runs, delta)),
            start,
            jac=True,
            method="L-BFGS-B",
            options=OPTIONS,
        )
        for start in starts
    ]
    return min(found, key=lambda result: result.fun).x


def fit_loss_law(runs, form="additive", delta=HUBER_DELTA, start=None):
    """Return the law that fits runs (K, 3) best: a LossLaw, or a JointLaw for the other forms.

    delta is the error of log loss from which on Huber's function grows linearly. start is a law
    of the form to begin at instead of the grid. Raises ValueError for an unknown form, for fewer
    than 6 runs, for values that are not positive, where sizes or tokens are all the same, and where
    the losses do not fall as those of a law do.
    """
    check_choice("form", form, FORMS)
    check_real("delta", delta, above=0)
    if start is not None:
        check_instance("start", start, LAWS)
        check_choice("the form of start", form_of(start), (form,))
    runs = checked(runs)
    starts = starts_for(form, runs, delta) if start is None else [point_of(start)]
    point = minimum_from(form, starts, runs, delta).tolist()
    try:
        return law_at(form, point, len(runs))
    except (ValueError, ZeroDivisionError) as error:
        raise ValueError(f"runs of which no {form} law is the best fit: {error}") from error


def law_at(form, point, n_runs):
    """Return the law of a form at a point, a list of P; raise ValueError if it is none."""
    seen = f"fitted to {n_runs} runs", "F"
    if form == "additive":
        alpha, beta, *logs = point
        return LossLaw(*np.exp(logs).tolist(), alpha, beta, *seen)
    exponent, ratio, a, b = point[:4]
    floor = float(np.exp(point[4])) if form == "joint with floor" else 0.0
    scales = np.exp([a / ratio, b]).tolist()
    return JointLaw(*scales, exponent * ratio, exponent, *seen, floor)


def point_of(law):
    """Return the point (P,) of a law."""
    if isinstance(law, LossLaw):
        return np.array([law.alpha, law.beta, *np.log([law.E, law.A, law.B])])
    logs = [law.ratio * np.log(law.params_scale), np.log(law.tokens_scale)]
    floor = [np.log(law.floor)] if law.floor else []
    return np.array([law.tokens_exponent, law.ratio, *logs, *floor])


def form_of(law):
    """Return the form of a law that was fitted."""
    if isinstance(law, LossLaw):
        return "additive"
    return "joint with floor" if law.floor else "joint"


def bootstrap_laws(runs, law, n_samples=200, seed=0, delta=HUBER_DELTA):
    """Return n_samples laws, each fitted to as many runs drawn with replacement.

    law is the fit to all runs: each fit has its form, and begins at it. A sample of fewer than
    6 different runs, or of one size or one number of tokens, is drawn anew. Raises ValueError
    for runs that fit_loss_law refuses, for what is no law, and for counts that are no positive
    integers; seed may be 0.
    """
    check_integer("seed", seed, at_least=0)
    runs, rng = checked(runs), np.random.default_rng(seed)
    check_instance("law", law, LAWS)
    check_integer("n_samples", n_samples, at_least=1)
    check_real("delta", delta, above=0)
    laws = []
    while len(laws) < n_samples:
        chosen = rng.integers(len(runs), size=len(runs))
        if len(set(chosen)) >= 6 and not constant_columns(runs[chosen]):
            laws.append(fit_loss_law(runs[chosen], form_of(law), delta, start=law))
    return laws


def predicted_losses(runs, law, laws, n_params, n_tokens, seed=0):
    """Return a loss of a new run for each of the laws: its own, times a drawn error of a run.

    law is the fit to all runs; the errors are the ratios of their losses to it. Raises
    ValueError for runs that fit_loss_law refuses, for what is no law, and for amounts that are
    not positive.
    """
    check_integer("seed", seed, at_least=0)
    runs, rng = checked(runs), np.random.default_rng(seed)
    check_instance("law", law, LAWS)
    check_sequence("laws", laws, LAWS, empty=True)
    check_amounts(n_params=n_params, n_tokens=n_tokens)
    errors = runs[:, 2] / law.loss(runs[:, 0], runs[:, 1])
    return [other.loss(n_params, n_tokens) * rng.choice(errors) for other in laws]


def interval(values, share=0.8):
    """Return the Interval that holds the middle share of the values.

    Raises ValueError for values that are not numbers, and a share that is not between 0 and 1.
    """
    values = check_numbers("values", values)
    check_real("share", share, above=0, below=1)
    low, high = np.quantile(values, [(1 - share) / 2, (1 + share) / 2]).tolist()
    return Interval(low, high)


def fit_tokens_decay(law, runs):
    """Return after how many repetitions a token has lost 1 - 1/e of its worth, by a law's losses.

    runs are rows (parameters, tokens, unique tokens, loss). The decay, that of
    data_limits.effective_amount, is the one with the least squared error of log loss, between
    0.1 and 1000. Raises ValueError for what is no law, and for rows that are not positive.
    """
    check_instance("law", law, LAWS)
    runs = check_numbers("runs", runs, n_axes=2, above=0)
    if runs.shape[1] != 4:
        raise ValueError(f"runs is {runs.shape}; each row must have 4 numbers, the loss last")

    def error(log_decay):
        found = [
            law.loss(n, effective_amount(d, unique, np.exp(log_decay))) for n, d, unique, _ in runs
        ]
        return ((np.log(found) - np.log(runs[:, 3])) ** 2).sum()

    return float(np.exp(minimize_scalar(error, bounds=np.log([0.1, 1000]), method="bounded").x))


def checked(runs):
    """Return runs as an array (K, 3); raise ValueError if no law can be fitted to them."""
    found = as_floats(runs)
    if found is None or found.ndim != 2 or found.shape[1] != 3 or len(found) < 6:
        shape = getattr(found, "shape", type(runs).__name__)
        raise ValueError(f"runs is {shape}; it must be (K, 3) with at least 6 rows")
    runs = found
    if not (runs > 0).all() or not np.isfinite(runs).all():
        raise ValueError(f"runs holds {runs.min()}; parameters, tokens and losses are positive")
    for name, value in constant_columns(runs).items():
        raise ValueError(f"all {name} are {value:g}; a law needs different ones")
    return runs


def constant_columns(runs):
    """Return {name: value} of sizes and tokens, where they are the same in all runs (K, 3)."""
    columns = {"sizes": runs[:, 0], "tokens": runs[:, 1]}
    return {name: column[0] for name, column in columns.items() if np.ptp(column) == 0}
