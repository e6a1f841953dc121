"""Only the largest run copies from its window: measured after its training, and recorded."""

import pytest
import torch

from gpt_helpers.config import GPTConfig
from gpt_helpers.experiments import budgets, copying, prediction
from gpt_helpers.experiments.copying import recorded_copying
from gpt_helpers.experiments.prediction import outcome
from gpt_helpers.experiments.sweep import place_of, recorded_runs
from gpt_helpers.text.tokens import Tokens
from gpt_helpers.training.runs import Run
from tests.helpers.reference import random_ids


def test_a_token_ends_a_seen_pair_if_it_and_the_one_before_it_stood_together_before():
    windows = torch.tensor([[1, 2, 3, 1, 2, 1, 2], [5, 5, 5, 5, 4, 5, 4], [2, 1, 3, 2, 3, 1, 2]])
    assert copying.seen_pairs(windows).int().tolist() == [
        [0, 0, 0, 1, 0, 1],
        [0, 1, 1, 0, 0, 1],
        [0, 0, 0, 0, 0, 0],
    ]


SHORT = Run(
    GPTConfig(1024, n_positions=128, n_embd=16, n_layer=1, n_head=1, dropout=0.0),
    budgets.settings_of(3, max_lr=1e-3),
    batch_size=4,
)
TOKENS = Tokens(None, random_ids(1, 9000, 1024)[0], random_ids(1, 32 * 128, 9)[0])


def test_copying_is_measured_on_a_run_that_goes_on_from_its_checkpoint(tmp_path):
    row = budgets.do(SHORT, place_of(SHORT, tmp_path), TOKENS, n_scored=32)
    copied = copying.copying(SHORT, tmp_path, TOKENS, n_scored=32, n_repeated=32)
    share = copied["pair_share"]
    assert 0 < share < 1
    loss = share * copied["pair_loss"] + (1 - share) * copied["other_loss"]
    assert loss == pytest.approx(row["held_out_loss"], rel=1e-5)
    assert copied["second_loss"] == pytest.approx(copied["first_loss"], abs=0.05)  # knows nothing
    assert set(copied) == {"run", *copying.COPYING_NUMBERS}
    assert budgets.do(SHORT, place_of(SHORT, tmp_path), TOKENS, n_scored=32) == row  # not again


def test_the_command_writes_what_the_runs_copy(tmp_path):
    path, before = tmp_path / "copying.csv", copying.COPYING.read_bytes()
    numbers = dict.fromkeys(copying.COPYING_NUMBERS, 1.0)
    arguments = ["--copying", str(tmp_path), "--csv", str(path)]
    measured = {"measured": lambda run, folder: {"run": budgets.key_of(run), **numbers}}
    assert prediction.main(arguments, **measured) == 0
    runs = [budgets.key_of(run) for run in copying.copying_runs()]
    assert [row["run"] for row in recorded_copying(path)] == runs
    assert copying.COPYING.read_bytes() == before


def test_the_losses_of_copied_and_of_other_tokens_make_up_the_recorded_loss():
    recorded = {row["run"]: row for row in recorded_runs()}
    rows = recorded_copying()
    assert [row["run"] for row in rows] == [budgets.key_of(run) for run in copying.copying_runs()]
    for row in rows:
        share, run = row["pair_share"], recorded[row["run"]]
        loss = share * row["pair_loss"] + (1 - share) * row["other_loss"]
        assert loss == pytest.approx(run["held_out_loss"], rel=1e-5)
        assert (row["width"], row["tokens"]) == (run["width"], run["tokens"])


def test_only_the_largest_run_copies_and_that_accounts_for_what_was_not_predicted():
    *_, before, after = recorded_copying()
    fall = {name: before[name] - after[name] for name in ("pair_loss", "other_loss")}
    assert fall["pair_loss"] > 2.5 * fall["other_loss"]
    share, result = after["pair_share"], outcome()
    as_others = result["measured"] + share * (fall["pair_loss"] - fall["other_loss"])
    assert result["low"] < as_others < result["high"]
    gains = [row["first_loss"] - row["second_loss"] for row in recorded_copying()]
    assert gains[-1] > 1 > 0.3 > max(gains[:-1])
