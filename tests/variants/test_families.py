"""Each family against transformers with the same weights: logits, cache, padding, generation."""

import copy
import dataclasses
import importlib
import inspect
import pkgutil

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from gpt_helpers import variants
from gpt_helpers.architecture.heads import without_heads
from gpt_helpers.architecture.trace import recorded_attention
from tests.helpers.reference import left_padded, random_ids, refused
from tests.helpers.twins import FAMILIES, twins

IDS = random_ids(2, 15)
SPLITS = (1, 4, 8, 14)


@pytest.fixture(scope="module", params=FAMILIES)
def family(request):
    """Return a family with its two models: (family, ours, theirs)."""
    found = FAMILIES[request.param]
    return found, *twins(found)


def check_close(family, found, wanted):
    """Check that logits agree as closely as this family must."""
    assert_close(found, wanted, rtol=0, atol=family.tolerance)


def arguments(family, mask):
    """Return what the peer needs to read rows with this attention mask."""
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    return {"attention_mask": mask} | (
        {"position_ids": positions} if family.takes_positions else {}
    )


@torch.no_grad()
def test_logits_are_those_of_transformers(family):
    family, ours, theirs = family
    wanted = theirs(IDS).logits
    assert wanted.std() > 0.5
    check_close(family, ours(IDS)["logits"], wanted)


@torch.no_grad()
def test_logits_of_left_padded_rows_are_those_of_transformers(family):
    family, ours, theirs = family
    ids, mask = left_padded([IDS[0], IDS[1, :9]])
    wanted = theirs(ids, **arguments(family, mask)).logits
    real = mask.bool()
    check_close(family, ours(ids, attention_mask=mask)["logits"][real], wanted[real])


@torch.no_grad()
def test_recorded_weights_are_those_of_transformers(family):
    family, ours, theirs = family
    theirs = copy.deepcopy(theirs)
    theirs.set_attn_implementation("eager")
    wanted = theirs(IDS, output_attentions=True).attentions
    with recorded_attention(ours) as found:
        ours(IDS)
    assert len(found) == ours.config.n_layer
    assert_close(found, [family.heads(layer) for layer in wanted], rtol=0, atol=1e-5)


@torch.no_grad()
def test_leaving_a_head_out_is_a_projection_without_its_columns(family):
    _, ours, _ = family
    cut = copy.deepcopy(ours)
    cut.transformer.h[1].attn.c_proj.weight.unflatten(1, (ours.config.n_head, -1))[:, 2] = 0
    with without_heads(ours, {(1, 2)}):
        found = ours(IDS)["logits"]
    assert_close(found, cut(IDS)["logits"])
    assert (found - ours(IDS)["logits"]).abs().max() > 1e-3


@torch.no_grad()
def test_logits_with_a_cache_are_those_of_transformers_at_any_split(family):
    family, ours, theirs = family
    whole = theirs(IDS).logits
    for split in SPLITS:
        cache = ours(IDS[:, :split], cache=True)["cache"]
        found = ours(IDS[:, split:], cache=cache)["logits"]
        check_close(family, found, whole[:, split:])
        if family.has_cache:
            seen = theirs(IDS[:, :split], use_cache=True).past_key_values
            wanted = theirs(IDS[:, split:], past_key_values=seen).logits
            check_close(family, found, wanted)


@torch.no_grad()
def test_logits_with_a_cache_after_left_padding_are_those_without(family):
    family, ours, _ = family
    ids, mask = left_padded([IDS[0], IDS[1, :9]])
    whole = ours(ids, attention_mask=mask)["logits"]
    for split in (8, 14):
        cache = ours(ids[:, :split], attention_mask=mask[:, :split], cache=True)["cache"]
        found = ours(ids[:, split:], cache=cache)["logits"]
        check_close(family, found, whole[:, split:])


def test_what_it_generates_is_what_transformers_generates(family):
    family, ours, theirs = family
    for prompt in (IDS[:1, :6], IDS[1:, :3]):
        found = ours.generate(prompt, 12, temperature=0)
        wanted = theirs.generate(
            prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=12, do_sample=False,
            use_cache=family.has_cache,
        )  # fmt: skip
        assert torch.equal(found, wanted)


