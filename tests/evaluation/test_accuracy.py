"""Intervals against scipy and by counting how often they hold; answers against their texts."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from gpt_helpers.architecture.model import GPTLMHeadModel
from gpt_helpers.config import GPTConfig
from gpt_helpers.evaluation.accuracy import Score, exactly, pooled, wilson, written
from tests.helpers.reference import refused

COUNTS = st.integers(1, 3000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@given(COUNTS)
def test_the_wilson_interval_is_that_of_scipy(counts):
    right, n = counts
    expected = stats.binomtest(right, n).proportion_ci(0.95, method="wilson")
    assert wilson(right, n) == pytest.approx(tuple(expected), abs=1e-12)


@given(COUNTS)
def test_an_interval_lies_within_0_and_1_and_holds_the_share(counts):
    score = Score(*counts)
    low, high = score.interval
    assert 0 <= low <= score.share <= high <= 1
    assert low < high


def test_seeds_are_pooled_and_the_interval_spans_those_of_all():
    seeds = [Score(50, 100), Score(70, 100), Score(60, 100)]
    share, low, high = pooled(seeds)
    assert share == 0.6
    assert (low, high) == (seeds[0].interval[0], seeds[1].interval[1])
    assert pooled(seeds[:1]) == (0.5, *seeds[0].interval)


@pytest.mark.parametrize("share", [0.02, 0.1, 0.5, 0.99])
def test_about_95_of_100_intervals_hold_the_true_share(share):
    drawn = np.random.default_rng(0).binomial(1000, share, 4000)
    bounds = [wilson(int(right), 1000) for right in drawn]
    held = np.mean([low <= share <= high for low, high in bounds])
    assert 0.93 < held < 0.97


def test_four_times_the_items_give_half_the_interval():
    widths = [np.ptp(wilson(n // 2, n)) for n in (1000, 4000)]
    assert widths[0] / widths[1] == pytest.approx(2, rel=0.01)


def test_scores_of_several_seeds_add_up():
    assert Score(3, 10) + Score(5, 10) == Score(8, 20)


@pytest.mark.parametrize(("right", "n"), [(-1, 10), (11, 10), (0, 0), (1.0, 2), (True, 2)])
def test_impossible_counts_are_refused(right, n):
    with pytest.raises(ValueError, match="must be"):
        Score(right, n)


def test_counts_of_numpy_are_counts():
    right = (np.arange(10) < 7).sum()
    assert wilson(right, np.int64(10)) == wilson(7, 10)
    assert [type(count) for count in (Score(right, 10).right, Score(7, right).n)] == [int, int]


def test_a_row_counts_if_all_of_it_is_right():
    wanted = torch.tensor([[1, 2], [3, 4], [5, 0]])
    found = torch.tensor([[1, 2], [3, 9], [5, 7]])
    assert exactly(found, wanted) == Score(1, 3)
    assert exactly(found, wanted, ignored=0) == Score(2, 3)
    assert exactly(wanted, wanted) == Score(3, 3)


def test_only_what_is_wanted_can_be_ignored_not_what_was_found():
    assert exactly(torch.tensor([[0]]), torch.tensor([[3]]), ignored=0) == Score(0, 1)


def test_answers_of_another_shape_are_refused():
    refused(r"\(2, 3\)", exactly, torch.ones(2, 3).long(), torch.ones(2, 2).long())
    refused(r"\(2,\)", exactly, torch.ones(2).long(), torch.ones(2).long())


def test_what_is_written_is_what_follows_the_prompt():
    torch.manual_seed(0)
    model = GPTLMHeadModel(GPTConfig(9, n_positions=8, n_embd=8, n_layer=1, n_head=2))
    prompts = torch.randint(9, (3, 4), generator=torch.Generator().manual_seed(0))
    whole = model.generate(prompts, 3, temperature=0)
    assert torch.equal(written(model, prompts, 3), whole[:, 4:])
    drawn = [
        written(model, prompts, 3, temperature=1.0, generator=torch.Generator().manual_seed(s))
        for s in (1, 1, 2)
    ]
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])
