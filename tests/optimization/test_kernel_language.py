"""Kernels can be read where Triton is not installed, and whoever runs one is told what to use."""

import inspect
import subprocess
import sys

import pytest

from gpt_helpers.optimization import flash_backward, flash_forward
from tests.helpers.book import ROOT

WITHOUT_TRITON = """
import sys
sys.modules["triton"] = None
import inspect, torch
from gpt_helpers.optimization import flash, flash_backward, flash_forward
assert not flash.HAS_TRITON
print(inspect.getsource(flash_forward.forward_kernel.fn))
print(inspect.getsource(flash_backward.query_kernel.fn))
try:
    flash.attention_flash(*torch.zeros(3, 1, 1, 4, 16))
except ImportError as error:
    print(error)
"""


def test_without_triton_kernels_are_read_and_whoever_runs_one_is_told_what_to_use():
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TRITON], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    kernels = flash_forward.forward_kernel, flash_backward.query_kernel
    for kernel in kernels:
        assert inspect.getsource(kernel.fn) in done.stdout
    assert "needs Triton, which ships for Linux only; use attention_fused" in done.stdout


def test_with_triton_the_kernels_are_those_of_triton():
    triton = pytest.importorskip("triton", reason="Triton ships for Linux only")
    assert isinstance(flash_forward.forward_kernel, triton.runtime.jit.KernelInterface)
