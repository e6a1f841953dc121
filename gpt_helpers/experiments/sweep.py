"""A law of the loss, measured: small models of many sizes on many budgets.

    python -m gpt_helpers.experiments.sweep                   run what sweep.csv lacks
    python -m gpt_helpers.experiments.prediction              predict the largest run from it
    python -m gpt_helpers.experiments.sweep --stage largest   and only then do that run

The file holds a row per run. The page on scaling laws fits a law to it.
"""

import functools
import sys
from pathlib import Path

import torch

from gpt_helpers.commands import command
from gpt_helpers.experiments import budgets
from gpt_helpers.experiments.records import (
    FOLDER,
    GOES_ON,
    MACHINE,
    NOT_RECORDED,
    Record,
    command_line,
    machine_facts,
    program,
)
from gpt_helpers.files import read_rows
from gpt_helpers.validation import check_path, check_rows, checks

PREDICTION = FOLDER / "prediction.csv"
WHOLE_NUMBERS = (
    "width", "n_layer", "n_params", "n_non_embedding", "tokens", "unique_tokens", "flops", "steps",
    "seed",
)  # fmt: skip
NUMBERS = (
    "width", "n_layer", "n_params", "n_non_embedding", "tokens", "unique_tokens", "epochs", "flops",
    "steps", "max_lr", "seed", "training_loss", "held_out_loss", "seconds",
)  # fmt: skip
RECORD = Record(
    FOLDER / "sweep.csv",
    keys=("run",),
    numbers=NUMBERS,
    columns=("run", "purpose", *NUMBERS, *MACHINE),
)


@checks(path=check_path)
def largest(path=PREDICTION):
    """Return the run that a prediction was written for, planned, in a list.

    Raises ValueError if there is none: what is known cannot be predicted.
    """
    rows = read_rows(path, ("width",))
    if not rows:
        raise ValueError(
            f"path={path} holds no prediction; run gpt_helpers.experiments.prediction first"
        )
    run = budgets.run_on(int(rows[0]["width"]), budgets.LARGEST_BUDGET)
    return [budgets.Planned("largest", run)]


STAGES = {"pilots": budgets.pilots, "profiles": budgets.profiles, "largest": largest}


def planned(stages):
    """Return {(key,): Planned} of every run of some of STAGES."""
    return {(budgets.key_of(one.run),): one for stage in stages for one in STAGES[stage]()}


def row_of_run(folder, plan, tokens=None):
    """Do one planned run on one thread and return its row with all columns, in a list.

    In folder, unless it is None, each run keeps a checkpoint of its own. tokens are as in
    budgets.do.
    """
    torch.set_num_threads(1)
    row = budgets.do(plan.run, place_of(plan.run, folder), tokens)
    return [row | {"purpose": plan.purpose} | machine_facts()]


def place_of(run, folder):
    """Return the folder of the checkpoint of a run, None if folder is."""
    return None if folder is None else folder / budgets.key_of(run).replace(" ", "-")


@checks(path=check_path)
def recorded_runs(path=RECORD.path):
    """Return the rows of a file of results, counts as integers; none if it is not there."""
    return [row | {name: int(row[name]) for name in WHOLE_NUMBERS} for row in RECORD.rows(path)]


@checks(rows=functools.partial(check_rows, columns=("run",)))
def runs_on(rows, flops):
    """Return the rows of the profile of a budget, of every seed. Source: hoffmann2022chinchilla."""
    keys = {budgets.key_of(run) for run in budgets.profile(flops)}
    return [row for row in rows if row["run"] in keys]


@command(NOT_RECORDED, GOES_ON)
def main(arguments=None):
    """Run what the file of results lacks, two runs at a time; return the exit status."""
    parser = command_line(__doc__, RECORD.path)
    parser.add_argument("--stage", choices=STAGES, help="pilots and profiles, unless given")
    parser.add_argument("--folder", type=Path, help="for checkpoints of runs that were stopped")
    options = parser.parse_args(arguments)
    plan = planned([options.stage] if options.stage else ["pilots", "profiles"])
    return program(RECORD, plan, functools.partial(row_of_run, options.folder), options)


if __name__ == "__main__":
    sys.exit(main())
