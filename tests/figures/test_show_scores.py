"""Shares are drawn where they were scored, with intervals that hold every seed's."""

import matplotlib as mpl

mpl.use("agg")

import matplotlib.pyplot as plt
import pytest

from gpt_helpers.evaluation.accuracy import Score, pooled
from gpt_helpers.figures.show_scores import accuracy, bars
from tests.helpers.reference import refused

SEEDS = [Score(50, 100), Score(70, 100), Score(60, 100)]


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def test_a_line_has_its_shares_in_the_order_of_x_and_bars_that_span_the_interval():
    axis = accuracy({"t": {"a": {2: SEEDS, 1: SEEDS[:1]}}}, xlabel="k").figure().axes[0]
    line, _, (bar,) = axis.containers[0]
    assert line.get_xydata().tolist() == [[1, 0.5], [2, 0.6]]
    low, high = bar.get_segments()[1][:, 1]
    assert (low, high) == pytest.approx(pooled(SEEDS)[1:])
    assert axis.get_xlabel() == "k"


def test_what_is_known_is_a_line_without_points_in_every_panel():
    lines = {"a": {1: SEEDS}}
    figure = accuracy(
        {"t": lines, "u": lines}, xlabel="k", known={"best": ([1, 2], [0.1, 0.9])}
    ).figure()
    for axis in figure.axes:
        best = next(line for line in axis.lines if line.get_label() == "best")
        assert best.get_xydata().tolist() == [[1, 0.1], [2, 0.9]]
        assert best.get_marker() in ("", "None", None)


def test_chance_is_a_level_across_the_panel():
    axis = accuracy({"t": {"a": {1: SEEDS}}}, xlabel="k", chance=0.25).figure().axes[0]
    assert any(list(line.get_ydata()) == [0.25, 0.25] for line in axis.lines)
    axis = bars({"t": {"a": SEEDS}}, chance=0.25).figure().axes[0]
    assert any(list(line.get_xdata()) == [0.25, 0.25] for line in axis.lines)


def test_a_bar_is_as_long_as_the_share_and_bears_its_name():
    axis = bars({"t": {"a": SEEDS, "b": SEEDS[1:2]}}).figure().axes[0]
    assert [patch.get_width() for patch in axis.patches] == [0.6, 0.7]
    assert [text.get_text() for text in axis.get_yticklabels()] == ["a", "b"]


def test_nothing_to_draw_is_refused():
    refused("at least one entry", accuracy, {}, xlabel="k")
    refused("nothing to draw", accuracy, {"t": {}}, xlabel="k")
    refused(r"nothing to draw for \[1\]", accuracy, {"t": {"a": {1: []}}}, xlabel="k")
    refused("at least one entry", bars, {})
    refused("must be a Score", bars, {"t": {"a": [0.5]}})
