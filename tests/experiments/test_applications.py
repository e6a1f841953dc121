"""The record of the experiments on applications: complete, run on demand, and read back."""

import math

import pytest

from gpt_helpers.evaluation.accuracy import Score
from gpt_helpers.experiments import applications
from gpt_helpers.experiments.applications import COLUMNS, EXPERIMENTS, SEEDS, recorded_rows
from gpt_helpers.files import write_rows
from tests.helpers.reference import refused


def two_rows(seed):
    """Return what a run might measure: a score and a value."""
    return [
        {"measure": "accuracy", "x": 4, "right": 900 + seed, "n": 1000},
        {"measure": "loss", "x": 0, "value": 0.25, "steps": 10, "tokens": 80},
    ]


@pytest.fixture
def planned(monkeypatch):
    """Plan one small experiment."""
    monkeypatch.setattr(applications, "EXPERIMENTS", {"sums": {"a": two_rows, "b": two_rows}})


def test_a_run_has_its_rows_with_all_columns(planned):
    rows = applications.complete_rows(("sums", "b", 2))
    assert [row["measure"] for row in rows] == ["accuracy", "loss"]
    assert all((r["experiment"], r["variant"], r["seed"]) == ("sums", "b", 2) for r in rows)
    assert {"torch", "threads", "seconds"} <= rows[0].keys() <= set(COLUMNS)


def test_every_variant_is_planned_with_every_seed(planned):
    assert applications.planned() == [("sums", variant, seed) for variant in "ab" for seed in SEEDS]


def test_scores_and_values_come_back_by_variant_and_x(planned, tmp_path):
    path = tmp_path / "rows.csv"
    plans = applications.planned()
    rows = [row for plan in reversed(plans) for row in applications.complete_rows(plan)]
    write_rows(path, rows, COLUMNS)
    found = applications.scores("sums", "accuracy", path)
    assert list(found) == ["a", "b"]
    assert found["a"] == {4.0: [Score(902, 1000), Score(901, 1000), Score(900, 1000)]}
    assert applications.values("sums", "loss", path)["b"] == {0.0: [0.25] * 3}


def test_what_is_not_planned_or_not_run_is_refused(planned, tmp_path):
    refused("experiment='x' is unknown", applications.recorded, "x", "accuracy")
    path = tmp_path / "rows.csv"
    refused(
        "run python -m gpt_helpers.experiments.applications", applications.scores, "sums", "a", path
    )


def test_the_command_runs_what_the_file_lacks(monkeypatch, tmp_path):
    name = next(iter(EXPERIMENTS))
    path, asked = tmp_path / "rows.csv", []
    plans = [(name, "v", seed) for seed in SEEDS] + [("another", "v", 0)]
    monkeypatch.setattr(applications, "planned", lambda: plans)
    monkeypatch.setattr(applications, "append_rows", lambda *given: asked.append(given))
    write_rows(path, [{"experiment": name, "variant": "v", "seed": 1}], COLUMNS)
    assert applications.main(["--csv", str(path), "--experiment", name]) == 0
    assert asked[0][4] == [(name, "v", 0), (name, "v", 2)]


# The committed file.


def test_the_file_holds_every_planned_run_and_no_other():
    runs = {(row["experiment"], row["variant"], int(row["seed"])) for row in recorded_rows()}
    assert runs == set(applications.planned())


def test_every_score_is_of_at_least_1000_items_and_every_row_has_a_result():
    for row in recorded_rows():
        counted = not math.isnan(row["n"])
        assert counted == math.isnan(row["value"]), row
        assert not counted or (0 <= row["right"] <= row["n"] and row["n"] >= n_items(row)), row


FEWER = {  # there are only 7 numbers held out; a curve over training; pairs of unlike answers
    "numbers": 42, "numbers stated": 42, "accuracy of 8": 500, "ordered": 800,
}  # fmt: skip


def n_items(row):
    """Return how many items the score of a row must have."""
    return FEWER.get(row["measure"], 1000)


def test_every_measure_of_a_variant_has_every_seed():
    found = {}
    for row in recorded_rows():
        key = row["experiment"], row["variant"], row["measure"], row["x"]
        found.setdefault(key, []).append(int(row["seed"]))
    assert {key: seeds for key, seeds in found.items() if sorted(seeds) != list(SEEDS)} == {}


def test_every_row_says_how_and_where_it_was_made():
    for row in recorded_rows():
        assert row["seconds"] > 0
        assert row["torch"], row
