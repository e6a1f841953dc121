"""Byte-level BPE: from text to tokens and back."""

import json
from collections.abc import Iterable

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from gpt_helpers.text.corpus import Document, check_unicode
from gpt_helpers.validation import check_instance, check_integer, check_sequence

END_OF_TEXT = "<|endoftext|>"
N_BYTES = 256
LARGEST_VOCABULARY = 2**24  # tokens; more than any text makes, and than memory holds
LONGEST = 1000


def train_tokenizer(texts, vocab_size):
    """Return a byte-level BPE tokenizer learned from texts, with vocab_size tokens at most.

    Token 0 is the end of a text; then come the 256 bytes, so any string can be encoded and
    decoded without loss, save the name of token 0, which the tokenizer's own encode reads as
    that token; encode below does not. The rest are merges, most frequent first. Of a word of
    more than LONGEST bytes, parts are learned from: learning takes the square of their length.
    Raises ValueError for a vocabulary below 257 or for no text.
    Source: sennrich2016bpe; radford2019gpt2, sec. 2.2.
    """
    vocab_size = check_integer("vocab_size", vocab_size, N_BYTES + 1, LARGEST_VOCABULARY)
    texts = check_texts(texts)
    tokenizer = byte_level(models.BPE())
    words, parts = tokenizer.pre_tokenizer, Regex(f".{{1,{LONGEST}}}")
    cut = pre_tokenizers.Split(parts, "isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([words, cut])
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[END_OF_TEXT],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.pre_tokenizer = words
    return tokenizer


def byte_level(bpe):
    """Return a Tokenizer that applies a BPE model to bytes."""
    check_instance("bpe", bpe, models.BPE)
    tokenizer = Tokenizer(bpe)
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def merges_of(tokenizer):
    """Return the merges of a tokenizer of train_tokenizer, [[left, right], ...], in order."""
    check_tokenizer(tokenizer)
    if not isinstance(tokenizer.model, models.BPE):
        found = type(tokenizer.model).__name__
        raise ValueError(f"tokenizer is one of {found}, which has no merges; give one of BPE")
    return [list(pair) for pair in json.loads(tokenizer.to_str())["model"]["merges"]]


def build_tokenizer(merges):
    """Return the tokenizer that has these merges: all that training one adds to the bytes.

    Raises ValueError for a merge of what is not in the vocabulary by then.
    """
    check_sequence("merges", merges, (list, tuple), empty=True)
    vocabulary = [END_OF_TEXT, *sorted(pre_tokenizers.ByteLevel.alphabet())]
    ids = {token: number for number, token in enumerate(vocabulary)}
    for pair in merges:
        if len(pair) != 2 or not all(isinstance(part, str) and part in ids for part in pair):
            found = f"merges hold {pair!r}, which joins no two earlier tokens"
            raise ValueError(f"{found}; the list is incomplete")
        ids.setdefault("".join(pair), len(ids))
    tokenizer = byte_level(models.BPE(vocab=ids, merges=[tuple(pair) for pair in merges]))
    tokenizer.add_special_tokens([END_OF_TEXT])
    return tokenizer


def check_texts(texts):
    """Return texts as a list; raise ValueError unless they are strings, at least one not empty."""
    if isinstance(texts, str | bytes) or not isinstance(texts, Iterable):
        raise ValueError(f"texts is a {type(texts).__name__}; make it a list of strings")
    texts = list(texts)
    others = {type(text).__name__ for text in texts if not isinstance(text, str)}
    if others or not any(texts):
        found = f"{len(texts)} items, {sorted(others)} among them" if others else repr(texts[:3])
        raise ValueError(f"texts holds {found}; it must hold strings that are not all empty")
    for place, text in enumerate(texts):
        check_unicode(f"texts[{place}]", text)
    return texts


def encode(tokenizer, documents):
    """Return the tokens of all documents in one row (N,), each closed by the end of text.

    In a document the name of a special token is text as any other. Raises ValueError for no
    documents, or a tokenizer without an end of text.
    """
    check_tokenizer(tokenizer)
    check_documents(documents)
    end = tokenizer.token_to_id(END_OF_TEXT)
    literal = Tokenizer.from_str(tokenizer.to_str())  # the caller's keeps its settings
    literal.encode_special_tokens = True
    literal.no_truncation()
    literal.no_padding()
    texts = [document.text for document in documents]
    encodings = literal.encode_batch(texts, add_special_tokens=False)
    return torch.tensor([token for encoding in encodings for token in [*encoding.ids, end]])


def tokens_per_character(tokenizer, documents):
    """Return how many tokens the documents take for each of their characters.

    Raises ValueError for documents without a character; other errors are those of encode.
    """
    n_tokens = len(encode(tokenizer, documents)) - len(documents)  # without the ends of texts
    n_characters = sum(len(document.text) for document in documents)
    if not n_characters:
        raise ValueError(f"documents are {len(documents)}, all empty; give some with text")
    return n_tokens / n_characters


def check_tokenizer(tokenizer):
    """Raise ValueError unless tokenizer is one of train_tokenizer's."""
    if not isinstance(tokenizer, Tokenizer) or tokenizer.token_to_id(END_OF_TEXT) is None:
        found = type(tokenizer).__name__
        raise ValueError(f"tokenizer is a {found}; it must be a Tokenizer with {END_OF_TEXT}")


def check_documents(documents):
    """Raise ValueError unless documents is a list of at least one Document."""
    is_sequence = isinstance(documents, list | tuple) and documents
    if not is_sequence or not all(isinstance(item, Document) for item in documents):
        found = f"{type(documents).__name__} {documents!r:.40}"
        raise ValueError(f"documents is {found}; it must be a list of at least one Document")
