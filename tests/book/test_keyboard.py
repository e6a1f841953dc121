"""The built book without a mouse: the tab key reaches everything, in order, and is seen."""

import pytest

PAGES = [
    f"{edition}/{name}.html"
    for edition in ("ja", "en")
    for name in ("index", "architecture", "training", "notation", "references", "search")
]
N_UNFOLDED = 20  # at most
# What the tab key should reach: everything visible that can be pressed, typed into or scrolled.
STOPS = """() => {
  const pressed = "a[href], button, input, select, textarea, summary";
  const boxes = "[tabindex='0']";
  globalThis.stops = [...document.querySelectorAll(`${pressed}, ${boxes}`)].filter((element) =>
    (element.matches(`${pressed}, [role]`) || element.scrollWidth > element.clientWidth) &&
    element.tabIndex >= 0 && !element.disabled && !element.closest("[inert]")
    && element.checkVisibility({ visibilityProperty: true }) && element.getClientRects().length);
  return globalThis.stops.map((element) => element.outerHTML.slice(0, 100));
}"""
# The search page has put the cursor into its field; a reader who comes begins before all stops.
TO_THE_TOP = """() => {
  document.body.tabIndex = -1;
  document.body.focus();
  document.body.removeAttribute("tabindex");
  scrollTo(0, 0);
}"""
# Where the focus is: its number among the stops, and whether a reader sees it.
FOCUS = """() => {
  const element = document.activeElement;
  if (!element || element === document.body) return null;
  const look = () => {
    const style = getComputedStyle(element);
    const marks = ["outlineStyle", "outlineWidth", "outlineColor", "boxShadow", "backgroundColor"];
    return [...marks, "borderColor", "textDecoration"].map((name) => style[name]).join();
  };
  const rect = element.getBoundingClientRect();
  const inView = rect.bottom > 0 && rect.top < innerHeight;
  const style = getComputedStyle(element);
  const ringed = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1;
  const focused = look();
  element.blur();
  const marked = ringed || look() !== focused;
  element.focus();
  const at = globalThis.stops.indexOf(element);
  const unfolded = at < 0 && element.matches(".page-toc .nav .nav a");
  return { at, unfolded, seen: inView && marked, html: element.outerHTML.slice(0, 100) };
}"""


def walk(page, n_stops):
    """Press the tab key until the focus leaves the page; return where it was.

    The list of sections unfolds below the section that the reader has come to: its links are
    more stops than there were at first.
    """
    path = []
    for _ in range(n_stops + N_UNFOLDED):
        page.keyboard.press("Tab")
        focus = page.evaluate(FOCUS)
        if focus is None:
            break
        path.append(focus)
    return path


def wake_the_hero(page):
    """Touch the model of the first page, where there is one: then its bars can be pressed."""
    if page.locator(".hero-text").count():
        page.locator(".hero-text").focus()
        page.wait_for_function("document.querySelector('.hero').hero", timeout=60_000)
        page.locator("button.hero-bar").first.wait_for()


@pytest.mark.parametrize("name", PAGES)
def test_the_tab_key_reaches_everything_in_order_and_is_seen(page, address, name):
    page.set_viewport_size({"width": 1280, "height": 900})
    page.emulate_media(reduced_motion="reduce")
    page.goto(f"{address}/{name}")
    page.wait_for_function("document.querySelector('script[src*=pydata]')")  # the last to come
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(400)  # the theme waits 300 ms before it looks for boxes that scroll
    wake_the_hero(page)
    page.evaluate(TO_THE_TOP)
    stops = page.evaluate(STOPS)
    path = walk(page, len(stops))
    assert [focus["html"] for focus in path if not focus["seen"]] == []
    path = [focus for focus in path if not focus["unfolded"]]
    order = [focus["at"] for focus in path]
    assert [stops[i] for i in range(len(stops)) if i not in order] == []
    assert order == sorted(order)
    assert len(path) == len(stops)
