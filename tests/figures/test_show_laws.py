"""Marks are drawn where they were measured, or where the formula says."""

import matplotlib as mpl

mpl.use("agg")

import matplotlib.pyplot as plt
import pytest

from gpt_helpers.figures.show_laws import LINES, Mark, marks, run_mark
from tests.helpers.reference import refused


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def drawn(*given, **options):
    """Return the axis of one panel of marks."""
    return marks({"t": list(given)}, xlabels=["N"], ylabels=["loss"], **options).figure().axes[0]


@pytest.mark.parametrize("kind", LINES)
def test_a_mark_has_its_points_and_its_label(kind):
    axis = drawn(Mark(kind, [1, 10], [3.0, 2.0], "a", 1))
    (line,) = axis.lines
    assert line.get_xydata().tolist() == [[1, 3.0], [10, 2.0]]
    assert [text.get_text() for text in axis.figure.legends[0].get_texts()] == ["a"]
    assert (axis.get_xscale(), axis.get_yscale()) == ("log", "linear")


def test_only_measured_points_have_markers():
    with_marker = {kind for kind, style in LINES.items() if "marker" in style}
    assert with_marker == {"points", "hollow", "diamonds"}
    assert all(style["linestyle"] == "" for kind, style in LINES.items() if kind in with_marker)


@pytest.mark.parametrize(("high", "is_plain"), [(5.0, True), (500.0, False)])
def test_a_short_logarithmic_axis_has_plain_numbers(high, is_plain):
    axis = drawn(Mark("line", [1, 100], [1.0, high]), log=("x", "y"))
    axis.figure.canvas.draw()
    labels = [text.get_text() for text in axis.get_yticklabels(which="both")]
    powers = {"", "0.01", "0.1", "1", "10", "100", "1000", "10⁴"}  # the last ones are out of sight
    between = set(labels) - powers
    assert (len(between) >= 2) is is_plain
    assert "mathdefault" not in "".join(labels)


def test_a_band_lies_between_its_edges():
    axis = drawn(Mark("band", [1, 10], ([1.0, 2.0], [3.0, 4.0])), log=("x", "y"))
    corners = axis.collections[0].get_paths()[0].vertices
    assert (corners[:, 1].min(), corners[:, 1].max()) == (1.0, 4.0)
    assert axis.get_yscale() == "log"


def test_one_legend_names_what_panels_share_once():
    lines = {title: [Mark("line", [1, 2], [2, 1], "law", 0)] for title in ("a", "b")}
    figure = marks(lines, xlabels=["N", "D"], ylabels=["loss", ""]).figure()
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["law"]
    assert [axis.get_legend() for axis in figure.axes] == [None, None]


def test_what_cannot_be_drawn_is_refused():
    refused("kind='dots' is unknown", drawn, Mark("dots", [1], [1]))
    refused("2 xlabels for 1;", marks, {"t": [Mark("line", [1], [1])]},
            xlabels=["a", "b"], ylabels=["c"])  # fmt: skip
    refused("must be a dict", marks, {}, xlabels=[], ylabels=[])


def test_a_mark_of_runs_has_their_columns():
    rows = [
        {"n_params": 1, "held_out_loss": 3.0, "epochs": 2},
        {"n_params": 10, "held_out_loss": 2.0, "epochs": 4},
    ]
    assert run_mark("points", rows)[1:3] == ([1, 10], [3.0, 2.0])
    assert run_mark("points", rows, "a", 1, "epochs", "n_params")[1:] == ([2, 4], [1, 10], "a", 1)
