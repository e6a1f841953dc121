"""The runs of the sweep: budgets are spent exactly, schedules end with the run, rules are kept."""

import dataclasses

import pytest
import torch

from gpt_helpers.config import GPTConfig
from gpt_helpers.experiments import budgets, small_run
from gpt_helpers.experiments.budgets import LAYERS, PROFILES, Run, best_rate, do, run_on
from gpt_helpers.scaling_laws.counts import (
    count_parameters,
    flops_per_token,
    non_embedding_parameters,
)
from gpt_helpers.text.batches import Batches
from gpt_helpers.training.optimizers import learning_rate

SHORT = Run("profile", 16, n_tokens=4 * 8 * 6, max_lr=1e-2)


@pytest.fixture
def tiny(monkeypatch):
    """Make the corpus and its windows tiny."""
    tokens = torch.randint(50, (3000,), generator=torch.Generator().manual_seed(0))
    monkeypatch.setattr(budgets, "CONFIG", GPTConfig(50, n_positions=8, n_embd=16, n_head=1))
    monkeypatch.setattr(budgets, "tokens_of_corpus", lambda n: (tokens, tokens[:80].view(10, 8)))


def without_seconds(row):
    """Return a row without the time, which no two runs share."""
    return {name: value for name, value in row.items() if name != "seconds"}


def test_a_run_says_what_it_read_and_what_that_cost(tiny):
    row = do(SHORT)
    assert row["tokens"] == 6 * 4 * 8 == SHORT.n_tokens
    assert row["n_params"] == count_parameters(SHORT.config)
    assert row["n_non_embedding"] == non_embedding_parameters(SHORT.config)
    assert row["flops"] == 3 * flops_per_token(SHORT.config) * row["tokens"]
    assert (row["unique_tokens"], row["epochs"]) == (3000, row["tokens"] / 3000)
    assert (row["run"], row["purpose"], row["steps"]) == (SHORT.key, "profile", 6)


def test_a_run_on_a_part_of_the_corpus_reads_only_that_part(tiny, monkeypatch):
    read = set()

    class Recorded(Batches):
        def __getitem__(self, step):
            batch = super().__getitem__(step)
            read.update(batch.flatten().tolist())
            return batch

    tokens = torch.arange(3000)
    monkeypatch.setattr(budgets, "Batches", Recorded)
    monkeypatch.setattr(budgets, "CONFIG", GPTConfig(3000, n_positions=8, n_embd=16, n_head=1))
    monkeypatch.setattr(budgets, "tokens_of_corpus", lambda n: (tokens, tokens[:80].view(10, 8)))
    row = do(dataclasses.replace(SHORT, n_unique=80))
    assert row["unique_tokens"] == 80
    assert row["epochs"] == 192 / 80
    windows = {token // 8 for token in read}
    assert len(windows) <= 10
    assert max(windows) > 300  # from all over the corpus


def test_a_run_that_was_stopped_goes_on_where_it_was(tiny, tmp_path, monkeypatch):
    often = dataclasses.replace(SHORT.settings, save_every=1)
    monkeypatch.setattr(Run, "settings", often)
    whole, read = do(SHORT), []

    class Stopping(Batches):
        def __getitem__(self, step):
            read.append(step)
            if read.count(3) == 1 and step == 3:
                raise KeyboardInterrupt
            return super().__getitem__(step)

    monkeypatch.setattr(budgets, "Batches", Stopping)
    with pytest.raises(KeyboardInterrupt):
        do(SHORT, tmp_path / "run")
    assert without_seconds(do(SHORT, tmp_path / "run")) == without_seconds(whole)
    assert read[-3:] == [3, 4, 5]
    assert read.count(2) == 1


def test_seeds_and_rates_make_other_runs_and_nothing_else_does(tiny):
    losses = [
        do(dataclasses.replace(SHORT, **changes))["held_out_loss"]
        for changes in ({}, {}, {"seed": 1}, {"max_lr": 2e-2}, {"purpose": "pilot"})
    ]
    assert losses[0] == losses[1] == losses[4]
    assert len(set(losses)) == 3


def test_the_schedule_ends_where_the_run_ends():
    settings = run_on("profile", 64, 1e12).settings
    last = learning_rate(settings.total_steps - 1, **settings.schedule_arguments)
    first = learning_rate(settings.warmup_steps - 1, **settings.schedule_arguments)
    assert (first, last) == pytest.approx((best_rate(64), 0.1 * best_rate(64)))
    assert settings.warmup_steps == round(0.1 * settings.total_steps)


@pytest.mark.parametrize("flops", PROFILES)
def test_every_run_of_a_profile_spends_its_budget(flops):
    for width in PROFILES[flops]:
        run = run_on("profile", width, flops)
        assert run.cost == pytest.approx(flops, rel=1e-4)
        n_read = run.n_steps * budgets.WINDOWS_PER_STEP * small_run.CONFIG.n_positions
        assert n_read == pytest.approx(run.n_tokens, rel=2e-3)


def test_weights_start_at_the_scale_of_gpt2_for_their_width():
    scales = {width: run_on("profile", width, 1e12).config.initializer_range for width in LAYERS}
    assert scales[192] == pytest.approx(0.04)
    assert scales[48] == pytest.approx(2 * scales[192])


def test_the_profiles_span_two_orders_of_magnitude_in_size_and_in_tokens():
    runs = [run for run in budgets.profiles() if run.purpose == "profile"]
    sizes = [non_embedding_parameters(run.config) for run in runs]
    tokens = [run.n_tokens for run in runs]
    assert len(runs) >= 30
    assert max(sizes) > 100 * min(sizes)
    assert max(tokens) > 100 * min(tokens)
    assert len(PROFILES) >= 4
    assert {run.seed for run in runs if run.cost < 2e11} == {0, 1}


def test_all_runs_differ_and_cheap_ones_come_first():
    runs = [*budgets.pilots(), *budgets.profiles()]
    assert len({run.key for run in runs}) == len(runs)
    costs = [run.cost for run in budgets.profiles()]
    assert costs == sorted(costs)


def test_repeated_runs_read_a_part_of_the_corpus_whole_times_over():
    epochs = [run.n_tokens / run.n_unique for run in budgets.profiles() if run.n_unique]
    assert epochs == list(budgets.REPEATED_EPOCHS)
    whole = [run.n_tokens for run in budgets.profiles() if run.purpose == "repeated"]
    assert sum(whole.count(n * budgets.N_UNIQUE) == 2 for n in budgets.WHOLE_EPOCHS) == 2


def test_the_seed_draws_the_weights_and_the_batches(tiny, monkeypatch):
    drawn = []

    def untrained(model, batches, settings, **options):
        drawn.append((model.transformer.wte.weight.sum().item(), batches.seed, settings.seed))
        return [{"tokens": 1, "loss": 1.0, "held_out_loss": 1.0, "seconds": 1.0}]

    monkeypatch.setattr(budgets, "train", untrained)
    for seed in (0, 1):
        do(dataclasses.replace(SHORT, seed=seed))
    (first, *seeds), (second, *others) = drawn
    assert first != second
    assert (seeds, others) == ([0, 0], [1, 1])
