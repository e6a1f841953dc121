"""Files that are either whole or not there, and rows of measurements in CSV. Imports no torch."""

import contextlib
import os

import pandas as pd


@contextlib.contextmanager
def replacing(path):
    """Yield the path of a temporary file beside path, which takes its name when the block ends.

    It is on the disk by then; a block that fails leaves the old file, and nothing else.
    """
    partial = path.with_name(path.name + ".partial")
    try:
        yield partial
        with open(partial, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def replace_file(path, data):
    """Write bytes to a temporary file beside path, flush it to the disk, and rename it to path."""
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
    table = pd.DataFrame(rows, columns=columns)
    text = table.to_csv(index=False, float_format="%.7g", lineterminator="\n")
    replace_file(path, text.encode())


def read_rows(path, numbers):
    """Return the rows of a file of write_rows, the columns in numbers as floats (empty: nan).

    All other columns are text. A file that is not there has no rows. Raises ValueError for a
    column that is missing.
    """
    if not path.exists():
        return []
    texts = pd.read_csv(path, dtype=str, keep_default_na=False)
    missing = sorted(set(numbers) - set(texts))
    if missing:
        raise ValueError(f"{path} lacks the columns {missing}; it has {list(texts)}")
    values = {name: texts[name].replace("", "nan").astype(float) for name in numbers}
    return texts.assign(**values).to_dict("records")
