"""Experiments of instruction tuning: of all weights, and by low-rank updates.

EXPERIMENTS is {experiment: {variant: function of a seed}}; applications.py runs them all. x is the
rank of "LoRA", and else 0. What is counted of "instructions": answers to "inputs" held out; to
"numbers" held out, which the base corpus states; to instructions with "names" that no tuning had;
to "pairs" of operations that were tuned, and to "new pairs"; and "statements" and "numbers stated",
sentences of the base corpus to complete. "base loss" is that of sentences held out, in nats per
token, "trained" the number of parameters that were.
"""

import copy
import dataclasses
import functools
from dataclasses import dataclass

import numpy as np
import torch

from gpt_helpers.architecture.losses import TokenLoss
from gpt_helpers.architecture.modules import check_model, evaluating
from gpt_helpers.config import GPTConfig
from gpt_helpers.evaluation.accuracy import exactly, written
from gpt_helpers.experiments.records import result_row
from gpt_helpers.tasks import instructions
from gpt_helpers.tasks.answers import (
    answer_labels,
    answer_loss,
    padded,
    text_labels,
    text_loss,
)
from gpt_helpers.tasks.items import draw_items, held_out
from gpt_helpers.training.loop import train
from gpt_helpers.training.lora import add_lora, count_trained
from gpt_helpers.training.recipes import MODERN
from gpt_helpers.training.settings import TrainingSettings
from gpt_helpers.validation import (
    check_callable,
    check_count,
    check_instance,
    check_integer,
    check_natural,
    check_real,
    checks,
)
from gpt_helpers.variants.modern import ModernLMHeadModel

TUNING_CONFIG = GPTConfig(
    len(instructions.VOCABULARY), n_positions=48, n_embd=64, n_layer=3, n_head=4, dropout=0.0
)
PRETRAINING = dataclasses.replace(MODERN, total_steps=600, warmup_steps=20, cooldown_share=0.5)
FULL = TrainingSettings(total_steps=500, max_lr=3e-3, min_lr=0.0, warmup_steps=10, weight_decay=0.0)
LORA = dataclasses.replace(FULL, max_lr=1e-2)
PREFERENCE = dataclasses.replace(FULL, total_steps=60, max_lr=5e-5)
MARKER = instructions.VOCABULARY.ids[instructions.MARKER]
ANSWER = answer_loss(MARKER)
N_EXAMPLES = 2000
N_WORDINGS = 6  # of an instruction, so that each number is asked for in every one
TEST_SEED, DATA_SEED = 1, 2  # beside the seed of a model


@dataclass(frozen=True)
class Setup:
    """What the experiments of tuning are made of: a base model, four trainings, and counts.

    batch_size are the rows of a step, n_tests the items of a test, n_examples the rows to tune on.
    """

    config: GPTConfig = TUNING_CONFIG
    pretraining: TrainingSettings = PRETRAINING
    full: TrainingSettings = FULL
    lora: TrainingSettings = LORA
    preference: TrainingSettings = PREFERENCE
    batch_size: int = 64
    n_tests: int = 1000
    n_examples: int = N_EXAMPLES


SETUP = Setup()


def base_corpus(seed, setup=SETUP):
    """Return the sentences (N, T) that the base model of this seed reads, each one once."""
    rng = np.random.default_rng([seed, DATA_SEED])
    items = instructions.base_items(setup.pretraining.total_steps * setup.batch_size, rng)
    return instructions.encoded(
        [instructions.statement.unchecked(item, turn) for turn, item in enumerate(items)]
    )


@checks(seed=check_natural, setup=functools.partial(check_instance, kind=Setup))
@functools.cache
def base_model(seed, setup=SETUP):
    """Return the model that has read the base corpus of this seed; copy it before a change."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = ModernLMHeadModel(setup.config)
    settings = dataclasses.replace(setup.pretraining, seed=seed)
    train(model, base_corpus(seed, setup).split(setup.batch_size), settings, loss_of=text_loss)
    return model


@checks(
    n_examples=functools.partial(check_integer, at_least=3),
    seed=check_natural,
    polite_share=functools.partial(check_real, at_least=0, at_most=1),
)
def examples(n_examples, seed, polite_share=0.0):
    """Return rows (N, T) of prompt and answer to tune on, the wordings in turn."""
    rng = np.random.default_rng([seed, DATA_SEED, n_examples])
    items = instructions.tuning_items(n_examples, rng)
    polite = rng.random(n_examples) < polite_share
    return instructions.encoded(
        [
            f"{instructions.instruction(item, turn)} {instructions.response(item, polite[turn])}"
            for turn, item in enumerate(items)
        ]
    )


@checks(
    seed=check_natural,
    settings=functools.partial(check_instance, kind=TrainingSettings),
    loss_of=check_callable,
)
def tuned(model, rows, seed, settings, loss_of=ANSWER, batch_size=SETUP.batch_size):
    """Train the model on batches drawn from rows (N, T) and return it."""
    check_model(model)
    rng = np.random.default_rng([seed, DATA_SEED])
    batches = instructions.as_steps(rows, settings.total_steps, batch_size, rng)
    train(model, batches, dataclasses.replace(settings, seed=seed), loss_of=loss_of)
    return model


@checks(seed=check_natural, n_tests=check_count)
def unseen_items(seed, commands=instructions.SINGLES, n_tests=SETUP.n_tests):
    """Return the items (n_tests, 7) with these commands that a model of this seed is tested on."""
    rng = np.random.default_rng([seed, TEST_SEED])
    return draw_items(instructions.draw_from(commands), n_tests, rng, for_tests=True)


@checks(prompts=instructions.VOCABULARY.check, answers=instructions.VOCABULARY.check)
def answered(model, prompts, answers):
    """Return the Score of a model's likeliest answers (N, A) after prompts (N, T)."""
    check_model(model)
    if len(prompts) != len(answers):
        raise ValueError(f"{len(prompts)} prompts have {len(answers)} answers; give one for each")
    texts = written(model, prompts, answers.shape[1], attention_mask=prompts != 0)
    return exactly(texts, answers, ignored=0)


