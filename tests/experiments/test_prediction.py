"""The prediction came before what it predicts, and says no more than the sweep does."""

import math

import pytest

from gpt_helpers.experiments import budgets, prediction, sweep
from gpt_helpers.experiments.prediction import (
    SHARE,
    chosen_prediction,
    extrapolation_errors,
    law_runs,
    outcome,
    predict,
    predictions,
)
from gpt_helpers.experiments.sweep import recorded_runs
from gpt_helpers.scaling_laws.counts import count_parameters
from gpt_helpers.scaling_laws.fits import FORMS, fit_loss_law
from gpt_helpers.scaling_laws.laws import LossLaw
from tests.helpers.reference import refused
from tests.helpers.sweeps import made_up_rows, write_sweep
from tests.scaling_laws.test_fits import JOINT
from tests.scaling_laws.test_fits import TRUE as LAW


@pytest.fixture(scope="module", params=[(LAW, "additive"), (JOINT, "joint")], ids=["LAW", "JOINT"])
def noiseless(request, tmp_path_factory):
    """Return (law, form, rows, predictions) of a sweep whose losses lie on a law of a form."""
    law, form = request.param
    path = write_sweep(tmp_path_factory.mktemp("sweep") / "sweep.csv", made_up_rows(law))
    rows = recorded_runs(path)
    return law, form, path, predict(rows, n_samples=5)


def test_a_law_without_noise_is_chosen_and_predicts_exactly(noiseless):
    law, form, _, rows = noiseless
    errors = {row["form"]: row["foretelling_error"] for row in rows}
    assert errors[form] < 1e-4
    assert errors["joint" if form == "additive" else "additive"] > 1e-3
    predicted = {row["form"]: row for row in rows}[form]
    truth = law.loss(predicted["n_params"], predicted["effective_tokens"])
    assert predicted["chosen"] or form == "joint"  # which "joint with floor" contains
    assert predicted["predicted_loss"] == pytest.approx(truth, rel=1e-4)
    assert predicted["low"] - 1e-4 < truth < predicted["high"] + 1e-4
    assert predicted["high"] - predicted["low"] < 1e-3
    assert sum(row["chosen"] for row in rows) == 1


def test_the_largest_run_has_the_size_nearest_to_the_best_for_its_budget():
    for law in (LAW, JOINT, LossLaw(1.5, 1.0, 900.0, 0.30, 0.37, "made up", "F")):
        best = law.optimum(budgets.LARGEST_BUDGET).n_params
        width = prediction.chosen_width(law)
        distances = {
            w: abs(math.log(count_parameters(budgets.config_of_width(w)) / best))
            for w in budgets.LARGEST_WIDTHS
        }
        assert width == min(distances, key=distances.get)
        run = budgets.run_on(width, budgets.LARGEST_BUDGET)
        assert budgets.cost(run) == pytest.approx(budgets.LARGEST_BUDGET, rel=1e-4)
        assert budgets.cost(run) > 4 * max(budgets.cost(one.run) for one in budgets.profiles())


def test_only_profiles_are_fitted_and_repeated_tokens_count_for_what_they_are_worth():
    rows = made_up_rows()
    runs = law_runs(rows)
    assert len(runs) == sum(row["purpose"] == "profile" for row in rows)
    longest = max(rows, key=lambda row: row["tokens"])
    assert longest["tokens"] > 2 * longest["unique_tokens"]
    assert max(n_tokens for _, n_tokens, _ in runs) < longest["tokens"]
    assert len(law_runs(rows, ("profile", "repeated"))) == len(rows)


def test_no_prediction_is_made_of_what_is_known(tmp_path, capsys):
    rows = [*made_up_rows(), made_up_rows()[0] | {"purpose": "largest", "run": "largest"}]
    path, to = write_sweep(tmp_path / "sweep.csv", rows), tmp_path / "prediction.csv"
    assert prediction.main(["--sweep", str(path), "--csv", str(to)]) == 1
    assert "in the sweep already" in capsys.readouterr().err
    assert not to.exists()


