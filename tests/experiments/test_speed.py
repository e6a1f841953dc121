"""The tables of speed are read from the package, whatever the working directory."""

import pandas as pd

from gpt_helpers.experiments.speed import TABLES, recorded_speed
from tests.helpers.reference import refused


def test_a_table_is_read_in_any_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert recorded_speed("steps").equals(pd.read_csv(TABLES / "steps.csv"))


def test_every_table_has_a_name_and_another_name_is_refused():
    names = [path.stem for path in TABLES.iterdir()]
    assert len(names) == 6
    assert all(len(recorded_speed(name)) for name in names)
    for name in ("gpt2", "../sweep", None):
        refused("name=.* is unknown; use one of .*'generation'", recorded_speed, name)
