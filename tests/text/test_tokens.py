"""A corpus as tokens: both sides, of one tokenizer, and windows of code that stand twice."""

import torch

from gpt_helpers.text.corpus import Corpus, Document, load_corpus
from gpt_helpers.text.tokenizer import encode
from gpt_helpers.text.tokens import code_windows, encode_corpus
from gpt_helpers.weights import pretrained
from tests.helpers.reference import refused

SMALL = Corpus((Document("a.py", "a = b\n" * 40),), (Document("b.py", "b = a\n" * 30),))


def test_both_sides_are_encoded_by_a_tokenizer_that_read_only_one():
    tokens = encode_corpus(SMALL, 259)
    assert tokens.tokenizer.get_vocab_size() == 259
    for ids, documents in ((tokens.training, SMALL.training), (tokens.held_out, SMALL.held_out)):
        assert torch.equal(ids, encode(tokens.tokenizer, documents))
    other = encode_corpus(Corpus(SMALL.held_out, SMALL.training), 260)
    assert other.tokenizer.to_str() != tokens.tokenizer.to_str()


def test_a_corpus_without_held_out_files_is_refused():
    refused("no file of the corpus is held out: 1 are too few", encode_corpus,
            Corpus(SMALL.training, ()), 260)  # fmt: skip


def test_windows_of_code_stand_twice_and_follow_the_seed():
    _, tokenizer = pretrained.load_model()
    one, again, other = (code_windows(seed, tokenizer, 3, n_half=16) for seed in (0, 0, 1))
    assert one.shape == (3, 32)
    assert torch.equal(one[:, :16], one[:, 16:])
    assert torch.equal(one, again)
    windows = encode(tokenizer, load_corpus().held_out).unfold(0, 16, 1)
    assert all((windows == row[:16]).all(1).any() for row in one)  # of code not trained on
    assert not torch.equal(one, other)
