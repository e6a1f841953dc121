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


def solved(edition="en"):
    """Return {name: object} after the first cell of the page and all of its solutions."""
    names = {}
    solutions = [solution for _, solution in written_by_reader(edition).values()]
    exec("\n".join([code_cells(page(edition))[0].source, *solutions]), names)
    return names


@functools.cache
def signature_of(name):
    """Return what stands in the brackets of a function of the page, with the brackets."""
    return NAME.match(written_by_reader()[name][0].source)[2]


def written(name, body):
    """Return the function of this name whose body returns an expression, with others solved.

    The lines before the last one of body are statements.
    """
    *statements, expression = body.strip().split("\n")
    lines = [f"def {name}{signature_of(name)}:", *statements, f"return {expression}"]
    names = solved()
    exec("\n    ".join(lines), names)
    return names[name]
