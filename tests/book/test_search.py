"""Search as a reader meets it: a query is typed, and the right page is among the first three.

tests/queries.csv holds what readers would type and the page that they are after.
"""

import csv
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

QUERIES = Path(__file__).resolve().parents[1] / "queries.csv"
FIRST = 3
ENOUGH = 0.95


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


def test_a_word_that_the_book_lacks_is_not_found(page, address):
    assert search(page, f"{address}/ja/search.html", "量子力学") == []
    assert search(page, f"{address}/en/search.html", "zyzzyva") == []


def test_excerpts_show_the_word_that_was_asked_for(page, address):
    search(page, f"{address}/ja/search.html", "ウォームアップ")
    page.locator(".search .context", has_text="ウォームアップ").first.wait_for()
