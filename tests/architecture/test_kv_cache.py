"""A cache changes what is computed, never what comes out."""

import copy
import dataclasses

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.testing import assert_close

from gpt_helpers.architecture.attention import attention
from gpt_helpers.architecture.kv_cache import KVCache, LayerCache
from gpt_helpers.architecture.model import GPTLMHeadModel
from gpt_helpers.config import GPTConfig
from gpt_helpers.scaling_laws.counts import kv_cache_bytes
from gpt_helpers.variants.modern import ModernLMHeadModel
from tests.helpers.reference import SMALL, random_ids, random_model, refused

N = SMALL.n_positions
MODEL = random_model(std=0.2)
IDS = random_ids(2, N)
PADDING = torch.tensor([[0] * 6 + [1] * (N - 6), [1] * N])


@torch.no_grad()
def in_chunks(model, ids, lengths, mask=None):
    """Return the logits (B, T, V) of ids fed to one cache in chunks of these lengths."""
    cache, parts, start = True, [], 0
    for length in lengths:
        end = start + length
        seen = None if mask is None else mask[:, :end]
        output = model(ids[:, start:end], attention_mask=seen, cache=cache)
        cache, start = output["cache"], end
        parts.append(output["logits"])
    assert cache.length == sum(lengths)
    return torch.cat(parts, dim=1)


