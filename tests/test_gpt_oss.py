"""gpt-oss: attention that may read nothing, its experts' MLP, and where its windows lie."""

import math

import pytest
import torch
from reference import refused
from torch.testing import assert_close
from twins import FAMILIES

from gpt_helpers.attention import attention
from gpt_helpers.variants.gpt3 import GPT3Config, GPT3Model, narrow_layers
from gpt_helpers.variants.gpt_neo import attention_unscaled
from gpt_helpers.variants.gpt_oss import GPTOSSMLP, GPTOSSModel, attention_with_sinks

CONFIG = FAMILIES["gpt_oss"].config
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
    for options in ({}, {"padding": PADDING}, {"window": 3}):
        found = attention_with_sinks(Q, K, V, **options)
        assert_close(found[0], attention(Q, K, V, **options)[0])


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


def test_an_expert_limits_the_gate_and_what_it_gates():
    mlp = GPTOSSMLP(CONFIG)
    with torch.no_grad():
        for parameter in mlp.parameters():
            parameter.zero_()
        mlp.c_proj.weight[0, 0] = 1.0
        for gate, gated in ((1.0, 0.5), (-20.0, -30.0), (30.0, 50.0), (30.0, -50.0)):
            mlp.c_fc.bias[0], mlp.c_fc.bias[CONFIG.n_inner] = gate, gated
            low = min(gate, 7.0)
            wanted = low / (1 + math.exp(-1.702 * low)) * (max(-7.0, min(gated, 7.0)) + 1)
            assert mlp(torch.zeros(1, CONFIG.n_embd))[0, 0].item() == pytest.approx(wanted)


def bound_windows(model):
    """Return the window that is bound to each layer's attention, None if there is none."""
    attends = [block.attn.attend for block in model.h]
    return [getattr(attend, "keywords", {}).get("window") for attend in attends]


def test_windows_lie_in_every_second_layer():
    assert bound_windows(GPTOSSModel(CONFIG)) == [3, None, 3]
    small = {"n_embd": 8, "n_layer": 4, "n_head": 2, "n_positions": 9}
    assert bound_windows(GPT3Model(GPT3Config(**small, window=2))) == [None, 2, None, 2]


def test_a_window_is_a_number_of_tokens():
    refused("window=0", narrow_layers, [], 0)


def test_unscaled_scores_are_not_divided():
    found = attention_unscaled(Q, K, V, PADDING, window=4, attend=attention)
    assert_close(found, attention(Q * 6**0.5, K, V, PADDING, window=4))
