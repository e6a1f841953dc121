"""The published sizes count, to the parameter, what was published."""

import dataclasses

import pytest
import torch
from reference import refused

from gpt_helpers.variants.sizes import MODEL_SIZES, built, count_active, count_all

COUNTS = {
    "GPT-1": 116_534_784,
    "GPT-2 small": 124_439_808,
    "GPT-2 medium": 354_823_168,
    "GPT-2 large": 774_030_080,
    "GPT-2 XL": 1_557_611_200,
    "GPT-3 Small": 125_226_240,
    "GPT-3 Medium": 355_871_744,
    "GPT-3 Large": 760_300_032,
    "GPT-3 XL": 1_315_723_264,
    "GPT-3 2.7B": 2_651_553_280,
    "GPT-3 6.7B": 6_658_404_352,
    "GPT-3 13B": 12_853_386_240,
    "GPT-3 175B": 174_604_259_328,
    "GPT-Neo 2.7B": 2_651_307_520,
    "GPT-J 6B": 6_050_882_784,
    "GPT-NeoX-20B": 20_554_567_680,
    "rinna japanese-gpt-neox-3.6b": 3_607_245_312,
    "LLaMA 7B": 6_738_415_616,
    "Llama 2 7B": 6_738_415_616,
    "Llama 2 70B": 68_976_648_192,
    "Swallow 7B": 6_829_969_408,
    "Swallow 70B": 69_159_755_776,
    "Sarashina2 7B": 7_315_132_416,
    "Sarashina2 13B": 13_736_760_320,
    "llm-jp-3-13b": 13_707_924_480,
    "llm-jp-3-172b": 172_400_848_896,
    "Mistral 7B v0.1": 7_241_732_096,
    "Mixtral 8x7B": 46_702_792_704,
    "Llama 3.1 8B": 8_030_261_248,
    "Llama 3.1 70B": 70_553_706_496,
    "Llama 3.1 405B": 405_853_388_800,
    "Qwen3 8B": 8_190_735_360,
    "Qwen3 32B": 32_762_123_264,
    "gpt-oss-20b": 20_914_757_184,
}
# Those with thousands of experts take long to build whole: two layers tell what a layer has.
COUNTS_BY_LAYER = {
    "Qwen3 30B-A3B": (30_532_122_624, 3_353_032_704),
    "Qwen3 235B-A22B": (235_093_634_560, 22_190_763_520),
    "gpt-oss-120b": (116_829_156_672, 5_132_849_472 + 201_088 * 2880),
    "gpt-oss-20b": (20_914_757_184, 3_608_307_264 + 201_088 * 2880),
    "Mixtral 8x7B": (46_702_792_704, 12_879_925_248),
}


def of_layers(name, n_layer, counting):
    """Return what counting finds in a model of MODEL_SIZES with another number of layers."""
    model, config = MODEL_SIZES[name]
    with torch.device("meta"):
        return counting(model(dataclasses.replace(config, n_layer=n_layer)))


@pytest.mark.parametrize("name", COUNTS)
def test_the_published_number_of_parameters_is_exact(name):
    assert count_all(built(name)) == COUNTS[name]


@pytest.mark.parametrize("name", COUNTS_BY_LAYER)
def test_the_published_numbers_of_mixtures_are_exact_in_all_and_per_token(name):
    for counting, published in zip((count_all, count_active), COUNTS_BY_LAYER[name], strict=True):
        one, two = (of_layers(name, n_layer, counting) for n_layer in (1, 2))
        assert one + (MODEL_SIZES[name][1].n_layer - 1) * (two - one) == published


def test_every_size_is_counted():
    assert {*COUNTS, *COUNTS_BY_LAYER} == set(MODEL_SIZES)


def test_without_experts_every_parameter_is_active():
    model = built("Llama 3.1 8B")
    assert count_active(model) == count_all(model)


def test_gpt_j_counts_more_where_eight_devices_hold_copies():
    """Its README counts 6,053,381,344, over 8 devices that each hold what is not divided.

    Those are the norms and the biases of the projections into the stream; a bias of the
    embedding, one per device, is added to it when the weights are exported.
    """
    config, devices = MODEL_SIZES["GPT-J 6B"][1], 8
    norms = (config.n_layer + 1) * 2 * config.n_embd
    biases = config.n_layer * config.n_embd
    copies = (devices - 1) * (norms + biases) + devices * config.n_embd
    assert count_all(built("GPT-J 6B")) + copies == 6_053_381_344


def test_llm_jp_3_172b_has_the_width_and_depth_of_gpt3():
    ours, theirs = (MODEL_SIZES[name][1] for name in ("GPT-3 175B", "llm-jp-3-172b"))
    for name in ("n_embd", "n_layer", "n_head", "head_width"):
        assert getattr(ours, name) == getattr(theirs, name)
    assert (ours.key_heads, theirs.key_heads) == (96, 16)


def test_a_model_that_is_built_holds_no_numbers():
    assert all(parameter.is_meta for parameter in built("GPT-3 175B").parameters())
    refused("name='GPT-4' is unknown", built, "GPT-4")
