"""Repeated data and much-used models: the published values, limits, and searches by hand."""

import math

import numpy as np
import pytest

from gpt_helpers.scaling_laws.data_limits import REPETITION, effective_amount, inference_optimal
from gpt_helpers.scaling_laws.laws import FITS, compute_optimal
from tests.helpers.reference import refused

LAW = REPETITION.law
EPOCHS_WORTH = [(1, 1), (2, 1.97), (4, 3.73), (8, 6.62), (16, 10.58), (40, 15.17), (1e9, 16.39)]


@pytest.mark.parametrize(("epochs", "expected"), EPOCHS_WORTH)
def test_epochs_are_worth_what_the_paper_says(epochs, expected):
    assert REPETITION.effective_tokens(epochs * 1e6, 1e6) == pytest.approx(expected * 1e6, rel=2e-3)


def test_after_as_many_repetitions_as_the_decay_one_more_is_worth_1_over_e():
    more = [effective_amount(1 + 7 + step, 1, 7) for step in (0, 1e-6)]
    assert (more[1] - more[0]) / 1e-6 == pytest.approx(1 / math.e, rel=1e-4)


def test_the_law_is_printed_with_the_digits_of_the_paper():
    printed = [f"{LAW.E:.2f}", f"{LAW.A:.0f}", f"{LAW.B:.0f}", f"{LAW.alpha:.2f}"]
    assert printed == ["1.87", "521", "1488", "0.35"]
    assert LAW.alpha == LAW.beta
    assert LAW.best_size(1e9) / 1e9 == pytest.approx(0.051, abs=5e-4)


def test_one_epoch_of_a_model_of_at_most_the_best_size_is_the_law_itself():
    size = LAW.best_size(1e9)
    for n_params, n_tokens in ((size, 1e9), (size / 9, 1e9), (LAW.best_size(1e7), 1e7)):
        assert REPETITION.loss(n_params, n_tokens, 1e9) == LAW.loss(n_params, n_tokens)


def test_repeated_tokens_help_less_than_new_ones_and_never_hurt():
    size = LAW.best_size(1e8)
    losses = [REPETITION.loss(size, epochs * 1e8, 1e8) for epochs in (1, 2, 4, 40, 400)]
    assert losses == sorted(losses, reverse=True)
    lost = [losses[index] - LAW.loss(size, epochs * 1e8) for index, epochs in ((2, 4), (3, 40))]
    assert 0 < lost[0] < 0.05 * (losses[0] - losses[2]) < lost[1]


def test_parameters_beyond_the_best_size_help_less_than_in_the_law():
    size = LAW.best_size(1e8)
    assert REPETITION.effective_params(size, 1e8) == size
    most = 1 + REPETITION.params_decay
    assert REPETITION.effective_params(1e6 * size, 1e8) == pytest.approx(most * size)
    assert LAW.loss(9 * size, 1e8) < REPETITION.loss(9 * size, 1e8, 1e8) < LAW.loss(size, 1e8)


@pytest.mark.parametrize("fit", FITS)
def test_without_use_the_optimum_is_that_of_training(fit):
    best = compute_optimal(1e21, fit)
    assert inference_optimal(best.loss, 0, fit) == pytest.approx(best)


@pytest.mark.parametrize("n_used", [1e9, 1e11, 1e13, 1e16])
def test_no_other_model_of_the_same_loss_is_cheaper_over_training_and_use(n_used):
    law = FITS["refit"]
    best = inference_optimal(2.2, n_used, law)
    assert best.loss == pytest.approx(2.2)
    sizes = best.n_params * np.array([0.5, 0.9, 0.99, 1, 1.01, 1.1, 2])
    by_tokens = 2.2 - law.E - law.A / sizes**law.alpha
    tokens = np.where(by_tokens > 0, (law.B / abs(by_tokens)) ** (1 / law.beta), np.inf)
    flops = 6 * sizes * tokens + 2 * sizes * n_used
    assert flops.argmin() == 3


def test_the_more_a_model_is_used_the_smaller_it_should_be_and_the_longer_trained():
    sizes, tokens, _ = zip(*(inference_optimal(2.2, n) for n in (0, 1e10, 1e12, 1e14)), strict=True)
    assert list(sizes) == sorted(sizes, reverse=True)
    assert list(tokens) == sorted(tokens)
    assert tokens[-1] / sizes[-1] > 10 * tokens[0] / sizes[0]


@pytest.mark.parametrize("wrong", [0, -1.0, math.nan], ids=repr)
def test_what_is_no_amount_is_refused(wrong):
    refused("n_params=.* must be positive", REPETITION.loss, wrong, 1e9, 1e8)
    refused("n_tokens=.* must be positive", REPETITION.loss, 1e9, wrong, 1e8)
    refused("n_unique=.* must be positive", REPETITION.loss, 1e9, 1e9, wrong)
    refused("amount=.* must be a finite number > 0", effective_amount, wrong, 1, 1)
    refused("decay=.* must be a finite number > 0", effective_amount, 1, 1, wrong)


def test_a_loss_that_no_model_reaches_is_refused():
    for wrong in (FITS["refit"].E, 1, math.nan):
        refused("loss=.* must be a finite number > 1.817", inference_optimal, wrong, 1e9)
    for wrong in (-1, math.inf, math.nan):
        refused("n_inference_tokens=.* must be a finite number >= 0", inference_optimal, 2.2, wrong)
    for loss, n_tokens in ((1e3, 1e50), (FITS["refit"].E + 1e-6, 1e50), (1e3, 0)):
        assert all(value > 0 for value in inference_optimal(loss, n_tokens))
    refused("n_inference_tokens=1e.60 must be .* <= 1e.50", inference_optimal, 2.2, 1e60)
    refused("loss=2000.0 must be .* <= 1000", inference_optimal, 2e3, 1e9)
