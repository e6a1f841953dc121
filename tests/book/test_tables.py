"""Tables of data frames: their numbers as people write them, their headings, their captions."""

import re

import pandas as pd
import pytest
from docutils import nodes
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.book import ROOT, notebooks, read_notebook
from theme.numbers import is_number, share_of_numbers, write, write_column
from theme.tables import LANDSCAPE, lift_caption, read_table

WRITTEN = {
    "124439808": "124,439,808",
    "1024": "1,024",
    "999": "999",
    "2395.7": "2,395.7",
    "0.117": "0.117",
    "-0.9": "−0.9",
    "+0": "+0",
    "-1,536": "−1,536",
    "-10.0%": "−10.0%",
    "174600M": "174,600M",
    "1.252e+08": "1.25 × 10⁸",
    "3.4e+38": "3.4 × 10³⁸",
    "9.999e+11": "1.00 × 10¹²",
    "3e+11": "3 × 10¹¹",
    "1e+18": "10¹⁸",
    "-1.2e-38": "−1.2 × 10⁻³⁸",
    "inf": "∞",
    "-inf": "−∞",
    "1.1e+05 - 1.2e+05": "1.1 × 10⁵ – 1.2 × 10⁵",
    "3.84 - 3.87": "3.84–3.87",
    # What is no number stays.
    "": "",
    "1e-3": "1e-3",
    "2019-02": "2019-02",
    "(1, 5, 1000)": "(1, 5, 1000)",
    "GPT-3 175B": "GPT-3 175B",
    "llm-jp-3-172b": "llm-jp-3-172b",
    "undisclosed": "undisclosed",
}
RAW = r"(?!20[0-3]\d$)\d{4,}|\d[\d.]*e[-+]\d\d+|nan|NaN|<NA>|NaT|True|False|-[\d.,]+%?|-?inf"


@pytest.mark.parametrize(("text", "written"), WRITTEN.items(), ids=WRITTEN)
def test_a_number_is_written_for_people_and_a_word_is_left(text, written):
    assert write(text) == written


@given(st.integers())
def test_no_digit_of_a_whole_number_changes(number):
    assert int(write(str(number)).replace(",", "").replace("−", "-")) == number


