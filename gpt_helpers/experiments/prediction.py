"""The loss of the largest run, predicted from all others before it is run.

    python -m gpt_helpers.experiments.prediction          write prediction.csv, from sweep.csv
    python -m gpt_helpers.experiments.sweep --stage largest    then run what was predicted
    python -m gpt_helpers.experiments.prediction --copying RUNS   then copying.csv

Each form of a law is fitted to the profiles, each token counted by what it is worth. The form with
the smallest error of extrapolation, from the other budgets to the highest of them, is chosen; it
also chooses the size of the largest run. An interval holds the refits of resampled runs and the
errors that runs have.

The prediction was too high. What the largest run copies from its own window is a part of why.
"""

import argparse
import math
import sys
from functools import partial
from pathlib import Path

import numpy as np

from gpt_helpers.commands import command, new_file, positive
from gpt_helpers.experiments.budgets import (
    LARGEST_BUDGET,
    LARGEST_WIDTHS,
    PROFILES,
    PURPOSES,
    config_of_width,
    tokens_on,
)
from gpt_helpers.experiments.copying import COPYING, COPYING_NUMBERS, copying, copying_runs
from gpt_helpers.experiments.records import NOT_RECORDED
from gpt_helpers.experiments.sweep import PREDICTION, RECORD, recorded_runs, runs_on
from gpt_helpers.files import read_rows, write_rows
from gpt_helpers.scaling_laws.counts import count_parameters
from gpt_helpers.scaling_laws.data_limits import REPETITION
from gpt_helpers.scaling_laws.fits import (
    FORMS,
    bootstrap_laws,
    fit_loss_law,
    interval,
    predicted_losses,
)
from gpt_helpers.validation import (
    check_choice,
    check_numbers,
    check_path,
    check_rows,
    check_sequence,
    checks,
)

CONSTANTS = (
    "E", "A", "B", "alpha", "beta",
    "params_scale", "tokens_scale", "params_exponent", "tokens_exponent", "floor",
)  # fmt: skip
PREDICTED_NUMBERS = (
    "foretelling_error", "chosen", "width", "n_params", "tokens", "effective_tokens",
    "predicted_loss", "low", "high", "share", "runs", *CONSTANTS,
)  # fmt: skip
SHARE, N_SAMPLES = 0.9, 300


def check_run_rows(name, rows):
    """Raise ValueError unless rows are those of runs of the sweep."""
    numbers = "n_params", "n_non_embedding", "tokens", "unique_tokens", "held_out_loss"
    check_rows(name, rows, ("run", "purpose", *numbers))
    for column in numbers:
        check_numbers(f"{column} of {name}", [row[column] for row in rows], above=0)


def check_purposes(name, value):
    """Raise ValueError unless value is a sequence of budgets.PURPOSES."""
    check_sequence(name, value)
    for place, purpose in enumerate(value):
        check_choice(f"{name}[{place}]", purpose, PURPOSES)


@checks(
    rows=check_run_rows,
    purposes=check_purposes,
    size=partial(check_choice, choices=("n_params", "n_non_embedding")),
)
def law_runs(rows, purposes=("profile",), size="n_params"):
    """Return rows (parameters, tokens by worth, loss), as fits take them, of these purposes.

    size is "n_params" or "n_non_embedding". A token that is repeated is worth what
    data_limits.REPETITION says.
    """
    return [
        (row[size], effective_tokens(row), row["held_out_loss"])
        for row in rows
        if row["purpose"] in purposes
    ]


def effective_tokens(row):
    """Return how many new tokens the tokens of a run are worth."""
    return REPETITION.effective_tokens(row["tokens"], row["unique_tokens"])


@checks(rows=check_run_rows)
def extrapolation_errors(rows):
    """Return {form: mean error of log loss} on the highest budget, from fits to all others."""
    highest = runs_on(rows, max(PROFILES))
    known = law_runs([row for row in rows if row not in highest])
    if not highest:
        raise ValueError(f"rows has no run on the highest budget, {max(PROFILES):g} FLOPs")
    n_params, n_tokens, losses = np.transpose(law_runs(highest))
    laws = {form: fit_loss_law(known, form) for form in FORMS}
    return {
        form: float(np.abs(np.log(law.loss(n_params, n_tokens) / losses)).mean())
        for form, law in laws.items()
    }


