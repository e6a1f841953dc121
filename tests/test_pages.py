"""The built book in a real browser: every page of both editions, from a server and from disk."""

import re
from dataclasses import dataclass, field
from urllib.parse import urljoin, urlsplit

import pytest

from tests.browser import EDITIONS, OVERFLOW, find_faults, page_names
from tests.tour import is_listing

TWIN = {"ja": "en", "en": "ja"}
JAPANESE = re.compile("[ぁ-んァ-ヶ一-龯]")
FACTS = """() => {
  const all = (selector) => [...document.querySelectorAll(selector)];
  const value = (selector, name) => all(selector).map((element) => element.getAttribute(name));
  const chrome = all("[title], [aria-label], [placeholder]").filter((e) => !e.closest("article"));
  const link = (element) => [element.getAttribute("hreflang"), element.getAttribute("href")];
  const page = (element) => [element.hreflang, new URL(element.href).pathname.slice(1)];
  return {
    lang: document.documentElement.lang,
    switches: all("a.language-switch").map(link),
    alternates: Object.fromEntries(all("link[rel=alternate][hreflang]").map(page)),
    words: ["title", "aria-label", "placeholder"].flatMap((name) =>
      chrome.map((element) => element.getAttribute(name))),
    bare_images: all(".bd-article img").filter((image) => !image.getAttribute("alt") ||
      !image.closest("figure")?.querySelector("figcaption")?.innerText.trim()).length,
    links: value("a[href], link[href]", "href"),
  };
}"""


@dataclass
class Visit:
    """What one page did and said when it was opened."""

    facts: dict
    outside: list = field(default_factory=list)
    errors: list = field(default_factory=list)
    axe: list = field(default_factory=list)
    overflow: int = 0


def listen(page, own):
    """Return the lists that fill with requests to other addresses, and with errors."""
    outside, errors = [], []
    page.on("request", lambda r: r.url.startswith((own, "data:", "blob:")) or outside.append(r.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda m: m.type == "error" and errors.append(m.text))
    return outside, errors


def visit(page, url):
    """Return the facts, and axe's findings in light on a desk and in dark on a phone.

    Axe looks at one listing of source, and of names, per edition: they are alike but for the code.
    """
    page.set_viewport_size({"width": 1280, "height": 900})
    page.emulate_media(color_scheme="light")
    page.goto(url)
    facts = page.evaluate(FACTS)
    findings = [] if is_listing(url) else find_faults(page)
    page.emulate_media(color_scheme="dark")
    page.set_viewport_size({"width": 360, "height": 800})
    page.wait_for_function("document.documentElement.dataset.theme === 'dark'")
    page.wait_for_timeout(400)  # the theme waits 300 ms before it looks for boxes that scroll
    overflow = page.evaluate(OVERFLOW)
    findings += [] if is_listing(url) else find_faults(page)
    return Visit(facts, axe=findings, overflow=overflow)


@pytest.fixture(scope="module")
def visits(browser, site, address):
    """Open every page from the server once and note what the tests ask about."""
    context = browser.new_context()
    page, noted = context.new_page(), {}
    outside, errors = listen(page, address)
    for name in page_names(site):
        noted[name] = visit(page, f"{address}/{name}")
        noted[name].outside, noted[name].errors = outside[:], errors[:]
        outside.clear(), errors.clear()
    context.close()
    return noted


def failing(visits, fault):
    """Return {page: fault} of the pages that have one."""
    return {name: fault(noted) for name, noted in visits.items() if fault(noted)}


def test_both_editions_have_the_same_pages(site):
    names = {edition: {n[3:] for n in page_names(site) if n[:2] == edition} for edition in EDITIONS}
    assert names["ja"] == names["en"]
    assert {"index.html", "references.html", "api.html", "search.html"} <= names["ja"]


def test_no_page_asks_another_host(visits):
    assert failing(visits, lambda noted: noted.outside) == {}


def test_no_page_reports_an_error(visits):
    assert failing(visits, lambda noted: noted.errors) == {}


def test_pages_opened_from_disk_ask_nothing_and_report_nothing(page, site):
    outside, errors = listen(page, "file://")
    for name in page_names(site):
        page.goto((site / name).as_uri())
        assert (outside, errors) == ([], []), name


def test_each_page_names_its_language(visits):
    assert {name: noted.facts["lang"] for name, noted in visits.items()} == {
        n: n[:2] for n in visits
    }


def test_the_language_switch_lands_on_the_twin(visits):
    for name, noted in visits.items():
        [(language, href)] = noted.facts["switches"]
        assert (language, urljoin(name, href)) == (TWIN[name[:2]], twin(name))


def twin(name):
    """Return the page that the switch should lead to; source listings have none of their own."""
    there = TWIN[name[:2]] + name[2:]
    return there if "_modules" not in name else f"{TWIN[name[:2]]}/index.html"


def test_a_click_on_the_language_switch_opens_the_other_edition(page, address):
    page.goto(f"{address}/ja/references.html")
    page.click("a.language-switch")
    assert page.url == f"{address}/en/references.html"
    assert page.get_attribute("html", "lang") == "en"


def test_each_page_names_its_alternates(visits):
    for name, noted in visits.items():
        found = set(noted.facts["alternates"].values())
        assert "_modules" in name or found == {name, twin(name)}


def test_every_link_inside_the_book_leads_to_a_file(visits, site):
    for name, noted in visits.items():
        local = [link for link in noted.facts["links"] if not urlsplit(link).scheme]
        targets = {urlsplit(urljoin(name, link)).path for link in local}
        assert [target for target in targets if not (site / target).exists()] == [], name


def test_interface_words_are_japanese_in_the_japanese_edition(visits):
    known = re.compile(r"|.*(API|Colab|GPT|\.ipynb|\.md).*")
    pages = {name: noted for name, noted in visits.items() if name.startswith("ja/")}
    assert failing(pages, lambda noted: english(noted.facts["words"], known)) == {}


def english(words, known):
    """Return the words that hold no Japanese and are not names."""
    return [w for w in words if w and not JAPANESE.search(w) and not known.fullmatch(w)]


def test_no_page_scrolls_sideways_on_a_phone(visits):
    assert failing(visits, lambda noted: noted.overflow) == {}


def test_axe_finds_nothing_in_light_or_dark(visits):
    assert failing(visits, lambda noted: noted.axe) == {}


def test_every_image_has_alt_text_and_a_caption(visits):
    assert failing(visits, lambda noted: noted.facts["bare_images"]) == {}


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
