"""A cached step computes one token: what was computed earlier is read in place, never copied."""

import copy

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from gpt_helpers.architecture.generation import generate
from gpt_helpers.architecture.modules import fast_attribute_lookup
from gpt_helpers.config import GPTConfig
from gpt_helpers.optimization.peak import extra_bytes
from gpt_helpers.variants.modern import ModernLMHeadModel
from tests.helpers.reference import random_ids, random_model, refused

CONFIG = GPTConfig(61, n_positions=1100, n_embd=64, n_layer=3, n_head=4, dropout=0.0)
GROUPED = GPTConfig(61, n_positions=1100, n_embd=64, n_layer=3, n_head=4, n_kv_head=2, dropout=0.0)
MODELS = {
    "GPT-2": random_model(CONFIG),
    "grouped": random_model(GROUPED),
    "modern": ModernLMHeadModel(CONFIG).eval(),
}
ALL = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS.keys())
KEYS_AND_VALUES = 4 * 2 * 64  # bytes per token, in one layer


class Calls(TorchDispatchMode):
    """Records (name, bytes of the new storages that come out) of every operation."""

    def __init__(self):
        super().__init__()
        self.found = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        given = {x.untyped_storage().data_ptr() for x in args if isinstance(x, torch.Tensor)}
        results = result if isinstance(result, tuple | list) else (result,)
        storages = [x.untyped_storage() for x in results if isinstance(x, torch.Tensor)]
        new = [storage.nbytes() for storage in storages if storage.data_ptr() not in given]
        self.found.append((func.overloadpacket.__name__, sum(new)))
        return result


@torch.inference_mode()
def filled(model, n_seen, n_rows=1):
    """Return a cache with n_seen tokens in it, and a token more to read, (B, 1)."""
    ids = random_ids(n_rows, n_seen + 1)
    return model(ids[:, :-1], cache=True)["cache"], ids[:, -1:]


@torch.inference_mode()
def calls_of_step(model, n_seen):
    """Return the operations of the step after n_seen tokens."""
    cache, token = filled(model, n_seen)
    with Calls() as calls:
        model(token, cache=cache)
    return calls.found


@torch.inference_mode()
def bytes_of_step(model, n_seen):
    """Return the bytes that a step after n_seen tokens holds at most."""
    cache, token = filled(model, n_seen)
    return extra_bytes(lambda: model(token, cache=cache)["logits"])


@ALL
def test_a_step_does_the_same_operations_after_100_tokens_as_after_1000(model):
    assert calls_of_step(model, 100) == calls_of_step(model, 1000)


@ALL
def test_a_step_stores_one_key_and_one_value_per_layer_and_copies_nothing_else(model):
    names = [name for name, _ in calls_of_step(model, 100)]
    assert names.count("copy_") == 2 * CONFIG.n_layer
    assert "clone" not in names


@ALL
def test_a_step_holds_no_byte_more_for_earlier_tokens_than_the_scores_of_a_kernel(model):
    few, many = bytes_of_step(model, 100), bytes_of_step(model, 1000)
    assert few > 0
    assert many - few <= 900 * 4 * CONFIG.n_head  # one float32 score per token and head
    assert many - few < 900 * KEYS_AND_VALUES / 10


@ALL
@torch.inference_mode()
def test_keys_and_values_stay_where_they_are_and_what_they_are(model):
    cache, token = filled(model, 9, n_rows=2)
    buffers = [part for layer in cache.layers for part in (layer.keys, layer.values)]
    places, earlier = ([x.data_ptr() for x in buffers], [x[:, :, :9].clone() for x in buffers])
    for _ in range(3):
        model(token, cache=cache)
    after = [part for layer in cache.layers for part in (layer.keys, layer.values)]
    assert [part.data_ptr() for part in after] == places
    assert all(torch.equal(part[:, :, :9], old) for part, old in zip(after, earlier, strict=True))


@ALL
@torch.inference_mode()
def test_attention_reads_the_buffers_of_the_cache_themselves(model):
    cache, token = filled(model, 9)
    block, read = model.transformer.h[1].attn, []
    attend = block.attend

    def recording(q, k, v, *settings):
        read.extend((k.data_ptr(), v.data_ptr()))
        return attend(q, k, v, *settings)

    block.attend = recording
    try:
        model(token, cache=cache)
    finally:
        block.attend = attend
    assert read == [cache.layers[1].keys.data_ptr(), cache.layers[1].values.data_ptr()]


@ALL
def test_parts_at_hand_are_the_parts_themselves(model):
    with fast_attribute_lookup(model):
        for module in model.modules():
            for name, part in (module._parameters | module._modules).items():
                assert vars(module)[name] is part


@ALL
def test_parts_are_no_longer_at_hand_afterwards_even_after_an_error(model):
    modules = list(model.modules())
    before = [dict(vars(module)) for module in modules]
    with pytest.raises(ValueError, match="spans"), fast_attribute_lookup(model):
        model(random_ids(1, 5) + CONFIG.vocab_size)
    assert [vars(module) for module in modules] == before


def test_generate_has_parts_at_hand_and_changes_no_token():
    model, ids, seen = copy.deepcopy(MODELS["GPT-2"]), random_ids(1, 5), []
    expected = generate(model, ids, 9, temperature=0)
    attn = model.transformer.h[0].attn
    attend = attn.attend
    attn.attend = lambda *given: seen.append("c_attn" in vars(attn)) or attend(*given)
    assert torch.equal(model.generate(ids, 9, temperature=0), expected)
    assert seen == [True] * 9
    assert "c_attn" not in vars(attn)


def test_every_hook_is_called_with_parts_at_hand():
    model, seen = copy.deepcopy(MODELS["GPT-2"]), []
    block, first = model.transformer.h[1], model.transformer.wte
    block.register_forward_hook(lambda *_: seen.append("after the block"))
    first.register_forward_pre_hook(lambda *_: seen.append("before the embedding"))
    model.generate(random_ids(1, 5), 2, temperature=0)
    assert seen == ["before the embedding", "after the block"] * 2


def test_hooks_of_all_modules_are_called_with_parts_at_hand():
    model, seen = MODELS["GPT-2"], []
    hook = torch.nn.modules.module.register_module_forward_pre_hook(
        lambda module, _: seen.append(module)
    )
    with hook:
        model.generate(random_ids(1, 5), 1, temperature=0)
    assert {*seen} == {*model.modules()} - {model.transformer.h}


def test_a_part_that_is_replaced_meanwhile_stays_replaced():
    model = random_model()
    with fast_attribute_lookup(model):
        model.lm_head = torch.nn.Linear(24, 61)
        assert model.lm_head is model._modules["lm_head"]
    assert model.lm_head.bias is not None


def test_only_modules_have_parts():
    refused("model is a list; it must be an nn.Module", fast_attribute_lookup([]).__enter__)
