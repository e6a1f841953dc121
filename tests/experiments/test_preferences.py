"""The experiments of preferences: what a pair is, and what is measured before and after."""

import numpy as np
import torch

from gpt_helpers.experiments import preferences, tuning
from gpt_helpers.tasks import instructions
from gpt_helpers.tasks.answers import padded
from tests.helpers.reference import refused
from tests.helpers.runs import brief_setup

DECODE = instructions.VOCABULARY.decode
BRIEF = brief_setup()


class Scripted:
    """Writes these answers after its prompts, each filled up with ends of text."""

    def __init__(self, answers):
        """Remember the answers, one per prompt."""
        self.answers = answers

    def generate(self, prompts, n_tokens, **settings):
        """Return the prompts (N, T) with the answers behind them."""
        written = [instructions.VOCABULARY.encode(text)[:n_tokens] for text in self.answers]
        filled = padded(written, padding=preferences.END)
        return torch.cat([prompts, filled], 1)


def test_a_reply_is_cut_after_its_first_end_and_has_no_padding():
    items = tuning.unseen_items(0)[:3]
    rows = preferences.replies(Scripted(["a b . c", "sure . .", "a b c d"]), items, 0)
    answers = [DECODE(row).partition("response: ")[2] for row in rows]
    assert answers == ["a b .", "sure .", "a b c d" + " ." * answers[2].endswith(".")]
    assert all((row != 0).all() for row in rows)


def test_a_pair_holds_the_polite_right_answer_first_and_one_that_is_not():
    items = tuning.unseen_items(0)[:4]
    good = [instructions.response(item, polite=True) for item in items]
    plain = [instructions.response(item) for item in items]
    wrong = "sure a j j a j a j ."
    answers = [good[0], plain[0], wrong, good[1], good[2], good[2], plain[3], wrong]
    pairs = preferences.sampled_pairs(Scripted(answers), items, 0)
    assert pairs.shape[:2] == (2, 2)  # of the other two items, both answers are alike
    texts = [[DECODE(row).partition("response: ")[2] for row in pair] for pair in pairs]
    assert texts == [[good[0], plain[0]], [good[1], wrong]]
    prompts = [[DECODE(row).partition("response: ")[0] for row in pair] for pair in pairs]
    assert all(len(set(pair)) == 1 for pair in prompts)


def test_preferences_are_measured_on_pairs_before_and_after_training():
    items = tuning.unseen_items(0, n_tests=BRIEF.n_tests)
    prompts = [instructions.instruction(item, turn) for turn, item in enumerate(items)]
    texts = [
        f"{prompt} {instructions.response(item, polite)}"
        for prompt, item in zip(prompts, items, strict=True)
        for polite in (True, False)
    ]
    pairs = instructions.encoded(texts).unflatten(0, (-1, 2))
    given = {"setup": BRIEF, "pairs": lambda seed, for_tests, setup: pairs}
    results = {
        name: {
            row["measure"]: row for row in preferences.EXPERIMENTS["preferences"][name](0, **given)
        }
        for name in ("before", "beta 0.5")
    }
    for rows in results.values():
        assert set(rows) == {"polite", "right", "preferred", "other", "ordered"}
        assert rows["polite"]["n"] == rows["right"]["n"] == BRIEF.n_tests
        assert rows["ordered"]["n"] == len(items)
    margins = [rows["preferred"]["value"] - rows["other"]["value"] for rows in results.values()]
    assert margins[1] > margins[0]


def test_pairs_that_never_differ_in_preference_cannot_be_trained_on():
    none = torch.zeros(0, 2, 9, dtype=torch.long)
    refused(
        "rows has shape .*at least one", instructions.as_steps, none, 3, 4, np.random.default_rng(0)
    )
