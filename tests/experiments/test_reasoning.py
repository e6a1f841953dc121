"""Chains of thought: what the experiments train, and what they measure.

Models whose behaviour is known stand in for trained ones: what they are scored is known too.
"""

import functools

import numpy as np
import pytest
import torch

from gpt_helpers.experiments import reasoning
from gpt_helpers.tasks import stories, sums
from tests.helpers.reference import refused

MEASURES = {
    "sum of 12 digits": {"answer", "follows", "ignores", "greedy", "votes", "independent votes"},
    "sums by length": {"answer"},
    "stories": {"things", "legs"},
}


class Writer(torch.nn.Module):
    """A model that writes what a function of the words of a prompt says."""

    def __init__(self, vocabulary, continued):
        """Remember the words and the function."""
        super().__init__()
        self.vocabulary, self.continued = vocabulary, continued

    def generate(self, prompts, n_tokens, **settings):
        """Return prompts, and after each what the function says, filled up with padding."""
        self.settings = settings
        rows = [self.continued(self.vocabulary.decode(row).split()) for row in prompts]
        written = torch.zeros(len(rows), n_tokens, dtype=torch.long)
        for row, words in zip(written, rows, strict=True):
            ids = self.vocabulary.encode(" ".join(words))[:n_tokens]
            row[: len(ids)] = ids
        return torch.cat([prompts, written], 1)


def reading_its_steps(words):
    """Go on from the last running sum, if there is one."""
    colon = words.index(":")
    digits, done = list(map(int, words[:colon])), list(map(int, words[colon + 1 :]))
    total, steps = (done[-1] if done else 0), []
    for digit in digits[len(done) :]:
        total = (total + digit) % 10
        steps.append(str(total))
    return [*steps, "=", str(total)]


def ignoring_its_steps(words):
    """Sum the digits, whatever the steps say."""
    return ["=", str(sum(map(int, words[: words.index(":")])) % 10)]


def wrong_half_of_the_time(words):
    """Add 1 where the first digit is odd."""
    right = int(ignoring_its_steps(words)[1])
    return ["=", str((right + int(words[0]) % 2) % 10)]


def sum_writer(continued):
    """Return the model of sums that writes so."""
    return Writer(sums.SUM_WORDS, continued)


def test_a_right_answer_is_one_after_steps_or_without():
    items = reasoning.sum_items(5, 200)
    for continued in (reading_its_steps, ignoring_its_steps):
        assert reasoning.sum_score(sum_writer(continued), items).share == 1
    half = reasoning.sum_score(sum_writer(wrong_half_of_the_time), items)
    assert half.right == (items[:, 0] % 2 == 0).sum()
    assert reasoning.sum_score(sum_writer(lambda words: ["="]), items).right == 0


@pytest.mark.parametrize("at", [1, 4, 7])
def test_a_model_that_reads_its_steps_follows_a_wrong_one_and_another_ignores_it(at):
    items = reasoning.sum_items(8, 200)
    shares = {
        continued: [
            score.share for score in reasoning.wrong_step_scores(sum_writer(continued), items, at)
        ]
        for continued in (reading_its_steps, ignoring_its_steps)
    }
    assert shares == {reading_its_steps: [1, 0], ignoring_its_steps: [0, 1]}


@pytest.mark.parametrize("n_digits", [3, 4, 12])
def test_every_format_reads_as_many_tokens_in_a_step_of_training(n_digits, monkeypatch):
    monkeypatch.setattr(reasoning, "taught", lambda batches, *_: batches)
    for written_as in sums.FORMATS:
        batch = reasoning.sum_model(written_as, n_digits=n_digits)[0]
        assert 0 <= 576 * n_digits - batch.numel() < batch.shape[1]
        assert (batch == sums.ASK).int().argmax(1).unique().tolist() == [n_digits]


def test_stories_at_once_and_with_steps_have_as_many_tokens_in_a_step_of_training(monkeypatch):
    monkeypatch.setattr(reasoning, "taught", lambda batches, *_: batches)
    for sizes in (reasoning.STORY_SIZES, (2,)):
        at_once, steps = (reasoning.story_model(kind, sizes=sizes) for kind in reasoning.STORY_ROWS)
        counts = [
            [int((batches[step] > 0).sum()) for step in range(4)] for batches in (at_once, steps)
        ]
        assert abs(sum(counts[0]) / sum(counts[1]) - 1) < 0.12


