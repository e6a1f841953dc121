"""Chains of thought: one small model of sums, with steps to write and without.

Every model is a modern GPT, trained by Muon and AdamW with a loss on what follows the question.
Whatever the format, a step of training reads the same number of tokens. The experiments with these
models are those of sum_chains.py; story_chains.py teaches the same model another task.
"""

import dataclasses
import functools

import numpy as np
import torch

from gpt_helpers.architecture.modules import check_model
from gpt_helpers.config import GPTConfig
from gpt_helpers.evaluation.accuracy import exactly, written
from gpt_helpers.experiments.records import result_row
from gpt_helpers.tasks import sums
from gpt_helpers.tasks.answers import answer_loss
from gpt_helpers.tasks.items import ItemBatches, draw_items
from gpt_helpers.training.loop import train
from gpt_helpers.training.recipes import MODERN
from gpt_helpers.validation import (
    check_callable,
    check_choice,
    check_count,
    check_flag,
    check_natural,
    checks,
    optional,
)
from gpt_helpers.variants.modern import ModernLMHeadModel

SUM_STEPS = 130  # of training
DIGIT_TOKENS = 576  # of one of them, for each digit of the longest sum, padding included
N_PROBLEMS = 2000
N_DIGITS = 12
check_sums = functools.partial(sums.check_digits, empty=False)


def taught(batches, vocabulary, marker, seed, n_steps, n_layer=2, after_step=None):
    """Return a model trained on batches of texts, with the loss after the marker, and its log."""
    config = GPTConfig(
        len(vocabulary), n_positions=192, n_embd=64, n_layer=n_layer, n_head=4, dropout=0.0
    )
    torch.manual_seed(seed)
    model = ModernLMHeadModel(config)
    warmup_steps = min(MODERN.warmup_steps, n_steps)
    settings = dataclasses.replace(
        MODERN, total_steps=n_steps, warmup_steps=warmup_steps, seed=seed
    )
    loss_of = answer_loss(marker)
    return model, train(model, batches, settings, loss_of=loss_of, after_step=after_step)


def agreement(answers, wanted):
    """Return the Score of answers (N,) against those wanted (N,)."""
    return exactly(answers[:, None], wanted[:, None])


def score_row(measure, x, score, log):
    """Return the row of results of a Score, of a model that was trained as its log says."""
    return result_row(measure, x, score, log[-1]["step"], log[-1]["tokens"])


def sum_batches(written_as, seed=0, n_digits=N_DIGITS, digit_tokens=DIGIT_TOKENS):
    """Return batches of sums of n_digits digits, written in a format of sums.FORMATS.

    A batch has as many rows as fill digit_tokens tokens for each digit.
    """
    draw = functools.partial(sums.draw_digits, n_digits)
    rows = functools.partial(sums.sum_texts, sums.FORMATS[written_as])
    n_rows = digit_tokens * n_digits // rows(np.zeros((1, n_digits), int)).shape[1]
    if not n_rows:
        raise ValueError(f"{digit_tokens=} holds no text of {n_digits} digits; give more")
    return ItemBatches(draw, rows, n_rows, seed)


@checks(
    written_as=functools.partial(check_choice, choices=sums.FORMATS),
    seed=check_natural,
    n_layer=check_count,
    n_digits=check_count,
    n_steps=check_count,
    digit_tokens=check_count,
    after_step=optional(check_callable),
)
def sum_model(
    written_as,
    seed=0,
    n_layer=2,
    n_digits=N_DIGITS,
    n_steps=SUM_STEPS,
    digit_tokens=DIGIT_TOKENS,
    after_step=None,
):
    """Return a model trained on sum_batches, and its log."""
    batches = sum_batches(written_as, seed, n_digits, digit_tokens)
    return taught(batches, sums.SUM_WORDS, sums.ASK, seed, n_steps, n_layer, after_step)


@checks(n_digits=check_count, n_items=check_count, for_tests=check_flag)
def sum_items(n_digits=N_DIGITS, n_items=N_PROBLEMS, for_tests=True):
    """Return n_items sums of n_digits digits (N, K): the same in every call.

    Of the sums of 3 digits 131 are held out, so among 2000 drawn each occurs 15 times: their
    score is more certain of the model than it is of other sums. Longer ones hardly recur.
    """
    draw = functools.partial(sums.draw_digits, n_digits)
    return draw_items(draw, n_items, np.random.default_rng(n_digits), for_tests)


@checks(items=check_sums)
def sum_score(model, items, **settings):
    """Return the Score of what a model writes after the questions of items (N, K).

    It writes greedily, unless settings of generation.generate say otherwise.
    """
    check_model(model)
    texts = written(model, sums.sum_questions(items), items.shape[1] + 2, **settings)
    return agreement(sums.sum_answers(texts), sums.sum_of(items))


@checks(items=check_sums, seed=check_natural)
def wrong_step_scores(model, items, at, seed=0):
    """Return (follows, ignores) of sums whose step number at is replaced by a wrong one.

    Two Scores: answers that are right but for the wrong step, and those that are right.
    """
    check_model(model)
    begun, following = sums.with_wrong_step(items, at, np.random.default_rng(seed))
    answers = sums.sum_answers(written(model, begun, items.shape[1] - at + 2))
    return agreement(answers, following), agreement(answers, sums.sum_of(items))
