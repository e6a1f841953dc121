"""gpt-oss: the MLP of its experts, and the layers that read a window."""

import math

import pytest
import torch

from gpt_helpers.variants.gpt_oss import GPTOSSMLP, GPTOSSModel
from gpt_helpers.variants.windows import window_of
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


def test_windows_lie_in_every_second_layer():
    assert [window_of(block) for block in GPTOSSModel(CONFIG).h] == [3, None, 3]