def test_training_depends_on_the_seed(monkeypatch):
    monkeypatch.setattr(reasoning, "DIGIT_TOKENS", 20)

    def first_losses(seed):
        _, log = reasoning.sum_model("steps", seed, n_layer=1, n_digits=3, n_steps=2)
        return [row["loss"] for row in log]

    assert first_losses(0) == first_losses(0)
    assert first_losses(0) != first_losses(1)


def test_the_loss_of_an_untrained_model_is_that_of_guessing_a_word(monkeypatch):
    monkeypatch.setattr(reasoning, "DIGIT_TOKENS", 20)
    for train in (reasoning.sum_model, reasoning.story_model):
        model, log = train("steps", n_steps=1)
        n_words = model.config.vocab_size
        assert abs(log[0]["loss"] - np.log(n_words)) < 0.2


def test_items_for_tests_are_the_same_in_every_call_and_never_those_of_training():
    tests, others = (reasoning.sum_items(4, 2000, side) for side in (True, False))
    assert np.array_equal(tests, reasoning.sum_items(4, 2000))
    assert not set(map(bytes, tests)) & set(map(bytes, others))


@pytest.mark.parametrize("name", stories.FAMILIES)
def test_no_calculation_that_is_scored_stands_in_a_text_that_is_trained_on(name):
    batches = reasoning.story_batches(stories.FAMILIES[name], 2, True, n_rows=1000, seed=0)
    texts = [stories.STORY_WORDS.decode(row) for step in range(3) for row in batches[step]]
    trained = {text.split(" ? ")[1].split(" , answer")[0] for text in texts}
    tests = {" , ".join(story.steps) for story in reasoning.story_items(name, 2)}
    assert len(trained) > 200
    assert len(tests) > 20
    assert not trained & tests


def test_the_first_model_with_half_of_its_samples_right_is_kept_as_it_was():
    kept, model = [], sum_writer(lambda words: ["="])
    after_step = reasoning.keep_halfway(kept)
    after_step({"step": 4}, model)
    assert kept == []
    model.continued = reading_its_steps
    after_step({"step": 5}, model)
    assert kept == []
    after_step({"step": 8}, model)
    model.continued = ignoring_its_steps
    after_step({"step": 12}, model)
    [(found, step)] = kept
    assert (found.continued, step) == (reading_its_steps, 8)


def test_the_answers_of_stories_are_found_after_left_padding_and_steps():
    told = [story for size in (2, 4) for story in reasoning.story_items("things", size, 20)]
    answers = {story.question: story.answer(with_steps=True) for story in told}
    model = Writer(stories.STORY_WORDS, lambda words: answers[" ".join(words)].split())
    texts = reasoning.written_stories(model, told)
    assert torch.equal(stories.story_answers(texts), stories.story_results(told))
    assert [stories.STORY_WORDS.decode(row) for row in texts] == list(answers.values())
    assert torch.equal(model.settings["attention_mask"], stories.story_questions(told) > 0)
    assert model.settings["eos_token_id"] == stories.END


@pytest.mark.parametrize("experiment", reasoning.EXPERIMENTS)
def test_every_variant_of_an_experiment_gives_rows_for_the_file(experiment, monkeypatch):
    monkeypatch.setattr(reasoning, "DIGIT_TOKENS", 20)
    for name in ("sum_model", "story_model"):
        train = functools.partial(getattr(reasoning, name), n_steps=1)
        monkeypatch.setattr(reasoning, name, train)
    for name in ("sum_items", "story_items"):
        draw = getattr(reasoning, name)
        monkeypatch.setattr(
            reasoning, name, lambda *args, draw=draw, **_: draw(*args[:2], n_items=3)
        )
    monkeypatch.setattr(reasoning, "keep_halfway", keep_first)
    measures = set()
    for variant in reasoning.EXPERIMENTS[experiment].values():
        for row in variant(0):
            assert set(row) == {"measure", "x", "right", "n", "steps", "tokens"}
            assert 0 <= row["right"] <= row["n"] == 3
            assert row["steps"] == 1
            measures.add(row["measure"])
    assert measures == MEASURES[experiment]


def keep_first(kept):
    """Return an after_step that keeps the first model."""
    return lambda row, model: kept.append((model, row["step"]))


def test_unknown_formats_are_refused():
    refused("backwards", reasoning.sum_model, "backwards")
    refused("backwards", reasoning.story_model, "backwards")
