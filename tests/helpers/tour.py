"""One visit to every page for all that the tests of quality ask: on a desk and on a phone, in the
dark and in the light, and on paper."""

import functools
import gzip
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest

from tests.helpers.browser import OVERFLOW, find_colour_faults, find_faults, page_names

TEXT = (".html", ".css", ".js", ".svg", ".json")
ISSUES = {
    "BlockedByResponseIssue", "ContentSecurityPolicyIssue", "CookieIssue", "CorsIssue",
    "DeprecationIssue", "HeavyAdIssue", "MixedContentIssue", "QuirksModeIssue",
}  # fmt: skip
PAPER = 680  # pixels between the margins of A4
ACROSS = 1047  # and of A4 that lies across, for what is wide
HEAD = """() => {
  const all = (selector) => [...document.querySelectorAll(selector)];
  const content = (name) => all(`meta[name="${name}"]`).map((meta) => meta.content);
  const link = (element) => [element.hreflang, element.getAttribute("href")];
  const chrome = all("[title], [aria-label], [placeholder]").filter((e) => !e.closest("article"));
  return {
    doctype: document.doctype?.name, mode: document.compatMode, charset: document.characterSet,
    lang: document.documentElement.lang, title: document.title,
    description: content("description"), viewport: content("viewport"),
    robots: content("robots"), refresh: document.querySelector("meta[http-equiv=refresh]") !== null,
    canonical: all("link[rel=canonical]").map((link) => link.href),
    alternates: all("link[rel=alternate][hreflang]").map(link),
    switches: all("a.language-switch").map(link),
    words: ["title", "aria-label", "placeholder"].flatMap((name) =>
      chrome.map((element) => element.getAttribute(name))),
    files: all("link[href]").map((link) => link.getAttribute("href")),
    links: all("a").map((a) => [a.getAttribute("href"),
      (a.innerText || a.getAttribute("aria-label") || a.title || a.textContent).trim()]),
  };
}"""
# What still moves although the reader wants no motion.
MOTION = """() => {
  const moving = [];
  for (const element of document.querySelectorAll("*")) {
    for (const part of [null, "::before", "::after"]) {
      const style = getComputedStyle(element, part);
      const times = style.transitionDuration.split(",").map(parseFloat);
      const still = style.transitionProperty === "none" || !Math.max(...times);
      if (!still || style.animationName !== "none" || style.scrollBehavior !== "auto")
        moving.push(element.outerHTML.slice(0, 120));
    }
  }
  return moving;
}"""
# Images of the article: how they are drawn, and in what.
IMAGES = """() => Promise.all([...document.querySelectorAll("article img")].map(async (image) => {
  image.loading = "eager";
  await image.decode().catch(() => null);
  const style = getComputedStyle(image);
  return {
    name: image.alt.slice(0, 40), words: image.getAttribute("alt"),
    caption: image.closest("figure")?.querySelector("figcaption")?.innerText.trim(),
    pixels: image.naturalWidth, ratio: image.naturalWidth / image.naturalHeight,
    stated: image.getAttribute("width") / image.getAttribute("height"),
    width: image.clientWidth - 2 * parseFloat(style.paddingLeft),
    height: image.clientHeight - 2 * parseFloat(style.paddingTop),
    sheet: style.backgroundColor, padding: parseFloat(style.paddingLeft), filter: style.filter,
  };
}))"""
# Parts of the article that stick out of the page and out of every box that scrolls or ends them.
STICKING_OUT = """([width, across]) => {
  const out = [];
  const boxed = (element) => {
    for (let box = element.parentElement; box.tagName !== "ARTICLE"; box = box.parentElement)
      if (getComputedStyle(box).overflowX !== "visible") return true;
    return false;
  };
  for (const element of document.querySelectorAll("article *")) {
    const { right, left, width: own } = element.getBoundingClientRect();
    const hidden = element.closest(".visually-hidden, svg, math, [aria-hidden=true]");
    const limit = element.closest(".landscape") ? across : width;
    if (own && (right > limit + 1 || left < -1) && !hidden && !boxed(element))
      out.push(element.outerHTML.slice(0, 120));
  }
  return out;
}"""
# On paper: boxes that cut what is in them, and what a reader could only press on a screen.
CUT = """() => [...document.querySelectorAll("article *")].filter((box) => {
  const style = getComputedStyle(box);
  return style.overflowX !== "visible" && box.clientWidth && box.scrollWidth > box.clientWidth + 1
    && !box.closest(".visually-hidden");
}).map((box) => box.outerHTML.slice(0, 120))"""
PRESSED = """() => [...document.querySelectorAll(`button, input, select, textarea, summary, dialog,
  form, .headerlink, .copybtn, .language-switch, .chart-controls, .prev-next-area,
  .bd-header-article, .bd-sidebar-primary, .bd-sidebar-secondary, #pst-back-to-top,
  .sd-summary-icon, .sd-summary-state-marker`)]
  .filter((element) => element.checkVisibility() && element.getClientRects().length)
  .filter((element) => !element.matches("details[open] > .sd-summary-title")) // it is a heading
  .filter((element) => !element.matches("details.check > summary, .hero-bar")) // it says something
  .map((element) => element.outerHTML.slice(0, 120))"""
SHEETS = """() => [...document.querySelectorAll("html, body, main, article")]
  .map((element) => getComputedStyle(element).backgroundColor)"""


