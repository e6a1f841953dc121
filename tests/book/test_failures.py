"""What a reader meets when a part of a page fails: words, nothing that contradicts itself, and a
second try that works.

A file may not come, come damaged, or stop; a policy may forbid code; storage may be denied; a
browser may be old; the book may lie below another address, or on a disk.
"""

import re
from urllib.parse import quote

import pytest

from tests.book.test_chart_pages import chart_of
from tests.book.test_pages import listen
from tests.helpers.browser import EDITIONS, QuietHandler, page_names, serving

FAULTS = {
    "unavailable": {"status": 503, "body": "busy"},
    "a page in its place": {"status": 200, "content_type": "text/html", "body": "<p>Log in</p>"},
    "nothing": {"status": 200, "body": ""},
    "no answer": None,
}
LATER = ["vega", "live", "model", "bootstrap", "pydata-sphinx-theme"]
RESULT, CONTROL = ".chart-result", "input[type=range]"
AWAKE = "() => document.documentElement.hasAttribute('data-awake')"
SEARCHED = """() => !/^(検索中|Searching)/.test(
  document.querySelector("#search-results h2")?.innerText ?? "")"""
WRITES = {  # what a button of the panel says, and what the panel says when it cannot run
    "ja": ("モデルのファイル", "このモデルはここでは"),
    "en": ("The file of the model", "This model cannot run here"),
}


@pytest.fixture(params=EDITIONS)
def edition(request):
    """Return the language of an edition."""
    return request.param


def fail_once(page, pattern, fault):
    """Answer the first request for a file by a fault, and later ones as the server does."""
    asked = []

    def answer(route):
        asked.append(route.request.url)
        if len(asked) > 1:
            route.continue_()
        elif fault is None:
            route.abort()
        else:
            route.fulfill(**fault)

    page.route(re.compile(pattern), answer)
    return asked


def state(chart):
    """Return what a chart says: its result, its sliders and the numbers beside them."""
    return chart.evaluate(
        """(chart) => [
          chart.querySelector(".chart-result").textContent.replace(/\\s+/g, " "),
          [...chart.querySelectorAll("input, select")].map((control) => control.value),
          [...chart.querySelectorAll("output")].map((output) => output.value),
        ]"""
    )


def move(page, chart):
    """Move the first slider of a chart by one step, and wait until the chart has answered."""
    status, before = chart.locator(".chart-status"), state(chart)
    status.evaluate("(status) => { status.textContent = ''; }")
    chart.locator(CONTROL).first.press("ArrowRight")
    page.wait_for_function(
        "([chart, before]) => chart.querySelector('.chart-status').textContent"
        " || chart.querySelector('.chart-result').textContent.replace(/\\s+/g, ' ') !== before",
        arg=[chart.element_handle(), before[0]],
    )
    return status.text_content()


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_chart_whose_script_fails_says_so_stays_as_it_was_and_wakes_later(
    page, address, edition, fault
):
    asked = fail_once(page, r"/vega\.js", fault)
    page.goto(f"{address}/{edition}/scaling_laws.html")
    chart = chart_of(page, "loss")
    before = state(chart)
    chart.locator(CONTROL).focus()  # the first touch fetches, and fails
    page.wait_for_function("document.querySelector('.chart-status').textContent")
    assert "vega.js" in chart.locator(".chart-status").text_content()
    assert state(chart) == before
    assert move(page, chart) == ""
    after = state(chart)
    assert after[0] != before[0]
    assert float(after[1][0]) == float(after[2][0]) == float(before[1][0]) + 0.1
    exponent = float(re.search(r"C = ([\d.e+]+)", after[0])[1])
    assert exponent == pytest.approx(10 ** float(after[1][0]), rel=0.01)
    assert len(asked) == 2
    assert page.locator(".page-fault").count() == 0


