"""Search as a reader meets it: a query is typed, and the right page is among the first three.

tests/queries.csv holds what readers would type and the page that they are after.
"""

import csv
import re
import unicodedata
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

QUERIES = Path(__file__).resolve().parents[1] / "queries.csv"
FIRST = 3
ENOUGH = 0.95
LISTS = {"genindex", "where", "search", "references"}


def read_queries():
    """Return the rows of queries.csv."""
    with QUERIES.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def search(page, url, query):
    """Type a query into the search page at url and return the names of the pages found."""
    if urlsplit(page.url)[:3] != urlsplit(url)[:3]:
        page.goto(url)
    page.fill("main input[name=q]", query)
    page.press("main input[name=q]", "Enter")
    page.wait_for_url(lambda url: parse_qs(urlsplit(url).query).get("q") == [query])
    page.wait_for_selector("#search-results .search-summary:not(:empty)", state="attached")
    links = page.eval_on_selector_all("ul.search > li > a", "all => all.map((a) => a.href)")
    return [Path(urlsplit(link).path).stem for link in links]


def missed(page, root, queries):
    """Return {query: pages found} of the queries whose page is not among the first."""
    found = {
        (row["edition"], row["query"]): search(
            page, f"{root}/{row['edition']}/search.html", row["query"]
        )
        for row in queries
    }
    rows = {(row["edition"], row["query"]): row["page"] for row in queries}
    return {query: pages[:5] for query, pages in found.items() if rows[query] not in pages[:FIRST]}


@pytest.mark.parametrize(("edition", "least"), [("ja", 40), ("en", 20)])
def test_readers_find_their_page_among_the_first_three(page, address, edition, least):
    queries = [row for row in read_queries() if row["edition"] == edition]
    assert len({row["query"] for row in queries}) == len(queries) >= least
    misses = missed(page, address, queries)
    assert len(misses) <= (1 - ENOUGH) * len(queries), misses


def test_readers_find_their_page_from_disk_too(page, site):
    queries = read_queries()[::8]
    assert {row["edition"] for row in queries} == {"ja", "en"}
    misses = missed(page, site.as_uri(), queries)
    assert len(misses) <= (1 - ENOUGH) * len(queries), misses


def test_a_heading_comes_before_the_pages_that_only_mention_it(page, address):
    url = f"{address}/ja/search.html"
    search(page, url, "因果マスク")
    first = page.locator("ul.search > li > a").first
    assert "因果マスク" in first.inner_text()
    first.click()
    assert urlsplit(page.url).path.endswith(("architecture.html", "notation.html"))
    assert urlsplit(page.url).fragment


@pytest.mark.parametrize(
    ("spelling", "other"),
    [
        ("パラメータ", "パラメーター"),
        ("ウォームアップ", "ウォーム・アップ"),
        ("KV", "ＫＶ"),
        ("トークナイザー", "ﾄｰｸﾅｲｻﾞ"),
    ],
)
def test_spellings_of_a_word_find_the_same_pages(page, address, spelling, other):
    url = f"{address}/ja/search.html"
    assert search(page, url, spelling) == search(page, url, other) != []


def numbers_of(site, edition):
    """Return {number as a page writes it: pages}, every 60th of all numbers of a thousand or more,
    with a point, or with an exponent, in the articles."""
    found = {}
    for path in sorted((site / edition).glob("*.html")):
        if path.stem in LISTS | {"index"} or path.stem.startswith("api"):  # its cards are no text
            continue
        _, _, article = path.read_text(encoding="utf-8").partition("<article")
        article = re.sub(r"<(script|style|svg|math)\b.*?</\1>", " ", article, flags=re.S)
        article = re.sub(r'<span class="(caption|section)-number.*?</span>', " ", article)
        for number in re.findall(r"(?<![\w.,-])(?:\d{1,3}(?:,\d{3})+|\d+\.\d+|\d{3,})(?![\w.,])",
                                 re.sub("<[^>]*>", " ", article)):  # fmt: skip
            found.setdefault(number, set()).add(path.stem)
    return dict(list(found.items())[::60])


@pytest.mark.parametrize("edition", ["ja", "en"])
def test_every_number_is_found_as_it_is_written_and_without_its_commas(
    page, site, address, edition
):
    numbers = numbers_of(site, edition)
    assert len(numbers) > 10
    assert any("," in number for number in numbers)
    assert any("." in number for number in numbers)
    for number, pages in numbers.items():
        for query in {number, number.replace(",", "")}:
            assert pages <= set(search(page, f"{address}/{edition}/search.html", query)), query


@pytest.mark.parametrize("edition", ["ja", "en"])
@pytest.mark.parametrize("query", ["50257", "50,257", "124439808", "124,439,808", "５０２５７"])
def test_a_number_is_marked_in_the_excerpts_as_the_text_writes_it(page, address, edition, query):
    if (edition, query[:3]) == ("ja", "124"):
        pytest.skip("the excerpts of the Japanese edition begin elsewhere, a known fault")
    assert search(page, f"{address}/{edition}/search.html", query) != []
    digits = {"5": "50,?257", "1": "124,?439,?808"}[unicodedata.normalize("NFKC", query)[0]]
    page.locator(".search .highlighted", has_text=re.compile(f"^{digits}$")).first.wait_for()


def test_a_word_that_the_book_lacks_is_not_found(page, address):
    assert search(page, f"{address}/ja/search.html", "量子力学") == []
    assert search(page, f"{address}/en/search.html", "zyzzyva") == []


def test_excerpts_show_the_word_that_was_asked_for(page, address):
    search(page, f"{address}/ja/search.html", "ウォームアップ")
    page.locator(".search .context", has_text="ウォームアップ").first.wait_for()
