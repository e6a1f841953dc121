"""The record of the experiments on applications: complete, run on demand, and read back."""

import math

from gpt_helpers.evaluation.accuracy import Score
from gpt_helpers.experiments import applications
from gpt_helpers.experiments.applications import EXPERIMENTS, RECORD, SEEDS, recorded_rows
from gpt_helpers.files import write_rows
from tests.helpers.reference import refused


def two_rows(seed):
    """Return what a run might measure: a score and a value."""
    return [
        {"measure": "accuracy", "x": 4, "right": 900 + seed, "n": 1000},
        {"measure": "loss", "x": 0, "value": 0.25, "steps": 10, "tokens": 80},
    ]


def test_a_run_has_its_rows_with_all_columns():
    rows = applications.complete_rows((("sums", "b", 2), two_rows))
    assert [row["measure"] for row in rows] == ["accuracy", "loss"]
    assert all((r["experiment"], r["variant"], r["seed"]) == ("sums", "b", 2) for r in rows)
    assert {"torch", "threads", "seconds"} <= rows[0].keys() <= set(RECORD.columns)


def test_every_variant_is_planned_with_every_seed():
    plan = applications.planned({"sums": {"a": two_rows, "b": two_rows}})
    assert list(plan) == [("sums", variant, seed) for variant in "ab" for seed in SEEDS]
    assert len(applications.planned()) == len(SEEDS) * sum(map(len, EXPERIMENTS.values()))


def test_experiments_of_two_modules_have_different_names():
    assert sum(len(module.EXPERIMENTS) for module in applications.EXPERIMENT_MODULES) == len(
        EXPERIMENTS
    )


def test_scores_and_values_come_back_by_variant_x_and_seed(tmp_path):
    path, names = tmp_path / "rows.csv", ("at once", "steps")
    plan = applications.planned({"stories": dict.fromkeys(names, two_rows)})
    rows = [row for one in reversed(plan.values()) for row in applications.complete_rows(one)]
    write_rows(path, rows, RECORD.columns)
    scores = applications.scores("stories", "accuracy", path)
    assert list(scores) == ["at once", "steps"]
    assert scores["steps"] == {4.0: [Score(900, 1000), Score(901, 1000), Score(902, 1000)]}
    assert applications.values("stories", "loss", path)["at once"] == {0.0: [0.25] * 3}


def test_what_is_not_planned_or_not_run_is_refused(tmp_path):
    refused("experiment='x' is unknown", applications.recorded, "x", "accuracy")
    refused("measure='outside' of 'labels' is a value: use values", applications.scores,
            "labels", "outside")  # fmt: skip
    refused("measure='accuracy' of 'labels' is a count: use scores", applications.values,
            "labels", "accuracy")  # fmt: skip
    path = tmp_path / "rows.csv"
    command = "run python -m gpt_helpers.experiments.applications"
    refused(command, applications.scores, "stories", "a", path)


def test_the_command_runs_what_the_file_lacks_of_one_experiment(tmp_path):
    path, (name, *_) = tmp_path / "rows.csv", EXPERIMENTS
    rows = [row for row in recorded_rows() if row["experiment"] == name]
    write_rows(path, rows, RECORD.columns)  # and none of the others
    before = path.read_bytes()
    arguments = ["--csv", str(path), "--experiment", name, "--processes", "0"]
    assert applications.main(arguments) == 0
    assert path.read_bytes() == before
    plan = applications.planned({name: EXPERIMENTS[name]})
    lacking = [row for row in rows if row["seed"] != 1]
    assert len(RECORD.missing(plan, lacking)) == len(EXPERIMENTS[name])


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
    seeds_of = {}
    for row in recorded_rows():
        key = row["experiment"], row["variant"], row["measure"], row["x"]
        seeds_of.setdefault(key, []).append(int(row["seed"]))
    assert {key: seeds for key, seeds in seeds_of.items() if sorted(seeds) != list(SEEDS)} == {}


def test_every_row_says_how_and_where_it_was_made():
    for row in recorded_rows():
        assert row["seconds"] > 0
        assert row["torch"], row
