"""Rows of measurements come back from their file."""

import math
import platform

import torch

from gpt_helpers.experiments.records import machine_facts
from gpt_helpers.files import by_seed, read_rows, write_rows
from tests.helpers.reference import refused


def test_rows_come_back_with_their_numbers_and_nan_for_what_was_empty(tmp_path):
    path = tmp_path / "rows.csv"
    write_rows(
        path, [{"name": "a, b", "x": 1, "y": 0.1}, {"name": "c", "x": 2}], ["name", "x", "y"]
    )
    first, second = read_rows(path, ["x", "y"])
    assert first == {"name": "a, b", "x": 1.0, "y": 0.1}
    assert second["x"] == 2.0
    assert math.isnan(second["y"])
    assert path.read_text() == 'name,x,y\n"a, b",1,0.1\nc,2,\n'


def test_what_was_read_is_written_again_as_it_was(tmp_path):
    path = tmp_path / "rows.csv"
    write_rows(path, [{"x": 1, "y": 0.1}, {"x": 2}], ["x", "y"])
    before = path.read_text()
    write_rows(path, read_rows(path, ["x", "y"]), ["x", "y"])
    assert path.read_text() == before


def test_floats_keep_7_digits(tmp_path):
    write_rows(tmp_path / "rows.csv", [{"x": 1 / 3}, {"x": 1e-9}], ["x"])
    assert (tmp_path / "rows.csv").read_text() == "x\n0.3333333\n1e-09\n"


def test_a_file_that_is_not_there_has_no_rows(tmp_path):
    assert read_rows(tmp_path / "none.csv", ["x"]) == []


def test_a_file_without_a_column_is_refused(tmp_path):
    write_rows(tmp_path / "rows.csv", [{"x": 1}], ["x"])
    refused(r"lacks the columns \['y'\]", read_rows, tmp_path / "rows.csv", ["x", "y"])


def test_rows_are_found_by_a_column_and_then_by_seed_in_their_order():
    rows = [
        {"name": name, "seed": seed, "x": x} for x in (2, 1) for name in "ba" for seed in (1.0, 0.0)
    ]
    found = by_seed(rows, "name")
    assert list(found) == ["b", "a"]
    assert str(list(found["a"])) == "[1, 0]"
    assert found["b"][0] == [rows[1], rows[5]]


def test_the_facts_of_a_machine_name_its_software_and_no_place():
    facts = machine_facts()
    assert facts["torch"] == torch.__version__
    assert facts["python"] == platform.python_version()
    assert facts["threads"] == torch.get_num_threads()
    assert platform.node() not in "".join(map(str, facts.values())) or not platform.node()
