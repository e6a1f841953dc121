"""Published laws against the tables that their papers print, and against searches by hand."""

import dataclasses
import math
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt_helpers.scaling_laws import laws
from gpt_helpers.scaling_laws.data_limits import REPETITION
from gpt_helpers.scaling_laws.laws import (
    FITS,
    KAPLAN,
    PF_DAY,
    POWER_LAWS,
    PRINTED_OPTIMA,
    LossLaw,
    compute_optimal,
    kaplan_optimal,
)
from tests.helpers.book import bibliography_keys
from tests.helpers.reference import refused

GOPHER = 5.76e23  # FLOPs
UNROUNDED = FITS["unrounded"]
PARAMETRIC = PRINTED_OPTIMA["parametric loss"]
# What the printed table A3 should say, found from 6ND and from the line through its other rows.
MENDED = {
    67e9: (70e9, 1.71e24, 4.1e12),
    175e9: (175e9, 1.26e25, 12.0e12),
    280e9: (280e9, 3.52e25, 21.0e12),
}
# Millions of parameters, FLOPs, PF-days. Source: brown2020gpt3, table D.1 (300e9 tokens).
GPT3 = [
    (125, 2.25e20, 2.60), (356, 6.41e20, 7.42), (760, 1.37e21, 15.8), (1320, 2.38e21, 27.5),
    (2650, 4.77e21, 55.2), (6660, 1.20e22, 139), (12850, 2.31e22, 268), (174600, 3.14e23, 3640),
]  # fmt: skip
BUDGETS = st.floats(1e12, 1e28)


def three_digits(value):
    """Return a number as it would be printed in a table with three digits."""
    return float(f"{value:.2e}")


def mended():
    """Return the rows of the printed optima without their misprints."""
    return [MENDED.get(row[0], row) for row in PARAMETRIC]


@pytest.mark.parametrize(("fit", "expected"), [("printed", 93), ("unrounded", 59), ("refit", 18)])
def test_tokens_per_parameter_at_gophers_budget_depend_on_the_digits(fit, expected):
    n_params, n_tokens, _ = compute_optimal(GOPHER, fit)
    assert round(n_tokens / n_params) == expected


def test_the_printed_constants_are_the_unrounded_ones_with_fewer_digits():
    digits = {"E": 2, "A": 1, "B": 1, "alpha": 2, "beta": 2}
    for name, count in digits.items():
        assert round(getattr(UNROUNDED, name), count) == getattr(FITS["printed"], name)


def test_the_refit_is_what_its_notebook_prints_with_fewer_digits():
    notebook = {"E": 1.81686, "A": 482.006, "B": 2085.434, "alpha": 0.34781, "beta": 0.36585}
    for name, value in notebook.items():
        assert getattr(FITS["refit"], name) == pytest.approx(value, abs=5e-3, rel=5e-4)


def test_20_tokens_per_parameter_are_those_of_the_other_two_approaches():
    ratios = {name: [d / n for n, _, d in rows] for name, rows in PRINTED_OPTIMA.items()}
    assert {round(ratio) for ratio in ratios["training curves"]} == {20, 21, 22}
    assert round(min(ratios["iso-FLOP profiles"])) == 19
    assert ratios["parametric loss"] == sorted(ratios["parametric loss"])
    assert [round(ratios["parametric loss"][row]) for row in (0, -1)] == [23, 143]


@pytest.mark.parametrize(
    ("fit", "flops", "n_params", "n_tokens"),
    [
        ("printed", 1e18, 81e6, 2.07e9),
        ("unrounded", 1e18, 95e6, 1.76e9),
        ("refit", 1e18, 81e6, 2.07e9),
        ("printed", 1e21, 1.82e9, 91e9),
        ("unrounded", 1e21, 2.2e9, 75e9),
        ("refit", 1e21, 2.8e9, 60e9),
        ("unrounded", 2.21e19, 389e6, 9.48e9),
        ("refit", 3.14e23, 53e9, 0.99e12),
    ],
)
def test_optima_by_each_set_of_constants(fit, flops, n_params, n_tokens):
    found = compute_optimal(flops, fit)
    assert found.n_params == pytest.approx(n_params, rel=0.01)
    assert found.n_tokens == pytest.approx(n_tokens, rel=0.01)


def is_product(row):
    """Return whether a row (parameters, FLOPs, tokens) is C = 6ND, within its digits."""
    n_params, flops, n_tokens = row
    return math.isclose(flops, 6 * n_params * n_tokens, rel_tol=0.013)


