"""What a file of results lacks is done and appended, and nothing of it is ever lost."""

import argparse
import itertools
import multiprocessing
import os
import platform
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from types import SimpleNamespace

import pytest
import torch

from gpt_helpers.evaluation.accuracy import Score
from gpt_helpers.experiments.records import (
    MACHINE,
    Record,
    append_rows,
    by_seed,
    command_line,
    machine_facts,
    program,
    result_row,
)
from gpt_helpers.files import write_rows
from tests.helpers.book import ROOT
from tests.helpers.reference import refused
from tests.helpers.runs import has_within

COLUMNS = ("name", "seed", "x")


def row_of(key):
    """Do a run by its key, and return its row in a list."""
    name, seed = key
    return [{"name": name, "seed": seed, "x": 10 * seed}]


@pytest.fixture
def record(tmp_path):
    """Return the Record of a file that holds one of three runs."""
    write_rows(tmp_path / "rows.csv", row_of(("a", 1)), COLUMNS)
    return Record(tmp_path / "rows.csv", ("name", "seed"), ("seed", "x"), COLUMNS)


PLAN = {key: row_of(key) for key in (("a", 0), ("a", 1), ("b", 0))}  # list does a run


@pytest.mark.parametrize("n_processes", [0, 1])
def test_a_program_does_what_the_file_lacks_and_a_second_time_nothing(record, n_processes):
    arguments = ["--processes", str(n_processes)]
    options = command_line("Do it.\n\nMore.", record.path).parse_args(arguments)
    assert program(record, PLAN, list, options) == 0
    runs = [(row["name"], row["seed"]) for row in record.rows()]
    assert runs == [("a", 1), ("a", 0), ("b", 0)]
    assert record.missing(PLAN, record.rows()) == []
    before = record.path.read_bytes()
    program(record, PLAN, pytest.fail, argparse.Namespace(csv=record.path, processes=0))
    assert record.path.read_bytes() == before


def test_a_program_writes_another_file_if_it_is_told_to(record, tmp_path):
    before, other = record.path.read_bytes(), tmp_path / "other.csv"
    options = command_line("Do it.", record.path).parse_args(["--csv", str(other)])
    assert options.processes == 2
    options.processes = 0
    program(record, PLAN, list, options)
    assert len(record.rows(other)) == 3
    assert record.path.read_bytes() == before


class StoppedError(Exception):
    """What stops a program in the tests."""


def test_what_is_done_is_kept_if_the_rest_is_not(record):
    def stopping(key):
        if key == ("b", 0):
            raise StoppedError
        return row_of(key)

    with pytest.raises(StoppedError):
        append_rows(record.path, COLUMNS, stopping, [("a", 0), ("a", 1), ("b", 0)], 0)
    assert len(record.rows()) == 3


def test_programs_that_write_to_one_file_at_once_lose_no_row(record):
    before = record.path.read_bytes()
    runs = [[(name, seed) for seed in range(20)] for name in "bcd"]
    with ThreadPoolExecutor(3) as pool:
        done = [pool.submit(append_rows, record.path, COLUMNS, row_of, each, 0) for each in runs]
        assert [each.result() for each in done] == [None] * 3
    assert record.path.read_bytes().startswith(before)
    assert record.missing(dict.fromkeys(itertools.chain(*runs)), record.rows()) == []
    assert len(record.rows()) == 61


def test_a_file_with_other_columns_is_refused_before_the_first_run(record):
    other = ("name", "x")
    before = record.path.read_bytes()
    refused("has other columns", append_rows, record.path, other, pytest.fail, [("b", 0)], 0)
    assert record.path.read_bytes() == before
    assert [path.name for path in record.path.parent.iterdir()] == ["rows.csv"]


def killed_while_writing(path, n_before, at):
    """Append rows, and die at a moment of the write after n_before whole ones."""
    real, calls = getattr(os, at), []

    def kill(*given):
        calls.append(given)
        if len(calls) > n_before:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*given)

    setattr(os, at, kill)  # of this process alone, which ends here
    append_rows(path, COLUMNS, row_of, [("b", seed) for seed in range(5)], 0)


