"""Parabolas through iso-FLOP profiles find the minimum that made the data."""

import math

import numpy as np
import pytest

from gpt_helpers.scaling_laws.isoflop import fit_power, lowest_minimum, profile_minimum
from gpt_helpers.scaling_laws.laws import LossLaw
from tests.helpers.reference import refused

TRUE = LossLaw(1.5, 60.0, 300.0, 0.30, 0.37, "made up", "F")


def test_the_minimum_of_a_parabola_comes_back():
    n_params = np.array([1e5, 3e5, 1e6, 5e6])
    losses = 4 + 0.3 * (np.log10(n_params) - 5.7) ** 2
    found = profile_minimum(n_params, losses)
    assert found == pytest.approx((10**5.7, 4, 0.3))


def test_the_minima_of_profiles_on_a_law_grow_with_the_exponent_of_the_law():
    budgets, minima = np.array([1e12, 1e13, 1e14]), []
    for flops in budgets:
        n_params = TRUE.optimum(flops).n_params * np.array([0.5, 0.7, 1, 1.4, 2])
        minima.append(profile_minimum(n_params, TRUE.loss(n_params, flops / (6 * n_params))))
    _, exponent = fit_power(budgets, [minimum.n_params for minimum in minima])
    assert exponent == pytest.approx(TRUE.exponents[0], abs=0.01)


def test_a_power_comes_back():
    assert fit_power([1, 10, 100], [3, 30**0.5 * 3**0.5, 30]) == pytest.approx((3, 0.5))


@pytest.mark.parametrize(
    "losses",
    [
        [3.0, 3.0, 3.0, 3.0],
        [3.0, 2.9, 2.8, 2.7],  # rounding alone bends it
        [3.0, 2.9, 2.8, 2.70001],  # a parabola whose minimum lies at a loss of -97
        [2.7, 2.8, 2.9, 3.0],
    ],
)
def test_a_minimum_that_the_sizes_do_not_enclose_is_none(losses):
    for fit in (profile_minimum, lowest_minimum):
        refused("have no minimum; add smaller or larger models", fit, [1e5, 1e6, 1e7, 1e8], losses)


def test_a_run_that_diverged_is_neither_fitted_nor_left_out():
    for wrong in (math.nan, math.inf):
        losses = [3.2, 3.0, wrong, 3.0, 3.3]
        for fit in (profile_minimum, lowest_minimum, fit_power):
            refused(f"{wrong}", fit, [1e5, 3e5, 1e6, 3e6, 1e7], losses)


def test_profiles_without_a_minimum_are_refused():
    refused("have no minimum", profile_minimum, [1e5, 1e6, 1e7], [4.0, 4.2, 4.0])
    refused("must hold at least 3 sizes", profile_minimum, [1e5, 1e6, 1e6], [4.0, 4.2, 4.0])


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -1.0, None, "3"], ids=repr)
@pytest.mark.parametrize("place", [0, 4])
def test_a_loss_or_a_size_that_is_no_number_is_refused_and_not_left_out(wrong, place):
    sizes, losses = [1e5, 1e6, 2e6, 1e7, 1e8], [4.0, 3.0, 3.1, 4.0, 9.0]
    broken = [*losses[:place], wrong, *losses[place + 1 :]]
    for function in (profile_minimum, lowest_minimum):
        refused("losses=.* must be", function, sizes, broken)
        refused("n_params=.* must be", function, broken, losses)
    refused("amounts=.* must be", fit_power, broken, losses)
    refused("values=.* must be", fit_power, losses, broken)


def test_columns_of_two_lengths_are_refused():
    for function in (profile_minimum, lowest_minimum, fit_power):
        refused("lengths differ, {.*: 3, .*: 4}", function, [1.0, 2.0, 3.0], [4.0, 3.0, 3.1, 4.0])
    refused(r"amounts=\[2.0, 2.0\] must hold at least 2", fit_power, [2.0, 2.0], [4.0, 3.0])


def test_the_lowest_sizes_decide_where_far_ones_do_not_fit():
    sizes = [1e4, 1e5, 1e6, 1e7, 1e9, 1e5]
    losses = [0.1 * (math.log10(size) - 5.5) ** 2 + 3 for size in sizes]
    losses[4] = 9.0
    found = lowest_minimum(sizes, losses)
    assert found.n_params == pytest.approx(10**5.5)
    assert found.loss == pytest.approx(3)
    assert found.loss_at(np.array(sizes[:4])) == pytest.approx(losses[:4])
