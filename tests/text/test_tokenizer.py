"""The tokenizer: text to tokens and back without loss, trained, and built from merges."""

import functools
import random
import time

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import processors

from gpt_helpers.text.corpus import HUMAN_RIGHTS, Document
from gpt_helpers.text.tokenizer import (
    END_OF_TEXT,
    build_tokenizer,
    encode,
    merges_of,
    tokens_per_character,
    train_tokenizer,
)
from tests.helpers.reference import refused

TEXTS = ["def f(x):\n    return x\n" * 20, "注意は自己注意である。" * 20]


@functools.cache
def small_tokenizer():
    """Return a tokenizer of 300 tokens."""
    return train_tokenizer(TEXTS, 300)


@pytest.fixture
def tokenizer():
    return small_tokenizer()


@given(st.text())
def test_every_string_survives_encoding_and_decoding(text):
    tokenizer = small_tokenizer()
    assert tokenizer.decode(tokenizer.encode(text).ids, skip_special_tokens=False) == text


def test_the_vocabulary_is_the_end_of_text_the_bytes_and_merges(tokenizer):
    assert tokenizer.token_to_id(END_OF_TEXT) == 0
    assert 257 < tokenizer.get_vocab_size() <= 300
    assert train_tokenizer(["a"], 257).get_vocab_size() == 257
    assert max(tokenizer.encode("".join(map(chr, range(3000)))).ids) < 300
    assert len(tokenizer.encode("return").ids) < len("return")


def test_training_twice_gives_the_same_tokenizer(tokenizer):
    assert train_tokenizer(iter(TEXTS), 300).to_str() == tokenizer.to_str()


def test_a_tokenizer_is_its_merges(tokenizer):
    merges = merges_of(tokenizer)
    assert len(merges) == tokenizer.get_vocab_size() - 257
    built = build_tokenizer(merges)
    assert built.get_vocab() == tokenizer.get_vocab()
    assert merges_of(built) == merges
    assert build_tokenizer([]).get_vocab() == train_tokenizer(["a"], 257).get_vocab()


@given(st.text())
def test_a_tokenizer_built_from_merges_encodes_and_decodes_as_the_trained_one(text):
    trained = small_tokenizer()
    built = build_tokenizer(merges_of(trained))
    for content in (text, TEXTS[0] + text, END_OF_TEXT + text):
        ids = trained.encode(content).ids
        assert built.encode(content).ids == ids
        assert built.decode(ids) == trained.decode(ids)
        assert built.decode(ids, skip_special_tokens=False) == content


def test_merges_that_join_what_is_not_there_are_refused(tokenizer):
    merges = merges_of(tokenizer)
    refused("merges hold .* joins no two earlier tokens; the list is incomplete", build_tokenizer,
            merges[::-1])  # fmt: skip
    for wrong in (["a"], ["a", "b", "c"], ["a", "ab"], ["a", 3], []):
        refused(r"merges hold .* joins no two", build_tokenizer, [wrong])
    for wrong in (["ab"], [3], "ab", None):
        refused(r"merges.* must be a list", build_tokenizer, wrong)
    refused("tokenizer is a NoneType", merges_of, None)


def test_without_merges_a_token_is_a_byte():
    tokenizer = train_tokenizer(["a"], 257)
    for text in HUMAN_RIGHTS.values():
        assert len(tokenizer.encode(text).ids) == len(text.encode())
    assert {len(character.encode()) for character in HUMAN_RIGHTS["ja"]} == {3}


def test_documents_are_encoded_in_one_row_each_closed_by_the_end_of_text(tokenizer):
    documents = [Document("a.py", TEXTS[0]), Document("b.py", ""), Document("c.py", TEXTS[1])]
    tokens = encode(tokenizer, documents)
    assert tokens.dtype == torch.int64
    expected = [*tokenizer.encode(TEXTS[0]).ids, 0, 0, *tokenizer.encode(TEXTS[1]).ids, 0]
    assert tokens.tolist() == expected


WILD = [
    END_OF_TEXT,
    f"a = '{END_OF_TEXT}'  # {END_OF_TEXT}",
    "<|im_start|> <s> [MASK] <|endoftext|",
    "ｆｕｌｌ　ｗｉｄｔｈ （）１２３",
    "e\u0301 é ﬁ ㍿ \u1e9b\u0323",
    "👨‍👩‍👧‍👦🏳️‍🌈 \U0010ffff",
    "\ufeffa\r\nb\rc\x00d\x1b\u2028e\u200b",
    "ab" * 20_000,
    "あ" * 20_000,
    " " * 20_000,
    "אبא" * 99,
]