def chosen_width(law):
    """Return the width of the largest run: of LARGEST_WIDTHS the nearest to a law's best size."""
    best = law.optimum(LARGEST_BUDGET).n_params
    sizes = {width: count_parameters(config_of_width(width)) for width in LARGEST_WIDTHS}
    return min(sizes, key=lambda width: abs(math.log(sizes[width] / best)))


def predict(rows, n_samples=N_SAMPLES):
    """Return predictions of the largest run from the rows of the sweep, a row per form.

    n_samples is how often the runs are drawn anew for the interval.
    """
    runs, errors = law_runs(rows), extrapolation_errors(rows)
    laws = {form: fit_loss_law(runs, form) for form in FORMS}
    chosen = min(errors, key=errors.get)
    width = chosen_width(laws[chosen])
    n_params, n_tokens = count_parameters(config_of_width(width)), tokens_on(width, LARGEST_BUDGET)
    n_unique = max(row["unique_tokens"] for row in rows)
    worth = float(REPETITION.effective_tokens(n_tokens, n_unique))
    facts = {"width": width, "n_params": n_params, "tokens": n_tokens, "runs": len(runs)}
    predicted = []
    for form, law in laws.items():
        losses = predicted_losses(runs, law, bootstrap_laws(runs, law, n_samples), n_params, worth)
        loss = {"predicted_loss": law.loss(n_params, worth), "effective_tokens": worth}
        limits = {**interval(losses, SHARE)._asdict(), "share": SHARE}
        choice = {"form": form, "foretelling_error": errors[form], "chosen": int(form == chosen)}
        constants = {name: getattr(law, name, math.nan) for name in CONSTANTS}
        predicted.append(choice | facts | loss | limits | constants)
    return predicted


@checks(path=check_path)
def predictions(path=PREDICTION):
    """Return {form: row} of the predictions that were written; ValueError if there are none."""
    rows = read_rows(path, PREDICTED_NUMBERS)
    if not rows:
        raise ValueError(
            f"path={path} holds no prediction; run python -m gpt_helpers.experiments.prediction"
        )
    return {row["form"]: row for row in rows}


def chosen_prediction(path=PREDICTION):
    """Return the row of the form that was chosen."""
    return next(row for row in predictions(path).values() if row["chosen"])


@checks(path=check_path, sweep=check_path)
def outcome(path=PREDICTION, sweep=RECORD.path):
    """Return what was predicted of the largest run, what it measured, and by how much they differ.

    difference is the measured loss divided by the predicted one, less 1. Raises ValueError if
    the run is not among those of the sweep.
    """
    predicted = chosen_prediction(path)
    largest = [row for row in recorded_runs(sweep) if row["purpose"] == "largest"]
    if not largest:
        raise ValueError(
            f"sweep={sweep} lacks the largest run; do gpt_helpers.experiments.sweep --stage largest"
        )
    measured = largest[0]["held_out_loss"]
    return {
        "predicted": predicted["predicted_loss"],
        "low": predicted["low"],
        "high": predicted["high"],
        "measured": measured,
        "difference": measured / predicted["predicted_loss"] - 1,
        "inside": predicted["low"] <= measured <= predicted["high"],
    }


@command(NOT_RECORDED)
def main(arguments=None, measured=copying):
    """Write the predictions, unless the largest run has been done; return the exit status.

    measured(run, folder) is what --copying writes of a run.
    """
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sweep", type=Path, default=RECORD.path, help="the runs to fit")
    parser.add_argument("--csv", type=new_file, help="the file to write, if it is another")
    parser.add_argument("--samples", type=positive, default=N_SAMPLES, help="for the interval")
    parser.add_argument("--copying", type=Path, help="write copying.csv; folder of checkpoints")
    options = parser.parse_args(arguments)
    if options.copying:
        rows = [measured(run, options.copying) for run in copying_runs()]
        write_rows(options.csv or COPYING, rows, ("run", *COPYING_NUMBERS))
        return 0
    rows = recorded_runs(options.sweep)
    if not rows:
        raise ValueError(f"sweep={options.sweep} holds no runs; run gpt_helpers.experiments.sweep")
    if any(row["purpose"] == "largest" for row in rows):
        sys.stderr.write("not predicted: the largest run is in the sweep already\n")
        return 1
    predicted = predict(rows, options.samples)
    write_rows(options.csv or PREDICTION, predicted, ("form", *PREDICTED_NUMBERS))
    return 0


if __name__ == "__main__":
    sys.exit(main())
