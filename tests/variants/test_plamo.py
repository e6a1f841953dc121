"""PLaMo-13B: which key head a query head reads, and what the parallel block adds."""

import pytest
import torch
from torch.testing import assert_close

from gpt_helpers.architecture.attention import attention
from gpt_helpers.variants.plamo import PLaMoAttention, PLaMoBlock, PLaMoLMHeadModel, interleaved
from gpt_helpers.variants.rotary import rotary_angles
from tests.helpers.reference import random_ids, refused
from tests.helpers.twins import FAMILIES, randomised

CONFIG = FAMILIES["plamo"].config
X = torch.randn(2, 5, CONFIG.n_embd, generator=torch.Generator().manual_seed(0))
TURNS = rotary_angles(torch.arange(5)[None], CONFIG.head_width)


@torch.no_grad()
def test_query_head_h_reads_key_head_h_mod_g():
    """Each head by itself, as PLaMo's authors repeat keys: 0 1 2 0 1 2, not 0 0 1 1 2 2."""
    attend = PLaMoAttention(CONFIG).attend
    generator = torch.Generator().manual_seed(0)
    q = torch.randn(2, 6, 5, 4, generator=generator)
    k, v = torch.randn(2, 2, 3, 5, 4, generator=generator)
    found = attend(q, k, v)
    for head in range(6):
        shared = slice(head % 3, head % 3 + 1)
        alone = attention(q[:, head : head + 1], k[:, shared], v[:, shared])
        assert_close(found[:, head : head + 1], alone)
    refused("q, k, v are NoneType", attend, None, k, v)


@pytest.mark.parametrize("stride", [1, 2, 3, 6])
def test_heads_are_interleaved_and_put_back(stride):
    x = torch.arange(6)[None, :, None, None]
    order = [head for first in range(stride) for head in range(first, 6, stride)]
    assert interleaved(x, stride).flatten().tolist() == order
    assert torch.equal(interleaved(interleaved(x, stride), 6 // stride), x)


@torch.no_grad()
def test_attention_and_the_mlp_read_one_normalised_copy():
    block = randomised(PLaMoBlock(CONFIG))
    y = block.ln_1(X)
    assert_close(block(X, TURNS), X + block.attn(y, TURNS) + block.mlp(y))
    assert "ln_2" not in dict(block.named_children())
    refused("x is", block, X[..., :7], TURNS)


def test_a_cache_keeps_the_shared_heads_only():
    with torch.no_grad():
        cache = PLaMoLMHeadModel(CONFIG).eval()(random_ids(2, 9), cache=True)["cache"]
    assert cache.layers[0].keys.shape == (2, 3, 24, 4)
