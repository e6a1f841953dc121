"""Sums of digits: what steps are worth, by length and by depth, and whether they are used.

EXPERIMENTS is {experiment: {variant: function of a seed}}; applications.py runs them all. x counts
the digits of a sum, the steps before the wrong one, or votes.
"""

import functools

from gpt_helpers.experiments.reasoning import (
    N_DIGITS,
    N_PROBLEMS,
    score_row,
    sum_items,
    sum_model,
    sum_score,
    wrong_step_scores,
)
from gpt_helpers.experiments.voting import N_VOTED, keep_halfway, vote_rows
from gpt_helpers.tasks.sums import FORMATS

LENGTHS, LONGER_SUMS = (3, 4), (14, 16)
WRONG_AT = (3, 6, 9)


def sums_by_length(written_as, n_layer, seed, n_items=N_PROBLEMS, **settings):
    """Return rows of models of n_layer layers, one for each of LENGTHS: "answer".

    settings go to sum_model.
    """
    rows = []
    for n_digits in LENGTHS:
        model, log = sum_model(written_as, seed, n_layer, n_digits, **settings)
        rows += answer_rows(model, (n_digits,), log, n_items)
    return rows


def answer_rows(model, lengths, log, n_items):
    """Return the rows of right answers to n_items sums of each length."""
    return [score_row("answer", n, sum_score(model, sum_items(n, n_items)), log) for n in lengths]


def twelve_digits(
    written_as, n_layer, seed, n_items=N_PROBLEMS, n_voted=N_VOTED, keep=keep_halfway, **settings
):
    """Return rows of a model trained on 12 digits: "answer", and what else the format allows.

    With steps: "answer" for longer sums, "follows" and "ignores" a wrong step, and the votes of the
    model that keep(kept) keeps. settings go to sum_model.
    """
    kept = []
    after_step = keep(kept) if written_as == "steps" else None
    model, log = sum_model(written_as, seed, n_layer, after_step=after_step, **settings)
    rows = answer_rows(model, (N_DIGITS,), log, n_items)
    if written_as == "steps":
        rows += answer_rows(model, LONGER_SUMS, log, n_items)
        rows += [row for at in WRONG_AT for row in wrong_step_rows(model, at, log, n_items)]
        rows += [row for half, step in kept for row in vote_rows(half, log[:step], n_voted)]
    return rows


def wrong_step_rows(model, at, log, n_items):
    """Return the rows of wrong_step_scores on n_items sums of 12 digits."""
    scores = wrong_step_scores(model, sum_items(n_items=n_items), at)
    measures = ("follows", "ignores")
    return [score_row(name, at, score, log) for name, score in zip(measures, scores, strict=True)]


def variants(run, chosen):
    """Return {name: run of it}, for chosen formats and numbers of layers."""
    return {
        f"{written_as}, {n_layer} layers": functools.partial(run, written_as, n_layer)
        for written_as, n_layer in chosen
    }


EXPERIMENTS = {
    "sum of 12 digits": variants(twelve_digits, [(written_as, 2) for written_as in FORMATS]),
    "sums by length": variants(
        sums_by_length, [("at once", 1), ("at once", 2), ("at once", 4), ("steps", 2)]
    ),
}
