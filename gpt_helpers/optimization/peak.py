"""What is measured: bytes held at once, bytes saved for the way back, a machine's two ceilings.

PyTorch's CPU allocator reports every block that it hands out and takes back, those inside a
fused kernel included; the profiler writes them down. So the highest sum is exact, and the
same in every run.
"""

import os
import statistics
import time
from collections.abc import Iterable

import torch
from torch.profiler import ProfilerActivity, profile

from gpt_helpers.tensor_checks import check_device
from gpt_helpers.validation import check_choice, check_integer

# The profiler's library would write a line to stderr at each start and stop.
os.environ.setdefault("KINETO_LOG_LEVEL", "99")


def peak_bytes(function, device="cpu"):
    """Call function() and return the most bytes that it holds at one moment.

    Counted are blocks that are allocated while it runs, on the device. Its result counts, as
    it is kept to the end; what was there before does not, nor does freeing it. On a CPU, only
    the thread that calls function() is watched: it allocates the buffers of kernels that
    compute in several threads, but Python threads that function() starts are not seen.

    Raises ValueError unless function is callable and the device is a CPU or a CUDA device.
    """
    return measured_bytes(function, device)[0]


def extra_bytes(function, device="cpu"):
    """Call function() and return the most bytes that it holds besides its result.

    The result is a tensor, or tuples, lists and dicts of tensors. On a CPU their blocks are
    left out from the count; on a CUDA device, whose allocator counts only sums, their bytes
    are subtracted from the peak. Errors are those of peak_bytes.
    """
    return measured_bytes(function, device)[1]


def measured_bytes(function, device="cpu"):
    """Call function() and return (peak_bytes, extra_bytes) of this one call."""
    if not callable(function):
        raise ValueError(f"function={function!r} must be callable, such as lambda: q @ k.mT")
    kind = check_device("device", device)
    check_choice("device", kind, ("cpu", "cuda"))
    return cuda_bytes(function, device) if kind == "cuda" else cpu_bytes(function)


def cpu_bytes(function):
    """Return (peak, extra) of one call, from every block of the CPU allocator."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        result = function()
    blocks = allocations(profiler)
    return highest(blocks), highest(without(blocks, tensors_of(result)))


def cuda_bytes(function, device):
    """Return (peak, extra) of one call, from the sums of the CUDA allocator."""
    torch.cuda.synchronize(device)
    before = torch.cuda.memory_allocated(device)
    torch.cuda.reset_peak_memory_stats(device)
    result = function()
    torch.cuda.synchronize(device)
    peak = torch.cuda.max_memory_allocated(device) - before
    storages = {x.untyped_storage().data_ptr(): x.untyped_storage() for x in tensors_of(result)}
    return peak, peak - sum(storage.nbytes() for storage in storages.values())


def allocations(profiler):
    """Return (address, bytes) of each block in order; bytes are negative where it is freed."""
    waiting, found = list(profiler.profiler.kineto_results.experimental_event_tree()), []
    while waiting:
        event = waiting.pop()
        waiting += event.children
        if event.name == "[memory]":
            found.append((event.start_time_ns, event.typed[1].ptr, event.typed[1].alloc_size))
    return [(address, size) for _, address, size in sorted(found, key=lambda block: block[0])]


def highest(blocks):
    """Return the highest sum of bytes held, over blocks of (address, bytes) in order.

    A block that is freed, but was not allocated here, was there before: it does not count.
    """
    held, now, most = {}, 0, 0
    for address, size in blocks:
        if size > 0:
            held[address] = size
            now += size
        else:
            now -= held.pop(address, 0)
        most = max(most, now)
    return most


def without(blocks, tensors):
    """Return the blocks without those that hold the tensors at the end."""
    own = {tensor.untyped_storage().data_ptr() for tensor in tensors}
    last = {address: index for index, (address, size) in enumerate(blocks) if size > 0}
    left_out = {index for address, index in last.items() if address in own}
    return [block for index, block in enumerate(blocks) if index not in left_out]


def tensors_of(result):
    """Return the tensors in a result: in tuples, lists and dicts too."""
    if isinstance(result, torch.Tensor):
        return [result]
    items = result.values() if isinstance(result, dict) else result
    nested = isinstance(result, dict | tuple | list)
    return [tensor for item in items for tensor in tensors_of(item)] if nested else []


def measured_ceilings(n_threads, size=1024, n_rounds=7):
    """Return this CPU's {"flops", "bandwidth"}: FLOP/s and bytes/s, medians of n_rounds.

    flops are those of a float32 product of two (size, size) matrices; bandwidth counts the
    bytes read and written by a copy of 64 MiB, which lies in no cache. n_threads threads
    compute; afterwards there are as many as before. It takes less than a second or two.

    Raises ValueError for counts that are no positive integers.
    """
    check_integer("n_threads", n_threads, at_least=1)
    check_integer("size", size, at_least=1)
    check_integer("n_rounds", n_rounds, at_least=1)
    options, before = {"dtype": torch.float32}, torch.get_num_threads()
    torch.set_num_threads(n_threads)
    try:
        a, source = torch.ones(size, size, **options), torch.ones(2**24, **options)
        out, target = torch.empty_like(a), torch.empty_like(source)
        product = median_seconds(lambda: torch.mm(a, a, out=out), n_rounds)
        copy = median_seconds(lambda: target.copy_(source), n_rounds)
    finally:
        torch.set_num_threads(before)
    return {"flops": 2 * size**3 / product, "bandwidth": 2 * source.nbytes / copy}


def median_seconds(function, n_rounds):
    """Return the median seconds of function() over n_rounds, after one that warms up."""
    function()
    seconds = []
    for _ in range(n_rounds):
        start = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def saved_bytes(function, excluded=()):
    """Call function() and return the bytes that autograd keeps for the backward pass.

    Tensors that share memory, such as views, count once, with the whole of that memory.
    The memory of the excluded tensors, such as model.parameters(), is not counted.

    Raises ValueError unless function is callable and excluded holds tensors.
    """
    if not callable(function):
        raise ValueError(f"function={function!r} must be callable, such as lambda: model(ids)")
    left_out = storages_of(excluded)
    kept = {}

    def keep(tensor):
        kept.update(storages_of([tensor]))  # alive, so that its id stays its own
        return tensor.detach()  # a result that its own operation saved would never be freed

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        function()
    return sum(storage.nbytes() for key, storage in kept.items() if key not in left_out)


def storages_of(tensors):
    """Return {id: memory} of the tensors, or raise ValueError for what are none."""
    iterable = isinstance(tensors, Iterable) and not isinstance(tensors, torch.Tensor)
    found = list(tensors) if iterable else [None]
    if not all(isinstance(tensor, torch.Tensor) for tensor in found):
        kind = type(tensors).__name__
        raise ValueError(f"excluded is a {kind}; make it tensors, such as model.parameters()")
    storages = [tensor.untyped_storage() for tensor in found]
    return {id(storage): storage for storage in storages}
