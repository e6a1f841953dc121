"""Attention by FlashAttention-2's kernels: exact, and linear in memory.

The kernels are in flash_forward and flash_backward. Triton compiles them for a GPU; for tensors
of a CPU its interpreter runs the same text in NumPy, slowly, to be read and tested.
"""

import functools
import importlib
import sys
from types import SimpleNamespace
from typing import NamedTuple

import torch
from torch.autograd.function import once_differentiable

from gpt_helpers.architecture.operands import check_heads, check_no_dropout
from gpt_helpers.optimization.kernel_language import HAS_TRITON, triton

WIDTHS = (16, 128)
DTYPES = (torch.float16, torch.bfloat16, torch.float32)
MODULES = ("gpt_helpers.optimization.flash_forward", "gpt_helpers.optimization.flash_backward")


class Tiles(NamedTuple):
    """How many queries and keys a tile holds; warps and pipeline stages of a program."""

    queries: int
    keys: int
    warps: int
    stages: int


# By kernel, then by the greatest head width it is for. LARGE, for 16-bit numbers, needs the shared
# memory of an H100 or A100; SMALL is for other GPUs and the CPU. Without tensor cores a product
# of float32 keeps its operands in registers, so its tiles are smaller still.
LARGE = {
    "forward": {64: Tiles(128, 128, 8, 3), 128: Tiles(128, 128, 8, 2)},
    "query": {64: Tiles(128, 64, 8, 3), 128: Tiles(128, 64, 8, 2)},
    "key": {64: Tiles(64, 128, 8, 3), 128: Tiles(32, 128, 8, 2)},
}
SMALL = {
    "forward": {128: Tiles(64, 32, 4, 2)},
    "query": {128: Tiles(64, 32, 4, 1)},
    "key": {128: Tiles(32, 64, 4, 1)},
}
FLOAT32 = {
    "forward": {64: Tiles(32, 32, 4, 1), 128: Tiles(32, 16, 4, 1)},
    "query": {64: Tiles(32, 16, 4, 1), 128: Tiles(32, 16, 8, 1)},
    "key": {64: Tiles(16, 32, 4, 1), 128: Tiles(16, 32, 8, 1)},
}
LARGE_BYTES = 160 * 1024


def attention_flash(q, k, v, padding=None, dropout=0.0, window=None):
    """Return what attention.attention returns (B, H, T, D), without a (T, S) matrix in memory.

    q is (B, H, T, D); k and v are (B, G, S, D), on a GPU or a CPU, in float16, bfloat16 or
    float32; D is 16 to 128. padding is (B, S) or None; window counts keys. Sums are in float32.
    The gradients cannot be differentiated again.

    Raises ValueError for what does not fit, for dropout, other dtypes, widths and devices;
    ImportError where Triton is not installed. Source: dao2023flash2, algorithms 1 and 2.
    """
    check_heads(q, k, v, padding, dropout, window)
    check_no_dropout("attention_flash", dropout)
    check_supported(q)
    real = None if padding is None else padding.contiguous()
    # A window as long as the sequence hides nothing: the kernels need no case without one.
    window = k.shape[2] if window is None else min(int(window), k.shape[2])
    return FlashAttention.apply(q, k, v, real, window)  # (B, H, T, D)


class FlashAttention(torch.autograd.Function):
    """The kernels as one differentiable operation on checked tensors."""

    @staticmethod
    def forward(ctx, q, k, v, padding, window):
        """Return (B, H, T, D), and keep one number per head and query for the way back."""
        output = torch.empty_like(q)  # (B, H, T, D)
        logsumexp = q.new_empty(q.shape[:3], dtype=torch.float32)  # (B, H, T)
        launch("forward", q, (q, k, v, output, logsumexp), padding, window)
        ctx.save_for_backward(q, k, v, padding, output, logsumexp)
        ctx.window = window
        return output

    @staticmethod
    @once_differentiable
    def backward(ctx, d_output):
        """Return the gradients of q, k and v, and None for what has none."""
        q, k, v, padding, output, logsumexp = ctx.saved_tensors
        d_q, d_k, d_v = torch.empty_like(q), torch.empty_like(k), torch.empty_like(v)
        delta = torch.empty_like(logsumexp)  # (B, H, T)
        # The kernel of the queries fills delta, which that of the keys reads.
        tensors = (q, k, v, output, d_output, logsumexp, delta, d_q)
        launch("query", q, tensors, padding, ctx.window)
        launch("key", k, (q, k, v, d_output, logsumexp, delta, d_k, d_v), padding, ctx.window)
        return d_q, d_k, d_v, None, None


def launch(name, owner, tensors, padding, window):
    """Run the kernel of this name: one program per tile of rows, per head, of owner.

    tensors begin with q (B, H, T, D) and k (B, G, S, D); those of four axes may have any strides.
    """
    q, k = tensors[:2]
    (_, n_heads, n_queries, width), n_keys = q.shape, k.shape[2]
    tiles = tiles_for(name, q)
    size = tiles.keys if name == "key" else tiles.queries
    n_tiles = -(-owner.shape[2] // size)
    strides = [tensor.stride() for tensor in tensors if tensor.ndim == 4]
    kernel = getattr(kernels_for(q.device.type), f"{name}_kernel")
    with torch.cuda.device_of(q):
        kernel[n_tiles, owner.shape[1], owner.shape[0]](
            *tensors, padding, *strides, n_queries, n_keys, window, width**-0.5,
            GROUP=n_heads // k.shape[1], WIDTH=width, COLUMNS=1 << (width - 1).bit_length(),
            QUERIES=tiles.queries, KEYS=tiles.keys,
            num_warps=tiles.warps, num_stages=tiles.stages,
        )  # fmt: skip


def tiles_for(name, q):
    """Return the Tiles of the kernel of this name for queries q (B, H, T, D)."""
    table = SMALL
    if q.is_cuda:
        gpu = torch.cuda.get_device_properties(q.device)
        is_large = getattr(gpu, "shared_memory_per_block_optin", 0) >= LARGE_BYTES
        table = FLOAT32 if q.dtype == torch.float32 else LARGE if is_large else SMALL
    return table[name][min(width for width in table[name] if width >= q.shape[-1])]


@functools.cache
def kernels_for(device_type):
    """Return the kernels, by name: compiled for "cuda", interpreted for "cpu".

    Triton decides which when a kernel is defined, so each kind is a copy of the modules. The
    setting holds while they are read, and is then what it was for everyone else.
    """
    if not HAS_TRITON:
        raise ImportError(
            "attention_flash needs Triton, which ships for Linux only; use attention_fused"
        )
    with triton.knobs.runtime.scope():
        if device_type == "cpu":
            triton.knobs.runtime.interpret = True
        for name in MODULES:
            sys.modules.pop(name, None)
        forward, backward = (importlib.import_module(name) for name in MODULES)
    return SimpleNamespace(
        forward_kernel=forward.forward_kernel,
        query_kernel=backward.query_kernel,
        key_kernel=backward.key_kernel,
    )


def check_supported(q):
    """Raise ValueError unless the kernels can read q (B, H, T, D), which check_heads let pass."""
    if q.dtype not in DTYPES:
        raise ValueError(f"dtype {q.dtype} is not one of {DTYPES}; convert, or use attention")
    low, high = WIDTHS
    if not low <= q.shape[-1] <= high:
        raise ValueError(f"D={q.shape[-1]} must be {low} to {high}; use attention_fused")
    if q.device.type not in ("cpu", "cuda"):
        raise ValueError(f"q is on {q.device}; move it to a cuda device or the cpu")
