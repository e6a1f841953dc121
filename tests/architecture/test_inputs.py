"""What a model accepts: ids, masks, positions, labels; and what it says to anything else."""

import collections
import contextlib
import math
import sys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from gpt_helpers.architecture.attention import attention_fused
from gpt_helpers.architecture.inputs import padding_of, positions_of
from gpt_helpers.architecture.model import GPTMLP
from gpt_helpers.training.lora import add_lora
from gpt_helpers.variants.gpt_oss import GPTOSSConfig, GPTOSSLMHeadModel
from tests.helpers.reference import SMALL, random_ids, random_model, refused

N, V = SMALL.n_positions, SMALL.vocab_size
MODEL = random_model(std=0.2)
IDS = random_ids(2, 6)
MASK = torch.tensor([[0, 0, 1, 1, 1, 1], [1, 1, 1, 1, 1, 1]])


@pytest.mark.parametrize(
    "dtype", [torch.bool, torch.uint8, torch.int32, torch.int64, torch.float16, torch.float32]
)
def test_masks_of_every_dtype_mean_the_same(dtype):
    expected = MODEL(IDS, attention_mask=MASK)["logits"]
    assert torch.equal(MODEL(IDS, attention_mask=MASK.to(dtype))["logits"], expected)
    assert not torch.allclose(MODEL(IDS)["logits"], expected)


def test_a_mask_of_ones_is_no_mask():
    assert padding_of(torch.ones(2, 6), IDS) is None
    found = MODEL(IDS, attention_mask=torch.ones(2, 6))["logits"]
    assert torch.equal(found, MODEL(IDS)["logits"])


@given(st.lists(st.lists(st.booleans(), min_size=5, max_size=5), min_size=1, max_size=4))
def test_a_position_is_the_number_of_real_tokens_before(rows):
    padding = torch.tensor(rows)
    found = positions_of(padding, torch.zeros_like(padding, dtype=torch.long))
    for row, places in zip(rows, found.tolist(), strict=True):
        for at, is_real in enumerate(row):
            if is_real:
                assert places[at] == sum(row[:at])
    assert found.min() >= 0


def test_positions_without_padding_count_from_zero():
    assert positions_of(None, IDS).tolist() == [[0, 1, 2, 3, 4, 5]]


def test_left_padded_rows_have_the_logits_of_unpadded_ones():
    for n_pads in range(1, 6):
        row = IDS[:1, n_pads:]
        mask = (torch.arange(6) >= n_pads).int().expand(2, 6).clone()
        mask[1] = 1
        found = MODEL(IDS, attention_mask=mask)["logits"]
        assert_close(found[:1, n_pads:], MODEL(row)["logits"])
        assert_close(found[1:], MODEL(IDS[1:])["logits"])


def test_right_padding_changes_nothing_before_it():
    mask = torch.tensor([[1, 1, 1, 1, 0, 0], [1, 1, 1, 1, 1, 1]])
    found = MODEL(IDS, attention_mask=mask)["logits"]
    assert_close(found[0, :4], MODEL(IDS)["logits"][0, :4])


def test_what_stands_at_padding_is_never_read():
    other = IDS.masked_fill(MASK == 0, 17)
    kept = MASK.bool()
    found, expected = (MODEL(ids, attention_mask=MASK)["logits"][kept] for ids in (other, IDS))
    assert torch.equal(found, expected)


def test_a_row_of_padding_only_is_finite_in_values_and_gradients():
    mask = torch.tensor([[0] * 6, [1] * 6])
    model = random_model(std=0.2)
    output = model(IDS, attention_mask=mask, labels=IDS)
    assert output["logits"].isfinite().all()
    output["loss"].backward()
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())


def test_positions_can_be_given_and_shared_by_all_rows():
    places = torch.tensor([[3, 4, 5, 6, 7, 8]])
    shared = MODEL(IDS, position_ids=places)["logits"]
    assert torch.equal(shared, MODEL(IDS, position_ids=places.expand(2, 6))["logits"])
    assert not torch.allclose(shared, MODEL(IDS)["logits"])
    derived = positions_of(MASK.bool(), IDS)
    found = MODEL(IDS, attention_mask=MASK, position_ids=derived)["logits"]
    assert torch.equal(found, MODEL(IDS, attention_mask=MASK)["logits"])


def test_32_bit_integers_do_as_well():
    output = MODEL(IDS.int(), position_ids=torch.arange(6)[None].int(), labels=IDS.int())
    expected = MODEL(IDS, labels=IDS)
    assert torch.equal(output["logits"], expected["logits"])
    assert torch.equal(output["loss"], expected["loss"])


