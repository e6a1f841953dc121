"""The published sizes are built, and count, to the parameter, what was published."""

import pytest
import torch

from gpt_helpers.variants.published import load_models
from gpt_helpers.variants.sizes import MODEL_SIZES, built, count_active, count_all
from tests.helpers.reference import refused

PUBLISHED = {model.model: model for model in load_models()}
# With thousands of experts these take seconds; variants/test_published.py counts them by layer.
LONG = {"Qwen3 30B-A3B", "Qwen3 235B-A22B", "gpt-oss-120b", "DeepSeek-V3"}


@pytest.mark.parametrize("name", sorted(MODEL_SIZES.keys() - LONG))
def test_the_published_number_of_parameters_is_exact(name):
    assert count_all(built(name)) == PUBLISHED[name].n_params


def test_every_model_whose_count_follows_from_its_shape_is_built():
    counted = {name for name, row in PUBLISHED.items() if "n_params" in row.computed}
    assert set(MODEL_SIZES) == counted


@pytest.mark.parametrize(
    ("name", "published"), [("Mixtral 8x7B", 12_879_925_248), ("gpt-oss-20b", 3_608_307_264)]
)
def test_of_experts_those_that_are_chosen_are_active(name, published):
    model = built(name)
    embedding = count_all(model.transformer.wte)  # which the card of gpt-oss leaves out
    assert count_active(model) == published + (embedding if name.startswith("gpt-oss") else 0)


def test_without_experts_every_parameter_is_active():
    model = built("Llama 3.1 8B")
    assert count_active(model) == count_all(model)


def test_gpt_j_counts_more_where_eight_devices_hold_copies():
    """Its README counts 6,053,381,344, over 8 devices that each hold what is not divided.

    Those are the norms and the biases of the MLP's projection into the stream; a bias of the
    embedding, one per device, is added to the embedding when the weights are exported.
    """
    config, devices = MODEL_SIZES["GPT-J 6B"][1], 8
    norms = (config.n_layer + 1) * 2 * config.n_embd
    biases = config.n_layer * config.n_embd
    copies = (devices - 1) * (norms + biases) + devices * config.n_embd
    assert count_all(built("GPT-J 6B")) + copies == 6_053_381_344


def test_llm_jp_3_172b_has_the_width_and_depth_of_gpt3():
    gpt3, llm_jp = (MODEL_SIZES[name][1] for name in ("GPT-3 175B", "llm-jp-3-172b"))
    for name in ("n_embd", "n_layer", "n_head", "head_width"):
        assert getattr(gpt3, name) == getattr(llm_jp, name)
    assert (gpt3.key_heads, llm_jp.key_heads) == (96, 16)


def test_mistral_reads_a_window():
    attend = built("Mistral 7B v0.1").transformer.h[0].attn.attend
    q = torch.zeros(1, 1, 1, 2)
    v = torch.arange(5000.0)[None, None, :, None].expand(1, 1, 5000, 2)
    found = attend(q, torch.zeros_like(v), v)
    assert found[0, 0, 0, 0].item() == pytest.approx(sum(range(904, 5000)) / 4096)


def test_a_model_that_is_built_holds_no_numbers():
    assert all(parameter.is_meta for parameter in built("GPT-3 175B").parameters())
    refused("name='GPT-4' is unknown", built, "GPT-4")
