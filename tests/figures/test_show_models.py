"""Models are drawn where the table says, and what is undisclosed has no height."""

import dataclasses
import functools
import re
import sys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gpt_helpers.figures.show_models import (
    BEYOND,
    KEYS,
    LARGEST,
    WRITTEN_FROM,
    releases,
    sizes_over_time,
    trunk_colour,
    year_of,
)
from gpt_helpers.variants.published import PublishedModel, load_models
from gpt_helpers.variants.sizes import MODEL_SIZES
from tests.helpers.reference import refused

MODELS = load_models()
BY_NAME = {model.model: model for model in MODELS}
ROWS = releases(MODELS)
# What the files of families call the one that they change.
CALLED = {
    "gpt1": "GPT-1", "gpt2": "GPT-2", "gpt3": "GPT-3", "gpt_j": "GPT-J", "gpt_neox": "GPT-NeoX",
    "llama": "Llama", "gemma": "Gemma", "qwen": "Qwen",
}  # fmt: skip


def points(axis):
    """Return [(x, y, whether hollow)] of the points that are drawn."""
    return [
        (*dots.get_offsets()[0], dots.get_facecolors()[0][:3].tolist() == [1, 1, 1])
        for dots in axis.collections
    ]


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
        parents = [old for old, label in CALLED.items() if said and said[1].startswith(label)]
        assert parents in ([WRITTEN_FROM[family]], [family]) if said else family == "gpt2", name


def test_a_row_holds_what_is_drawn_of_a_model_and_no_more():
    dated = [model for model in MODELS if model.released]
    assert [row[0] for row in ROWS] == [model.model for model in dated]
    for name, family, released, n_params in ROWS:
        model = BY_NAME[name]
        assert (family, released) == (model.family or "undisclosed", model.released)
        assert n_params == model.n_params
    assert len(str(sizes_over_time(ROWS).spec)) < 5000


def test_sizes_are_drawn_at_their_numbers_and_what_is_undisclosed_beyond_the_scale():
    axis = sizes_over_time(ROWS).figure().axes[0]
    wanted = [(year_of(date), n or BEYOND, n is None) for _, _, date, n in ROWS]
    np.testing.assert_allclose(sorted(points(axis)), sorted(wanted))
    assert max(n or 0 for *_, n in ROWS) < LARGEST < BEYOND < axis.get_ylim()[1]
    assert max(axis.get_yticks()) < LARGEST
    heights = {text.get_text(): text.get_position()[1] for text in axis.texts}
    assert heights == {"undisclosed": BEYOND}


def names_of(rows, names, inches):
    """Return {name: where} of the names that are drawn beside points."""
    axis = sizes_over_time(rows, names).figure("en", inches).axes[0]
    return {text.get_text(): text.xy for text in axis.texts if text.get_text() != "undisclosed"}


def test_the_names_that_are_asked_for_are_drawn():
    found = names_of(ROWS, ["GPT-4", "GPT-1"], 7.5)
    assert {name: y for name, (_, y) in found.items()} == {
        "GPT-4": BEYOND,
        "GPT-1": BY_NAME["GPT-1"].n_params,
    }


def test_a_name_without_room_is_left_out():
    rows = [("a" * 20, "gpt2", "2024-01", 10**9), ("b", "gpt2", "2024-03", 10**9)]
    assert set(names_of(rows, ["b"], 7.5)) == {"b"}
    rows.append(("c", "gpt2", "2024-06", 1_500_000_000))
    assert set(names_of(rows, ["a" * 20, "c"], 3.0)) == {"c"}
    late = [("d", "gpt2", "2024-05", 10**9), ("e", "gpt2", "2024-06", 10**9)]
    assert set(names_of(late, ["e", "d"], 3.0)) == {"e"}


def test_what_is_unknown_but_not_undisclosed_has_no_row():
    unknown = PublishedModel(model="a", organisation="b", family="other", sources=("c",), seen="d",
                             as_of="2026", released="2024")  # fmt: skip
    assert [row[0] for row in releases([unknown, BY_NAME["GPT-1"]])] == ["GPT-1"]


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
    refused("models is empty", releases, [])
    refused("no model in models has a date", releases, [BY_NAME["Gopher"]])
    refused("rows is empty", sizes_over_time, [])
    refused("name='GPT-6' is unknown", sizes_over_time, ROWS, ["GPT-6"])


def test_the_legend_has_the_colours_of_the_trunks():
    axis = sizes_over_time(ROWS).figure().axes[0]
    keys = {line.get_label(): line.get_color() for line in axis.lines}
    for family, label in KEYS.items():
        assert keys[label] == trunk_colour(family)
    assert len({trunk_colour(family) for family in KEYS}) == len(KEYS)
