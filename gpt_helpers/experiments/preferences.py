"""Experiments of preferences: a model of two styles learns which of its own answers is better.

EXPERIMENTS is {experiment: {variant: function of a seed}}; applications.py runs them all. x is
beta of "beta", and else 0. What is counted: answers that are "polite" and those that are "right",
and pairs that are "ordered", the preferred answer before the other; "preferred" and "other" are
their log-probabilities, in nats.
"""

import copy
import functools

import numpy as np
import torch

from gpt_helpers.architecture.modules import evaluating
from gpt_helpers.evaluation.accuracy import Score
from gpt_helpers.experiments.tuning import (
    DATA_SEED,
    MARKER,
    SETUP,
    base_model,
    examples,
    measured_rows,
    tuned,
    unseen_items,
)
from gpt_helpers.tasks import instructions
from gpt_helpers.tasks.answers import padded
from gpt_helpers.tasks.items import draw_items
from gpt_helpers.training.preferences import PreferenceLoss, answer_log_probability

END = instructions.VOCABULARY.ids[instructions.END]
POLITE_SHARE = 0.5  # of the answers that the model of two styles is tuned on
ITEMS_PER_TEST = 3  # as many are answered twice, for pairs that differ in preference


def replies(model, items, seed, n_each=1):
    """Return n_each sampled rows of ids (T,) per item, prompt and answer, cut after an end."""
    prompts, answers = instructions.questions(items)
    prompts = prompts.repeat_interleave(n_each, 0)  # (N, K)
    generator = torch.Generator().manual_seed(seed)
    settings = {"eos_token_id": END, "generator": generator}
    ids = model.generate(prompts, answers.shape[1] + 1, attention_mask=prompts != 0, **settings)
    after_end = (ids == END).cumsum(1) - (ids == END).long() > 0  # (N, A)
    return [row[(row != 0) & ~after] for row, after in zip(ids, after_end, strict=True)]


def sampled_pairs(model, items, seed):
    """Return pairs (B, 2, T) of two answers to an item: one polite and right, the other not.

    B is the number of items of which that holds.
    """
    rows = replies(model, items, seed, n_each=2)
    verdicts = [all(instructions.judged(row, items[i // 2])) for i, row in enumerate(rows)]
    good = torch.tensor(verdicts).view(-1, 2)  # (N, 2)
    ids = padded(rows).unflatten(0, (-1, 2))  # (N, 2, K)
    ordered = ids.where(good[:, :1, None], ids.flip(1))  # (N, 2, K)
    return ordered[good[:, 0] != good[:, 1]]


def preference_measures(model, pairs, seed, n_tests=SETUP.n_tests):
    """Return {measure: Score or number}: of sampled answers, and of pairs (B, 2, T)."""
    items = unseen_items(seed, n_tests=n_tests)
    verdicts = [
        instructions.judged(*pair) for pair in zip(replies(model, items, seed), items, strict=True)
    ]
    with evaluating(model), torch.no_grad():
        nats = answer_log_probability(model, pairs.flatten(0, 1), MARKER).unflatten(0, (-1, 2))
    return {
        "polite": Score(sum(polite for polite, _ in verdicts), n_tests),
        "right": Score(sum(right for _, right in verdicts), n_tests),
        "preferred": nats[:, 0].mean().item(),
        "other": nats[:, 1].mean().item(),
        "ordered": Score(int((nats[:, 0] > nats[:, 1]).sum()), len(nats)),
    }


def styled_examples(seed, setup=SETUP):
    """Return rows (N, T) to tune on, of which a share has polite answers."""
    return examples(setup.n_examples, seed, POLITE_SHARE)


@functools.cache
def model_of_two_styles(seed, setup=SETUP):
    """Return the base model tuned on answers of which half are polite; copy it before a change."""
    model = copy.deepcopy(base_model(seed, setup))
    return tuned(model, styled_examples(seed, setup), seed, setup.full, batch_size=setup.batch_size)


@functools.cache
def pairs_of(seed, for_tests, setup=SETUP):
    """Return pairs (B, 2, T) that the model of two styles has sampled, for one side."""
    rng = np.random.default_rng([seed, DATA_SEED, 2 + for_tests])
    draw, n_items = instructions.draw_from(instructions.SINGLES), ITEMS_PER_TEST * setup.n_tests
    items = draw_items(draw, n_items, rng, for_tests)
    return sampled_pairs(model_of_two_styles(seed, setup), items, 2 * seed + for_tests)


def run_before(seed, setup=SETUP, pairs=pairs_of):
    """Measure the model of two styles, which has seen no preference."""
    model = model_of_two_styles(seed, setup)
    results = preference_measures(model, pairs(seed, True, setup), seed, setup.n_tests)
    return measured_rows(results, 0, setup.full, styled_examples(seed, setup), setup.batch_size)


def run_preferences(seed, *, beta, setup=SETUP, pairs=pairs_of):
    """Lower the preference loss on pairs sampled from the model itself, and measure."""
    start, rows = model_of_two_styles(seed, setup), pairs(seed, False, setup)
    loss_of = PreferenceLoss(start, MARKER, beta)
    model = tuned(copy.deepcopy(start), rows, seed, setup.preference, loss_of, setup.batch_size)
    results = preference_measures(model, pairs(seed, True, setup), seed, setup.n_tests)
    return measured_rows(results, beta, setup.preference, rows, setup.batch_size)


EXPERIMENTS = {
    "preferences": {"before": run_before}
    | {f"beta {b}": functools.partial(run_preferences, beta=b) for b in (0.03, 0.1, 0.5)},
}
