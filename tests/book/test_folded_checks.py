"""Cells that check something: one line in sight, the code behind it."""

from bs4 import BeautifulSoup
from docutils import nodes

from tests.helpers.book import ROOT, captions, code_cells, notebooks, read_notebook, tags
from theme.checks import Check, Checked, FoldChecks


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


def cell_document(metadata, *children):
    """Return a document of one code cell, as MyST-NB makes them."""
    document = nodes.document(None, None)
    document += nodes.container("", *children, nb_element="cell_code", cell_metadata=metadata)
    return document
