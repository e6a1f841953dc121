"""A figure cannot lie: each one of the notebooks is drawn again from its data, and looked at.

In both languages, for a desk and for a phone: no text lies on another or on a line, no colour is
unknown to the dark page, and what is stored is what the data give.
"""

import json
import re

import pytest
from matplotlib.text import Text

from gpt_helpers.figures.drawn import FIGURE, Drawn
from gpt_helpers.figures.style import DARK, DESK, PHONE
from tests.helpers.book import CHAPTERS
from tests.helpers.looks import faults

SVG = "image/svg+xml"
COLOUR = re.compile(r"#[0-9a-f]{6}")


NUMBER = re.compile(r"(?<![A-Za-z_.\d])(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?")
SCALES = (1, 100, 1000, 1e-3, 1e-6)  # as a share, in thousands and in millions
COUNTED = 12  # up to this, a number may count what a reader sees
SETTINGS = {  # numbers that say how it was measured, or follow from two that are drawn
    "architecture-training-figure": {20},  # steps of which a point is the mean
    "architecture-cache-work-drawing": {49},  # 52 - 3
    "optimization-roofline-figure": {16, 32},  # bits
    "optimization-acceptance-drawing": {0.18},  # 0.20 - 0.02
    "optimization-attention-times": {32, 64},  # bits, width
    "scaling_laws-repeated-figure": {131_072},  # tokens that are read again
    "training-clipping-figure": {20},  # steps of which a point is the largest
    "variants-latent-cache-drawing": {1.4},  # % : 1,152 of 81,920
}


def numbers_of(data):
    """Yield the numbers of what JSON holds: themselves, in texts, and how many are in a list."""
    if isinstance(data, str):
        yield from (float(number.replace(",", "")) for number in NUMBER.findall(data))
    elif isinstance(data, int | float):
        yield abs(float(data))
    elif data:
        yield float(len(data))
        for part in data.values() if isinstance(data, dict) else data:
            yield from numbers_of(part)


def is_shown(number, shown):
    """Return whether a number, as text, is one of those shown, rounded to its digits."""
    half = 0.51 * 10.0 ** -len(number.partition(".")[2])
    wanted = float(number.replace(",", ""))
    return any(abs(each * scale - wanted) <= half for each in shown for scale in SCALES)


def figures():
    """Return {page and cell: output in Japanese, output in English} of the figures of the book.

    Each output has "words" besides: the caption and the alt text of its edition.
    """
    found = {}
    for path in sorted(CHAPTERS.glob("ja/*.ipynb")):
        pages = [
            json.loads(place.read_text("utf-8")) for place in (path, CHAPTERS / "en" / path.name)
        ]
        for cells in zip(*(page["cells"] for page in pages), strict=True):
            for outputs in zip(*(cell.get("outputs", ()) for cell in cells), strict=True):
                if FIGURE in outputs[0].get("data", {}):
                    for cell, output in zip(cells, outputs, strict=True):
                        options = cell["metadata"]["mystnb"]
                        output["words"] = options["figure"]["caption"] + options["image"]["alt"]
                    found[f"{path.stem}-{cells[0]['id']}"] = outputs
    return found


FIGURES = figures()


def test_there_are_figures_and_all_are_vectors():
    assert len(FIGURES) >= 57
    pictures = [
        path.name for path in CHAPTERS.glob("*/*.ipynb") if "image/png" in path.read_text("utf-8")
    ]
    assert not pictures


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("inches", [DESK, PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize("words", ["ja", "en"])
def test_no_text_lies_on_another_or_on_a_line(name, inches, words):
    frames = Drawn(**FIGURES[name][0]["data"][FIGURE]).frames(words, inches)
    assert [fault for _, figure in frames for fault in faults(figure)] == []


@pytest.mark.parametrize("name", FIGURES)
def test_what_is_stored_is_what_the_data_give(name):
    japanese, english = FIGURES[name]
    assert japanese["data"][FIGURE] == english["data"][FIGURE]
    drawn = Drawn(**japanese["data"][FIGURE])
    for words, output in (("ja", japanese), ("en", english)):
        assert "".join(output["data"][SVG]) == drawn.svg(words)


@pytest.mark.parametrize("name", FIGURES)
def test_the_dark_page_knows_each_colour(name):
    text = "".join(FIGURES[name][0]["data"][SVG])
    assert set(COLOUR.findall(text)) <= set(DARK)


@pytest.mark.parametrize("name", FIGURES)
def test_numbers_of_captions_and_alt_texts_are_those_that_are_drawn(name):
    outputs = FIGURES[name]
    drawn = Drawn(**outputs[0]["data"][FIGURE])
    frames = [frame for words in ("ja", "en") for frame in drawn.frames(words)]
    axes = [axes for _, figure in frames for axes in figure.axes if axes.axison]
    ticks = [tick for each in axes for tick in (*each.get_xticklabels(), *each.get_yticklabels())]
    seen = [*ticks, *(text for _, figure in frames for text in figure.findobj(Text))]
    texts = [text.get_text() for text in seen]
    texts += [caption for caption, _ in frames]
    shown = {*numbers_of(drawn.spec["arguments"]), *numbers_of(texts), *SETTINGS.get(name, ())}
    said = {number for output in outputs for number in NUMBER.findall(output["words"])}
    wanted = {
        number for number in said if float(number.replace(",", "")) > COUNTED or "." in number
    }
    assert {number for number in wanted if not is_shown(number, shown)} == set()
