"""A right call of each door of gpt_helpers.files."""

import contextlib
import functools
import tempfile
from pathlib import Path

from gpt_helpers import files
from tests.helpers.misuse import Example

FOLDER = Path(tempfile.mkdtemp())


@functools.wraps(files.replacing)
def replaced(path):
    """Replace a file by an empty one."""
    with files.replacing(path) as partial:
        partial.touch()


@functools.wraps(files.make_folder)
def made(**arguments):
    """Make a folder in one that is gone afterwards."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        return files.make_folder(**arguments)


TEXTS = "None stranger number bytes unknown empty"


def examples():
    """Yield the examples."""
    path, rows = FOLDER / "rows.csv", [{"name": "a", "x": 0.5}]
    files.write_rows(path, rows, ("name", "x"))
    call = {"path": path, "rows": rows, "columns": ("name", "x")}
    for door in (files.write_rows, files.add_rows):
        yield Example(door, call, {"rows": "empty"})
    yield Example(
        files.read_rows, {"path": path, "numbers": ("x",)}, {"path": "missing", "numbers": "empty"}
    )
    yield Example(files.replace_file, {"path": FOLDER / "file", "data": b"data"})
    yield Example(replaced, {"path": FOLDER / "file"})
    call = {"name": "path", "path": "new"}
    yield Example(made, call, {"name": TEXTS, "path": "unknown"})
    yield Example(files.alone, {"folder": FOLDER})
    yield Example(
        files.as_path, {"name": "value", "value": FOLDER}, {"name": TEXTS, "value": "missing"}
    )
