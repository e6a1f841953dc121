"""How the forming of heads is watched, with trainings of a few steps."""

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
from gpt_helpers.experiments import applications, induction
from gpt_helpers.text.batches import Batches

MEASURES = {"held_out_loss", "induction_score", "previous_score", "gain"}


@pytest.fixture
def every_second_step(monkeypatch):
    """Look at the model in every second step."""
    monkeypatch.setattr(induction, "LOOK_EVERY", 2)


def test_a_run_is_watched_on_the_schedule_of_the_whole(every_second_step):
    rows = induction.watched(1, seed=0, stop_after=4)
    assert [(row["step"], row["tokens"]) for row in rows] == [(2, 1024), (4, 2048)]
    assert all(row.keys() == {"step", "tokens"} | MEASURES for row in rows)
    assert rows[:1] == induction.watched(1, seed=0, stop_after=2)
    assert rows[0] != induction.watched(1, seed=1, stop_after=2)[0]
    assert rows[0] != induction.watched(2, seed=0, stop_after=2)[0]


def test_seeds_differ_in_their_first_weights_too(every_second_step, monkeypatch):
    batches = Batches
    monkeypatch.setattr(induction, "Batches", lambda *given: batches(*given[:-1], 0))
    one, other = (induction.watched(1, seed, stop_after=2) for seed in (0, 1))
    assert one != other


def test_what_is_seen_are_the_highest_scores_and_the_gain_of_the_second_reading():
    model = GPTLMHeadModel(GPTConfig(30, n_positions=20, n_embd=8, n_layer=2, n_head=2)).eval()
    ids, found = repeated(30, 10, 3), []
    induction.look(found, ids, {"step": 1, "tokens": 512, "loss": 3.0}, model)
    assert found == []
    induction.look(found, ids, {"step": 2, "tokens": 1024, "held_out_loss": 3.5}, model)
    first, second = repetition_losses(model, ids)
    assert found == [{
        "step": 2, "tokens": 1024, "held_out_loss": 3.5, "gain": first - second,
        "induction_score": induction_scores(model, ids).max().item(),
        "previous_score": previous_scores(model, ids).max().item(),
    }]  # fmt: skip


def test_each_measure_of_each_step_has_a_row(monkeypatch):
    seen = [{"step": 500, "tokens": 256_000, "gain": 0.5, "held_out_loss": 4.0}]
    monkeypatch.setattr(induction, "watched", lambda n_layer, seed: seen)
    gain, loss = induction.EXPERIMENTS["formation"]["4 layers"](0)
    assert gain == {"measure": "gain", "x": 500, "value": 0.5, "steps": 500, "tokens": 256_000}
    assert (loss["measure"], loss["value"]) == ("held_out_loss", 4.0)


def last(measure, variant):
    """Return what was measured at the end of each recorded run."""
    by_step = applications.values("formation", measure)[variant]
    return by_step[max(by_step)]


def test_the_record_shows_heads_that_look_back_in_several_layers_and_none_in_one():
    for measure in ("induction_score", "gain"):
        assert min(last(measure, "4 layers")) > 5 * max(last(measure, "1 layer"))
    assert torch.tensor(last("previous_score", "1 layer")).min() > 0.1
