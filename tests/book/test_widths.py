"""Every chapter on two phones and a desk: what is wide scrolls in a box that says so."""

import pytest

from tests.helpers.browser import EDITIONS, OVERFLOW

WIDTHS = (320, 360, 1280)
PAGES = (
    "index", "architecture", "scaling_laws", "training", "optimization", "applications",
    "variants", "summary", "workbook", "notation", "references", "where", "api_architecture",
    "search",
)  # fmt: skip
# Boxes that scroll sideways, what shadow they have, and what a key can do with them.
SCROLLERS = """() => [...document.querySelectorAll("article *")].filter((box) =>
  ["auto", "scroll"].includes(getComputedStyle(box).overflowX) && box.checkVisibility()
  && box.clientWidth > 1 && box.scrollWidth > box.clientWidth + 1
  && !box.matches("textarea, input"))
  .map((box) => ({
    name: box.outerHTML.slice(0, 90), more: box.dataset.more ?? "",
    shadow: getComputedStyle(box).boxShadow, reachable: box.tabIndex === 0,
  }))"""
SCROLLED = """() => {
  const box = [...document.querySelectorAll("[data-more]")]
    .find((box) => box.scrollWidth > box.clientWidth + 30);
  const seen = [];
  const look = () => new Promise((done) => requestAnimationFrame(() => setTimeout(() => {
    seen.push(box.dataset.more); done(); }, 50)));
  return (async () => {
    for (const left of [0, 10, 99999]) { box.scrollLeft = left; await look(); }
    return seen;
  })();
}"""
# Figures and what is drawn in them, that are wider than their box.
WIDER = """() => [...document.querySelectorAll("article figure :is(svg, img), article .drawn svg")]
  .filter((picture) => picture.getClientRects().length && !picture.closest("[data-more] *"))
  .filter((picture) => {
    const box = (picture.closest("figure") ?? picture.parentElement).getBoundingClientRect();
    const { left, right } = picture.getBoundingClientRect();
    return left < box.left - 1 || right > box.right + 1;
  }).map((picture) => picture.closest("figure")?.id ?? picture.outerHTML.slice(0, 80))"""
# Captions: those in a box that scrolls, and those narrower than their figure.
CAPTIONS = """() => {
  const all = [...document.querySelectorAll("article :is(figcaption, caption)")];
  const scrolls = (e) => e.tagName !== "ARTICLE"
    && (getComputedStyle(e).overflowX !== "visible" || scrolls(e.parentElement));
  const width = (e) => e.getBoundingClientRect().width;
  return {
    number: all.length,
    inside: all.filter(scrolls).map((caption) => caption.textContent.slice(0, 60)),
    narrow: all.filter((c) => width(c) && width(c) < width(c.closest("figure")) - 1)
      .map((caption) => caption.textContent.slice(0, 60)),
  };
}"""
# In tables that scroll, the first column stays, and hides what goes by below it.
STICKY = """() => [...document.querySelectorAll("[data-more] > table")].filter((table) => {
  const [box, cells] = [table.parentElement, [...table.querySelectorAll("tr > :first-child")]];
  const places = () => cells.map((cell) => cell.getBoundingClientRect().left);
  const before = places();
  box.scrollLeft = 40;
  const moved = places().some((left, i) => Math.abs(left - before[i]) > 1);
  box.scrollLeft = 0;
  const colours = cells.map((cell) => getComputedStyle(cell).backgroundColor);
  const wide = cells.some((cell) => cell.offsetWidth > box.clientWidth * 0.6);
  return moved || wide || colours.some((colour) => /rgba|transparent/.test(colour));
}).map((table) => table.outerHTML.slice(0, 100))"""
OPEN = "document.querySelectorAll('article details').forEach((d) => { d.open = true; })"
TARGETS = """() => [...document.querySelectorAll(".bd-header-article :is(a, button)")]
  .filter((button) => button.checkVisibility() && button.getClientRects().length)
  .map((button) => [button.className, button.getBoundingClientRect()])
  .filter(([, { width, height }]) => width < 44 || height < 44).map(([name]) => name)"""


@pytest.fixture(scope="module")
def looks(browser, address):
    """Return {(page, width): what is seen there} of every chapter in both editions."""
    found = {}
    context = browser.new_context()
    page = context.new_page()
    for edition in EDITIONS:
        for name in PAGES:
            page.set_viewport_size({"width": 1280, "height": 800})
            page.goto(f"{address}/{edition}/{name}.html")
            page.wait_for_selector("html[data-awake]")
            page.evaluate(OPEN)
            for width in WIDTHS:
                page.set_viewport_size({"width": width, "height": 800})
                page.wait_for_timeout(400)  # the theme waits 300 ms before it looks for boxes
                found[f"{edition}/{name}", width] = {
                    "overflow": page.evaluate(OVERFLOW),
                    "scrollers": page.evaluate(SCROLLERS),
                    "wider": page.evaluate(WIDER),
                    "captions": page.evaluate(CAPTIONS),
                    "sticky": page.evaluate(STICKY),
                    "targets": page.evaluate(TARGETS) if width < 600 else [],
                }
    context.close()
    return found


def faults(looks, fault):
    """Return {(page, width): what is wrong} where something is."""
    return {place: fault(look)[:5] for place, look in looks.items() if fault(look)}


def test_no_page_scrolls_sideways(looks):
    assert {place: look["overflow"] for place, look in looks.items() if look["overflow"]} == {}


def test_no_figure_is_wider_than_its_box(looks):
    assert faults(looks, lambda look: look["wider"]) == {}


def test_what_scrolls_says_so_and_can_be_reached_by_a_key(looks):
    assert sum(len(look["scrollers"]) for look in looks.values()) > 100
    assert faults(looks, lambda look: [s for s in look["scrollers"] if is_silent(s)]) == {}


def is_silent(scroller):
    """Return whether a box that scrolls lacks its cue, or the tab key does not stop there."""
    return (
        scroller["more"] != "right"
        or "inset" not in scroller["shadow"]
        or not scroller["reachable"]
    )


def test_no_caption_is_inside_a_box_that_scrolls_and_each_is_as_wide_as_its_figure(looks):
    assert sum(look["captions"]["number"] for look in looks.values()) > 300
    assert faults(looks, lambda look: look["captions"]["inside"]) == {}
    assert faults(looks, lambda look: look["captions"]["narrow"]) == {}


def test_the_first_column_of_a_table_that_scrolls_stays_in_sight(looks):
    assert faults(looks, lambda look: look["sticky"]) == {}


def test_the_buttons_of_the_header_are_large_enough_for_a_thumb(looks):
    assert faults(looks, lambda look: look["targets"]) == {}


def test_the_cue_follows_what_is_scrolled(page, address):
    page.set_viewport_size({"width": 360, "height": 800})
    page.goto(f"{address}/en/variants.html")
    page.wait_for_selector("[data-more]")
    assert page.evaluate(SCROLLED) == ["right", "left right", "left"]


def test_the_cue_is_seen(page, address):
    page.set_viewport_size({"width": 360, "height": 800})
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.goto(f"{address}/en/variants.html")
        box = (
            page.locator(".data-frame").locator("xpath=..").and_(page.locator("[data-more]")).first
        )
        with_cue = box.screenshot()
        box.evaluate("(box) => { box.style.boxShadow = 'none'; }")
        assert with_cue != box.screenshot(), scheme