@pytest.mark.parametrize("at", ["fsync", "replace"])
@pytest.mark.parametrize("n_before", [0, 1, 3])
def test_an_append_that_is_killed_loses_nothing_and_leaves_nothing_half_written(
    record, n_before, at
):
    before = record.path.read_bytes()
    given = (record.path, n_before + 1, at)  # the first only looks at the file
    process = multiprocessing.get_context("fork").Process(target=killed_while_writing, args=given)
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    after = record.path.read_bytes()
    assert after.startswith(before)
    assert [row["x"] for row in record.rows()] == [10, *range(0, 10 * n_before, 10)]
    assert after.endswith(b"\n")
    append_rows(record.path, COLUMNS, row_of, [("c", 0)], 0)
    assert len(record.rows()) == n_before + 2  # what was left of the other write is in no way


def test_a_result_is_a_score_or_a_number_after_so_many_steps():
    shared = {"measure": "a", "x": 0, "steps": 10, "tokens": 80}
    assert result_row("a", 0, Score(3, 4), 10, 80) == shared | {"right": 3, "n": 4}
    assert result_row("a", 0, 0.5, 10, 80) == shared | {"value": 0.5}
    assert result_row("a", 0, 0.5)["steps"] == result_row("a", 0, 0.5)["tokens"] == 0


def test_rows_are_found_by_a_column_and_then_by_seed_in_their_order():
    rows = [
        {"name": name, "seed": seed, "x": x} for x in (2, 1) for name in "ba" for seed in (1.0, 0.0)
    ]
    groups = by_seed(rows, "name")
    assert list(groups) == ["b", "a"]
    assert str(list(groups["a"])) == "[1, 0]"
    assert groups["b"][0] == [rows[1], rows[5]]


def test_the_facts_of_a_machine_name_its_software_and_no_place():
    facts = machine_facts()
    assert tuple(facts) == MACHINE
    assert facts["torch"] == torch.__version__
    assert facts["python"] == platform.python_version()
    assert facts["threads"] == torch.get_num_threads()
    assert platform.node() not in "".join(map(str, facts.values())) or not platform.node()


def die(key):
    """Be killed, as a process is that takes too much memory."""
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_worker_that_is_killed_ends_the_program_instead_of_hanging_it(record):
    with pytest.raises(BrokenProcessPool, match="terminated abruptly"):
        append_rows(record.path, COLUMNS, die, [("b", 0), ("b", 1)], 1)


PROGRAM = """
import os, sys, time
from gpt_helpers.commands import command
from gpt_helpers.experiments.records import done_by_workers

def work(path):
    with open(path, "w") as file:
        file.write(str(os.getpid()))
    time.sleep(600)

@command("not done")
def main():
    with done_by_workers(work, sys.argv[1:], 1) as done:
        list(done)

if __name__ == "__main__":
    sys.exit(main())
"""


def is_running(pid):
    """Return whether there is a process of this number."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize(("stop", "status"), [(signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_no_worker_outlives_a_program_that_is_stopped(stop, status, tmp_path):
    (tmp_path / "program.py").write_text(PROGRAM)
    note = tmp_path / "pid"
    path = os.environ.get("PYTHONPATH", str(ROOT))
    process = subprocess.Popen(
        [sys.executable, "program.py", str(note)],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": path}, text=True,
        stderr=subprocess.PIPE, process_group=0,
    )  # fmt: skip
    assert has_within(120, lambda: note.exists() and note.read_text(), process)
    worker = int(note.read_text())
    kill = os.killpg if stop == signal.SIGINT else os.kill  # a terminal stops all of a group
    kill(process.pid, stop)
    assert "Traceback" not in process.communicate(timeout=60)[1]
    assert process.returncode == status
    assert has_within(60, lambda: not is_running(worker), SimpleNamespace(poll=lambda: None))
