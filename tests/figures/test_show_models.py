"""Models are drawn where the table says, and what is undisclosed has no height."""

import matplotlib as mpl

mpl.use("agg")

import dataclasses
import functools
import re
import sys

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gpt_helpers.figures.show_models import (
    BEYOND,
    LANES,
    LARGEST,
    OF_THE_BOOK,
    SIDES,
    WRITTEN_FROM,
    YEARS,
    YEARS_PER_LETTER,
    branch_of,
    colour_of,
    family_tree,
    lane_height,
    lanes_of,
    marker_of,
    names_with_room,
    size_of,
    sizes_over_time,
    year_of,
)
from gpt_helpers.figures.style import INK
from gpt_helpers.variants.published import PublishedModel, load_models
from gpt_helpers.variants.sizes import MODEL_SIZES
from tests.helpers.reference import refused

MODELS = load_models()
BY_NAME = {model.model: model for model in MODELS}


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def points(axis):
    """Return [(x, y, whether hollow, area)] of the points that are drawn."""
    return [
        (*dots.get_offsets()[0], dots.get_facecolors()[0][:3].tolist() == [1, 1, 1],
         dots.get_sizes()[0])
        for dots in axis.collections
    ]  # fmt: skip


def model_class(name):
    """Return the class of the transformer of a published model."""
    made = MODEL_SIZES[name][0]
    while isinstance(made, functools.partial) and "transformer" not in made.keywords:
        made = made.func
    if isinstance(made, functools.partial):
        return made.keywords["transformer"]
    config = dataclasses.replace(MODEL_SIZES[name][1], n_layer=1)
    with torch.device("meta"):
        return type(made(config).transformer)


def test_the_family_that_another_changes_is_the_one_that_its_file_says():
    """The first line of a family's file says what it is: "Qwen2.5: a Llama with biases of ..."."""
    for name in MODEL_SIZES:
        family, text = BY_NAME[name].family, sys.modules[model_class(name).__module__].__doc__
        said = re.match(r"[^:]+: an? (.+?) (?:with|whose|of which) ", text)
        parents = [old for old, label in LANES.items() if said and said[1].startswith(label)]
        assert parents in ([WRITTEN_FROM[family]], [family]) if said else family == "gpt2", name


def test_every_dated_model_is_drawn_once_in_the_lane_of_its_family_at_its_time():
    axis = family_tree(MODELS).figure().axes[0]
    dated = [model for model in MODELS if model.released]
    wanted = [(year_of(m.released), lane_height(m.family or "undisclosed")) for m in dated]
    np.testing.assert_allclose(sorted((x, y) for x, y, *_ in points(axis)), sorted(wanted))
    labels = [text.get_text() for text in axis.get_yticklabels()]
    assert dict(zip(axis.get_yticks(), labels, strict=True)) == {
        lane_height(family): label for family, label in LANES.items()
    }


def test_what_is_undisclosed_is_hollow_and_nothing_else_is():
    axis = family_tree(MODELS).figure().axes[0]
    hidden = sum(model.n_params is None for model in MODELS if model.released)
    assert sum(hollow for *_, hollow, _ in points(axis)) == hidden > 0


def test_a_larger_model_is_a_larger_point():
    sizes = [size_of(BY_NAME[name]) for name in ("GPT-1", "GPT-2 XL", "GPT-3 175B")]
    assert 0 < sizes[0] < sizes[1] < sizes[2]


def test_a_branch_joins_its_family_to_the_one_that_it_changes_when_both_are_there():
    lanes = lanes_of(MODELS)
    assert branch_of(lanes, "gpt2") is None
    assert branch_of(lanes, "gpt1") == lanes["gpt2"][0][0] > lanes["gpt1"][0][0]
    assert branch_of(lanes, "llama") == lanes["llama"][0][0]
    assert branch_of({"llama": lanes["llama"]}, "llama") is None
    axis = family_tree(MODELS).figure().axes[0]
    upright = {tuple(line.get_ydata()) for line in axis.lines if len(set(line.get_ydata())) == 2}
    assert upright == {(lane_height(old), lane_height(new)) for new, old in WRITTEN_FROM.items()}


