"""Gemma 3: which layers read a window, and how each of the two kinds turns."""

import dataclasses

import pytest
import torch
from torch.testing import assert_close

from gpt_helpers.variants.costs import cache_bytes, keys_read
from gpt_helpers.variants.gemma3 import Gemma3LMHeadModel, Gemma3Model
from gpt_helpers.variants.rotary import rotary_angles
from gpt_helpers.variants.sizes import built
from tests.helpers.reference import random_ids
from tests.helpers.twins import FAMILIES, randomised

CONFIG = FAMILIES["gemma3"].config
IDS = random_ids(2, 9)


@torch.no_grad()
def logits_with(**changes):
    """Return the logits of one model of six layers, with changes of its config."""
    return randomised(Gemma3LMHeadModel(dataclasses.replace(CONFIG, **changes)))(IDS)["logits"]


def test_five_layers_read_a_window_and_the_sixth_reads_all():
    model = Gemma3LMHeadModel(dataclasses.replace(CONFIG, n_layer=7))
    of_all = [block.attn.reads_all for block in model.transformer.h]
    assert of_all == [False] * 5 + [True, False]
    assert keys_read(model, 13) == [3] * 5 + [13, 3]


def test_layers_with_a_window_turn_faster_and_are_not_stretched():
    near, far = Gemma3Model(CONFIG).rotation(torch.arange(4)[None])
    assert_close(near, rotary_angles(torch.arange(4)[None], 10, 50.0))
    slower = rotary_angles(torch.arange(4)[None], 10, 100.0, lambda found: found / 2)
    assert_close(far, slower)


def test_each_base_and_the_factor_change_what_is_computed():
    before = logits_with()
    for changes in ({"window_base": 5.0}, {"rotary_base": 5.0}, {"rope_factor": 4.0}):
        assert (logits_with(**changes) - before).abs().max() > 1e-3
    assert_close(logits_with(n_layer=5, rope_factor=4.0), logits_with(n_layer=5))


def test_the_head_is_the_embedding():
    model = Gemma3LMHeadModel(CONFIG)
    assert model.lm_head.weight is model.transformer.wte.weight


def test_windows_save_most_of_the_cache_of_long_texts():
    model = built("Gemma 3 4B")
    assert keys_read(model, 131072).count(1024) == 29  # of 34
    saved = cache_bytes(model, 131072, 2) / (34 * 2 * 4 * 256 * 131072 * 2)
    assert saved == pytest.approx((5 + 29 / 128) / 34)
