"""Fits recover the law that made the data, and their intervals hold it as often as they say."""

import dataclasses
import math
import subprocess
import sys

import numpy as np
import pytest

from gpt_helpers.scaling_laws.data_limits import effective_amount
from gpt_helpers.scaling_laws.fits import (
    FORMS,
    bootstrap_laws,
    fit_loss_law,
    fit_tokens_decay,
    form_of,
    interval,
    log_losses,
    objective,
    point_of,
    predicted_losses,
)
from gpt_helpers.scaling_laws.laws import FITS, KAPLAN, JointLaw, LossLaw
from tests.helpers.reference import refused

TRUE = LossLaw(1.5, 60.0, 300.0, 0.30, 0.37, "made up", "F")
JOINT = JointLaw(2e9, 1e10, 0.13, 0.14, "made up", "F")
FLOORED = dataclasses.replace(JOINT, tokens_exponent=0.3, params_exponent=0.29, floor=1.2)
LAWS = {"additive": TRUE, "joint": JOINT, "joint with floor": FLOORED}
LARGER = (3e6, 1e7)  # parameters and tokens beyond all runs


def runs_of(law, noise=0.0, seed=0, n_runs=36):
    """Return runs (n_runs, 3) on a law, their losses off by a share that is drawn."""
    rng = np.random.default_rng(seed)
    n_params, n_tokens = 10 ** rng.uniform((4.3, 5), (6.3, 7.3), size=(n_runs, 2)).T
    errors = np.exp(noise * rng.standard_normal(n_runs))
    return np.stack([n_params, n_tokens, law.loss(n_params, n_tokens) * errors], axis=1)


def constants(law):
    """Return the constants of a law."""
    return [value for value in dataclasses.astuple(law) if not isinstance(value, str)]


@pytest.mark.parametrize(
    "law", [*LAWS.values(), *FITS.values(), KAPLAN], ids=lambda law: f"{law.source} {form_of(law)}"
)
def test_without_noise_the_constants_come_back(law):
    found = fit_loss_law(runs_of(law), form_of(law))
    assert constants(found) == pytest.approx(constants(law), rel=1e-3)


@pytest.mark.parametrize("form", FORMS)
def test_a_law_that_is_fitted_gives_the_losses_that_were_fitted(form):
    law, runs = LAWS[form], runs_of(LAWS[form])
    logs, _ = log_losses(form, point_of(law), *np.log(runs[:, :2]).T)
    assert np.exp(logs) == pytest.approx(runs[:, 2])
    assert form_of(law) == form


def test_with_noise_the_exponents_come_back_within_its_reach():
    found = fit_loss_law(runs_of(TRUE, noise=0.003))
    assert found.alpha == pytest.approx(TRUE.alpha, abs=0.03)
    assert found.beta == pytest.approx(TRUE.beta, abs=0.03)
    assert found.loss(*LARGER) == pytest.approx(TRUE.loss(*LARGER), rel=0.01)
    assert (found.source, found.flag) == ("fitted to 36 runs", "F")


def test_one_bad_run_hardly_moves_the_fit():
    runs = runs_of(TRUE, noise=0.003)
    good = fit_loss_law(runs).loss(*LARGER)
    runs[3, 2] *= 1.5
    assert fit_loss_law(runs).loss(*LARGER) == pytest.approx(good, rel=0.01)
    moved = [abs(fit_loss_law(runs, delta=delta).E - TRUE.E) for delta in (1e-3, 1.0)]
    assert moved[0] < 0.2 < 0.5 < moved[1]


def test_the_order_of_the_runs_does_not_matter():
    runs = runs_of(TRUE, noise=0.01)
    first, second = constants(fit_loss_law(runs)), constants(fit_loss_law(runs[::-1]))
    assert first == pytest.approx(second, rel=1e-4)


def test_the_objective_by_hand():
    runs = np.array([[math.e, math.e, math.exp(0.1)]])
    point = np.array([1, 1, -50, 1, -50])  # only the first term counts: exp(1) / N = 1
    assert objective("additive", point, runs, 1.0)[0] == pytest.approx(0.1**2 / 2)
    assert objective("additive", point, runs, 0.01)[0] == pytest.approx(0.01 * (0.1 - 0.005))
    twice = np.concatenate([runs, runs])
    assert objective("additive", point, twice, 0.01)[0] == pytest.approx(2 * 0.01 * (0.1 - 0.005))


@pytest.mark.parametrize("delta", [1e-3, 1.0])
@pytest.mark.parametrize("form", FORMS)
def test_the_gradient_is_that_of_the_objective(form, delta):
    runs, point = runs_of(LAWS[form], noise=0.02), point_of(LAWS[form]) + 0.01
    _, gradient = objective(form, point, runs, delta)
    for index in range(len(point)):
        step = 1e-7 * np.eye(len(point))[index]
        values = [objective(form, at, runs, delta)[0] for at in (point + step, point - step)]
        assert gradient[index] == pytest.approx((values[0] - values[1]) / 2e-7, rel=1e-4, abs=1e-7)


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    hits = {"exponent": 0, "loss": 0, "new run": 0}
    for seed in range(30):
        runs = runs_of(TRUE, noise=0.01, seed=seed)
        law = fit_loss_law(runs, start=TRUE)
        laws = bootstrap_laws(runs, law, n_samples=40, seed=seed)
        true = TRUE.loss(*LARGER)
        measured = true * math.exp(0.01 * np.random.default_rng(seed + 99).standard_normal())
        found = {
            "exponent": ([law.exponents[0] for law in laws], TRUE.exponents[0]),
            "loss": ([law.loss(*LARGER) for law in laws], true),
            "new run": (predicted_losses(runs, law, laws, *LARGER), measured),
        }
        for name, (values, truth) in found.items():
            low, high = interval(values, 0.8)
            hits[name] += low <= truth <= high
    # Of 30 intervals that hold the truth with probability 0.8, 17 to 29 do in 997 of 1000 cases.
    assert all(17 <= count <= 29 for count in hits.values()), hits


