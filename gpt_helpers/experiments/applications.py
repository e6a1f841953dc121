"""Every experiment of the page on applications, with seeds, into one file of results.

    python -m gpt_helpers.experiments.applications    run what applications.csv lacks, and append it

A row is one measurement: of experiment and variant, by the model of a seed, at x (what x counts
is said where the experiment is defined), so many answers right of n, or else a value.
"""

import argparse
import sys
import time
from pathlib import Path

import torch

from gpt_helpers.evaluation.accuracy import Score
from gpt_helpers.experiments import few_shot, induction, reasoning, tuning
from gpt_helpers.experiments.records import FOLDER, append_rows, machine_facts
from gpt_helpers.files import read_rows

RESULTS = FOLDER / "applications.csv"
SEEDS = (0, 1, 2)
EXPERIMENTS = (
    few_shot.EXPERIMENTS | induction.EXPERIMENTS | reasoning.EXPERIMENTS | tuning.EXPERIMENTS
)
NUMBERS = ("seed", "x", "right", "n", "value", "steps", "tokens", "seconds")
MACHINE = ("threads", "python", "torch", "platform", "cpus")
COLUMNS = ("experiment", "variant", "measure", *NUMBERS, *MACHINE)


def planned():
    """Return every run, as (experiment, variant, seed)."""
    return [
        (experiment, variant, seed)
        for experiment, variants in EXPERIMENTS.items()
        for variant in variants
        for seed in SEEDS
    ]


def complete_rows(plan):
    """Do one of the planned runs on one thread and return its rows with all columns."""
    torch.set_num_threads(1)
    experiment, variant, seed = plan
    started = time.perf_counter()
    rows = EXPERIMENTS[experiment][variant](seed)
    facts = machine_facts() | {"seconds": time.perf_counter() - started}
    return [{"experiment": experiment, "variant": variant, "seed": seed} | facts | r for r in rows]


def recorded_rows(path=RESULTS):
    """Return every row of the file of results, in the order in which they were measured."""
    return read_rows(path, NUMBERS)


def recorded(experiment, measure, path=RESULTS):
    """Return {variant: {x: [row of each seed]}} of one measure of an experiment, from the file.

    Raises ValueError for an experiment that is not planned, or not yet run.
    """
    if experiment not in EXPERIMENTS:
        raise ValueError(f"experiment={experiment!r} is unknown; use one of {list(EXPERIMENTS)}")
    found = {}
    for row in recorded_rows(path):
        if (row["experiment"], row["measure"]) == (experiment, measure):
            found.setdefault(row["variant"], {}).setdefault(row["x"], []).append(row)
    if not found:
        command = "python -m gpt_helpers.experiments.applications"
        raise ValueError(f"no {measure!r} of {experiment!r} in {path}; run {command}")
    return {name: found[name] for name in EXPERIMENTS[experiment] if name in found}


def scores(experiment, measure, path=RESULTS):
    """Return {variant: {x: [Score of each seed]}} of one measure of an experiment."""
    return {
        variant: {
            x: [Score(int(row["right"]), int(row["n"])) for row in rows] for x, rows in by_x.items()
        }
        for variant, by_x in recorded(experiment, measure, path).items()
    }


def values(experiment, measure, path=RESULTS):
    """Return {variant: {x: [value of each seed]}} of one measure of an experiment."""
    return {
        variant: {x: [row["value"] for row in rows] for x, rows in by_x.items()}
        for variant, by_x in recorded(experiment, measure, path).items()
    }


def main(arguments=None):
    """Run what the file of results lacks, two runs at a time; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--csv", type=Path, default=RESULTS, help="the file of results")
    parser.add_argument("--experiment", choices=EXPERIMENTS, help="only this one")
    parser.add_argument("--processes", type=int, default=2, help="how many runs at a time")
    options = parser.parse_args(arguments)
    rows = recorded_rows(options.csv)
    done = {(row["experiment"], row["variant"], int(row["seed"])) for row in rows}
    missing = [
        plan for plan in planned() if plan not in done and options.experiment in (None, plan[0])
    ]
    append_rows(options.csv, rows, COLUMNS, complete_rows, missing, options.processes)
    return 0


if __name__ == "__main__":
    sys.exit(main())
