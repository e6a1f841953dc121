"""Gemma 2: scores and logits that are capped, their scale, the windows, and the norms."""

import pytest
import torch
from torch.testing import assert_close

from gpt_helpers.architecture.attention import attention
from gpt_helpers.variants.gemma2 import Gemma2LMHeadModel, attention_softcapped, softcap
from gpt_helpers.variants.mlps import GeGLUMLP
from gpt_helpers.variants.sizes import built
from tests.helpers.reference import random_ids, refused
from tests.helpers.twins import FAMILIES, randomised

CONFIG = FAMILIES["gemma2"].config
IDS = random_ids(2, 9)
Q = torch.randn(2, 4, 5, 6, generator=torch.Generator().manual_seed(0))
K, V = torch.randn(2, 2, 2, 9, 6, generator=torch.Generator().manual_seed(1))
PADDING = torch.ones(2, 9, dtype=torch.bool)
PADDING[1, :6] = False


def one_by_one(q, k, v, padding, window):
    """Return capped attention by a loop over queries, in the words of the equation."""
    found = torch.zeros_like(q)
    n_earlier = k.shape[2] - q.shape[2]
    for row, head, query in torch.cartesian_prod(*map(torch.arange, q.shape[:3])).tolist():
        group, place = head // (q.shape[1] // k.shape[1]), query + n_earlier
        keys = [n for n in range(max(0, place - window + 1), place + 1) if padding[row, n]]
        scores = k[row, group, keys] @ q[row, head, query] / q.shape[3] ** 0.5
        weights = (50 * (scores / 50).tanh()).exp()
        if keys:
            found[row, head, query] = weights / weights.sum() @ v[row, group, keys]
    return found


@pytest.mark.parametrize("window", [1, 3, 9])
@pytest.mark.parametrize("scale", [1, 30])
def test_attention_capped_is_the_equation_for_small_and_for_large_scores(window, scale):
    q = scale * Q
    found = attention_softcapped(q, K, V, PADDING, window=window)
    assert_close(found, one_by_one(q, K, V, PADDING, window), rtol=1e-4, atol=1e-5)


def test_scores_far_below_the_cap_are_hardly_changed_and_large_ones_are():
    assert_close(attention_softcapped(Q, K, V), attention(Q, K, V), rtol=0, atol=1e-2)
    large = attention_softcapped(1e4 * Q, K, V) - attention(1e4 * Q, K, V)
    assert large.abs().max() > 0.1


def test_a_query_without_keys_reads_nothing_and_dropout_drops_weights():
    assert attention_softcapped(Q, K, V, PADDING, window=1)[1, :, :2].abs().max() == 0
    torch.manual_seed(0)
    dropped = attention_softcapped(Q, K, V, dropout=0.5)
    assert (dropped - attention_softcapped(Q, K, V)).abs().max() > 0.1


def test_what_is_capped_keeps_its_order_and_stays_within_the_cap():
    x = torch.linspace(-100, 100, 401)
    found = softcap(x, 30.0)
    assert found.abs().max() < 30
    assert (found.diff() > 0).all()
    assert softcap(torch.tensor(0.01), 30.0).item() == pytest.approx(0.01)
    refused("cap=0 must be a finite number > 0", softcap, x, 0)


@torch.no_grad()
def test_no_logit_exceeds_30_however_large_the_states():
    model = randomised(Gemma2LMHeadModel(CONFIG))
    model.transformer.ln_f.bias.fill_(1e3)
    logits = model(IDS)["logits"]
    assert 29 < logits.abs().max() <= 30


def test_the_head_is_the_embedding():
    model = Gemma2LMHeadModel(CONFIG)
    assert model.lm_head.weight is model.transformer.wte.weight
    assert "lm_head.weight" not in dict(model.named_parameters())


@torch.no_grad()
def test_any_attention_may_be_given_and_every_second_layer_reads_a_window():
    calls = []

    def recording(q, k, v, padding=None, dropout=0.0, window=None):
        calls.append(window)
        return attention(q, k, v, padding, dropout, window)

    Gemma2LMHeadModel(CONFIG, recording)(IDS)
    assert calls == [3, None, 3]


def test_scores_of_the_27b_alone_are_divided_by_another_root_than_that_of_their_width():
    for name, root in (("Gemma 2 2B", 16), ("Gemma 2 9B", 16), ("Gemma 2 27B", 12)):
        attn, width = built(name).transformer.h[0].attn, built(name).config.head_width
        q = torch.ones(1, 1, 1, width)
        rotation = (torch.ones(1, 1, 1, width // 2), torch.zeros(1, 1, 1, width // 2))
        found, k = attn.rotated(q, q, rotation)
        assert (found @ k.mT).item() / width**0.5 == pytest.approx(width / root)


@torch.no_grad()
def test_what_a_sub_layer_adds_does_not_depend_on_the_scale_of_its_projection():
    model = randomised(Gemma2LMHeadModel(CONFIG))
    before = model(IDS)["logits"]
    for block in model.transformer.h:
        block.attn.c_proj.weight.mul_(7)
        block.mlp.c_proj.weight.mul_(5)
    assert_close(model(IDS)["logits"], before, rtol=1e-3, atol=1e-3)


def test_a_geglu_is_gelu_of_the_gate_times_what_it_gates():
    mlp = GeGLUMLP(CONFIG)
    x = torch.randn(2, 3, CONFIG.n_embd, generator=torch.Generator().manual_seed(0))
    gate, gated = (x @ part.T for part in mlp.c_fc.weight.chunk(2))
    gelu = torch.nn.GELU(approximate="tanh")
    assert_close(mlp(x), (gelu(gate) * gated) @ mlp.c_proj.weight.T)
    refused("x is", mlp, x[..., :7])
