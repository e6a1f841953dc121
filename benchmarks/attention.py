"""Seconds and bytes of each attention, beside PyTorch's scaled_dot_product_attention.

    python -m benchmarks.attention [--csv FILE]
    python -m benchmarks.attention --device cuda [--csv ...]

On a CPU the peer is attention_fused, in float32. On a CUDA device it is the fastest backend of
scaled_dot_product_attention at each size, in bfloat16, and each backend that takes the size
has a row. All methods run in turn, again and again, so that a slow moment of the machine meets
all alike; the medians are compared. Results and gradients must agree before anything is timed.
extra_bytes is what a method holds at once besides its result, or besides its gradients.
A method is left out where its (T, S) matrices would pass --reference-gib.
"""

import argparse
import statistics
import subprocess
import sys
import time
from functools import partial

import pandas as pd
import torch
import torch.nn.functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from benchmarks.timing import alternate, machine, publish, today, write_table
from gpt_helpers.architecture.attention import attention, attention_fused
from gpt_helpers.commands import command, new_file, positive
from gpt_helpers.optimization.peak import measured_bytes
from gpt_helpers.optimization.tiled import attention_tiled
from gpt_helpers.tensor_checks import check_device

BACKENDS = {
    "sdpa, flash": SDPBackend.FLASH_ATTENTION,
    "sdpa, efficient": SDPBackend.EFFICIENT_ATTENTION,
    "sdpa, cudnn": SDPBackend.CUDNN_ATTENTION,
}
DEFAULTS = {
    "cpu": {"tokens": [256, 512, 1024, 2048, 4096], "widths": [64], "heads": 4},
    "cuda": {"tokens": [1024, 2048, 4096, 8192, 16384], "widths": [64, 128], "heads": 16},
}
TOLERANCES = {torch.float32: 1e-4, torch.bfloat16: 4e-2}
TURN_SECONDS, MOST_REPEATS = 0.02, 50
MATRICES_HELD = 5  # of the reference, gradients included


def by_backend(backend, q, k, v):
    """Return causal attention by one backend of scaled_dot_product_attention."""
    with sdpa_kernel(backend):
        return F.scaled_dot_product_attention(q, k, v, is_causal=True)


def kernels(device):
    """Return {name: attend} of all that a device can run."""
    found = {"reference": attention, "tiled": attention_tiled, "fused": attention_fused}
    if device == "cuda":
        from gpt_helpers.optimization.flash import attention_flash

        found["flash"] = attention_flash
        found |= {name: partial(by_backend, backend) for name, backend in BACKENDS.items()}
    return found


def passes(attend, parts):
    """Return {name: function} of the forward pass, and of it with the backward pass."""
    grown = [part.clone().requires_grad_() for part in parts]
    wanted = torch.ones_like(parts[0])

    def both():
        return torch.autograd.grad(attend(*grown), grown, wanted)

    return {"forward": lambda: (attend(*parts),), "forward and backward": both}


def can_run(name, function):
    """Return whether a backend takes these sizes; every other kernel must."""
    try:
        function()
    except RuntimeError:
        if name not in BACKENDS:
            raise
        return False
    return True


def check_equal(contestants):
    """Raise ValueError unless all results agree with those of attention_fused."""
    expected = contestants["fused"]()
    for name, function in contestants.items():
        for ours, theirs in zip(function(), expected, strict=True):
            error = (ours - theirs).float().norm() / theirs.float().norm()
            if not error <= TOLERANCES[theirs.dtype]:
                raise ValueError(f"{name} is off by {error:.1e}, so its time says nothing")


