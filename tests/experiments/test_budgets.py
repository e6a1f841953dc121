"""The runs of the sweep: budgets are spent exactly, schedules end with the run, rules are kept."""

import dataclasses

import pytest
import torch

from gpt_helpers.config import GPTConfig
from gpt_helpers.experiments import budgets
from gpt_helpers.experiments.budgets import LAYERS, PROFILES, best_rate, cost, key_of, run_on
from gpt_helpers.scaling_laws.counts import (
    count_parameters,
    flops_per_token,
    non_embedding_parameters,
)
from gpt_helpers.text.tokens import Tokens
from gpt_helpers.training.optimizers import learning_rate
from gpt_helpers.training.runs import Run
from tests.helpers.reference import refused

SHORT = Run(
    GPTConfig(50, n_positions=8, n_embd=16, n_layer=1, n_head=1, dropout=0.0),
    budgets.settings_of(6, max_lr=1e-2),
    batch_size=4,
)
IDS = torch.randint(50, (3000,), generator=torch.Generator().manual_seed(0))
TOKENS = Tokens(None, IDS, IDS[:80])


def do(run, folder=None):
    """Do a run on made-up tokens, scored on 10 windows."""
    return budgets.do(run, folder, TOKENS, n_scored=10)


def without_seconds(row):
    """Return a row without the time, which no two runs share."""
    return {name: value for name, value in row.items() if name != "seconds"}


def test_a_run_says_what_it_read_and_what_that_cost():
    row = do(SHORT)
    assert row["tokens"] == 6 * 4 * 8 == SHORT.settings.total_steps * SHORT.step_tokens
    assert row["n_params"] == count_parameters(SHORT.config)
    assert row["n_non_embedding"] == non_embedding_parameters(SHORT.config)
    assert row["flops"] == 3 * flops_per_token(SHORT.config) * row["tokens"]
    assert (row["unique_tokens"], row["epochs"]) == (3000, row["tokens"] / 3000)
    assert (row["run"], row["steps"], row["width"]) == (key_of(SHORT), 6, 16)


def test_a_run_on_a_part_of_the_corpus_says_so():
    row = do(dataclasses.replace(SHORT, n_unique=80))
    assert row["unique_tokens"] == 80
    assert row["epochs"] == 192 / 80
    assert "unique=80" in row["run"]


@dataclasses.dataclass(frozen=True)
class Stopping(Run):
    """A run that notes the steps that it reads, and stops when it first comes to step 3."""

    read: list = dataclasses.field(default_factory=list)

    def batches(self, tokens):
        """Return the batches of the run, watched."""
        return Watched(super().batches(tokens), self.read)


class Watched:
    """Batches that note which are read, and interrupt at step 3 for the first time."""

    def __init__(self, batches, read):
        """Remember both."""
        self.batches, self.read, self.tokens = batches, read, batches.tokens

    def __getitem__(self, step):
        """Return the batch of a step."""
        self.read.append(step)
        if self.read.count(3) == 1 and step == 3:
            raise KeyboardInterrupt
        return self.batches[step]


def test_a_run_that_was_stopped_goes_on_where_it_was(tmp_path):
    often = SHORT.varied({"save_every": 1})
    parts = {f.name: getattr(often, f.name) for f in dataclasses.fields(often)}
    stopping, whole = Stopping(**parts), do(often)
    with pytest.raises(KeyboardInterrupt):
        do(stopping, tmp_path / "run")
    assert without_seconds(do(stopping, tmp_path / "run")) == without_seconds(whole)
    assert stopping.read[-3:] == [3, 4, 5]
    assert stopping.read.count(2) == 1


def test_seeds_and_rates_make_other_runs():
    losses = [
        do(SHORT.varied(changes))["held_out_loss"]
        for changes in ({}, {}, {"seed": 1}, {"max_lr": 2e-2})
    ]
    assert losses[0] == losses[1]
    assert len(set(losses)) == 3


def test_the_schedule_ends_where_the_run_ends():
    settings = run_on(64, 1e12).settings
    last = learning_rate(settings.total_steps - 1, **settings.schedule_arguments)
    first = learning_rate(settings.warmup_steps - 1, **settings.schedule_arguments)
    assert (first, last) == pytest.approx((best_rate(64), 0.1 * best_rate(64)))
    assert settings.warmup_steps == round(0.1 * settings.total_steps)


@pytest.mark.parametrize("flops", PROFILES)
def test_every_run_of_a_profile_spends_its_budget(flops):
    for width in PROFILES[flops]:
        run, n_tokens = run_on(width, flops), budgets.tokens_on(width, flops)
        assert 6 * count_parameters(run.config) * n_tokens == pytest.approx(flops, rel=1e-4)
        assert run.settings.total_steps * run.step_tokens == pytest.approx(n_tokens, rel=2e-3)
        assert cost(run) == pytest.approx(flops, rel=2e-3)


def test_weights_start_at_the_scale_of_gpt2_for_their_width():
    scales = {width: budgets.config_of_width(width).initializer_range for width in LAYERS}
    assert scales[192] == pytest.approx(0.04)
    assert scales[48] == pytest.approx(2 * scales[192])


def n_tokens_of(run):
    """Return how many tokens a run reads."""
    return run.settings.total_steps * run.step_tokens


def test_the_profiles_span_two_orders_of_magnitude_in_size_and_in_tokens():
    runs = [one.run for one in budgets.profiles() if one.purpose == "profile"]
    sizes = [non_embedding_parameters(run.config) for run in runs]
    tokens = [n_tokens_of(run) for run in runs]
    assert len(runs) >= 30
    assert max(sizes) > 100 * min(sizes)
    assert max(tokens) > 100 * min(tokens)
    assert len(PROFILES) >= 4
    assert {run.settings.seed for run in runs if cost(run) < 2e11} == {0, 1}


def test_all_runs_differ_and_cheap_ones_come_first():
    runs = [one.run for one in (*budgets.pilots(), *budgets.profiles())]
    assert len({key_of(run) for run in runs}) == len(runs)
    costs = [cost(one.run) for one in budgets.profiles()]
    assert costs == sorted(costs)


def test_repeated_runs_read_a_part_of_the_corpus_whole_times_over():
    repeated = [run for purpose, run in budgets.profiles() if purpose == "repeated"]
    epochs = [n_tokens_of(run) / run.n_unique for run in repeated if run.n_unique]
    assert epochs == list(budgets.REPEATED_EPOCHS)
    whole = [n_tokens_of(run) for run in repeated]
    assert sum(whole.count(n * budgets.N_UNIQUE) == 2 for n in budgets.WHOLE_EPOCHS) == 2
    assert {run.settings.max_lr for run in repeated} == {best_rate(budgets.REPEATED_WIDTH)}


def test_widths_that_the_sweep_has_not_and_runs_without_tokens_are_refused():
    refused("width=100 is unknown", run_on, 100, 1e12)
    refused("no tokens are given, and vocab_size=50", budgets.do, SHORT)
