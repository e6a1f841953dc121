"""What each technique of training is worth: every variation of a small run, with seeds.

    python -m gpt_helpers.experiments.ablations     run what ablations.csv lacks, and append it

The file holds a row per evaluation of every run, so that curves, seeds and spreads can be
drawn from it; the page on training repeats a part of it live.
"""

import argparse
import math
import sys
from pathlib import Path

import torch

from gpt_helpers.experiments.records import FOLDER, append_rows, machine_facts
from gpt_helpers.experiments.small_run import EXPERIMENTS, LONGER, SEEDS, run
from gpt_helpers.files import by_seed, read_rows

EVERY = EXPERIMENTS | LONGER
RESULTS = FOLDER / "ablations.csv"
NUMBERS = (
    "seed", "step", "tokens", "loss", "held_out_loss", "gradient_norm", "matrix_norm",
    "embedding_norm", "seconds",
)  # fmt: skip
COLUMNS = ("changes", *NUMBERS, "torch", "platform", "cpus")


def planned(experiments=EVERY):
    """Return {(changes, seed): variation} of every run; what experiments share is run once."""
    variations = [v for experiment in experiments.values() for v in experiment.values()]
    return {(v.changes(), seed): v for v in variations for seed in SEEDS}


def complete_rows(plan):
    """Run one of the planned runs and return its rows with all columns."""
    changes, seed = plan
    return [row | {"changes": changes} for row in rows_of_run(planned()[plan], seed)]


def rows_of_run(variation, seed):
    """Run a variation on one thread and return its rows, each with the facts of the machine."""
    torch.set_num_threads(1)
    facts = machine_facts() | {"seed": seed}
    try:
        rows = run(variation, seed)
    except ArithmeticError:  # it diverged, and has no more numbers
        rows = [dict.fromkeys(NUMBERS, math.nan) | {"step": 0}]
    return [row | facts for row in rows]


def recorded(experiment):
    """Return {variation: {seed: rows}} of an experiment, from the file of results.

    Raises ValueError for an experiment that is not planned, or not yet run.
    """
    if experiment not in EVERY:
        raise ValueError(f"experiment={experiment!r} is unknown; use one of {list(EVERY)}")
    found = by_seed(read_rows(RESULTS, NUMBERS), "changes")
    variations = {name: v.changes() for name, v in EVERY[experiment].items()}
    missing = [name for name, changes in variations.items() if changes not in found]
    if missing:
        raise ValueError(
            f"no results for {missing}; run python -m gpt_helpers.experiments.ablations"
        )
    return {name: found[changes] for name, changes in variations.items()}


def mean_curves(experiment, column):
    """Return {variation: (thousands of tokens, mean of a column over the seeds)}."""
    return {name: mean_curve(seeds, column) for name, seeds in recorded(experiment).items()}


def mean_curve(seeds, column):
    """Return (thousands of tokens, mean of a column) of the runs in {seed: rows}."""
    runs = list(seeds.values())
    means = [sum(row[column] for row in rows) / len(rows) for rows in zip(*runs, strict=True)]
    return [row["tokens"] / 1000 for row in runs[0]], means


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


def main(arguments=None):
    """Run what the file of results lacks, two runs at a time; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--csv", type=Path, default=RESULTS, help="the file of results")
    parser.add_argument("--processes", type=int, default=2, help="how many runs at a time")
    options = parser.parse_args(arguments)
    rows = read_rows(options.csv, NUMBERS)
    done = {(row["changes"], row["seed"]) for row in rows}
    missing = [plan for plan in planned() if plan not in done]
    append_rows(options.csv, rows, COLUMNS, complete_rows, missing, options.processes)
    return 0


if __name__ == "__main__":
    sys.exit(main())
