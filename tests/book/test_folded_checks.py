"""Cells that check something: one line in sight, the code behind it."""

import pytest
from docutils import nodes
from docutils.utils import new_document

from tests.helpers.book import captions, code_cells, notebooks, read_notebook
from tests.helpers.browser import EDITIONS
from theme.checks import Check, Checked, FoldChecks

FOLDED = """() => [...document.querySelectorAll("details.check")].map((box) => ({
  said: box.querySelector("summary").textContent, isOpen: box.open,
  code: box.querySelector(".cell_input")?.textContent ?? "",
  shown: box.querySelector(".cell_output pre")?.textContent.trim() ?? "",
}))"""


def cell_document(metadata, *children):
    """Return a document of one code cell, as MyST-NB makes them."""
    document = new_document("page")
    document += nodes.container("", *children, nb_element="cell_code", cell_metadata=metadata)
    return document


def test_a_check_is_a_sentence_with_its_cell_behind_it():
    code, output = nodes.literal_block("", "f() == 1"), nodes.literal_block("", "True")
    metadata = {"tags": ["check"], "mystnb": {"check": "`f()` is 1."}}
    document = cell_document(metadata, code, output)
    FoldChecks(document).apply()
    (fold,) = document.findall(Check)
    assert fold.children[1:] == [code, output]
    assert isinstance(fold[0], Checked)
    assert [type(part) for part in fold[0]] == [nodes.literal, nodes.Text]
    assert fold[0].astext() == "f() is 1."


def test_other_cells_stay_as_they_are():
    code = nodes.literal_block("", "1")
    document = cell_document({"tags": ["hide-input"]}, code)
    FoldChecks(document).apply()
    assert document[0].children == [code]


@pytest.mark.parametrize("edition", EDITIONS)
def test_every_check_of_a_page_is_one_closed_line_with_its_code_and_true_behind_it(
    page, site, edition
):
    found = 0
    for path in notebooks(edition):
        cells = [cell for cell in code_cells(read_notebook(path)) if "check" in captions(cell)]
        page.goto((site / edition / f"{path.stem}.html").as_uri())
        folds = page.evaluate(FOLDED)
        said = [captions(cell)["check"].replace("`", "").replace("'", "’") for cell in cells]
        assert [fold["said"] for fold in folds] == said
        assert not any(fold["isOpen"] for fold in folds)
        assert all(fold["code"] and fold["shown"] == "True" for fold in folds)
        found += len(folds)
    assert found
