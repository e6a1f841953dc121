"""Files that are either whole or not there, and rows of measurements in CSV. Imports no torch."""

import contextlib
import csv
import os
import threading
from numbers import Integral, Real
from pathlib import Path

import pandas as pd

from gpt_helpers.validation import check_instance, check_sequence

try:
    import fcntl
except ImportError:  # Windows has none: there writers do not wait for one another
    fcntl = None

HELD = threading.local()  # the folders that a thread is alone in


@contextlib.contextmanager
def alone(folder):
    """Let other threads and processes that enter this block for a folder wait until it ends.

    A block for a folder may stand in another for it. Whoever is killed keeps nobody waiting.
    Raises ValueError for what is no folder.
    """
    if not as_path("folder", folder).is_dir():
        raise ValueError(f"folder={str(folder)!r} is no folder; check the path")
    held = vars(HELD).setdefault("folders", set())  # by this thread
    place = os.path.realpath(folder)
    if fcntl is None or place in held:
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # a disk of another machine may know no locks
            fcntl.flock(handle, fcntl.LOCK_EX)
        held.add(place)
        yield
    finally:
        held.discard(place)
        os.close(handle)


@contextlib.contextmanager
def replacing(path):
    """Yield the path of a temporary file beside path, which takes its name when the block ends.

    It is on the disk by then; a block that fails leaves the old file and nothing else. Raises
    ValueError for a path where no file can be.
    """
    path = as_path("path", path)
    if path.is_dir() or not path.parent.is_dir():
        found = "is a folder" if path.is_dir() else "lies in no folder that exists"
        raise ValueError(f"path={str(path)!r} {found}; name a file in a folder")
    partial = path.with_name(path.name + ".partial")
    with alone(path.parent):
        try:
            partial.touch()
        except OSError as error:
            found = f"path={str(path)!r} cannot be written ({error.strerror})"
            raise ValueError(f"{found}; name another file") from error
        try:
            yield partial
            with open(partial, "rb+") as file:
                os.fsync(file.fileno())
            os.replace(partial, path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise


def as_path(name, value):
    """Return value as a Path; raise ValueError unless it is a path, or a text that names one."""
    if not isinstance(value, str | Path):
        raise ValueError(f"{name} is a {type(value).__name__}; it must be a path")
    if value == "":
        raise ValueError(f"{name} is empty; name a path, '.' for the folder that you are in")
    if "\0" in str(value):
        raise ValueError(f"{name}={value!r} holds a zero byte, which no path does")
    try:
        os.stat(value)
    except (FileNotFoundError, NotADirectoryError):
        pass  # nothing is there, so far
    except (OSError, UnicodeError) as error:  # a loop of links, too many letters, half of one
        raise ValueError(f"{name}={str(value)!r:.300} is no path here: {error}"[:900]) from error
    return Path(value)


def make_folder(name, path):
    """Make a folder, and those that it lies in, or leave it as it is.

    Raises ValueError, in which the argument has this name, where none can be.
    """
    try:
        as_path(name, path).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        found = f"{name}={str(path)!r} is no folder, and none can be made there"
        raise ValueError(f"{found} ({error.strerror}); name another") from error


def replace_file(path, data):
    """Write bytes to a temporary file beside path, flush it to the disk, and rename it to path."""
    check_instance("data", data, bytes)
    with replacing(path) as partial, open(partial, "wb") as file:
        file.write(data)


def replace_files(contents):
    """Write {path: bytes}, each as replace_file does, once all of them are written."""
    with contextlib.ExitStack() as stack:
        for path, data in contents.items():
            stack.enter_context(replacing(path)).write_bytes(data)


def write_rows(path, rows, columns):
    """Write the columns of the rows to path, replacing it at once; what a row lacks stays empty.

    Floats keep 7 digits, and nan, which read_rows gives for what is empty, is empty again.
    """
    replace_file(path, csv_of(rows, columns))


def add_rows(path, rows, columns):
    """Write rows below those of path, all at once; what is there stays, byte for byte.

    A file that is not there begins with the names of the columns. Raises ValueError for a file
    with other columns.
    """
    header, text = csv_of([], columns), csv_of(rows, columns)
    with replacing(path) as partial, open(partial, "wb") as file:
        path = Path(path)
        before = path.read_bytes() if path.exists() else header
        if before.splitlines()[:1] != header.splitlines():
            raise ValueError(f"{path} has other columns than {list(columns)}; name another file")
        end = b"" if before.endswith(b"\n") else b"\n"
        file.write(before + end + text.removeprefix(header))


def csv_of(rows, columns):
    """Return the bytes of a table: the names of the columns, then their values in each row."""
    check_sequence("columns", columns, str)
    check_sequence("rows", rows, dict, empty=True)
    cells = [[cell_of(row.get(name)) for name in columns] for row in rows]
    table = pd.DataFrame(cells, columns=columns, dtype=object)
    return table.to_csv(index=False, lineterminator="\n").encode()


def cell_of(value):
    """Return a value as it is written: floats with 7 digits, all other things in full."""
    is_float = isinstance(value, Real) and not isinstance(value, Integral)
    return value if not is_float or value != value else f"{value:.7g}"


def read_rows(path, numbers):
    """Return the rows of a file of write_rows, the columns in numbers as floats (empty: nan).

    All other columns are text. A file that is not there has no rows. Raises ValueError for a
    file that holds no such table, or lacks a column, or has no number where one should be.
    """
    path = as_path("path", path)
    check_sequence("numbers", numbers, str, empty=True)
    if not path.exists():
        return []
    try:
        check_lengths(path)
        texts = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, ValueError, csv.Error) as error:
        raise ValueError(f"{path} holds no table ({error}); copy it again") from error
    missing = sorted(set(numbers) - set(texts))
    if missing:
        raise ValueError(f"{path} lacks the columns {missing}; it has {list(texts)}")
    try:
        values = {name: texts[name].replace("", "nan").astype(float) for name in numbers}
    except ValueError as error:
        raise ValueError(f"{path} has a cell that is no number: {error}") from error
    return texts.assign(**values).to_dict("records")


def check_lengths(path):
    """Raise ValueError unless each row of a CSV file has as many cells as there are columns."""
    with open(path, newline="", encoding="utf-8") as file:
        n_columns = len(next(csv.reader(file), ()))
        for number, row in enumerate(csv.reader(file)):
            if row and len(row) != n_columns:
                raise ValueError(f"row {number} has {len(row)} cells for {n_columns} columns")
