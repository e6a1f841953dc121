"""The layout of Hugging Face's GPT-2: what is read, and by which name a misfit is refused."""

import dataclasses

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gpt_helpers.architecture.model import ACTIVATIONS
from gpt_helpers.config import ACTIVATION_NAMES, GPTConfig
from gpt_helpers.weights.gpt2_format import (
    CONV1D,
    check_finite_weights,
    check_orientation,
    config_of,
    gpt2_settings,
    named_alike,
    stored_weights,
)
from gpt_helpers.weights.sealed import copy_tensors
from tests.helpers.reference import SMALL, random_model, refused
from tests.helpers.runs import are_equal, weights_of

MODEL = random_model(std=0.1)
SETTINGS = gpt2_settings(SMALL)
FIRST = "transformer.h.0.attn.c_attn.weight"


def read(tensors, model=MODEL):
    """Copy tensors of a file into a model, with every check that loading makes."""
    tensors = named_alike(tensors, "file")
    check_finite_weights(tensors, "file")
    check_orientation(stored_weights(model), tensors, "file")
    copy_tensors(stored_weights(model), tensors, "file")


def stored(**changes):
    """Return the tensors of a file with changes; None leaves one out."""
    tensors = {name: weight.clone() for name, weight in stored_weights(MODEL).items()} | changes
    return {name: tensor for name, tensor in tensors.items() if tensor is not None}


def turned(names):
    """Return the tensors of a file in which some matrices are (out, in)."""
    return stored(**{name: stored()[name].T.contiguous() for name in names})


@given(
    st.builds(
        lambda heads, width, **rest: GPTConfig(n_head=heads, n_embd=heads * width, **rest),
        heads=st.integers(1, 5),
        width=st.integers(1, 5),
        vocab_size=st.integers(1, 99),
        n_positions=st.integers(1, 99),
        n_layer=st.integers(1, 9),
        n_inner=st.none() | st.integers(1, 99),
        activation=st.sampled_from(ACTIVATION_NAMES),
        dropout=st.sampled_from([0, 0.0, 0.1, 0.3]),
        layer_norm_epsilon=st.sampled_from([1e-5, 1e-6]),
        initializer_range=st.sampled_from([0.02, 0.1]),
    )
)
def test_the_settings_of_any_config_give_it_back(config):
    assert config_of(gpt2_settings(config), "config.json") == config


def test_settings_that_old_files_leave_out_are_those_of_gpt2():
    sizes = ("vocab_size", "n_positions", "n_embd", "n_layer", "n_head")
    old = {name: SETTINGS[name] for name in ("model_type", *sizes)}
    assert config_of(old | {"n_ctx": 20, "task_specific_params": {}}, "old") == SMALL


def test_two_names_of_one_activation_are_read_alike():
    for name, ours in (("gelu_pytorch_tanh", "gelu"), ("swish", "swish"), ("silu", "swish")):
        found = config_of(SETTINGS | {"activation_function": name}, "config.json")
        assert found.activation == ours
    from transformers.activations import ACT2FN

    x, settings = torch.linspace(-6, 6, 99), SETTINGS | {"activation_function": "gelu_fast"}
    ours = ACTIVATIONS[config_of(settings, "config.json").activation]
    assert (ours(x) - ACT2FN["gelu_fast"](x)).abs().max() < 1e-6


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "gpt_neo"}, "config.json says model_type='gpt_neo', GPT-2 has 'gpt2'"),
        ({"model_type": None}, "says model_type=None"),
        ({"scale_attn_weights": False}, "scale_attn_weights=False, GPT-2 has True"),
        ({"scale_attn_by_inverse_layer_idx": True}, "scale_attn_by_inverse_layer_idx=True"),
        ({"add_cross_attention": True}, "add_cross_attention=True"),
        ({"tie_word_embeddings": False}, "tie_word_embeddings=False"),
        ({"activation_function": ["gelu"]}, r"activation_function=\['gelu'\]; known are"),
        ({"quantization_config": {"bits": 4}}, "config.json is of a quantized model; give one"),
        ({"activation_function": "quick_gelu"}, "activation_function='quick_gelu'; known are"),
        ({"activation_function": None}, "activation_function=None; known are"),
        ({"attn_pdrop": 0.2}, r"'attn_pdrop': 0.2.*one dropout, make them equal"),
        ({"n_embd": 25}, "config.json is wrong: n_embd=25 does not divide into n_head=4"),
        ({"n_layer": "3"}, "config.json is wrong: n_layer='3' must be a positive integer"),
        ({"n_positions": None}, "config.json is wrong: n_positions=None"),
        ({"layer_norm_epsilon": 0}, "layer_norm_epsilon=0"),
    ],
)
def test_settings_of_another_architecture_are_refused_by_name(changes, message):
    refused(message, config_of, SETTINGS | changes, "config.json")


