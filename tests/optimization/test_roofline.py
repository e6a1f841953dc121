"""FLOPs and bytes of attention, by hand, against PyTorch's counter and against its allocator."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

from gpt_helpers.architecture.attention import attention, attention_fused
from gpt_helpers.optimization.peak import peak_bytes
from gpt_helpers.optimization.roofline import (
    LOGSUMEXP_BYTES,
    PUBLISHED_CEILINGS,
    attainable,
    fused_pass,
    total,
    unfused_steps,
)
from tests.helpers.reference import refused

SIZES = st.tuples(*(st.integers(1, 9) for _ in range(4)), st.sampled_from([2, 4]))


def by_step(*sizes, **options):
    """Return {step: row} of unfused attention."""
    return {row["step"]: row for row in unfused_steps(*sizes, **options)}


def test_two_queries_and_three_keys_by_hand():
    rows = by_step(1, 1, 2, 5, 4, n_keys=3)
    found = {
        step: (row["flops"], row["bytes_read"] // 4, row["bytes_written"] // 4)
        for step, row in rows.items()
    }
    assert found == {
        "scores": (60, 10 + 15, 6),
        "scale and mask": (6, 6, 6),
        "softmax": (30, 6, 6),
        "weights · V": (60, 6 + 15, 10),
    }
    assert rows["scores"]["flops_per_byte"] == 60 / (31 * 4)
    fused = fused_pass(1, 1, 2, 5, 4, n_keys=3)
    assert fused["flops"] == 60 + 6 + 30 + 60
    assert fused["bytes_read"] == 4 * (10 + 2 * 15)
    assert fused["bytes_written"] == 4 * 10 + 2 * LOGSUMEXP_BYTES


def test_products_have_the_flops_that_pytorch_counts():
    q, k, v = (torch.ones(2, 3, n, 5) for n in (4, 7, 7))
    with FlopCounterMode(display=False) as counter:
        attention(q, k, v)
    rows = by_step(2, 3, 4, 5, 4, n_keys=7)
    assert counter.get_total_flops() == rows["scores"]["flops"] + rows["weights · V"]["flops"]


def test_each_step_writes_what_the_allocator_hands_out():
    q, k, v = (torch.ones(2, 3, 16, 8) for _ in range(3))
    visible = torch.ones(16, 16, dtype=torch.bool)
    scores = q @ k.mT
    found = {
        "scores": peak_bytes(lambda: q @ k.mT),
        "scale and mask": peak_bytes(lambda: scores.masked_fill(~visible, 0.0)) - visible.nbytes,
        "softmax": peak_bytes(lambda: scores.softmax(-1)),
        "weights · V": peak_bytes(lambda: scores @ v),
    }
    assert found == {n: row["bytes_written"] for n, row in by_step(2, 3, 16, 8, 4).items()}


def test_the_fused_pass_writes_what_the_fused_kernel_keeps():
    q, k, v = (torch.ones(2, 3, 64, 8, requires_grad=True) for _ in range(3))
    kernel = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
    kept = kernel(q, k, v, 0.0, is_causal=True)
    n_bytes = sum(tensor.nbytes for tensor in kept)
    assert n_bytes == fused_pass(2, 3, 64, 8, 4)["bytes_written"]
    assert peak_bytes(lambda: attention_fused(q, k, v)) >= n_bytes


@given(SIZES, st.integers(0, 9), st.integers(1, 4))
def test_unfused_steps_carry_the_scores_six_times_and_the_fused_pass_never(sizes, earlier, shared):
    batch_size, n_groups, n_queries, width, size = sizes
    n_head, n_keys = n_groups * shared, n_queries + earlier
    options = {"n_keys": n_keys, "n_groups": n_groups}
    row = total(unfused_steps(batch_size, n_head, n_queries, width, size, **options))
    once = batch_size * width * size * (2 * n_head * n_queries + 2 * n_groups * n_keys)
    scores = batch_size * n_head * n_queries * n_keys * size
    assert row["bytes_read"] + row["bytes_written"] == once + 6 * scores
    fused = fused_pass(batch_size, n_head, n_queries, width, size, **options, block_size=99)
    statistics = LOGSUMEXP_BYTES * batch_size * n_head * n_queries
    assert fused["bytes_read"] + fused["bytes_written"] == once + statistics
    assert fused["flops"] == row["flops"]
    assert row["step"] == "unfused"


@given(SIZES, st.integers(0, 9), st.integers(1, 4))
def test_each_tile_of_queries_reads_the_keys_up_to_its_last_position(sizes, earlier, block_size):
    batch_size, n_head, n_queries, width, size = sizes
    n_keys = n_queries + earlier
    row = fused_pass(*sizes, n_keys=n_keys, block_size=block_size)
    ends = [min(at + block_size, n_queries) for at in range(0, n_queries, block_size)]
    elements = n_queries + 2 * sum(earlier + end for end in ends)
    assert row["bytes_read"] == batch_size * n_head * width * elements * size
    pairs = sum(
        earlier + min((query // block_size + 1) * block_size, n_queries)
        for query in range(n_queries)
    )
    assert row["flops"] == batch_size * n_head * pairs * (4 * width + 6)


def test_gpt2_at_1024_tokens_moves_9_times_fewer_bytes_in_one_pass():
    unfused, fused = total(unfused_steps(1, 12, 1024, 64, 2)), fused_pass(1, 12, 1024, 64, 2)
    moved = [row["bytes_read"] + row["bytes_written"] for row in (unfused, fused)]
    assert moved[0] / moved[1] == pytest.approx(9.07, abs=0.01)
    assert unfused["flops_per_byte"] == pytest.approx(20.96, abs=0.01)
    assert fused["flops_per_byte"] == pytest.approx(106.9, abs=0.1)


def test_a_step_of_decoding_has_about_one_flop_per_byte_and_as_many_as_heads_share_a_key():
    one = fused_pass(1, 12, 1, 64, 2, n_keys=4096)
    four = fused_pass(1, 12, 1, 64, 2, n_keys=4096, n_groups=3)
    assert one["flops_per_byte"] == pytest.approx(1, rel=0.03)
    assert four["flops_per_byte"] == pytest.approx(4, rel=0.03)


def test_longer_tiles_of_queries_raise_the_flops_per_byte():
    found = [
        fused_pass(1, 12, 4096, 64, 2, block_size=n)["flops_per_byte"] for n in (32, 64, 128, 256)
    ]
    assert found == sorted(found)
    assert found[-1] > 5 * found[0]


def test_a_roof_has_a_slope_and_a_ceiling_that_meet_at_the_ridge():
    assert attainable(0.5, 8.0, 2.0) == 1.0
    assert attainable(4.0, 8.0, 2.0) == 8.0
    assert attainable(100, 8.0, 2.0) == 8.0
    ridges = {name: each["flops"] / each["bandwidth"] for name, each in PUBLISHED_CEILINGS.items()}
    assert {name: round(ridge) for name, ridge in ridges.items()} == {
        "A100 SXM 80 GB": 153,
        "H100 SXM": 295,
    }


def test_a_gpu_has_too_little_bandwidth_for_every_unfused_step():
    for row in (*unfused_steps(8, 12, 1024, 64, 2), fused_pass(8, 12, 1, 64, 2, n_keys=1024)):
        for each in PUBLISHED_CEILINGS.values():
            assert attainable(row["flops_per_byte"], **each) < each["flops"]


@pytest.mark.parametrize("wrong", [0, -1, True, 2.0, "2", math.nan], ids=repr)
def test_sizes_that_are_no_positive_integers_are_refused(wrong):
    names = ["batch_size", "n_head", "n_queries", "head_width", "element_bytes"]
    for index, name in enumerate(names):
        sizes = [2, 2, 2, 2, 2]
        sizes[index] = wrong
        for count in (unfused_steps, fused_pass):
            refused(f"{name}={wrong!r} must be a positive", count, *sizes, n_keys=4, n_groups=2)
    for name in ("n_keys", "n_groups"):
        for count in (unfused_steps, fused_pass):
            refused(f"{name}={wrong!r} must be", count, 2, 2, 2, 2, 2, **{name: wrong})
    refused("block_size=.* must be", fused_pass, 2, 2, 2, 2, 2, block_size=wrong)


@pytest.mark.parametrize("wrong", [0, -1.0, True, "2", None, math.nan, math.inf], ids=repr)
def test_speeds_that_are_no_positive_numbers_are_refused(wrong):
    refused("flops_per_byte=", attainable, wrong, 1.0, 1.0)
    refused("flops=", attainable, 1.0, wrong, 1.0)
    refused("bandwidth=", attainable, 1.0, 1.0, wrong)


@pytest.mark.parametrize("count", [unfused_steps, fused_pass])
def test_keys_and_heads_that_do_not_fit_are_refused(count):
    refused("T=4 queries but S=3 keys", count, 1, 2, 4, 8, 2, n_keys=3)
    refused("n_head=3 is no multiple of n_groups=2", count, 1, 3, 4, 8, 2, n_groups=2)


def test_a_total_is_of_rows_under_a_name():
    steps = unfused_steps(1, 2, 4, 8, 2)
    refused("steps is empty", total, [])
    refused("steps is a generator; it must be a list", total, (step for step in steps))
    refused(r"steps\[4\] has no bytes_read", total, [*steps, {"flops": 3}])
    refused("name is a int; it must be a text", total, steps, 3)
