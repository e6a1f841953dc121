"""Word problems: the words, the calculation behind them, and which nobody trains on."""

import functools
import re

import numpy as np
import pytest
import torch

from gpt_helpers.tasks import stories
from gpt_helpers.tasks.answers import answer_labels
from gpt_helpers.tasks.items import ItemBatches, draw_items
from gpt_helpers.tasks.stories import DRAFT, FAMILIES, STORY_WORDS
from tests.helpers.reference import refused

SIZES = [(name, size) for name, family in FAMILIES.items() for size in (1, *family.sizes)]
GAINS = ("buys", "finds")


def drawn(name, size, n_items=300, seed=0):
    """Return items of a family and their stories."""
    family = FAMILIES[name]
    items = family.draw(size, np.random.default_rng(seed), n_items)
    return items, [family.story(item) for item in items]


def told_result(question):
    """Return the answer of a question, from its words alone."""
    if "traveled" in question:
        legs = re.findall(r"at (\d+) mph for (\d+) hours?", question)
        return sum(int(speed) * int(hours) for speed, hours in legs)
    start = int(re.search(r"has (\d+)", question)[1])
    events = re.findall(r"(buys|finds|gives|loses) (\d+)", question)
    return start + sum(int(n) if verb in GAINS else -int(n) for verb, n in events)


def test_the_two_problems_of_the_draft_are_told_in_its_words_and_solved_in_steps():
    things, legs = (FAMILIES[name].story(DRAFT[name][0]) for name in ("things", "legs"))
    assert things.question == (
        "Jack has 5 apples . He buys 3 more apples and then gives 2 apples to his friend . "
        "How many apples does Jack have now ?"
    )
    assert things.answer(with_steps=True) == "5 + 3 = 8 , 8 - 2 = 6 , answer 6 apples ."
    assert things.answer(with_steps=False) == "answer 6 apples ."
    assert legs.question == (
        "If a train travels at 60 mph for 2 hours , then at 40 mph for 1 hour , "
        "what is the total distance traveled ?"
    )
    assert legs.answer(with_steps=True) == (
        "60 * 2 = 120 , 40 * 1 = 40 , 120 + 40 = 160 , answer 160 miles ."
    )


@pytest.mark.parametrize(("name", "size"), SIZES)
def test_the_result_is_that_of_the_words(name, size):
    for item, story in zip(*drawn(name, size), strict=True):
        assert story.result == told_result(story.question)
        assert len(item) == (3 if name == "things" else 1) + 2 * size


@pytest.mark.parametrize(("name", "size"), SIZES)
def test_every_step_is_right_and_goes_on_from_those_before(name, size):
    for story in drawn(name, size)[1]:
        known = set(map(int, re.findall(r"\d+", story.question)))
        for step in story.steps:
            calculation, result = step.split(" = ")
            first, sign, second = calculation.split()
            assert {int(first), int(second)} <= known
            assert (
                int(result)
                == {
                    "+": int(first) + int(second),
                    "-": int(first) - int(second),
                    "*": int(first) * int(second),
                }[sign]
            )
            known.add(int(result))
        assert story.result in known


def test_nobody_ever_has_less_than_none_or_more_than_twenty():
    numbers = stories.things_calculations(drawn("things", 6, 3000)[0]).cumsum(1)
    assert numbers.min() == 0
    assert numbers.max() == stories.MOST_THINGS


def test_gains_and_losses_are_about_as_frequent():
    items, _ = drawn("things", 4, 3000)
    counts = np.bincount(items[:, 3::2].ravel(), minlength=4) / (4 * 3000)
    assert (abs(counts - 0.25) < 0.05).all()