def test_as_many_tokens_as_positions_are_read_and_one_more_is_refused_with_both_numbers():
    MODEL(random_ids(1, N))
    refused(f"{N + 1} tokens .* n_positions={N}; pass the last {N}", MODEL, random_ids(1, N + 1))


def test_inputs_are_left_as_they_were():
    places = torch.arange(6)[None]
    given_inputs = [IDS, MASK, places, IDS]
    copies = [tensor.clone() for tensor in given_inputs]
    MODEL(IDS, attention_mask=MASK, position_ids=places, labels=IDS, cache=True)
    assert all(torch.equal(*pair) for pair in zip(given_inputs, copies, strict=True))


META = torch.zeros(2, 6, dtype=torch.long, device="meta")
WRONG = {
    "ids None": ({"input_ids": None}, "input_ids is a NoneType; make it a tensor"),
    "ids a list": ({"input_ids": [[1]]}, "input_ids is a list"),
    "ids an array": ({"input_ids": np.ones((2, 6))}, "input_ids is a ndarray"),
    "ids of floats": ({"input_ids": IDS.float()}, r"float32; convert it with .long\(\)"),
    "ids of bools": ({"input_ids": IDS.bool()}, r"torch.bool; convert it with .long\(\)"),
    "ids of bytes": ({"input_ids": IDS.byte()}, r"torch.uint8; convert it with .long\(\)"),
    "ids of 16 bits": ({"input_ids": IDS.short()}, r"torch.int16; convert it with .long\(\)"),
    "ids in a row": ({"input_ids": IDS[0]}, r"shape \(6,\); it must be \(B, T\)"),
    "ids three axes": ({"input_ids": IDS[None]}, r"shape \(1, 2, 6\)"),
    "no tokens": ({"input_ids": IDS[:, :0]}, r"shape \(2, 0\)"),
    "no rows": ({"input_ids": IDS[:0]}, r"shape \(0, 6\)"),
    "id too high": ({"input_ids": IDS + V}, rf"spans .* to \d+, .*vocab_size - 1 = {V - 1}"),
    "id negative": ({"input_ids": IDS - 99}, "input_ids spans -"),
    "ids elsewhere": ({"input_ids": META}, r"wte on cpu, input_ids on meta.*\.to\(device\)"),
    "mask a list": ({"attention_mask": [[1] * 6] * 2}, r"mask is .*list.* \(2, 6\)"),
    "mask too short": ({"attention_mask": MASK[:, 1:]}, r"\[2, 5\].*shape \(2, 6\)"),
    "mask one row": ({"attention_mask": MASK[:1]}, r"\[1, 6\].*shape \(2, 6\)"),
    "mask of 2": ({"attention_mask": 2 * MASK}, r"mask holds \[0, 2\]; use only 0 and 1"),
    "mask added": ({"attention_mask": -1e9 * (1 - MASK.float())}, r"holds \[-1000000000.0, "),
    "mask of nan": ({"attention_mask": MASK * math.nan}, "mask holds .nan"),
    "mask elsewhere": ({"attention_mask": META}, "mask on meta"),
    "places a list": ({"position_ids": [0]}, "position_ids is a list"),
    "places floats": ({"position_ids": IDS / 2}, "position_ids has dtype torch.float32"),
    "places short": ({"position_ids": IDS[:, 1:]}, r"position_ids has shape \(2, 5\).*\(2, 6\)"),
    "places too high": ({"position_ids": IDS * 0 + N}, f"spans {N} to {N}.* n_positions - 1 = 19"),
    "places negative": ({"position_ids": IDS * 0 - 1}, "position_ids spans -1 to -1"),
    "places elsewhere": ({"position_ids": META}, "position_ids on meta"),
    "labels a list": ({"labels": [1]}, "labels is a list"),
    "labels of floats": ({"labels": IDS.float()}, "labels has dtype torch.float32"),
    "labels short": ({"labels": IDS[:, 1:]}, r"labels has shape \(2, 5\) but input_ids \(2, 6\)"),
    "labels too high": ({"labels": IDS * 0 + V}, f"labels spans {V} to {V}"),
    "labels negative": ({"labels": IDS * 0 - 1}, "labels spans -1 to -1"),
    "labels ignored": ({"labels": IDS * 0 - 100}, r"labels \(2, 6\) leave nothing to predict"),
    "labels elsewhere": ({"labels": META}, "labels on meta"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_wrong_inputs_are_refused_with_what_they_are_and_what_to_do(wrong):
    changes, message = WRONG[wrong]
    refused(message, MODEL, **{"input_ids": IDS, **changes})


def test_one_token_leaves_nothing_to_predict():
    refused("need T >= 2", MODEL, IDS[:, :1], labels=IDS[:, :1])


@contextlib.contextmanager
def counted_checks():
    """Count the calls of checks in the package, and the waits for the device, inside the block."""
    calls, waits = collections.Counter(), collections.Counter()

    def count(frame, event, _):
        name, place = frame.f_code.co_name, frame.f_code.co_filename
        if event == "call" and "gpt_helpers" in place and name.startswith(("check", "refuse")):
            calls[name] += 1

    def counting(name, original):
        def wait(self, *args):
            waits[name] += 1
            return original(self, *args)

        return wait

    names = "item", "tolist", "__bool__", "__int__", "__float__", "__index__"
    originals = {name: getattr(torch.Tensor, name) for name in names}
    for name, original in originals.items():
        setattr(torch.Tensor, name, counting(name, original))
    sys.setprofile(count)
    try:
        yield calls, waits
    finally:
        sys.setprofile(None)
        for name, original in originals.items():
            setattr(torch.Tensor, name, original)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("labels", ["ids", "some", "int32"])
def test_a_labelled_pass_of_four_layers_checks_8_times_and_waits_for_the_device_once(
    training, labels
):
    model = random_model(n_layer=4).train(training)
    given_labels = {
        "ids": IDS,
        "some": IDS.masked_fill(MASK == 0, -100),
        "int32": IDS.int(),
    }[labels]
    with counted_checks() as (calls, waits):
        model(IDS, labels=given_labels)
    assert sum(calls.values()) <= 8, calls
    assert sum(waits.values()) <= 1, waits


def test_the_count_of_checks_sees_what_it_counts():
    with counted_checks() as (calls, waits):
        MODEL(IDS, attention_mask=MASK, labels=IDS)
        IDS.sum().item()
    assert calls["check_heads"] == SMALL.n_layer
    assert calls["check_mask"] == 1
    assert waits == {"tolist": 1, "item": 1, "__bool__": 2}  # of the mask: is it one, is it all 1


def test_a_step_of_generation_checks_its_token_and_each_attention_and_no_setting_again():
    settings = {"temperature": 0.9, "top_k": 5, "top_p": 0.9}
    counts = []
    for n_new in (1, 11):
        with counted_checks() as (calls, _):
            MODEL.generate(IDS, n_new, **settings)
        counts.append(calls)
    for name in ("check_settings", "check_logits", "check_real", "check_request"):
        assert counts[0][name] == counts[1][name], name
    per_step = (sum(counts[1].values()) - sum(counts[0].values())) / 10
    assert per_step <= SMALL.n_layer + 4


@pytest.mark.parametrize("name", ["attention", "MLP", "block"])
def test_an_updated_layer_still_says_how_wide_its_stream_must_be(name):
    model = add_lora(random_model(), 2)
    block = model.transformer.h[0]
    layer = {"attention": block.attn, "MLP": block.mlp, "block": block}[name]
    refused(r"\[2, 5, 23\]\); it must be a tensor \(B, T, 24\)", layer, torch.randn(2, 5, 23))
    assert layer(torch.randn(2, 5, 24)).shape == (2, 5, 24)


def test_the_error_of_torch_stands_behind_the_one_about_the_stream():
    with pytest.raises(ValueError, match=r"\(B, T, 24\)") as caught:
        GPTMLP(SMALL)(torch.randn(2, 5, 23))
    assert isinstance(caught.value.__cause__, RuntimeError)


def test_an_attention_that_knows_no_sinks_is_told_so_and_nothing_false_of_the_stream():
    sizes = {"vocab_size": V, "n_positions": N, "n_embd": 32, "n_layer": 1, "n_head": 4}
    config = GPTOSSConfig(
        **sizes, n_inner=16, n_kv_head=2, head_width=8, n_experts=2, n_experts_per_token=1
    )
    model = GPTOSSLMHeadModel(config, attend=attention_fused)
    with pytest.raises(TypeError, match="unexpected keyword argument 'sinks'"):
        model(IDS)
    layer = GPTOSSLMHeadModel(config).transformer.h[0].attn
    rotation = model.transformer.rotation(torch.arange(5)[None])
    refused(r"\(B, T, 32\)", layer, torch.randn(2, 5, 4), rotation)
