"""A law of the loss, measured: small models of many sizes on many budgets.

    python -m gpt_helpers.experiments.sweep                   run what sweep.csv lacks
    python -m gpt_helpers.experiments.prediction              predict the largest run from it
    python -m gpt_helpers.experiments.sweep --stage largest   and only then do that run

The file holds a row per run. The page on scaling laws fits a law to it.
"""

import argparse
import functools
import sys
from pathlib import Path

import torch

from gpt_helpers.experiments import budgets
from gpt_helpers.experiments.records import FOLDER, append_rows, machine_facts
from gpt_helpers.files import read_rows

SWEEP, PREDICTION = FOLDER / "sweep.csv", FOLDER / "prediction.csv"
RUN_NUMBERS = (
    "width", "n_layer", "n_params", "n_non_embedding", "tokens", "unique_tokens", "epochs", "flops",
    "steps", "max_lr", "seed", "training_loss", "held_out_loss", "seconds",
)  # fmt: skip
RUN_COUNTS = (
    "width", "n_layer", "n_params", "n_non_embedding", "tokens", "unique_tokens", "flops", "steps",
    "seed",
)  # fmt: skip
MACHINE = ("threads", "python", "torch", "platform", "cpus")
RUN_COLUMNS = ("run", "purpose", *RUN_NUMBERS, *MACHINE)


def largest(path=PREDICTION):
    """Return the run that a prediction was written for, in a list.

    Raises ValueError if there is none: what is known cannot be predicted.
    """
    rows = read_rows(path, ("width",))
    if not rows:
        raise ValueError(
            f"{path} holds no prediction; run python -m gpt_helpers.experiments.prediction first"
        )
    return [budgets.run_on("largest", int(rows[0]["width"]), budgets.LARGEST_BUDGET)]


STAGES = {"pilots": budgets.pilots, "profiles": budgets.profiles, "largest": largest}


def row_of_run(folder, run):
    """Do one run on one thread and return its row with all columns, in a list.

    In folder, unless it is None, each run keeps a checkpoint of its own.
    """
    torch.set_num_threads(1)
    place = None if folder is None else folder / run.key.replace(" ", "-")
    return [budgets.do(run, place) | machine_facts()]


def recorded_runs(path=SWEEP):
    """Return the rows of a file of results, counts as integers; none if it is not there."""
    rows = read_rows(path, RUN_NUMBERS)
    return [row | {name: int(row[name]) for name in RUN_COUNTS} for row in rows]


def runs_on(rows, flops):
    """Return the rows of the profile of a budget, of every seed. Source: hoffmann2022chinchilla."""
    keys = {run.key for run in budgets.profile(flops)}
    return [row for row in rows if row["run"] in keys]


def main(arguments=None):
    """Run what the file of results lacks, two runs at a time; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stage", choices=STAGES, help="pilots and profiles, unless given")
    parser.add_argument("--csv", type=Path, default=SWEEP, help="the file of results")
    parser.add_argument("--folder", type=Path, help="for checkpoints of runs that were stopped")
    parser.add_argument("--processes", type=int, default=2, help="how many runs at a time")
    options = parser.parse_args(arguments)
    rows = recorded_runs(options.csv)
    done = {row["run"] for row in rows}
    stages = [options.stage] if options.stage else ["pilots", "profiles"]
    missing = [run for stage in stages for run in STAGES[stage]() if run.key not in done]
    work = functools.partial(row_of_run, options.folder)
    append_rows(options.csv, rows, RUN_COLUMNS, work, missing, options.processes)
    return 0


if __name__ == "__main__":
    sys.exit(main())
