"""The small run and its variations: each changes what it says, and the record is complete."""

import math

import pytest
import torch

from gpt_helpers.config import GPTConfig
from gpt_helpers.experiments import ablations
from gpt_helpers.experiments.small_run import BASE_RUN, EXPERIMENTS, LONGER, SEEDS, run
from gpt_helpers.text.tokens import Tokens
from gpt_helpers.training.runs import Run
from gpt_helpers.training.settings import TrainingSettings
from gpt_helpers.variants import gpt1
from tests.helpers.reference import refused

SMALL = GPTConfig(50, n_positions=8, n_embd=8, n_layer=2, n_head=2, dropout=0.0)
SHORT = Run(SMALL, TrainingSettings(total_steps=4, warmup_steps=1, evaluate_every=2), batch_size=2)
IDS = torch.randint(50, (3000,), generator=torch.Generator().manual_seed(0))
TOKENS = Tokens(None, IDS, IDS[:600])


def changed(settings=None, seed=0, stop_after=None, **changes):
    """Return the rows of the short run with these changes, on made-up tokens."""
    return run(SHORT.varied(settings, **changes), seed, stop_after, TOKENS)


def test_a_run_has_a_row_per_evaluation():
    rows = changed()
    assert [row["step"] for row in rows] == [2, 4]
    assert [row["tokens"] for row in rows] == [32, 64]
    assert set(ablations.NUMBERS) - {"seed"} <= set(rows[0])


def test_a_row_holds_the_mean_loss_and_the_highest_norm_since_the_row_before():
    finer = changed({"evaluate_every": 1})
    for coarse, pair in zip(changed(), (finer[:2], finer[2:]), strict=True):
        assert coarse["loss"] == pytest.approx(sum(row["loss"] for row in pair) / 2)
        assert coarse["gradient_norm"] == max(row["gradient_norm"] for row in pair)
        assert coarse["held_out_loss"] == pair[1]["held_out_loss"]


def test_a_run_that_ends_early_is_the_beginning_of_the_whole_one():
    for settings in ({}, {"schedule_steps": 6}):
        early, whole = (
            {name: value for name, value in rows[0].items() if name != "seconds"}
            for rows in (changed(settings, stop_after=2), changed(settings))
        )
        assert early == whole


@pytest.mark.parametrize(
    "changes",
    [
        {"batch_size": 4},
        {"bad_step": 1},
        {"initial_std": 0.2},
        {"residual_scaling": False},
        {"transformer": gpt1.GPT1Model},
        {"settings": {"max_lr": 1e-2}},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_every_change_changes_the_run(changes):
    assert changed(**changes)[-1]["held_out_loss"] != changed()[-1]["held_out_loss"]


def test_seeds_differ_and_decide():
    losses = [changed(seed=seed)[-1]["held_out_loss"] for seed in (0, 0, 1)]
    assert losses[0] == losses[1] != losses[2]


def test_every_experiment_has_the_base_run_and_what_experiments_share_is_run_once():
    for experiment in EXPERIMENTS.values():
        assert BASE_RUN in experiment.values()
    distinct = {
        v.changes_from(BASE_RUN) for experiment in EXPERIMENTS.values() for v in experiment.values()
    }
    assert len(ablations.planned(EXPERIMENTS)) == len(distinct) * len(SEEDS)
    assert ablations.planned() == ablations.planned(EXPERIMENTS) | ablations.planned(LONGER)


def test_all_variations_of_an_experiment_read_equally_many_tokens():
    for experiments, n_steps in ((EXPERIMENTS, 200), (LONGER, 800)):
        for experiment in experiments.values():
            rows = {one.settings.total_steps * one.batch_size for one in experiment.values()}
            assert rows == {n_steps * BASE_RUN.batch_size}


def test_the_longer_experiment_changes_the_key_heads_and_nothing_else():
    runs = LONGER["key heads"].values()
    assert [run.config.key_heads for run in runs] == [6, 2, 1]
    alike = [run.varied(config={"n_kv_head": None}) for run in runs]
    assert alike[0] == alike[1] == alike[2]


def test_a_run_that_diverges_has_one_row_without_numbers():
    diverging = SHORT.varied({"max_lr": 1e38, "warmup_steps": 0, "seed": 2})
    (row,) = ablations.complete_rows(diverging, TOKENS)
    assert row["changes"] == diverging.changes_from(BASE_RUN)
    assert row["seed"] == 2
    assert math.isnan(row["held_out_loss"])


def test_the_committed_results_are_complete():
    rows = ablations.RECORD.rows()
    assert {(row["changes"], int(row["seed"])) for row in rows} == set(ablations.planned())
    assert {"torch", "platform", "cpus"} <= set(rows[0])
    assert all(row["seconds"] > 0 for row in rows if row["step"])


def test_results_are_found_by_experiment_and_variation():
    for experiment, named in ablations.EVERY.items():
        runs = ablations.recorded(experiment)
        assert list(runs) == list(named)
        assert all(set(seeds) == set(SEEDS) for seeds in runs.values())
        for name, (tokens, means) in ablations.mean_curves(experiment, "held_out_loss").items():
            finals = ablations.finals(experiment)[name]
            assert means[-1] == pytest.approx(finals["mean"])
            assert finals["lowest"] <= finals["mean"] <= finals["highest"]
            run = named[name]
            assert tokens[-1] == run.settings.total_steps * run.step_tokens / 1000
    refused("experiment='weather' is unknown", ablations.recorded, "weather")


def test_the_command_runs_only_what_is_missing(tmp_path):
    path = tmp_path / "all.csv"
    path.write_bytes(ablations.RECORD.path.read_bytes())
    before = path.read_bytes()
    assert ablations.main(["--csv", str(path), "--processes", "1"]) == 0
    assert path.read_bytes() == before


def test_a_mean_is_of_runs_that_are_as_long_and_of_a_column_of_numbers():
    rows = [{"tokens": 1000, "loss": 3.0, "rung": "RoPE"}, {"tokens": 2000, "loss": 2.0}]
    assert ablations.mean_curve({0: rows, 1: rows}, "loss") == ([1.0, 2.0], [3.0, 2.0])
    refused(
        "seeds have different numbers of rows", ablations.mean_curve, {0: rows, 1: rows[:1]}, "loss"
    )
    refused("column='rung' is no number", ablations.mean_curve, {0: rows}, "rung")
    refused(r"seeds\[0\]\[0\] has no tokens", ablations.mean_curve, {0: [{"loss": 1.0}]}, "loss")
    refused("column='changes'", ablations.finals, "schedule", "changes")
