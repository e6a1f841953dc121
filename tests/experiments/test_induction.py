"""How the forming of heads is watched, with trainings of a few steps."""

import functools

import pytest
import torch

from gpt_helpers.architecture.heads import (
    induction_scores,
    previous_scores,
    repeated,
    repetition_losses,
)
from gpt_helpers.architecture.model import GPTLMHeadModel
from gpt_helpers.config import GPTConfig
from gpt_helpers.experiments import applications, induction, sweep
from gpt_helpers.text.tokens import Tokens
from gpt_helpers.training.runs import Run
from gpt_helpers.training.settings import TrainingSettings
from tests.helpers.reference import random_ids

MEASURES = {"held_out_loss", "induction_score", "previous_score", "gain"}
NARROW = Run(
    GPTConfig(31, n_positions=16, n_embd=8, n_layer=4, n_head=2, dropout=0.0),
    TrainingSettings(total_steps=100, max_lr=1e-2, warmup_steps=10),
    batch_size=2,
)
SETTINGS = {
    "run": NARROW,
    "tokens": Tokens(None, random_ids(1, 4000, 31)[0], random_ids(1, 64 * 16, 31)[0]),
    "ids": repeated(31, 8, 3, torch.Generator().manual_seed(0)),
    "every": 2,
}
watched = functools.partial(induction.watched, **SETTINGS)


def test_a_run_is_watched_on_the_schedule_of_the_whole():
    rows = watched(1, seed=0, stop_after=4)
    assert [(row["step"], row["tokens"]) for row in rows] == [(2, 64), (4, 128)]
    assert all(row.keys() == {"step", "tokens"} | MEASURES for row in rows)
    assert rows[:1] == watched(1, seed=0, stop_after=2)
    assert rows[0] != watched(1, seed=1, stop_after=2)[0]
    assert rows[0] != watched(2, seed=0, stop_after=2)[0]


def test_the_largest_run_is_watched_with_its_own_layers_or_with_one():
    ((_, largest),) = sweep.largest()
    run = induction.watched_run(4, 0, None, largest, 500)
    assert run.changes_from(largest) == "evaluate_every=500"
    one = induction.watched_run(1, 2, 500, largest, 500)
    assert one.settings.seed == 2
    changes = "total_steps=500 schedule_steps=17300 evaluate_every=500 n_layer=1"
    assert one.changes_from(largest) == changes


@pytest.mark.parametrize("seed", [0, 1])
def test_seeds_differ_in_their_first_weights_too(seed):
    run = NARROW.varied({"max_lr": 1e-30, "min_lr": 0.0, "weight_decay": 0.0})
    one, other = (watched(1, s, stop_after=2, run=run)[0] for s in (seed, seed + 1))
    assert one["held_out_loss"] != other["held_out_loss"]  # no step changed the weights


def test_what_is_seen_are_the_highest_scores_and_the_gain_of_the_second_reading():
    model = GPTLMHeadModel(GPTConfig(30, n_positions=20, n_embd=8, n_layer=2, n_head=2)).eval()
    ids, rows = repeated(30, 10, 3), []
    induction.look(rows, ids, {"step": 1, "tokens": 512, "loss": 3.0}, model)
    assert rows == []
    induction.look(rows, ids, {"step": 2, "tokens": 1024, "held_out_loss": 3.5}, model)
    first, second = repetition_losses(model, ids)
    assert rows == [{
        "step": 2, "tokens": 1024, "held_out_loss": 3.5, "gain": first - second,
        "induction_score": induction_scores(model, ids).max().item(),
        "previous_score": previous_scores(model, ids).max().item(),
    }]  # fmt: skip


def test_each_measure_of_each_step_has_a_row():
    rows = induction.EXPERIMENTS["formation"]["4 layers"](0, stop_after=4, **SETTINGS)
    seen = watched(4, 0, stop_after=4)
    assert [(row["measure"], row["x"]) for row in rows] == [
        (name, row["step"]) for row in seen for name in row if name in MEASURES
    ]
    for row in rows:
        (step,) = [one for one in seen if one["step"] == row["x"]]
        assert row["value"] == step[row["measure"]]
        assert (row["steps"], row["tokens"]) == (step["step"], step["tokens"])


def test_rows_of_removal_hold_all_heads_and_both_halves_intact_alike():
    results = {}
    for row in induction.induction_rows(0, n_most=1, n_windows=2):
        results.setdefault(row["measure"], {})[row["x"]] = row["value"]
    assert len(results["score"]) == 20
    for half in ("first half", "second half"):
        names = [f"{half}, without {name}" for name in ("highest scores", "others")]
        assert len({results[name][0] for name in names}) == 1
    second = "second half, without highest scores"
    assert results[second][1] > results[second][0]


def last(measure, variant):
    """Return what was measured at the end of each recorded run."""
    by_step = applications.values("formation", measure)[variant]
    return by_step[max(by_step)]


def test_the_record_shows_heads_that_look_back_in_several_layers_and_none_in_one():
    for measure in ("induction_score", "gain"):
        assert min(last(measure, "4 layers")) > 5 * max(last(measure, "1 layer"))
    assert torch.tensor(last("previous_score", "1 layer")).min() > 0.1
