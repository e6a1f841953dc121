"""Tables that a reader can sort and filter: with a mouse, by keyboard, and without a script."""

from pathlib import Path

import pytest
from docutils import nodes
from docutils.utils import new_document

from tests.helpers.browser import find_faults
from theme.tables import SORTABLE, DataFrames

SCRIPT = Path(__file__).resolve().parents[2] / "theme/static/sortable.js"
ROWS = {
    "GPT-2": ("2019-02", "0.124"),
    "GPT-4": ("2023-03", "undisclosed"),
    "GPT-3": ("2020-05", "1,750"),
    "Gemma": ("2020", "9.24"),
    "LLM-jp": ("2026", ""),
}
ORDER = """() => [...document.querySelectorAll("tbody tr")].filter((row) => !row.hidden)
  .map((row) => row.cells[0].textContent)"""


@pytest.fixture(params=["ja", "en"])
def edition(request, page):
    """Return the page with a table, as an edition shows it."""
    rows = "".join(
        f"<tr><th>{name}</th>{''.join(f'<td><p>{text}</p></td>' for text in texts)}</tr>"
        for name, texts in ROWS.items()
    )
    head = "".join(f"<th><p>{name}</p></th>" for name in ("model", "released", "N"))
    page.set_content(
        f"<!doctype html><html lang={request.param}><title>t</title><main><h1>t</h1><table"
        f" class=sortable><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></main></html>"
    )
    page.add_script_tag(path=SCRIPT)
    return page


def order(page):
    """Return the names of the rows that are shown, from the top."""
    return page.evaluate(ORDER)


def press(page, column):
    """Press the button of a column, and return what its header says of the order."""
    page.locator("th button").nth(column).click()
    return page.locator("thead th").nth(column).get_attribute("aria-sort")


def test_numbers_are_sorted_as_numbers_words_after_them_and_blanks_last(edition):
    assert press(edition, 2) == "ascending"
    assert order(edition) == ["GPT-2", "Gemma", "GPT-3", "GPT-4", "LLM-jp"]
    assert press(edition, 2) == "descending"
    assert order(edition) == ["GPT-3", "Gemma", "GPT-2", "GPT-4", "LLM-jp"]


def test_dates_are_sorted_as_texts_even_where_one_is_a_year(edition):
    press(edition, 1)
    assert order(edition) == ["GPT-2", "Gemma", "GPT-3", "GPT-4", "LLM-jp"]


def test_only_one_column_says_that_it_is_sorted(edition):
    press(edition, 2)
    press(edition, 0)
    assert edition.locator("[aria-sort]").count() == 1
    assert order(edition) == ["Gemma", "GPT-2", "GPT-3", "GPT-4", "LLM-jp"]


def test_the_keyboard_sorts_and_filters(edition):
    edition.keyboard.press("Tab")
    edition.keyboard.type("gpt")
    assert order(edition) == ["GPT-2", "GPT-4", "GPT-3"]
    edition.keyboard.press("Tab")
    edition.keyboard.press("Enter")
    assert order(edition) == ["GPT-2", "GPT-3", "GPT-4"]


def test_the_number_of_rows_that_are_left_is_said(edition):
    edition.locator("input").fill("undisclosed")
    said = edition.locator("output").inner_text()
    assert "1" in said
    assert "5" in said
    edition.locator("input").fill("")
    assert order(edition) == list(ROWS)


def test_every_control_has_a_name_and_axe_finds_no_fault(edition):
    names = edition.locator("th button").evaluate_all("(b) => b.map((x) => x.ariaLabel)")
    assert ["model" in names[0], "released" in names[1], "N" in names[2]] == [True] * 3
    assert find_faults(edition) == []


def table_of(classes):
    """Return a table that has taken the caption of a figure with these classes."""
    table = nodes.table()
    DataFrames(new_document("page")).take_caption(table, nodes.figure(classes=classes))
    return table


def test_a_table_is_sortable_where_its_cell_says_so():
    assert table_of([SORTABLE, "wide"])["classes"] == [SORTABLE]
    assert table_of([])["classes"] == []