def test_a_lane_reaches_to_every_branch_that_leaves_it():
    axis = family_tree(MODELS).figure().axes[0]
    along = {line.get_ydata()[0]: line.get_xdata() for line in axis.lines
             if len(set(line.get_ydata())) == 1}  # fmt: skip
    lanes = lanes_of(MODELS)
    for new, old in WRITTEN_FROM.items():
        for family in (new, old):
            start, end = along[lane_height(family)]
            assert start <= branch_of(lanes, new) <= end
            assert start <= lanes[family][0][0] <= lanes[family][-1][0] <= end


def test_names_that_are_drawn_do_not_lie_on_each_other_and_stay_inside():
    for models_by_year in lanes_of(MODELS).values():
        ends = dict.fromkeys(SIDES, 0.0)
        for year, name, side in names_with_room(models_by_year):
            assert year > ends[side]
            ends[side] = year + YEARS_PER_LETTER * len(name)
            assert YEARS[0] < year < ends[side] < YEARS[1]


def test_of_models_released_together_the_largest_is_named():
    lane = lanes_of([BY_NAME["GPT-3 175B"], BY_NAME["GPT-3 Small"]])["gpt3"]
    assert [name for _, name, _ in names_with_room(lane)] == ["GPT-3 175B"]


def test_sizes_are_drawn_at_their_numbers_and_what_is_undisclosed_beyond_the_scale():
    axis = sizes_over_time(MODELS).figure().axes[0]
    wanted = [
        (year_of(m.released), m.n_params or BEYOND, m.n_params is None)
        for m in MODELS
        if m.released
    ]
    found = [(x, y, hollow) for x, y, hollow, _ in points(axis)]
    np.testing.assert_allclose(sorted(found), sorted(wanted))
    assert max(m.n_params or 0 for m in MODELS) < LARGEST < BEYOND < axis.get_ylim()[1]
    texts = [text.get_text() for text in axis.get_yticklabels()]
    labels = dict(zip(axis.get_yticks(), texts, strict=True))
    assert labels[BEYOND] == "undisclosed"
    assert not any("10" in label for y, label in labels.items() if y > LARGEST)


def test_the_names_that_are_asked_for_are_drawn():
    axis = sizes_over_time(MODELS, ["GPT-4", "GPT-1"]).figure().axes[0]
    assert sorted(text.get_text() for text in axis.texts) == ["GPT-1", "GPT-4"]
    assert {text.xy[1] for text in axis.texts} == {BEYOND, BY_NAME["GPT-1"].n_params}


def test_a_size_that_is_unknown_but_not_undisclosed_is_not_drawn():
    unknown = PublishedModel(model="a", organisation="b", family="other", sources=("c",), seen="d",
                             as_of="2026", released="2024")  # fmt: skip
    assert len(points(sizes_over_time([unknown, BY_NAME["GPT-1"]]).figure().axes[0])) == 1


def test_a_date_is_placed_in_its_middle():
    assert year_of("2024") == 2024.5
    assert year_of("2024-07") == pytest.approx(2024 + 6.5 / 12, abs=0.01)
    assert year_of("2024-01-01") == pytest.approx(2024, abs=0.01)
    assert year_of("2024-12-31") == pytest.approx(2025, abs=0.01)


@given(st.dates().filter(lambda date: date.year > 999), st.dates().filter(lambda d: d.year > 999))
def test_later_dates_are_further_right(one, other):
    if one < other:
        assert year_of(one.isoformat()) < year_of(other.isoformat())


def test_nothing_to_draw_and_unknown_names_are_refused():
    refused("models is empty", family_tree, [])
    refused("no model has a date", sizes_over_time, [BY_NAME["Gopher"]])
    refused("name='GPT-6' is unknown", sizes_over_time, MODELS, ["GPT-6"])


def test_no_two_families_look_alike():
    looks = {(colour_of(family), marker_of(family)) for family in OF_THE_BOOK}
    assert len(looks) == len(OF_THE_BOOK) == len(WRITTEN_FROM) + 1
    assert INK not in {colour for colour, _ in looks}
    axis = sizes_over_time(MODELS).figure().axes[0]
    keys = {
        line.get_label(): (line.get_markeredgecolor(), line.get_marker()) for line in axis.lines
    }
    for family in OF_THE_BOOK:
        assert keys[LANES[family]] == (colour_of(family), marker_of(family))
