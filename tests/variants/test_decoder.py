"""The decoder of the rotary families: its heads, its norms, and the weights that a seed gives."""

import dataclasses

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from gpt_helpers.architecture.model import GPTMLP, GPTLMHeadModel
from gpt_helpers.variants import decoder
from gpt_helpers.variants.decoder import RotaryAttention, RotaryBlock, RotaryModel, untied_head
from gpt_helpers.variants.llama import LlamaLMHeadModel
from gpt_helpers.variants.modern import ModernLMHeadModel
from gpt_helpers.variants.sizes import built
from tests.helpers.reference import SMALL, random_ids, refused
from tests.helpers.twins import FAMILIES

CONFIG = dataclasses.replace(SMALL, dropout=0.0)
X = torch.randn(2, 5, CONFIG.n_embd, generator=torch.Generator().manual_seed(0))


def block(config, attend):
    """Return a block of GPT-2's parts, placed by rotations."""
    return RotaryBlock(config, nn.LayerNorm, RotaryAttention(config, attend), GPTMLP(config))


def test_heads_are_as_wide_as_the_config_says():
    attention = built("Qwen3 32B").transformer.h[0].attn
    assert tuple(attention.c_attn.weight.shape) == ((64 + 8 + 8) * 128, 5120)
    assert tuple(attention.c_proj.weight.shape) == (5120, 64 * 128)


@pytest.mark.parametrize("bias", [(False, False), (True, False), (True, True)])
def test_projections_have_the_biases_that_are_asked_for(bias):
    attention = RotaryAttention(CONFIG, qkv_bias=bias[0], out_bias=bias[1])
    assert (attention.c_attn.bias is not None, attention.c_proj.bias is not None) == bias


@pytest.mark.parametrize("kind", [RotaryBlock, decoder.ParallelBlock, decoder.SandwichBlock])
@torch.no_grad()
def test_a_block_adds_to_the_stream_what_its_parts_make_of_it(kind):
    """Norms multiply by 2, 3, 5, 7, attention by 11, the MLP by 13."""
    made = kind(CONFIG, lambda *_, **__: nn.Identity(), lambda x, *_: 11 * x, lambda x: 13 * x)
    gains = {"ln_1": 2, "ln_2": 3, "ln_1_out": 5, "ln_2_out": 7}
    for name in gains.keys() & dict(made.named_children()).keys():
        getattr(made, name).register_forward_hook(lambda _, __, y, gain=gains[name]: gain * y)
    wanted = {
        RotaryBlock: (1 + 22) * (1 + 39),
        decoder.ParallelBlock: 1 + 22 + 26,
        decoder.SandwichBlock: (1 + 110) * (1 + 273),
    }
    assert_close(made(X, None), wanted[kind] * X)


def test_first_weights_are_those_of_gpt2_and_the_last_norm_begins_with_gains_of_one():
    torch.manual_seed(0)
    config = dataclasses.replace(CONFIG, n_embd=200, n_layer=4)
    model = GPTLMHeadModel(config, torch.nn.Identity(), make, untied_head)
    stds = {name: p.std().item() for name, p in model.named_parameters() if p.ndim == 2}
    for name, std in stds.items():
        wanted = 0.02 / 8**0.5 if "c_proj" in name else 0.02
        assert std == pytest.approx(wanted, rel=0.05), name
    assert model.transformer.ln_f.weight.tolist() == [1] * 200


def make(config, attend):
    """Return a RotaryModel of these blocks."""
    return RotaryModel(config, attend, block, nn.LayerNorm)


@pytest.mark.parametrize(
    ("kind", "config", "firsts"),
    [
        (LlamaLMHeadModel, FAMILIES["llama"].config, [-0.02895785, 0.01493986, 0.03740992]),
        (ModernLMHeadModel, CONFIG, [-0.02340102, -0.02141760, 0.01800943]),
    ],
)
def test_a_seed_gives_the_weights_with_which_the_recorded_runs_began(kind, config, firsts):
    torch.manual_seed(0)
    model = kind(config)
    parts = model.transformer.wte, model.transformer.h[2].mlp.c_fc, model.lm_head
    assert [part.weight[0, 0].item() for part in parts] == pytest.approx(firsts, rel=1e-5)


def test_there_is_no_table_of_positions_and_the_head_is_not_the_embedding():
    model = GPTLMHeadModel(CONFIG, transformer=make, head=untied_head)
    names = dict(model.named_parameters())
    assert "transformer.wpe.weight" not in names
    assert not torch.equal(names["lm_head.weight"], names["transformer.wte.weight"])
    assert model(random_ids(2, 7))["logits"].shape == (2, 7, CONFIG.vocab_size)


def test_what_does_not_fit_is_refused():
    refused("norm=None", RotaryBlock, CONFIG, None, print, print)
    refused("attn=None", RotaryBlock, CONFIG, nn.RMSNorm, None, print)
    refused("out_bias=1 must be True or False", RotaryAttention, CONFIG, out_bias=1)
    refused("norm='rms'", RotaryModel, CONFIG, print, lambda *_: nn.Identity(), "rms")
    refused("block='llama'", RotaryModel, CONFIG, print, "llama", nn.RMSNorm)
    refused("rotation=None", RotaryModel, CONFIG, print, block, nn.RMSNorm, None)
    refused("attend='fused'", RotaryAttention, CONFIG, "fused")
    refused("dropout=0.1", RotaryModel, SMALL, print, block, nn.RMSNorm)
