"""The record of the sweep is complete, and the prediction came before what it predicts."""

import math

import pytest
import torch

from gpt_helpers.experiments import budgets, copying, prediction, sweep
from gpt_helpers.experiments.copying import recorded_copying
from gpt_helpers.experiments.prediction import (
    SHARE,
    chosen_prediction,
    effective_tokens,
    extrapolation_errors,
    law_runs,
    outcome,
    predict,
    predictions,
)
from gpt_helpers.experiments.records import append_rows
from gpt_helpers.experiments.sweep import recorded_runs, runs_on
from gpt_helpers.files import write_rows
from gpt_helpers.scaling_laws.counts import count_parameters, flops_per_token
from gpt_helpers.scaling_laws.fits import FORMS, fit_loss_law
from gpt_helpers.scaling_laws.laws import LossLaw
from tests.helpers.reference import refused
from tests.scaling_laws.test_fits import JOINT
from tests.scaling_laws.test_fits import TRUE as LAW


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
    errors = extrapolation_errors(rows)
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


def test_the_outcome_is_refused_before_there_is_one(tmp_path):
    path = write(tmp_path / "sweep.csv", made_up_rows())
    refused("lacks the largest run", outcome, sweep=path)


@pytest.mark.parametrize(("loss", "inside"), [(3.0, True), (2.9, False), (3.1, False)])
def test_the_outcome_compares_what_was_measured_with_what_was_predicted(tmp_path, loss, inside):
    largest = made_up_rows()[0] | {"purpose": "largest", "run": "largest", "held_out_loss": loss}
    found = outcome(sweep=write(tmp_path / "sweep.csv", [*made_up_rows(), largest]))
    assert (found["measured"], found["inside"]) == (loss, inside)
    assert found["predicted"] * (1 + found["difference"]) == pytest.approx(loss)


def test_a_token_ends_a_seen_pair_if_it_and_the_one_before_it_stood_together_before():
    windows = torch.tensor([[1, 2, 3, 1, 2, 1, 2], [5, 5, 5, 5, 4, 5, 4], [2, 1, 3, 2, 3, 1, 2]])
    assert copying.seen_pairs(windows).int().tolist() == [
        [0, 0, 0, 1, 0, 1],
        [0, 1, 1, 0, 0, 1],
        [0, 0, 0, 0, 0, 0],
    ]


def test_copying_is_measured_on_a_run_that_goes_on_from_its_checkpoint(tmp_path, monkeypatch):
    monkeypatch.setattr(budgets, "N_SCORED", 32)
    monkeypatch.setattr(copying, "N_REPEATED", 32)
    run = budgets.Run("profile", 16, 3 * 512, 1e-3)
    row = budgets.do(run, tmp_path / run.key.replace(" ", "-"))
    found = copying.copying(run, tmp_path)
    share = found["pair_share"]
    loss = share * found["pair_loss"] + (1 - share) * found["other_loss"]
    assert loss == pytest.approx(row["held_out_loss"], rel=1e-5)
    assert found["second_loss"] == pytest.approx(found["first_loss"], abs=0.05)  # knows nothing
    assert set(found) == {"run", *copying.COPYING_NUMBERS}


def test_the_command_writes_what_the_runs_copy(tmp_path, monkeypatch):
    monkeypatch.setattr(copying, "COPYING", tmp_path / "copying.csv")
    numbers = dict.fromkeys(copying.COPYING_NUMBERS, 1.0)
    monkeypatch.setattr(copying, "copying", lambda run, folder: {"run": run.key, **numbers})
    assert prediction.main(["--copying", str(tmp_path)]) == 0
    found = recorded_copying(tmp_path / "copying.csv")
    assert [row["run"] for row in found] == [run.key for run in copying.copying_runs()]


def test_the_largest_run_is_not_done_without_a_prediction(tmp_path):
    refused("holds no prediction", sweep.largest, tmp_path / "prediction.csv")
    refused("holds no prediction", predictions, tmp_path / "prediction.csv")


# What is committed.


