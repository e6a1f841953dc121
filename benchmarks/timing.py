"""What the benchmarks share: measuring in turn, facts of the machine, writing a table."""

import datetime
import os
import platform
import statistics
import sys
import time
from importlib.metadata import version

import torch

from gpt_helpers.files import replace_file


def alternate(contestants, n_rounds, finish=lambda: None):
    """Return {name: seconds of each round}, the order reversed in every second round.

    A slow moment of the machine so meets all contestants alike. finish is called before the
    clock stops, and waits for work that a device still has to do.
    """
    seconds = {name: [] for name in contestants}
    for index in range(n_rounds):
        for name in list(contestants)[:: 1 if index % 2 else -1]:
            start = time.perf_counter()
            contestants[name]()
            finish()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def spread(seconds):
    """Return the columns of a table that say how long the rounds of one contestant took."""
    return {
        "rounds": len(seconds),
        "seconds_median": round(statistics.median(seconds), 5),
        "seconds_fastest": round(min(seconds), 5),
        "seconds_slowest": round(max(seconds), 5),
    }


def machine():
    """Return what the numbers depend on besides the code."""
    return {
        "torch": torch.__version__,
        "transformers": version("transformers"),
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "cpus": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
    }


def today():
    """Return the date of a measurement, in the form 2026-01-31."""
    return datetime.datetime.now(datetime.UTC).date().isoformat()


def publish(table):
    """Print a table."""
    sys.stdout.write(table.to_string(index=False) + "\n")


def write_table(path, table):
    """Write a table as CSV, replacing path at once."""
    replace_file(path, table.to_csv(index=False).encode())
