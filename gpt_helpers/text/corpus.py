"""Text to learn from: a corpus that every Python carries, and a little Japanese.

The corpus is the Python standard library itself: no download, on every reader's machine, and a
language whose grammar can be checked by machine. It is not the same on all machines: each version
of Python has its own, and Linux distributions leave parts out, or add files.
"""

import hashlib
import sysconfig
import tokenize
from dataclasses import dataclass
from pathlib import Path

from gpt_helpers.files import as_path
from gpt_helpers.validation import check_sequence, check_text

HELD_OUT_PERCENT = 5
LEFT_OUT = {
    "test", "tests", "idle_test", "site-packages", "dist-packages", "__pycache__",
    "idlelib", "lib2to3", "encodings", "pydoc_data",
}  # fmt: skip

# Sentences of the chapters of this book; tools/prose.py says which.
JAPANESE = Path(__file__).with_name("japanese")
HELD_OUT_PAGES = ("index.txt", "optimization.txt")

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

    def __post_init__(self):
        """Refuse a name or a text that is none."""
        check_text("name", self.name)
        check_unicode("name", self.name)
        check_text("text", self.text)
        check_unicode(f"text of {self.name!r:.80}", self.text)


@dataclass(frozen=True)
class Corpus:
    """Documents to train on, and documents to test on: no file is in both, its copy may be."""

    training: tuple[Document, ...]
    held_out: tuple[Document, ...]

    def __post_init__(self):
        """Refuse what are no documents."""
        for name in ("training", "held_out"):
            check_sequence(name, getattr(self, name), Document, empty=True)


def load_corpus(folder=None):
    """Return the .py files below folder as a Corpus; the default is the standard library.

    Left out are tests, tables, generated build settings, links, and all that is hidden. A file
    is held out if the hash of its name says so (about 5 % of them), so one that stays in the
    library stays on its side of the split; lines that are copied from file to file may be on
    both. Raises ValueError for a folder without Python files, and for a file that is no text.
    """
    root = as_path("folder", sysconfig.get_paths()["stdlib"] if folder is None else folder)
    paths = [path for path in sorted(root.rglob("*.py")) if path.is_file()]
    names = [path.relative_to(root) for path in paths if not path.is_symlink()]
    documents = [Document(n.as_posix(), read_source(root / n)) for n in names if is_wanted(n)]
    if not documents:
        found = f"folder={str(root)!r} holds no .py files, links to them aside"
        raise ValueError(f"{found}; give one with Python sources")
    held_out = tuple(document for document in documents if is_held_out(document.name))
    training = tuple(document for document in documents if not is_held_out(document.name))
    return Corpus(training, held_out)


def load_japanese():
    """Return Japanese prose, that of this book, as a Corpus: a document a page, two held out.

    Sentences with code or formulas are left out.
    """
    paths = sorted(JAPANESE.glob("*.txt"))
    pages = [Document(path.name, path.read_text(encoding="utf-8")) for path in paths]
    held_out = tuple(page for page in pages if page.name in HELD_OUT_PAGES)
    return Corpus(tuple(page for page in pages if page.name not in HELD_OUT_PAGES), held_out)


def is_wanted(name):
    """Return whether the file of this relative path belongs to the corpus."""
    is_hidden = any(part.startswith(".") for part in name.parts)
    is_generated = name.name.startswith("_sysconfigdata")
    return not (is_hidden or is_generated or LEFT_OUT & set(name.parts))


def is_held_out(name):
    """Return whether the document of this name is for testing only."""
    digest = hashlib.sha256(name.encode()).digest()
    return int.from_bytes(digest[:4], "big") % 100 < HELD_OUT_PERCENT


def read_source(path):
    """Return the text of a Python file, in the encoding that it declares."""
    try:
        check_unicode("its name", path.name)
        with tokenize.open(path) as file:
            return file.read()
    except (SyntaxError, ValueError, OSError, LookupError) as error:
        found = f"{str(path)!r} cannot be read as Python ({error})"
        raise ValueError(f"{found}; leave the file out") from error


def check_unicode(name, text):
    """Raise ValueError for a lone surrogate in a text: half a character, so it has no bytes."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        found = f"{name} holds {text[error.start]!a} at {error.start}, half a character"
        raise ValueError(f"{found}; decode its bytes with errors='replace'") from error
