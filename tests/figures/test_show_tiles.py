"""Tiles are drawn where the kernel goes, and points under the roof where they belong."""

import matplotlib as mpl

mpl.use("agg")

import matplotlib.pyplot as plt
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.colors import to_rgb

from gpt_helpers.architecture.attention import causal_mask
from gpt_helpers.figures.show_tiles import KINDS, MEANINGS, roofline, tile_kinds, tile_map
from gpt_helpers.optimization.tiled import tiles
from tests.helpers.reference import refused

CEILINGS = {"a": {"flops": 8.0, "bandwidth": 2.0}, "b": {"flops": 80.0, "bandwidth": 4.0}}


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


@given(st.integers(1, 12), st.integers(0, 9), st.integers(1, 6), st.none() | st.integers(1, 9))
def test_tiles_cover_the_matrix_once_and_their_kind_is_that_of_the_mask(
    n_queries, n_earlier, block_size, window
):
    n_keys = n_queries + n_earlier
    mask = causal_mask(torch.arange(n_earlier, n_keys), torch.arange(n_keys), window)
    covered = torch.zeros(n_queries, n_keys, dtype=torch.int)
    for rows, columns, kind in tile_kinds(n_queries, n_keys, block_size, window):
        covered[rows, columns] += 1
        part = mask[rows, columns]
        assert part.numel() > 0
        assert bool(part.all()) == (kind == "full")
        assert kind != "skip" or not part.any()
    assert (covered == 1).all()


def test_tiles_that_are_computed_are_those_of_the_kernel_in_its_order():
    found = [(r, c) for r, c, kind in tile_kinds(10, 13, 4, 6) if kind != "skip"]
    assert found == [(r, c) for r, columns in tiles(10, 13, 4, 6) for c in columns]


def test_a_causal_square_of_four_by_four_tiles_has_six_full_and_four_masked():
    kinds = [kind for _, _, kind in tile_kinds(512, 512, 128)]
    assert {kind: kinds.count(kind) for kind in KINDS} == {"full": 6, "mask": 4, "skip": 6}


def test_each_tile_is_drawn_at_its_place_in_the_colour_of_its_kind():
    axis = tile_map(9, 9, 3, 4).figure().axes[0]
    found = {
        (p.get_x(), p.get_y(), p.get_width(), p.get_height()): p.get_facecolor()[:3]
        for p in axis.patches
    }
    expected = {
        (c.start, r.start, c.stop - c.start, r.stop - r.start): to_rgb(KINDS[kind])
        for r, c, kind in tile_kinds(9, 9, 3, 4)
    }
    assert found == expected
    assert axis.get_ylim() == (9, 0)


def test_the_last_row_of_tiles_is_numbered_in_visiting_order():
    axis = tile_map(8, 8, 2).figure().axes[0]
    found = [(text.get_text(), *text.get_position()) for text in axis.texts]
    assert found == [("1", 1, 7), ("2", 3, 7), ("3", 5, 7), ("4", 7, 7)]


def test_the_legend_names_each_kind_that_is_drawn_once():
    legend = tile_map(8, 8, 2).figure().legends[0]
    assert [text.get_text() for text in legend.get_texts()] == list(MEANINGS.values())
    handles = [patch.get_facecolor()[:3] for patch in legend.legend_handles]
    assert handles == [to_rgb(colour) for colour in KINDS.values()]
    assert [text.get_text() for text in tile_map(2, 2, 2).figure().legends[0].get_texts()] == [
        MEANINGS["mask"]
    ]


def test_ticks_are_edges_of_tiles_and_not_too_many():
    axis = tile_map(512, 1024, 64).figure().axes[0]
    assert axis.get_xticks().tolist() == list(range(0, 1025, 128))
    assert axis.get_yticks().tolist() == list(range(0, 513, 64))


def test_points_lie_where_they_are_given_or_on_the_first_roof():
    axis = (
        roofline(CEILINGS, {"p": (1.0, 0.5), "q": (3.0, None), "r": (16.0, None)}).figure().axes[0]
    )
    points = [line.get_xydata().tolist()[0] for line in axis.lines[2:]]
    assert points == [[1.0, 0.5], [3.0, 6.0], [16.0, 8.0]]
    assert [text.get_text() for text in axis.texts] == ["p", "q", "r"]
    assert (axis.get_xscale(), axis.get_yscale()) == ("log", "log")
    assert [text.get_text() for text in axis.figure.legends[0].get_texts()] == ["a", "b"]


def test_points_at_one_place_share_a_label():
    points = {"p": (1.0, None), "q": (2.0, None), "r": (1.0, None)}
    axis = roofline(CEILINGS, points).figure().axes[0]
    assert [text.get_text() for text in axis.texts] == ["p, r", "q"]


def test_each_roof_is_the_lower_of_bandwidth_and_arithmetic():
    axis = roofline(CEILINGS, {"p": (1.0, None)}).figure().axes[0]
    for line, each in zip(axis.lines, CEILINGS.values(), strict=False):
        for x, y in line.get_xydata():
            assert y == pytest.approx(min(each["flops"], x * each["bandwidth"]))
        assert line.get_ydata()[-1] == each["flops"]
        assert line.get_ydata()[0] < each["flops"]


def test_what_cannot_be_drawn_is_refused():
    refused("ceilings=", roofline, {}, {"p": (1.0, None)})
    refused("points=", roofline, CEILINGS, {})
    refused(r"points\['p'\]: flops_per_byte=0", roofline, CEILINGS, {"p": (0, None)})
    refused("T=4 queries but S=3 keys", tile_kinds, 4, 3, 2)
    for name, sizes in {
        "n_queries": (0, 2, 2),
        "n_keys": (2, 0, 2),
        "block_size": (2, 2, 0),
    }.items():
        refused(f"{name}=0 must be a positive integer", tile_kinds, *sizes)
        refused(f"{name}=0 must be a positive integer", tile_map, *sizes)
