"""The exercises: what the page starts from is not accepted, and what it offers as solution is."""

import itertools
import re
import unicodedata

import pytest

from gpt_helpers import language
from tests.helpers.book import CHAPTERS, JAPANESE, code_cells, notebooks, read_notebook, tags

PAGE_COLUMNS = 86  # as of code, in test_chapters.py
LISTING = re.compile(r"```python\n(.*?)```", re.S)


def exercises():
    """Return (imports, starting point, what the page answers, solution) of every exercise."""
    found = []
    for edition in language.LANGUAGES:
        for path in notebooks(edition):
            cells = read_notebook(path).cells
            imports = code_cells(read_notebook(path))[0].source
            for cell, following in itertools.pairwise(cells):
                if "exercise" in tags(cell):
                    solution = LISTING.search(following.source)
                    name = f"{path.relative_to(CHAPTERS)}#{cell.id}"
                    shown = cell.outputs[0].data["text/plain"]
                    found.append(pytest.param(imports, cell.source, shown, solution, id=name))
    return found


def answer(imports, function, check):
    """Return what the check, the last line of an exercise, says of a function."""
    names = {}
    exec(imports + "\n" + function, names)
    return eval(check, names)


def test_there_are_exercises_in_both_editions():
    languages = [parameters.id.split("/")[0] for parameters in exercises()]
    assert languages.count("ja") == languages.count("en") >= 3


@pytest.mark.parametrize(("imports", "start", "shown", "solution"), exercises())
def test_the_starting_point_is_rejected_and_the_solution_accepted(imports, start, shown, solution):
    function, check = start.rstrip().rsplit("\n", 1)
    said = answer(imports, function, check)
    assert said.startswith(("not yet: ", "まだ違う："))
    assert said == shown
    assert answer(imports, solution[1], check) in ("correct", "正解")


@pytest.mark.parametrize(("imports", "start", "shown", "solution"), exercises())
def test_an_answer_is_in_the_language_of_its_page_and_fits_on_it(
    imports, start, shown, solution, request
):
    is_japanese = request.node.callspec.id.startswith("ja/")
    assert bool(JAPANESE.search(shown)) == is_japanese
    assert shown.startswith("まだ違う：" if is_japanese else "not yet: ")
    assert max(width(line) for line in shown.split("\n")) <= PAGE_COLUMNS


def width(line):
    """Return the columns that a line takes; a Japanese character takes two."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in line)
