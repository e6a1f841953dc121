"""Experiments of instruction tuning: of all weights, by low-rank updates, and from preferences.

x is the rank of "LoRA", beta of "beta", and else 0. What is counted of "instructions": answers
to "inputs" held out; to "numbers" held out, which the base corpus states; to instructions with
"names" that no tuning had; to "pairs" of operations that were tuned, and to "new pairs"; and
"statements" and "numbers stated", sentences of the base corpus to complete. "base loss" is that
of sentences held out, in nats per token, "trained" the number of parameters that were.
"""

import copy
import dataclasses
import functools

import numpy as np
import torch

from gpt_helpers.architecture.inputs import IGNORED
from gpt_helpers.architecture.modules import evaluating
from gpt_helpers.config import GPTConfig
from gpt_helpers.evaluation.accuracy import Score, exactly, written
from gpt_helpers.tasks import instructions
from gpt_helpers.tasks.answers import answer_labels, answer_loss, padded, text_loss
from gpt_helpers.tasks.items import draw_items, held_out
from gpt_helpers.training.loop import train
from gpt_helpers.training.lora import add_lora, count_trained
from gpt_helpers.training.preferences import answer_log_probability, preference_loss
from gpt_helpers.training.settings import TrainingSettings
from gpt_helpers.variants.modern import ModernLMHeadModel

TUNING_CONFIG = GPTConfig(
    len(instructions.VOCABULARY), n_positions=48, n_embd=64, n_layer=3, n_head=4, dropout=0.0
)
BATCH_SIZE, N_TESTS, N_EXAMPLES = 64, 1000, 2000
PRETRAINING = TrainingSettings(
    total_steps=600, schedule="wsd", optimizer="muon", max_lr=1e-2, min_lr=0.0, warmup_steps=20,
    cooldown_share=0.5,
)  # fmt: skip
FULL = TrainingSettings(total_steps=500, max_lr=3e-3, min_lr=0.0, warmup_steps=10, weight_decay=0.0)
LORA = dataclasses.replace(FULL, max_lr=1e-2)
PREFERENCE = dataclasses.replace(FULL, total_steps=60, max_lr=5e-5)
MARKER, END = (
    instructions.VOCABULARY.ids[word] for word in (instructions.MARKER, instructions.END)
)
ANSWER = answer_loss(MARKER)
N_WORDINGS = 6  # of an instruction, so that each number is asked for in every one
TEST_SEED, DATA_SEED = 1, 2  # beside the seed of a model


def base_corpus(seed):
    """Return the sentences (N, T) that the base model of this seed reads, each one once."""
    rng = np.random.default_rng([seed, DATA_SEED])
    items = instructions.base_items(PRETRAINING.total_steps * BATCH_SIZE, rng)
    return instructions.encoded(
        [instructions.statement(item, turn) for turn, item in enumerate(items)]
    )


@functools.cache
def base_model(seed):
    """Return the model that has read the base corpus of this seed; copy it before a change."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = ModernLMHeadModel(TUNING_CONFIG)
    settings = dataclasses.replace(PRETRAINING, seed=seed)
    train(model, base_corpus(seed).split(BATCH_SIZE), settings, loss_of=text_loss)
    return model


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


def tuned(model, rows, seed, settings, loss_of=ANSWER):
    """Train the model on batches drawn from rows (N, T) and return it."""
    rng = np.random.default_rng([seed, DATA_SEED])
    batches = instructions.as_steps(rows, settings.total_steps, BATCH_SIZE, rng)
    train(model, batches, dataclasses.replace(settings, seed=seed), loss_of=loss_of)
    return model


def unseen_items(seed, commands=instructions.SINGLES):
    """Return the items (1000, 7) with these commands that a model of this seed is tested on."""
    rng = np.random.default_rng([seed, TEST_SEED])
    return draw_items(instructions.draw_from(commands), N_TESTS, rng, for_tests=True)


def answered(model, prompts, answers):
    """Return the Score of a model's likeliest answers (N, A) after prompts (N, T)."""
    found = written(model, prompts, answers.shape[1], attention_mask=prompts != 0)
    return exactly(found, answers, ignored=0)


def measures(model, seed):
    """Return what is measured of every tuned model: {measure: Score or value}."""
    numbers = instructions.number_items()
    numbers = np.repeat(numbers[held_out(numbers)], N_WORDINGS, axis=0)
    items = unseen_items(seed)
    sentences = [instructions.statement(item, turn) for turn, item in enumerate(items)]
    with evaluating(model), torch.no_grad():
        base_loss = text_loss(model, instructions.encoded(sentences)).item()
    return {
        "inputs": answered(model, *instructions.questions(items)),
        "numbers": answered(model, *instructions.questions(numbers)),
        "names": answered(model, *instructions.questions(items, instructions.NEW_NAMES)),
        "pairs": answered(
            model, *instructions.questions(unseen_items(seed, instructions.TUNED_PAIRS))
        ),
        "new pairs": answered(
            model, *instructions.questions(unseen_items(seed, instructions.NEW_PAIRS))
        ),
        "statements": answered(model, *instructions.unfinished(items)),
        "numbers stated": answered(model, *instructions.unfinished(numbers)),
        "base loss": base_loss,
    }