def test_every_printed_optimum_is_6nd_but_for_three_misprints():
    assert {row[0] for row in PARAMETRIC if not is_product(row)} == set(MENDED)
    assert all(is_product(row) for row in mended())
    for row in PRINTED_OPTIMA["iso-FLOP profiles"]:
        assert is_product(row)


def test_the_printed_optima_lie_on_one_line_once_the_misprints_are_mended():
    logs = np.log([(flops, n_params) for n_params, flops, _ in mended()])
    slope, start = np.polyfit(*logs.T, 1)
    assert math.isclose(slope, 0.4587, abs_tol=1e-4)
    for n_params, flops, n_tokens in mended():
        line = math.exp(start + slope * math.log(flops))
        assert math.isclose(line, n_params, rel_tol=0.004)
        assert math.isclose(flops / (6 * line), n_tokens, rel_tol=0.01)


def test_unrounded_constants_come_near_the_printed_optima_and_rounded_ones_do_not():
    """They do not reach the printed digits: the table's line has another slope, 0.4587."""
    for n_params, flops, n_tokens in mended():
        found = {fit: compute_optimal(flops, fit) for fit in FITS}
        assert 0.92 < found["unrounded"].n_params / n_params < 0.98
        assert 1.02 < found["unrounded"].n_tokens / n_tokens < 1.085
        assert found["printed"].n_params / n_params < 0.82
        assert n_params < 5e9 or found["refit"].n_params / n_params > 1.4
    a, _ = UNROUNDED.exponents
    assert f"{a:.4f}" == "0.4565"


def test_flops_and_pf_days_of_gpt3_are_those_of_table_d1():
    for millions, flops, pf_days in GPT3:
        computed = 6 * millions * 1e6 * 300e9
        assert three_digits(computed) == flops
        assert three_digits(computed / PF_DAY) == pf_days


@pytest.mark.parametrize("law", FITS.values(), ids=FITS)
@given(flops=BUDGETS)
def test_no_other_use_of_a_budget_has_a_lower_loss(law, flops):
    best = law.optimum(flops)
    assert 6 * best.n_params * best.n_tokens == pytest.approx(flops)
    for factor in (0.5, 0.99, 1.01, 2):
        assert law.loss(best.n_params * factor, best.n_tokens / factor) > best.loss


@pytest.mark.parametrize("law", FITS.values(), ids=FITS)
@given(flops=BUDGETS)
def test_budget_and_best_size_undo_the_optimum(law, flops):
    best = law.optimum(flops)
    assert law.budget(best.n_params) == pytest.approx(flops)
    assert law.best_size(best.n_tokens) == pytest.approx(best.n_params)
    a, b = law.exponents
    assert a + b == pytest.approx(1)
    assert law.optimum(10 * flops).n_params == pytest.approx(10**a * best.n_params)


def test_the_refit_shares_out_compute_almost_evenly_and_chinchilla_does_not():
    assert FITS["refit"].exponents == pytest.approx((0.513, 0.487), abs=5e-4)
    assert FITS["printed"].exponents == pytest.approx((0.452, 0.548), abs=5e-4)


def test_the_loss_by_hand():
    law = LossLaw(1, 8, 27, 1 / 3, 1 / 3, "none", "C")
    assert law.loss(64, 729) == pytest.approx(1 + 8 / 4 + 27 / 9)
    assert law.loss(64, math.inf) == pytest.approx(3)


def test_the_loss_of_arrays_is_an_array():
    sizes = np.array([1e8, 1e9])
    found = FITS["refit"].loss(sizes, 1e10)
    assert found.tolist() == [FITS["refit"].loss(size, 1e10) for size in sizes]
    assert KAPLAN.loss(sizes, 1e10).shape == compute_optimal(sizes).loss.shape == (2,)


@pytest.mark.parametrize(
    ("name", "amount", "prefactor"),
    [
        ("parameters", 1, 11.48),
        ("tokens", 1, 20.16),
        ("compute", 1, 2.66),
        ("compute", 1 / PF_DAY, 26.4),
        ("fixed batch", 1, 2.57),
        ("fixed batch", 1 / PF_DAY, 35.2),
        ("gpt3", 1, 2.57),
    ],
)
def test_power_laws_have_the_prefactors_of_their_other_form(name, amount, prefactor):
    assert POWER_LAWS[name].loss(amount) == pytest.approx(prefactor, rel=2e-3)


def test_twice_the_parameters_multiply_kaplans_loss_by_095():
    law = POWER_LAWS["parameters"]
    assert round(law.loss(2e9) / law.loss(1e9), 2) == 0.95


