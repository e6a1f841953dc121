"""A corpus as a model reads it: its tokenizer, and its tokens to train on and to test on."""

import functools
from dataclasses import dataclass

import torch
from tokenizers import Tokenizer

from gpt_helpers.tensor_checks import check_tensor
from gpt_helpers.text.batches import sample_batch
from gpt_helpers.text.corpus import Corpus, load_corpus
from gpt_helpers.text.tokenizer import check_tokenizer, encode, train_tokenizer
from gpt_helpers.validation import check_instance, check_integer


@dataclass(frozen=True)
class Tokens:
    """The tokens to train on (N,), those of held-out files (M,), and who made them, if known."""

    tokenizer: Tokenizer
    training: torch.Tensor
    held_out: torch.Tensor

    def __post_init__(self):
        """Refuse what is no tokenizer, and what are no tokens."""
        if self.tokenizer is not None:
            check_tokenizer(self.tokenizer)
        for name in ("training", "held_out"):
            check_known(name, getattr(self, name), self.tokenizer)


def check_known(name, tokens, tokenizer=None):
    """Raise ValueError unless tokens (N,) are ids that the tokenizer has, where it is known."""
    check_tensor(name, tokens, "(N,)", integers=True, empty=False)
    n_ids = 2**63 if tokenizer is None else 1 + max(tokenizer.get_vocab().values())
    low, high = (end.item() for end in tokens.aminmax())
    if low < 0 or high >= n_ids:
        raise ValueError(f"{name} holds ids {low} to {high}, the tokenizer has 0 to {n_ids - 1}")


def encode_corpus(corpus, vocab_size):
    """Return the Tokens of a Corpus, by a tokenizer that is trained on its training files.

    Raises ValueError for a corpus of which no file is held out.
    """
    check_instance("corpus", corpus, Corpus)
    if not corpus.held_out:
        few = f"{len(corpus.training)} are too few"
        raise ValueError(f"no file of the corpus is held out: {few}; add some to score on")
    tokenizer = train_tokenizer((document.text for document in corpus.training), vocab_size)
    return Tokens(tokenizer, encode(tokenizer, corpus.training), encode(tokenizer, corpus.held_out))


def load_tokens(vocab_size):
    """Return the Tokens of the standard library: the same object in every call, so change none."""
    return tokens_of_library(check_integer("vocab_size", vocab_size, at_least=1))


@functools.cache
def tokens_of_library(vocab_size):
    """Return what load_tokens does, of a size that is an int."""
    return encode_corpus(load_corpus(), vocab_size)


def code_windows(seed, tokenizer, n_windows=128, n_half=64, corpus=None):
    """Return ids (n_windows, 2 * n_half): windows of held-out code, each of them twice.

    Without a corpus it is the standard library.
    """
    seed = check_integer("seed", seed, at_least=0)
    check_integer("n_windows", n_windows, at_least=1)
    check_integer("n_half", n_half, at_least=1)
    corpus = load_corpus() if corpus is None else corpus
    check_instance("corpus", corpus, Corpus)
    tokens = encode(tokenizer, corpus.held_out)
    generator = torch.Generator().manual_seed(seed)
    windows = sample_batch(tokens, n_windows, n_half, generator).long()
    return torch.cat([windows, windows], dim=1)
