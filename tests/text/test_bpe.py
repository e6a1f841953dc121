"""Byte pair encoding by its definition: what is counted and joined, and that a library agrees."""

import inspect
import textwrap

import pytest

from gpt_helpers.text import bpe
from gpt_helpers.text.corpus import load_japanese
from gpt_helpers.text.tokenizer import merges_of, train_tokenizer
from tests.helpers.reference import refused

SAMPLE = "reset set reset self"
BY_HAND = [("s", "e"), ("se", "t"), ("e", "set")]


def test_words_are_runs_of_one_kind_with_a_space_before_at_most():
    text = "def f_1(x):\n    y =  x"
    words = [text[a:b] for a, b in bpe.words_of(text)]
    assert words == ["def", " f", "_", "1", "(", "x", "):", "\n   ", " y", " =", " ", " x"]
    assert "".join(words) == text
    assert bpe.words_of("") == []


def test_pairs_are_counted_in_words_and_not_across():
    assert bpe.pairs_after("ab ab", []) == {("a", "b"): 2, ("Ġ", "a"): 1}
    counts = bpe.pairs_after(SAMPLE, [])
    assert counts["s", "e"] == 4
    assert ("t", "Ġ") not in counts
    assert next(iter(counts)) == ("s", "e")


def test_merges_made_by_hand():
    assert bpe.learn_merges(SAMPLE, 3) == BY_HAND
    counts = bpe.pairs_after(SAMPLE, BY_HAND[:2])
    assert counts["r", "e"] == counts["e", "set"] == 2 == max(counts.values())


def test_a_pair_is_joined_from_the_left():
    assert bpe.join_pair(("a", "a", "a"), ("a", "a")) == ("aa", "a")
    assert bpe.join_pair(("a", "b", "a", "b"), ("a", "b")) == ("ab", "ab")


def test_no_more_merges_are_learned_than_there_are_pairs():
    assert bpe.learn_merges("ab", 10) == [("a", "b")]
    assert bpe.learn_merges("", 10) == bpe.learn_merges("abc", 0) == []


@pytest.mark.parametrize(
    "text",
    [
        SAMPLE,
        inspect.getsource(textwrap),
        load_japanese().held_out[0].text,
        "aaaa aaaa\n\n\taaa 111 11",
    ],
    ids=["by hand", "code", "Japanese", "runs"],
)
def test_the_library_learns_the_same_merges(text):
    learned = [list(pair) for pair in bpe.learn_merges(text, 200)]
    assert learned == merges_of(train_tokenizer([text], 257 + 200))


def test_a_pair_is_written_with_signs_for_what_is_not_seen():
    assert bpe.readable(("Ġ", "s")) == "␣ + s"
    assert bpe.readable(("ĊĊ", "ĉ")) == "⏎⏎ + ⇥"


def test_what_is_no_text_is_refused():
    refused("text", bpe.learn_merges, b"ab", 1)
    refused("n_merges", bpe.learn_merges, "ab", -1)