def test_the_command_writes_the_predictions_of_every_form(noiseless, tmp_path):
    _, _, path, rows = noiseless
    to = tmp_path / "prediction.csv"
    arguments = ["--sweep", str(path), "--csv", str(to), "--samples", "5"]
    assert prediction.main(arguments) == 0
    for row in rows:
        numbers = {name: value for name, value in row.items() if not isinstance(value, str)}
        written = {name: predictions(to)[row["form"]][name] for name in numbers}
        assert written == pytest.approx(numbers, rel=1e-6, nan_ok=True)
    chosen = chosen_prediction(to)
    ((purpose, run),) = sweep.largest(to)
    assert (purpose, run.config.n_embd) == ("largest", chosen["width"])
    n_read = run.settings.total_steps * run.step_tokens
    assert n_read == pytest.approx(chosen["tokens"], rel=1e-4)  # whole steps


def test_predictions_are_not_read_where_there_are_none(tmp_path):
    refused("holds no prediction", predictions, tmp_path / "prediction.csv")


def test_the_outcome_is_refused_before_there_is_one(tmp_path):
    path = write_sweep(tmp_path / "sweep.csv", made_up_rows())
    refused("lacks the largest run", outcome, sweep=path)


@pytest.mark.parametrize(("loss", "inside"), [(3.0, True), (2.9, False), (3.1, False)])
def test_the_outcome_compares_what_was_measured_with_what_was_said(tmp_path, loss, inside):
    largest = made_up_rows()[0] | {"purpose": "largest", "run": "largest", "held_out_loss": loss}
    result = outcome(sweep=write_sweep(tmp_path / "sweep.csv", [*made_up_rows(), largest]))
    assert (result["measured"], result["inside"]) == (loss, inside)
    assert result["predicted"] * (1 + result["difference"]) == pytest.approx(loss)


def test_the_run_that_was_said_is_the_run_that_was_done():
    (row,) = [row for row in recorded_runs() if row["purpose"] == "largest"]
    ((_, run),), predicted = sweep.largest(), chosen_prediction()
    assert row["run"] == budgets.key_of(run)
    assert (row["width"], row["n_params"]) == (run.config.n_embd, predicted["n_params"])
    assert predicted["tokens"] == budgets.tokens_on(row["width"], budgets.LARGEST_BUDGET)
    assert row["tokens"] == pytest.approx(predicted["tokens"], rel=1e-4)  # whole steps
    assert row["run"] not in {budgets.key_of(one.run) for one in budgets.profiles()}
    assert predicted["share"] == SHARE


def test_the_prediction_was_too_high_and_the_page_may_say_nothing_else():
    result = outcome()
    assert not result["inside"]
    assert result["measured"] < result["low"] < result["predicted"] < result["high"]
    assert result["difference"] == pytest.approx(-0.10, abs=0.005)
    assert all(result["measured"] < predicted["low"] for predicted in predictions().values())


def test_no_form_of_the_law_comes_near_the_largest_run_even_when_it_is_fitted_too():
    rows = recorded_runs()
    ((n_params, n_tokens, loss),) = law_runs(rows, ("largest",))
    for form in FORMS:
        law = fit_loss_law(law_runs(rows, ("profile", "largest")), form)
        assert law.loss(n_params, n_tokens) > 1.08 * loss


def test_the_committed_predictions_follow_from_the_committed_sweep():
    runs = law_runs(recorded_runs())
    for form, predicted in predictions().items():
        law = fit_loss_law(runs, form)
        assert law.loss(predicted["n_params"], predicted["effective_tokens"]) == pytest.approx(
            predicted["predicted_loss"], rel=1e-3
        )
        assert predicted["runs"] == len(runs)
    errors = {form: predicted["foretelling_error"] for form, predicted in predictions().items()}
    assert extrapolation_errors(recorded_runs()) == pytest.approx(errors, rel=0.02)
    assert chosen_prediction()["form"] == min(errors, key=errors.get)


def test_rows_purposes_and_sizes_that_the_sweep_has_not_are_refused():
    rows = made_up_rows()
    refused("purposes is a str", law_runs, rows, "profile")
    refused(r"purposes\[0\]='profiles' is unknown", law_runs, rows, ("profiles",))
    refused("tokens of rows", law_runs, [rows[0] | {"tokens": math.nan}])
    low = [row for row in rows if row not in sweep.runs_on(rows, max(budgets.PROFILES))]
    refused("rows has no run on the highest budget", extrapolation_errors, low)
    refused("flops=200000000000.0 is no budget", sweep.runs_on, rows, 2e11)