def measures(model, seed, n_tests=SETUP.n_tests):
    """Return what is measured of every tuned model: {measure: Score or number}."""
    numbers = instructions.number_items()
    numbers = np.repeat(numbers[held_out(numbers)], N_WORDINGS, axis=0)
    items, pairs, new_pairs = (
        unseen_items(seed, commands, n_tests)
        for commands in (instructions.SINGLES, instructions.TUNED_PAIRS, instructions.NEW_PAIRS)
    )
    sentences = [instructions.statement(item, turn) for turn, item in enumerate(items)]
    with evaluating(model), torch.no_grad():
        base_loss = text_loss(model, instructions.encoded(sentences)).item()
    prompts = {
        "inputs": instructions.questions(items),
        "numbers": instructions.questions(numbers),
        "names": instructions.questions(items, instructions.NEW_NAMES),
        "pairs": instructions.questions(pairs),
        "new pairs": instructions.questions(new_pairs),
        "statements": instructions.unfinished(items),
        "numbers stated": instructions.unfinished(numbers),
    }
    scores = {name: answered(model, *asked) for name, asked in prompts.items()}
    return scores | {"base loss": base_loss}


def measured_rows(results, x, settings, rows, batch_size):
    """Return the rows of {measure: Score or number}, all at x.

    settings and rows, of which a step read batch_size, are those of the last training.
    """
    n_tokens = settings.total_steps * batch_size * rows[0].numel()
    return [
        result_row(measure, x, result, settings.total_steps, n_tokens)
        for measure, result in results.items()
    ]


def run_base(seed, setup=SETUP):
    """Measure the base model, which has read no instruction."""
    results = measures(base_model(seed, setup), seed, setup.n_tests)
    rows = base_corpus(seed, setup)
    return measured_rows(results, 0, setup.pretraining, rows, setup.batch_size)


def mixed_labels(ids):
    """Return the labels (B, T) of ids (B, T): the answers, and all of rows without marker."""
    asks = (ids == MARKER).any(1)
    labels = text_labels(ids)  # (B, T)
    labels[asks] = answer_labels(ids[asks], MARKER)
    return labels


mixed_loss = TokenLoss(mixed_labels)


def with_base_text(rows, seed):
    """Return rows (N, T) of instructions with as many rows of base text behind them, (2N, T)."""
    items = instructions.base_items(len(rows), np.random.default_rng([seed, DATA_SEED, 1]))
    sentences = [instructions.statement(item, turn) for turn, item in enumerate(items)]
    return padded(
        [*(row[row != 0] for row in rows), *map(instructions.VOCABULARY.encode, sentences)]
    )


def run_tuned(seed, *, loss_of=ANSWER, mixed=False, setup=SETUP):
    """Tune all weights on instructions, mixed with base text or not, and measure."""
    rows = examples(setup.n_examples, seed)
    rows = with_base_text(rows, seed) if mixed else rows
    model = copy.deepcopy(base_model(seed, setup))
    return rows_of_tuning(model, rows, seed, setup.full, loss_of, setup=setup)


def run_lora(seed, *, rank, setup=SETUP):
    """Tune low-rank updates of one rank on instructions, and measure."""
    generator = torch.Generator().manual_seed(seed)
    model = add_lora(copy.deepcopy(base_model(seed, setup)), rank, generator=generator)
    rows = examples(setup.n_examples, seed)
    return rows_of_tuning(model, rows, seed, setup.lora, x=rank, setup=setup)


def rows_of_tuning(model, rows, seed, settings, loss_of=ANSWER, x=0, setup=SETUP):
    """Tune the model on rows (N, T), and return what is measured then, at x."""
    tuned(model, rows, seed, settings, loss_of, setup.batch_size)
    results = measures(model, seed, setup.n_tests) | {"trained": count_trained(model)}
    return measured_rows(results, x, settings, rows, setup.batch_size)


EXPERIMENTS = {
    "instructions": {
        "base": run_base,
        "tuned": run_tuned,
        "whole text": functools.partial(run_tuned, loss_of=text_loss),
        "with base text": functools.partial(run_tuned, loss_of=mixed_loss, mixed=True),
    }
    | {f"LoRA {rank}": functools.partial(run_lora, rank=rank) for rank in (2, 4, 8, 16)},
}