@pytest.mark.parametrize(("name", "size"), SIZES)
def test_every_text_is_made_of_known_words_and_is_scored_as_right(name, size):
    told = drawn(name, size, 100)[1]
    for with_steps in (False, True):
        texts = stories.story_texts(told, with_steps)
        assert torch.equal(stories.story_answers(texts), stories.story_results(told))
        for story, row in zip(told, texts, strict=True):
            expected = f"{story.question} {story.answer(with_steps)}"
            assert STORY_WORDS.decode(row) == expected
            assert row[row > 0][-1] == stories.END
    prompts = stories.story_questions(told)
    assert (prompts[:, -1] == stories.ASK).all()
    assert [STORY_WORDS.decode(row) for row in prompts] == [story.question for story in told]


def test_the_loss_counts_the_answer_and_not_the_question():
    story = FAMILIES["things"].story(DRAFT["things"][0])
    labels = answer_labels(stories.story_texts([story], with_steps=True), stories.ASK)[0]
    assert STORY_WORDS.decode(labels[labels > 0]) == story.answer(with_steps=True)


def test_what_is_no_answer_is_scored_as_no_number():
    for text in ("5 + 3 = 8 , 8 .", "answer"):
        assert stories.story_answers(STORY_WORDS.encode(text)[None]).tolist() == [0]
    apples = STORY_WORDS.encode("answer apples .")[None]
    assert stories.story_answers(apples).tolist() == [STORY_WORDS.ids["apples"]]


def test_different_items_have_different_questions():
    for name, size in SIZES:
        items, told = drawn(name, size, 4000)
        assert len({story.question for story in told}) == len(np.unique(items, axis=0))


@pytest.mark.parametrize(("name", "size"), [pair for pair in SIZES if pair[1] > 1])
def test_no_calculation_of_the_tests_is_ever_trained_on_whatever_the_words(name, size):
    family = FAMILIES[name]
    draw = functools.partial(family.draw, size)
    tests = draw_items(draw, 2000, np.random.default_rng(7), True, family.is_test)
    assert family.is_test(tests).all()
    batches = ItemBatches(draw, np.asarray, 1000, is_test=family.is_test)
    trained = torch.cat([batches[step] for step in range(20)]).numpy()
    assert len(trained) == 20_000
    sides = [set(map(bytes, family.calculations(items))) for items in (tests, trained)]
    assert not sides[0] & sides[1]


@pytest.mark.parametrize("name", FAMILIES)
def test_about_one_calculation_in_eight_is_held_out(name):
    items, _ = drawn(name, 3, 4000)
    assert abs(FAMILIES[name].is_test(items).mean() - 1 / 8) < 0.03


@pytest.mark.parametrize("name", FAMILIES)
def test_the_draft_is_held_out_in_whatever_words(name):
    family, item = FAMILIES[name], DRAFT[name][0]
    assert family.is_test(DRAFT[name]).all()
    others = drawn(name, 2, 500)[0]
    words = [0, 1] if name == "things" else [0]
    retold = np.where(np.isin(np.arange(len(item)), words), others, item)
    assert len(np.unique(retold, axis=0)) > 5
    assert family.is_test(retold).all()


def test_a_verb_of_the_same_sign_changes_the_words_and_not_the_side():
    items, told = drawn("things", 3, 500)
    other = items.copy()
    other[:, 3::2] ^= 1
    family = FAMILIES["things"]
    assert (family.is_test(other) == family.is_test(items)).all()
    assert all(
        family.story(item).question != story.question
        for item, story in zip(other, told, strict=True)
    )
    assert [family.story(item).result for item in other] == [story.result for story in told]


def test_wrong_sizes_are_refused():
    rng = np.random.default_rng(0)
    refused("n_events=0", FAMILIES["things"].draw, 0, rng, 3)
    refused("n_legs=5", FAMILIES["legs"].draw, 5, rng, 3)
    refused("n_legs=0", FAMILIES["legs"].draw, 0, rng, 3)


def test_a_result_that_is_no_word_is_refused():
    refused("999", stories.story_results, [stories.Story("How many ?", (), 999, "pens")])
