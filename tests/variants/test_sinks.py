"""Attention that may read nothing: against the equation in a loop, and without its scale."""

import pytest
import torch
from torch.testing import assert_close

from gpt_helpers.architecture.attention import attention
from gpt_helpers.variants.gpt_neo import attention_unscaled
from gpt_helpers.variants.sinks import attention_with_sinks
from tests.helpers.reference import refused

Q = torch.randn(2, 4, 5, 6, generator=torch.Generator().manual_seed(0))
K, V = torch.randn(2, 2, 2, 9, 6, generator=torch.Generator().manual_seed(1))
SINKS = torch.tensor([-1.0, 0.0, 2.0, 30.0])
PADDING = torch.ones(2, 9, dtype=torch.bool)
PADDING[1, :6] = False


def one_by_one(q, k, v, padding, window, sinks):
    """Return attention with sinks by a loop over queries and keys, in the words of the equation."""
    found = torch.zeros_like(q)
    n_earlier = k.shape[2] - q.shape[2]
    for row, head, query in torch.cartesian_prod(*map(torch.arange, q.shape[:3])).tolist():
        group, place = head // (q.shape[1] // k.shape[1]), query + n_earlier
        keys = [
            key
            for key in range(max(0, place - window + 1), place + 1)
            if padding[row, key]
        ]  # fmt: skip
        scores = [q[row, head, query] @ k[row, group, key] / q.shape[3] ** 0.5 for key in keys]
        total = sinks[head].exp() + sum(score.exp() for score in scores)
        for key, score in zip(keys, scores, strict=True):
            found[row, head, query] += score.exp() / total * v[row, group, key]
    return found


@pytest.mark.parametrize("window", [1, 3, 9])
def test_attention_with_sinks_is_the_equation(window):
    found = attention_with_sinks(Q, K, V, PADDING, window=window, sinks=SINKS)
    assert_close(found, one_by_one(Q, K, V, PADDING, window, SINKS))


def test_without_sinks_it_is_attention():
    for options in ({}, {"padding": PADDING}, {"padding": PADDING, "window": 3}):
        found = attention_with_sinks(Q, K, V, **options)
        assert_close(found, attention(Q, K, V, **options))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_sinks_may_be_of_another_dtype(dtype):
    sinks = SINKS.to(dtype)
    found = attention_with_sinks(Q, K, V, sinks=sinks)
    assert found.dtype == Q.dtype
    assert_close(found, attention_with_sinks(Q, K, V, sinks=sinks.to(Q.dtype)))


def test_a_high_sink_reads_nothing_and_so_does_a_query_without_keys():
    found = attention_with_sinks(Q, K, V, sinks=torch.tensor([0.0, 0.0, 0.0, 1e4]))
    assert found[:, 3].abs().max() == 0
    blind = attention_with_sinks(Q, K, V, PADDING, window=1, sinks=SINKS)[1, :, :2]
    assert blind.abs().max() == 0


def test_a_sink_learns_what_the_numbers_say():
    sinks = SINKS.double().requires_grad_()
    q, k, v = (x.double() for x in (Q, K, V))
    call = lambda sinks: attention_with_sinks(q, k, v, window=4, sinks=sinks)  # noqa: E731
    assert torch.autograd.gradcheck(call, (sinks,))


def test_dropout_drops_weights():
    torch.manual_seed(0)
    found = attention_with_sinks(Q, K, V, dropout=0.5, sinks=SINKS)
    assert (found - attention_with_sinks(Q, K, V, sinks=SINKS)).abs().max() > 0.1


def test_sinks_that_do_not_fit_are_refused():
    for wrong in (torch.zeros(3), torch.zeros(4, 1), 0.0):
        refused("sinks are .* one score per head", attention_with_sinks, Q, K, V, sinks=wrong)
    refused("batch and width must agree", attention_with_sinks, Q[..., :5], K, V)
    refused("sinks on meta", attention_with_sinks, Q, K, V, sinks=SINKS.to("meta"))


def test_unscaled_scores_are_not_divided():
    found = attention_unscaled(Q, K, V, PADDING, window=4, attend=attention)
    assert_close(found, attention(Q * 6**0.5, K, V, PADDING, window=4))
