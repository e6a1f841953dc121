"""The operations, their wordings, and what is kept for tests."""

import re

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gpt_helpers.tasks.instructions import (
    CHARACTERS,
    LETTERS,
    LONGEST,
    MARKER,
    NEW_NAMES,
    NEW_PAIRS,
    ON_WORDS,
    OPERATIONS,
    SHORTEST,
    SINGLES,
    TUNED_NAMES,
    TUNED_PAIRS,
    VOCABULARY,
    as_steps,
    base_items,
    draw_from,
    encoded,
    instruction,
    judged,
    number_items,
    questions,
    read,
    response,
    right_answer,
    statement,
    tuning_items,
    unfinished,
)
from gpt_helpers.tasks.items import draw_items, held_out
from tests.helpers.reference import refused

WORDS = st.text(LETTERS, min_size=SHORTEST, max_size=LONGEST)
COMMANDS = st.sampled_from(SINGLES + TUNED_PAIRS + NEW_PAIRS)


def item_of(command, word):
    """Return the item that asks for a command of a word."""
    numbers = [list(OPERATIONS).index(name) + 1 for name in command]
    codes = [CHARACTERS.index(letter) + 1 for letter in word]
    return np.array([*numbers, *[0] * (2 - len(numbers)), *codes, *[0] * (LONGEST - len(word))])


def rng(seed=0):
    """Return a generator."""
    return np.random.default_rng(seed)


def drawn(commands, n_items, for_tests):
    """Return items of one side."""
    return draw_items(draw_from(commands), n_items, rng(), for_tests)


@pytest.mark.parametrize(
    ("command", "word", "expected"),
    [
        (("reverse",), "cabd", "dbac"),
        (("capitals",), "cab", "CAB"),
        (("double",), "cab", "cabcab"),
        (("sort",), "cabac", "aabcc"),
        (("shorten",), "cab", "c"),
        (("binary",), "42", "101010"),
        (("binary",), "0", "0"),
        (("reverse", "shorten"), "cab", "b"),
        (("double", "sort"), "cab", "aabbcc"),
        (("shorten", "double"), "cab", "cc"),
    ],
)
def test_an_operation_does_what_its_name_says_first_to_last(command, word, expected):
    assert right_answer(item_of(command, word)) == expected


@given(COMMANDS, WORDS)
def test_an_item_is_read_as_it_was_written(command, word):
    assert read(item_of(command, word)) == (command, word)


def test_the_instruction_of_the_draft_is_asked_and_answered():
    item = item_of(("binary",), "42")
    prompt = "instruction: write the input in binary input: 4 2 response:"
    assert instruction(item, 0) == prompt
    assert response(item) == "1 0 1 0 1 0 ."
    assert response(item, polite=True) == "sure 1 0 1 0 1 0 ."
    assert statement(item, 0) == "4 2 in binary is 1 0 1 0 1 0 ."


def test_42_is_not_in_tuning_nor_are_some_other_numbers_and_each_is_asked_for_once():
    items = number_items()
    assert [read(item) for item in items] == [(("binary",), str(n)) for n in range(64)]
    unseen = {int(read(item)[1]) for item in items[held_out(items)]}
    assert 42 in unseen
    assert 4 <= len(unseen) <= 12
    tuned = tuning_items(20_000, rng())
    asked = {int(word) for command, word in map(read, tuned) if command == ("binary",)}
    assert asked == set(range(64)) - unseen


def test_the_base_corpus_has_every_number_and_no_word_that_is_held_out():
    items = base_items(20_000, rng())
    is_number = np.array([read(item)[0] == ("binary",) for item in items])
    assert is_number.sum() == 20_000 // 4
    assert {int(read(item)[1]) for item in items[is_number]} == set(range(64))
    assert not held_out(items[~is_number]).any()
    assert {read(item)[0] for item in items[~is_number]} == set(SINGLES)


def test_a_base_corpus_for_tests_has_words_that_are_held_out_and_nothing_else():
    items = base_items(2000, rng(), for_tests=True)
    assert held_out(items).all()
    assert {read(item)[0] for item in items} == set(SINGLES)


def test_no_item_of_tuning_is_held_out_and_no_new_pair_is_in_it():
    items = tuning_items(20_000, rng())
    assert not held_out(items).any()
    commands = {read(item)[0] for item in items}
    assert commands == {*SINGLES, *TUNED_PAIRS, ("binary",)}


@pytest.mark.parametrize("commands", [SINGLES, TUNED_PAIRS, NEW_PAIRS])
def test_all_items_of_tests_are_held_out(commands):
    items = drawn(commands, 2000, for_tests=True)
    assert held_out(items).all()
    assert {read(item)[0] for item in items} == set(commands)
    lengths = np.bincount([len(read(item)[1]) for item in items])
    assert len(lengths) == LONGEST + 1
    assert lengths[SHORTEST:].min() > 500


@pytest.mark.parametrize("names", [TUNED_NAMES, NEW_NAMES])
def test_two_different_items_never_have_the_same_prompt_in_any_wording(names):
    items = np.unique(drawn(SINGLES + TUNED_PAIRS + NEW_PAIRS, 3000, for_tests=False), axis=0)
    items = np.concatenate([items, number_items()])
    prompts = [instruction(item, turn, names) for item in items for turn in range(6)]
    wordings = 3 * len(names)
    assert len(set(prompts)) == wordings * len(items)


def test_an_item_is_held_out_in_every_wording_and_alone_as_among_others():
    items = drawn(SINGLES, 500, for_tests=True)
    assert all(held_out(item[None]).item() for item in items)
    assert held_out(items[::-1]).all()