def test_what_it_generates_is_the_same_with_and_without_a_cache_even_past_the_window(family):
    _, ours, _ = family
    ids, mask = left_padded([IDS[0, :9], IDS[1, :4]])
    cached, plain = (
        ours.generate(ids, 20, attention_mask=mask, temperature=0, use_cache=use)
        for use in (True, False)
    )
    assert torch.equal(cached, plain)


@torch.no_grad()
def test_changing_the_future_does_not_change_the_past(family):
    family, ours, _ = family
    changed = IDS.clone()
    changed[:, 9:] = 0
    found, before = ours(changed)["logits"], ours(IDS)["logits"]
    check_close(family, found[:, :9], before[:, :9])
    assert (found[:, 9:] - before[:, 9:]).abs().max() > 0.1


def test_at_first_every_parameter_gets_a_gradient_and_the_loss_is_a_uniform_guess(family):
    family, ours, _ = family
    torch.manual_seed(0)
    model = family.model(ours.config).train()
    loss = model(IDS, labels=IDS)["loss"]
    loss.backward()
    assert loss.item() == pytest.approx(4.1109, abs=0.15)  # log(61)
    lacking = [
        n
        for n, p in model.named_parameters()
        if p.grad is None and p.requires_grad and "experts" not in n
    ]
    assert lacking == []


def test_a_config_of_another_family_is_refused():
    for name, family in FAMILIES.items():
        if name != "gpt1":
            kind = type(family.config).__name__
            refused(f"must be a {kind}", family.model, FAMILIES["gpt1"].config)


def test_configs_that_no_model_of_a_family_can_have_are_refused():
    wrong = {
        "gpt_j": {"dropout": 0.1, "rotary_width": 5},
        "gpt_neox": {"dropout": 0.1, "rotary_width": 8, "rotary_base": 1.0, "parallel": 1},
        "llama": {"dropout": 0.1, "rope_factor": 0.5, "original_positions": 0},
        "mixtral": {"n_experts": 0, "n_experts_per_token": 6},
        "qwen3": {"head_width": 7, "rotary_base": None},
        "plamo": {"dropout": 0.1, "n_kv_head": 4},
        "qwen2": {"dropout": 0.1, "rotary_base": 0},
        "olmo2": {"dropout": 0.1, "rotary_base": 1.0},
        "gemma2": {"score_width": 0, "window": 1.5, "head_width": 7},
        "gemma3": {"window_base": 1.0, "score_width": 2.5, "rope_factor": 0.5},
        "gpt_oss": {"window": 0, "head_width": 0, "n_experts_per_token": None},
        "gpt_neo": {"window": 2.5},
        "deepseek3": {
            "n_kv_head": 2,
            "value_width": 15,
            "n_dense": -1,
            "n_groups": 4,
            "n_experts_per_token": 5,
            "n_groups_chosen": 4,
            "routed_scaling_factor": 0,
            "query_latent": 0,
            "dense_width": None,
            "dropout": 0.1,
        },
    }
    for name, changes in wrong.items():
        for field, value in changes.items():
            refused(
                f"{field}={value}", dataclasses.replace, FAMILIES[name].config, **{field: value}
            )
    odd = {"n_embd": 20, "rotary_width": None}
    refused("head_width=5", dataclasses.replace, FAMILIES["gpt_j"].config, **odd)


def test_every_class_stands_on_at_most_one_other_of_the_book():
    for module in pkgutil.iter_modules(variants.__path__):
        parts = vars(importlib.import_module(f"gpt_helpers.variants.{module.name}"))
        for kind in filter(inspect.isclass, parts.values()):
            own = [base for base in kind.__mro__ if base.__module__.startswith("gpt_helpers")]
            assert len(own) <= 2, own


def test_numbers_of_numpy_are_kept_as_those_of_python():
    for name, family in FAMILIES.items():
        numbers = {
            field: kind(value)
            for field, value in vars(family.config).items()
            for kind in (np.int64 if type(value) is int else np.float64,)
            if type(value) in (int, float)
        }
        config = dataclasses.replace(family.config, **numbers)
        assert config == family.config
        found = {field: type(value).__name__ for field, value in vars(config).items()}
        assert "int64" not in found.values(), (name, found)
        assert "float64" not in found.values(), (name, found)