def test_a_chart_that_cannot_be_drawn_goes_back_to_its_picture(page, address):
    page.goto(f"{address}/en/scaling_laws.html")
    chart = chart_of(page, "loss")
    before = state(chart)
    assert move(page, chart) == ""
    chart.evaluate("(chart) => { chart.view.runAsync = () => Promise.reject(new Error('why')); }")
    assert "(why)" in move(page, chart)
    assert state(chart) == before
    assert chart.locator(".chart-still.wide svg").is_visible()
    assert move(page, chart) == ""


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
@pytest.mark.parametrize("file", [r"/live\.js", r"/model\.safetensors"])
def test_a_model_whose_file_fails_says_so_and_loads_at_the_second_try(
    page, address, edition, file, fault
):
    fail_once(page, file, fault)
    page.goto(f"{address}/{edition}/index.html")
    box = page.locator(".live-model")
    button, status = box.locator(".live-start"), box.locator(".live-status")
    button.click()
    page.wait_for_function("!document.querySelector('.live-start[aria-disabled]')")
    assert status.text_content().startswith(WRITES[edition][0])
    button.click()
    box.locator(".live-next").wait_for(timeout=60_000)
    assert page.locator(".page-fault").count() == 0


def test_a_model_that_is_cut_off_on_its_way_is_missing_not_unable_to_run(page, address):
    page.add_init_script("""
      const read = ReadableStreamDefaultReader.prototype.read;
      window.cut = true;
      ReadableStreamDefaultReader.prototype.read = function () {
        return window.cut ? Promise.reject(new TypeError("network error")) : read.call(this);
      };
    """)
    page.goto(f"{address}/en/index.html")
    box = page.locator(".live-model")
    box.locator(".live-start").click()
    page.wait_for_function("document.querySelector('.live-status').textContent.includes('again')")
    assert box.locator(".live-status").text_content().startswith(WRITES["en"][0])
    page.evaluate("window.cut = false")
    box.locator(".live-start").click()
    box.locator(".live-next").wait_for(timeout=60_000)


BROKEN = {"at its beginning": "TextDecoder", "at its end": "HTMLElement.prototype.focus"}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
def test_a_panel_that_stops_on_its_way_keeps_its_button(page, address, edition, broken):
    page.goto(f"{address}/{edition}/index.html")
    page.evaluate(f"() => {{ window.whole = {broken}; {broken} = null; }}")
    box = page.locator(".live-model")
    before = box.inner_text()
    box.locator(".live-start").click()
    page.wait_for_function("!document.querySelector('.live-start[aria-disabled]')")
    assert box.locator(".live-status").text_content()
    assert box.inner_text().startswith(before)
    page.evaluate(f"() => {{ {broken} = window.whole; }}")
    box.locator(".live-start").click()
    box.locator(".live-next").wait_for(timeout=60_000)


@pytest.mark.parametrize("name", ["bootstrap", "pydata-sphinx-theme"])
def test_the_themes_scripts_are_asked_for_twice_before_their_buttons_are_given_up(
    page, address, edition, name
):
    asked = fail_once(page, rf"/scripts/{name}\.js", FAULTS["unavailable"])
    page.goto(f"{address}/{edition}/notation.html")
    page.wait_for_function(AWAKE)
    assert len(asked) == 2
    before = page.get_attribute("html", "data-mode")
    page.locator(".theme-switch-button:visible").first.click()
    assert page.get_attribute("html", "data-mode") != before
    assert page.locator(".page-fault").count() == 0
    page.route(re.compile(rf"/scripts/{name}\.js"), lambda route: route.abort())
    page.goto(f"{address}/{edition}/training.html")
    page.locator(".page-fault").wait_for()
    assert f"{name}.js" in page.locator(".page-fault").text_content()
    assert not page.locator(".theme-switch-button").first.is_visible()


# Pages that between them ask for every file of the book: of a chapter and of the search.
PARTS = {
    "training": [
        "doctools", "documentation_options", "sphinx_highlight", "clipboard.min", "copybutton",
        "sphinx-book-theme", "book", "design-tabs", "charts", "figures",
    ],
    "where": ["sortable"],
    "index": ["start"],
    "search": ["searchtools", "language_data", "searchindex", "search-weights", "search", "book"],
}  # fmt: skip
EACH_PART = [(page, name) for page, names in PARTS.items() for name in names]


def test_the_parts_that_fail_one_by_one_are_all_scripts_of_all_pages(site):
    found = set()
    for name in page_names(site):
        text = (site / name).read_text(encoding="utf-8")
        found |= set(re.findall(r'<script [^>]*src="(?:[^"]*/)?([^"/]+)\.js', text))
    assert found - {"first"} == {name for names in PARTS.values() for name in names}


