"""The exercises: what the page starts from is not accepted, and what it offers as solution is."""

import ast
import itertools
import re
import unicodedata

import pytest

from gpt_helpers import language
from tests.helpers.book import CHAPTERS, JAPANESE, code_cells, notebooks, read_notebook, tags
from tests.helpers.workbook import page, written_by_reader

PAGE_COLUMNS = 86  # as of code, in test_chapters.py
LISTING = re.compile(r"```python\n(.*?)```", re.S)


def exercises():
    """Return (imports, starting point, what the page answers, solution) of every exercise.

    With the imports come the solutions of the exercises before it.
    """
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
                    imports = f"{imports}\n{solution[1]}"
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


def result_of(source, names):
    """Return the value of the last expression of a cell that runs with names, or None."""
    *statements, last = ast.parse(source).body
    if not isinstance(last, ast.Expr):
        statements.append(last)
    exec(compile(ast.Module(statements, []), "cell", "exec"), names)
    return eval(ast.unparse(last), names) if isinstance(last, ast.Expr) else None


def solved_workbook():
    """Return {id of a cell: its result} of the workbook whose reader wrote every solution."""
    solutions = {cell.id: solution for cell, solution in written_by_reader().values()}
    names, results = {}, {}
    for cell in code_cells(page()):
        source, solution = cell.source, solutions.get(cell.id)
        if solution:
            source = solution + source.rstrip().rsplit("\n", 1)[1]
        results[cell.id] = result_of(source, names)
    return results


def test_the_workbook_that_is_solved_writes_the_text_of_the_book_and_trains():
    results = solved_workbook()
    written = written_by_reader()
    assert {results[cell.id] for cell, _ in written.values()} == {"correct"}
    table = results["progress"]
    assert list(table.index) == list(written)
    assert set(table["solved"]) == {"✓"}
    shown = {cell.id: cell.source for cell in page().cells}
    said = results["own-gpt-write"]
    assert "48 of 48 tokens are the book's" in said
    first, _, text = re.sub(r"\de-\d\d", "7e-07", said).partition("\n")
    assert f"{first}\n\n```text\n{text}\n```" in shown["own-gpt-reading"]
    losses = re.findall(r"^ *(\d+)  (\d\.\d\d)$", results["own-training-run"], re.M)
    assert float(losses[-1][1]) < float(losses[0][1]) - 2
    said = " ".join(results["own-training-run"].split("\n")[1:3])
    counted = [float(found) for found in re.findall(r" (\d\.\d\d)", said)]
    assert len(counted) == 5
    assert counted[3] < float(losses[-1][1]) < counted[2]  # as the page says: 2 tokens are better


def test_the_workbook_that_is_not_solved_says_what_is_left():
    outputs = {cell.id: cell.outputs[0].data for cell in code_cells(page()) if cell.outputs}
    assert outputs["own-gpt-write"]["text/plain"].startswith("still left: softmax, layer_norm, ")
    assert "✓" not in outputs["progress"]["text/plain"]
    assert len(written_by_reader()) >= 15


def width(line):
    """Return the columns that a line takes; a Japanese character takes two."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in line)
