"""What can be drawn is drawn, whatever holds it; what cannot is refused and nothing is lost."""

import matplotlib as mpl

mpl.use("agg")

import functools
import warnings
from datetime import date
from fractions import Fraction

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch

from gpt_helpers.evaluation.accuracy import Score
from gpt_helpers.figures import charts, sampling_chart, show, show_laws, show_scores, show_tiles
from gpt_helpers.figures.inputs import LARGEST, MOST_LINES, MOST_PANELS, SMALLEST
from tests.helpers.reference import refused

X, Y = [1, 2, 3], [0.125, 0.5, 0.25]
SCORES = [Score(1, 2)]
NAMES = ("_a", "__init__", "_", "", "b", 3, "שלום", "a\nb")
DEVICE = {"flops": 1e12, "bandwidth": 1e11}
VERSION = mpl.__version_info__[:2]


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def curve(x, y, **options):
    """Draw one line."""
    return show.curves({"t": {"a": (x, y)}}, xlabel="x", ylabels=["y"], **options).figure()


def marks(x, y, kind="line", label="a", log=(), colour=None):
    """Draw one mark."""
    drawn = {"t": [show_laws.Mark(kind, x, y, label, colour)]}
    return show_laws.marks(drawn, xlabels=["x"], ylabels=["y"], log=log).figure()


def bars(values):
    """Draw one distribution."""
    return show.distributions(
        {"t": values}, [f"{n}" for n in range(len(values))], ylabel="p"
    ).figure()


def heatmap(matrix, **options):
    """Draw one matrix."""
    return show.heatmaps({"t": matrix}, xlabel="x", ylabel="y", **options).figure()


# The same numbers, as readers hold them.
HELD = {
    "list": list,
    "tuple": tuple,
    "float16": functools.partial(np.array, dtype=np.float16),
    "objects": functools.partial(np.array, dtype=object),
    "fractions": lambda y: [Fraction(value) for value in y],
    "series": pd.Series,
    "bfloat16": functools.partial(torch.tensor, dtype=torch.bfloat16),
    "float8": lambda y: torch.tensor(y).to(torch.float8_e5m2),
    "parameter": lambda y: torch.nn.Parameter(torch.tensor(y)),
    "sparse": lambda y: torch.tensor(y).to_sparse(),
    "losses of a loop": lambda y: [torch.tensor(value, requires_grad=True) for value in y],
}


@pytest.mark.parametrize("held", HELD.values(), ids=HELD)
def test_numbers_are_drawn_whatever_holds_them(held):
    for figure in (curve(X, held(Y)), marks(X, held(Y))):
        assert figure.axes[0].lines[0].get_xydata().T.tolist() == [X, Y]
    assert [bar.get_height() for bar in bars(held(Y)).axes[0].patches] == Y
    assert len(sampling_chart.sampling_explorer(held(Y), str).spec["layer"]) > 0


@pytest.mark.parametrize("held", [held for name, held in HELD.items() if name in (
    "list", "float16", "objects", "bfloat16", "float8", "parameter", "sparse")])  # fmt: skip
def test_matrices_are_drawn_whatever_holds_them(held):
    cells = [text.get_text() for text in heatmap(held([Y, Y])).axes[0].texts]
    assert cells == [f"{value:.2g}" for value in [*Y, *Y]]


def test_what_a_mask_hides_is_a_gap_and_so_is_what_is_not_finite():
    for y in (np.ma.masked_array(Y, [False, True, False]), [Y[0], np.nan, Y[2]],
              [Y[0], None, Y[2]], [Y[0], np.inf, Y[2]]):  # fmt: skip
        (line,) = curve(X, y).axes[0].lines
        assert np.isfinite(line.get_ydata()).tolist() == [True, False, True]


NO_NUMBERS = {
    "text": ["1", "2", "3"],
    "texts as objects": np.array(["1", "2", "3"], dtype=object),
    "truth": [True, False, True],
    "dates": [date(2020, 1, day) for day in X],
    "times": np.array(["2020-01-01"] * 3, dtype="datetime64[D]"),
    "complex": torch.ones(3, dtype=torch.complex64),
    "meta": torch.empty(3, device="meta"),
    "nan": [np.nan] * 3,
    "inf": np.full(3, np.inf),
    "hidden": np.ma.masked_array(X, [True] * 3),
    "beyond an axis": [1.7e308, -1.7e308, 0],
    "below an axis": [1e-320, 2e-320, 0],
    "none": [],
    "two axes": [[1, 2, 3]] * 3,
    "one number": np.array(1.0),
}