@pytest.mark.parametrize(("page_name", "name"), EACH_PART)
@pytest.mark.parametrize("fault", ["no answer", "a page in its place"])
def test_a_page_names_the_part_that_fails(page, address, edition, page_name, name, fault):
    fail_once(page, rf"/{re.escape(name)}\.js", FAULTS[fault])
    query = "?q=softmax" if page_name == "search" else ""
    page.goto(f"{address}/{edition}/{page_name}.html{query}")
    page.locator(".page-fault").wait_for()
    said = page.locator(".page-fault").text_content()
    assert f"{name}.js" in said
    assert ("読み込み直す" in said) == (edition == "ja")
    if page_name == "search":
        page.wait_for_timeout(700)  # the dots behind "Searching" come every half second
        page.wait_for_function(SEARCHED)  # without book.js the search goes on, and may take longer
    page.reload()
    page.wait_for_function(AWAKE)
    assert page.locator(".page-fault").count() == 0
    if page_name == "search":
        page.locator("ul.search > li").first.wait_for()


# A policy, and storage.

POLICY = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:"


class StrictHandler(QuietHandler):
    """Serve pages that may run no code but the files of the book."""

    def end_headers(self):
        """Add the policy."""
        self.send_header("Content-Security-Policy", POLICY)
        super().end_headers()


def try_all(page, root, edition):
    """Use all that a script does: search, a chart, the model, a table, the theme, the switch."""
    page.goto(f"{root}/{edition}/search.html?q=softmax")
    page.locator("ul.search > li").nth(2).wait_for()
    page.goto(f"{root}/{edition}/scaling_laws.html#minimum")
    before = page.evaluate("window.frameElement ? 0 : document.querySelectorAll('svg').length")
    assert before
    chart = chart_of(page, "loss")
    line = state(chart)[0]
    assert move(page, chart) == ""
    assert state(chart)[0] != line
    page.wait_for_function(AWAKE)
    mode = page.get_attribute("html", "data-mode")
    page.locator(".theme-switch-button:visible").first.click()
    assert page.get_attribute("html", "data-mode") != mode
    page.goto(f"{root}/{edition}/where.html")
    page.locator(".table-sort").first.click()
    assert page.locator("th[aria-sort]").count() == 1
    page.goto(f"{root}/{edition}/index.html")
    page.locator(".live-start").click()
    page.locator(".live-next").wait_for(timeout=60_000)
    assert page.locator(".page-fault").count() == 0


def test_every_page_works_under_a_policy_that_allows_only_its_own_files(page, site, edition):
    with serving(StrictHandler, site) as root:
        outside, errors = listen(page, root)
        page.add_init_script("window.onbeforeprint = () => { window.printed = true; };")
        try_all(page, root, edition)
        for name in page_names(site):
            if name.startswith(edition) and "/_modules/" not in name:
                page.goto(f"{root}/{name}")
                page.wait_for_function(AWAKE)
        page.goto(f"{root}/{edition}/training.html")
        page.wait_for_function(AWAKE)
        page.evaluate("document.querySelector('[data-press^=window]').click()")
        assert page.evaluate("window.printed")
        assert outside == []
        known = r"WebAssembly|wasm"  # the model tries it first, and does without
        assert [error for error in errors if not re.search(known, error)] == []


DENIALS = {
    "cookies blocked": "get() { throw new DOMException('denied', 'SecurityError'); }",
    "switched off": "value: null",
    "full": """value: { getItem: () => null, removeItem() {},
      setItem() { throw new DOMException('full', 'QuotaExceededError'); } }""",
}


@pytest.mark.parametrize("denial", DENIALS.values(), ids=DENIALS)
def test_every_page_works_where_storage_is_denied(page, address, edition, denial):
    page.add_init_script(f"""for (const name of ["localStorage", "sessionStorage"])
      Object.defineProperty(window, name, {{ configurable: true, {denial} }});""")
    outside, errors = listen(page, address)
    try_all(page, address, edition)
    assert (outside, errors) == ([], [])


