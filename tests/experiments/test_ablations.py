"""The small run and its variations: each changes what it says, and the record is complete."""

import dataclasses
import math

import pytest
import torch

from gpt_helpers.config import GPTConfig
from gpt_helpers.experiments import ablations, small_run
from gpt_helpers.experiments.small_run import EXPERIMENTS, LONGER, SEEDS, Variation, run
from gpt_helpers.files import read_rows, write_rows
from gpt_helpers.variants import gpt1
from tests.helpers.reference import refused

SHORT = Variation({"total_steps": 4, "warmup_steps": 1, "evaluate_every": 2}, batch_size=2)


@pytest.fixture
def tiny(monkeypatch):
    """Make the run of variations tiny: another model, and tokens without a corpus."""
    tokens = torch.randint(50, (3000,), generator=torch.Generator().manual_seed(0))
    small = GPTConfig(50, n_positions=8, n_embd=8, n_layer=2, n_head=2, dropout=0.0)
    monkeypatch.setattr(small_run, "CONFIG", small)
    monkeypatch.setattr(small_run, "tokens_of_corpus", lambda: (tokens, tokens[:80].view(10, 8)))


def changed(**changes):
    """Return the rows of the short run with these changes of the variation."""
    return run(dataclasses.replace(SHORT, **changes), seed=0)


def test_a_run_has_a_row_per_evaluation(tiny):
    rows = run(SHORT, seed=0)
    assert [row["step"] for row in rows] == [2, 4]
    assert [row["tokens"] for row in rows] == [32, 64]
    assert set(ablations.NUMBERS) - {"seed"} <= set(rows[0])


def test_a_row_holds_the_mean_loss_and_the_highest_norm_since_the_row_before(tiny):
    finer = changed(settings=SHORT.settings | {"evaluate_every": 1})
    for coarse, pair in zip(run(SHORT, seed=0), (finer[:2], finer[2:]), strict=True):
        assert coarse["loss"] == pytest.approx(sum(row["loss"] for row in pair) / 2)
        assert coarse["gradient_norm"] == max(row["gradient_norm"] for row in pair)
        assert coarse["held_out_loss"] == pair[1]["held_out_loss"]


def test_a_run_that_ends_early_is_the_beginning_of_the_whole_one(tiny):
    for settings in (SHORT.settings, SHORT.settings | {"schedule_steps": 6}):
        variation = dataclasses.replace(SHORT, settings=settings)
        without = ("seconds",)
        early, whole = (
            {key: value for key, value in rows[0].items() if key not in without}
            for rows in (run(variation, seed=0, stop_after=2), run(variation, seed=0))
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
        {"settings": SHORT.settings | {"max_lr": 1e-2}},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_every_change_changes_the_run(tiny, changes):
    assert changed(**changes)[-1]["held_out_loss"] != run(SHORT, seed=0)[-1]["held_out_loss"]


def test_seeds_differ_and_decide(tiny):
    losses = [run(SHORT, seed)[-1]["held_out_loss"] for seed in (0, 0, 1)]
    assert losses[0] == losses[1] != losses[2]


def test_changes_are_named_and_the_base_run_has_none():
    assert Variation().changes() == "none"
    assert SHORT.changes() == "total_steps=4 warmup_steps=1 evaluate_every=2 batch_size=2"
    named = Variation({"max_lr": 0.1}, transformer=gpt1.GPT1Model, bad_step=3).changes()
    assert named == "max_lr=0.1 transformer=GPT1Model bad_step=3"


def steps_of(variation):
    """Return how many steps a variation trains for."""
    return variation.settings.get("total_steps", small_run.SETTINGS.total_steps)


def test_every_experiment_has_the_base_run_and_what_experiments_share_is_run_once():
    for experiment in EXPERIMENTS.values():
        assert small_run.BASE_RUN in experiment.values()
    distinct = {v.changes() for experiment in EXPERIMENTS.values() for v in experiment.values()}
    assert len(ablations.planned(EXPERIMENTS)) == len(distinct) * len(SEEDS)
    assert ablations.planned() == ablations.planned(EXPERIMENTS) | ablations.planned(LONGER)


def test_all_variations_of_an_experiment_read_equally_many_tokens():
    for experiments, n_steps in ((EXPERIMENTS, 200), (LONGER, 800)):
        for experiment in experiments.values():
            rows = {steps_of(one) * one.batch_size for one in experiment.values()}
            assert rows == {n_steps * small_run.BATCH_SIZE}


def test_the_longer_experiment_changes_the_key_heads_and_nothing_else():
    shapes = [variation.shape for variation in LONGER["key heads"].values()]
    assert [shape.get("n_kv_head", shape["n_head"]) for shape in shapes] == [6, 2, 1]
    alike = [dataclasses.replace(one, shape={}) for one in LONGER["key heads"].values()]
    assert alike[0] == alike[1] == alike[2]


def test_a_run_that_diverges_has_one_row_without_numbers(tiny, monkeypatch):
    def diverge(*arguments):
        raise ArithmeticError

    monkeypatch.setattr(ablations, "run", diverge)
    (row,) = ablations.complete_rows(("none", 0))
    assert row["changes"] == "none"
    assert row["seed"] == 0
    assert math.isnan(row["held_out_loss"])


def test_the_committed_results_are_complete():
    rows = read_rows(ablations.RESULTS, ablations.NUMBERS)
    assert {(row["changes"], int(row["seed"])) for row in rows} == set(ablations.planned())
    assert {"torch", "platform", "cpus"} <= set(rows[0])
    assert all(row["seconds"] > 0 for row in rows if row["step"])


def test_results_are_found_by_experiment_and_variation():
    for experiment, named in ablations.EVERY.items():
        found = ablations.recorded(experiment)
        assert list(found) == list(named)
        assert all(set(seeds) == set(SEEDS) for seeds in found.values())
        for name, (tokens, means) in ablations.mean_curves(experiment, "held_out_loss").items():
            finals = ablations.finals(experiment)[name]
            assert means[-1] == pytest.approx(finals["mean"])
            assert finals["lowest"] <= finals["mean"] <= finals["highest"]
            rows = steps_of(named[name]) * named[name].batch_size
            assert tokens[-1] == rows * 128 / 1000
    refused("experiment='weather' is unknown", ablations.recorded, "weather")


def test_the_command_runs_only_what_is_missing(tiny, tmp_path, monkeypatch):
    rows = read_rows(ablations.RESULTS, ablations.NUMBERS)
    path = tmp_path / "all.csv"
    write_rows(path, rows, ablations.COLUMNS)
    before = path.read_bytes()
    assert ablations.main(["--csv", str(path), "--processes", "1"]) == 0
    assert path.read_bytes() == before
