"""Losses in nats per token, per document and in bits per byte, against sums by hand."""

import math
import re

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models
from torch import nn

from gpt_helpers.architecture.model import next_token_loss
from gpt_helpers.evaluation.losses import (
    bits_per_byte,
    document_bits_per_byte,
    document_nats,
    evaluate,
    exact_match,
)
from gpt_helpers.text.batches import fixed_windows
from gpt_helpers.text.corpus import Document
from tests.helpers.reference import random_ids, refused
from tests.helpers.runs import TOKENS, tiny_model

WINDOWS = fixed_windows(TOKENS, 9, 21)


@pytest.mark.parametrize("batch_size", [1, 4, 16, 21, 50])
@pytest.mark.parametrize("kind", ["gpt", "modern"])
def test_the_score_is_the_mean_loss_of_all_windows(kind, batch_size):
    model = tiny_model(kind)
    logits = model(WINDOWS)["logits"]
    expected = next_token_loss(logits, WINDOWS).item()
    assert evaluate(model, WINDOWS, batch_size) == pytest.approx(expected, abs=1e-5)
    one_by_one = [model(row[None], labels=row[None])["loss"].item() for row in WINDOWS]
    assert evaluate(model, WINDOWS, batch_size) == pytest.approx(sum(one_by_one) / 21, abs=1e-5)


def test_scoring_turns_dropout_off_keeps_no_graph_and_leaves_the_mode():
    model = tiny_model(dropout=0.5).train()
    model.transformer.h[0].eval()
    modes = [module.training for module in model.modules()]
    seen = []
    model.register_forward_hook(lambda m, i, output: seen.append(output["logits"].requires_grad))
    assert evaluate(model, WINDOWS) == evaluate(model, WINDOWS)
    assert document_nats(model, TOKENS[:20], 8, 4) == document_nats(model, TOKENS[:20], 8, 4)
    assert [module.training for module in model.modules()] == modes
    assert seen
    assert not any(seen)


@pytest.mark.parametrize(
    ("windows", "message"),
    [
        (None, "windows is a NoneType; make it a tensor"),
        ([[1, 2]], "windows is a list"),
        (TOKENS, r"windows has shape \(600,\); it must be \(N, T\)"),
        (TOKENS[None, :1], r"windows has shape \(1, 1\); .* with T from 2 to 12"),
        (WINDOWS[:0], r"windows has shape \(0, 9\)"),
    ],
)
def test_windows_that_cannot_be_scored_are_refused(windows, message):
    refused(message, evaluate, tiny_model(), windows)
    refused("batch_size=0 must be a positive integer", evaluate, tiny_model(), WINDOWS, 0)


def test_bits_per_byte_by_hand():
    assert bits_per_byte(math.log(256), 1) == pytest.approx(8)
    assert bits_per_byte(3 * math.log(2), 4) == pytest.approx(0.75)
    assert bits_per_byte(0, 2.5) == 0
    refused("nats_per_token=-1 must be a finite number >= 0", bits_per_byte, -1, 1)
    refused("bytes_per_token=0 must be a finite number > 0", bits_per_byte, 1, 0)


@pytest.mark.parametrize("kind", ["gpt", "modern"])
@pytest.mark.parametrize("length", [2, 3, 11, 12])
def test_a_document_within_the_context_costs_its_loss_times_its_tokens(kind, length):
    model, ids = tiny_model(kind), TOKENS[:length]
    loss = model(ids[None], labels=ids[None])["loss"].item()
    assert document_nats(model, ids, 12, 5) == pytest.approx(loss * (length - 1), rel=1e-6)


class Telltale(nn.Module):
    """A model whose loss for a token tells the token, and that notes what it was given.

    The token n costs n nats or so: all but the token 0 have a logit of -n, whatever was read.
    """

    def __init__(self, vocab_size):
        """Have no parameters but one for the device."""
        super().__init__()
        self.logits = nn.Parameter(-torch.arange(vocab_size).double())
        self.seen = []

    def forward(self, ids):
        """Return the same logits everywhere, (B, T, V)."""
        self.seen.append(ids[0].tolist())
        return {"logits": self.logits.expand(*ids.shape, -1)}


