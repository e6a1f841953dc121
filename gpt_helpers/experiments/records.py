"""What experiments record: runs that a CSV file lacks, done and appended, and the machine."""

import multiprocessing
import os
import platform
from pathlib import Path

import torch
from tqdm import tqdm

from gpt_helpers.files import write_rows

FOLDER = Path(__file__).with_name("results")


def append_rows(path, rows, columns, work, missing, n_processes):
    """Append to rows what work(item) returns, a list of rows, for each of the missing items.

    The items are worked on in n_processes processes, so work must be a function of a module.
    The file is written after each item: what is done is kept if the rest is not.
    """
    context = multiprocessing.get_context("spawn")
    with context.Pool(n_processes) as pool:
        for more in tqdm(pool.imap_unordered(work, missing), total=len(missing)):
            rows += more
            write_rows(path, rows, columns)


def machine_facts():
    """Return what to know of the machine that made a row: threads, python, torch and so on."""
    return {
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "platform": f"{platform.system()} {platform.machine()}",
        "cpus": os.cpu_count(),
    }