def test_gpt3s_fit_gives_1734_nats_for_its_own_budget():
    assert POWER_LAWS["gpt3"].loss(3640) == pytest.approx(1.734, abs=5e-4)


def test_kaplans_joint_law_has_its_two_limits():
    by_size = (KAPLAN.params_scale / 1e9) ** KAPLAN.params_exponent
    by_data = (KAPLAN.tokens_scale / 1e10) ** KAPLAN.tokens_exponent
    assert KAPLAN.loss(1e9, math.inf) == pytest.approx(by_size)
    assert KAPLAN.loss(math.inf, 1e10) == pytest.approx(by_data)
    assert KAPLAN.loss(1e9, 1e10) > max(by_size, by_data)


def test_kaplans_joint_law_needs_5_times_the_data_for_8_times_the_size():
    ratio = KAPLAN.params_exponent / KAPLAN.tokens_exponent
    assert round(8**ratio) == 5
    assert KAPLAN.loss(8e9, 1e10 * 8**ratio) / KAPLAN.loss(1e9, 1e10) == pytest.approx(
        8**-KAPLAN.params_exponent
    )


@given(flops=BUDGETS)
def test_no_other_use_of_a_budget_of_6nd_has_a_lower_loss_by_the_joint_law(flops):
    for law in (KAPLAN, dataclasses.replace(KAPLAN, floor=1.0)):
        best = law.optimum(flops)
        assert 6 * best.n_params * best.n_tokens == pytest.approx(flops)
        for factor in (0.5, 0.9, 1.1, 2):
            assert law.loss(best.n_params * factor, best.n_tokens / factor) > best.loss
        a, b = law.exponents
        assert a + b == pytest.approx(1)
        assert law.optimum(10 * flops).n_params == pytest.approx(10**a * best.n_params)


def test_a_floor_is_added_to_the_joint_law():
    floored = dataclasses.replace(KAPLAN, floor=1.0)
    assert floored.loss(1e9, 1e10) == pytest.approx(1 + KAPLAN.loss(1e9, 1e10))


def test_kaplans_table_gives_gpt3s_budget_517_billion_parameters():
    n_params, n_tokens = kaplan_optimal(3634 * PF_DAY)
    assert n_params == pytest.approx(517e9, rel=0.002)
    assert n_tokens / n_params == pytest.approx(0.35, abs=0.005)


def test_every_law_names_its_source_and_how_it_was_seen():
    found = [*POWER_LAWS.values(), *FITS.values(), KAPLAN, REPETITION, REPETITION.law]
    for law in found:
        assert law.source.split(",")[0] in bibliography_keys()
        assert law.flag in laws.FLAGS


def test_no_law_needs_torch():
    code = "import gpt_helpers.scaling_laws.data_limits, sys; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    "wrong",
    [
        0,
        -1.0,
        math.nan,
        True,
        np.array([1.0, -1.0]),
        np.array(["1e9"]),
        [1e9, 2e9],
        "1e9",
        None,
        1j,
    ],
    ids=repr,
)
def test_what_is_no_amount_is_refused(wrong):
    for law in (FITS["refit"], KAPLAN):
        refused("n_params=.* must be positive", law.loss, wrong, 1e9)
        refused("n_tokens=.* must be positive", law.loss, 1e9, wrong)
    refused("amount=.* must be positive", POWER_LAWS["tokens"].loss, wrong)
    for function in (compute_optimal, kaplan_optimal):
        refused("flops=.* must be positive", function, wrong)
    refused("n_params=.* must be positive", UNROUNDED.budget, wrong)
    refused("n_tokens=.* must be positive", UNROUNDED.best_size, wrong)


@pytest.mark.parametrize("infinite", [math.inf, np.array([1e20, math.inf])], ids=repr)
def test_no_budget_is_infinite(infinite):
    for function in (compute_optimal, kaplan_optimal, KAPLAN.optimum):
        refused("flops=.* must be positive", function, infinite)


def test_integers_that_no_array_of_integers_holds_are_amounts():
    budgets = pd.Series([10**20, 10**21])
    assert budgets.dtype == object
    assert compute_optimal(10**21).n_params == compute_optimal(1e21).n_params
    assert compute_optimal(budgets).n_params[1] == compute_optimal(1e21).n_params


@pytest.mark.parametrize("wrong", ["chinchilla", None, 3, ["refit"]], ids=repr)
def test_an_unknown_fit_is_refused(wrong):
    refused("fit=.* is unknown; use one of", compute_optimal, 1e21, wrong)
