"""Precision is chosen, not inherited: what is summed or exponentiated is float32 at least.

Whatever the dtype of the weights, of the operands, of autocast or the default one: a loss, a
softmax, a probability is what float32 makes of the same 16-bit numbers.
"""

import copy

import pytest
import torch
from torch.testing import assert_close

from gpt_helpers.architecture.attention import attention, attention_fused, attention_weights
from gpt_helpers.architecture.heads import repeated
from gpt_helpers.architecture.losses import TokenLoss, language_model_loss, token_losses
from gpt_helpers.architecture.model import next_token_loss
from gpt_helpers.architecture.sampling import cut, sample
from gpt_helpers.evaluation.losses import document_nats, evaluate, window_losses
from gpt_helpers.optimization.tiled import attention_tiled
from gpt_helpers.tasks.labels import label_predictions
from gpt_helpers.training.preferences import answer_log_probability, dpo_loss
from gpt_helpers.variants.gemma2 import attention_softcapped
from gpt_helpers.variants.sinks import attention_with_sinks
from tests.helpers.reference import random_ids
from tests.helpers.runs import TOKENS, tiny_model

NARROW = pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
IDS = 1 + random_ids(4, 12, 30)
GENERATOR = torch.Generator().manual_seed(0)
LOGITS = 5 * torch.randn(4, 12, 31, generator=GENERATOR)
HEADS = torch.randn(3, 2, 4, 9, 16, generator=GENERATOR)
SINKS = torch.tensor([0.0, 1.0, -1.0, 2.0])
PADDING = torch.arange(9) > torch.tensor([[1], [-1]])


def with_sinks(q, k, v, *others):
    """Return attention with sinks of the dtype of its operands."""
    return attention_with_sinks(q, k, v, *others, sinks=SINKS.type_as(q))


ATTENTIONS = {
    "attention": attention,
    "tiled": attention_tiled,
    "softcapped": attention_softcapped,
    "sinks": with_sinks,
}
EVERY = pytest.mark.parametrize("attend", ATTENTIONS.values(), ids=ATTENTIONS)


