"""Every experiment of the page on applications, with seeds, into one file of results.

    python -m gpt_helpers.experiments.applications    run what applications.csv lacks, and append it

A row is one measurement: of experiment and variant, by the model of a seed, at x (what x counts
is said where the experiment is defined), so many answers right of n, or else a value.
"""

import math
import sys
import time

import torch

from gpt_helpers.commands import command
from gpt_helpers.evaluation.accuracy import Score
from gpt_helpers.experiments import (
    few_shot,
    induction,
    patterns,
    preferences,
    story_chains,
    sum_chains,
    tuning,
)
from gpt_helpers.experiments.records import (
    FOLDER,
    GOES_ON,
    MACHINE,
    NOT_RECORDED,
    Record,
    check_experiments,
    command_line,
    machine_facts,
    program,
)
from gpt_helpers.validation import check_callable, check_choice, check_path, check_text, checks

SEEDS = (0, 1, 2)
EXPERIMENT_MODULES = (few_shot, induction, patterns, sum_chains, story_chains, tuning, preferences)
EXPERIMENTS = {
    name: variants for module in EXPERIMENT_MODULES for name, variants in module.EXPERIMENTS.items()
}
NUMBERS = ("seed", "x", "right", "n", "value", "steps", "tokens", "seconds")
RECORD = Record(
    FOLDER / "applications.csv",
    keys=("experiment", "variant", "seed"),
    numbers=NUMBERS,
    columns=("experiment", "variant", "measure", *NUMBERS, *MACHINE),
)


def check_runs(name, value):
    """Raise ValueError unless value is {experiment: {variant: function of a seed}}."""
    check_experiments(name, value, check_callable)


@checks(experiments=check_runs)
def planned(experiments=EXPERIMENTS):
    """Return {(experiment, variant, seed): its key and its function of a seed} of every run."""
    return {
        (key := (experiment, variant, seed)): (key, run)
        for experiment, variants in experiments.items()
        for variant, run in variants.items()
        for seed in SEEDS
    }


def complete_rows(plan):
    """Do one of the planned runs on one thread and return its rows with all columns."""
    torch.set_num_threads(1)
    (experiment, variant, seed), run = plan
    started = time.perf_counter()
    rows = run(seed)
    facts = machine_facts() | {"seconds": time.perf_counter() - started}
    return [{"experiment": experiment, "variant": variant, "seed": seed} | facts | r for r in rows]


@checks(path=check_path)
def recorded_rows(path=RECORD.path):
    """Return every row of the file of results, in the order in which they were measured."""
    return RECORD.rows(path)


@checks(measure=check_text, path=check_path)
def recorded(experiment, measure, path=RECORD.path):
    """Return {variant: {x: [row of each seed, 0 first]}} of one measure of an experiment.

    Raises ValueError for an experiment that is not planned, or not yet run.
    """
    check_choice("experiment", experiment, EXPERIMENTS)
    rows = {}
    for row in sorted(recorded_rows(path), key=lambda row: row["seed"]):
        if (row["experiment"], row["measure"]) == (experiment, measure):
            rows.setdefault(row["variant"], {}).setdefault(row["x"], []).append(row)
    if not rows:
        command = "python -m gpt_helpers.experiments.applications"
        raise ValueError(f"path={path} has no {measure=} of {experiment!r}; run {command}")
    return {name: rows[name] for name in EXPERIMENTS[experiment] if name in rows}


def recorded_with(column, experiment, measure, path):
    """Return recorded; raise ValueError if the rows have nothing in a column, "n" or "value"."""
    found = recorded(experiment, measure, path)
    rows = [row for by_x in found.values() for rows in by_x.values() for row in rows]
    if any(math.isnan(row[column]) for row in rows):
        kind = "a count: use scores" if column == "value" else "a value: use values"
        raise ValueError(f"{measure=} of {experiment!r} is {kind}")
    return found


def scores(experiment, measure, path=RECORD.path):
    """Return {variant: {x: [Score of each seed]}} of one measure of an experiment."""
    return {
        variant: {
            x: [Score(int(row["right"]), int(row["n"])) for row in rows] for x, rows in by_x.items()
        }
        for variant, by_x in recorded_with("n", experiment, measure, path).items()
    }


def values(experiment, measure, path=RECORD.path):
    """Return {variant: {x: [value of each seed]}} of one measure of an experiment."""
    return {
        variant: {x: [row["value"] for row in rows] for x, rows in by_x.items()}
        for variant, by_x in recorded_with("value", experiment, measure, path).items()
    }


@command(NOT_RECORDED, GOES_ON)
def main(arguments=None):
    """Run what the file of results lacks, two runs at a time; return the exit status."""
    parser = command_line(__doc__, RECORD.path)
    parser.add_argument("--experiment", choices=EXPERIMENTS, help="only this one")
    options = parser.parse_args(arguments)
    chosen = [options.experiment] if options.experiment else EXPERIMENTS
    plan = planned({name: EXPERIMENTS[name] for name in chosen})
    return program(RECORD, plan, complete_rows, options)


if __name__ == "__main__":
    sys.exit(main())
