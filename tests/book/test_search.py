"""Search as a reader meets it: a query is typed, and the right page is among the first three.

tests/queries.csv holds what readers would type and the page that they are after.
"""

import csv
import json
import re
import unicodedata
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

QUERIES = Path(__file__).resolve().parents[1] / "queries.csv"
FIRST = 3
ENOUGH = 0.95
WITHOUT_TEXT = {"genindex", "search"}
NUMBER = r"(?<![\w.,-])(?:\d{1,3}(?:,\d{3})+|\d+\.\d+|\d{3,})(?![\w.,])"
PLACES = {  # where a number may stand
    "a card": r'<p class="chapter-number">.*?</p>',
    "a table": r'<td class="[^"]*number[^"]*">.*?</td>',
    "a figure": r"<text\b.*?</text>",
    "what is folded": r"<details\b.*?</details>",
}


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


def articles(site, edition):
    """Return {page: HTML of its article} of the pages that have one."""
    return {
        path.stem: path.read_text(encoding="utf-8").partition("<article")[2]
        for path in sorted((site / edition).glob("*.html"))
        if path.stem not in WITHOUT_TEXT
    }


def numbers_of(site, edition):
    """Return {number as a page writes it: pages}, all of a thousand or more, or with a point."""
    found = {}
    for page, article in articles(site, edition).items():
        text = re.sub(r"<(script|style|noscript|math)\b.*?</\1>", " ", article, flags=re.DOTALL)
        text = re.sub("<[^>]*>", " ", text.partition("</article>")[0])
        for number in re.findall(NUMBER, text):
            found.setdefault(number, set()).add(page)
    return found


def assert_marked(page, name, number):
    """Assert that the excerpt of a page marks a number, with or without its commas."""
    item = page.locator(f'ul.search > li:has(> a[href^="{name}.html"])').first
    digits = re.compile(f"^{number.replace(',', ',?')}$")
    item.locator(".context .highlighted", has_text=digits).first.wait_for()


@pytest.mark.parametrize("edition", ["ja", "en"])
def test_the_index_holds_every_number_of_every_page(site, edition):
    numbers = numbers_of(site, edition)
    written = (site / edition / "searchindex.js").read_text(encoding="utf-8")
    index = json.loads(written.partition("(")[2].rstrip().removesuffix(")"))
    lost = {
        number: lacking
        for number, pages in numbers.items()
        if (lacking := pages - holders(index, number.replace(",", "")))
    }
    assert {"index", "api_training", "where"} <= set().union(*numbers.values())
    assert len(numbers) > 1000
    assert lost == {}


def holders(index, term):
    """Return the names of the pages that hold a term, in their text or in a title."""
    numbers = [index[table].get(term, []) for table in ("terms", "titleterms")]
    flat = [n for part in numbers for n in (part if isinstance(part, list) else [part])]
    return {index["docnames"][n] for n in flat}


@pytest.mark.parametrize("edition", ["ja", "en"])
def test_a_number_is_found_and_marked_as_it_is_written_and_without_its_commas(
    page, site, address, edition
):
    numbers = numbers_of(site, edition)
    signed = [next(number for number in numbers if sign in number) for sign in ",."]
    for number in {*signed, *list(numbers)[::120]}:
        pages = numbers[number]
        for query in {number, number.replace(",", "")}:
            assert pages <= set(search(page, f"{address}/{edition}/search.html", query)), query
            assert_marked(page, min(pages), number)


@pytest.mark.parametrize("edition", ["ja", "en"])
@pytest.mark.parametrize("place", PLACES)
def test_a_number_is_found_and_marked_wherever_it_stands(page, site, address, edition, place):
    found = [
        (name, number)
        for name, article in articles(site, edition).items()
        for part in re.findall(PLACES[place], article, re.DOTALL)
        for number in re.findall(NUMBER, re.sub("<[^>]*>", " ", part))
    ]
    name, number = max(found, key=lambda pair: "," in pair[1])
    assert "," in number or place == "what is folded"
    for query in (number, number.replace(",", "")):
        assert name in search(page, f"{address}/{edition}/search.html", query)
        assert_marked(page, name, number)


@pytest.mark.parametrize("edition", ["ja", "en"])
@pytest.mark.parametrize("query", ["50257", "50,257", "124439808", "124,439,808", "５０２５７"])
def test_a_number_is_marked_in_the_excerpts_as_the_text_writes_it(page, address, edition, query):
    assert search(page, f"{address}/{edition}/search.html", query) != []
    digits = {"5": "50,?257", "1": "124,?439,?808"}[unicodedata.normalize("NFKC", query)[0]]
    page.locator(".search .highlighted", has_text=re.compile(f"^{digits}$")).first.wait_for()


@pytest.mark.parametrize("edition", ["ja", "en"])
@pytest.mark.parametrize("part", [".hero-ghost", ".hero-lead", ".chapter-number > span"])
def test_the_words_of_the_hero_and_of_the_cards_are_found(page, address, edition, part):
    page.goto(f"{address}/{edition}/index.html")
    query = page.locator(part).first.text_content().strip().split("\n")[0]
    assert len(query) > 10
    assert "index" in search(page, f"{address}/{edition}/search.html", query)
    item = page.locator('ul.search > li:has(> a[href^="index.html"])').first
    item.locator(".context .highlighted", has_text=query).first.wait_for()


@pytest.mark.parametrize("edition", ["ja", "en"])
def test_a_cited_work_is_found_by_its_title(page, address, edition):
    title = "Training Compute-Optimal Large Language Models"
    search(page, f"{address}/{edition}/search.html", title)
    link = page.locator("ul.search > li > a").first
    target = urlsplit(link.evaluate("(a) => a.href"))
    assert Path(target.path).stem == "references"
    link.click()
    assert title in page.locator(f"#{target.fragment}").inner_text()


def test_a_word_that_the_book_lacks_is_not_found(page, address):
    assert search(page, f"{address}/ja/search.html", "量子力学") == []
    assert search(page, f"{address}/en/search.html", "zyzzyva") == []


def test_excerpts_show_the_word_that_was_asked_for(page, address):
    search(page, f"{address}/ja/search.html", "ウォームアップ")
    page.locator(".search .context", has_text="ウォームアップ").first.wait_for()


def test_excerpts_begin_where_the_whole_query_stands_and_not_where_one_word_does(page, address):
    search(page, f"{address}/en/search.html", "gradient accumulation")
    page.locator(".search .context .highlighted", has_text="radient accumulation").first.wait_for()
    search(page, f"{address}/ja/search.html", "重みの共有")
    page.locator(".search .context .highlighted", has_text="重みの共有").first.wait_for()
