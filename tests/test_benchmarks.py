"""The benchmarks run, and compare equal work."""

import subprocess
import sys
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).resolve().parents[1]


def test_the_generation_benchmark_prints_and_writes_a_row_per_method(tmp_path):
    path = tmp_path / "table.csv"
    settings = ["--prompt-tokens", "3", "--new-tokens", "4", "--rounds", "2", "--threads", "1"]
    command = [sys.executable, ROOT / "benchmarks/generation.py", *settings, "--csv", path]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=tmp_path)
    table = pd.read_csv(path)
    assert table["method"].tolist() == ["Hugging Face, cached", "ours, cached", "ours, uncached"]
    assert (table["tokens_per_second"] > 0).all()
    assert all(method in done.stdout for method in table["method"])
    assert [file.name for file in tmp_path.iterdir()] == ["table.csv"]


def test_the_committed_table_has_both_numbers_of_threads():
    table = pd.read_csv(ROOT / "benchmarks/generation.csv")
    assert set(table["threads"]) == {1, 2}
    assert {"torch", "transformers", "cpus", "platform"} <= set(table.columns)
