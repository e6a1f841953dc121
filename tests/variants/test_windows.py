"""Sliding windows: which layers of each family read one, and how long it is."""

import dataclasses

import pytest

from gpt_helpers.variants.gpt3 import GPT3Config
from gpt_helpers.variants.sizes import GPT3
from gpt_helpers.variants.windows import use_sliding_window, window_of
from tests.helpers.reference import refused
from tests.helpers.twins import FAMILIES

GPT3_CONFIG = GPT3Config(n_embd=8, n_layer=4, n_head=2, n_positions=9, window=2)
CASES = {
    "gpt3": (GPT3, GPT3_CONFIG, [None, 2, None, 2]),
    **{
        name: (FAMILIES[name].model, FAMILIES[name].config, windows)
        for name, windows in {
            "gpt_neo": [None, 3, None], "gemma2": [3, None, 3],
            "gemma3": [3, 3, 3, 3, 3, None], "llama": [None] * 3,
        }.items()
    },
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_windows_lie_in_the_layers_of_each_family_that_have_one(name):
    kind, config, windows = CASES[name]
    assert [window_of(block) for block in kind(config).transformer.h] == windows


@pytest.mark.parametrize("name", sorted(CASES.keys() - {"llama"}))
def test_a_window_is_a_number_of_tokens(name):
    for wrong in (0, 2.5, True, None):
        refused(f"window={wrong}", dataclasses.replace, CASES[name][1], window=wrong)
    refused("window=0", use_sliding_window, [], 0)


@pytest.mark.parametrize("wrong", [None, 3, "h", GPT3(GPT3_CONFIG)], ids=type)
def test_what_has_no_attention_is_refused_before_any_layer_is_given_a_window(wrong):
    block = GPT3(GPT3_CONFIG).transformer.h[0]
    refused("blocks is", use_sliding_window, wrong, 3)
    refused("blocks is list", use_sliding_window, [block, wrong], 3)
    assert window_of(block) is None
