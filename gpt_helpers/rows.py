"""Rows of measurements, each a dict, in a CSV file."""

import csv
import io
import math
import multiprocessing
import os
import platform

import torch
from tqdm import tqdm

from gpt_helpers.checkpoint import replace_file


def write_rows(path, rows, columns):
    """Write the columns of the rows to path, replacing it at once; what a row lacks stays empty.

    Floats keep 7 digits, and nan, which read_rows gives for what is empty, is empty again.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([as_text(row.get(name, "")) for name in columns])
    replace_file(path, text.getvalue().encode())


def as_text(value):
    """Return what a file says for a value."""
    if not isinstance(value, float):
        return value
    return "" if math.isnan(value) else f"{value:.7g}"


def read_rows(path, numbers):
    """Return the rows of a file of write_rows, the columns in numbers as floats (empty: nan).

    A file that is not there has none. Raises ValueError for a column that is missing.
    """
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        missing = sorted(set(numbers) - set(reader.fieldnames or ()))
        if missing:
            raise ValueError(f"{path} lacks the columns {missing}; it has {reader.fieldnames}")
        return [row | {name: float(row[name] or math.nan) for name in numbers} for row in reader]


def by_seed(rows, column):
    """Return {value of the column: {seed: rows}}, in the order of the rows."""
    found = {}
    for row in rows:
        found.setdefault(row[column], {}).setdefault(int(row["seed"]), []).append(row)
    return found


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
