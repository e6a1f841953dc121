"""Files that are either whole or not there, and rows of measurements in CSV. Imports no torch."""

import contextlib
import csv
import io
import math
import os


@contextlib.contextmanager
def replacing(path):
    """Yield the path of a temporary file beside path, which takes its name when the block ends.

    It is on the disk by then; a block that fails leaves the old file.
    """
    partial = path.with_name(path.name + ".partial")
    yield partial
    with open(partial, "rb+") as file:
        os.fsync(file.fileno())
    os.replace(partial, path)


def replace_file(path, data):
    """Write bytes to a temporary file beside path, flush it to the disk, and rename it to path."""
    with replacing(path) as partial, open(partial, "wb") as file:
        file.write(data)


def write_rows(path, rows, columns):
    """Write the columns of the rows to path, replacing it at once; what a row lacks stays empty.

    Floats keep 7 digits, and nan, which read_rows gives for what is empty, is empty again.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([as_text(row.get(name, "")) for name in columns])
    replace_file(path, text.getvalue().encode())


def as_text(value):
    """Return what a file says for a value."""
    if not isinstance(value, float):
        return value
    return "" if math.isnan(value) else f"{value:.7g}"


def read_rows(path, numbers):
    """Return the rows of a file of write_rows, the columns in numbers as floats (empty: nan).

    A file that is not there has none. Raises ValueError for a column that is missing.
    """
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        missing = sorted(set(numbers) - set(reader.fieldnames or ()))
        if missing:
            raise ValueError(f"{path} lacks the columns {missing}; it has {reader.fieldnames}")
        return [row | {name: float(row[name] or math.nan) for name in numbers} for row in reader]


def by_seed(rows, column):
    """Return {value of the column: {seed: rows}}, in the order of the rows."""
    found = {}
    for row in rows:
        found.setdefault(row[column], {}).setdefault(int(row["seed"]), []).append(row)
    return found
