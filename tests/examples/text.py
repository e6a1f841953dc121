"""A right call of each door of gpt_helpers.text."""

import tempfile
from pathlib import Path

import torch
from tokenizers import models

from gpt_helpers.text import batches, bpe, corpus, tokenizer, tokens
from tests.helpers.misuse import Example
from tests.helpers.runs import TOKENS, write_corpus

TRUSTING = {
    "gpt_helpers.text.tokens.load_tokens": "encode_corpus checks; a call takes seconds",
}
FOLDER = write_corpus(Path(tempfile.mkdtemp()) / "corpus")
TOKENIZER = tokenizer.train_tokenizer(["a text", "and another"], 270)
DOCUMENT = corpus.Document("a.py", "a text")


def examples():
    """Yield the examples."""
    call = {"tokens": TOKENS, "batch_size": 4, "n_tokens": 8}
    yield Example(batches.Batches, call | {"seed": 1}, {"tokens": "-1 huge", "seed": "0"})
    call = {"tokens": TOKENS, "n_tokens": 8, "n_windows": 5}
    yield Example(batches.fixed_windows, call, {"tokens": "-1 huge", "n_windows": "None"})
    call = {"tokens": TOKENS, "batch_size": 4, "n_tokens": 8, "generator": torch.Generator()}
    takes = {"tokens": "-1 huge", "generator": "None"}
    yield Example(batches.sample_batch, call, takes)
    yield Example(
        corpus.Document,
        {"name": "a.py", "text": "a"},
        {"name": "unknown empty", "text": "unknown empty"},
    )
    yield Example(corpus.load_corpus, {"folder": FOLDER}, {"folder": "None"})
    yield Example(corpus.load_japanese, {})
    yield Example(
        corpus.Corpus,
        {"training": (DOCUMENT,), "held_out": (DOCUMENT,)},
        {"training": "empty", "held_out": "empty"},
    )
    yield Example(tokenizer.build_tokenizer, {"merges": [["a", "b"]]}, {"merges": "empty"})
    yield Example(tokenizer.byte_level, {"bpe": models.BPE()})
    yield Example(tokenizer.check_tokenizer, {"tokenizer": TOKENIZER})
    yield Example(tokenizer.encode, {"tokenizer": TOKENIZER, "documents": [DOCUMENT]})
    yield Example(tokenizer.merges_of, {"tokenizer": TOKENIZER})
    yield Example(tokenizer.train_tokenizer, {"texts": ["a text"], "vocab_size": 270})
    yield Example(tokenizer.tokens_per_character, {"tokenizer": TOKENIZER, "documents": [DOCUMENT]})
    yield from of_merges()
    yield from of_tokens()


def of_merges():
    """Yield the examples of byte pair encoding by its definition."""
    yield Example(bpe.words_of, {"text": "a text"}, {"text": "unknown empty"})
    yield Example(bpe.count_pairs, {"words": {("a", "b"): 2}}, {"words": "empty"})
    yield Example(bpe.join_pair, {"tokens": ("a", "b"), "pair": ("a", "b")})
    yield Example(bpe.readable, {"pair": ("a", "b")})
    call = {"text": "a text", "n_merges": 2}
    yield Example(bpe.learn_merges, call, {"text": "unknown empty", "n_merges": "0"})
    call = {"text": "a text", "merges": [("t", "e")]}
    yield Example(bpe.pairs_after, call, {"text": "unknown empty", "merges": "empty"})


def of_tokens():
    """Yield the examples of tokens."""
    read = corpus.load_corpus(FOLDER)
    call = {"tokenizer": TOKENIZER, "training": TOKENS, "held_out": TOKENS}
    takes = {"tokenizer": "None"}
    yield Example(tokens.Tokens, call, takes)
    yield Example(tokens.encode_corpus, {"corpus": read, "vocab_size": 270})
    call = {"seed": 1, "tokenizer": TOKENIZER, "n_windows": 2, "n_half": 4, "corpus": read}
    yield Example(tokens.code_windows, call, {"seed": "0", "corpus": "None"})