def compare(n_tokens, width, options):
    """Return one row per method and pass, for one size."""
    generator = torch.Generator().manual_seed(0)
    shape = (options.batch_size, options.heads, n_tokens, width)
    dtype = torch.bfloat16 if options.device == "cuda" else torch.float32
    parts = [torch.randn(shape, generator=generator).to(options.device, dtype) for _ in range(3)]
    methods, rows = kernels(options.device), []
    square = 4 * options.batch_size * options.heads * n_tokens**2
    if MATRICES_HELD * square > options.reference_gib * 2**30:
        del methods["reference"]
    for name in ("forward", "forward and backward"):
        contestants = {method: passes(attend, parts)[name] for method, attend in methods.items()}
        contestants = {m: f for m, f in contestants.items() if can_run(m, f)}
        check_equal(contestants)
        size = {"pass": name, "tokens": n_tokens, "head_width": width}
        rows += [{**size, **row} for row in measured(contestants, options)]
    return rows


def call(function, count):
    """Call a function count times."""
    for _ in range(count):
        function()


def repeats(function, finish):
    """Return how many calls fill a turn, so that its start and end do not count."""
    start = time.perf_counter()
    function()
    finish()
    return max(1, min(MOST_REPEATS, round(TURN_SECONDS / (time.perf_counter() - start))))


def summary(seconds):
    """Return the columns that say how long one call took, to 4 digits."""
    found = {"median": statistics.median(seconds), "fastest": min(seconds), "slowest": max(seconds)}
    columns = {f"seconds_{name}": float(f"{value:.4g}") for name, value in found.items()}
    return {"rounds": len(seconds), **columns}


def measured(contestants, options):
    """Return a row per contestant: seconds, bytes, and both beside the fastest peer."""
    finish = torch.cuda.synchronize if options.device == "cuda" else lambda: None
    finish()
    counts = {name: repeats(function, finish) for name, function in contestants.items()}
    turns = {name: partial(call, contestants[name], count) for name, count in counts.items()}
    times = {
        name: summary([second / counts[name] for second in seconds])
        for name, seconds in alternate(turns, options.rounds, finish).items()
    }
    held = {name: measured_bytes(f, options.device)[1] for name, f in contestants.items()}
    peers = [name for name in times if name in BACKENDS] or ["fused"]
    peer = min(peers, key=lambda name: times[name]["seconds_median"])
    fastest = times[peer]["seconds_median"]
    return [
        {
            "method": name,
            **columns,
            "extra_bytes": held[name],
            "peer": peer,
            "times_peer_speed": round(fastest / columns["seconds_median"], 3),
        }
        for name, columns in times.items()
    ]


def facts(options):
    """Return what the numbers depend on: the device, its driver, versions, date, command."""
    found = {"device": "cpu", "driver": "", "dtype": "float32"}
    if options.device == "cuda":
        ask = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
        driver = subprocess.run(ask, capture_output=True, text=True, check=True).stdout.split()[0]
        name = torch.cuda.get_device_name()
        found = {"device": name, "driver": driver, "dtype": "bfloat16"}
    command = " ".join(["python -m benchmarks.attention", *sys.argv[1:]])
    shape = {"batch": options.batch_size, "heads": options.heads, "threads": options.threads}
    return {**shape, **found, "date": today(), **machine(), "command": command}


@command("not measured")
def main():
    """Measure, print the table, and write it if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--csv", type=new_file, help="where to write the table")
    parser.add_argument("--device", choices=DEFAULTS, default="cpu")
    parser.add_argument("--tokens", type=positive, nargs="+")
    parser.add_argument("--widths", type=positive, nargs="+")
    parser.add_argument("--heads", type=positive)
    parser.add_argument("--batch-size", type=positive, default=1)
    parser.add_argument("--rounds", type=positive, default=5)
    parser.add_argument("--threads", type=positive, default=1, help="of the CPU")
    parser.add_argument("--reference-gib", type=float, default=24, help="for the reference")
    options = parser.parse_args()
    check_device("device", options.device)
    for name, value in DEFAULTS[options.device].items():
        setattr(options, name, getattr(options, name) or value)
    torch.set_num_threads(options.threads)
    sizes = [(n, width) for width in options.widths for n in options.tokens]
    table = pd.DataFrame([row for size in sizes for row in compare(*size, options)])
    publish(table)
    if options.csv:
        write_table(options.csv, table.assign(**facts(options)))


if __name__ == "__main__":
    sys.exit(main())
