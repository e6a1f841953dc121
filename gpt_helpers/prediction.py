"""The loss of the largest run, predicted from all others before it is run.

    python -m gpt_helpers.prediction                write prediction.csv, from sweep.csv
    python -m gpt_helpers.sweep --stage largest     then run what was predicted
    python -m gpt_helpers.prediction --copying RUNS what has it learned? write copying.csv

Each form of a law is fitted to the profiles, each token counted by what it is worth. The form that
foretells the highest of their budgets best from the others is chosen; it also chooses the size of
the largest run. An interval holds the refits of resampled runs and the errors that runs have.

The prediction was too high. What the largest run copies from its own window is a part of why.
"""

import argparse
import math
import sys
from pathlib import Path

import numpy as np
import torch

from gpt_helpers import budgets
from gpt_helpers.budgets import LARGEST_BUDGET, LARGEST_WIDTHS, PROFILES, run_on
from gpt_helpers.checkpoint import copy_tensors, read_sealed
from gpt_helpers.constraints import REPETITION
from gpt_helpers.fits import FORMS, bootstrap_laws, fit_loss_law, interval, predicted_losses
from gpt_helpers.model import GPTLMHeadModel
from gpt_helpers.rows import read_rows, write_rows
from gpt_helpers.sampling import evaluating
from gpt_helpers.scaling import count_parameters
from gpt_helpers.state import FILE_NAME
from gpt_helpers.sweep import HERE, PREDICTION, SWEEP, largest, recorded_runs, runs_on
from gpt_helpers.variations import tokens_of_corpus

CONSTANTS = (
    "E", "A", "B", "alpha", "beta",
    "params_scale", "tokens_scale", "params_exponent", "tokens_exponent", "floor",
)  # fmt: skip
PREDICTED_NUMBERS = (
    "foretelling_error", "chosen", "width", "n_params", "tokens", "effective_tokens",
    "predicted_loss", "low", "high", "share", "runs", *CONSTANTS,
)  # fmt: skip
SHARE, N_SAMPLES = 0.9, 300
COPYING = HERE / "copying.csv"
COPYING_NUMBERS = (
    "width", "tokens", "pair_share", "pair_loss", "other_loss", "first_loss", "second_loss",
)  # fmt: skip
N_REPEATED = 128  # sequences of random tokens, each of half a window, twice


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


def foretelling_errors(rows):
    """Return {form: mean error of log loss} on the highest budget, from fits to all others."""
    highest = runs_on(rows, max(PROFILES))
    known = law_runs([row for row in rows if row not in highest])
    n_params, n_tokens, losses = np.transpose(law_runs(highest))
    laws = {form: fit_loss_law(known, form) for form in FORMS}
    return {
        form: float(np.abs(np.log(law.loss(n_params, n_tokens) / losses)).mean())
        for form, law in laws.items()
    }


def chosen_run(law):
    """Return the largest run: of LARGEST_WIDTHS the one nearest to the best size by a law."""
    best = law.optimum(LARGEST_BUDGET).n_params
    runs = [run_on("largest", width, LARGEST_BUDGET) for width in LARGEST_WIDTHS]
    return min(runs, key=lambda run: abs(math.log(count_parameters(run.config) / best)))


def predict(rows):
    """Return predictions of the largest run from the rows of the sweep, a row per form."""
    runs, errors = law_runs(rows), foretelling_errors(rows)
    laws = {form: fit_loss_law(runs, form) for form in FORMS}
    chosen = min(errors, key=errors.get)
    run, n_unique = chosen_run(laws[chosen]), max(row["unique_tokens"] for row in rows)
    n_params = count_parameters(run.config)
    worth = float(REPETITION.effective_tokens(run.n_tokens, n_unique))
    facts = {"width": run.width, "n_params": n_params, "tokens": run.n_tokens, "runs": len(runs)}
    found = []
    for form, law in laws.items():
        losses = predicted_losses(runs, law, bootstrap_laws(runs, law, N_SAMPLES), n_params, worth)
        said = {"predicted_loss": law.loss(n_params, worth), "effective_tokens": worth}
        limits = {**interval(losses, SHARE)._asdict(), "share": SHARE}
        choice = {"form": form, "foretelling_error": errors[form], "chosen": int(form == chosen)}
        constants = {name: getattr(law, name, "") for name in CONSTANTS}
        found.append(choice | facts | said | limits | constants)
    return found


def predictions(path=PREDICTION):
    """Return {form: row} of the predictions that were written; ValueError if there are none."""
    rows = read_rows(path, PREDICTED_NUMBERS)
    if not rows:
        raise ValueError(f"{path} holds no prediction; run python -m gpt_helpers.prediction")
    return {row["form"]: row for row in rows}


