"""Several answers to one question, and the one that most of them give."""

from collections import Counter

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gpt_helpers.config import GPTConfig
from gpt_helpers.experiments.voting import (
    exchanged_errors,
    keep_halfway,
    majority,
    sampled_answers,
)
from gpt_helpers.tasks import sums
from gpt_helpers.variants.modern import ModernLMHeadModel
from tests.helpers.reference import refused
from tests.helpers.writers import ignoring_its_steps, reading_its_steps, sum_writer

ANSWERS = arrays(
    np.int64, st.tuples(st.integers(1, 6), st.integers(1, 9)), elements=st.integers(-1, 9)
).map(torch.from_numpy)


@given(ANSWERS)
def test_the_majority_is_the_answer_given_most_often_and_the_smallest_of_those(answers):
    for row, voted in zip(answers.tolist(), majority(answers).tolist(), strict=True):
        votes = Counter(answer for answer in row if answer >= 0)
        most = max(votes.values(), default=0)
        assert voted == min((a for a, n in votes.items() if n == most), default=-1)


def test_what_is_no_answer_has_no_vote():
    assert majority(torch.tensor([[-1, -1, 7], [-1, -1, -1], [4, 4, -1]])).tolist() == [7, -1, 4]
    assert majority(torch.tensor([[-1]])).tolist() == [-1]


def test_one_vote_decides_alone():
    answers = torch.arange(10)[:, None]
    assert torch.equal(majority(answers), answers[:, 0])


@given(ANSWERS, st.data())
def test_the_order_of_votes_does_not_matter(answers, data):
    order = data.draw(st.permutations(range(answers.shape[1])))
    assert torch.equal(majority(answers[:, list(order)]), majority(answers))


@given(ANSWERS, st.data())
def test_exchanging_errors_keeps_how_often_each_is_made(answers, data):
    right = torch.tensor([data.draw(st.integers(0, 9)) for _ in answers])
    exchanged = exchanged_errors(answers, right)

    def errors(rows):
        return Counter(
            None if answer < 0 else (answer - r) % 10
            for row, r in zip(rows.tolist(), right.tolist(), strict=True)
            for answer in row
        )

    assert exchanged.shape == answers.shape
    assert errors(exchanged) == errors(answers)


def test_exchanged_errors_tell_nothing_of_the_next_vote():
    right = torch.arange(3000) % 10
    hard = (torch.arange(3000) < 1000)[:, None].expand(-1, 11)
    answers = (right[:, None] + hard) % 10
    assert (majority(answers) == right).sum() == 2000
    exchanged = exchanged_errors(answers, right)
    assert abs((exchanged[:1000] != right[:1000, None]).double().mean() - 1 / 3) < 0.02
    assert (majority(exchanged) == right).double().mean() > 0.85


def test_samples_of_one_sum_stand_in_one_row_and_depend_on_the_seed():
    torch.manual_seed(0)
    config = GPTConfig(len(sums.SUM_WORDS), 32, n_embd=16, n_layer=1, n_head=2, dropout=0.0)
    model = ModernLMHeadModel(config)
    torch.nn.init.normal_(model.lm_head.weight, std=0.5)
    items = sums.draw_digits(3, np.random.default_rng(0), 5)
    first, again, other = (sampled_answers(model, items, 40, seed) for seed in (0, 0, 1))
    assert first.shape == (5, 40)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_each_sum_gets_its_own_samples():
    class Echo(torch.nn.Module):
        config = GPTConfig(len(sums.SUM_WORDS))

        def generate(self, prompts, n_tokens, temperature, generator):
            equals = torch.full_like(prompts[:, :1], sums.EQUALS)
            return torch.cat([prompts, equals, prompts[:, :1]], 1)

    items = np.array([[3, 0], [8, 1]])
    assert sampled_answers(Echo(), items, 3).tolist() == [[3, 3, 3], [8, 8, 8]]


def test_no_votes_are_refused():
    refused("(2, 0)", majority, torch.zeros(2, 0, dtype=torch.long))
    refused("(3,)", majority, torch.zeros(3, dtype=torch.long))
    refused("n_samples=0", sampled_answers, None, np.array([[1, 2]]), 0)


def test_the_first_model_with_half_of_its_samples_right_is_kept_as_it_was():
    kept, model = [], sum_writer(lambda words: ["="])
    after_step = keep_halfway(kept)
    after_step({"step": 4}, model)
    assert kept == []
    model.continued = reading_its_steps
    after_step({"step": 5}, model)
    assert kept == []
    after_step({"step": 8}, model)
    model.continued = ignoring_its_steps
    after_step({"step": 12}, model)
    [(first, step)] = kept
    assert (first.continued, step) == (reading_its_steps, 8)