def test_settings_without_a_size_or_a_type_are_refused():
    lacking = {name: value for name, value in SETTINGS.items() if name not in ("n_head", "n_layer")}
    message = r"config.json does not say \['n_layer', 'n_head'\]"
    refused(message, config_of, lacking, "config.json")
    untyped = {name: value for name, value in SETTINGS.items() if name != "model_type"}
    refused("config.json says model_type=None", config_of, untyped, "config.json")
    for wrong in ([], None, "gpt2", 3):
        refused("no settings; copy it again", config_of, wrong, "config.json")


def test_shared_heads_have_no_place_in_the_settings():
    shared = dataclasses.replace(SMALL, n_kv_head=2)
    refused("n_kv_head=2 differs from n_head=4", gpt2_settings, shared)
    assert gpt2_settings(dataclasses.replace(SMALL, n_kv_head=4)) == SETTINGS


def test_what_is_copied_into_the_stored_weights_is_in_the_model():
    model = random_model(seed=1)
    read(stored(), model)
    for name, weight in MODEL.named_parameters():
        assert torch.equal(model.get_parameter(name), weight)
    assert all(weight.requires_grad for weight in model.parameters())


def test_every_matrix_of_a_block_is_stored_by_inputs_and_outputs():
    config = dataclasses.replace(SMALL, n_inner=40)
    shapes = {n: tuple(w.shape) for n, w in stored_weights(random_model(config)).items()}
    assert shapes["transformer.h.2.attn.c_attn.weight"] == (24, 72)
    assert shapes["transformer.h.2.attn.c_proj.weight"] == (24, 24)
    assert shapes["transformer.h.2.mlp.c_fc.weight"] == (24, 40)
    assert shapes["transformer.h.2.mlp.c_proj.weight"] == (40, 24)
    assert shapes["transformer.wte.weight"] == (61, 24)
    square = stored_weights(MODEL)["transformer.h.2.attn.c_proj.weight"]
    assert torch.equal(square, MODEL.transformer.h[2].attn.c_proj.weight.T)
    assert "lm_head.weight" not in shapes


def test_names_may_lack_the_prefix_and_masks_are_left_out():
    bare = {name.removeprefix("transformer."): tensor for name, tensor in stored().items()}
    masks = {
        "h.0.attn.bias": torch.ones(1, 1, 20, 20, dtype=torch.uint8),
        "h.11.attn.masked_bias": torch.tensor(-1e4),
    }
    head = {"lm_head.weight": bare["wte.weight"]}
    for more in ({}, masks, head, masks | head):
        found = named_alike(bare | more, "file")
        assert found.keys() == stored().keys()
        read(bare | more)
    assert "transformer.h.0.attn.c_attn.bias" in found
    refused(r"\['transformer.h.0.mlp.bias'\]", read, bare | {"h.0.mlp.bias": torch.ones(1)})


@pytest.mark.parametrize("missing", ["transformer.h.1.ln_2.bias", FIRST, "transformer.wte.weight"])
def test_a_missing_tensor_is_named(missing):
    refused(rf"file is of another model: it lacks \['{missing}'\]", read, stored(**{missing: None}))


def test_a_head_alone_is_the_embedding_too():
    alone = {"transformer.wte.weight": None, "lm_head.weight": MODEL.lm_head.weight.detach()}
    model = random_model(seed=1)
    read(stored(**alone), model)
    assert are_equal(weights_of(model), weights_of(MODEL))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("head", [False, True])
