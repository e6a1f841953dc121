"""The record of the sweep is complete, and the prediction came before what it predicts."""

import math

import pytest
from reference import refused
from test_fits import JOINT
from test_fits import TRUE as LAW

from gpt_helpers import budgets, prediction, sweep
from gpt_helpers.fits import fit_loss_law
from gpt_helpers.laws import LossLaw
from gpt_helpers.prediction import (
    SHARE,
    chosen_prediction,
    effective_tokens,
    foretelling_errors,
    law_runs,
    predict,
    predictions,
)
from gpt_helpers.rows import write_rows
from gpt_helpers.scaling import count_parameters
from gpt_helpers.sweep import recorded_runs, runs_on


def made_up_rows(law=LAW):
    """Return the rows that the profiles would have if their losses lay on a law."""
    rows = []
    for run in budgets.profiles():
        row = dict.fromkeys(sweep.RUN_COLUMNS, 1) | {
            "run": run.key,
            "purpose": run.purpose,
            "n_params": count_parameters(run.config),
            "tokens": run.n_tokens,
            "unique_tokens": run.n_unique or 3_000_000,
            "max_lr": run.max_lr,
        }
        rows.append(row | {"held_out_loss": law.loss(row["n_params"], effective_tokens(row))})
    return rows


def write(path, rows):
    """Write rows as the sweep does, and return the path."""
    write_rows(path, rows, sweep.RUN_COLUMNS)
    return path


def row_without_work(folder, run):
    """Return the row, in a list, of a run that is not done."""
    return [row for row in made_up_rows() if row["run"] == run.key]


class OneProcess:
    """What multiprocessing gives, in this process."""

    def __init__(self, n_processes=None):
        self.n_processes = n_processes

    Pool = property(lambda self: OneProcess)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return None

    def imap_unordered(self, function, items):
        """Yield function(item) of each."""
        return map(function, items)


@pytest.fixture
def instant(monkeypatch):
    """Let the command do its runs at once, in this process, and note them."""
    done = []

    def noted(folder, run):
        done.append(run.key)
        return row_without_work(folder, run)

    monkeypatch.setattr(sweep, "row_of_run", noted)
    monkeypatch.setattr("gpt_helpers.rows.multiprocessing.get_context", lambda kind: OneProcess())
    return done


def test_rows_come_back_as_they_were_written(tmp_path):
    rows = made_up_rows()
    path = write(tmp_path / "sweep.csv", rows)
    found = recorded_runs(path)
    assert [row["tokens"] for row in found] == [row["tokens"] for row in rows]
    before = path.read_bytes()
    write(path, found)
    assert path.read_bytes() == before
    assert recorded_runs(tmp_path / "none.csv") == []


def test_the_command_does_only_what_is_missing(tmp_path, instant):
    rows = made_up_rows()
    path = write(tmp_path / "sweep.csv", rows[:-2])
    assert sweep.main(["--csv", str(path), "--stage", "profiles"]) == 0
    assert instant == [row["run"] for row in rows[-2:]]
    assert len(recorded_runs(path)) == len(rows)
    assert sweep.main(["--csv", str(path), "--stage", "profiles"]) == 0
    assert len(instant) == 2


@pytest.mark.parametrize(("law", "form"), [(LAW, "additive"), (JOINT, "joint")])
def test_a_law_without_noise_is_chosen_and_predicts_exactly(law, form, monkeypatch):
    monkeypatch.setattr(prediction, "N_SAMPLES", 20)
    rows = made_up_rows(law)
    errors = foretelling_errors(rows)
    assert errors[form] < 1e-4
    assert errors["joint" if form == "additive" else "additive"] > 1e-3
    said = {row["form"]: row for row in predict(rows)}[form]
    truth = law.loss(said["n_params"], said["effective_tokens"])
    assert said["chosen"] or form == "joint"  # which "joint with floor" contains
    assert said["predicted_loss"] == pytest.approx(truth, rel=1e-4)
    assert said["low"] - 1e-4 < truth < said["high"] + 1e-4
    assert said["high"] - said["low"] < 1e-3
    assert sum(row["chosen"] for row in predict(rows)) == 1


def test_the_largest_run_has_the_size_nearest_to_the_best_for_its_budget():
    for law in (LAW, JOINT, LossLaw(1.5, 1.0, 900.0, 0.30, 0.37, "made up", "F")):
        best = law.optimum(budgets.LARGEST_BUDGET).n_params
        run = prediction.chosen_run(law)
        distances = {
            width: abs(
                math.log(count_parameters(budgets.run_on("largest", width, 1).config) / best)
            )
            for width in budgets.LARGEST_WIDTHS
        }
        assert run.width == min(distances, key=distances.get)
        assert run.cost == pytest.approx(budgets.LARGEST_BUDGET, rel=1e-4)
        assert run.cost > 4 * max(run.cost for run in budgets.profiles())


