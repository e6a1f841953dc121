"""A corpus as tokens: both sides, of one tokenizer, and windows of code that stand twice."""

import pytest
import torch

from gpt_helpers.text.corpus import Corpus, Document
from gpt_helpers.text.tokenizer import encode, train_tokenizer
from gpt_helpers.text.tokens import Tokens, code_windows, encode_corpus, load_tokens
from tests.helpers.reference import refused

SMALL = Corpus((Document("a.py", "a = b\n" * 40),), (Document("b.py", "b = a\n" * 30),))


def test_both_sides_are_encoded_by_a_tokenizer_that_read_only_one():
    tokens = encode_corpus(SMALL, 259)
    assert tokens.tokenizer.get_vocab_size() == 259
    for ids, documents in ((tokens.training, SMALL.training), (tokens.held_out, SMALL.held_out)):
        assert torch.equal(ids, encode(tokens.tokenizer, documents))
    read, other = (
        train_tokenizer([document.text for document in documents], 259).to_str()
        for documents in (SMALL.training, SMALL.held_out)
    )
    assert tokens.tokenizer.to_str() == read != other


def test_a_corpus_without_held_out_files_is_refused():
    refused("no file of the corpus is held out: 1 are too few", encode_corpus,
            Corpus(SMALL.training, ()), 260)  # fmt: skip


def test_windows_of_code_that_is_held_out_stand_twice_and_follow_the_seed():
    tokenizer = encode_corpus(SMALL, 259).tokenizer
    one, again, other = (code_windows(seed, tokenizer, 3, 5, SMALL) for seed in (0, 0, 1))
    assert one.shape == (3, 10)
    assert torch.equal(one[:, :5], one[:, 5:])
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    windows = encode(tokenizer, SMALL.held_out).unfold(0, 5, 1)
    assert all((windows == row[:5]).all(1).any() for row in one)
    windows = encode(tokenizer, SMALL.training).unfold(0, 5, 1)
    assert not any((windows == row[:5]).all(1).any() for row in one)


@pytest.mark.parametrize("wrong", [[300], 300.0, "300", None, True, 0, 256, 10**12], ids=repr)
def test_the_size_of_a_vocabulary_is_checked_before_it_is_looked_up(wrong):
    refused("vocab_size=", load_tokens, wrong)


@pytest.mark.parametrize("ids", [[300], [-1], [5, 257], [10**12]])
def test_ids_that_a_tokenizer_has_not_are_refused(ids):
    tokenizer, right = train_tokenizer(["ab"], 257), torch.tensor([0, 256])
    Tokens(tokenizer, right, right.int())
    for wrong in ({"training": torch.tensor(ids)}, {"held_out": torch.tensor(ids)}):
        message = (
            f"{next(iter(wrong))} holds ids {min(ids)} to {max(ids)}, the tokenizer has 0 to 256"
        )
        refused(message, Tokens, tokenizer, **{"training": right, "held_out": right} | wrong)


@pytest.mark.parametrize("wrong", [["a"], "a", None, 3, [None], SMALL.training[0], {"a": "b"}])
def test_a_corpus_holds_documents_and_nothing_else(wrong):
    refused("training", Corpus, wrong, SMALL.held_out)
    refused("held_out", Corpus, SMALL.training, wrong)
