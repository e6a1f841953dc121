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
from gpt_helpers.tasks.answers import padded
from gpt_helpers.tasks.items import held_out
from gpt_helpers.variants.modern import ModernLMHeadModel
from tests.helpers.reference import refused

DECODE = instructions.VOCABULARY.decode
SHORT = {"total_steps": 2, "warmup_steps": 1}
CACHED = tuning.base_model, tuning.model_of_two_styles, tuning.pairs_of


@pytest.fixture
def brief(monkeypatch):
    """Make every training and every test of the experiments tiny."""
    for name in ("PRETRAINING", "FULL", "LORA", "PREFERENCE"):
        settings = dataclasses.replace(getattr(tuning, name), **SHORT)
        monkeypatch.setattr(tuning, name, settings)
    config = dataclasses.replace(tuning.TUNING_CONFIG, n_embd=16, n_layer=1)
    sizes = {"N_TESTS": 20, "N_EXAMPLES": 30, "BATCH_SIZE": 8, "TUNING_CONFIG": config}
    for name, value in sizes.items():
        monkeypatch.setattr(tuning, name, value)
    for function in CACHED:
        function.cache_clear()
    yield
    for function in CACHED:
        function.cache_clear()


class Scripted:
    """Writes these answers after its prompts, each filled up with ends of text."""

    def __init__(self, answers):
        """Remember the answers, one per prompt."""
        self.answers = answers

    def generate(self, prompts, n_tokens, **settings):
        """Return the prompts (N, T) with the answers behind them."""
        written = [instructions.VOCABULARY.encode(text)[:n_tokens] for text in self.answers]
        filled = padded(written, padding=tuning.END)
        return torch.cat([prompts, filled], 1)


def fresh():
    """Return a small model of the task's vocabulary."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = dataclasses.replace(tuning.TUNING_CONFIG, n_embd=16, n_layer=1)
        return ModernLMHeadModel(dataclasses.replace(config, initializer_range=0.5))


def asked_of(text):
    """Return (names and input) of a row of tuning data."""
    found = re.fullmatch(r"instruction: \w+ the input (.+) input: (.+) response: (.+) \.", text)
    return found.groups()


def test_an_experiment_has_a_name_of_its_own_and_each_variant_is_a_function_of_a_seed():
    assert set(tuning.EXPERIMENTS) == {"instructions", "preferences"}
    assert all(callable(run) for runs in tuning.EXPERIMENTS.values() for run in runs.values())


@pytest.mark.usefixtures("brief")
def test_the_base_corpus_has_no_instruction_and_is_read_once():
    corpus = tuning.base_corpus(0)
    assert len(corpus) == tuning.PRETRAINING.total_steps * tuning.BATCH_SIZE
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


def test_a_reply_is_cut_after_its_first_end_and_has_no_padding():
    items = tuning.unseen_items(0)[:3]
    rows = tuning.replies(Scripted(["a b . c", "sure . .", "a b c d"]), items, 0)
    answers = [DECODE(row).partition("response: ")[2] for row in rows]
    assert answers == ["a b .", "sure .", "a b c d" + " ." * answers[2].endswith(".")]
    assert all((row != 0).all() for row in rows)


def test_a_pair_holds_the_polite_right_answer_first_and_one_that_is_not():
    items = tuning.unseen_items(0)[:4]
    good = [instructions.response(item, polite=True) for item in items]
    plain = [instructions.response(item) for item in items]
    wrong = "sure a j j a j a j ."
    answers = [good[0], plain[0], wrong, good[1], good[2], good[2], plain[3], wrong]
    pairs = tuning.sampled_pairs(Scripted(answers), items, 0)
    assert pairs.shape[:2] == (2, 2)  # of the other two items, both answers are alike
    texts = [[DECODE(row).partition("response: ")[2] for row in pair] for pair in pairs]
    assert texts == [[good[0], plain[0]], [good[1], wrong]]
    prompts = [[DECODE(row).partition("response: ")[0] for row in pair] for pair in pairs]
    assert all(len(set(pair)) == 1 for pair in prompts)


def test_rows_hold_counts_or_a_value_and_what_was_read():
    settings = dataclasses.replace(tuning.FULL, **SHORT)
    found = {"inputs": Score(3, 4), "base loss": 1.5}
    shared = {"x": 8, "steps": 2, "tokens": 2 * tuning.BATCH_SIZE * 2 * 5}
    assert tuning.measured_rows(found, 8, settings, torch.ones(7, 2, 5)) == [
        {"measure": "inputs", "right": 3, "n": 4} | shared,
        {"measure": "base loss", "value": 1.5} | shared,
    ]


@pytest.mark.usefixtures("brief")
def test_the_base_model_of_a_seed_is_the_same_each_time_and_no_other_run_changes_it():
    state = torch.random.get_rng_state()
    first = copy.deepcopy(tuning.base_model(0).state_dict())
    for variant in ("tuned", "LoRA 2"):
        tuning.EXPERIMENTS["instructions"][variant](0)
    assert all(torch.equal(w, first[n]) for n, w in tuning.base_model(0).state_dict().items())
    tuning.base_model.cache_clear()
    assert all(torch.equal(w, first[n]) for n, w in tuning.base_model(0).state_dict().items())
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.usefixtures("brief")
@pytest.mark.parametrize("variant", tuning.EXPERIMENTS["instructions"])
def test_every_way_of_tuning_is_measured_alike(variant):
    rows = tuning.EXPERIMENTS["instructions"][variant](0)
    found = {row["measure"]: row for row in rows}
    counted = {"inputs", "names", "pairs", "new pairs", "statements"}
    assert counted | {"numbers", "numbers stated", "base loss"} <= set(found)
    assert all(found[name]["n"] == tuning.N_TESTS for name in counted)
    assert found["numbers"]["n"] == 7 * 6
    assert {row["steps"] for row in rows} == {2}
    if variant.startswith("LoRA"):
        assert {row["x"] for row in rows} == {int(variant.split()[1])}


@pytest.mark.usefixtures("brief")
def test_preferences_are_measured_on_pairs_before_and_after_training(monkeypatch):
    items = tuning.unseen_items(0)
    prompts = [instructions.instruction(item, turn) for turn, item in enumerate(items)]
    texts = [
        f"{prompt} {instructions.response(item, polite)}"
        for prompt, item in zip(prompts, items, strict=True)
        for polite in (True, False)
    ]
    pairs = instructions.encoded(texts).unflatten(0, (-1, 2))
    monkeypatch.setattr(tuning, "pairs_of", lambda seed, for_tests: pairs)
    runs = tuning.EXPERIMENTS["preferences"]
    found = {name: {r["measure"]: r for r in runs[name](0)} for name in ("before", "beta 0.5")}
    for rows in found.values():
        assert set(rows) == {"polite", "right", "preferred", "other", "ordered"}
        assert rows["polite"]["n"] == rows["right"]["n"] == tuning.N_TESTS
        assert rows["ordered"]["n"] == len(items)
    margins = [rows["preferred"]["value"] - rows["other"]["value"] for rows in found.values()]
    assert margins[1] > margins[0]


def test_pairs_that_never_differ_in_preference_cannot_be_trained_on():
    refused("no rows", instructions.as_steps, torch.zeros(0, 2, 9), 3, 4, np.random.default_rng(0))