@pytest.mark.parametrize("wrong", NO_NUMBERS.values(), ids=NO_NUMBERS)
def test_what_has_no_place_on_an_axis_is_refused(wrong):
    x = X[: wrong.size if getattr(wrong, "shape", None) == () else len(wrong)]
    refused("panels_of_lines", curve, x, wrong)
    refused("panels_of_lines", curve, wrong, x)
    refused("panels_of_marks", marks, x, wrong)
    refused("panels_of_marks", marks, x, (x, wrong), "band")
    refused("matrices", heatmap, wrong if getattr(wrong, "ndim", 1) == 0 else [wrong, wrong])
    known = {"law": (x, wrong)}
    panels = {"t": {"a": {1: SCORES}}}
    refused("known", show_scores.accuracy, panels, xlabel="x", known=known)


@pytest.mark.parametrize("wrong", [[5, -1], [0.7, 0.7], [-0.1, 0.5], [np.nan, 1], [True, False],
                                   torch.empty(2, device="meta")], ids=str)  # fmt: skip
def test_what_are_no_probabilities_is_refused(wrong):
    refused("probabilities", bars, wrong)


def test_rounded_probabilities_and_a_part_of_them_are_drawn():
    bars(torch.softmax(torch.linspace(0, 1, 1000), 0).bfloat16()[:30])
    bars([0.5, 0.505])
    bars([0.0, 0.2])


@pytest.mark.parametrize("y", [[-1, -2, -3], [0, 0, 0], [SMALLEST / 10, 1, 2], [np.nan, 0, -1]])
def test_what_a_logarithmic_axis_has_no_place_for_is_refused(y):
    for log, line in (("y", (X, y)), ("x", (y, X))):
        refused("panels_of_lines.*above 0 on a logarithmic axis", curve, *line, log=log)
        refused("panels_of_marks.*above 0 on a logarithmic axis", marks, *line, log=log)


@pytest.mark.skipif(VERSION < (3, 11), reason="matplotlib itself warns at the largest numbers")
@pytest.mark.parametrize("log", ["", "x", "y", "xy"])
def test_an_axis_holds_the_largest_and_the_smallest_numbers_without_a_warning(log):
    ends = [SMALLEST, 1.0, LARGEST]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for draw in (curve, marks):
            draw(ends, ends, log=log).canvas.draw()
        heatmap([ends]).canvas.draw()
        device = {"flops": LARGEST, "bandwidth": SMALLEST}
        other = {"flops": SMALLEST, "bandwidth": LARGEST}
        points = {"p": (SMALLEST, None), "q": (LARGEST, LARGEST)}
        show_tiles.roofline({"a": device, "b": other}, points).figure().canvas.draw()


LEGENDS = {
    "curves": lambda: show.curves(
        {"t": dict.fromkeys(NAMES, (X, Y))}, xlabel="x", ylabels=["y"]
    ).figure(),
    "curves above": lambda: show.curves(
        {"t": {NAMES[0]: (X, Y)}, "u": dict.fromkeys(NAMES, (X, Y))},
        xlabel="x", ylabels=["y", "y"],
    ).figure(),
    "shares": lambda: show.shares({"t": dict.fromkeys(NAMES, 1)}, xlabel="x").figure(),
    "accuracy": lambda: show_scores.accuracy(
        {"t": {name: {1: SCORES} for name in NAMES[1:]}}, xlabel="x", known={NAMES[0]: (X, Y)}
    ).figure(),
    "roofline": lambda: show_tiles.roofline(
        dict.fromkeys(NAMES, DEVICE), {"p": (2.0, None)}
    ).figure(),
    "marks": lambda: show_laws.marks(
        {"t": [show_laws.Mark(kind, X, (Y, Y) if kind == "band" else Y, name)
               for name, kind in zip(NAMES, ["band", *show_laws.LINES] * 2, strict=False)]},
        xlabels=["x"], ylabels=["y"],
    ).figure(),
}  # fmt: skip


@pytest.mark.parametrize("name", LEGENDS)
def test_a_legend_loses_no_label(name):
    figure = LEGENDS[name]()
    (legend,) = figure.legends
    wanted = [str(each) for each in NAMES if each != "" or "marks" not in name]  # "": no entry
    found = [text.get_text().removeprefix("\u200b") for text in legend.get_texts()]
    assert found == wanted


ALIKE = [(1, "1"), ("\u00e9", "e\u0301"), (1.0, "1.0")]


