"""Bytes held at once: exact for known allocations, and what each attention needs."""

import math
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch

from gpt_helpers.architecture.attention import attention, attention_fused
from gpt_helpers.optimization import peak
from gpt_helpers.optimization.peak import (
    extra_bytes,
    highest,
    measured_bytes,
    measured_ceilings,
    median_seconds,
    peak_bytes,
    tensors_of,
    without,
)
from gpt_helpers.optimization.tiled import attention_tiled
from tests.helpers.reference import refused


def block(n_bytes):
    """Return a new tensor of n_bytes."""
    return torch.empty(n_bytes, dtype=torch.uint8)


def heads(n_tokens, n_head=1, width=64):
    """Return q, k, v (1, H, T, D) of float32."""
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(1, n_head, n_tokens, width, generator=generator) for _ in range(3)]


def extra(attend, n_tokens, backward=False):
    """Return the bytes that an attention holds besides its result, or besides its gradients."""
    parts = heads(n_tokens)
    if not backward:
        return extra_bytes(lambda: attend(*parts))
    parts = [part.requires_grad_() for part in parts]
    return extra_bytes(lambda: torch.autograd.grad(attend(*parts).sum(), parts))


def test_a_block_that_is_freed_makes_room_for_the_next():
    def function():
        x = block(1000)
        y = block(5000)
        del x
        z = block(3000)
        return y, z

    assert peak_bytes(function) == 8000
    assert extra_bytes(function) == 1000


def test_the_peak_counts_what_was_held_together_and_not_what_was_held_in_turn():
    def in_turn():
        for _ in range(5):
            block(4000)

    assert peak_bytes(in_turn) == 4000
    assert peak_bytes(lambda: [block(4000) for _ in range(5)]) == 20000
    assert peak_bytes(lambda: None) == 0


def test_the_result_counts_to_the_peak_and_not_to_the_extra_bytes():
    assert measured_bytes(lambda: block(700)) == (700, 0)
    assert measured_bytes(lambda: {"a": [block(700)], "b": (block(30), 1)}) == (730, 0)
    assert measured_bytes(lambda: block(700)[:10]) == (700, 0)  # a view keeps the whole block


def test_a_result_that_takes_the_place_of_a_freed_block_does_not_hide_it():
    def function():
        block(4096)
        return block(4096)

    assert measured_bytes(function) == (4096, 4096)


def test_what_was_there_before_does_not_count_and_nor_does_freeing_it():
    held = [block(100_000), block(300)]
    alive = [peak_bytes(lambda: block(50)), block(200)]

    def function():
        held.clear()
        alive.pop()
        return block(1000)

    assert peak_bytes(function) == 1000
    given = block(5000)
    assert measured_bytes(lambda: given) == (0, 0)
    assert measured_bytes(lambda: given.zero_()) == (0, 0)


def test_a_block_that_an_earlier_measurement_saw_counts_for_nothing_when_freed():
    kept = []
    assert peak_bytes(lambda: kept.append(block(9000))) == 9000

    def function():
        kept.clear()
        return block(1000)

    assert peak_bytes(function) == 1000


def test_blocks_are_summed_in_order_and_a_stranger_does_not_count():
    assert highest([(1, 10), (2, 20), (1, -10), (3, 5)]) == 30
    assert highest([(9, -50), (1, 10)]) == 10
    assert highest([(1, 10), (1, -10), (1, 40), (1, -40), (2, 30)]) == 40
    assert highest([]) == 0


def test_only_the_last_block_at_the_address_of_a_result_is_left_out():
    tensor = block(8)
    at = tensor.untyped_storage().data_ptr()
    assert without([(at, 70), (at, -70), (at, 8)], [tensor]) == [(at, 70), (at, -70)]
    assert without([(at + 1, 70)], [tensor]) == [(at + 1, 70)]


def test_tensors_are_found_in_tuples_lists_and_dicts():
    x, y, z = torch.ones(1), torch.ones(2), torch.ones(3)
    found = tensors_of(({"a": x, "b": 3}, [y, None, (z,)], "text"))
    assert [len(tensor) for tensor in found] == [1, 2, 3]


@pytest.mark.parametrize("n_threads", [1, 2, 3])
def test_kernels_of_several_threads_give_exact_numbers(n_threads):
    before = torch.get_num_threads()
    torch.set_num_threads(n_threads)
    try:
        a = torch.ones(512, 512)
        expected = 2 * a.nbytes
        assert [peak_bytes(lambda: (a * 2).exp()) for _ in range(3)] == [expected] * 3
        fused = [extra(attention_fused, 300) for _ in range(3)]
        assert len(set(fused)) == 1
    finally:
        torch.set_num_threads(before)


def test_every_run_gives_the_same_numbers():
    for attend in (attention, attention_fused, attention_tiled):
        parts = heads(200, 2)
        assert len({measured_bytes(lambda p=parts, f=attend: f(*p)) for _ in range(4)}) == 1


def test_the_backward_pass_is_seen():
    x = torch.ones(1000, requires_grad=True)
    # exp keeps its result (4000); the sum, its gradient (4 + 4) and that of x (4000) come on top.
    peak_of_step = peak_bytes(lambda: torch.autograd.grad(x.exp().sum(), x))
    assert 8000 < peak_of_step <= 8016


