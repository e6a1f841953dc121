"""Files are whole or not there, and rows of measurements come back from them."""

import csv
import functools
import inspect
import itertools
import math
import os
import re
import signal

import pytest

from gpt_helpers.experiments.speed import TABLES
from gpt_helpers.files import read_rows, replace_file, replace_files, write_rows
from gpt_helpers.text.corpus import load_corpus
from gpt_helpers.weights.pretrained import load_gpt2, load_model, save_gpt2
from gpt_helpers.weights.sealed import read_sealed, write_sealed
from tests.helpers.book import ROOT
from tests.helpers.misuse import outcome
from tests.helpers.reference import random_model, refused

# Those of speed/ are written by benchmarks/, in their own form.
COMMITTED = sorted(set((ROOT / "gpt_helpers").rglob("*.csv")) - set(TABLES.iterdir()))


def header_of(path):
    """Return the names of the columns of a CSV file."""
    with path.open(newline="", encoding="utf-8") as file:
        return next(csv.reader(file))


def keeps_its_text(text):
    """Return whether a cell is empty, or a number that 7 digits hold."""
    try:
        return not text or (float(text) < math.inf and not (text.isdigit() and len(text) > 7))
    except ValueError:
        return False


def columns_of_numbers(path):
    """Return the columns of a file that hold nothing but such numbers."""
    rows = read_rows(path, ())
    return [name for name in header_of(path) if all(keeps_its_text(row[name]) for row in rows)]


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


def test_text_stays_text_even_where_it_looks_like_a_number_or_like_nothing(tmp_path):
    rows = [{"name": name} for name in ("1", "01", "None", "nan", "NA", "", "1e3", 'a "b"', "é")]
    path = tmp_path / "rows.csv"
    write_rows(path, rows, ["name"])
    assert [row["name"] for row in read_rows(path, [])] == [row["name"] for row in rows]


def test_what_was_read_is_written_again_as_it_was(tmp_path):
    path = tmp_path / "rows.csv"
    write_rows(path, [{"x": 1, "y": 0.1}, {"x": 2}], ["x", "y"])
    before = path.read_text()
    write_rows(path, read_rows(path, ["x", "y"]), ["x", "y"])
    assert path.read_text() == before


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: path.stem)
def test_a_committed_file_is_written_again_byte_for_byte(path, tmp_path):
    rows = read_rows(path, columns_of_numbers(path))
    write_rows(tmp_path / "copy.csv", rows, header_of(path))
    assert (tmp_path / "copy.csv").read_bytes() == path.read_bytes()


def test_floats_keep_7_digits_and_integers_all(tmp_path):
    rows = [{"x": 1 / 3, "n": 70687653888}, {"x": 1e-9, "n": 1}]
    write_rows(tmp_path / "rows.csv", rows, ["x", "n"])
    assert (tmp_path / "rows.csv").read_text() == "x,n\n0.3333333,70687653888\n1e-09,1\n"


def test_a_file_that_is_not_there_has_no_rows(tmp_path):
    assert read_rows(tmp_path / "none.csv", ["x"]) == []


def test_a_file_without_a_column_is_refused(tmp_path):
    write_rows(tmp_path / "rows.csv", [{"x": 1}], ["x"])
    refused(r"lacks the columns \['y'\]", read_rows, tmp_path / "rows.csv", ["x", "y"])


def killed(function, steps, count):
    """Call a function in a process that is killed at the step count of these functions of os.

    Return whether it got there.
    """
    child = os.fork()
    if not child:
        numbers = itertools.count()
        for name in steps:
            real = getattr(os, name)

            def step(*arguments, real=real):
                if next(numbers) == count:
                    os.kill(os.getpid(), signal.SIGKILL)
                return real(*arguments)

            setattr(os, name, step)
        function()
        os._exit(0)
    return os.waitpid(child, 0)[1] == signal.SIGKILL


def test_files_of_a_process_that_is_killed_are_whole_and_replaced_by_the_next(tmp_path):
    def contents(letter):
        return {tmp_path / name: 10**6 * letter for name in ("a", "b", "c")}

    replace_files(contents(b"0"))
    for count in itertools.count():
        was_killed = killed(lambda: replace_files(contents(b"1")), ("fsync", "replace"), count)
        found = {path.read_bytes() for path in contents(b"0")}
        assert found <= {10**6 * b"0", 10**6 * b"1"}
        replace_files(contents(b"0"))
        assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "c"]
        if not was_killed:
            break
    assert (count, found) == (6, {10**6 * b"1"})


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a,b\n1,2,3\n", "row 0 has 3 cells for 2 columns"),
        ("a,b\n1,2\n1\n", "row 1 has 1 cells for 2 columns"),
    ],
)
def test_a_row_that_does_not_fit_its_header_is_refused(tmp_path, text, reason):
    (tmp_path / "rows.csv").write_text(text)
    refused(f"rows.csv holds no table .{reason}", read_rows, tmp_path / "rows.csv", ())


def test_a_path_that_is_empty_is_refused():
    refused("path is empty; name a path", read_rows, "", ())


def no_places(folder):
    """Yield paths where nothing can be, each with what is wrong with it."""
    (folder / "file").touch()
    (folder / "loop").symlink_to(folder / "loop")
    yield folder / ("a" * 5000), "name too long"
    yield folder / ("a" * 255), "name too long"  # with .partial
    yield "\ud800", "surrogates not allowed"
    yield folder / "\ud800" / "x", "surrogates not allowed"
    yield folder / "file" / "x", "no folder"
    yield folder / "loop" / "x", "symbolic links"
    yield "/proc/none", "cannot be written|none can be made"
    yield "/proc/none/x", "no folder|none can be made"
    yield "/dev/null/x", "no folder"


def test_a_place_where_no_file_can_be_is_refused_by_a_sentence_that_names_it(tmp_path):
    before = None
    for path, wrong in no_places(tmp_path):
        before = before or sorted(tmp_path.iterdir())
        named = re.escape(repr(str(path))[:200])
        for write in (replace_file, functools.partial(write_rows, rows=[], columns=["a"])):
            data = {"data": b"x"} if write is replace_file else {}
            refused(f"(?i)path={named}.*({wrong})", write, path, **data)
        refused(f"(?i)path={named[:10]}.*({wrong})", write_sealed, path, {}, {})
        if "a" * 255 not in str(path):
            refused(f"(?i)folder={named[:10]}.*({wrong})", save_gpt2, path, random_model())
        for read in (read_sealed, load_model, load_corpus, load_gpt2):
            error = outcome(read, {next(iter(inspect.signature(read).parameters)): path})
            assert type(error) is ValueError
            assert repr(str(path))[1:60] in str(error)
        assert sorted(tmp_path.iterdir()) == before
