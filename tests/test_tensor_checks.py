"""A tensor, a module, a generator and a device pass if they can be used, and are named if not."""

import re

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gpt_helpers.tensor_checks import (
    check_device,
    check_generator,
    check_module,
    check_tensor,
    check_values,
)
from tests.helpers.reference import refused


def test_a_module_is_a_torch_module_and_no_class_of_one():
    check_module("model", torch.nn.Linear(1, 1))
    for wrong in (None, {}, torch.nn.Linear):
        message = f"model is a {type(wrong).__name__}; it must be an nn.Module"
        refused(message, check_module, "model", wrong)


def test_a_generator_is_torchs_or_none():
    check_generator(None)
    check_generator(torch.Generator())
    refused("generator=7 must be a torch.Generator, or None", check_generator, 7)


AXES = {1: "(N,)", 2: "(B, T)", 3: "(B, T, V)", 4: "(B, H, T, D)"}
OPEN_AXES = {1: "(...,)", 2: "(..., V)", 3: "(..., T, V)", 4: "(..., H, T, D)"}


@given(st.integers(0, 5), st.sampled_from(sorted(AXES)))
def test_a_tensor_has_as_many_axes_as_are_named(found, wanted):
    value = torch.ones([2] * found)
    if found == wanted:
        check_tensor("x", value, AXES[wanted])
    else:
        message = f"x has shape {tuple(value.shape)}; it must be {AXES[wanted]}"
        refused(re.escape(message), check_tensor, "x", value, AXES[wanted])
    if found >= wanted - 1:
        check_tensor("x", value, OPEN_AXES[wanted])
    else:
        refused(re.escape(f"must be {OPEN_AXES[wanted]}"), check_tensor, "x", value,
                OPEN_AXES[wanted])  # fmt: skip


@pytest.mark.parametrize("value", [None, [1], 1, np.ones(2), "ids"], ids=repr)
def test_what_is_no_tensor_is_refused_by_its_type(value):
    kind = type(value).__name__
    refused(f"x is a {kind}; make it a tensor \\(N,\\)", check_tensor, "x", value, "(N,)")
    message = f"ids is a {kind}; make it a tensor of integers"
    refused(message, check_tensor, "ids", value, "(N,)", integers=True)


FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
OTHERS = (torch.bool, torch.uint8, torch.int16, torch.complex64)


@pytest.mark.parametrize("dtype", [torch.int32, torch.int64, *FLOATS, *OTHERS], ids=str)
def test_dtypes_are_those_that_are_asked_for(dtype):
    value = torch.ones(2, dtype=dtype)
    check_tensor("x", value, "(N,)")
    if dtype in (torch.int32, torch.int64):
        check_tensor("x", value, "(N,)", integers=True)
    else:
        message = rf"x has dtype {dtype}; convert it with .long\(\)"
        refused(message, check_tensor, "x", value, "(N,)", integers=True)
    if dtype in FLOATS:
        check_tensor("x", value, "(N,)", floats=True)
    else:
        message = rf"x has dtype {dtype}; convert it with .float\(\)"
        refused(message, check_tensor, "x", value, "(N,)", floats=True)


def test_a_tensor_may_be_empty_unless_it_may_not():
    check_tensor("x", torch.ones(2, 0), "(B, T)")
    message = r"x has shape \(2, 0\); it must be \(B, T\), with at least one element"
    refused(message, check_tensor, "x", torch.ones(2, 0), "(B, T)", empty=False)


UNUSABLE = {
    "is on the meta device, without values; give one": torch.ones(2, 2, device="meta"),
    "is sparse_coo; convert it with .to_dense()": torch.ones(2, 2).to_sparse(),
    "is nested; convert it with .to_padded_tensor(0)": torch.nested.nested_tensor(
        [torch.ones(1), torch.ones(2)], layout=torch.jagged
    ),
    **{
        f"has dtype {dtype}, only for storing; use .float()": torch.ones(2, 2).to(dtype)
        for dtype in (torch.float8_e4m3fn, torch.float8_e5m2)
    },
}


@pytest.mark.parametrize("message", UNUSABLE)
def test_a_tensor_that_most_operations_lack_is_refused_with_what_to_do(message):
    refused(re.escape(f"x {message}"), check_tensor, "x", UNUSABLE[message], "(B, T)")


def test_a_model_without_values_is_refused_and_a_tensor_where_it_may_have_none_is_not():
    check_values("model", torch.nn.Linear(1, 1))
    model = torch.nn.Linear(1, 1, device="meta")
    refused("model is on the meta device, without values", check_values, "model", model)
    check_tensor("x", torch.ones(2, 2, device="meta"), "(B, T)", meta=True)


@pytest.mark.parametrize("wrong", ["meta", "no such", None, 1.5, "cuda:99", []], ids=repr)
def test_a_device_is_one_that_this_machine_has(wrong):
    assert check_device("device", "cpu") == check_device("device", torch.device("cpu")) == "cpu"
    refused(f"device={re.escape(repr(wrong))} cannot be used", check_device, "device", wrong)
