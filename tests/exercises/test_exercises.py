"""The exercises: what the page starts from is not accepted, and what it offers as solution is."""

import itertools
import re

import pytest

from tests.helpers.book import CHAPTERS, code_cells, notebooks, read_notebook, tags

LISTING = re.compile(r"```python\n(.*?)```", re.S)


def exercises():
    """Return (page, cell id, imports, starting point, solution) of every exercise."""
    found = []
    for language in ("ja", "en"):
        for path in notebooks(language):
            cells = read_notebook(path).cells
            imports = code_cells(read_notebook(path))[0].source
            for cell, following in itertools.pairwise(cells):
                if "exercise" in tags(cell):
                    solution = LISTING.search(following.source)
                    name = f"{path.relative_to(CHAPTERS)}#{cell.id}"
                    found.append(pytest.param(imports, cell.source, solution, id=name))
    return found


def answer(imports, function, check):
    """Return what the check, the last line of an exercise, says of a function."""
    names = {}
    exec(imports + "\n" + function, names)
    return eval(check, names)


def test_there_are_exercises_in_both_editions():
    languages = [parameters.id.split("/")[0] for parameters in exercises()]
    assert languages.count("ja") == languages.count("en") >= 3


@pytest.mark.parametrize(("imports", "start", "solution"), exercises())
def test_the_starting_point_is_rejected_and_the_solution_accepted(imports, start, solution):
    function, check = start.rstrip().rsplit("\n", 1)
    assert answer(imports, function, check).startswith("not yet: ")
    assert answer(imports, solution[1], check) == "correct"
