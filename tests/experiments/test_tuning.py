"""The experiments of instruction tuning: what they train on, measure, and keep apart."""

import copy
import dataclasses
import re

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from gpt_helpers.architecture.inputs import IGNORED
from gpt_helpers.evaluation.accuracy import Score
from gpt_helpers.experiments import tuning
from gpt_helpers.tasks import instructions
from gpt_helpers.tasks.items import held_out
from gpt_helpers.variants.modern import ModernLMHeadModel
from tests.helpers.reference import refused
from tests.helpers.runs import brief_setup

DECODE = instructions.VOCABULARY.decode
BRIEF = brief_setup()


def fresh():
    """Return a small model of the task's vocabulary."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return ModernLMHeadModel(dataclasses.replace(BRIEF.config, initializer_range=0.5))


def asked_of(text):
    """Return (names and input) of a row of tuning data."""
    match = re.fullmatch(r"instruction: \w+ the input (.+) input: (.+) response: (.+) \.", text)
    return match.groups()


def test_an_experiment_has_a_name_of_its_own_and_each_variant_is_a_function_of_a_seed():
    assert set(tuning.EXPERIMENTS) == {"instructions"}
    assert all(callable(run) for runs in tuning.EXPERIMENTS.values() for run in runs.values())


def test_the_base_corpus_has_no_instruction_and_is_read_once():
    corpus = tuning.base_corpus(0, BRIEF)
    assert len(corpus) == BRIEF.pretraining.total_steps * BRIEF.batch_size
    assert not (corpus == tuning.MARKER).any()
    rng = np.random.default_rng([0, tuning.DATA_SEED])
    items = instructions.base_items(len(corpus), rng)
    assert [DECODE(row) for row in corpus] == [
        instructions.statement(i, t) for t, i in enumerate(items)
    ]


def test_rows_to_tune_on_are_prompts_with_right_answers_of_items_for_training():
    rows = tuning.examples(300, seed=1)
    rng = np.random.default_rng([1, tuning.DATA_SEED, 300])
    items = instructions.tuning_items(300, rng)
    assert not held_out(items).any()
    for row, item in zip(rows, items, strict=True):
        _, word, answer = asked_of(DECODE(row))
        assert word.replace(" ", "") == instructions.read(item)[1]
        assert answer.replace(" ", "") == instructions.right_answer(item)


def test_a_share_of_the_answers_to_tune_on_is_polite():
    texts = [DECODE(row) for row in tuning.examples(400, 0, polite_share=0.5)]
    polite = sum(asked_of(text)[2].startswith("sure ") for text in texts)
    assert 150 < polite < 250
    assert not any("sure" in DECODE(row) for row in tuning.examples(400, 0))


def test_base_text_stands_behind_as_many_instructions():
    rows = tuning.examples(60, 0)
    mixed = tuning.with_base_text(rows, 0)
    assert len(mixed) == 120
    assert [DECODE(row) for row in mixed[:60]] == [DECODE(row) for row in rows]
    assert not (mixed[60:] == tuning.MARKER).any()
    assert (mixed[:60] == tuning.MARKER).any(1).all()


def test_the_mixed_loss_counts_answers_and_whole_sentences():
    model = fresh()
    ids = tuning.with_base_text(tuning.examples(3, 0), 0)
    nats, count = 0.0, 0
    for row in ids:
        row = row[row != 0]
        begin = row.tolist().index(tuning.MARKER) + 1 if tuning.MARKER in row else 1
        labels = row.clone()
        labels[:begin] = IGNORED
        nats += model(row[None], labels=labels[None])["loss"] * (len(row) - begin)
        count += len(row) - begin
    assert_close(tuning.mixed_loss(model, ids), nats / count)


@pytest.mark.parametrize(
    "commands", [instructions.SINGLES, instructions.TUNED_PAIRS, instructions.NEW_PAIRS]
)
def test_every_score_is_of_1000_items_that_are_held_out(commands):
    items = tuning.unseen_items(0, commands)
    assert len(items) == 1000
    assert held_out(items).all()
    assert {instructions.read(item)[0] for item in items} == set(commands)
    assert (items != tuning.unseen_items(1, commands)).any()


def test_rows_hold_counts_or_a_value_and_what_was_read():
    results = {"inputs": Score(3, 4), "base loss": 1.5}
    shared = {"x": 8, "steps": 2, "tokens": 2 * 64 * 2 * 5}
    assert tuning.measured_rows(results, 8, BRIEF.full, torch.ones(7, 2, 5), 64) == [
        {"measure": "inputs", "right": 3, "n": 4} | shared,
        {"measure": "base loss", "value": 1.5} | shared,
    ]


def test_the_base_model_of_a_seed_is_the_same_each_time_and_no_other_run_changes_it():
    state = torch.random.get_rng_state()
    first = copy.deepcopy(tuning.base_model(0, BRIEF).state_dict())
    for variant in ("tuned", "LoRA 2"):
        tuning.EXPERIMENTS["instructions"][variant](0, setup=BRIEF)
    again = tuning.base_model(0, BRIEF)
    assert all(torch.equal(w, first[n]) for n, w in again.state_dict().items())
    tuning.base_model.unchecked.cache_clear()
    assert tuning.base_model(0, BRIEF) is not again
    assert all(
        torch.equal(w, first[n]) for n, w in tuning.base_model(0, BRIEF).state_dict().items()
    )
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.parametrize("variant", tuning.EXPERIMENTS["instructions"])
def test_every_way_of_tuning_is_measured_alike(variant):
    rows = tuning.EXPERIMENTS["instructions"][variant](0, setup=BRIEF)
    results = {row["measure"]: row for row in rows}
    counted = {"inputs", "names", "pairs", "new pairs", "statements"}
    assert counted | {"numbers", "numbers stated", "base loss"} <= set(results)
    assert all(results[name]["n"] == BRIEF.n_tests for name in counted)
    assert results["numbers"]["n"] == 7 * 6
    assert {row["steps"] for row in rows} == {2}
    if variant.startswith("LoRA"):
        assert {row["x"] for row in rows} == {int(variant.split()[1])}


def test_prompts_and_answers_belong_together():
    prompts, answers = instructions.questions(tuning.unseen_items(0, n_tests=3))
    refused("3 prompts have 2 answers", tuning.answered, fresh(), prompts, answers[:2])
    refused("n_examples=2", tuning.examples, 2, 0)
