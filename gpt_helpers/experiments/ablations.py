"""What each technique of training is worth: every variation of a small run, with seeds.

    python -m gpt_helpers.experiments.ablations     run what ablations.csv lacks, and append it

The file holds a row per evaluation of every run, so that curves, seeds and spreads can be
drawn from it; the page on training repeats a part of it live.
"""

import math
import sys
from functools import partial
from numbers import Real

import torch

from gpt_helpers.commands import command
from gpt_helpers.experiments.records import (
    FOLDER,
    GOES_ON,
    NOT_RECORDED,
    Record,
    by_seed,
    check_experiments,
    command_line,
    machine_facts,
    program,
)
from gpt_helpers.experiments.small_run import BASE_RUN, EXPERIMENTS, LONGER, SEEDS, run
from gpt_helpers.training.runs import Run
from gpt_helpers.validation import (
    check_choice,
    check_instance,
    check_rows,
    check_text,
    checked_by,
    checks,
)

EVERY = EXPERIMENTS | LONGER
NUMBERS = (
    "seed", "step", "tokens", "loss", "held_out_loss", "gradient_norm", "matrix_norm",
    "embedding_norm", "seconds",
)  # fmt: skip
RECORD = Record(
    FOLDER / "ablations.csv",
    keys=("changes", "seed"),
    numbers=NUMBERS,
    columns=("changes", *NUMBERS, "torch", "platform", "cpus"),
)
check_experiment = partial(check_choice, choices=EVERY)
check_column = partial(check_choice, choices=NUMBERS)
check_trainings = partial(check_experiments, check=partial(check_instance, kind=Run))


@checks(experiments=check_trainings)
def planned(experiments=EVERY):
    """Return {(changes, seed): variation} of every run; what experiments share is run once."""
    variations = [v for experiment in experiments.values() for v in experiment.values()]
    return {
        (variation.changes_from(BASE_RUN), seed): variation.with_seed(seed)
        for variation in variations
        for seed in SEEDS
    }


def complete_rows(variation, tokens=None):
    """Run a variation by its own seed and return its rows with all columns."""
    changes = {"changes": variation.changes_from(BASE_RUN)}
    return [row | changes for row in rows_of_run(variation, tokens)]


def rows_of_run(variation, tokens=None):
    """Run a variation on one thread and return its rows, each with the facts of the machine."""
    torch.set_num_threads(1)
    seed = variation.settings.seed
    facts = machine_facts() | {"seed": seed}
    try:
        rows = run(variation, seed, tokens=tokens)
    except ArithmeticError:  # it diverged, and has no more numbers
        rows = [dict.fromkeys(NUMBERS, math.nan) | {"step": 0}]
    return [row | facts for row in rows]


@checks(experiment=check_experiment)
def recorded(experiment):
    """Return {variation: {seed: rows}} of an experiment, from the file of results.

    Raises ValueError for an experiment that is not planned, or not yet run.
    """
    runs = by_seed(RECORD.rows(), "changes")
    variations = {name: v.changes_from(BASE_RUN) for name, v in EVERY[experiment].items()}
    missing = [name for name, changes in variations.items() if changes not in runs]
    if missing:
        raise ValueError(
            f"no results for {missing}; run python -m gpt_helpers.experiments.ablations"
        )
    return {name: runs[changes] for name, changes in variations.items()}


@checks(column=check_column)
def mean_curves(experiment, column):
    """Return {variation: (thousands of tokens, mean of a column over the seeds)}."""
    return {name: mean_curve(seeds, column) for name, seeds in recorded(experiment).items()}


def check_curve(seeds, column):
    """Raise ValueError unless the runs in {seed: rows} all have as many rows, and this column."""
    check_instance("seeds", seeds, dict)
    check_text("column", column)
    if not seeds:
        raise ValueError("seeds is empty; give {seed: rows} of at least one run")
    for seed, rows in seeds.items():
        check_rows(f"seeds[{seed!r}]", rows, ("tokens",))
        if not all(isinstance(row.get(column), Real) for row in rows):
            raise ValueError(f"column={column!r} is no number in all rows; they have {[*rows[0]]}")
    lengths = {seed: len(rows) for seed, rows in seeds.items()}
    if len({*lengths.values()}) > 1:
        raise ValueError(f"seeds have different numbers of rows, {lengths}; leave some out")


@checked_by(check_curve)
def mean_curve(seeds, column):
    """Return (thousands of tokens, mean of a column) of the runs in {seed: rows}."""
    runs = list(seeds.values())
    means = [sum(row[column] for row in rows) / len(rows) for rows in zip(*runs, strict=True)]
    return [row["tokens"] / 1000 for row in runs[0]], means


@checks(column=check_column)
def finals(experiment, column="held_out_loss"):
    """Return {variation: {"mean", "lowest", "highest"}} of a column at the end of the runs."""
    ends = {
        name: [rows[-1][column] for rows in seeds.values()]
        for name, seeds in recorded(experiment).items()
    }
    return {
        name: {"mean": sum(values) / len(values), "lowest": min(values), "highest": max(values)}
        for name, values in ends.items()
    }


@command(NOT_RECORDED, GOES_ON)
def main(arguments=None):
    """Run what the file of results lacks, two runs at a time; return the exit status."""
    options = command_line(__doc__, RECORD.path).parse_args(arguments)
    return program(RECORD, planned(), complete_rows, options)


if __name__ == "__main__":
    sys.exit(main())
