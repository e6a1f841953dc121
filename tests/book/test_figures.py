"""A figure cannot lie: each one of the notebooks is drawn again from its data, and looked at.

In both languages, for a desk and for a phone: no text lies on another or on a line, no colour is
unknown to the dark page, and what is stored is what the data give.
"""

import json
import re

import pytest

from gpt_helpers.figures.drawn import FIGURE, Drawn
from gpt_helpers.figures.style import DARK, DESK, PHONE
from tests.helpers.book import CHAPTERS
from tests.helpers.looks import faults

SVG = "image/svg+xml"
COLOUR = re.compile(r"#[0-9a-f]{6}")


def figures():
    """Return {page and cell: output in Japanese, output in English} of the figures of the book."""
    found = {}
    for path in sorted(CHAPTERS.glob("ja/*.ipynb")):
        pages = [
            json.loads(place.read_text("utf-8")) for place in (path, CHAPTERS / "en" / path.name)
        ]
        for cells in zip(*(page["cells"] for page in pages), strict=True):
            for outputs in zip(*(cell.get("outputs", ()) for cell in cells), strict=True):
                if FIGURE in outputs[0].get("data", {}):
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