def test_an_error_of_the_function_passes_and_the_next_measurement_works():
    with pytest.raises(ZeroDivisionError):
        peak_bytes(lambda: 1 / 0)
    assert peak_bytes(lambda: block(10)) == 10


def test_the_reference_holds_matrices_of_queries_by_keys():
    n_tokens = 512
    square = 4 * n_tokens**2
    assert 2 * square <= extra(attention, n_tokens) <= 4 * square
    assert extra(attention, 2 * n_tokens) == pytest.approx(4 * extra(attention, n_tokens), 0.01)


@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize("attend", [attention_tiled, attention_fused])
def test_tiled_and_fused_grow_at_most_linearly_with_the_tokens(attend, backward):
    found = [extra(attend, n_tokens, backward) for n_tokens in (1024, 2048, 4096)]
    assert found[1] <= 2.05 * found[0]
    assert found[2] <= 2.05 * found[1]
    # Twice the step: about twice the growth. It would be 4 times for a matrix.
    assert found[2] - found[1] <= 2.5 * (found[1] - found[0])


@pytest.mark.parametrize("backward", [False, True])
def test_at_4096_tokens_tiles_need_an_eighth_of_the_reference_at_most(backward):
    assert 8 * extra(attention_tiled, 4096, backward) <= extra(attention, 4096, backward)


def test_a_measurement_writes_nothing_to_the_terminal():
    code = "import gpt_helpers.optimization.peak as p, torch; p.peak_bytes(lambda: torch.ones(9))"
    settings = {name: value for name, value in os.environ.items() if "KINETO" not in name}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=settings)
    assert (done.stdout, done.stderr) == ("", "")


class FakeCuda(SimpleNamespace):
    """The sums of a CUDA allocator that holds 100 before, 175 at most."""

    highest = 999

    def synchronize(self, device):
        """Do nothing."""

    def memory_allocated(self, device):
        """Return what is held."""
        return 100

    def reset_peak_memory_stats(self, device):
        """Forget the highest sum so far."""
        self.highest = 175

    def max_memory_allocated(self, device):
        """Return the highest sum."""
        return self.highest


def test_a_cuda_device_is_asked_for_its_own_peak(monkeypatch):
    monkeypatch.setattr(peak.torch, "cuda", FakeCuda())
    monkeypatch.setattr(peak, "check_device", lambda name, value: "cuda")
    result = block(60)
    assert measured_bytes(lambda: (result, result[:5]), "cuda") == (75, 15)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_known_allocations_on_a_cuda_device_are_exact():
    def function():
        x = torch.empty(2**20, dtype=torch.uint8, device="cuda")
        y = torch.empty(2**21, dtype=torch.uint8, device="cuda")
        del x
        return y

    assert measured_bytes(function, "cuda") == (3 * 2**20, 2**20)


def test_ceilings_are_of_a_product_and_a_copy_and_leave_the_threads_alone():
    before = torch.get_num_threads()
    found = measured_ceilings(2, size=128, n_rounds=3)
    assert torch.get_num_threads() == before
    assert list(found) == ["flops", "bandwidth"]
    assert all(0 < value < math.inf for value in found.values())


@pytest.mark.parametrize("default", [torch.float32, torch.bfloat16])
def test_ceilings_are_the_work_in_float32_over_its_seconds(monkeypatch, default):
    monkeypatch.setattr(peak, "median_seconds", lambda function, n_rounds: 2.0)
    torch.set_default_dtype(default)
    try:
        found = measured_ceilings(1, size=10)
    finally:
        torch.set_default_dtype(torch.float32)
    assert found == {"flops": 1000.0, "bandwidth": float(2**26)}


def test_the_median_leaves_out_the_call_that_warms_up(monkeypatch):
    clock = iter([0, 5, 10, 11, 20, 22])
    monkeypatch.setattr(peak.time, "perf_counter", lambda: next(clock))
    calls = []
    assert median_seconds(lambda: calls.append(1), 3) == 2
    assert len(calls) == 4


@pytest.mark.parametrize("measure", [peak_bytes, extra_bytes])
def test_what_cannot_be_measured_is_refused(measure):
    refused("function=3 must be callable", measure, 3)
    refused("device='meta' cannot be used here", measure, block, "meta")
    if not torch.cuda.is_available():
        refused("device='cuda' cannot be used here", measure, block, "cuda")


def test_a_device_whose_bytes_nobody_counts_is_refused(monkeypatch):
    monkeypatch.setattr(peak, "check_device", lambda name, value: "mps")
    refused("device='mps' is unknown; use one of", peak_bytes, block, "mps")


@pytest.mark.parametrize("wrong", [0, -1, True, 2.0, "2", None], ids=repr)
def test_counts_that_are_no_positive_integers_are_refused(wrong):
    refused("n_threads=.* must be a positive integer", measured_ceilings, wrong)
    refused("size=.* must be a positive integer", measured_ceilings, 1, wrong)
    refused("n_rounds=.* must be a positive integer", measured_ceilings, 1, 9, wrong)
