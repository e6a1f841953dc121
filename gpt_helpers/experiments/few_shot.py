"""Learning from examples in the prompt, without a step of training: what it takes, what it reads.

EXPERIMENTS is {experiment: {variant: function of a seed}}; applications.py runs them all. x counts
the examples before the question, except in "head score", "accuracy of 8" and "loss", where it is
the step of training, and in what ends in "without ...", where it is how many heads are left out.
"""

import dataclasses
import functools

import numpy as np
import torch
import torch.nn.functional as F

from gpt_helpers.architecture.attention import attention_fused, positions
from gpt_helpers.architecture.model import GPTLMHeadModel
from gpt_helpers.config import GPTConfig
from gpt_helpers.experiments.label_heads import watch, without_readers
from gpt_helpers.experiments.records import result_row
from gpt_helpers.tasks import labels
from gpt_helpers.tasks.items import ItemBatches, draw_items
from gpt_helpers.training.loop import train
from gpt_helpers.training.recipes import MODERN
from gpt_helpers.training.settings import TrainingSettings
from gpt_helpers.validation import (
    check_callable,
    check_count,
    check_instance,
    check_natural,
    checks,
    optional,
)
from gpt_helpers.variants.modern import ModernLMHeadModel
from gpt_helpers.variants.rotary import rotary_angles, rotate

LABEL_CONFIG = GPTConfig(
    len(labels.WORDS_AND_LABELS), n_positions=2 * labels.N_PAIRS, n_embd=64, n_layer=2, n_head=4,
    dropout=0.0,
)  # fmt: skip
EPSILON = LABEL_CONFIG.layer_norm_epsilon
WIDER_START = dataclasses.replace(LABEL_CONFIG, initializer_range=0.15)
MUON = dataclasses.replace(MODERN, total_steps=400, cooldown_share=0.5)
ADAMW = dataclasses.replace(MUON, optimizer="adamw", max_lr=3e-3)
N_SEQUENCES = 64
N_ITEMS = 4000  # of each test
TEST_SEED = 1_000_000  # no seed of a training


def attend_modern(q, k, v, padding=None, dropout=0.0, window=None):
    """Return attention of normalised and rotated queries and keys, as in a modern GPT."""
    rotated = (
        rotate(F.rms_norm(x, x.shape[-1:], eps=EPSILON), rotary_angles(at[None], x.shape[-1]))
        for x, at in zip((q, k), positions(q, k), strict=True)
    )
    return attention_fused(*rotated, v, padding, dropout, window)


@checks(
    seed=check_natural,
    settings=functools.partial(check_instance, kind=TrainingSettings),
    make=check_callable,
    config=functools.partial(check_instance, kind=GPTConfig),
    draw=check_callable,
    after_step=optional(check_callable),
)
def trained(
    seed,
    settings,
    make=ModernLMHeadModel,
    config=LABEL_CONFIG,
    draw=labels.draw_labelled,
    after_step=None,
):
    """Return the model make(config), trained on the word-label task, in eval mode."""
    torch.manual_seed(seed)
    model = make(config)
    batches = ItemBatches(draw, labels.labelled_rows, N_SEQUENCES, seed)
    settings = dataclasses.replace(settings, seed=seed)
    train(model, batches, settings, loss_of=labels.label_loss, after_step=after_step)
    return model.eval()


@checks(draw=check_callable, n_items=check_count)
def items_for_tests(draw=labels.draw_labelled, n_items=N_ITEMS):
    """Return items (N, 11) that no training can contain, the same for every model."""
    return draw_items(draw, n_items, np.random.default_rng(TEST_SEED), for_tests=True)


def measurements(measure, results, n_steps):
    """Return the rows of results, {x: Score or number}, after n_steps of training."""
    n_tokens = n_steps * N_SEQUENCES * LABEL_CONFIG.n_positions
    return [result_row(measure, x, result, n_steps, n_tokens) for x, result in results.items()]


def label_rows(seed, make=GPTLMHeadModel, config=LABEL_CONFIG, settings=ADAMW, n_items=N_ITEMS):
    """Train on the word-label task and return the rows of accuracy after 0 to 8 examples."""
    model = trained(seed, settings, make, config)
    ids = torch.tensor(labels.labelled_rows(items_for_tests(n_items=n_items)))
    return measurements("accuracy", labels.label_scores(model, ids), settings.total_steps)


def main_rows(seed, settings=MUON, n_items=N_ITEMS):
    """Return the rows of accuracy of the modern model, and those of its controls and heads."""
    log, items = [], items_for_tests(n_items=n_items)
    model = trained(seed, settings, after_step=functools.partial(watch, log, items[:500]))
    ids, rng = torch.tensor(labels.labelled_rows(items)), np.random.default_rng(TEST_SEED)
    shuffled = torch.tensor(labels.shuffled_rows(items, rng))
    results = {
        "accuracy": labels.label_scores(model, ids),
        "accuracy, shuffled": labels.label_scores(model, shuffled, wanted=ids[:, 1::2]),
        "outside": labels.outside(model, ids),
    } | {name: {row["step"]: row[name] for row in log} for name in log[0] if name != "step"}
    results |= without_readers(model, ids[:2000])
    return [
        row
        for measure, by_x in results.items()
        for row in measurements(measure, by_x, settings.total_steps)
    ]


def new_pair_rows(seed, settings=MUON, n_items=N_ITEMS):
    """Train without some pairs of labels; return the rows of accuracy on others and on these."""
    model, rows = trained(seed, settings, draw=labels.draw_seen), []
    for name, draw in (("seen", labels.draw_seen), ("unseen", labels.draw_unseen)):
        ids = torch.tensor(labels.labelled_rows(items_for_tests(draw, n_items)))
        scores = labels.label_scores(model, ids)
        rows += measurements(f"accuracy, {name} pairs", scores, settings.total_steps)
    return rows


def exchanged(**changes):
    """Return label_rows with changes of the run of GPT-2 and AdamW."""
    return functools.partial(label_rows, **changes)


EXPERIMENTS = {
    "labels": {
        "modern, Muon": main_rows,
        "modern, AdamW": exchanged(make=ModernLMHeadModel),
        "GPT-2, AdamW": label_rows,
        "GPT-2, 4x steps": exchanged(settings=dataclasses.replace(ADAMW, total_steps=1600)),
        "GPT-2, RoPE, QK-norm": exchanged(
            make=functools.partial(GPTLMHeadModel, attend=attend_modern)
        ),
        "GPT-2, Muon": exchanged(settings=MUON),
        "GPT-2, std 0.15": exchanged(config=WIDER_START),
    },
    "new pairs": {"modern, Muon": new_pair_rows},
    "initial weights": {
        f"std {std}": exchanged(config=dataclasses.replace(LABEL_CONFIG, initializer_range=std))
        for std in (0.05, 0.1, 0.2, 0.3)
    },
    "learning rates": {
        f"rate {rate}": exchanged(settings=dataclasses.replace(ADAMW, max_lr=rate))
        for rate in (0.001, 0.01, 0.02)
    },
}