def test_only_profiles_are_fitted_and_repeated_tokens_count_for_what_they_are_worth():
    rows = made_up_rows()
    runs = law_runs(rows)
    assert len(runs) == sum(row["purpose"] == "profile" for row in rows)
    longest = max(rows, key=lambda row: row["tokens"])
    assert longest["tokens"] > 2 * longest["unique_tokens"]
    assert max(n_tokens for _, n_tokens, _ in runs) < longest["tokens"]
    assert len(law_runs(rows, ("profile", "repeated"))) == len(rows)


def test_no_prediction_is_made_of_what_is_known(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(prediction, "N_SAMPLES", 20)
    rows = [*made_up_rows(), made_up_rows()[0] | {"purpose": "largest", "run": "largest"}]
    path, to = write(tmp_path / "sweep.csv", rows), tmp_path / "prediction.csv"
    assert prediction.main(["--sweep", str(path), "--csv", str(to)]) == 1
    assert "in the sweep already" in capsys.readouterr().err
    assert not to.exists()
    write(path, rows[:-1])
    assert prediction.main(["--sweep", str(path), "--csv", str(to)]) == 0
    for row in predict(recorded_runs(path)):
        numbers = {name: value for name, value in row.items() if not isinstance(value, str)}
        found = predictions(to)[row["form"]]
        assert {name: found[name] for name in numbers} == pytest.approx(numbers, rel=1e-6)
    said = chosen_prediction(to)
    (run,) = sweep.largest(to)
    assert (run.width, run.n_tokens) == (said["width"], said["tokens"])


def test_the_largest_run_is_not_done_without_a_prediction(tmp_path):
    refused("holds no prediction", sweep.largest, tmp_path / "prediction.csv")
    refused("holds no prediction", predictions, tmp_path / "prediction.csv")


# What is committed.


def test_the_committed_sweep_is_complete():
    rows = recorded_runs()
    planned = {run.key for run in (*budgets.pilots(), *budgets.profiles())}
    assert {row["run"] for row in rows if row["purpose"] != "largest"} == planned
    for row in rows:
        assert 0 < row["held_out_loss"] < math.log(1024)
        assert row["seconds"] > 0
        assert row["threads"] == "1"
        assert row["torch"]
        assert row["platform"]


def test_the_rule_for_the_learning_rate_is_near_the_best_pilot_of_each_width():
    pilots = [row for row in recorded_runs() if row["purpose"] == "pilot"]
    for width, n_tokens, _ in budgets.PILOTS:
        rows = [
            row
            for row in pilots
            if row["width"] == width and abs(row["tokens"] / n_tokens - 1) < 0.01
        ]
        best = min(rows, key=lambda row: row["held_out_loss"])
        assert 0.5 < budgets.best_rate(width) / best["max_lr"] < 2
        assert min(row["max_lr"] for row in rows) < best["max_lr"]
        assert best["max_lr"] < max(row["max_lr"] for row in rows) or width == 16


@pytest.mark.skipif(
    all(row["purpose"] != "largest" for row in recorded_runs()),
    reason="the largest run has been foretold, but it has not ended yet",
)
def test_the_largest_run_lies_inside_the_interval_that_was_stated_before():
    (row,) = [row for row in recorded_runs() if row["purpose"] == "largest"]
    said = chosen_prediction()
    assert (row["width"], row["n_params"]) == (said["width"], said["n_params"])
    assert said["low"] < row["held_out_loss"] < said["high"]
    assert row["held_out_loss"] == pytest.approx(said["predicted_loss"], rel=0.02)
    assert said["share"] == SHARE


def test_the_committed_predictions_follow_from_the_committed_sweep():
    runs = law_runs(recorded_runs())
    for form, said in predictions().items():
        law = fit_loss_law(runs, form)
        assert law.loss(said["n_params"], said["effective_tokens"]) == pytest.approx(
            said["predicted_loss"], rel=1e-3
        )
        assert said["runs"] == len(runs)
    errors = {form: said["foretelling_error"] for form, said in predictions().items()}
    assert foretelling_errors(recorded_runs()) == pytest.approx(errors, rel=0.02)
    assert chosen_prediction()["form"] == min(errors, key=errors.get)


def test_the_runs_on_a_budget_are_those_of_its_profile():
    rows = recorded_runs()
    for flops, widths in budgets.PROFILES.items():
        found = runs_on(rows, flops)
        assert {row["width"] for row in found} == set(widths)
        assert {row["seed"] for row in found} == set(budgets.SEEDS_OF_BUDGET.get(flops, (0,)))
        assert all(row["purpose"] == "profile" for row in found)