@given(st.integers(0, 40), st.integers(2, 12), st.integers(1, 11))
def test_every_token_but_the_first_is_scored_exactly_once(length, context, stride):
    if stride >= context:
        refused(f"stride={stride} must be below context={context}", document_nats,
                Telltale(5), torch.arange(5), context, stride)  # fmt: skip
        return
    model, ids = Telltale(length + 1), torch.arange(length)
    costs = -model.logits.log_softmax(-1)
    found = document_nats(model, ids, context, stride)
    assert found == pytest.approx(costs[ids[1:]].sum().item())
    assert all(len(window) <= context for window in model.seen)
    starts = [window[0] for window in model.seen if window]
    assert starts == [stride * number for number in range(len(starts))]
    if length > 1:
        assert {token for window in model.seen for token in window} == set(range(length))


def test_a_token_is_predicted_from_at_least_context_minus_stride_tokens():
    model, ids = tiny_model(), TOKENS[:30]
    for context, stride in ((8, 4), (12, 1), (5, 3)):
        nats, scored = 0.0, 1
        for start in range(0, 30, stride):
            end = min(start + context, 30)
            log_p = model(ids[None, start:end])["logits"][0].log_softmax(-1)
            for place in range(scored, end):
                assert place - start >= min(context - stride, place)
                nats -= log_p[place - start - 1, ids[place]].item()
            scored = max(scored, end)
        assert document_nats(model, ids, context, stride) == pytest.approx(nats, rel=1e-5)


def test_more_context_changes_what_a_document_costs():
    model, ids = tiny_model(initializer_range=0.5), random_ids(1, 40, 31)[0]
    costs = {document_nats(model, ids, context, 1) for context in (2, 6, 12)}
    assert len(costs) == 3


def test_strides_that_cannot_be_are_refused():
    model = tiny_model()
    refused("stride=8 must be below context=8", document_nats, model, TOKENS, 8, 8)
    refused("stride=0 must be a positive integer", document_nats, model, TOKENS, 8, 0)
    refused("context=2.0 must be a positive integer", document_nats, model, TOKENS, 2.0, 1)


def test_what_is_no_model_is_not_scored():
    refused("model is a NoneType; it must be a GPTLMHeadModel", evaluate, None, WINDOWS)
    refused("model is a NoneType; it must be an nn.Module", document_nats, None, TOKENS, 8, 4)


def test_an_exact_match_is_what_greedy_decoding_writes():
    model = tiny_model()
    windows = WINDOWS[:, :5].clone()
    written = model.generate(windows[::2, :1], 4, temperature=0)
    windows[::2] = written
    n_right = dict.fromkeys((1, 2, 3, 4), 0)
    for row in windows:
        for n in n_right:
            for start in range(1, 5 - n + 1):
                found = model.generate(row[None, :start], n, temperature=0)[0, start:]
                n_right[n] += int(torch.equal(found, row[start : start + n]))
    expected = {n: count / (len(windows) * (5 - n)) for n, count in n_right.items()}
    assert exact_match(model, windows, (1, 2, 3, 4), batch_size=4) == pytest.approx(expected)
    assert 0 < expected[4] < expected[1] < 1


def test_lengths_that_no_window_holds_are_refused():
    for lengths, wrong in (((0,), 0), ((1, 9), 9), ((1.0,), 1.0)):
        message = f"lengths={wrong} must be an integer from 1 to 8"
        refused(message, exact_match, tiny_model(), WINDOWS, lengths)


def test_what_is_no_document_is_not_scored():
    for wrong in ([1, 2], TOKENS.float(), TOKENS[None], None):
        refused(
            "ids .*must be|ids .*convert|ids .*make it", document_nats, tiny_model(), wrong, 8, 4
        )
    bare, documents = Tokenizer(models.BPE()), [Document("a.py", "a")]
    message = "tokenizer is a Tokenizer; it must be a Tokenizer with <|endoftext|>"
    refused(re.escape(message), document_bits_per_byte, tiny_model(), bare, documents, 4)