@pytest.mark.parametrize("name", ["transformer.wte.weight", FIRST, "transformer.ln_f.bias"])
def test_a_number_that_is_not_finite_is_refused_by_the_name_of_its_tensor(name, head, value):
    wrong = stored()
    wrong[name][(1,) * wrong[name].ndim] = value
    more = {"lm_head.weight": wrong["transformer.wte.weight"]} if head else {}
    refused(f"file holds numbers in {name} that are not finite", read, wrong | more)


@pytest.mark.parametrize("extra", ["transformer.h.3.ln_1.bias", "score.weight", "lm_head.bias"])
def test_an_extra_tensor_is_named(extra):
    refused(rf"it lacks \[\] and has \['{extra}'\]", read, stored(**{extra: torch.ones(3)}))


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("transformer.wte.weight", (62, 24)),
        ("transformer.wte.weight", (24, 61)),
        ("transformer.wpe.weight", (24, 20)),
        ("transformer.h.1.attn.c_attn.bias", (71,)),
        ("transformer.h.1.attn.c_proj.weight", (24, 25)),
        (FIRST, (24, 73)),
        ("transformer.ln_f.weight", ()),
    ],
)
def test_a_tensor_of_another_shape_is_named_with_both_shapes(name, shape):
    needed = tuple(stored()[name].shape)
    message = f"{name} is {shape}, not {needed}".replace("(", r"\(").replace(")", r"\)")
    refused(message, read, stored(**{name: torch.ones(shape)}))


def test_nothing_is_copied_if_anything_is_refused():
    model = random_model(seed=1)
    before = model.transformer.wte.weight.detach().clone()
    refused("it lacks", read, stored(**{"transformer.ln_f.bias": None}), model)
    assert torch.equal(model.transformer.wte.weight, before)


def test_matrices_as_a_linear_layer_has_them_are_refused():
    ours = {name: weight.detach() for name, weight in MODEL.named_parameters()}
    message = r"file holds 9 of 9 matrices as \(out, in\), such as \['transformer.h.0.attn.c_attn"
    refused(message, read, ours)


def test_a_file_with_matrices_of_both_orientations_is_refused():
    message = rf"1 of 9 matrices as \(out, in\), such as \['{FIRST}'\]"
    refused(message, read, turned([FIRST]))
    others = [name for name in stored() if name.endswith(CONV1D) and "mlp" not in name]
    refused("3 of 9 matrices", read, turned(others))


def test_in_a_file_whose_mlp_is_square_attention_tells_the_orientation():
    model = random_model(n_inner=24)
    ours = {name: weight.detach() for name, weight in model.named_parameters()}
    refused("3 of 3 matrices", read, ours, model)


def test_a_square_matrix_alone_that_is_turned_cannot_be_told():
    name = "transformer.h.0.attn.c_proj.weight"
    model = random_model(seed=1)
    read(turned([name]), model)
    assert torch.equal(model.get_parameter(name), MODEL.get_parameter(name).T)


def test_a_name_with_and_without_its_prefix_is_refused():
    twice = {"wpe.weight": stored()["transformer.wpe.weight"]}
    refused("holds transformer.wpe.weight twice", read, stored(**twice))


@pytest.mark.parametrize("change", [lambda head: head + 1, lambda head: head[:-1]])
def test_a_head_of_its_own_is_refused(change):
    head = {"lm_head.weight": change(MODEL.lm_head.weight.detach())}
    refused("lm_head.weight other than wte.weight; GPT-2 ties them", read, stored(**head))


def test_numbers_of_16_bits_are_read_and_integers_refused():
    for dtype in (torch.float16, torch.bfloat16):
        model = random_model(seed=1)
        read({name: tensor.to(dtype) for name, tensor in stored().items()}, model)
        found = model.transformer.h[1].mlp.c_fc.weight
        assert found.dtype == torch.float32
        assert torch.equal(found, MODEL.transformer.h[1].mlp.c_fc.weight.to(dtype).float())
    for dtype in (torch.int64, torch.uint8, torch.bool, torch.float64):
        wrong = {FIRST: stored()[FIRST].to(dtype)}
        found = str(dtype).removeprefix("torch.")
        refused(f"file holds {FIRST} as {found}; float32", read, stored(**wrong))
