"""The words of the figures: what a label is called in the language of the page.

words.csv holds a row for each label: its text in English, as a cell or a function writes it, and
in Japanese. "#" stands for any number, "*" for anything: names of code stay as they are.
"""

import contextlib
import contextvars
import functools
import re
from pathlib import Path

from matplotlib.text import Text
from matplotlib.ticker import FixedLocator

from gpt_helpers.files import read_rows

NUMBER = r"-?\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?%?"
WIDE_LETTERS = re.compile(r"[\u1100-\u11ff\u2e80-\ua4cf\uac00-\ud7ff\uf900-\ufaff\uff00-\uff60]")
POWER = re.compile(r"(\d(?:\.\d+)?)e([+-]\d{2})\b")
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
BYTE_SIGNS = str.maketrans("ĠĊĉ", "␣⏎⇥")  # of a byte-level tokenizer: space, new line, tab
spoken = contextvars.ContextVar("spoken", default="en")


@contextlib.contextmanager
def speaking(language):
    """Let figures made in this block have their labels in a language, "ja" or "en"."""
    before = spoken.set(language)
    try:
        yield
    finally:
        spoken.reset(before)


@functools.cache
def exact_words():
    """Return {label in English: label in Japanese}, the rows that hold for one label only."""
    return {row["en"]: row["ja"] for row in all_words() if not set("#*") & set(row["en"])}


@functools.cache
def patterns():
    """Return [(compiled pattern, label in Japanese)], the rows with "#" or "*", the long first."""
    rows = [row for row in all_words() if set("#*") & set(row["en"])]
    rows.sort(key=lambda row: -len(row["en"]))
    return [(re.compile(as_pattern(row["en"])), row["ja"]) for row in rows]


def all_words():
    """Return the rows of words.csv."""
    return read_rows(Path(__file__).with_name("words.csv"), ())


def as_pattern(text):
    """Return the regular expression of a row's English: "#" is a number, "*" anything."""
    return re.escape(text).replace(r"\#", f"({NUMBER})").replace(r"\*", "(.+)")


def word(text, language=None):
    """Return a label in a language, that of speaking if none is given; itself if it is unknown.

    1e+23 in it becomes 10²³.
    """
    return POWER.sub(as_power, spoken_label(text, language or spoken.get()))


def as_power(found):
    """Return a number that Python writes as 3e+23 the way that a reader does."""
    factor, power = found.groups()
    times = "" if factor == "1" else f"{factor} × "
    return f"{times}10{str(int(power)).translate(SUPERSCRIPTS)}"


def spoken_label(text, language):
    """Return a label in a language; itself if it is unknown."""
    if language == "en":
        return text
    if text in exact_words():
        return exact_words()[text]
    for pattern, japanese in patterns():
        found = pattern.fullmatch(text)
        if found:
            return fill(japanese, found.groups())
    return text


def fill(text, parts):
    """Return a text with the parts in place of its "#" and "*", in their order."""
    parts = iter(parts)
    return re.sub(r"[#*]", lambda _: next(parts), text)


def translate(figure):
    """Put all the labels of a Figure, in place, into the language of speaking."""
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            fixed = isinstance(axis.get_major_locator(), FixedLocator)
            names = [label_of(tick) for tick in axis.get_ticklabels()] if fixed else []
            if any(names):
                axis.set_ticklabels(names)  # of the first of panels that share them
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            handle.set_label(word(label))
    for text in figure.findobj(Text):
        text.set_text(label_of(text))


def label_of(text):
    """Return what a Text says in the language of speaking; code and tokens stay what they are."""
    return text.get_text() if "monospace" in text.get_family() else word(text.get_text())


def token_name(name):
    """Return the name that a byte-level tokenizer gives to a token, with the signs of the book."""
    return str(name).translate(BYTE_SIGNS)


def width_in_letters(text):
    """Return how many letters of a Latin font a label is wide: a Japanese one counts as 1.7."""
    return len(text) + 0.7 * len(WIDE_LETTERS.findall(text))
