"""The workbook as tests read it: what a reader starts from, and the solutions that fold out."""

import functools
import itertools
import re

from tests.helpers.book import CHAPTERS, code_cells, read_notebook, tags

LISTING = re.compile(r"```python\n(.*?)```", re.S)
NAME = re.compile(r"def (\w+)(\(.*\)):")


def page(edition="en"):
    """Return the notebook of an edition."""
    return read_notebook(CHAPTERS / edition / "workbook.ipynb")


def written_by_reader(edition="en"):
    """Return {name of a function: (its cell, its solution)} in the order of the page."""
    return {
        NAME.match(cell.source)[1]: (cell, LISTING.search(following.source)[1])
        for cell, following in itertools.pairwise(page(edition).cells)
        if "exercise" in tags(cell)
    }


@functools.cache
def solved_names(edition="en"):
    """Return {name: object} of what a reader has who has written every solution; change none."""
    names = {}
    first = code_cells(page(edition))[0].source
    exec(re.sub(r"^language\.use.*$", "", first, flags=re.M), names)
    for _, solution in written_by_reader(edition).values():
        exec(solution, names)
    return names


def written(name, body):
    """Return the function of this name whose body returns an expression, with others solved.

    The lines before the last one of body are statements; the arguments are those of the page.
    """
    *statements, expression = body.strip().split("\n")
    arguments = NAME.match(written_by_reader()[name][0].source)[2]
    lines = [f"def {name}{arguments}:", *statements, f"return {expression}"]
    names = dict(solved_names())
    exec("\n    ".join(lines), names)
    return names[name]
