"""gpt-oss: the MLP of its experts, and the layers that read a window."""

import math

import pytest
import torch

from gpt_helpers.variants.gpt3 import GPT3Config, GPT3Model, use_sliding_window
from gpt_helpers.variants.gpt_oss import GPTOSSMLP, GPTOSSModel
from tests.helpers.reference import refused
from tests.helpers.twins import FAMILIES

CONFIG = FAMILIES["gpt_oss"].config


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
    refused("window=0", use_sliding_window, [], 0)
