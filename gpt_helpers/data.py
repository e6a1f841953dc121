"""Text to learn from: a corpus that every Python carries, byte-level BPE, and batches.

The corpus is the Python standard library itself: no download, the same on every reader's
machine up to the Python version, and a language whose grammar can be checked by machine.
"""

import hashlib
import json
import sysconfig
import tokenize
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

END_OF_TEXT = "<|endoftext|>"
N_BYTES = 256
HELD_OUT_PERCENT = 5
LEFT_OUT = {
    "test", "tests", "idle_test", "site-packages", "dist-packages", "__pycache__",
    "idlelib", "lib2to3", "encodings", "pydoc_data",
}  # fmt: skip

# One text of one content, in official translations. Source: un1948udhr, article 1.
HUMAN_RIGHTS = {
    "en": "All human beings are born free and equal in dignity and rights."
    " They are endowed with reason and conscience"
    " and should act towards one another in a spirit of brotherhood.",
    "de": "Alle Menschen sind frei und gleich an Würde und Rechten geboren."
    " Sie sind mit Vernunft und Gewissen begabt"
    " und sollen einander im Geist der Brüderlichkeit begegnen.",
    "ja": "すべての人間は、生れながらにして自由であり、かつ、尊厳と権利とについて平等である。"
    "人間は、理性と良心とを授けられており、互いに同胞の精神をもって行動しなければならない。",
}


@dataclass(frozen=True)
class Document:
    """One file: its name relative to the corpus, with forward slashes, and its text."""

    name: str
    text: str


@dataclass(frozen=True)
class Corpus:
    """Documents to train on, and documents to test on; no file is in both."""

    training: tuple[Document, ...]
    held_out: tuple[Document, ...]


def load_corpus(folder=None):
    """Return the .py files below folder as a Corpus; the default is the standard library.

    Left out are tests, tables and generated build settings. A file is held out if the hash
    of its name says so (about 5 % of them), so one that stays in the library stays on its
    side of the split. Raises ValueError for a folder without Python files.
    """
    if folder is not None and not isinstance(folder, str | Path):
        raise ValueError(f"folder={folder!r} must be a path, or None for the standard library")
    root = Path(folder if folder is not None else sysconfig.get_paths()["stdlib"])
    paths = sorted(root.rglob("*.py")) if root.is_dir() else []
    names = [path.relative_to(root) for path in paths if is_wanted(path.relative_to(root))]
    documents = [Document(name.as_posix(), read_source(root / name)) for name in names]
    if not documents:
        raise ValueError(f"folder={folder!r} holds no .py files; give one with Python sources")
    held_out = tuple(document for document in documents if is_held_out(document.name))
    training = tuple(document for document in documents if not is_held_out(document.name))
    return Corpus(training, held_out)


def is_wanted(name):
    """Return whether the file of this relative path belongs to the corpus."""
    return not LEFT_OUT & set(name.parts) and not name.name.startswith("_sysconfigdata")


def is_held_out(name):
    """Return whether the document of this name is for testing only."""
    digest = hashlib.sha256(name.encode()).digest()
    return int.from_bytes(digest[:4], "big") % 100 < HELD_OUT_PERCENT


def read_source(path):
    """Return the text of a Python file, in the encoding that it declares."""
    try:
        with tokenize.open(path) as file:
            return file.read()
    except (SyntaxError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} cannot be decoded ({error}); leave the file out") from error


def train_tokenizer(texts, vocab_size):
    """Return a byte-level BPE tokenizer learned from texts, with vocab_size tokens at most.

    Token 0 is the end of a text; then come the 256 bytes, so any string can be encoded and
    decoded without loss; the rest are merges, most frequent first. Raises ValueError for a
    vocabulary below 257 or for no text. Source: sennrich2016bpe; radford2019gpt2, sec. 2.2.
    """
    if type(vocab_size) is not int or vocab_size <= N_BYTES:
        raise ValueError(f"vocab_size={vocab_size!r} must be an integer above {N_BYTES}, the bytes")
    texts = check_texts(texts)
    tokenizer = byte_level(models.BPE())
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[END_OF_TEXT],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def byte_level(bpe):
    """Return a Tokenizer that applies a BPE model to bytes."""
    tokenizer = Tokenizer(bpe)
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def merges_of(tokenizer):
    """Return the merges of a tokenizer of train_tokenizer, [[left, right], ...], in order."""
    check_encodable(tokenizer, [Document("", "")])
    return [list(pair) for pair in json.loads(tokenizer.to_str())["model"]["merges"]]