def test_rows_that_are_there_stay_byte_for_byte_when_others_are_appended(tmp_path, monkeypatch):
    monkeypatch.setattr("gpt_helpers.rows.multiprocessing.get_context", lambda kind: OneProcess())
    path, before = tmp_path / "sweep.csv", sweep.SWEEP.read_bytes()
    path.write_bytes(before)
    rows = recorded_runs(path)
    new = rows[-1] | {"run": "new", "held_out_loss": 1 / 3}
    append_rows(path, rows, sweep.RUN_COLUMNS, lambda row: [row], [new], 1)
    assert path.read_bytes().startswith(before)
    assert path.read_bytes().count(b"\n") == before.count(b"\n") + 1


def test_the_operations_of_each_run_are_counted_in_full():
    for row in recorded_runs():
        config = budgets.run_on("", row["width"], 1).config
        assert row["flops"] == 3 * flops_per_token(config) * row["tokens"]


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


def test_the_run_that_was_predicted_is_the_run_that_was_done():
    (row,) = [row for row in recorded_runs() if row["purpose"] == "largest"]
    (run,), said = sweep.largest(), chosen_prediction()
    assert (row["run"], row["width"], row["n_params"]) == (run.key, run.width, said["n_params"])
    assert row["tokens"] == pytest.approx(said["tokens"], rel=1e-4)  # whole steps
    assert row["run"] not in {run.key for run in budgets.profiles()}
    assert said["share"] == SHARE


def test_the_prediction_was_too_high_and_the_page_may_say_nothing_else():
    found = outcome()
    assert not found["inside"]
    assert found["measured"] < found["low"] < found["predicted"] < found["high"]
    assert found["difference"] == pytest.approx(-0.10, abs=0.005)
    assert all(found["measured"] < said["low"] for said in predictions().values())


def test_no_form_of_the_law_comes_near_the_largest_run_even_when_it_is_fitted_too():
    rows = recorded_runs()
    ((n_params, n_tokens, loss),) = law_runs(rows, ("largest",))
    for form in FORMS:
        law = fit_loss_law(law_runs(rows, ("profile", "largest")), form)
        assert law.loss(n_params, n_tokens) > 1.08 * loss


def test_the_losses_of_copied_and_of_other_tokens_make_up_the_recorded_loss():
    recorded = {row["run"]: row for row in recorded_runs()}
    found = recorded_copying()
    assert [row["run"] for row in found] == [run.key for run in copying.copying_runs()]
    for row in found:
        share, run = row["pair_share"], recorded[row["run"]]
        loss = share * row["pair_loss"] + (1 - share) * row["other_loss"]
        assert loss == pytest.approx(run["held_out_loss"], rel=1e-5)
        assert (row["width"], row["tokens"]) == (run["width"], run["tokens"])


def test_only_the_largest_run_copies_and_that_accounts_for_what_was_not_foretold():
    *_, before, after = recorded_copying()
    fall = {name: before[name] - after[name] for name in ("pair_loss", "other_loss")}
    assert fall["pair_loss"] > 2.5 * fall["other_loss"]
    share, found = after["pair_share"], outcome()
    as_others = found["measured"] + share * (fall["pair_loss"] - fall["other_loss"])
    assert found["low"] < as_others < found["high"]
    gains = [row["first_loss"] - row["second_loss"] for row in recorded_copying()]
    assert gains[-1] > 1 > 0.3 > max(gains[:-1])


def test_the_committed_predictions_follow_from_the_committed_sweep():
    runs = law_runs(recorded_runs())
    for form, said in predictions().items():
        law = fit_loss_law(runs, form)
        assert law.loss(said["n_params"], said["effective_tokens"]) == pytest.approx(
            said["predicted_loss"], rel=1e-3
        )
        assert said["runs"] == len(runs)
    errors = {form: said["foretelling_error"] for form, said in predictions().items()}
    assert extrapolation_errors(recorded_runs()) == pytest.approx(errors, rel=0.02)
    assert chosen_prediction()["form"] == min(errors, key=errors.get)


def test_the_runs_on_a_budget_are_those_of_its_profile():
    rows = recorded_runs()
    for flops, widths in budgets.PROFILES.items():
        found = runs_on(rows, flops)
        assert {row["width"] for row in found} == set(widths)
        assert {row["seed"] for row in found} == set(budgets.SEEDS_OF_BUDGET.get(flops, (0,)))
        assert all(row["purpose"] == "profile" for row in found)
