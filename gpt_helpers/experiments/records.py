"""What experiments record: runs that a CSV file lacks, done and appended, and the machine.

A program of experiments has a Record and a plan, {key: run}: the runs whose keys the file lacks
are done, and their rows appended.
"""

import argparse
import contextlib
import multiprocessing
import os
import platform
import signal
import threading
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import torch
from tqdm import tqdm

from gpt_helpers.commands import new_file, zero_or_positive
from gpt_helpers.evaluation.accuracy import Score
from gpt_helpers.files import add_rows, read_rows
from gpt_helpers.validation import check_instance

FOLDER = Path(__file__).with_name("results")
NOT_RECORDED = "not recorded"
GOES_ON = "interrupted; the same command does what its file still lacks"
MACHINE = ("threads", "python", "torch", "platform", "cpus")


@dataclass(frozen=True)
class Record:
    """A CSV file with the rows of many runs.

    keys are the columns that together tell one run from another, numbers those that are read as
    floats, columns all that are written, in their order.
    """

    path: Path
    keys: tuple[str, ...]
    numbers: tuple[str, ...]
    columns: tuple[str, ...]

    def rows(self, path=None):
        """Return the rows of the file, or of another with the same columns; none without it."""
        return read_rows(path or self.path, self.numbers)

    def missing(self, plan, rows):
        """Return the runs of plan, {values of keys: run}, that have none of the rows."""
        done = {tuple(row[name] for name in self.keys) for row in rows}
        return [run for key, run in plan.items() if key not in done]


def command_line(document, path):
    """Return the parser of a program, with what every program of experiments takes.

    document is the docstring of the program, path the file that it writes.
    """
    parser = argparse.ArgumentParser(description=document.splitlines()[0])
    parser.add_argument("--csv", type=new_file, default=str(path), help="the file of results")
    parser.add_argument(
        "--processes",
        type=zero_or_positive,
        default=2,
        help="how many runs at a time; 0: in this process",
    )
    return parser


def program(record, plan, work, options):
    """Do the runs of plan that the file of options lacks, and append their rows; return 0.

    plan is {values of the record's keys: run}, and work(run) returns the rows of a run.
    """
    missing = record.missing(plan, record.rows(options.csv))
    append_rows(options.csv, record.columns, work, missing, options.processes)
    return 0


def append_rows(path, columns, work, missing, n_processes):
    """Append to a file what work(run) returns, a list of rows, for each of the missing runs.

    They are done in n_processes processes, so work must be a function of a module; 0 does them in
    this one. The file is replaced after each run: what is done is kept if the rest is not.
    """
    add_rows(path, [], columns)  # a file that cannot be written is refused before the first run
    if n_processes and missing:
        with done_by_workers(work, missing, n_processes) as done:
            write_each(path, columns, done, len(missing))
    else:
        write_each(path, columns, map(work, missing), len(missing))


@contextlib.contextmanager
def done_by_workers(work, missing, n_processes):
    """Yield what work returns for each of missing, as it is done, by processes that end here.

    Ctrl-C is for this process only; one that dies raises BrokenProcessPool.
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(n_processes, context, end_with_parent) as pool:
        heard = signal.signal(signal.SIGINT, signal.SIG_IGN)  # which the processes inherit
        try:
            runs = [pool.submit(work, run) for run in missing]
        finally:
            signal.signal(signal.SIGINT, heard)
        try:
            yield (run.result() for run in as_completed(runs))
        except BaseException:
            for process in multiprocessing.active_children():
                process.terminate()
            raise


def end_with_parent():
    """Let this worker end when the process that began it is gone, even if that was killed."""

    def wait():
        multiprocessing.parent_process().join()
        signal.raise_signal(signal.SIGTERM)

    threading.Thread(target=wait, daemon=True).start()


def write_each(path, columns, done, n_runs):
    """Add the rows of each of n_runs to the file when it is done."""
    for rows in tqdm(done, total=n_runs):
        add_rows(path, rows, columns)


def check_experiments(name, value, check):
    """Raise ValueError unless value is {experiment: {variant: run}}, each run as check has it."""
    check_instance(name, value, dict)
    for experiment, variants in value.items():
        check_instance(f"{name}[{experiment!r}]", variants, dict)
        for variant, run in variants.items():
            check(f"{name}[{experiment!r}][{variant!r}]", run)


def by_seed(rows, column):
    """Return {value of the column: {seed: rows}}, in the order of the rows."""
    groups = {}
    for row in rows:
        groups.setdefault(row[column], {}).setdefault(int(row["seed"]), []).append(row)
    return groups


def result_row(measure, x, result, n_steps=0, n_tokens=0):
    """Return the row of a result, a Score or a number, after so many steps on so many tokens."""
    is_score = isinstance(result, Score)
    counted = {"right": result.right, "n": result.n} if is_score else {"value": result}
    return {"measure": measure, "x": x} | counted | {"steps": n_steps, "tokens": n_tokens}


def machine_facts():
    """Return what to know of the machine that made a row: its values of MACHINE."""
    values = (
        torch.get_num_threads(),
        platform.python_version(),
        torch.__version__,
        f"{platform.system()} {platform.machine()}",
        os.cpu_count(),
    )
    return dict(zip(MACHINE, values, strict=True))