@pytest.fixture(params=[torch.float16, torch.bfloat16, torch.float64], ids=str)
def other_default(request):
    """Set another default dtype for one test."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(request.param)
    yield request.param
    torch.set_default_dtype(before)


@NARROW
def test_a_loss_of_narrow_logits_is_that_of_the_same_numbers_in_float32(dtype):
    narrow = LOGITS.to(dtype)
    for loss in (next_token_loss, token_losses):
        found = loss(narrow, IDS)
        assert found.dtype == torch.float32
        assert torch.equal(found, loss(narrow.float(), IDS))
        assert loss(LOGITS.double(), IDS).dtype == torch.float64


@NARROW
def test_a_narrow_model_is_scored_by_the_losses_of_its_logits(dtype):
    model = tiny_model().to(dtype)
    expected = token_losses(model(IDS)["logits"].float(), IDS)
    mean = expected.mean().item()
    assert model(IDS, labels=IDS)["loss"].dtype == torch.float32
    assert model(IDS, labels=IDS)["loss"].item() == pytest.approx(mean, rel=1e-6)
    assert language_model_loss(model, IDS).item() == pytest.approx(mean, rel=1e-6)
    assert evaluate(model, IDS, batch_size=3) == pytest.approx(mean, rel=1e-5)
    assert torch.equal(window_losses(model, IDS), expected)
    ids = TOKENS[:12]
    nats = token_losses(model(ids[None])["logits"].float(), ids[None]).sum().item()
    assert document_nats(model, ids, 12, 4) == pytest.approx(nats, rel=1e-6)


@NARROW
def test_a_narrow_model_is_as_good_as_its_rounded_weights(dtype):
    model = tiny_model(initializer_range=0.5)
    narrow, rounded = copy.deepcopy(model).to(dtype), copy.deepcopy(model).to(dtype).float()
    losses = [evaluate(each, IDS) for each in (narrow, rounded)]
    assert losses[0] == pytest.approx(losses[1], abs=2e-2)
    assert losses[0] != float(torch.tensor(losses[0]).to(dtype))  # no number of 16 bits


@NARROW
def test_preferences_of_a_narrow_model_are_those_of_its_logits(dtype):
    model, marker = tiny_model().to(dtype), 0
    ids = IDS.clone()
    ids[:, 2] = marker
    found = answer_log_probability(model, ids, marker, padding=31)
    logits = model(ids)["logits"].float()
    assert found.dtype == torch.float32
    assert_close(found, -token_losses(logits, ids)[:, 2:].sum(1))
    pairs = -30 * torch.rand(5, 2, generator=GENERATOR).to(dtype)
    start = pairs.flip(1)
    assert torch.equal(dpo_loss(pairs, start, 0.1), dpo_loss(pairs.float(), start.float(), 0.1))


@NARROW
def test_probabilities_of_narrow_logits_are_those_of_float32(dtype):
    logits = LOGITS[:, 0].to(dtype)
    for settings in ({}, {"temperature": 0.3}, {"top_k": 4, "top_p": 0.8}):
        assert torch.equal(cut(logits, **settings), cut(logits.float(), **settings))
    found = sample(logits, 1e-4, generator=GENERATOR)  # a score over 65504
    assert torch.equal(found, logits.argmax(-1))
    model = tiny_model().to(dtype)
    expected = model(IDS)["logits"][:, ::2].float().softmax(-1)
    assert torch.equal(label_predictions(model, IDS), expected)


@EVERY
@NARROW
def test_attention_of_narrow_operands_is_rounded_once_at_the_end(attend, dtype):
    q, k, v = (3 * HEADS).to(dtype)
    found = attend(q, k, v, PADDING)
    expected = attend(q.double(), k.double(), v.double(), PADDING)
    assert found.dtype == dtype
    half_step = torch.finfo(dtype).eps / 2
    assert_close(found.double(), expected, rtol=1.01 * half_step, atol=1e-6)


@EVERY
@NARROW
def test_scores_beyond_float16_are_finite(attend, dtype):
    q, v = 60 * torch.ones(1, 4, 4, 64, dtype=dtype), torch.ones(1, 4, 4, 64, dtype=dtype)
    for query in (q.requires_grad_(), q.detach() * 100):
        found = attend(query, query, v)
        assert found.isfinite().all()
    attend(q, q, v).sum().backward()
    assert q.grad.isfinite().all()
    weights = attention_weights(q, q)
    assert weights.isfinite().all()
    assert weights.dtype == torch.float32


@EVERY
@NARROW
def test_autocast_does_not_narrow_attention(attend, dtype):
    for operands in (3 * HEADS, (3 * HEADS).to(dtype)):
        expected = attend(*operands, PADDING)
        with torch.autocast("cpu", dtype):
            assert torch.equal(attend(*operands, PADDING), expected)


@NARROW
@pytest.mark.parametrize("attend", [attention, attention_fused, attention_tiled])
def test_large_scores_leave_loss_and_gradients_finite_under_autocast(attend, dtype):
    model = tiny_model()
    for block in model.transformer.h:
        block.attn.attend = attend
        block.attn.c_attn.weight.data *= 2000
    with torch.autocast("cpu", dtype):
        loss = model(IDS, labels=IDS)["loss"]
    loss.backward()
    assert loss.isfinite()
    assert all(weight.grad.isfinite().all() for weight in model.parameters())


def by_default():
    """Return tensors whose dtype and values must not hang on the default dtype."""
    total = TokenLoss(torch.clone).total(lambda ids: {"logits": LOGITS}, IDS)
    found = [total, token_losses(LOGITS, IDS), next_token_loss(LOGITS, IDS)]
    found += [attend(*HEADS, PADDING) for attend in ATTENTIONS.values()]
    return [*found, repeated(500, 400, 2, torch.Generator().manual_seed(1))]


def test_losses_scores_and_draws_do_not_follow_the_default_dtype(other_default):
    found = by_default()
    torch.set_default_dtype(torch.float32)
    for first, second in zip(found, by_default(), strict=True):
        assert first.dtype == second.dtype
        assert torch.equal(first, second)
