"""Text in figures is drawn as it is written: dollars, Japanese, and what no font has."""

import matplotlib as mpl

mpl.use("agg")

import inspect
import warnings

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.text import Text

from gpt_helpers.architecture.trace import Step
from gpt_helpers.evaluation.accuracy import Score
from gpt_helpers.figures import labels, show, show_laws, show_models, show_scores, show_tiles
from gpt_helpers.variants.published import PublishedModel

# Tokens and names as readers have them; two of them are no mathematics, and stop its parser.
NAMES = ["$$", "$x_$", "トークン", "\U0001f600", "\t", "\\$5 and $6"]
pytestmark = pytest.mark.filterwarnings("ignore:constrained_layout")
SCORES = [Score(1, 2)]
POINTS = ([1, 2], [1.0, 2.0])
MARKS = [
    *(show_laws.Mark("line", *POINTS, name) for name in NAMES),
    show_laws.Mark("names", [1] * len(NAMES), [1] * len(NAMES), NAMES),
]
DEVICE = {"flops": 1e12, "bandwidth": 1e11}
MODEL = PublishedModel(model="$$ トークン", organisation="b", family="gpt2", sources=("c",),
                       seen="d", as_of="2026", released="2024", n_params=10**9)  # fmt: skip


def each(value):
    """Return {name: value} of all names."""
    return dict.fromkeys(NAMES, value)


DRAWN = {
    "heatmaps": lambda: show.heatmaps(
        each(np.ones((6, 6))), xlabel="$$", ylabel="$x_$", xticks=NAMES, yticks=NAMES
    ),
    "curves": lambda: show.curves(each(each(POINTS)), xlabel="$$", ylabels=NAMES, log=("x", "y")),
    "curves, legend above": lambda: show.curves(
        each(each(POINTS)), xlabel="$$", ylabels=NAMES, legend_above=True
    ),
    "distributions": lambda: show.distributions(each([0.1] * 6), NAMES, ylabel="$$"),
    "shares": lambda: show.shares(each(each(1)), xlabel="$$"),
    "diagrams": lambda: show.diagrams(each([Step("$$", "トークン", (None,), (1,), 0)])),
    "marks": lambda: show_laws.marks(each(MARKS), xlabels=NAMES, ylabels=NAMES, log=("x", "y")),
    "accuracy": lambda: show_scores.accuracy(
        each(each({1: SCORES})), xlabel="$$", known={"$$": POINTS}
    ),
    "bars": lambda: show_scores.bars(each(each(SCORES)), xlabel="$$"),
    "roofline": lambda: show_tiles.roofline(each(DEVICE), each((2.0, None))),
    "family_tree": lambda: show_models.family_tree([MODEL]),
    "sizes_over_time": lambda: show_models.sizes_over_time([MODEL], [MODEL.model]),
}  # fmt: skip


@pytest.fixture(autouse=True, params=["as on this machine", "without a Japanese font"])
def _fonts(request, monkeypatch):
    if request.param == "without a Japanese font":
        monkeypatch.setattr(labels, "japanese_fonts", list)
    yield
    plt.close("all")


def shown(name, family):
    """Return how a name is seen: with escapes for what the fonts of this machine lack."""
    return labels.drawable(name, [family])[0]


@pytest.mark.parametrize("name", DRAWN)
def test_a_figure_shows_names_as_they_are_written_without_a_box_or_an_error(name):
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "Glyph .* missing")
        figure = DRAWN[name]()
        figure.canvas.draw()
    signs = [name for name in NAMES if "$" in name]
    texts = [t for t in figure.findobj(Text) if any(sign in t.get_text() for sign in signs)]
    assert texts
    assert [text for text in texts if text.get_parse_math()] == []


def test_every_function_that_draws_names_is_among_these():
    drawing = {
        name
        for room in (show, show_laws, show_models, show_scores, show_tiles)
        for name, value in vars(room).items()
        if "panels" in getattr(getattr(inspect.unwrap(value), "__code__", None), "co_names", ())
    }
    assert {name.partition(",")[0] for name in DRAWN} == drawing - {"tile_map"}  # it has no names


def test_names_of_bars_and_cells_are_those_that_were_given():
    figure = DRAWN["distributions"]()
    found = [text.get_text() for text in figure.axes[0].get_xticklabels()]
    assert found == [shown(name, "monospace") for name in NAMES]
    figure = DRAWN["heatmaps"]()
    figure.canvas.draw()
    for ticks in (figure.axes[0].get_xticklabels(), figure.axes[0].get_yticklabels()):
        assert [text.get_text() for text in ticks] == [shown(name, "sans-serif") for name in NAMES]


def test_panels_that_share_an_axis_leave_its_names_to_the_first_which_shows_them():
    lines = dict.fromkeys(("inputs", "new pairs", "数字"), SCORES)
    figure = show_scores.bars(dict.fromkeys("abc", lines))
    figure.canvas.draw()
    shown_names = [[text.get_text() for text in axes.get_yticklabels()] for axes in figure.axes]
    assert shown_names == [[shown(name, "sans-serif") for name in lines], [], []]


def test_a_character_is_drawn_by_a_japanese_font_or_as_its_escape():
    text, families = labels.drawable("aト\U0001f600\n\t", ["monospace"])
    fonts = labels.japanese_fonts()
    assert families == ["monospace", *fonts]
    assert text == f"a{'ト' if fonts else chr(92) + 'u30c8'}\\U0001f600\n\\t"
    assert labels.drawable("abc", ["monospace"]) == ("abc", ["monospace"])


def test_numbers_of_axes_and_formulas_stay_mathematics():
    figure = DRAWN["curves"]()
    figure.canvas.draw()
    powers = [text for text in figure.axes[0].get_yticklabels() if "10^" in text.get_text()]
    assert powers
    assert all(text.get_parse_math() for text in powers)
    (x,) = [t for t in DRAWN["diagrams"]().axes[0].texts if t.get_text() == "$x$"]
    assert x.get_parse_math()


def test_a_text_that_holds_fences_stays_in_its_block():
    markdown = show.texts({"a": "x\n````\n# y"}).data
    assert markdown == "**a**\n\n`````text\nx\n````\n# y\n`````"
