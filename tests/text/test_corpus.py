"""The corpus, the tokenizer and the batches."""

import ast
import functools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gpt_helpers.text.batches import sample_batch
from gpt_helpers.text.corpus import HUMAN_RIGHTS, Document, is_held_out, load_corpus, read_source
from gpt_helpers.text.tokenizer import (
    END_OF_TEXT,
    build_tokenizer,
    encode,
    merges_of,
    train_tokenizer,
)
from tests.helpers.reference import refused

TEXTS = ["def f(x):\n    return x\n" * 20, "注意は自己注意である。" * 20]


@pytest.fixture(scope="module")
def corpus():
    return load_corpus()


@functools.cache
def small_tokenizer():
    """Return a tokenizer of 300 tokens."""
    return train_tokenizer(TEXTS, 300)


@pytest.fixture
def tokenizer():
    return small_tokenizer()


def test_the_corpus_is_the_standard_library_in_one_order(corpus):
    names = [document.name for document in corpus.training]
    assert names == sorted(names, key=lambda name: name.split("/"))
    assert {"abc.py", "json/decoder.py"} <= {*names, *(d.name for d in corpus.held_out)}
    assert sum(len(document.text) for document in corpus.training) > 5_000_000
    assert load_corpus() == corpus


def test_no_file_is_both_trained_on_and_held_out(corpus):
    training, held_out = ({d.name for d in part} for part in (corpus.training, corpus.held_out))
    assert training.isdisjoint(held_out)
    assert 0.02 < len(held_out) / len(training | held_out) < 0.10
    assert all(map(is_held_out, held_out))
    assert not any(map(is_held_out, training))


def test_tests_and_installed_packages_are_left_out(corpus):
    parts = {part for document in corpus.training for part in document.name.split("/")}
    assert parts.isdisjoint({"test", "tests", "site-packages", "__pycache__", "idlelib"})


def test_what_was_read_is_python(corpus):
    for document in corpus.held_out:
        ast.parse(document.text)


def test_a_folder_of_ones_own_is_split_by_name_only(tmp_path):
    (tmp_path / "deep").mkdir()
    names = [f"deep/m{number}.py" for number in range(60)]
    for name in names:
        (tmp_path / name).write_text(f"# {name}\n", encoding="utf-8")
    (tmp_path / "latin.py").write_bytes("# coding: latin-1\n# é\n".encode("latin-1"))
    corpus = load_corpus(str(tmp_path))
    found = {d.name: d.text for d in (*corpus.training, *corpus.held_out)}
    assert set(found) == {*names, "latin.py"}
    assert "é" in found["latin.py"]
    assert {d.name for d in corpus.held_out} == set(filter(is_held_out, found))


def test_a_folder_without_python_is_refused(tmp_path):
    refused("folder=.* holds no .py files", load_corpus, tmp_path)
    refused("folder=.*none.* holds no .py files", load_corpus, tmp_path / "none")
    for wrong in (3, ["lib"], True):
        refused("folder=.* must be a path, or None", load_corpus, wrong)
    (tmp_path / "bad.py").write_bytes(b"# \xff\xfe\n")
    refused("bad.py cannot be decoded", load_corpus, tmp_path)
    refused("bad.py cannot be decoded", read_source, tmp_path / "bad.py")


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
    refused("merge .* joins no two earlier tokens; the list is incomplete", build_tokenizer,
            merges[::-1])  # fmt: skip
    for wrong in (["a"], ["a", "b", "c"], ["a", "ab"], ["a", 3], ""):
        refused(r"merge .* joins no two", build_tokenizer, [wrong])
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


@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 99))
def test_batches_are_windows_of_the_tokens(batch_size, n_tokens, seed):
    tokens = torch.arange(100, 112)
    batch = sample_batch(tokens, batch_size, n_tokens, torch.Generator().manual_seed(seed))
    assert batch.shape == (batch_size, n_tokens)
    assert (batch.diff(dim=1) == 1).all()
    assert batch.min() >= 100
    assert batch.max() < 112


def test_every_window_can_be_drawn_the_last_one_too():
    batch = sample_batch(torch.arange(6), 500, 4, torch.Generator().manual_seed(0))
    assert batch[:, 0].unique().tolist() == [0, 1, 2]
    assert sample_batch(torch.arange(6), 2, 6).tolist() == [[0, 1, 2, 3, 4, 5]] * 2


def test_a_generator_makes_batches_repeatable_without_touching_the_global_one():
    tokens, before = torch.arange(1000), torch.get_rng_state()
    first, second = (sample_batch(tokens, 9, 5, torch.Generator().manual_seed(1)) for _ in "ab")
    assert torch.equal(first, second)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("wrong", [256, 0, -1, True, 300.0, "300", None], ids=repr)
def test_a_vocabulary_too_small_for_the_bytes_is_refused(wrong):
    refused(
        f"vocab_size={wrong!r} must be an integer of at least 257", train_tokenizer, TEXTS, wrong
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


ROW = torch.arange(9)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((None, 1, 2), r"tokens is a NoneType; make it a tensor of integers \(N,\)"),
        (([1, 2, 3], 1, 2), "tokens is .*list"),
        ((np.arange(9), 1, 2), "tokens is a ndarray; make it a tensor"),
        ((ROW[None], 1, 2), r"shape \(1, 9\); it must be \(N,\)"),
        ((ROW / 2, 1, 2), "tokens has dtype torch.float32"),
        ((ROW > 3, 1, 2), "tokens has dtype torch.bool"),
        ((ROW, 1, 10), "n_tokens=10 is more than the 9 tokens"),
        ((ROW[:0], 1, 1), "n_tokens=1 is more than the 0 tokens"),
        ((ROW, 0, 2), "batch_size=0 must be a positive integer"),
        ((ROW, 2.0, 2), "batch_size=2.0"),
        ((ROW, True, 2), "batch_size=True"),
        ((ROW, 1, 0), "n_tokens=0"),
        ((ROW, 1, None), "n_tokens=None"),
        ((ROW, 1, 2, 7), "generator=7 must be a torch.Generator"),
    ],
)
def test_batches_that_cannot_be_drawn_are_refused(arguments, message):
    refused(message, sample_batch, *arguments)
