"""Text to learn from: a corpus that every Python carries.

The corpus is the Python standard library itself: no download, the same on every reader's
machine up to the Python version, and a language whose grammar can be checked by machine.
"""

import hashlib
import sysconfig
import tokenize
from dataclasses import dataclass
from pathlib import Path

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
