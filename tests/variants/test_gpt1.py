"""GPT-1: post-LN blocks, and a model that is otherwise GPT-2."""

import dataclasses

import torch
from torch.testing import assert_close

from gpt_helpers.architecture.model import GPTLMHeadModel
from gpt_helpers.config import GPTConfig
from gpt_helpers.variants.gpt1 import GPT1Block, GPT1Model
from tests.helpers.reference import SMALL, random_ids

IDS = random_ids(2, 15)


def model(config=SMALL):
    """Return a small GPT-1 in eval mode."""
    torch.manual_seed(0)
    return GPTLMHeadModel(config, transformer=GPT1Model).eval()


def test_each_sum_is_normalised():
    block = GPT1Block(SMALL).eval()
    x = torch.randn(2, 5, SMALL.n_embd)
    middle = block.ln_1(x + block.attn(x))
    assert torch.equal(block(x), block.ln_2(middle + block.mlp(middle)))
    assert_close(block(x).mean(-1), torch.zeros(2, 5))
    assert_close(block(x).std(-1, correction=0), torch.ones(2, 5), rtol=0, atol=1e-3)


def test_there_is_no_final_norm():
    gpt1 = model()
    assert not any("ln_f" in name for name, _ in gpt1.named_parameters())
    assert all(type(block) is GPT1Block for block in gpt1.transformer.h)


def test_the_published_size_has_116_534_784_parameters():
    with torch.device("meta"):
        gpt1 = model(GPTConfig(vocab_size=40478, n_positions=512))
    assert sum(parameter.numel() for parameter in gpt1.parameters()) == 116_534_784


def test_it_generates_and_caches_and_pads_like_gpt2():
    gpt1 = model(dataclasses.replace(SMALL, initializer_range=0.3))
    cached, plain = (gpt1.generate(IDS, 20, temperature=0, use_cache=use) for use in (True, False))
    assert torch.equal(cached, plain)
    mask = torch.ones_like(IDS)
    mask[0, :4] = 0
    found = gpt1(IDS, attention_mask=mask)["logits"]
    assert_close(found[:1, 4:], gpt1(IDS[:1, 4:])["logits"], rtol=1e-4, atol=1e-5)


def test_changing_the_future_does_not_change_the_past():
    changed = IDS.clone()
    changed[:, 9:] = 0
    gpt1 = model()
    assert_close(gpt1(changed)["logits"][:, :9], gpt1(IDS)["logits"][:, :9])
