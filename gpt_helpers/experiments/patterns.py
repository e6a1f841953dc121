"""Patterns that the shipped model goes on with: what it answers after 0 to 6 lines of one.

EXPERIMENTS is {experiment: {variant: function of a seed}}; applications.py runs them all. x counts
the lines before the question.
"""

import functools

import numpy as np

from gpt_helpers.experiments.records import result_row
from gpt_helpers.tasks.patterns import PATTERNS, draw_lines, pattern_scores
from gpt_helpers.weights.pretrained import load_model

N_PATTERN_ITEMS = 1000
PATTERN_SEED = 1_000_000


def pattern_rows(pattern, seed, n_items=N_PATTERN_ITEMS):
    """Return the rows of the shipped model's answers after 0 to 6 lines of a pattern."""
    items = draw_lines(np.random.default_rng([PATTERN_SEED, seed]), n_items)
    scores = pattern_scores(*load_model(), pattern, items)
    return [result_row("accuracy", x, score) for x, score in scores.items()]


EXPERIMENTS = {
    "patterns": {
        name: functools.partial(pattern_rows, pattern) for name, pattern in PATTERNS.items()
    },
}
