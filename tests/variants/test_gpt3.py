"""GPT-3: every second layer reads a band of the last tokens, and is otherwise GPT-2."""

import dataclasses

import torch
from torch.testing import assert_close

from gpt_helpers.architecture.attention import attention
from gpt_helpers.architecture.model import GPTLMHeadModel
from gpt_helpers.architecture.trace import recorded_attention
from gpt_helpers.config import GPTConfig
from gpt_helpers.variants.gpt3 import GPT3Config, GPT3Model
from gpt_helpers.variants.sizes import GPT3
from tests.helpers.reference import left_padded, random_ids, random_model

CONFIG = GPT3Config(vocab_size=61, n_positions=20, n_embd=24, n_layer=4, n_head=4, window=3)
GPT2 = GPTConfig(vocab_size=61, n_positions=20, n_embd=24, n_layer=4, n_head=4)
IDS = random_ids(2, 15)


def gpt3(**changes):
    """Return a small GPT-3 in eval mode, with weights that are not small."""
    torch.manual_seed(0)
    model = GPT3(dataclasses.replace(CONFIG, initializer_range=0.3, **changes))
    return model.eval()


def in_bands(attend, window):
    """Return attend for odd calls, and with the window for even ones: one layer after another."""
    calls = []

    def attend_in_turn(q, k, v, padding=None, dropout=0.0):
        calls.append(q)
        own = window if len(calls) % 2 == 0 else None
        return attend(q, k, v, padding, dropout, own)

    return attend_in_turn


@torch.no_grad()
def test_it_is_gpt2_whose_second_fourth_layers_attend_within_the_window():
    model = gpt3()
    peer = GPTLMHeadModel(GPT2, attend=in_bands(attention, 3)).eval()
    peer.load_state_dict(model.state_dict())
    ids, mask = left_padded([IDS[0], IDS[1, :9]])
    found, wanted = (gpt(ids, attention_mask=mask)["logits"][mask.bool()] for gpt in (model, peer))
    assert_close(found, wanted, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_what_a_banded_layer_reads_is_recorded():
    model = gpt3()
    with recorded_attention(model) as layers:
        model(IDS)
    distance = torch.arange(15)[:, None] - torch.arange(15)
    for number, weights in enumerate(layers):
        read = (weights > 0).all(1).all(0)
        within = distance < 3 if number % 2 else distance < 15
        assert torch.equal(read, (distance >= 0) & within)
    assert len(layers) == CONFIG.n_layer


@torch.no_grad()
def test_a_window_as_long_as_the_text_is_gpt2():
    model = gpt3(window=20)
    plain = random_model(GPT2)
    plain.load_state_dict(model.state_dict())
    assert_close(model(IDS)["logits"], plain(IDS)["logits"], rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_the_cache_changes_nothing_at_any_split():
    model = gpt3()
    whole = model(IDS)["logits"]
    for split in range(1, 15):
        cache = model(IDS[:, :split], cache=True)["cache"]
        found = model(IDS[:, split:], cache=cache)["logits"]
        assert_close(found, whole[:, split:], rtol=1e-4, atol=1e-5)


def test_it_generates_the_same_with_and_without_a_cache_even_past_the_window():
    model = gpt3()
    ids, mask = left_padded([IDS[0, :9], IDS[1, :4]])
    cached, plain = (
        model.generate(ids, 20, attention_mask=mask, temperature=0, use_cache=use)
        for use in (True, False)
    )
    assert torch.equal(cached, plain)


def test_its_parameters_are_those_of_gpt2():
    names = [name for name, _ in GPT3Model(CONFIG).named_parameters()]
    assert names == [name for name, _ in random_model(GPT2).transformer.named_parameters()]
