"""DeepSeek-V3: what its cache keeps, how it reads longer texts, and how its experts are chosen."""

import copy
import dataclasses
import math

import pytest
import torch
from torch.testing import assert_close

from gpt_helpers.architecture.attention import attention
from gpt_helpers.optimization.tiled import attention_tiled
from gpt_helpers.variants.costs import cache_bytes
from gpt_helpers.variants.deepseek3 import (
    DeepSeek3Config,
    DeepSeek3Experts,
    DeepSeek3LMHeadModel,
    DeepSeek3Model,
)
from gpt_helpers.variants.latent import LatentAttention
from gpt_helpers.variants.mlps import SwiGLUMLP
from tests.helpers.reference import random_ids, refused
from tests.helpers.twins import FAMILIES, randomised

CONFIG = FAMILIES["deepseek3"].config
IDS = random_ids(2, 9)
X = torch.randn(2, 9, CONFIG.n_embd, generator=torch.Generator().manual_seed(0))
TURNS = DeepSeek3Model(CONFIG).rotation(torch.arange(9)[None])


def changed(**changes):
    """Return the small config with changes."""
    return dataclasses.replace(CONFIG, **changes)


# The cache and attention.


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@torch.no_grad()
def test_a_cache_keeps_one_latent_and_one_key_per_token_and_layer(dtype):
    model = randomised(DeepSeek3LMHeadModel(CONFIG)).to(dtype)
    cache = model(IDS, cache=True)["cache"]
    shapes = [(tuple(layer.keys.shape), tuple(layer.values.shape)) for layer in cache.layers]
    assert shapes == [((2, 1, 24, 9), (2, 1, 24, 8))] * 3
    buffers = [part for layer in cache.layers for part in (layer.keys, layer.values)]
    held = sum(part.numel() * part.element_size() for part in buffers)
    assert held == 2 * 24 * (9 + 8) * 3 * dtype.itemsize
    assert held == 2 * cache_bytes(model, 24, dtype.itemsize)


def test_the_published_size_keeps_70272_bytes_per_token_in_16_bits():
    config = dataclasses.replace(DeepSeek3Config(), n_layer=1, n_experts=16)
    with torch.device("meta"):
        model = DeepSeek3LMHeadModel(config)
    assert 61 * cache_bytes(model, 1, 2) == (512 + 64) * 61 * 2 == 70_272
    assert 61 * cache_bytes(model, 131072, 2) == pytest.approx(8.6 * 2**30, rel=0.01)


@torch.no_grad()
def test_the_cache_of_another_width_is_refused():
    wider = DeepSeek3LMHeadModel(changed(key_latent=10))
    cache = DeepSeek3LMHeadModel(CONFIG)(IDS, cache=True)["cache"]
    refused(r"1, 9\), this call \(3, 24, 2, 1, 10\)", wider, IDS, cache=cache)


