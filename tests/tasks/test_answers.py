"""Prompts and answers in rows: what is padding, and which tokens the loss counts."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from gpt_helpers.architecture.inputs import IGNORED
from gpt_helpers.architecture.model import GPTLMHeadModel
from gpt_helpers.config import GPTConfig
from gpt_helpers.tasks.answers import (
    answer_labels,
    answer_loss,
    padded,
    text_labels,
    text_loss,
    token_after,
)
from gpt_helpers.training.loop import train
from gpt_helpers.training.settings import TrainingSettings
from tests.helpers.reference import refused

MARKER = 5


@given(st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=6), min_size=1, max_size=5))
def test_padding_stands_on_the_side_that_was_asked_for(rows):
    tensors = [torch.tensor(row) for row in rows]
    longest = max(map(len, rows))
    right = [row + [0] * (longest - len(row)) for row in rows]
    left = [[0] * (longest - len(row)) + row for row in rows]
    assert padded(tensors).tolist() == right
    assert padded(tensors, side="left").tolist() == left


def test_no_rows_or_another_side_are_refused():
    refused("0 rows", padded, [])
    refused("top", padded, [torch.tensor([1])], side="top")


def test_labels_are_the_ids_after_the_marker_without_padding():
    ids = torch.tensor([[1, MARKER, 2, 3, 0], [4, 4, MARKER, MARKER, 6]])
    assert answer_labels(ids, MARKER).tolist() == [
        [IGNORED, IGNORED, 2, 3, IGNORED],
        [IGNORED, IGNORED, IGNORED, MARKER, 6],
    ]


def test_a_row_without_an_answer_is_refused():
    refused(r"\[1\]", answer_labels, torch.tensor([[MARKER, 1], [2, 3]]), MARKER)


@pytest.fixture
def model():
    torch.manual_seed(0)
    return GPTLMHeadModel(GPTConfig(9, n_positions=8, n_embd=8, n_layer=1, n_head=2, dropout=0.0))


def test_the_loss_on_answers_is_the_mean_over_the_tokens_of_answers(model):
    ids = torch.tensor([[1, MARKER, 2, 3, 0], [4, 4, 1, MARKER, 6]])
    logs = F.log_softmax(model(ids)["logits"], -1)
    expected = -(logs[0, 1, 2] + logs[0, 2, 3] + logs[1, 3, 6]) / 3
    torch.testing.assert_close(answer_loss(MARKER)(model, ids), expected)


def test_the_loss_on_text_leaves_padding_out(model):
    ids = torch.tensor([[1, MARKER, 2, 0], [4, 4, 1, 7]])
    logs = F.log_softmax(model(ids)["logits"], -1)
    expected = (
        -(logs[0, 0, MARKER] + logs[0, 1, 2] + logs[1, 0, 4] + logs[1, 1, 1] + logs[1, 2, 7]) / 5
    )
    torch.testing.assert_close(text_loss(model, ids), expected)


@given(st.lists(st.lists(st.integers(3, 6), min_size=4, max_size=4), min_size=1, max_size=6))
def test_the_token_after_the_first_marker_is_found_and_0_where_there_is_none(rows):
    expected = []
    for row in rows:
        at = row.index(MARKER) + 1 if MARKER in row else len(row)
        expected.append(row[at] if at < len(row) else 0)
    assert token_after(MARKER, torch.tensor(rows)).tolist() == expected


def test_of_padding_that_also_ends_a_text_the_first_is_learned():
    ids = torch.tensor([[1, MARKER, 2, 0, 0], [4, MARKER, 0, 0, 0], [1, MARKER, 2, 3, 4]])
    assert answer_labels(ids, MARKER, end_is_padding=True).tolist() == [
        [IGNORED, IGNORED, 2, 0, IGNORED],
        [IGNORED, IGNORED, 0, IGNORED, IGNORED],
        [IGNORED, IGNORED, 2, 3, 4],
    ]
    row = torch.tensor([[7, 0, 2, 0, 0]])  # two texts
    assert text_labels(row, end_is_padding=True).tolist() == [[7, 0, 2, 0, IGNORED]]
    assert text_labels(row, padding=2).tolist() == [[7, 0, IGNORED, 0, 0]]
    assert answer_loss(MARKER, end_is_padding=True).count(ids).item() == 2 + 1 + 3
    assert answer_loss(MARKER, padding=4).count(ids).item() == 3 + 3 + 2


def test_a_model_whose_padding_is_the_end_learns_to_end(model):
    ids = torch.tensor([[1, MARKER, 2, 3, 0, 0, 0], [4, MARKER, 6, 0, 0, 0, 0]])
    settings = TrainingSettings(total_steps=60, max_lr=1e-2, warmup_steps=0)
    train(model, [ids] * 60, settings, loss_of=answer_loss(MARKER, end_is_padding=True))
    found = [model.generate(row[None, :2], 3, temperature=0)[0, 2:].tolist() for row in ids]
    assert found[0] == [2, 3, 0]
    assert found[1][:2] == [6, 0]