def measured_rows(found, x, settings, rows):
    """Return the rows of applications.csv for {measure: Score or value}, all at x.

    settings and rows, of which a step read a batch, are those of the last training.
    """
    n_tokens = settings.total_steps * BATCH_SIZE * rows[0].numel()
    known = {"x": x, "steps": settings.total_steps, "tokens": n_tokens}
    return [
        {"measure": name}
        | ({"right": v.right, "n": v.n} if isinstance(v, Score) else {"value": v})
        | known
        for name, v in found.items()
    ]


def run_base(seed):
    """Measure the base model, which has read no instruction."""
    return measured_rows(measures(base_model(seed), seed), 0, PRETRAINING, base_corpus(seed))


def mixed_loss(model, ids):
    """Return the loss on the answers of rows of ids (B, T), and on all of rows without marker."""
    asks = (ids == MARKER).any(1)
    labels = ids.masked_fill(ids == 0, IGNORED)  # (B, T)
    labels[asks] = answer_labels(ids[asks], MARKER)
    return model(ids, labels=labels)["loss"]


def with_base_text(rows, seed):
    """Return rows (N, T) of instructions with as many rows of base text behind them, (2N, T)."""
    items = instructions.base_items(len(rows), np.random.default_rng([seed, DATA_SEED, 1]))
    sentences = [instructions.statement(item, turn) for turn, item in enumerate(items)]
    return padded(
        [*(row[row != 0] for row in rows), *map(instructions.VOCABULARY.encode, sentences)]
    )


def run_tuned(seed, *, loss_of=ANSWER, mixed=False):
    """Tune all weights on instructions, mixed with base text or not, and measure."""
    rows = examples(N_EXAMPLES, seed)
    rows = with_base_text(rows, seed) if mixed else rows
    model = tuned(copy.deepcopy(base_model(seed)), rows, seed, FULL, loss_of)
    found = measures(model, seed) | {"trained": count_trained(model)}
    return measured_rows(found, 0, FULL, rows)


def run_lora(seed, *, rank):
    """Tune low-rank updates of one rank on instructions, and measure."""
    generator = torch.Generator().manual_seed(seed)
    model = add_lora(copy.deepcopy(base_model(seed)), rank, generator=generator)
    rows = examples(N_EXAMPLES, seed)
    found = measures(tuned(model, rows, seed, LORA), seed) | {"trained": count_trained(model)}
    return measured_rows(found, rank, LORA, rows)


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


def preference_measures(model, pairs, seed):
    """Return {measure: Score or value}: of sampled answers, and of pairs (B, 2, T)."""
    items = unseen_items(seed)
    found = [
        instructions.judged(*pair) for pair in zip(replies(model, items, seed), items, strict=True)
    ]
    with evaluating(model), torch.no_grad():
        nats = answer_log_probability(model, pairs.flatten(0, 1), MARKER).unflatten(0, (-1, 2))
    return {
        "polite": Score(sum(polite for polite, _ in found), N_TESTS),
        "right": Score(sum(right for _, right in found), N_TESTS),
        "preferred": nats[:, 0].mean().item(),
        "other": nats[:, 1].mean().item(),
        "ordered": Score(int((nats[:, 0] > nats[:, 1]).sum()), len(nats)),
    }


@functools.cache
def model_of_two_styles(seed):
    """Return the base model tuned on answers of which half are polite; copy it before a change."""
    return tuned(copy.deepcopy(base_model(seed)), examples(N_EXAMPLES, seed, 0.5), seed, FULL)


@functools.cache
def pairs_of(seed, for_tests):
    """Return pairs (B, 2, T) that the model of two styles has sampled, for one side."""
    rng = np.random.default_rng([seed, DATA_SEED, 2 + for_tests])
    items = draw_items(instructions.draw_from(instructions.SINGLES), 3 * N_TESTS, rng, for_tests)
    return sampled_pairs(model_of_two_styles(seed), items, 2 * seed + for_tests)


def run_before(seed):
    """Measure the model of two styles, which has seen no preference."""
    found = preference_measures(model_of_two_styles(seed), pairs_of(seed, True), seed)
    return measured_rows(found, 0, FULL, examples(N_EXAMPLES, seed, 0.5))


def run_preferences(seed, *, beta):
    """Lower the preference loss on pairs sampled from the model itself, and measure."""
    start = model_of_two_styles(seed)
    loss_of = preference_loss(start, MARKER, beta)
    pairs = pairs_of(seed, False)
    model = tuned(copy.deepcopy(start), pairs, seed, PREFERENCE, loss_of)
    found = preference_measures(model, pairs_of(seed, True), seed)
    return measured_rows(found, beta, PREFERENCE, pairs)


EXPERIMENTS = {
    "instructions": {
        "base": run_base,
        "tuned": run_tuned,
        "whole text": functools.partial(run_tuned, loss_of=text_loss),
        "with base text": functools.partial(run_tuned, loss_of=mixed_loss, mixed=True),
    }
    | {f"LoRA {rank}": functools.partial(run_lora, rank=rank) for rank in (2, 4, 8, 16)},
    "preferences": {"before": run_before}
    | {f"beta {b}": functools.partial(run_preferences, beta=b) for b in (0.03, 0.1, 0.5)},
}