def chosen_prediction(path=PREDICTION):
    """Return the row of the form that was chosen."""
    return next(row for row in predictions(path).values() if row["chosen"])


def outcome(path=PREDICTION, sweep=SWEEP):
    """Return what was predicted of the largest run, what it measured, and by how much they differ.

    difference is the measured loss divided by the predicted one, less 1. Raises ValueError if
    the run is not among those of the sweep.
    """
    said = chosen_prediction(path)
    found = [row for row in recorded_runs(sweep) if row["purpose"] == "largest"]
    if not found:
        raise ValueError(f"{sweep} lacks the largest run; do gpt_helpers.sweep --stage largest")
    measured = found[0]["held_out_loss"]
    return {
        "predicted": said["predicted_loss"],
        "low": said["low"],
        "high": said["high"],
        "measured": measured,
        "difference": measured / said["predicted_loss"] - 1,
        "inside": said["low"] <= measured <= said["high"],
    }


def seen_pairs(windows):
    """Return bool (N, T-1), for windows (N, T): does a token end a pair seen before in its window?

    A pair is a token and the one before it; the first token of a window ends none.
    """
    pairs = torch.stack([windows[:, :-1], windows[:, 1:]], -1)
    same = (pairs[:, :, None] == pairs[:, None]).all(-1)
    index = torch.arange(pairs.shape[1])
    return (same & (index < index[:, None])).any(-1)


def token_losses(model, windows, batch_size=16):
    """Return the loss of every token but the first of windows (N, T), in nats (N, T-1)."""
    cross_entropy = torch.nn.functional.cross_entropy
    with evaluating(model), torch.no_grad():
        losses = [
            cross_entropy(model(ids)["logits"][:, :-1].mT, ids[:, 1:], reduction="none")
            for ids in windows.split(batch_size)
        ]
    return torch.cat(losses)


def copying(run, folder):
    """Return what a run gains from copying: a row of COPYING_NUMBERS, and the run's key.

    pair_loss is the held-out loss of tokens that end a pair seen before in the window, other_loss
    that of all others. first_loss and second_loss are those of random tokens of the corpus, and
    of the same tokens again. The run is done on one thread, or goes on from where it is in folder.
    Source: olsson2022induction (random tokens, repeated).
    """
    torch.set_num_threads(1)
    place = folder / run.key.replace(" ", "-")
    n_tokens = budgets.do(run, place)["tokens"]
    tensors, _ = read_sealed(place / FILE_NAME)
    model = GPTLMHeadModel(run.config)
    weights = {name: tensor for name, tensor in tensors.items() if "/" not in name}
    copy_tensors(dict(model.named_parameters()), weights, place)
    tokens, held_out = tokens_of_corpus(budgets.N_SCORED)
    losses, seen = token_losses(model, held_out), seen_pairs(held_out)
    half = run.config.n_positions // 2
    drawn = torch.randint(
        len(tokens), (N_REPEATED, half), generator=torch.Generator().manual_seed(0)
    )
    again = token_losses(model, tokens[drawn].repeat(1, 2)).mean(0)
    means = seen.float().mean(), losses[seen].mean(), losses[~seen].mean()
    values = *means, again[: half - 1].mean(), again[half:].mean()
    numbers = zip(COPYING_NUMBERS[2:], (value.item() for value in values), strict=True)
    return {"run": run.key, "width": run.width, "tokens": n_tokens, **dict(numbers)}


def recorded_copying(path=COPYING):
    """Return the rows that copying.csv holds, a row per run of copying_runs."""
    return read_rows(path, COPYING_NUMBERS)


def copying_runs():
    """Return two runs of the highest profile, half as wide and as wide as the largest, and it."""
    (run,) = largest()
    shorter = [run_on("profile", width, max(PROFILES)) for width in (run.width // 2, run.width)]
    return [*shorter, run]


def main(arguments=None):
    """Write the predictions, unless the largest run has been done; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sweep", type=Path, default=SWEEP, help="the runs to fit")
    parser.add_argument("--csv", type=Path, default=PREDICTION, help="the file to write")
    parser.add_argument("--copying", type=Path, help="write copying.csv; folder of checkpoints")
    options = parser.parse_args(arguments)
    if options.copying:
        rows = [copying(run, options.copying) for run in copying_runs()]
        write_rows(COPYING, rows, ("run", *COPYING_NUMBERS))
        return 0
    rows = recorded_runs(options.sweep)
    if any(row["purpose"] == "largest" for row in rows):
        sys.stderr.write("not predicted: the largest run is in the sweep already\n")
        return 1
    write_rows(options.csv, predict(rows), ("form", *PREDICTED_NUMBERS))
    return 0


if __name__ == "__main__":
    sys.exit(main())