def test_a_sample_of_runs_decides_a_refit_and_its_seed_decides_the_sample():
    runs = runs_of(TRUE, noise=0.01)
    law = fit_loss_law(runs)
    first, again, other = (bootstrap_laws(runs, law, 3, seed) for seed in (0, 0, 1))
    assert first == again != other
    assert len(set(first)) == 3


def test_a_sample_that_no_law_can_be_fitted_to_is_drawn_anew():
    n_params, n_tokens = np.array([1e6] * 6 + [2e6]), np.arange(1, 8) * 1e7
    runs = np.stack([n_params, n_tokens, TRUE.loss(n_params, n_tokens)], axis=1)
    assert len(bootstrap_laws(runs, TRUE, 40)) == 40


def test_a_predicted_run_has_an_error_of_its_own():
    runs = runs_of(TRUE, noise=0.01)
    law = fit_loss_law(runs)
    losses = np.log(predicted_losses(runs, law, [law] * 400, *LARGER))
    errors = np.log(runs[:, 2] / law.loss(runs[:, 0], runs[:, 1]))
    assert np.std(losses) == pytest.approx(np.std(errors), rel=0.1)
    assert set(np.round(losses - np.log(law.loss(*LARGER)), 9)) <= set(np.round(errors, 9))


def test_an_interval_holds_the_middle_share():
    assert interval(range(101), 0.8) == pytest.approx((10, 90))
    assert interval(range(101), 0.5) == pytest.approx((25, 75))
    for wrong in (0, 1, -0.1, 80):
        refused("share=.* must be a finite number > 0 and < 1", interval, [1, 2], wrong)


def test_the_decay_of_repeated_tokens_comes_back():
    sizes, tokens, unique = np.array([(2e5, n * 1e5, 1e5) for n in (1, 2, 4, 8, 16, 32)]).T
    losses = [TRUE.loss(2e5, effective_amount(n_tokens, 1e5, 5.0)) for n_tokens in tokens]
    runs = np.stack([sizes, tokens, unique, losses], axis=1)
    assert fit_tokens_decay(TRUE, runs) == pytest.approx(5, rel=1e-3)


def test_runs_that_fix_no_law_are_refused():
    runs = runs_of(TRUE)
    refused("at least 6 rows", fit_loss_law, runs[:5])
    refused(r"must be \(K, 3\)", fit_loss_law, runs[:, :2])
    for column, name in ((0, "sizes"), (1, "tokens")):
        same = runs.copy()
        same[:, column] = 1e6
        refused(f"all {name} are 1e\\+06", fit_loss_law, same)
    for wrong in (0, -1, math.nan, math.inf):
        broken = runs.copy()
        broken[2, 2] = wrong
        refused("parameters, tokens and losses are positive", fit_loss_law, broken)


@pytest.mark.parametrize("form", FORMS)
def test_losses_that_rise_with_the_size_are_those_of_no_law(form):
    runs = runs_of(TRUE, n_runs=12)
    runs[:, 2] = runs[:, 0] ** 0.1
    reason = f"runs of which no {form} law is the best fit: .*=-0.(1|09).* must be"
    refused(reason, fit_loss_law, runs, form)


def test_an_unknown_form_is_refused():
    refused("form='product' is unknown; use one of", fit_loss_law, runs_of(TRUE), "product")


def test_a_start_of_another_form_is_refused():
    for start in (JOINT, FLOORED):
        refused("form of start='joint.*' is unknown", fit_loss_law, runs_of(TRUE), start=start)
    refused("start is a str; it must be a LossLaw or JointLaw", fit_loss_law, runs_of(TRUE),
            start="refit")  # fmt: skip


def test_rows_of_repeated_tokens_that_are_no_numbers_are_refused():
    refused("each row must have 4 numbers", fit_tokens_decay, TRUE, runs_of(TRUE))
    refused("runs=.* above 0", fit_tokens_decay, TRUE, [[1e6, 1e7, 1e6, math.nan]])


def test_a_law_is_where_a_fit_can_begin():
    runs = runs_of(TRUE)
    start = dataclasses.replace(TRUE, E=1.6, alpha=0.28)
    assert constants(fit_loss_law(runs, start=start)) == pytest.approx(constants(TRUE), rel=1e-3)
    assert np.exp(point_of(TRUE)[2:]) == pytest.approx([1.5, 60, 300])


def test_fitting_needs_no_torch():
    code = "import gpt_helpers.scaling_laws.fits, sys; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