@pytest.mark.parametrize("text", WILD, ids=range(len(WILD)))
def test_a_document_is_text_whatever_it_holds(tokenizer, text):
    documents = [Document("a.py", text), Document("b.py", f"x{text}")]
    tokens = encode(tokenizer, documents).tolist()
    assert tokens.count(0) == 2  # one end for each document, and none within
    end = tokens.index(0)
    assert tokenizer.decode(tokens[:end]) == text
    assert tokenizer.decode(tokens[end + 1 : -1]) == f"x{text}"
    trained = train_tokenizer([text, "and more"], 270)
    assert trained.decode(encode(trained, documents).tolist()[:-1]).startswith(text)
    assert trained.token_to_id(END_OF_TEXT) == 0


def test_encoding_neither_follows_nor_changes_the_settings_of_a_tokenizer(tokenizer):
    documents = [Document("a.py", TEXTS[0]), Document("b.py", "short")]
    expected = encode(tokenizer, documents)
    tokenizer = build_tokenizer(merges_of(tokenizer))
    tokenizer.enable_truncation(4)
    tokenizer.enable_padding(length=50)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{END_OF_TEXT} $A {END_OF_TEXT}", special_tokens=[(END_OF_TEXT, 0)]
    )
    before = tokenizer.to_str()
    assert torch.equal(encode(tokenizer, documents), expected)
    assert tokenizer.to_str() == before
    assert not tokenizer.encode_special_tokens


@pytest.mark.parametrize(
    ("text", "place"), [("a\ud800b", 1), ("\udfff", 0), ("\ud83d \ude00", 0)], ids=range(3)
)
def test_half_a_character_is_refused_with_its_place(tokenizer, text, place):
    message = rf"holds '\\ud.*' at {place}, half a character; decode its bytes"
    refused(rf"texts\[1\] {message}", train_tokenizer, ["a", text], 300)
    refused(rf"text of 'b.py' {message}", Document, "b.py", text)


def test_a_very_long_word_is_learned_from_in_a_short_time():
    draw = random.Random(0)
    word = "".join(draw.choice("abcdef") for _ in range(200_000))
    began = time.perf_counter()
    tokenizer = train_tokenizer([word], 300)
    assert time.perf_counter() - began < 20  # whole, it takes several minutes
    assert tokenizer.decode(tokenizer.encode(word).ids) == word
    assert len(tokenizer.encode(word).ids) < 0.7 * len(word)


@pytest.mark.parametrize("wrong", [256, 0, -1, True, 300.0, "300", None, 2**40], ids=repr)
def test_a_vocabulary_too_small_for_the_bytes_is_refused(wrong):
    refused(
        f"vocab_size={wrong!r} must be an integer from 257 to 16777216",
        train_tokenizer,
        TEXTS,
        wrong,
    )


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ("one string", "texts is a str; make it a list"),
        (None, "texts is a NoneType"),
        (5, "texts is a int"),
        ([], r"texts holds \[\]; it must hold strings"),
        (["", ""], r"texts holds \['', ''\].* not all empty"),
        (["a", 3], r"2 items, \['int'\] among them"),
    ],
)
def test_texts_that_are_none_are_refused(texts, message):
    refused(message, train_tokenizer, texts, 300)


def test_encoding_refuses_what_is_no_tokenizer_and_no_document(tokenizer):
    documents = [Document("a.py", "a")]
    refused("tokenizer is a NoneType", encode, None, documents)
    for wrong in (None, [], "text", ["text"], documents[0]):
        refused("documents is .*must be a list of at least one Document", encode, tokenizer, wrong)


def test_tokens_per_character_count_no_end_of_text(tokenizer):
    documents = [Document("a", "注意"), Document("b", "def f(x)")]
    n_tokens = sum(len(tokenizer.encode(document.text).ids) for document in documents)
    assert tokens_per_character(tokenizer, documents) == n_tokens / 10
    bare = build_tokenizer([])
    assert tokens_per_character(bare, documents[:1]) == 3
    assert tokens_per_character(bare, documents[1:]) == 1
    refused("documents", tokens_per_character, tokenizer, [Document("a", "")])
