"""nbval, which runs the notebooks again, compares what the book relies on.

One notebook with right and wrong outputs is run as make test runs the chapters.
"""

import re
import subprocess
import sys

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from gpt_helpers.figures.vegalite import Chart
from tests.helpers.book import ROOT

TABLE = "<table><tr><td>{}</td></tr></table>"
SHOW_CHART = "from gpt_helpers.figures.vegalite import Chart\nChart({'name': 'a', 'data': [1, 2]})"
SHOW_TABLE = "from IPython.display import HTML\nHTML('<table><tr><td>1</td></tr></table>')"
CELLS = {
    "a true text passes": ("1 + 1", {"text/plain": "2"}, [], "PASSED"),
    "a false text fails": ("1 + 1", {"text/plain": "3"}, [], "FAILED"),
    "a text that is missing fails": ("1 + 1", {}, [], "FAILED"),
    "a false table fails": (
        SHOW_TABLE,
        {"text/html": TABLE.format(2), "text/plain": "<IPython.core.display.HTML object>"},
        [],
        "FAILED",
    ),
    "a true table passes": (
        SHOW_TABLE,
        {"text/html": TABLE.format(1), "text/plain": "<IPython.core.display.HTML object>"},
        [],
        "PASSED",
    ),
    "a true chart passes": (
        SHOW_CHART,
        Chart({"name": "a", "data": [1, 2]})._repr_mimebundle_() | {"text/plain": "Chart('a')"},
        [],
        "PASSED",
    ),
    "a false chart fails": (
        SHOW_CHART,
        Chart({"name": "a", "data": [1, 3]})._repr_mimebundle_() | {"text/plain": "Chart('a')"},
        [],
        "FAILED",
    ),
    "a false text in an exempt cell passes": (
        "1 + 1",
        {"text/plain": "3"},
        ["nbval-ignore-output"],
        "PASSED",
    ),
    "a false claim fails": ("assert 1 + 1 == 3", {}, [], "FAILED"),
    "an error in an exempt cell fails": ("1 / 0", {}, ["nbval-ignore-output"], "FAILED"),
}


def notebook():
    """Return a notebook with the CELLS, as if they had been run with these outputs."""
    cells = []
    for count, (source, data, tags, _) in enumerate(CELLS.values(), start=1):
        output = new_output("execute_result", data, execution_count=count)
        cell = new_code_cell(source, metadata={"tags": tags}, execution_count=count)
        cell.outputs = [output] if data else []
        cells.append(cell)
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return new_notebook(cells=cells, metadata={"kernelspec": kernel})


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """Return the outcome of each cell under nbval."""
    path = tmp_path_factory.mktemp("nbval") / "page.ipynb"
    nbformat.write(notebook(), path)
    command = [sys.executable, "-m", "pytest", "--nbval", "-rA", "-q", "-p", "no:cacheprovider"]
    command += ["-c", str(ROOT / "pyproject.toml"), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=path.parent)
    lines = re.findall(r"^(PASSED|FAILED|ERROR) .*::Cell (\d+)", done.stdout, re.M)
    assert len(lines) == len(CELLS), done.stdout + done.stderr
    return {int(cell): outcome for outcome, cell in lines}


@pytest.mark.parametrize("sentence", CELLS)
def test_under_nbval(sentence, outcomes):
    assert outcomes[list(CELLS).index(sentence)] == CELLS[sentence][-1]