@torch.no_grad()
def test_heads_may_read_the_latent_itself_as_if_it_were_one_shared_key_head():
    """Multiply queries, and what is read, by the projection from the latent, not the latent."""
    attn = randomised(LatentAttention(CONFIG))
    q, (latent, turned) = attn.queries(X, TURNS), attn.compressed(X, TURNS)
    up = attn.kv_up.weight.unflatten(0, (CONFIG.n_head, -1))  # heads, plain and value, latent
    plain, turning = q.split([6, 8], dim=-1)
    absorbed = torch.einsum("bhtp,hpr->bhtr", plain, up[:, :6])
    scores = (absorbed @ latent.mT + turning @ turned.mT) / (6 + 8) ** 0.5
    future = torch.ones(9, 9, dtype=torch.bool).triu(1)
    read = scores.masked_fill(future, -torch.inf).softmax(-1) @ latent
    values = torch.einsum("bhtr,hvr->bthv", read, up[:, 6:])
    assert_close(attn(X, TURNS), attn.c_proj(values.flatten(2)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("attend", [attention, attention_tiled])
@torch.no_grad()
def test_any_attention_may_be_given(attend):
    given, plain = (
        randomised(DeepSeek3LMHeadModel(CONFIG, *which)) for which in ([attend], [])
    )  # fmt: skip
    assert_close(given(IDS)["logits"], plain(IDS)["logits"], rtol=0, atol=1e-4)


def test_the_key_that_turns_is_shared_and_the_rest_of_a_key_does_not_turn():
    attn = randomised(LatentAttention(CONFIG))
    latent, turned = attn.compressed(X[:, :1].expand(X.shape), TURNS)
    assert_close(latent, latent[:, :, :1].expand(latent.shape))
    assert (turned - turned[:, :, :1]).abs().max() > 0.1
    k, v = attn.expanded(latent, turned)
    assert_close(k[..., 6:], turned.expand(-1, 4, -1, -1))
    assert v[..., :5].abs().min() > 0
    assert v[..., 5:].abs().max() == 0


def test_what_does_not_fit_is_refused():
    refused("x is", LatentAttention(CONFIG), X[..., :7], TURNS)
    refused("x is", DeepSeek3Experts(CONFIG), X[..., :7])
    refused("attend='fast' must be a function", LatentAttention, CONFIG, "fast")
    llama = FAMILIES["llama"].config
    refused("query_latent=None", LatentAttention, llama)
    refused("must be a DeepSeek3Config", DeepSeek3Experts, llama)
    refused("rotary_width|head_width=7", changed, rotary_width=7, plain_width=5)
    refused("n_groups=6 must divide n_experts=6 into groups of at least 2", changed, n_groups=6)
    refused("n_experts=None", changed, n_experts=None)
    refused("n_kv_head=None", changed, n_kv_head=None)


# Longer texts.


def test_scores_grow_with_longer_texts_as_in_yarn():
    longer, plain = (
        randomised(LatentAttention(changed(rope_factor=s))).queries(X, TURNS) for s in (40.0, 1.0)
    )
    assert_close(longer, plain * 1.3688879**2)


# Experts.


def experts(**changes):
    """Return experts with random weights, and balancing biases that are not 0."""
    return randomised(DeepSeek3Experts(changed(**changes)))


def one_by_one(mixture, config, x):
    """Return what the experts make of each token, each token and expert by itself."""
    rows, size = [], config.n_experts // config.n_groups
    for token in x.flatten(0, 1):
        scores = (mixture.router.weight @ token).sigmoid().tolist()
        chances = [s + b for s, b in zip(scores, mixture.balancing_bias.tolist(), strict=True)]
        groups = [range(n * size, (n + 1) * size) for n in range(config.n_groups)]
        groups.sort(key=lambda group: -sum(sorted(chances[n] for n in group)[-2:]))
        allowed = [n for group in groups[: config.n_groups_chosen] for n in group]
        chosen = sorted(allowed, key=lambda n: -chances[n])[: config.n_experts_per_token]
        total = sum(scores[n] for n in chosen)
        mixed = sum(2.5 * scores[n] / total * mixture.experts[n](token) for n in chosen)
        rows.append(mixed + mixture.shared(token))
    return torch.stack(rows).view_as(x)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"n_experts": 12, "n_groups": 4, "n_groups_chosen": 2, "n_experts_per_token": 4},
        {"n_experts": 12, "n_groups": 3, "n_groups_chosen": 1, "n_experts_per_token": 4},
        {"n_groups": 1, "n_groups_chosen": 1, "n_experts_per_token": 6},
    ],
)
@torch.no_grad()
def test_a_token_is_the_sum_of_its_experts_and_of_the_shared_one(changes):
    mixture, config = experts(**changes), changed(**changes)
    assert_close(mixture(X), one_by_one(mixture, config, X), rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_the_bias_of_the_router_chooses_and_weighs_nothing():
    mixture, tokens = experts(n_groups=1, n_groups_chosen=1), X.flatten(0, 1)
    mixture.balancing_bias.zero_()
    shares, chosen = mixture.routed(tokens)
    assert_close(shares.sum(-1), torch.full((18,), 2.5))
    mixture.balancing_bias.fill_(0.75)
    again, same = mixture.routed(tokens)
    assert torch.equal(chosen, same)
    assert_close(shares, again)
    mixture.balancing_bias[3] = -9.0
    assert (mixture.routed(tokens)[1] != 3).all()
    assert (chosen == 3).any()


@torch.no_grad()
def test_the_best_expert_is_not_chosen_if_its_group_is_not():
    mixture = experts()
    scores = torch.tensor([[0.9, 0.0, 0.5, 0.6, 0.55, 0.45]])
    found = mixture.in_best_groups(scores)
    assert found.tolist() == [[-math.inf, -math.inf, *scores[0, 2:].tolist()]]


def test_the_router_learns_and_its_bias_does_not():
    mixture = experts()
    mixture(X).square().sum().backward()
    assert mixture.balancing_bias.grad is None
    assert not mixture.balancing_bias.requires_grad
    assert mixture.router.weight.grad.abs().max() > 0
    assert mixture.shared.c_fc.weight.grad.abs().max() > 0


@torch.no_grad()
def test_experts_that_all_score_0_have_no_shares():
    mixture = experts()
    mixture.router.weight.fill_(-200.0)
    shares, _ = mixture.routed(torch.ones(3, mixture.router.in_features))
    assert shares.tolist() == [[0.0, 0.0]] * 3


def test_the_bias_that_balances_keeps_its_bits():
    mixture = experts()
    exact = mixture.balancing_bias.clone()
    for convert in (torch.nn.Module.bfloat16, torch.nn.Module.half):
        short = convert(copy.deepcopy(mixture))
        assert short.router.weight.itemsize == 2
        assert torch.equal(short.balancing_bias, exact)
    assert torch.equal(copy.deepcopy(mixture).double().balancing_bias, exact.double())
    moved = copy.deepcopy(mixture).to("meta", torch.bfloat16)
    assert moved.balancing_bias.is_meta
    assert moved.to_empty(device="cpu").balancing_bias.dtype == torch.float32


def test_the_first_layers_have_one_mlp_with_the_weights_of_a_first_draw():
    torch.manual_seed(0)
    model = DeepSeek3Model(changed(n_layer=4, n_dense=2, dense_width=400, n_embd=200))
    kinds = [type(block.mlp) for block in model.h]
    assert kinds == [SwiGLUMLP] * 2 + [DeepSeek3Experts] * 2
    dense = model.h[1].mlp
    assert dense.c_fc.weight.shape == (800, 200)
    assert dense.c_fc.weight.std().item() == pytest.approx(0.02, rel=0.05)
    assert dense.c_proj.weight.std().item() == pytest.approx(0.02 / 8**0.5, rel=0.05)
    assert not [block for block in DeepSeek3Model(changed(n_dense=0)).h if block.mlp is dense]