def check_equal(found, expected, mask=None):
    """Check equality to 1e-5 at real tokens."""
    if mask is not None:
        found, expected = found[mask.bool()], expected[mask.bool()]
    assert_close(found, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("mask", [None, PADDING], ids=["plain", "padded"])
def test_logits_are_equal_for_every_split_of_prompt_and_continuation(mask):
    whole = MODEL(IDS, attention_mask=mask)["logits"]
    assert whole.std() > 0.3
    for n_prompt in range(1, N):
        check_equal(in_chunks(MODEL, IDS, [n_prompt, N - n_prompt], mask), whole, mask)


@pytest.mark.parametrize("mask", [None, PADDING], ids=["plain", "padded"])
@pytest.mark.parametrize("size", range(1, N + 1))
def test_logits_are_equal_in_chunks_of_every_size(size, mask):
    whole = MODEL(IDS, attention_mask=mask)["logits"]
    lengths = [size] * (N // size) + [N % size] * (N % size > 0)
    check_equal(in_chunks(MODEL, IDS, lengths, mask), whole, mask)


@settings(max_examples=25)
@given(st.lists(st.integers(1, 6), min_size=1, max_size=3), st.integers(0, 999), st.booleans())
def test_logits_are_equal_for_any_chunks_and_any_mask(lengths, seed, is_padded):
    ids = random_ids(3, sum(lengths), seed=seed)
    mask = random_ids(3, sum(lengths), vocab_size=2, seed=seed + 1) if is_padded else None
    whole = MODEL(ids, attention_mask=mask)["logits"]
    check_equal(in_chunks(MODEL, ids, lengths, mask), whole, mask)


def test_the_reference_attention_fills_the_same_cache():
    model = GPTLMHeadModel(SMALL, attend=attention).eval()
    model.load_state_dict(MODEL.state_dict())
    check_equal(in_chunks(model, IDS, [7, 1, 5, 7]), MODEL(IDS)["logits"])


def test_padding_is_remembered_when_later_calls_pass_no_mask():
    with torch.no_grad():
        cache = MODEL(IDS[:, :9], attention_mask=PADDING[:, :9], cache=True)["cache"]
        rest = MODEL(IDS[:, 9:], cache=cache)["logits"]
    check_equal(rest, MODEL(IDS, attention_mask=PADDING)["logits"][:, 9:])


def test_an_empty_cache_may_be_passed_in_and_is_extended_in_place():
    cache = MODEL.new_cache()
    assert (cache.length, cache.batch_size) == (0, None)
    output = MODEL(IDS[:, :5], cache=cache)
    assert output["cache"] is cache
    assert (cache.length, cache.batch_size) == (5, 2)
    assert "cache" not in MODEL(IDS)


def test_a_layer_stores_keys_in_order_and_allocates_once():
    layer = LayerCache(6)
    k, v = torch.randn(2, 2, 3, 5, 4)
    first, _ = layer.append(k[:, :, :3], v[:, :, :3])
    address = first.data_ptr()
    keys, values = layer.append(k[:, :, 3:], v[:, :, 3:])
    assert layer.length == 5
    assert keys.data_ptr() == address
    assert torch.equal(keys, k)
    assert torch.equal(values, v)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_full_cache_takes_the_bytes_of_the_closed_form(dtype):
    model = random_model().to(dtype)
    cache = model(IDS[:1], cache=True)["cache"]
    tensors = [part for layer in cache.layers for part in (layer.keys, layer.values)]
    n_bytes = sum(tensor.numel() * tensor.element_size() for tensor in tensors)
    assert n_bytes == kv_cache_bytes(SMALL, N, dtype.itemsize)


def test_a_refused_call_leaves_the_cache_as_it_was():
    with torch.no_grad():
        cache = MODEL(IDS[:, :4], cache=True)["cache"]
        for wrong in ({"labels": IDS}, {"attention_mask": PADDING[:, :2]}):
            refused("shape", MODEL, IDS[:, 4:6], cache=cache, **wrong)
        assert cache.length == 4
        rest = MODEL(IDS[:, 4:], cache=cache)["logits"]
    check_equal(rest, MODEL(IDS)["logits"][:, 4:])


@torch.no_grad()
def held(cache):
    """Return all that a cache tells a model."""
    padding = None if cache.padding is None else cache.padding.tolist()
    layers = [
        [
            layer.length,
            *(part[:, :, : layer.length].tolist() for part in (layer.keys, layer.values)),
        ]
        for layer in cache.layers
        if layer.keys is not None
    ]
    return cache.length, cache.batch_size, padding, layers


@pytest.mark.parametrize("kind", [GPTLMHeadModel, ModernLMHeadModel])
@pytest.mark.parametrize("n_held", [0, 5])
@torch.no_grad()
def test_a_call_that_fails_anywhere_leaves_the_cache_as_it_was(kind, n_held):
    model = kind(dataclasses.replace(SMALL, dropout=0.0)).eval()
    expected = in_chunks(model, IDS[:, :9], [5, 4], PADDING)
    cache = model.new_cache()
    if n_held:
        model(IDS[:, :n_held], attention_mask=PADDING[:, :n_held], cache=cache)
    before = held(cache)
    inner = [*model.modules()][1:]
    for module in (module for module in inner if type(module) is not nn.ModuleList):
        handle = module.register_forward_hook(lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            model(IDS[:, n_held:9], attention_mask=PADDING[:, :9], cache=cache)
        handle.remove()
        assert held(cache) == before
    found = model(IDS[:, n_held:9], attention_mask=PADDING[:, :9], cache=cache)["logits"]
    check_equal(found, expected[:, n_held:], PADDING[:, n_held:9])


def test_a_cache_in_another_precision_is_refused_and_left_as_it_was():
    cache = MODEL(IDS[:, :5], cache=True)["cache"]
    before = held(cache)
    other = random_model(std=0.2).bfloat16()
    refused("bfloat16", other, IDS[:, 5:7], cache=cache)
    assert held(cache) == before


@torch.no_grad()
def test_a_mask_that_is_changed_later_changes_no_cache():
    mask = PADDING[:, :9].bool()
    cache = MODEL(IDS[:, :9], attention_mask=mask, cache=True)["cache"]
    before = held(cache)
    mask[:] = True
    assert held(cache) == before


@torch.no_grad()
def test_a_cache_that_forgot_everything_is_a_new_one():
    cache = MODEL(IDS[:, :9], attention_mask=PADDING[:, :9], cache=True)["cache"]
    cache.truncate(0)
    assert held(cache) == held(MODEL.new_cache())
    found = MODEL(IDS[:1, :4], cache=cache)["logits"]
    check_equal(found, MODEL(IDS[:1, :4])["logits"])


def test_a_cache_that_began_in_inference_mode_goes_on_outside_of_it_and_back():
    expected = MODEL(IDS)["logits"]
    with torch.inference_mode():
        cache = MODEL(IDS[:, :5], cache=True)["cache"]
    with torch.no_grad():
        MODEL(IDS[:, 5:6], cache=cache)
    with torch.inference_mode():
        check_equal(MODEL(IDS[:, 6:], cache=cache)["logits"], expected[:, 6:])


@pytest.mark.parametrize("mode", [torch.no_grad, torch.enable_grad, torch.inference_mode])
@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_a_copy_of_a_cache_goes_on_by_itself(copied, mode):
    with mode():
        cache = MODEL(IDS[:, :5], attention_mask=PADDING[:, :5], cache=True)["cache"]
        other, layer, before = copied(cache), copied(cache.layers[1]), held(cache)
    assert held(other) == before
    assert not other.layers[0].keys.requires_grad
    with torch.no_grad():
        MODEL(IDS[:, 9:12], cache=other)
        layer.truncate(1)
        layer.append(*torch.zeros(2, 2, 4, 1, 6))
    other.truncate(1)
    assert held(cache) == before
    assert held(copied(MODEL.new_cache())) == held(MODEL.new_cache())


def test_a_cache_that_does_not_fit_is_refused():
    cache = MODEL(IDS[:, :5], cache=True)["cache"]
    refused(r"\(3, 20, 2, 4, 6\), this call \(3, 20, 1, 4, 6\)", MODEL, IDS[:1, :1], cache=cache)
    deeper = random_model(n_layer=4)
    refused(r"\(3, 20, 2.* this call \(4, 20, 2.*cache=True", deeper, IDS[:, :1], cache=cache)
    longer = random_model(n_positions=21)
    refused(r"\(3, 20, .* this call \(3, 21, ", longer, IDS[:, :1], cache=cache)
    wider = random_model(n_embd=28)
    refused(r"4, 6\), this call \(3, 20, 2, 4, 7\)", wider, IDS[:, :1], cache=cache)
    heads = random_model(n_head=3)
    refused(r"4, 6\), this call \(3, 20, 2, 3, 8\)", heads, IDS[:, :1], cache=cache)
    doubled, message = random_model().double(), "holds torch.float32, this call makes torch.float64"
    refused(message, doubled, IDS[:, :1], cache=cache)
    with torch.autocast("cpu", torch.bfloat16):
        refused("this call makes torch.bfloat16; go on", MODEL, IDS[:, :1], cache=cache)
    assert cache.length == 5  # and so it can still be used
    MODEL(IDS[:, 5:6], cache=cache)
    for wrong in (False, 1, "yes", cache.layers):
        refused("must be True, or the cache of an earlier call", MODEL, IDS, cache=wrong)


@torch.no_grad()
def test_more_tokens_than_positions_are_refused_with_both_numbers():
    cache = MODEL(IDS[:, :15], cache=True)["cache"]
    refused("21 tokens .15 cached. but n_positions=20", MODEL, IDS[:, :6], cache=cache)
    MODEL(IDS[:, :5], cache=cache)
    refused("21 tokens .20 cached. but n_positions=20", MODEL, IDS[:, :1], cache=cache)


def test_a_cache_is_made_for_a_config():
    refused("config=None must be a GPTConfig", KVCache, None)


def test_every_layer_of_a_cache_has_room_for_all_positions():
    cache = KVCache(GPTConfig(n_layer=3, n_positions=7))
    assert [layer.n_positions for layer in cache.layers] == [7, 7, 7]
