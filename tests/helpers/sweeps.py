"""Rows of the sweep that lie on a law, for tests of what is made of them."""

from gpt_helpers.experiments import budgets, sweep
from gpt_helpers.experiments.prediction import effective_tokens
from gpt_helpers.files import write_rows
from gpt_helpers.scaling_laws.counts import count_parameters
from tests.scaling_laws.test_fits import TRUE as LAW


def made_up_rows(law=LAW):
    """Return the rows that the profiles would have if their losses lay on a law."""
    rows = []
    for purpose, run in budgets.profiles():
        row = dict.fromkeys(sweep.RECORD.columns, 1) | {
            "run": budgets.key_of(run),
            "purpose": purpose,
            "n_params": count_parameters(run.config),
            "tokens": run.settings.total_steps * run.step_tokens,
            "unique_tokens": run.n_unique or 3_000_000,
            "max_lr": run.settings.max_lr,
        }
        rows.append(row | {"held_out_loss": law.loss(row["n_params"], effective_tokens(row))})
    return rows


def write_sweep(path, rows):
    """Write rows as the sweep does, and return the path."""
    write_rows(path, rows, sweep.RECORD.columns)
    return path