@given(st.floats(1e5, 1e300))
def test_a_power_of_ten_keeps_the_value_to_three_digits(number):
    mantissa, _, power = write(f"{number:.3e}").rpartition("10")
    power = power.translate(str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789"))
    assert float(f"{mantissa.rstrip(' ×') or 1}e{power}") == pytest.approx(number, rel=0.006)


def test_a_column_writes_out_its_powers_of_ten_where_all_are_small():
    assert write_column(["694", "5e+03", "1.39e+03", "1e+04"]) == [
        "694",
        "5,000",
        "1,390",
        "10,000",
    ]
    assert write_column(["6.6e+04", "3.4e+38"]) == ["6.6 × 10⁴", "3.4 × 10³⁸"]
    assert write_column(["1.2e-04", "3e-01"]) == ["0.00012", "0.3"]


def test_years_and_ids_have_no_commas_in_columns_or_in_rows():
    assert write_column(["2026", "12345"], "year") == ["2026", "12345"]
    assert write_column(["2026", "12345"], "GPT", ["released", "n_embd"]) == ["2026", "12,345"]


@pytest.mark.parametrize("gap", ["nan", "NaN", "<NA>", "NaT"])
def test_a_gap_is_a_dash(gap):
    assert write_column(["1", gap]) == ["1", "–"]
    assert write_column(["a", gap]) == ["a", "–"]


def test_none_is_a_gap_among_numbers_and_a_value_among_settings():
    assert write_column(["1", "None"]) == ["1", "–"]
    assert write_column(["gelu", "1", "2", "None"]) == ["gelu", "1", "2", "None"]


def test_a_column_is_of_numbers_where_most_of_what_it_says_is():
    assert share_of_numbers(["0.117", "undisclosed", "671.026", "nan", ""]) == pytest.approx(2 / 3)
    assert share_of_numbers(["nan", "None"]) == 0


def rows_of(frame, language="en"):
    """Return the texts of the rows of a data frame's table."""
    table = read_table(frame.to_html(), language)
    return [[entry.astext() for entry in row] for row in table.findall(nodes.row)]


def test_a_numeric_column_with_a_word_in_it_and_an_index_of_numbers_are_aligned():
    index = pd.Index([64, 1024], name="T")
    frame = pd.DataFrame({"N": ["0.117", "undisclosed"], "D": [1, 2], "by": ["a", "b"]}, index)
    frame.loc[2048] = ["0.355", 3, "c"]
    table = read_table(frame.to_html())
    marked = [["number" in entry["classes"] for entry in row] for row in table.findall(nodes.row)]
    assert marked == [[True, True, True, False]] * 4


def test_a_truth_is_a_mark_for_who_sees_and_a_word_for_who_listens():
    table = read_table(pd.DataFrame({"inside": [True, False]}, index=["p", "q"]).to_html())
    cells = [row[1] for row in table.findall(nodes.row)][1:]
    assert [next(cell.findall(nodes.raw)).astext()[-8:-7] for cell in cells] == ["✓", "✗"]
    assert [next(cell.findall(nodes.inline)).astext() for cell in cells] == ["yes", "no"]
    assert all('aria-hidden="true"' in next(cell.findall(nodes.raw)).astext() for cell in cells)


def test_headings_are_words_of_the_page_and_code_stays_code():
    frame = pd.DataFrame({"held out loss": [1], "n_params": [2], "N (1e9)": [3]}, index=["q"])
    assert rows_of(frame, "ja")[0] == ["", "評価用の損失", "n_params", "N (10⁹)"]
    assert rows_of(frame, "en")[0] == ["", "held out loss", "n_params", "N (10⁹)"]


def test_a_wide_table_is_printed_across_and_a_narrow_one_is_not():
    wide = pd.DataFrame({f"column {i}": ["of ten letters"] for i in range(9)})
    assert LANDSCAPE in read_table(wide.to_html())["classes"]
    assert LANDSCAPE not in read_table(wide.iloc[:, :4].to_html())["classes"]


def test_a_caption_comes_out_of_the_box_that_scrolls_and_names_the_table():
    table = '<table class="table" id="t"><caption>Cap.</caption>\n<tr></tr></table>'
    lifted = lift_caption(f'<div class="box">{table}</div>', is_wide=True)
    title = '<figcaption id="t-caption"><p>Cap.</p></figcaption>'
    assert lifted.startswith(f'<figure class="table-figure landscape" id="t">{title}\n<div')
    assert '<table class="table" aria-labelledby="t-caption"><tr>' in lifted
    assert lift_caption("<table></table>", is_wide=True) == "<table></table>"


def frames():
    """Return {cell: HTML} of the data frames of the book."""
    found = {}
    for path in notebooks("ja"):
        for cell in read_notebook(path).cells:
            for output in cell.get("outputs", []):
                html = output.get("data", {}).get("text/html", "")
                if 'class="dataframe"' in html:
                    found[f"{path.stem} {cell['id']}"] = html
    return found


@pytest.mark.parametrize("html", frames().values(), ids=frames())
def test_no_cell_of_the_book_is_as_pandas_writes_it(html):
    texts = [entry.astext() for entry in read_table(html, "ja").findall(nodes.entry)]
    assert [text for text in texts if re.fullmatch(RAW, text)] == []
    assert [text for text in texts if is_number(text) and "-" in text] == []


def test_the_words_of_headings_are_not_those_of_code():
    heads = (ROOT / "gpt_helpers/figures/words.csv").read_text("utf-8").splitlines()[1:]
    assert [row for row in heads if re.match(r"\w+_\w+,", row)] == []
