"""The experiments on sums give the rows that they promise, with trainings of one step."""

import functools

import pytest

from gpt_helpers.experiments import sum_chains

MEASURES = {
    "sum of 12 digits": {"answer", "follows", "ignores", "greedy", "votes", "independent votes"},
    "sums by length": {"answer"},
}


def keep_first(kept):
    """Return an after_step that keeps the first model."""
    return lambda row, model: kept.append((model, row["step"]))


def brief(experiment, run):
    """Return a variant that trains for one step on few tokens, and is tested on 3 items."""
    settings = {"n_items": 3, "n_steps": 1, "digit_tokens": 20}
    if experiment == "sum of 12 digits":
        settings |= {"n_voted": 3, "keep": keep_first}
    return functools.partial(run, **settings)


@pytest.mark.parametrize("experiment", sum_chains.EXPERIMENTS)
def test_every_variant_of_an_experiment_gives_rows_for_the_file(experiment):
    measures = set()
    for variant in sum_chains.EXPERIMENTS[experiment].values():
        for row in brief(experiment, variant)(0):
            assert set(row) == {"measure", "x", "right", "n", "steps", "tokens"}
            assert 0 <= row["right"] <= row["n"] == 3
            assert row["steps"] == 1
            measures.add(row["measure"])
    assert measures == MEASURES[experiment]