def test_search_and_model_work_in_a_sandboxed_frame(page, address, edition):
    frames = {"search": "search.html?q=softmax", "index": "index.html"}
    sources = "".join(
        f'<iframe name="{name}" sandbox="allow-scripts" src="/{edition}/{url}"></iframe>'
        for name, url in frames.items()
    )
    page.route(
        "**/frames.html", lambda route: route.fulfill(body=sources, content_type="text/html")
    )
    page.goto(f"{address}/frames.html")
    page.frame("search").locator("ul.search > li").nth(2).wait_for()
    page.frame("index").locator(".live-start").click()
    page.frame("index").locator(".live-next").wait_for(timeout=60_000)


# Another place.


@pytest.mark.parametrize("folder", ["open", "garden/ja", "教科書 と book"])
def test_the_book_works_below_any_address(page, site, tmp_path, edition, folder):
    (tmp_path / folder).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / folder).symlink_to(site)
    with serving(QuietHandler, tmp_path) as server:
        root = f"{server}/{quote(folder)}"
        outside, errors = listen(page, root)
        try_all(page, root, edition)
        page.goto(f"{root}/{edition}/references.html")
        page.click("a.language-switch")
        assert page.url.startswith(f"{root}/")
        assert (outside, errors) == ([], [])
        missing = f"{edition}/a/missing.html"
        page.route(f"**/{missing}", lambda route: route.fulfill(path=site / "404.html"))
        page.goto(f"{root}/{missing}")
        link = page.locator("a").first.evaluate("(link) => link.href")
        assert link == f"{root}/ja/index.html"


def test_without_a_network_a_page_says_so_and_works_when_it_is_back(page, address):
    page.goto(f"{address}/en/scaling_laws.html")
    page.wait_for_function(AWAKE)
    page.context.set_offline(True)
    chart = chart_of(page, "loss")
    before = state(chart)
    assert "vega.js" in move(page, chart)
    assert state(chart) == before
    page.context.set_offline(False)
    assert move(page, chart) == ""


def test_without_javascript_no_page_shows_what_only_a_script_answers(browser, site, edition):
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        for name in ("index", "training", "search", "where"):
            page.goto((site / edition / f"{name}.html").as_uri())
            pressed = page.locator("button:visible, input[type=range]:visible, select:visible")
            assert [b.evaluate("(b) => b.outerHTML") for b in pressed.all()] == [], name
        page.goto((site / edition / "search.html").as_uri())
        assert "JavaScript" in page.locator("noscript").nth(1).inner_text()


# The switch of the language.


def open_twin(page, url):
    """Open a page, press its language switch, and return the page's address then."""
    page.goto("about:blank")
    page.goto(url)
    page.click("a.language-switch")
    page.wait_for_load_state()
    return page.url


SECTION = """(hash) => [...document.querySelectorAll("article section[id]")].indexOf(
  document.getElementById(decodeURIComponent(hash))?.closest("section"))"""


@pytest.mark.parametrize("name", ["architecture", "notation", "variants"])
def test_the_language_switch_keeps_the_section(page, address, site, edition, name):
    text = (site / edition / f"{name}.html").read_text(encoding="utf-8")
    anchors = re.findall(r'class="headerlink" href="#([^"]+)"', text)
    assert len(anchors) > 10
    twin = {"ja": "en", "en": "ja"}[edition]
    for anchor in anchors:
        page.goto(f"{address}/{edition}/{name}.html")
        number = page.evaluate(SECTION, anchor)
        url = open_twin(page, f"{address}/{edition}/{name}.html#{anchor}")
        assert url.startswith(f"{address}/{twin}/{name}.html#")
        page.wait_for_function("!location.hash.startsWith('#section-')")
        assert page.evaluate(SECTION, page.url.partition("#")[2]) == number >= 0, anchor


def test_the_language_switch_keeps_the_query_and_minds_no_odd_name(page, address):
    url = open_twin(page, f"{address}/ja/search.html?q=softmax")
    assert url == f"{address}/en/search.html?q=softmax"
    page.locator("ul.search > li").first.wait_for()
    assert open_twin(page, f"{address}/ja/training.html#%zz").endswith("/en/training.html#%zz")
    assert open_twin(page, f"{address}/ja/training.html").endswith("/en/training.html")
    assert page.locator(".page-fault").count() == 0
