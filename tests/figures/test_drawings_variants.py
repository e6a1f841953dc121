"""The drawings of the page on variants say what the code and the published models say."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch
from matplotlib.text import Text

from gpt_helpers.figures.drawings import experts, families, latents, positions
from gpt_helpers.figures.show_models import WRITTEN_FROM, releases, trunk_colour, year_of
from gpt_helpers.variants.costs import cache_bytes
from gpt_helpers.variants.deepseek3 import DeepSeek3Config
from gpt_helpers.variants.llama import LlamaConfig
from gpt_helpers.variants.mlps import Experts
from gpt_helpers.variants.published import load_models
from gpt_helpers.variants.rotary import rotary_angles, rotate
from gpt_helpers.variants.sinks import attention_with_sinks
from gpt_helpers.variants.sizes import built
from tests.helpers.reference import refused

ROWS = releases(load_models())
LANES = families.lanes_of(ROWS)
SIZES = [7.5, 3.0]


def texts(figure):
    """Return the texts of a figure, in the order in which they were written."""
    return [text.get_text() for text in figure.findobj(Text) if text.get_text().strip()]


def patches(figure, kind):
    """Return the patches of a figure of one class."""
    return [patch for patch in figure.axes[0].patches if isinstance(patch, kind)]


@pytest.mark.parametrize("inches", SIZES)
def test_the_hands_of_the_clocks_are_where_rotate_turns_them(inches):
    places = [(2, 0), (102, 100)]
    figure = positions.rotary_clocks(64, [0, 4, 8], places).figure("en", inches)
    hands = iter(patches(figure, FancyArrowPatch))
    for query, key in places:
        for pair in (0, 4, 8):
            for position in (key, query):
                (x0, y0), (x1, y1) = next(hands)._posA_posB
                unit = torch.zeros(1, 1, 1, 64)
                unit[..., pair] = 1.0
                turned = rotate(unit, rotary_angles(torch.tensor([[position]]), 64)).flatten()
                length = math.hypot(x1 - x0, y1 - y0)
                wanted = [turned[pair].item(), turned[pair + 32].item()]
                assert [(x1 - x0) / length, (y0 - y1) / length] == pytest.approx(wanted, abs=1e-4)


def test_equal_distances_have_equal_angles():
    found = texts(positions.rotary_clocks(64, [0, 4, 8], [(2, 0), (102, 100)]).figure())
    angles = [text for text in found if text.endswith("rad")]
    assert angles == ["2 rad", "0.632 rad", "0.2 rad"] * 2
    assert [text for text in found if "θ" in text] == ["θ = 1", "θ = 0.316", "θ = 0.1"]


def test_only_pairs_that_are_there_turn():
    refused("pairs=.* must be below 32", positions.rotary_clocks, 64, [32], [(2, 0)])
    refused("head_width=5 does not divide", positions.rotary_clocks, 5, [0], [(2, 0)])
    refused("pairs=.*more than four", positions.rotary_clocks, 64, [0, 1, 2, 3, 4], [(2, 0)])
    refused("positions.*two positions", positions.rotary_clocks, 64, [0], [(2, 0, 1)])
    refused("a position in positions", positions.rotary_clocks, 64, [0], [(2, -1)])
    refused("more than three rows", positions.rotary_clocks, 64, [0], [(2, 0)] * 4)


@pytest.mark.parametrize("inches", SIZES)
def test_the_experts_that_are_drawn_are_those_that_the_layer_uses(inches):
    config = LlamaConfig(
        vocab_size=9, n_positions=8, n_embd=16, n_layer=1, n_head=2, n_kv_head=2, n_inner=8,
        n_experts=32, n_experts_per_token=4,
    )  # fmt: skip
    layer, tokens = Experts(config), torch.randn(2, 16, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        scores, (shares, chosen) = layer.router(tokens), layer.routed(tokens)
    found = texts(experts.routed_experts(scores, 4).figure("en", inches))
    wanted = []
    for row in range(2):
        for expert, share in sorted(zip(chosen[row].tolist(), shares[row].tolist(), strict=True)):
            wanted += [str(expert), f"× {share:.2f}"]
    assert [text for text in found if text.isdigit() or text.startswith("×")] == wanted
    assert found.count("the best 4 compute, 28 rest") == 2


def test_only_so_many_experts_as_can_be_told_apart():
    refused("draw at most 4 tokens", experts.routed_experts, np.ones((5, 8)), 2)
    refused("draw at most 4 tokens", experts.routed_experts, np.ones((1, 65)), 2)
    refused("n_chosen=9 is above 8", experts.routed_experts, np.ones((1, 32)), 9)
    refused("n_chosen=3 is above 2", experts.routed_experts, np.ones((1, 2)), 3)


def test_what_a_sink_takes_is_dashed():
    values, zeros = torch.eye(4)[None, None], torch.zeros(1, 1, 4, 4)
    weights = attention_with_sinks(zeros, zeros, values, sinks=torch.zeros(1))[0, 0]
    bars = patches(experts.sink_weights(weights).figure(), FancyBboxPatch)
    dashed = [bar.get_linestyle() != "-" and bar.get_facecolor()[3] == 0 for bar in bars]
    assert dashed == [place == query + 1 for query in range(4) for place in range(query + 2)]
    for query in range(4):
        widths = [bar.get_width() for bar in bars[sum(range(2, query + 2)) :][: query + 2]]
        np.testing.assert_allclose(widths, sum(widths) / (query + 2), rtol=1e-3)
    refused("weights is .* must be", experts.sink_weights, np.ones((2, 3)) / 9)
    refused("no row of a sum above 1", experts.sink_weights, np.ones((2, 2)))


@pytest.mark.parametrize("inches", SIZES)
def test_the_bytes_of_the_latent_are_those_of_the_cache(inches):
    model = built("DeepSeek-V3")
    figure = latents.latent_cache(DeepSeek3Config()).figure("en", inches)
    found = texts(figure)
    per_layer = cache_bytes(model, 1, 2) // model.config.n_layer
    every = 2 * model.config.n_head * (model.config.head_width + model.config.value_width)
    assert f"{per_layer:,} bytes, cached" in found
    assert f"{every:,} bytes, made when read" in found
    boxes = patches(figure, FancyBboxPatch)
    areas = [box.get_width() * box.get_height() for box in boxes]
    assert sum(areas[2:]) / sum(areas[:2]) == pytest.approx(per_layer / every)
    refused("bytes_per_value=0", latents.latent_cache, DeepSeek3Config(), 0)


@pytest.mark.parametrize("inches", SIZES)
def test_every_series_is_named_and_every_family_says_what_it_changes(inches):
    found = texts(families.family_tree(ROWS).figure("en", inches))
    names = [name for series in LANES.values() for name, _ in series]
    assert {*names, *families.CHANGES.values()} <= set(found)
    assert len(set(names)) == len(names) < len(ROWS)
    assert set(families.CHANGES) == {row[1] for row in ROWS}


def test_on_a_desk_every_model_has_a_point_at_its_time():
    figure = families.family_tree(ROWS).figure()
    found = [dot.center[0] for dot in patches(figure, Circle)]
    years = [year for series in LANES.values() for _, points in series for year, _ in points]
    assert len(found) == len(ROWS) == len(years)
    slope, start = np.polyfit(years, found, 1)
    np.testing.assert_allclose(found, start + slope * np.array(years), atol=0.1)


@pytest.mark.parametrize("inches", SIZES)
def test_what_is_undisclosed_is_hollow_and_nothing_else_is(inches):
    dots = patches(families.family_tree(ROWS).figure("en", inches), Circle)
    hidden = sum(n_params is None for *_, n_params in ROWS)
    assert sum(dot.get_facecolor()[3] == 0 for dot in dots) == hidden > 0


def test_no_line_between_two_families_meets_a_third():
    figure, order = families.family_tree(ROWS).figure(), list(LANES)
    bands = dict(zip(order, patches(figure, FancyBboxPatch), strict=True))
    for new, year in families.branches(LANES).items():
        low, high = sorted((order.index(new), order.index(WRITTEN_FROM[new])))
        between = [families.start_of(LANES[family]) for family in order[low + 1 : high]]
        assert all(start > year for start in between), new
    lines = [line for line in figure.axes[0].lines if len(set(line.get_xdata())) == 1]
    for line in lines[-len(WRITTEN_FROM) :]:
        (x, _), (top, bottom) = line.get_xdata(), line.get_ydata()
        met = [family for family, band in bands.items() if inside(band, x, top, bottom)]
        assert met == []


def inside(band, x, top, bottom):
    """Return whether a line from top to bottom at x goes through a band."""
    left, upper = band.get_x(), band.get_y()
    return left < x < left + band.get_width() and top < upper + band.get_height() / 2 < bottom


def test_on_a_phone_time_goes_down():
    figure = families.family_tree(ROWS).figure("en", 3.0)
    heights = {text.get_text(): text.get_position()[1] for text in figure.axes[0].texts}
    series = [(points[0][0], name) for lane in LANES.values() for name, points in lane]
    for (year, one), (later, other) in pairwise(sorted(series)):
        assert heights[one] < heights[other] or year == later
    years = [heights[str(year)] for year in range(2018, 2027)]
    assert years == sorted(years)


def test_a_larger_model_is_a_larger_point():
    radii = [families.radius_of(n_params) for n_params in (1.2e8, 1.6e9, 1.75e11)]
    assert 0 < radii[0] < radii[1] < radii[2]


def test_a_family_that_is_changed_need_not_be_there():
    rows = [row for row in ROWS if row[1] in ("qwen", "gpt_neo")]
    assert list(families.lanes_of(rows)) == ["gpt_neo", "qwen"]
    assert families.branches(families.lanes_of(rows)) == {}
    assert families.family_tree(rows).figure("en", 3.0).axes[0].texts


def test_a_row_that_is_none_of_a_release_is_refused():
    refused("rows.* must be a row of", families.family_tree, [("a", "gpt2", "2024")])
    refused("family in rows.*='gpt9'", families.family_tree, [("a", "gpt9", "2024", 1)])
    refused("released 2024", families.family_tree, [("a", "gpt2", 2024, 1)])
    refused("n_params in rows.*=0", families.family_tree, [("a", "gpt2", "2024", 0)])


def test_families_have_the_colour_of_their_trunk():
    assert trunk_colour("gpt_neo") == trunk_colour("gpt2")
    assert trunk_colour("qwen") == trunk_colour("llama") != trunk_colour("gpt2")
    assert trunk_colour("other") not in (trunk_colour("gpt2"), trunk_colour("llama"))
    assert year_of("2024-07") > 2024.5