@pytest.mark.parametrize("pair", ALIKE, ids=str)
def test_names_that_read_alike_are_refused(pair):
    def both(value):
        return dict.fromkeys(pair, value)

    message = "read alike"
    options = {"xlabel": "x", "ylabels": ["y"]}
    refused(message, show.curves, {"t": both((X, Y))}, **options)
    refused(message, show.curves, both({"a": (X, Y)}), xlabel="x", ylabels=["y", "y"])
    refused(message, show.shares, both({"a": 1}), xlabel="x")
    refused(message, show.shares, {"a": both(1)}, xlabel="x")
    refused(message, show.texts, both("a"))
    refused(message, show_scores.bars, {"t": both(SCORES)})
    refused(message, show_scores.accuracy, {"t": both({1: SCORES})}, xlabel="x")
    refused(message, show_tiles.roofline, both(DEVICE), {"p": (2.0, None)})
    refused(message, charts.memory_explorer, ["gpt2", "gpt2"])
    refused(message, charts.loss_explorer, ["refit", "refit"])


@pytest.mark.parametrize("x", ["k", np.nan, np.inf, 1.7e308, True])
def test_scores_stand_at_numbers(x):
    refused("x of panels_of_scores", show_scores.accuracy, {"t": {"a": {x: SCORES}}}, xlabel="x")


def test_what_has_no_room_is_refused():
    lines = {str(n): (X, Y) for n in range(MOST_LINES + 1)}
    refused("at most 20", show.curves, {"t": lines}, xlabel="x", ylabels=["y"])
    panels = {str(n): {"a": (X, Y)} for n in range(MOST_PANELS + 1)}
    refused("at most 12", show.curves, panels, xlabel="x", ylabels=["y"] * len(panels))
    show_scores.accuracy(
        {"t": {name: {1: SCORES} for name in list(lines)[:MOST_LINES]}}, xlabel="x"
    ).figure()
    for height in (10**6, 0.001):
        refused("height=", curve, X, Y, height=height)
    for height in (10**9, 1):
        refused("height=", charts.schedule_explorer, height=height)
    refused("run_steps=", charts.schedule_explorer, run_steps=10**9)
    refused("n_shown=", sampling_chart.sampling_explorer, [1.0, 2.0], str, 10**9)
    refused("block_size=8 gives", show_tiles.tile_map, 10_000, 10_000, 8)
    refused("n_keys=", show_tiles.tile_map, 10, 10**12, 10**12)


def test_names_of_another_panel_or_matrix_are_refused():
    refused("give all the same", show_scores.bars, {"t": {"a": SCORES}, "u": {"b": SCORES}})
    matrices = {"a": np.ones((2, 2)), "b": np.ones((3, 3))}
    refused("2 xticks for 3", show.heatmaps, matrices, xlabel="", ylabel="", xticks=["a", "b"])


def test_a_mark_of_no_colour_or_label_and_a_token_that_is_no_text_are_refused():
    refused("colour='red'", marks, X, Y, colour="red")
    refused("label is a list", marks, X, Y, label=["a", "b", "c"])
    refused(
        r"token_of\(0\) is a bytes", sampling_chart.sampling_explorer, [2.0, 1.0], lambda _: b""
    )


def test_a_scale_from_0_refuses_what_lies_below():
    refused("matrices.*must hold numbers from 0", heatmap, [[-1.0, 0.5]])
    refused("vmax=", heatmap, [[1.0]], vmax=1e-320)


def made_in_no_file():
    """Return a function and a class without a file."""
    names = {}
    exec("def f():\n    return 1\nclass C:\n    pass\n", names)
    return names["f"], names["C"]


SOURCELESS = [len, dict, torch.matmul, (1).__add__, lambda x: x, np.add, functools.partial(len)]


@pytest.mark.parametrize("wrong", [*SOURCELESS, *made_in_no_file()], ids=range(9))
def test_what_is_written_in_no_python_file_has_no_source(wrong):
    refused("item=.*has no source to show", show.source, wrong)
    refused("item=.*has no source to show", show.source, curve, wrong)


def fenced():
    """Hold what ends a fence of three backticks.

    ```
    """


def test_a_source_that_holds_a_fence_stays_in_its_listing():
    listing = show.source(fenced).data
    assert listing.startswith("````python\ndef fenced")
    assert listing.endswith("\n````")


@pytest.mark.parametrize("wrong", [None, 3, (Y, Y, Y)], ids=str)
def test_a_band_has_two_edges(wrong):
    refused("panels_of_marks.*a pair", marks, X, wrong, "band")
