"""Weights stored by columns are the same weights."""

import copy

import torch
from torch.testing import assert_close

from gpt_helpers.architecture.modules import store_by_columns
from gpt_helpers.config import GPTConfig
from gpt_helpers.variants.modern import ModernLMHeadModel
from gpt_helpers.weights.pretrained import load_model, save_model
from tests.helpers.reference import random_ids, random_model, refused


def test_values_names_and_shapes_stay_and_only_widening_matrices_change_their_strides():
    model = random_model()
    before = copy.deepcopy(model.state_dict())
    assert store_by_columns(model) is model
    assert model.lm_head.weight is model.transformer.wte.weight
    for name, weight in model.state_dict().items():
        assert torch.equal(weight, before[name])
        by_columns = weight.ndim == 2 and weight.stride()[0] == 1
        assert by_columns == (weight.ndim == 2 and weight.shape[0] > weight.shape[1])


def test_logits_and_gradients_are_the_same_and_the_model_can_still_be_trained():
    model, ids = random_model(std=0.1), random_ids(2, 9)
    twin = store_by_columns(copy.deepcopy(model))
    for one in (model, twin):
        output = one(ids, labels=ids)
        output["loss"].backward()
        one.logits = output["logits"].detach()
    assert_close(twin.logits, model.logits)
    pairs = zip(model.named_parameters(), twin.parameters(), strict=True)
    for (_, ours), theirs in pairs:
        assert_close(theirs.grad, ours.grad)
    torch.optim.AdamW(twin.parameters()).step()


def test_what_is_stored_by_columns_is_written_and_read_like_any_other(tmp_path):
    _, tokenizer = load_model()
    config = GPTConfig(1024, n_positions=16, n_embd=24, n_layer=2, n_head=4, dropout=0.0)
    torch.manual_seed(0)
    model = ModernLMHeadModel(config)
    save_model(tmp_path / "rows", model, tokenizer)
    save_model(tmp_path / "columns", store_by_columns(model), tokenizer)
    rows, columns = (load_model(tmp_path / name)[0].state_dict() for name in ("rows", "columns"))
    assert all(torch.equal(columns[name], weight) for name, weight in rows.items())


def test_what_is_no_model_is_refused():
    refused("model is a dict; it must be an nn.Module", store_by_columns, {})
