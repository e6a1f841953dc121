"""Query heads that share heads of keys and values: models, parameters and cache."""

import dataclasses

import pytest
import torch
from torch.testing import assert_close

from gpt_helpers.architecture.attention import attention
from gpt_helpers.architecture.kv_cache import KVCache
from gpt_helpers.architecture.model import GPTLMHeadModel
from gpt_helpers.config import GPTConfig
from gpt_helpers.optimization.tiled import attention_tiled
from gpt_helpers.scaling_laws.counts import count_parameters, kv_cache_bytes
from gpt_helpers.variants.modern import ModernLMHeadModel
from tests.helpers.reference import SMALL, left_padded, random_ids, random_model, refused

GROUPS = pytest.mark.parametrize("groups", [1, 2, 4])
IDS, MASK = left_padded([random_ids(1, n, seed=n)[0] for n in (3, 7)])


def with_copies(model):
    """Return the model that has a key head per query head, copies of those of model."""
    config = model.config
    width, heads, groups = config.head_width, config.n_head, config.key_heads
    twin = type(model)(dataclasses.replace(config, n_kv_head=None)).eval()
    copies = [head * groups // heads for head in range(heads)]
    state = model.state_dict()
    for name, value in state.items():
        if "c_attn" in name:
            parts = value.split([heads * width, groups * width, groups * width])
            parts = [part.unflatten(0, (-1, width)) for part in parts]
            state[name] = torch.cat([parts[0], parts[1][copies], parts[2][copies]]).flatten(0, 1)
    twin.load_state_dict(state)
    return twin


@GROUPS
@pytest.mark.parametrize("kind", [GPTLMHeadModel, ModernLMHeadModel])
def test_a_model_of_shared_heads_equals_one_with_copies_of_them(groups, kind):
    torch.manual_seed(0)
    config = dataclasses.replace(SMALL, n_kv_head=groups, dropout=0.0)
    model = kind(config).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    twin = with_copies(model)
    assert_close(model(IDS, MASK)["logits"], twin(IDS, MASK)["logits"])
    ours = model.generate(IDS, 8, attention_mask=MASK, temperature=0)
    assert torch.equal(ours, twin.generate(IDS, 8, attention_mask=MASK, temperature=0))
    assert torch.equal(
        ours, model.generate(IDS, 8, attention_mask=MASK, temperature=0, use_cache=False)
    )


def test_multi_query_attention_equals_hugging_face():
    from transformers import GPTBigCodeConfig, GPTBigCodeForCausalLM

    model = random_model(std=0.2, n_kv_head=1)
    sizes = {name: getattr(SMALL, name) for name in ("vocab_size", "n_positions", "n_embd")}
    peer = GPTBigCodeForCausalLM(
        GPTBigCodeConfig(
            **sizes, n_layer=SMALL.n_layer, n_head=SMALL.n_head, multi_query=True,
            activation_function="gelu_new", attn_implementation="eager",
            bos_token_id=None, eos_token_id=None,
        )
    ).eval()  # fmt: skip
    peer.load_state_dict(model.state_dict())
    expected = peer(IDS, attention_mask=MASK, position_ids=(MASK.cumsum(-1) - 1).clamp(min=0))
    found = model(IDS, MASK)["logits"]
    assert found.std() > 0.3
    assert (found - expected.logits)[MASK.bool()].abs().max() <= 1e-5


@GROUPS
@pytest.mark.parametrize("attend", [attention, attention_tiled])
def test_a_model_takes_any_attention_and_gives_equal_logits_and_gradients(groups, attend):
    torch.manual_seed(0)
    config = dataclasses.replace(SMALL, n_kv_head=groups, dropout=0.0)
    fused = GPTLMHeadModel(config)
    other = GPTLMHeadModel(config, attend=attend)
    other.load_state_dict(fused.state_dict())
    outputs = [model(IDS, MASK, labels=IDS) for model in (fused, other)]
    assert_close(outputs[1]["logits"], outputs[0]["logits"])
    for output in outputs:
        output["loss"].backward()
    for ours, theirs in zip(other.parameters(), fused.parameters(), strict=True):
        assert_close(ours.grad, theirs.grad, rtol=1e-4, atol=1e-6)


@GROUPS
def test_the_cache_holds_the_heads_of_keys_only(groups):
    model = random_model(n_kv_head=groups, n_positions=16)
    cache = model(IDS, cache=True)["cache"]
    stored = [layer.keys for layer in cache.layers] + [layer.values for layer in cache.layers]
    assert all(tuple(part.shape) == (2, groups, 16, 6) for part in stored)
    n_bytes = sum(part.numel() for part in stored) * 4 // len(IDS)
    assert n_bytes == kv_cache_bytes(model.config, 16, 4)
    assert count_parameters(model.config) == sum(p.numel() for p in model.parameters())
    assert kv_cache_bytes(model.config, 1, 4) * 4 == kv_cache_bytes(SMALL, 1, 4) * groups


# Published sizes. Source: touvron2023llama2 and grattafiori2024llama3, by kv_cache_bytes.
PUBLISHED = {
    "Llama-2-7B": (GPTConfig(n_embd=4096, n_layer=32, n_head=32), 524_288),
    "Llama-2-70B": (GPTConfig(n_embd=8192, n_layer=80, n_head=64, n_kv_head=8), 327_680),
    "Llama-3.1-8B": (GPTConfig(n_embd=4096, n_layer=32, n_head=32, n_kv_head=8), 131_072),
    "Llama-3.1-405B": (GPTConfig(n_embd=16384, n_layer=126, n_head=128, n_kv_head=8), 516_096),
    "GPT-2": (GPTConfig(), 36_864),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_bytes_per_token_of_published_models_in_16_bits(name):
    config, n_bytes = PUBLISHED[name]
    assert kv_cache_bytes(config, 1, 2) == n_bytes


def test_a_cache_of_other_heads_is_refused():
    cache = random_model(n_kv_head=2)(IDS, cache=True)["cache"]
    refused(r"start with a new one", random_model(), IDS[:, :1], cache=cache)


@pytest.mark.parametrize("n_kv_head", [0, 3, 5, 2.0, True])
def test_heads_that_do_not_share_evenly_are_refused(n_kv_head):
    refused(f"n_kv_head={n_kv_head}", dataclasses.replace, SMALL, n_kv_head=n_kv_head)


def test_what_a_cache_forgets_can_be_said_otherwise():
    model, ids = random_model(std=0.2), random_ids(2, 9)
    cache = model(ids, cache=True)["cache"]
    cache.truncate(5)
    assert cache.length == 5
    other = random_ids(2, 4, seed=9)
    found = model(other, cache=cache)["logits"]
    assert_close(found, model(torch.cat([ids[:, :5], other], 1))["logits"][:, 5:])
    cache.truncate(0)
    assert_close(model(ids, cache=cache)["logits"], model(ids)["logits"])
    for length in (-1, 10, 2.0, True, None):
        refused(f"length={length} must be an integer from 0 to 9", cache.truncate, length)


def test_a_cache_forgets_padding_with_its_tokens():
    model = random_model(std=0.2)
    cache = model(IDS, MASK, cache=True)["cache"]
    cache.truncate(5)
    found = model(IDS[:, 5:], cache=cache)["logits"]
    assert_close(found, model(IDS, MASK)["logits"][:, 5:])
    assert KVCache(SMALL).length == 0


@pytest.mark.parametrize("chunk_size", [1, 2, 3, 7, 50])
def test_a_prompt_that_is_read_in_chunks_is_continued_in_the_same_way(chunk_size):
    model = random_model(std=0.2)
    options = {"attention_mask": MASK, "temperature": 0}
    expected = model.generate(IDS, 6, **options)
    assert torch.equal(model.generate(IDS, 6, chunk_size=chunk_size, **options), expected)


def test_no_chunk_is_longer_than_asked_for():
    model, lengths = random_model(), []
    model.transformer.register_forward_hook(lambda _, args, out: lengths.append(args[0].shape[1]))
    model.generate(IDS, 2, attention_mask=MASK, chunk_size=3)
    assert lengths == [3, 3, 1, 1]
    refused("chunk_size=0 must be a positive integer", model.generate, IDS, 2, chunk_size=0)