def build_tokenizer(merges):
    """Return the tokenizer that has these merges: all that training one adds to the bytes.

    Raises ValueError for a merge of what is not in the vocabulary by then.
    """
    vocabulary = [END_OF_TEXT, *sorted(pre_tokenizers.ByteLevel.alphabet())]
    ids = {token: number for number, token in enumerate(vocabulary)}
    for pair in merges:
        if len(pair) != 2 or not all(part in ids for part in pair):
            raise ValueError(f"merge {pair!r} joins no two earlier tokens; the list is incomplete")
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
    return texts


def encode(tokenizer, documents):
    """Return the tokens of all documents in one row (N,), each closed by the end of text.

    Raises ValueError for no documents, or a tokenizer without an end of text.
    """
    check_encodable(tokenizer, documents)
    end = tokenizer.token_to_id(END_OF_TEXT)
    encodings = tokenizer.encode_batch([document.text for document in documents])
    return torch.tensor([token for encoding in encodings for token in [*encoding.ids, end]])


def check_encodable(tokenizer, documents):
    """Raise ValueError unless tokenizer is one of train_tokenizer's, and documents hold text."""
    if not isinstance(tokenizer, Tokenizer) or tokenizer.token_to_id(END_OF_TEXT) is None:
        found = type(tokenizer).__name__
        raise ValueError(f"tokenizer is a {found}; it must be a Tokenizer with {END_OF_TEXT}")
    is_sequence = isinstance(documents, list | tuple) and documents
    if not is_sequence or not all(isinstance(item, Document) for item in documents):
        found = f"{type(documents).__name__} {documents!r:.40}"
        raise ValueError(f"documents is {found}; it must be a list of at least one Document")


def sample_batch(tokens, batch_size, n_tokens, generator=None):
    """Return (B, T) windows of T = n_tokens tokens that start at random places of tokens (N,).

    They serve as input_ids and as labels: the model shifts by one itself. Raises ValueError
    if tokens is not one row of integers at least n_tokens long.
    """
    check_counts({"batch_size": (batch_size, 1), "n_tokens": (n_tokens, 1)})
    check_row(tokens)
    if generator is not None and not isinstance(generator, torch.Generator):
        raise ValueError(f"generator={generator!r} must be a torch.Generator, or None")
    if len(tokens) < n_tokens:
        raise ValueError(f"n_tokens={n_tokens} is more than the {len(tokens)} tokens there are")
    starts = torch.randint(len(tokens) - n_tokens + 1, (batch_size, 1), generator=generator)
    return tokens[starts + torch.arange(n_tokens)]  # (B, T)


def check_counts(counts):
    """Raise ValueError unless each {name: (value, least)} is an integer of at least least."""
    for name, (value, least) in counts.items():
        if type(value) is not int or value < least:
            kind = "a positive integer" if least == 1 else f"an integer of at least {least}"
            raise ValueError(f"{name}={value!r} must be {kind}")


def check_row(tokens):
    """Raise ValueError unless tokens is one row of integers."""
    is_tensor = isinstance(tokens, torch.Tensor)
    if not is_tensor or tokens.ndim != 1 or tokens.dtype not in (torch.int64, torch.int32):
        found = f"{getattr(tokens, 'dtype', '')} {getattr(tokens, 'shape', type(tokens).__name__)}"
        raise ValueError(f"tokens is {found}; it must be a one-dimensional tensor, .long()")
