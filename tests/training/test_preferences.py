"""Preference optimisation against its equations in float64, and in a small training."""

import copy
import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from gpt_helpers.architecture.model import GPTLMHeadModel
from gpt_helpers.config import GPTConfig
from gpt_helpers.training.loop import train
from gpt_helpers.training.preferences import PreferenceLoss, answer_log_probability, dpo_loss
from gpt_helpers.training.settings import TrainingSettings
from tests.helpers.reference import refused

MARKER = 5
CONFIG = GPTConfig(
    7, n_positions=8, n_embd=8, n_layer=1, n_head=2, dropout=0.0, initializer_range=0.5
)
ROWS = torch.tensor([[1, 2, MARKER, 3, 4, 0], [2, MARKER, 4, 4, 1, 3]])
NATS = st.floats(-30, 0)


def fresh(dropout=0.0):
    """Return a model with the same random weights each time."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return GPTLMHeadModel(GPTConfig(**vars(CONFIG) | {"dropout": dropout}))


def by_hand(policy, reference, beta):
    """Return the mean of -ln sigmoid(beta * difference of log ratios), pair by pair."""
    losses = []
    for (chosen, rejected), (chosen_before, rejected_before) in zip(policy, reference, strict=True):
        difference = (chosen - chosen_before) - (rejected - rejected_before)
        losses.append(math.log1p(math.exp(-beta * difference)))
    return sum(losses) / len(losses)


def test_the_log_probability_of_an_answer_is_the_sum_over_its_tokens_alone():
    model = fresh()
    found = answer_log_probability(model, ROWS, MARKER)
    for row, value, begin in zip(ROWS, found, (3, 2), strict=True):
        row = row[row != 0]
        logits = model(row[None])["logits"][0].double()
        steps = [logits[at - 1].softmax(-1)[row[at]].log().item() for at in range(begin, len(row))]
        assert value.item() == pytest.approx(sum(steps), rel=1e-5)


def test_the_probabilities_of_all_answers_of_two_tokens_add_up_to_one():
    answers = torch.tensor(list(itertools.product(range(7), repeat=2)))
    some = answers[(answers != 0).all(1)]
    prompt = torch.tensor([[1, MARKER]]).expand(len(some), 2)
    model = fresh()
    with torch.no_grad():
        total = answer_log_probability(model, torch.cat([prompt, some], 1), MARKER).exp().sum()
        longer = torch.tensor([[1, MARKER, token] for token in range(7)])
        first, rest = model(longer)["logits"][:, 1:].softmax(-1).unbind(1)
    padding = first[0, 0] + first[0, 1:] @ rest[1:, 0]  # id 0 is no word, so it is left out above
    assert_close(total + padding, torch.tensor(1.0))


@given(st.lists(st.tuples(NATS, NATS, NATS, NATS), min_size=1, max_size=5), st.floats(0.01, 1))
def test_the_loss_is_that_of_equation_7_in_float64(pairs, beta):
    values = torch.tensor(pairs, dtype=torch.float64)
    policy, reference = values[:, :2], values[:, 2:]
    expected = by_hand(policy.tolist(), reference.tolist(), beta)
    assert dpo_loss(policy, reference, beta).item() == pytest.approx(expected, rel=1e-9)


@given(st.lists(st.tuples(NATS, NATS, NATS, NATS), min_size=1, max_size=5), st.floats(0.01, 1))
def test_the_gradient_weighs_a_pair_by_how_wrongly_it_is_ordered(pairs, beta):
    values = torch.tensor(pairs, dtype=torch.float64)
    policy, reference = values[:, :2].requires_grad_(), values[:, 2:]
    dpo_loss(policy, reference, beta).backward()
    reward = beta * (policy.detach() - reference)
    weight = beta / (1 + (reward[:, 0] - reward[:, 1]).exp()) / len(pairs)
    assert_close(policy.grad, torch.stack([-weight, weight], 1))


def test_the_loss_is_the_logarithm_of_2_while_the_model_is_still_the_reference():
    model, pairs = fresh(), ROWS[None]
    loss = PreferenceLoss(copy.deepcopy(model), MARKER, beta=0.3)(model, pairs)
    assert loss.item() == pytest.approx(math.log(2), rel=1e-6)


def test_the_loss_of_pairs_is_that_of_their_log_probabilities():
    model, other = fresh(), fresh()
    other.lm_head.weight.data *= 1.5
    pairs = torch.stack([ROWS, ROWS.flip(0), ROWS])  # three pairs of two rows
    loss = PreferenceLoss(other, MARKER, beta=0.7)(model, pairs)
    policy, reference = (
        [answer_log_probability(m, pair, MARKER).tolist() for pair in pairs] for m in (model, other)
    )
    assert loss.item() == pytest.approx(by_hand(policy, reference, 0.7), rel=1e-5)


def test_the_reference_stays_as_it_is_and_is_read_without_dropout():
    reference = fresh(dropout=0.5).train()
    model = fresh()
    before = {name: weight.clone() for name, weight in reference.state_dict().items()}
    loss_of = PreferenceLoss(reference, MARKER, beta=0.3)
    loss = loss_of(model, ROWS[None])
    loss.backward()
    assert loss.item() == pytest.approx(math.log(2), rel=1e-6)
    assert reference.training
    assert all(weight.grad is None for weight in reference.parameters())
    assert all(torch.equal(w, before[name]) for name, w in reference.state_dict().items())


def test_training_makes_the_preferred_answer_the_likelier_one():
    model = fresh()
    first, second = answer_log_probability(model, ROWS, MARKER).tolist()
    pairs = (ROWS if first < second else ROWS.flip(0))[None]  # the less likely is preferred
    settings = TrainingSettings(total_steps=30, max_lr=0.01, warmup_steps=0)
    log = train(model, [pairs] * 30, settings, loss_of=PreferenceLoss(fresh(), MARKER, 0.5))
    preferred, other = answer_log_probability(model, pairs[0], MARKER).tolist()
    assert preferred > other
    assert log[0]["loss"] == pytest.approx(math.log(2), rel=1e-6)
    assert log[-1]["loss"] < 0.1


@pytest.mark.parametrize("beta", [0, -0.1, float("inf"), "0.1"])
def test_a_beta_that_is_no_positive_number_is_refused(beta):
    refused("beta=", dpo_loss, torch.zeros(2, 2), torch.zeros(2, 2), beta)


@pytest.mark.parametrize("shapes", [((2, 2), (3, 2)), ((2, 3), (2, 3)), ((2,), (2,))])
def test_log_probabilities_that_are_no_pairs_are_refused(shapes):
    message = "preferred answer first" if len(shapes[0]) == 2 else r"policy has shape \(2,\)"
    refused(message, dpo_loss, *map(torch.zeros, shapes), 0.1)


def test_what_is_no_model_is_no_reference_and_a_row_without_answer_has_no_probability():
    refused("GPTLMHeadModel", PreferenceLoss, torch.nn.Linear(2, 2), MARKER, 0.1)
    refused("marker", answer_log_probability, fresh(), torch.tensor([[1, 2, 3]]), MARKER)


def test_another_padding_and_the_end_are_read_as_answers_have_them():
    model, rows = fresh(), torch.tensor([[1, MARKER, 3, 0, 0], [2, MARKER, 4, 4, 0]])
    logs = model(rows)["logits"].log_softmax(-1)
    ends = torch.stack([logs[0, 1, 3] + logs[0, 2, 0], logs[1, 1:4, :].gather(
        1, rows[1, 2:, None]).sum()])  # fmt: skip
    assert_close(answer_log_probability(model, rows, MARKER, end_is_padding=True), ends)
    without_4 = torch.stack([logs[0, 1, 3] + logs[0, 2, 0] + logs[0, 3, 0], logs[1, 3, 0]])
    assert_close(answer_log_probability(model, rows, MARKER, padding=4), without_4)
    loss = PreferenceLoss(fresh(), MARKER, 0.3, padding=4)
    assert loss(model, rows[None]).item() == pytest.approx(math.log(2), rel=1e-6)
