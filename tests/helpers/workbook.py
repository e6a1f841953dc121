"""The page on which a reader writes a GPT, with its solutions in place of what is left to write."""

import functools
import itertools
import re

from tests.helpers.book import CHAPTERS, code_cells, read_notebook, tags

LISTING = re.compile(r"```python\n(.*?)```", re.S)


def solution_listings(edition):
    """Return the solution of each exercise of the workbook in an edition, in their order."""
    cells = read_notebook(CHAPTERS / edition / "workbook.ipynb").cells
    pairs = [(cell, after) for cell, after in itertools.pairwise(cells) if "exercise" in tags(cell)]
    return [LISTING.search(after.source)[1] for _, after in pairs]


@functools.cache
def solved_names(edition="en"):
    """Return {name: object} of what a reader has who has written every solution; change none."""
    names = {}
    first = code_cells(read_notebook(CHAPTERS / edition / "workbook.ipynb"))[0].source
    exec(re.sub(r"^language\.use.*$", "", first, flags=re.M), names)
    for listing in solution_listings(edition):
        exec(listing, names)
    return names
