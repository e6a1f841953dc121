"""Stories with steps and without: what is trained on, what is scored, and what is kept apart."""

import numpy as np
import pytest
import torch

from gpt_helpers.experiments import story_chains
from gpt_helpers.tasks import stories
from tests.helpers.reference import refused
from tests.helpers.writers import Writer


def test_stories_at_once_and_with_steps_have_as_many_tokens_in_a_step_of_training():
    for sizes in (story_chains.STORY_SIZES, (2,)):
        counts = [
            sum(int((batches[step] > 0).sum()) for step in range(4))
            for batches in (
                story_chains.story_mixture(written_as, sizes=sizes)
                for written_as in story_chains.STORY_ROWS
            )
        ]
        assert abs(counts[0] / counts[1] - 1) < 0.12


def test_the_loss_of_an_untrained_model_is_that_of_guessing_a_word():
    model, log = story_chains.story_model("steps", n_steps=1)
    assert abs(log[0]["loss"] - np.log(model.config.vocab_size)) < 0.2


@pytest.mark.parametrize("name", stories.FAMILIES)
def test_no_calculation_that_is_scored_stands_in_a_text_that_is_trained_on(name):
    batches = story_chains.story_batches(stories.FAMILIES[name], 2, True, n_rows=1000, seed=0)
    texts = [stories.STORY_WORDS.decode(row) for step in range(3) for row in batches[step]]
    trained = {text.split(" ? ")[1].split(" , answer")[0] for text in texts}
    tests = {" , ".join(story.steps) for story in story_chains.story_items(name, 2)}
    assert len(trained) > 200
    assert len(tests) > 20
    assert not trained & tests


def test_the_answers_of_stories_are_found_after_left_padding_and_steps():
    told = [story for size in (2, 4) for story in story_chains.story_items("things", size, 20)]
    answers = {story.question: story.answer(with_steps=True) for story in told}
    model = Writer(stories.STORY_WORDS, lambda words: answers[" ".join(words)].split())
    texts = story_chains.written_stories(model, told)
    assert torch.equal(stories.story_answers(texts), stories.story_results(told))
    assert [stories.STORY_WORDS.decode(row) for row in texts] == list(answers.values())
    assert torch.equal(model.settings["attention_mask"], stories.story_questions(told) > 0)
    assert model.settings["eos_token_id"] == stories.END


@pytest.mark.parametrize("variant", story_chains.STORY_ROWS)
def test_every_variant_gives_rows_of_both_families_for_the_file(variant):
    rows = story_chains.EXPERIMENTS["stories"][variant](0, n_items=3, n_steps=1)
    sizes = {
        name: [*family.sizes, family.sizes[-1] + 1] for name, family in stories.FAMILIES.items()
    }
    assert [(row["measure"], row["x"]) for row in rows] == [
        (name, size) for name in sizes for size in sizes[name]
    ]
    for row in rows:
        assert set(row) == {"measure", "x", "right", "n", "steps", "tokens"}
        assert 0 <= row["right"] <= row["n"] == 3
        assert row["steps"] == 1


def test_unknown_formats_are_refused():
    refused("backwards", story_chains.story_model, "backwards")


def test_sizes_that_no_family_has_are_refused_and_not_left_out():
    refused(r"sizes\[1\]=7 is unknown", story_chains.story_model, "steps", sizes=(2, 7))
