"""SVGs of figures: short, of the page's colours, and with every shape where matplotlib put it."""

import io
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib import rc_context

from gpt_helpers.figures import show, vector
from gpt_helpers.figures.drawings.canvas import Canvas

ROUNDING = 0.05  # points, and a little for the sum of tenths
BIG = 450_000  # bytes of four maps of 64 x 64 cells that all differ


def points_of(path):
    """Return the points of a path as a browser finds them, from commands of either kind."""
    here = start = (0.0, 0.0)
    found = []
    for command, rest in re.findall(r"([A-Za-z])([^A-Za-z]*)", path):
        numbers = [float(n) for n in re.findall(r"-?(?:\d+\.?\d*|\.\d+)(?:e-?\d+)?", rest)]
        if command in "hv":
            numbers = [numbers[0], 0] if command == "h" else [0, numbers[0]]
        base = here if command.islower() else (0, 0)
        pairs = zip(numbers[::2], numbers[1::2], strict=True)
        points = [(base[0] + x, base[1] + y) for x, y in pairs] or [start]
        start = points[0] if command == "M" else start
        here = points[-1]
        found += points
    return found


def drawn():
    """Return figures with lines, curves, arrows and cells."""
    canvas = Canvas()
    canvas.token(3, 3, "a", alpha=0.5)
    canvas.arrow((10, 40), (90, 80), bend=0.3, both=True)
    canvas.plus(50.03, 60.07)
    ramp = np.linspace(0, 1, 49).reshape(7, 7)
    maps = show.heatmaps({"a": ramp}, xlabel="x", ylabel="y").figure()
    lines = {"a": {"b": (np.arange(300), np.sin(np.arange(300) / 20))}}
    return {
        "shapes": canvas.finished(),
        "cells": maps,
        "lines": show.curves(lines, xlabel="x", ylabels=["y"]).figure(),
    }


@pytest.mark.parametrize("name", ["shapes", "cells", "lines"])
def test_each_point_stands_where_it_was(name):
    figure, file = drawn()[name], io.BytesIO()
    with rc_context({"svg.fonttype": "none"}), vector.wide_letters():
        figure.savefig(file, format="svg", transparent=True)
    before = [e.get("d") for e in ElementTree.fromstring(file.getvalue()).iter() if e.get("d")]
    after = [vector.short_path(path) for path in before]
    assert any(len(path) > 100 for path in before)
    for long, short in zip(before, after, strict=True):
        expected, found = points_of(" ".join(long.split())), points_of(short)
        assert len(found) == len(expected)
        assert np.abs(np.subtract(found, expected)).max() <= ROUNDING + 1e-9


def test_equal_shapes_are_equal_texts():
    square = "M {0} {1} L {2} {1} L {2} {3} L {0} {3} z"
    path = " ".join(square.format(x, y, x + 2, y + 2) for x, y in ((1, 1), (7.5, 3.1)))
    assert vector.short_path(path) == "M1 1h2v2h-2zM7.5 3.1h2v2h-2z"
    assert vector.short_path("M 0 0 C 1 1 2 2 3.04 3 L 4 5") == "M0 0c1 1 2 2 3 3l1 2"


def test_an_svg_has_no_groups_that_say_nothing_and_no_empty_lists():
    text = vector.to_svg(drawn()["cells"], "a")
    assert text.count("<path d=") >= 16 + 4  # a path for each level, and the frame
    assert re.findall("<text[^>]*>([xya])</text>", text) == ["x", "y", "a"]
    assert "<g>" not in text
    assert "<g />" not in text
    assert "<defs />" not in text
    assert text == vector.to_svg(drawn()["cells"], "a")


def test_large_maps_are_small_files():
    random = np.random.default_rng(0)
    maps = {name: random.random((64, 64)) for name in "abcd"}
    assert len(show.heatmaps(maps, xlabel="x", ylabel="y").svg()) < BIG
