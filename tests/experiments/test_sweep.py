"""The record of the sweep: complete, run on demand, and read back as it was written."""

import argparse
import math

from gpt_helpers.config import GPTConfig
from gpt_helpers.experiments import budgets, sweep
from gpt_helpers.experiments.records import append_rows, program
from gpt_helpers.experiments.sweep import recorded_runs, runs_on
from gpt_helpers.scaling_laws.counts import flops_per_token
from gpt_helpers.text.tokens import Tokens
from gpt_helpers.training.runs import Run
from tests.helpers.reference import random_ids, refused
from tests.helpers.sweeps import made_up_rows, write_sweep


def test_rows_come_back_as_they_were_written(tmp_path):
    rows = made_up_rows()
    path = write_sweep(tmp_path / "sweep.csv", rows)
    runs = recorded_runs(path)
    assert [row["tokens"] for row in runs] == [row["tokens"] for row in rows]
    before = path.read_bytes()
    write_sweep(path, runs)
    assert path.read_bytes() == before
    assert recorded_runs(tmp_path / "none.csv") == []


def test_the_command_does_only_what_is_missing(tmp_path):
    rows = made_up_rows()
    path = write_sweep(tmp_path / "sweep.csv", rows[:-2])
    plan, done = sweep.planned(["profiles"]), []

    def noted(planned):
        done.append(budgets.key_of(planned.run))
        return [row for row in rows if row["run"] == done[-1]]

    for _ in range(2):
        options = argparse.Namespace(csv=path, processes=0)
        assert program(sweep.RECORD, plan, noted, options) == 0
        assert done == [row["run"] for row in rows[-2:]]
        assert len(recorded_runs(path)) == len(rows)
    assert sweep.main(["--csv", str(path), "--stage", "profiles"]) == 0
    assert len(recorded_runs(path)) == len(rows)


def test_a_row_says_what_its_run_was_for_and_where_it_was_done(tmp_path):
    run = Run(
        GPTConfig(1024, n_positions=128, n_embd=8, n_layer=1, n_head=1, dropout=0.0),
        budgets.settings_of(1, max_lr=1e-3),
        batch_size=1,
    )
    tokens = Tokens(None, *random_ids(2, 600 * 128, 1024))
    (row,) = sweep.row_of_run(tmp_path, budgets.Planned("pilot", run), tokens)
    assert set(row) == set(sweep.RECORD.columns)
    assert row["purpose"] == "pilot"
    assert sweep.place_of(run, tmp_path).is_dir()
    assert sweep.place_of(run, None) is None


def test_the_largest_run_is_not_done_without_a_prediction(tmp_path):
    refused("holds no prediction", sweep.largest, tmp_path / "prediction.csv")


# What is committed.


def test_rows_that_are_there_stay_byte_for_byte_when_others_are_appended(tmp_path):
    path, before = tmp_path / "sweep.csv", sweep.RECORD.path.read_bytes()
    path.write_bytes(before)
    rows = recorded_runs(path)
    new = rows[-1] | {"run": "new", "held_out_loss": 1 / 3}
    append_rows(path, sweep.RECORD.columns, lambda row: [row], [new], 0)
    assert path.read_bytes().startswith(before)
    assert path.read_bytes().count(b"\n") == before.count(b"\n") + 1


def test_the_operations_of_each_run_are_counted_in_full():
    for row in recorded_runs():
        config = budgets.config_of_width(row["width"])
        assert row["flops"] == 3 * flops_per_token(config) * row["tokens"]


def test_the_committed_sweep_is_complete():
    rows = recorded_runs()
    planned = {key for (key,) in sweep.planned(["pilots", "profiles"])}
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


def test_the_runs_on_a_budget_are_those_of_its_profile():
    rows = recorded_runs()
    for flops, widths in budgets.PROFILES.items():
        runs = runs_on(rows, flops)
        assert {row["width"] for row in runs} == set(widths)
        assert {row["seed"] for row in runs} == set(budgets.SEEDS_OF_BUDGET.get(flops, (0,)))
        assert all(row["purpose"] == "profile" for row in runs)
