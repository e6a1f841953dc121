"""What a reader does with the built book: opens it from disk, searches, changes the edition."""

import re

import pytest

from tests.helpers.browser import EDITIONS, page_names


def listen(page, own):
    """Return the lists that fill with requests to other addresses, and with errors."""
    outside, errors = [], []
    page.on("request", lambda r: r.url.startswith((own, "data:", "blob:")) or outside.append(r.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda m: m.type == "error" and errors.append(m.text))
    return outside, errors


def test_both_editions_have_the_same_pages(site):
    names = {edition: {n[3:] for n in page_names(site) if n[:2] == edition} for edition in EDITIONS}
    assert names["ja"] == names["en"]
    assert {"index.html", "references.html", "api.html", "search.html"} <= names["ja"]


def test_pages_opened_from_disk_ask_nothing_and_report_nothing(page, site):
    outside, errors = listen(page, "file://")
    for name in page_names(site):
        page.goto((site / name).as_uri())
        assert (outside, errors) == ([], []), name


def test_a_click_on_the_language_switch_opens_the_other_edition(page, address):
    page.goto(f"{address}/ja/references.html")
    page.click("a.language-switch")
    assert page.url == f"{address}/en/references.html"
    assert page.get_attribute("html", "lang") == "en"


def search(page, url, query):
    """Type a query into the search page and return the addresses that it finds."""
    page.goto(url)
    page.fill("main input[name=q]", query)
    page.press("main input[name=q]", "Enter")
    page.wait_for_function("!document.querySelector('#search-results h2')?.innerText.endsWith('.')")
    page.wait_for_selector("#search-results .search-summary:not(:empty)", state="attached")
    return page.eval_on_selector_all(
        "#search-results ul.search > li a", "e => e.map((a) => a.href)"
    )


def compounds(site):
    """Return {page: the middle of its longest run of kanji} of the Japanese edition."""
    runs = {}
    for path in (site / "ja").glob("*.html"):
        _, _, article = path.read_text(encoding="utf-8").partition("<article")
        longest = max(
            re.findall("[一-龯]+", article.partition("</article>")[0]), key=len, default=""
        )
        if len(longest) >= 4 and path.name != "genindex.html":  # the index lists, it is not found
            runs[path.name] = longest[1:-1]
    return runs


@pytest.mark.parametrize("from_disk", [False, True], ids=["from a server", "from disk"])
def test_japanese_search_finds_words_inside_compounds(page, site, address, from_disk):
    outside, errors = listen(page, "file://" if from_disk else address)
    url = f"{site.as_uri() if from_disk else address}/ja/search.html"
    queries = compounds(site)
    assert queries
    for name, query in queries.items():
        assert any(f"/ja/{name}" in link for link in search(page, url, query)), query
    assert search(page, url, "注意") != []
    assert "件のページが見つかった" in page.inner_text(".search-summary")
    assert (outside, errors) == ([], [])


@pytest.mark.parametrize("from_disk", [False, True], ids=["from a server", "from disk"])
def test_english_search_finds_attention(page, site, address, from_disk):
    url = f"{site.as_uri() if from_disk else address}/en/search.html"
    assert any("/en/" in link for link in search(page, url, "attention"))
    assert search(page, url, "zyzzyva") == []


def test_hidden_code_opens_and_closes(page, site, address):
    names = [n for n in page_names(site) if "<details" in (site / n).read_text(encoding="utf-8")]
    for name in names:
        page.goto(f"{address}/{name}")
        for summary in page.locator("article details > summary").all():
            before = summary.evaluate("(summary) => summary.parentElement.open")
            summary.press("Enter")
            assert summary.evaluate("(summary) => summary.parentElement.open") is not before


@pytest.mark.parametrize(("locale", "edition"), [("ja-JP", "ja"), ("en-GB", "en"), ("fr-FR", "en")])
def test_the_root_page_leads_to_the_edition_of_the_browsers_language(
    browser, address, locale, edition
):
    with browser.new_context(locale=locale) as context:
        page = context.new_page()
        page.goto(f"{address}/")
        page.wait_for_url(f"{address}/{edition}/index.html")


def test_the_root_page_has_plain_links_without_javascript(browser, address):
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(f"{address}/")
        page.click("text=日本語")
        assert page.url == f"{address}/ja/index.html"


@pytest.mark.parametrize("missing", ["missing.html", "book/ja/a/missing.html"])
def test_the_page_for_missing_addresses_leads_back(page, site, address, missing):
    page.route(f"**/{missing}", lambda route: route.fulfill(path=site / "404.html"))
    page.goto(f"{address}/{missing}")
    root = f"{address}/{missing.split('ja/')[0]}" if "ja/" in missing else f"{address}/"
    assert page.locator("a").first.evaluate("(link) => link.href") == f"{root}ja/index.html"
