"""Published sizes and tokens: sources, what is not disclosed, and shapes counted again."""

import math

import pytest
from book import bibliography_keys

from gpt_helpers.config import PRESETS
from gpt_helpers.published import disclosed_models, published_models
from gpt_helpers.scaling import count_parameters

ROWS = {row["model"]: row for row in published_models()}


def test_every_row_has_a_source_and_a_date():
    assert len(ROWS) == len(published_models()) >= 15
    for name, row in ROWS.items():
        assert row["source"] in bibliography_keys(), name
        assert row["as_of"] == "2026-11", name
        assert row["seen"], name
        assert row["basis"] in ("computed", "reported", "undisclosed"), name


def test_what_is_not_disclosed_has_no_number():
    for name, row in ROWS.items():
        unknown = [math.isnan(row["n_params"]), math.isnan(row["n_tokens"])]
        assert unknown == [row["basis"] == "undisclosed"] * 2, name
    assert ROWS["GPT-4"]["basis"] == "undisclosed"
    assert "GPT-4" not in {row["model"] for row in disclosed_models()}


def test_the_largest_gpt3_has_the_parameters_of_its_shape():
    assert ROWS["GPT-3 175B"]["n_params"] == count_parameters(PRESETS["gpt3"])


@pytest.mark.parametrize("name", ["Gopher", "Chinchilla"])
def test_chinchilla_spends_what_gopher_spent(name):
    row = ROWS[name]
    assert 6 * row["n_params"] * row["n_tokens"] == pytest.approx(5.5e23, rel=0.1)
