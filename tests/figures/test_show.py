"""What is drawn is what was given: bars, lines, cells, boxes and arrows."""

import matplotlib as mpl

mpl.use("agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from gpt_helpers.architecture.attention import visible_keys
from gpt_helpers.architecture.model import GPTMLP
from gpt_helpers.architecture.trace import Step, trace
from gpt_helpers.figures import show
from gpt_helpers.variants.gpt1 import GPT1Block
from tests.helpers.reference import SMALL, random_ids, random_model, refused


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def texts(axis):
    """Return the texts drawn in an axis."""
    return [text.get_text() for text in axis.texts]


def test_source_is_the_code_itself_as_one_listing():
    listing = show.source(visible_keys, GPTMLP.__init__).data
    first = '```python\ndef visible_keys(queries, keys, padding=None, window=None):\n    """Return'
    assert listing.startswith(first)
    assert "\n\ndef __init__(self, config):\n" in listing
    assert listing.endswith("\n```")


@pytest.mark.parametrize("wrong", [None, 3, "causal_mask", SMALL], ids=repr)
def test_what_has_no_source_is_refused(wrong):
    refused("has no source to show; pass functions or classes", show.source, wrong)


def test_heatmaps_share_a_scale_and_print_small_cells():
    figure = show.heatmaps(
        {"a": np.array([[0.0, 0.5]]), "b": np.array([[1.0, 0.25]])}, xlabel="S", ylabel="T"
    ).figure()
    first, second = figure.axes[:2]
    assert texts(first) == ["0", "0.5"]
    assert texts(second) == ["1", "0.25"]
    shines = [[patch.get_facecolor()[3] for patch in axis.patches] for axis in (first, second)]
    (half,), (quarter, whole) = shines  # 0 is not drawn
    assert (half / whole, quarter / whole) == pytest.approx((0.5, 0.25))
    assert (first.get_title(), second.get_title()) == ("a", "b")


def test_curves_hold_the_points_they_were_given():
    lines = {"x": ([1, 2, 4], [0.5, 0.25, 0.125]), "y": ([1, 2, 4], [1, 2, 3])}
    figure = show.curves({"t": lines}, xlabel="n", ylabels=["loss"], log=("x", "y")).figure()
    (axis,) = figure.axes
    assert [line.get_xydata().T.tolist() for line in axis.lines] == [
        [list(map(float, values)) for values in points] for points in lines.values()
    ]
    assert (axis.get_xscale(), axis.get_yscale()) == ("log", "log")


def test_distributions_have_a_bar_for_each_label():
    figure = show.distributions(
        {"before": [0.7, 0.3], "after": [1.0, 0.0]}, ["a", "b"], ylabel="p"
    ).figure()
    heights = [[bar.get_height() for bar in axis.patches] for axis in figure.axes]
    assert heights == [[0.7, 0.3], [1.0, 0.0]]


def test_shares_add_up_to_100_percent():
    figure = show.shares({"x": {"wte": 1, "attn": 3}, "y": {"wte": 5}}, xlabel="%").figure()
    assert [bar.get_width() for bar in figure.axes[0].patches] == [25, 75, 100]
    assert texts(figure.axes[0]) == ["25", "75", "100"]


def test_a_diagram_has_a_box_for_each_step_and_a_circle_for_each_sum():
    block, x = random_model().transformer.h[0], torch.randn(2, 5, SMALL.n_embd)
    traces = {"pre": trace(block, x), "post": trace(GPT1Block(SMALL).eval(), x)}
    figure = show.diagrams(traces).figure()
    for axis, steps in zip(figure.axes, traces.values(), strict=True):
        drawn = [text for text in texts(axis) if text]
        assert drawn.count("+") == 2
        for step in steps:
            if step.kind != "+":
                assert f"{step.name}  {step.kind}\n(2, 5, 24)" in drawn
    figure = show.diagrams({"whole": trace(random_model(), random_ids(2, 5))}).figure()
    assert {"input_ids", "position_ids"} <= set(texts(figure.axes[0]))


def test_later_steps_stand_higher_than_what_they_read():
    steps = trace(random_model(), random_ids(1, 4))
    places = show.place_steps(steps)
    assert len(set(places.values())) == len(places)
    for number, step in enumerate(steps):
        assert all(places[origin][1] < places[number][1] for origin in step.inputs)


def test_steps_that_read_the_same_lie_abreast_and_what_follows_above_them():
    read = {"a": (None,), "b": (0,), "c": (0,), "+": (None, 1), "++": (3, 2)}
    kinds = ["Linear", "Linear", "Linear", "+", "+"]
    parts = zip(read.items(), kinds, strict=True)
    steps = [Step(name, kind, inputs, (1,), 0) for (name, inputs), kind in parts]
    places = show.place_steps(steps)
    assert [places[number] for number in range(5)] == [(0, 1), (-1.5, 2), (1.5, 2), (0, 3), (0, 4)]


@pytest.mark.parametrize("wrong", [{}, None, [], 3], ids=repr)
def test_nothing_to_draw_is_refused(wrong):
    message = "must be a dict with at least one entry"
    refused("matrices=.*" + message, show.heatmaps, wrong, xlabel="", ylabel="")
    refused("panels_of_lines=.*" + message, show.curves, wrong, xlabel="", ylabels=[])
    refused("probabilities=.*" + message, show.distributions, wrong, [], ylabel="")
    refused("rows=.*" + message, show.shares, wrong, xlabel="")
    refused("traces=.*" + message, show.diagrams, wrong)


def test_what_does_not_fit_together_is_refused_with_the_numbers():
    lines = {"t": {"x": ([1], [1])}}
    refused("2 ylabels for 1;", show.curves, lines, xlabel="", ylabels=["a", "b"])
    labels, two = ["a", "b", "c"], {"p": [1, 0]}
    refused("'p' has 2 values for 3 labels", show.distributions, two, labels, ylabel="")
    refused(r"rows has nothing to draw for \['x'\]", show.shares, {"x": {}}, xlabel="")
