"""The words of a task: every text of known words survives encoding, others are refused."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gpt_helpers.tasks.vocabulary import PADDING, Vocabulary
from tests.helpers.reference import refused

WORDS = Vocabulary(("cat", "dog", "="))


@given(st.lists(st.sampled_from(WORDS.words), max_size=20))
def test_a_text_of_known_words_is_the_same_after_encoding_and_decoding(words):
    text = " ".join(words)
    assert WORDS.decode(WORDS.encode(text)) == text


def test_ids_follow_the_order_of_the_words_and_0_is_padding():
    assert WORDS.encode("cat dog =").tolist() == [1, 2, 3]
    assert len(WORDS) == 4
    assert WORDS.decode([0, 2, 0, 1, 0]) == "dog cat"


def test_ids_are_integers_that_a_model_accepts():
    assert WORDS.encode("cat").dtype == torch.int64
    assert WORDS.encode("").shape == (0,)


@pytest.mark.parametrize("words", [(), ("a", ""), ("a b",), (1,), ("a", "b", "a"), (PADDING,)])
def test_words_that_could_not_be_told_apart_are_refused(words):
    with pytest.raises(ValueError, match="words"):
        Vocabulary(words)


def test_unknown_words_and_ids_are_refused_by_name():
    refused("bird", lambda: WORDS.encode("cat bird"))
    refused("4", lambda: WORDS.decode([1, 4]))
    refused("-1", lambda: WORDS.decode([-1]))
