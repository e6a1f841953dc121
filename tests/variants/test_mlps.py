"""Gated MLPs and experts: against a loop over tokens, and by what they must not read."""

import copy
import dataclasses

import pytest
import torch
from torch.testing import assert_close

from gpt_helpers.architecture.model import GPTMLP
from gpt_helpers.variants.deepseek3 import DeepSeek3Config, DeepSeek3Experts
from gpt_helpers.variants.llama import LlamaConfig
from gpt_helpers.variants.mlps import Experts, SwiGLUMLP
from tests.helpers.reference import refused
from tests.helpers.twins import randomised

CONFIG = LlamaConfig(
    vocab_size=61, n_embd=8, n_head=2, n_kv_head=None, n_inner=5, n_experts=6, n_experts_per_token=2
)
X = torch.randn(2, 7, 8, generator=torch.Generator().manual_seed(0))


def experts(bias=False, **changes):
    """Return experts with weights that are not small."""
    torch.manual_seed(0)
    return Experts(dataclasses.replace(CONFIG, **changes), bias=bias)


def one_by_one(mixture, x):
    """Return what the experts make of each token, each token and expert by itself."""
    rows = []
    for token in x.flatten(0, 1):
        scores = mixture.router(token)
        chosen = sorted(range(len(scores)), key=lambda n: -scores[n].item())[
            : mixture.n_experts_per_token
        ]
        total = sum(scores[n].exp() for n in chosen)
        rows.append(sum(scores[n].exp() / total * mixture.experts[n](token) for n in chosen))
    return torch.stack(rows).view_as(x)


@pytest.mark.parametrize(("n_experts_per_token", "bias"), [(1, False), (2, True), (6, False)])
def test_a_token_is_the_weighted_sum_of_its_experts(n_experts_per_token, bias):
    mixture = experts(bias, n_experts_per_token=n_experts_per_token)
    assert_close(mixture(X), one_by_one(mixture, X))
    assert (mixture.router.bias is not None) == bias


def test_one_expert_of_one_is_an_mlp():
    mixture = experts(n_experts=1, n_experts_per_token=1)
    assert_close(mixture(X), mixture.experts[0](X))


def test_an_expert_that_no_token_chose_adds_nothing_and_has_gradients_of_0():
    mixture = experts(bias=True)
    with torch.no_grad():
        mixture.router.bias[3] = -1e9
        mixture.experts[3].c_proj.weight.fill_(torch.nan)
    assert mixture(X).isfinite().all()
    mixture(X).sum().backward()
    assert (mixture.experts[3].c_fc.weight.grad == 0).all()  # and not missing


def test_each_token_is_read_by_itself():
    mixture = experts()
    for row, column in ((0, 0), (1, 6)):
        alone = mixture(X[row : row + 1, column : column + 1])
        assert_close(alone[0, 0], mixture(X)[row, column])


def test_the_router_and_the_chosen_experts_learn():
    mixture = experts()
    mixture(X).square().sum().backward()
    assert mixture.router.weight.grad.abs().max() > 0
    chosen = mixture.router(X).topk(2).indices.unique().tolist()
    for number in chosen:
        assert mixture.experts[number].c_fc.weight.grad.abs().max() > 0


def test_any_class_of_mlps_can_be_an_expert():
    mixture = Experts(CONFIG, GPTMLP)
    assert {type(expert) for expert in mixture.experts} == {GPTMLP}
    assert_close(mixture(X), one_by_one(mixture, X))


def test_it_reads_in_half_precision_and_under_autocast():
    mixture = experts()
    wanted = mixture(X)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert_close(mixture(X).float(), wanted, rtol=0, atol=0.05)
    assert mixture.bfloat16()(X.bfloat16()).dtype == torch.bfloat16


MANY = LlamaConfig(
    vocab_size=61, n_embd=256, n_head=2, n_kv_head=None, n_inner=5, n_experts=64,
    n_experts_per_token=8,
)  # fmt: skip
GROUPED = DeepSeek3Config(
    vocab_size=61, n_embd=256, n_head=2, n_inner=5, n_experts=64, n_experts_per_token=8
)


@pytest.mark.parametrize(("kind", "config"), [(Experts, MANY), (DeepSeek3Experts, GROUPED)])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@torch.no_grad()
def test_sixteen_bits_choose_the_experts_that_the_same_numbers_choose_in_32(kind, config, dtype):
    """With autocast too; computed in bfloat16, one token in five gets others of 64."""
    short = randomised(kind(config), std=0.1).to(dtype)
    tokens = torch.randn(500, 256, generator=torch.Generator().manual_seed(0)).to(dtype)
    wanted = copy.deepcopy(short).float().routed(tokens.float())
    with torch.autocast("cpu", dtype=dtype):
        under_autocast = copy.deepcopy(short).float().routed(tokens.float())
    for found in (short.routed(tokens), under_autocast):
        assert all(map(torch.equal, found, wanted))
    assert wanted[0].dtype == torch.float32


@pytest.mark.parametrize("kind", [Experts, DeepSeek3Experts])
def test_a_router_reads_64_bits_and_no_numbers(kind):
    config = MANY if kind is Experts else GROUPED
    assert kind(config).double()(torch.randn(1, 2, 256).double()).dtype == torch.float64
    with torch.device("meta"):
        assert kind(config).router(torch.randn(3, 256)).shape == (3, 64)


def test_a_swiglu_holds_the_gate_before_what_it_gates():
    mlp = SwiGLUMLP(CONFIG)
    gate, gated = (X @ part.T for part in mlp.c_fc.weight.chunk(2))
    assert_close(mlp(X), (gate / (1 + (-gate).exp()) * gated) @ mlp.c_proj.weight.T)


def test_what_does_not_fit_is_refused():
    refused("n_experts=None", Experts, LlamaConfig())
    refused(
        "n_experts_per_token=7 experts of n_experts=6",
        dataclasses.replace,
        CONFIG,
        n_experts_per_token=7,
    )
    refused("n_experts_per_token=0", dataclasses.replace, CONFIG, n_experts_per_token=0)
    refused("mlp=None", Experts, CONFIG, None)
    refused("x is", experts(), X[..., :7])
    refused("x is", experts(), X[0])