PRINTED = ("cut", "sticking out", "pressed", "colours")


@dataclass
class Stay:
    """What was found on one page."""

    head: dict
    requests: dict = field(default_factory=dict)
    outside: list = field(default_factory=list)
    errors: list = field(default_factory=list)
    axe: list = field(default_factory=list)
    motion: list = field(default_factory=list)
    in_the_dark: list = field(default_factory=list)
    on_a_phone: list = field(default_factory=list)
    overflow: int = 0
    sticking_out: list = field(default_factory=list)
    paper: dict = field(default_factory=lambda: dict.fromkeys(PRINTED, ()))


@functools.cache
def sizes(path):
    """Return the bytes of a file as it is, and compressed where it is text."""
    body = path.read_bytes()
    return len(body), len(gzip.compress(body)) if path.suffix in TEXT else len(body)


def weigh(urls, site):
    """Return {file: (bytes, compressed bytes)} of the files that a page has asked for."""
    paths = {urlsplit(url).path.lstrip("/") for url in urls}
    return {path: sizes(site / path) for path in sorted(paths) if (site / path).is_file()}


def note_issue(issue, errors):
    """Note what the browser itself finds wrong, of the kinds that Lighthouse counts."""
    if issue["code"] in ISSUES:
        errors.append(str(issue)[:300])


def listen(page):
    """Return the lists that fill with requests, and with errors and deprecations."""
    urls, errors = [], []
    page.on("request", lambda request: urls.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda m: m.type in ("error", "warning") and errors.append(m.text))
    client = page.context.new_cdp_session(page)
    client.on("Audits.issueAdded", lambda event: note_issue(event["issue"], errors))
    client.send("Audits.enable")
    return urls, errors


def is_source(name):
    """Return whether a page is the source of a module, as another is that stands for all."""
    return "/_modules/" in name and not name.endswith("/attention.html")


def is_listing(name):
    """Return whether a page lists code, or names of it, as another does that stands for all."""
    return is_source(name) or ("/api_" in name and not name.endswith("/api_architecture.html"))


def read_desk(page, url, urls, site):
    """Return what a page is on a desk in the dark, for a reader who wants no motion."""
    page.set_viewport_size({"width": 1280, "height": 900})
    page.emulate_media(color_scheme="dark", reduced_motion="reduce", media="screen")
    page.goto(url)
    page.wait_for_function("document.documentElement.dataset.theme === 'dark'")
    page.wait_for_function("document.querySelector('script[src*=pydata]')")  # the last to come
    if is_listing(url):
        return Stay(page.evaluate(HEAD), weigh(urls, site))
    page.wait_for_load_state("networkidle")
    stay = Stay(page.evaluate(HEAD), weigh(urls, site))
    stay.motion = page.evaluate(MOTION)
    stay.in_the_dark = page.evaluate(IMAGES)
    stay.axe = find_faults(page)
    return stay


def change(page, width, height, theme):
    """Go on to a window of this size in this theme."""
    page.set_viewport_size({"width": width, "height": height})
    page.emulate_media(color_scheme=theme, reduced_motion="reduce", media="screen")
    page.wait_for_function(f"document.documentElement.dataset.theme === '{theme}'")
    page.wait_for_timeout(400)  # the theme waits 300 ms before it looks for boxes that scroll


def read_phone(page, stay, url):
    """Note what the page is on a phone, in the light and in the dark, and on a desk in the light.

    Of the last two axe reads the colours: what else it finds does not change with the theme.
    The source of a module is looked at on the phone in the light only.
    """
    looks = ((360, 800, "light"), (360, 800, "dark"), (1280, 900, "light"))
    for width, height, theme in looks[: 1 if is_source(url) else 3]:
        change(page, width, height, theme)
        stay.overflow = max(stay.overflow, page.evaluate(OVERFLOW))
        if (width, theme) == (360, "light"):
            stay.sticking_out = page.evaluate(STICKING_OUT, [width, width])
            stay.on_a_phone = page.evaluate(IMAGES)
        if not is_listing(url):
            find = find_faults if (width, theme) == (360, "light") else find_colour_faults
            stay.axe += find(page)


def read_paper(page, stay):
    """Note what the page is on paper, printed by a reader in the dark."""
    page.set_viewport_size({"width": PAPER, "height": 1000})
    page.emulate_media(color_scheme="dark", media="screen")
    page.wait_for_function("document.documentElement.dataset.theme === 'dark'")
    page.emulate_media(media="print")
    page.wait_for_function("document.documentElement.dataset.theme === 'light'")
    stay.paper = {
        "cut": page.evaluate(CUT),
        "sticking out": page.evaluate(STICKING_OUT, [PAPER, ACROSS]),
        "pressed": page.evaluate(PRESSED),
        "colours": page.evaluate(SHEETS),
    }


@pytest.fixture(scope="session")
def tour(browser, site, address):
    """Return {page: Stay} of every page."""
    stays = {}
    context = browser.new_context()
    page = context.new_page()
    urls, errors = listen(page)
    for name in page_names(site):
        stay = stays[name] = read_desk(page, f"{address}/{name}", urls, site)
        read_phone(page, stay, name)
        if not is_source(name):
            read_paper(page, stay)
        own = (address, "data:", "blob:")
        stay.outside, stay.errors = [u for u in urls if not u.startswith(own)], errors[:]
        urls.clear(), errors.clear()
    context.close()
    return stays
