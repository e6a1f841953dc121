"""The loss of the largest run, predicted from all others before it is run.

    python -m gpt_helpers.prediction    write prediction.csv, from the profiles in sweep.csv
    python -m gpt_helpers.sweep --stage largest     then run what was predicted

A law of the loss is fitted to the profiles, each token counted by what it is worth. The law also
chooses the size of the largest run: of those on the list the one nearest to the best for its
budget. The interval holds the refits of resampled runs and the errors that runs have.
"""

import argparse
import math
import sys
from pathlib import Path

from gpt_helpers.budgets import LARGEST_BUDGET, LARGEST_WIDTHS, run_on
from gpt_helpers.constraints import REPETITION
from gpt_helpers.fits import bootstrap_laws, fit_loss_law, interval, predicted_losses
from gpt_helpers.rows import read_rows, write_rows
from gpt_helpers.scaling import count_parameters
from gpt_helpers.sweep import PREDICTION, SWEEP, recorded_runs

CONSTANTS = ("E", "A", "B", "alpha", "beta")
NUMBERS_PREDICTED = (
    "width", "n_params", "tokens", "effective_tokens", "predicted_loss", "low", "high", "share",
    "runs", *CONSTANTS,
)  # fmt: skip
SHARE, N_SAMPLES = 0.9, 500


def law_runs(rows, purposes=("profile",), size="n_params"):
    """Return rows (parameters, tokens by worth, loss), as fits take them, of these purposes.

    size is "n_params" or "n_non_embedding". A token that is repeated is worth what
    constraints.REPETITION says.
    """
    return [
        (row[size], effective_tokens(row), row["held_out_loss"])
        for row in rows
        if row["purpose"] in purposes
    ]


def effective_tokens(row):
    """Return how many new tokens the tokens of a run are worth."""
    return REPETITION.effective_tokens(row["tokens"], row["unique_tokens"])


def chosen_run(law):
    """Return the largest run: of LARGEST_WIDTHS the one nearest to the best size by a law."""
    best = law.optimum(LARGEST_BUDGET).n_params
    runs = [run_on("largest", width, LARGEST_BUDGET) for width in LARGEST_WIDTHS]
    return min(runs, key=lambda run: abs(math.log(count_parameters(run.config) / best)))


def predict(rows):
    """Return the prediction as a row, from the rows of the sweep that are profiles."""
    runs = law_runs(rows)
    law = fit_loss_law(runs)
    largest, n_unique = chosen_run(law), max(row["unique_tokens"] for row in rows)
    n_params = count_parameters(largest.config)
    worth = REPETITION.effective_tokens(largest.n_tokens, n_unique)
    laws = bootstrap_laws(runs, law, N_SAMPLES)
    losses = predicted_losses(runs, law, laws, n_params, worth)
    return {
        "width": largest.width,
        "n_params": n_params,
        "tokens": largest.n_tokens,
        "effective_tokens": float(worth),
        "predicted_loss": law.loss(n_params, worth),
        **interval(losses, SHARE)._asdict(),
        "share": SHARE,
        "runs": len(runs),
        **{name: getattr(law, name) for name in CONSTANTS},
    }


def predicted(path=PREDICTION):
    """Return the prediction that was written, as a row of numbers.

    Raises ValueError if there is none.
    """
    rows = read_rows(path, NUMBERS_PREDICTED)
    if not rows:
        raise ValueError(f"{path} holds no prediction; run python -m gpt_helpers.prediction")
    return rows[0]


def main(arguments=None):
    """Write the prediction, unless the largest run has been done; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sweep", type=Path, default=SWEEP, help="the runs to fit")
    parser.add_argument("--csv", type=Path, default=PREDICTION, help="the file to write")
    options = parser.parse_args(arguments)
    rows = recorded_runs(options.sweep)
    if any(row["purpose"] == "largest" for row in rows):
        sys.stderr.write("not predicted: the largest run is in the sweep already\n")
        return 1
    write_rows(options.csv, [predict(rows)], NUMBERS_PREDICTED)
    return 0


if __name__ == "__main__":
    sys.exit(main())