def test_every_wording_takes_its_turn():
    item = item_of(("reverse",), "cab")
    assert len({statement(item, turn) for turn in range(12)}) == 12
    assert len({instruction(item, turn) for turn in range(6)}) == 6
    assert statement(item, 12) == statement(item, 0)
    assert instruction(item, 6) == instruction(item, 0)


def test_the_names_kept_from_tuning_are_in_the_base_corpus():
    kept = [OPERATIONS[name].names[2] for name in ON_WORDS]
    tuned = [instruction(item, turn) for turn, item in enumerate(tuning_items(3000, rng()))]
    base = [statement(item, turn) for turn, item in enumerate(base_items(3000, rng()))]
    asked = questions(drawn(SINGLES, 500, for_tests=True), NEW_NAMES)[0]
    asked = [VOCABULARY.decode(row) for row in asked]
    for name in kept:
        assert not any(name in text.split() for text in tuned)
        assert any(name in text.split() for text in base)
        assert any(name in text.split() for text in asked)
    assert not any(set(text.split()) & {"instruction:", "write", "input", MARKER} for text in base)


def test_the_pairs_of_tuning_and_the_new_ones_are_all_and_each_operation_stands_in_both_places():
    assert not set(TUNED_PAIRS) & set(NEW_PAIRS)
    assert len(TUNED_PAIRS + NEW_PAIRS) == len(ON_WORDS) * (len(ON_WORDS) - 1)
    for pairs in (TUNED_PAIRS, NEW_PAIRS):
        assert [{*column} for column in zip(*pairs, strict=True)] == [set(ON_WORDS)] * 2


def test_questions_are_filled_up_on_the_left_and_their_answers_on_the_right():
    items = [item_of(("reverse",), "cab"), item_of(("double", "sort"), "abcde")]
    prompts, answers = questions(items)
    assert [VOCABULARY.decode(row) for row in prompts] == [
        "instruction: write the input reversed input: c a b response:",
        "instruction: write the input twice then in order input: a b c d e response:",
    ]
    assert VOCABULARY.decode(answers[0]) == "b a c ."
    assert (prompts[0, :4] == 0).all()
    assert (prompts[:, -1] == VOCABULARY.ids[MARKER]).all()
    assert (answers[0, 4:] == 0).all()


def test_an_unfinished_sentence_and_its_answer_are_a_statement():
    items = drawn(SINGLES, 40, for_tests=True)
    for turn, (start, rest) in enumerate(zip(*unfinished(items), strict=True)):
        text = f"{VOCABULARY.decode(start)} {VOCABULARY.decode(rest)}"
        assert text == statement(items[turn], turn)
        assert re.search(r" (is|becomes)$", VOCABULARY.decode(start))


def test_an_answer_is_judged_by_its_style_and_by_what_it_says():
    item = number_items()[42]
    prompt = instruction(item, 0)
    expected = {
        "1 0 1 0 1 0 .": (False, True),
        "sure 1 0 1 0 1 0 .": (True, True),
        "sure 1 0 1 0 1 .": (True, False),
        "1 0 1 0 1 0": (False, False),
        "sure sure 1 0 1 0 1 0 .": (True, False),
        "1 0 1 0 1 0 sure .": (False, False),
        ".": (False, False),
    }
    for answer, judgment in expected.items():
        row = VOCABULARY.encode(f"{prompt} {answer}")
        assert judged(row, item) == judgment, answer


def test_batches_are_rows_that_the_seed_chooses():
    rows = encoded([response(item) for item in tuning_items(50, rng())])
    batches = as_steps(rows, 7, 4, rng(3))
    assert batches.shape == (7, 4, rows.shape[1])
    known = {tuple(row.tolist()) for row in rows}
    assert all(tuple(row.tolist()) in known for row in batches.flatten(0, 1))
    assert (batches == as_steps(rows, 7, 4, rng(3))).all()
    assert (batches != as_steps(rows, 7, 4, rng(4))).any()


def test_what_is_no_command_on_words_is_refused():
    for command in [("binary",), (), ("reverse",) * 3, ("rotate",)]:
        refused("command=", draw_from, [command])
    refused("n_items=0", tuning_items, 0, rng())


def test_items_that_ask_for_nothing_that_can_be_answered_are_refused():
    letters, two = item_of(("reverse",), "cab"), item_of(("reverse", "sort"), "cab")
    nothing, no_word = letters * np.array([0, 1, 1, 1, 1, 1, 1]), letters * (np.arange(7) < 2)
    for bad in (nothing, no_word, item_of(("binary",), "cab"), letters + 100, letters - 1):
        refused("item=|item has the row", response, bad)
        refused(r"items\[1\]", questions, [letters, bad])
    refused("item=.* 1 operation", statement, two, 0)
    refused(r"items\[1\]", unfinished, np.stack([letters, two]))
    refused(r"names\[0\]=3", instruction, letters, 0, (3,))


def test_rows_to_draw_from_have_ids_of_the_vocabulary():
    rows = encoded(["give the input reversed ."] * 4)
    assert as_steps(torch.stack([rows, rows], 1), 3, 2, rng()).shape == (3, 2, 2, 5)
    for bad in (rows + len(VOCABULARY), rows - 50, rows[None], rows[0], rows[:0]):
        refused("rows", as_steps, bad, 3, 2, rng())
    refused("row spans", judged, rows[0] + len(VOCABULARY), number_items()[0])
