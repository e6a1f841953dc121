"""Low-rank updates against a dense sum by hand, and what merging leaves behind."""

import copy
import dataclasses

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from gpt_helpers.architecture.model import GPTLMHeadModel
from gpt_helpers.config import GPTConfig
from gpt_helpers.training.loop import train
from gpt_helpers.training.lora import (
    ADAPTED_LAYERS,
    add_lora,
    count_trained,
    merge_lora,
    updates_of,
)
from gpt_helpers.training.settings import TrainingSettings
from gpt_helpers.variants.modern import ModernLMHeadModel
from tests.helpers.reference import refused

CONFIG = GPTConfig(
    23, n_positions=16, n_embd=12, n_layer=2, n_head=3, dropout=0.0, initializer_range=0.3
)
IDS = torch.randint(23, (4, 9), generator=torch.Generator().manual_seed(1))
SETTINGS = TrainingSettings(total_steps=4, warmup_steps=0, max_lr=0.05, min_lr=0.05)
KINDS = [GPTLMHeadModel, ModernLMHeadModel]


def fresh(kind=GPTLMHeadModel):
    """Return a model with the same random weights each time."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return kind(CONFIG)


def trained(model):
    """Return the model after a few steps on one batch."""
    train(model, [IDS] * SETTINGS.total_steps, SETTINGS)
    return model


def logits(model):
    """Return the logits of a model for the ids of this file."""
    with torch.no_grad():
        return model.eval()(IDS)["logits"]


@pytest.mark.parametrize("kind", KINDS)
def test_an_untrained_update_changes_nothing(kind):
    model = fresh(kind)
    before = logits(model)
    assert torch.equal(logits(add_lora(model, 2)), before)


@pytest.mark.parametrize("kind", KINDS)
def test_training_changes_the_updates_and_nothing_else(kind):
    model = add_lora(fresh(kind), 2, generator=torch.Generator().manual_seed(0))
    before = {name: weight.clone() for name, weight in model.named_parameters()}
    trained(model)
    for name, weight in model.named_parameters():
        is_update = name.endswith((".A", ".B"))
        assert weight.requires_grad == is_update
        assert torch.equal(weight, before[name]) != is_update, name
        assert (weight.grad is not None) == is_update


@pytest.mark.parametrize("kind", KINDS)
def test_the_updated_model_is_the_one_with_dense_sums_in_place_of_its_matrices(kind):
    model = trained(add_lora(fresh(kind), 3, alpha=5.0))
    dense = fresh(kind)
    for name, layer in model.named_modules():
        if name.endswith(ADAPTED_LAYERS):
            update = layer.parametrizations.weight[0]
            added = 5.0 / 3 * torch.einsum("nr,rk->nk", update.B, update.A)
            dense.get_submodule(name).weight.data += added.detach()
    assert_close(logits(model), logits(dense))
    assert not torch.allclose(logits(model), logits(fresh(kind)), atol=1e-2)


@pytest.mark.parametrize("kind", KINDS)
def test_a_merged_model_is_a_plain_one_with_equal_logits(kind):
    model = trained(add_lora(fresh(kind), 2))
    before = logits(model)
    assert merge_lora(model) is model
    assert (logits(model) - before).abs().max() <= 1e-5
    plain = fresh(kind)
    assert model.state_dict().keys() == plain.state_dict().keys()
    assert [type(m) for m in model.modules()] == [type(m) for m in plain.modules()]
    assert all(weight.requires_grad for weight in model.parameters())
    assert count_trained(model) == count_trained(plain)


def test_a_merged_model_can_be_given_updates_again():
    model = merge_lora(trained(add_lora(fresh(), 2)))
    before = logits(model)
    assert torch.equal(logits(add_lora(model, 1)), before)


@pytest.mark.parametrize("kind", KINDS)
def test_the_updated_model_generates_what_the_merged_one_does_with_and_without_cache(kind):
    model = trained(add_lora(fresh(kind), 2))
    found = [model.generate(IDS, 6, temperature=0, use_cache=cache) for cache in (True, False)]
    assert torch.equal(*found)
    assert torch.equal(merge_lora(model).generate(IDS, 6, temperature=0), found[0])


@given(rank=st.integers(1, 12), kind=st.sampled_from(KINDS))
def test_an_update_trains_rank_times_outputs_and_inputs_of_every_layer(rank, kind):
    width, inner = CONFIG.n_embd, CONFIG.mlp_width
    sides = (3 * width + width) + (width + width) + 2 * (inner + width)
    model = add_lora(fresh(kind), rank)
    assert count_trained(model) == CONFIG.n_layer * rank * sides
    assert len(updates_of(model)) == CONFIG.n_layer * 4


def test_only_the_layers_that_are_named_get_an_update():
    model = add_lora(fresh(), 2, layers=("c_attn",))
    owners = {name for name, _ in model.named_parameters() if name.endswith(".A")}
    assert owners == {f"transformer.h.{i}.attn.c_attn.parametrizations.weight.0.A" for i in (0, 1)}


def test_the_update_has_the_rank_that_was_asked_for_and_the_seed_fixes_it():
    models = [
        add_lora(fresh(), 3, generator=torch.Generator().manual_seed(seed)) for seed in (4, 4, 5)
    ]
    first, same, other = ([u.A.detach() for u in updates_of(model)] for model in models)
    assert all(map(torch.equal, first, same))
    assert not any(map(torch.equal, first, other))
    update = updates_of(trained(models[0]))[0]
    change = update(torch.zeros(36, 12)).double()
    assert torch.linalg.matrix_rank(change, rtol=1e-5) == 3


def test_alpha_scales_the_update_and_is_the_rank_unless_given():
    updates = [updates_of(add_lora(fresh(), 4, alpha))[0] for alpha in (None, 4, 8.0)]
    assert [update.scale for update in updates] == [1, 1, 2]


def test_a_copy_of_the_updated_model_is_independent():
    model = add_lora(fresh(), 2)
    other = trained(copy.deepcopy(model))
    assert torch.equal(logits(model), logits(fresh()))
    assert not torch.equal(logits(other), logits(model))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("merged_first", ["copy", "original", "a copy of the copy"])
def test_merging_one_of_several_copies_leaves_the_others_their_updates(kind, merged_first):
    original = trained(add_lora(fresh(kind), 2))
    copies = {"original": original, "copy": copy.deepcopy(original)}
    copies["a copy of the copy"] = copy.deepcopy(copies["copy"])
    expected, n_updates = logits(original), len(updates_of(original))
    merged = merge_lora(copies.pop(merged_first))
    assert (logits(merged) - expected).abs().max() <= 1e-5
    for other in copies.values():
        assert len(updates_of(other)) == n_updates
        assert torch.equal(logits(other), expected)
        assert not torch.equal(logits(trained(copy.deepcopy(other))), expected)
    for other in copies.values():
        assert (logits(merge_lora(other)) - expected).abs().max() <= 1e-5
        assert [type(m) for m in other.modules()] == [type(m) for m in fresh(kind).modules()]


def test_what_was_frozen_before_the_updates_is_frozen_after_them():
    model = fresh()
    model.transformer.wte.requires_grad_(False)
    before = {name: weight.requires_grad for name, weight in model.named_parameters()}
    attributes = sorted(vars(model))
    assert merge_lora(add_lora(model, 2)) is model
    assert {name: weight.requires_grad for name, weight in model.named_parameters()} == before
    assert sorted(vars(model)) == attributes
    assert count_trained(model) < count_trained(fresh())


def test_a_run_that_stopped_goes_on_from_its_checkpoint(tmp_path):
    whole = trained(add_lora(fresh(), 2, generator=torch.Generator().manual_seed(3)))
    settings = dataclasses.replace(SETTINGS, save_every=3)

    def stop(row, model):
        if row["step"] == 3:
            raise InterruptedError

    model = add_lora(fresh(), 2, generator=torch.Generator().manual_seed(3))
    with pytest.raises(InterruptedError):
        train(model, [IDS] * 4, settings, folder=tmp_path, after_step=stop)
    again = add_lora(fresh(), 2, generator=torch.Generator().manual_seed(9))
    train(again, [IDS] * 4, settings, folder=tmp_path)
    assert torch.equal(logits(again), logits(whole))


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"rank": 0}, "rank=0"),
        ({"rank": 13}, "rank=13"),
        ({"rank": 2.0}, "rank=2.0"),
        ({"rank": 2, "alpha": 0}, "alpha=0"),
        ({"rank": 2, "layers": ("q_proj",)}, "q_proj"),
        ({"rank": 2, "layers": ()}, "layers"),
        ({"rank": 2, "layers": ("lm_head",)}, "tied"),
        ({"rank": 2, "layers": "c_attn"}, "layers is a str"),
        ({"rank": 2, "generator": 3}, "generator=3"),
    ],
)
def test_what_no_model_can_have_is_refused_and_changes_nothing(arguments, named):
    model = fresh()
    model.transformer.wpe.requires_grad_(False)
    attributes = sorted(vars(model))
    refused(named, add_lora, model, **arguments)
    assert count_trained(model) == count_trained(fresh()) - model.transformer.wpe.weight.numel()
    assert not updates_of(model)
    assert sorted(vars(model)) == attributes


def test_a_layer_that_shares_its_weight_with_any_other_is_refused():
    model = fresh()
    first, second = (block.mlp.c_fc for block in model.transformer.h)
    second.weight = first.weight
    refused("tied to another", add_lora, model, 2, layers=("c_fc",))
    assert count_trained(add_lora(model, 2, layers=("c_attn",))) > 0


def test_updates_are_not_added_twice_nor_merged_twice():
    model = add_lora(fresh(), 2)
    refused("merge_lora", add_lora, model, 2)
    merge_lora(model)
    refused("add_lora", merge_lora, model)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_updates_of_narrow_weights_are_learned_in_float32(dtype):
    base = fresh().to(dtype)
    model = add_lora(copy.deepcopy(base), 2, generator=torch.Generator().manual_seed(0))
    for update in updates_of(model):
        assert {update.A.dtype, update.B.dtype} == {torch.float32}
        torch.nn.init.normal_(update.B, std=1e-3, generator=torch.Generator().manual_seed(1))
    layer, plain = model.transformer.h[0].attn.c_attn, base.transformer.h[0].attn.c_attn
    update = updates_of(model)[0]
    expected = (plain.weight.float() + update.scale * update.B @ update.A).to(dtype)
    assert torch.equal(layer.weight, expected)
    merged = merge_lora(model)
    assert {weight.dtype for weight in merged.parameters()} == {dtype}
    assert torch.equal(merged.transformer.h[0].attn.c_attn.weight, expected)
