"""Figures in the reader's hands: drawings in steps, a link to each figure, and its picture."""

import io
import re
from datetime import datetime, timedelta

import pytest
from PIL import Image

from gpt_helpers.figures.drawings.text import Piece, tokens
from gpt_helpers.figures.drawn import Drawn
from tests.book.test_failures import AWAKE, POLICY
from tests.book.test_old_browsers import TAKE_AWAY, YOUNGER
from tests.book.test_pages import listen
from tests.helpers.browser import EDITIONS, OVERFLOW, find_faults, page_names
from theme.figures import to_html

PAGE = "summary"  # its first figure makes room for the stepper of these tests
SAYS = {
    "ja": ["文がある。", "文はトークンに分かれる。" * 9, "三つ目の行。", "四つ目の行。"],
    "en": ["There is a text.", "It is cut into tokens. " * 9, "A third row.", "A fourth row."],
}
WORDS = {"ja": ("再生", "停止"), "en": ("Play", "Pause")}
LINK = {"ja": "この図へのリンク", "en": "Link to this image"}
COPY = {"ja": "PNGとしてコピー", "en": "Copy as PNG"}
COPIED = {"ja": "コピーした", "en": "Copied"}
ALOUD = {"ja": ("保存した", "できなかった"), "en": ("saved", "could not be made")}
START = datetime(2026, 1, 1)
SHOWN = """(stepper) => [...stepper.querySelectorAll("svg")].filter((svg) =>
  svg.getClientRects().length && getComputedStyle(svg).visibility === "visible").length"""
STEP = "(stepper) => [...stepper.querySelectorAll('li')].findIndex((li) => li.matches('.shown'))"


class Steps(Drawn):
    """Rows of tokens, one more at each step."""

    layout = "stepper"

    def frames(self, words="en", inches=7.6):
        """Return [(what a step says, Figure), ...]."""
        row = [Piece(written, 0, 0, "") for written in ("a", " b", "cd")] * 3
        rows = [tokens([row] * n).figure(words, inches) for n in (1, 4, 2, 3)]
        return list(zip(SAYS[words], rows, strict=True))


@pytest.fixture(params=EDITIONS)
def edition(request):
    """Return the language of an edition."""
    return request.param


@pytest.fixture(scope="module")
def stepping(site):
    """Return {edition: HTML of a page with a stepper}."""
    pages = {}
    for edition in EDITIONS:
        stepper = to_html(Steps("", {}), "fig-reasons", "Rows of tokens.", edition)
        text = (site / edition / f"{PAGE}.html").read_text(encoding="utf-8")
        found = re.compile(r'<div class="drawn".*?(?=<figcaption)', re.DOTALL)
        pages[edition], n_figures = found.subn(lambda _, new=stepper: new, text, count=1)
        assert n_figures == 1
    return pages


def open_stepper(page, root, edition, html, **answer):
    """Open the page with the stepper in place of its own, and return the stepper."""
    page.route(
        f"**/{edition}/{PAGE}.html",
        lambda route: route.fulfill(body=html[edition], content_type="text/html", **answer),
    )
    page.goto(f"{root}/{edition}/{PAGE}.html")
    return page.locator(".stepper")


def press(stepper, name):
    """Press one of the three buttons."""
    stepper.locator(f".stepper-{name}").click(force=True)  # at an end it is "disabled"


# Steppers.


def test_without_javascript_all_steps_stand_below_each_other(browser, address, edition, stepping):
    with browser.new_context(java_script_enabled=False) as context:
        stepper = open_stepper(context.new_page(), address, edition, stepping)
        tops = [svg.bounding_box()["y"] for svg in stepper.locator("svg:visible").all()]
        assert len(tops) == 4
        assert tops == sorted(set(tops))
        assert stepper.locator("li > p").all_text_contents() == SAYS[edition]
        assert stepper.locator("li").first.evaluate("(li) => getComputedStyle(li).listStyleType")
        assert stepper.locator("button, input").count() == 0


def test_where_the_script_does_not_come_all_steps_are_there(page, address, edition, stepping):
    page.route("**/figures.js*", lambda route: route.abort())
    stepper = open_stepper(page, address, edition, stepping)
    page.locator(".page-fault").wait_for()
    assert stepper.evaluate(SHOWN) == 4
    assert stepper.locator("button").count() == 0


def test_on_paper_all_steps_are_there(page, address, edition, stepping):
    stepper = open_stepper(page, address, edition, stepping)
    page.emulate_media(media="print")
    assert stepper.evaluate(SHOWN) == 4
    assert not stepper.locator(".stepper-controls").is_visible()
    tops = [li.bounding_box()["y"] for li in stepper.locator("li").all()]
    assert tops == sorted(set(tops))


CONDITIONS = {
    "as it is": ({}, ""),
    "a policy": ({"headers": {"Content-Security-Policy": POLICY}}, ""),
    "an old browser": ({}, TAKE_AWAY % YOUNGER),
}


@pytest.mark.parametrize(("answer", "first"), CONDITIONS.values(), ids=CONDITIONS)
def test_one_step_is_seen_and_said_at_a_time(page, address, edition, stepping, answer, first):
    page.add_init_script(first or "0")
    outside, errors = listen(page, address)
    stepper = open_stepper(page, address, edition, stepping, **answer)
    said, slider = stepper.locator("[aria-live=polite]"), stepper.locator("input[type=range]")
    for n in (0, 1, 2, 3, 3):
        assert (stepper.evaluate(SHOWN), stepper.evaluate(STEP)) == (1, n)
        assert said.text_content() == SAYS[edition][n]
        assert stepper.locator(".stepper-count").text_content() == f"{n + 1} / 4"
        assert slider.input_value() == str(n + 1)
        at_end = stepper.locator(".stepper-next").get_attribute("aria-disabled")
        assert at_end == ("true" if n == 3 else "false")
        press(stepper, "next")
    press(stepper, "previous")
    assert stepper.evaluate(STEP) == 2
    slider.fill("1")
    assert stepper.evaluate(STEP) == 0
    assert (outside, errors) == ([], [])


@pytest.mark.parametrize("part", [".stepper-next", "input[type=range]"])
def test_arrow_keys_step_where_the_focus_is_and_the_focus_is_seen(page, address, stepping, part):
    stepper = open_stepper(page, address, "en", stepping)
    page.keyboard.press("ArrowRight")
    assert stepper.evaluate(STEP) == 0
    control = stepper.locator(part)
    control.focus()
    for key, step in (("ArrowRight", 1), ("ArrowRight", 2), ("ArrowLeft", 1), ("End", 3),
                      ("ArrowRight", 3), ("Home", 0), ("ArrowLeft", 0)):  # fmt: skip
        page.keyboard.press(key)
        assert stepper.evaluate(STEP) == step, key
    outline = control.evaluate("(control) => getComputedStyle(control).outlineStyle")
    assert outline == "solid"


@pytest.mark.parametrize("width", [320, 360, 1280])
def test_the_page_does_not_jump_and_fingers_hit(page, address, edition, stepping, width):
    page.set_viewport_size({"width": width, "height": 800})
    stepper = open_stepper(page, address, edition, stepping)
    stepper.evaluate("(stepper) => stepper.scrollIntoView()")
    places = []
    for _ in range(4):
        box, controls = stepper.bounding_box(), stepper.locator(".stepper-controls").bounding_box()
        picture = stepper.locator(".shown svg:visible").bounding_box()
        places.append([part["y"] - box["y"] for part in (picture, controls)] + [box["height"]])
        assert picture["width"] <= box["width"]
        assert picture["y"] + picture["height"] <= controls["y"]
        press(stepper, "next")
    assert places == places[:1] * 4
    figure = "(stepper) => stepper.parentElement.scrollWidth - stepper.parentElement.clientWidth"
    assert stepper.evaluate(figure) == 0
    for control in stepper.locator("button, input").all() if width < 600 else []:
        box = control.bounding_box()
        assert min(box["width"], box["height"]) >= 44


def test_playing_goes_on_to_the_end_and_begins_again(page, address, edition, stepping):
    page.clock.install(time=START)
    stepper = open_stepper(page, address, edition, stepping)
    page.clock.pause_at(START + timedelta(hours=1))  # from here on time goes as the test says
    play = stepper.locator(".stepper-play")
    page.clock.run_for(60_000)
    assert stepper.evaluate(STEP) == 0  # nothing plays by itself
    play.click()
    assert play.text_content() == WORDS[edition][1]
    page.clock.run_for(1_900)
    assert stepper.evaluate(STEP) == 0
    page.clock.run_for(200)
    assert stepper.evaluate(STEP) == 1
    page.clock.run_for(60_000)
    assert stepper.evaluate(STEP) == 3
    assert play.text_content() == WORDS[edition][0]
    play.click()
    assert stepper.evaluate(STEP) == 0


TOUCHES = {
    "the picture": lambda stepper: stepper.locator(".shown svg:visible").click(),
    "a button": lambda stepper: press(stepper, "previous"),
    "a key": lambda stepper: stepper.locator(".stepper-play").press("ArrowLeft"),
    "play itself": lambda stepper: press(stepper, "play"),
}


@pytest.mark.parametrize("touch", TOUCHES.values(), ids=TOUCHES)
def test_playing_stops_when_the_reader_touches(page, address, stepping, touch):
    page.clock.install(time=START)
    stepper = open_stepper(page, address, "en", stepping)
    press(stepper, "play")
    touch(stepper)
    before = stepper.evaluate(STEP)
    page.clock.run_for(60_000)
    assert stepper.evaluate(STEP) == before
    assert stepper.locator(".stepper-play").text_content() == "Play"


def test_nothing_plays_for_a_reader_who_wants_no_motion(page, address, stepping):
    page.clock.install(time=START)
    stepper = open_stepper(page, address, "en", stepping)
    press(stepper, "play")
    page.emulate_media(reduced_motion="reduce")
    page.clock.run_for(60_000)
    assert stepper.evaluate(STEP) == 0
    assert not stepper.locator(".stepper-play").is_visible()
    press(stepper, "next")
    assert stepper.evaluate(STEP) == 1


def test_axe_finds_nothing_in_a_stepper(page, address, edition, stepping):
    for width, scheme in ((1280, "light"), (360, "dark")):
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)
        open_stepper(page, address, edition, stepping)
        assert find_faults(page, "figure") == []


# To take along.

FIGURES = "figure:has(.drawn), figure:has(.chart)"


@pytest.fixture(scope="module")
def with_figures(site):
    """Return the names of the pages with figures that are drawn in the page."""
    found = [n for n in page_names(site) if re.search(r'class="(drawn|chart)\b', read(site / n))]
    assert len(found) >= 10
    return found


def read(path):
    """Return the text of a page."""
    return path.read_text(encoding="utf-8")


def test_every_figure_has_a_link_and_a_button_and_they_are_seen_on_a_phone(
    page, address, with_figures
):
    page.set_viewport_size({"width": 360, "height": 800})
    for name in with_figures:
        page.goto(f"{address}/{name}")
        for figure in page.locator(FIGURES).all():
            link, button = figure.locator("a.headerlink"), figure.locator(".figure-tools button")
            assert link.get_attribute("href") == f"#{figure.get_attribute('id')}"
            assert link.inner_text() == LINK[name[:2]]
            assert button.text_content() == COPY[name[:2]]
            boxes = [link.bounding_box(), button.bounding_box()]
            assert min(box["height"] for box in boxes) >= 44, name
            caption = figure.locator("figcaption").bounding_box()
            assert min(box["y"] for box in boxes) >= caption["y"] + caption["height"]
        assert page.evaluate(OVERFLOW) == 0


def test_on_a_desk_they_come_when_the_figure_is_in_use_and_move_nothing(page, address, edition):
    page.goto(f"{address}/{edition}/{PAGE}.html")
    figure = page.locator(FIGURES).first
    tools = figure.locator(".figure-tools")
    seen = "(tools) => getComputedStyle(tools).opacity"
    before = figure.bounding_box()["height"]
    assert tools.evaluate(seen) == "0"
    figure.hover()
    assert tools.evaluate(seen) == "1"
    page.mouse.move(0, 0)
    tools.locator("button").focus()
    assert tools.evaluate(seen) == "1"
    assert figure.bounding_box()["height"] == before


@pytest.fixture
def copying(browser, address):
    """Open a window that may copy."""
    with browser.new_context(accept_downloads=True) as context:
        context.grant_permissions(["clipboard-read", "clipboard-write"], origin=address)
        yield context.new_page()


CLIPBOARD = """async () => {
  const [item] = await navigator.clipboard.read();
  const bytes = new Uint8Array(await (await item.getType("image/png")).arrayBuffer());
  return Array.from(bytes);
}"""
OLD_ITEM = """(() => {
  const Whole = ClipboardItem;
  globalThis.ClipboardItem = function (data) {
    if (Object.values(data).some((part) => part instanceof Promise)) throw new TypeError("promise");
    return new Whole(data);
  };
})()"""


def press_copy(page, figure):
    """Press a figure's button and return what is said then."""
    figure.locator(".figure-tools button").click()
    said = figure.locator(".figure-tools [role=status]")
    said.filter(has_text=re.compile(".")).wait_for()
    return said.text_content()


def copied(page):
    """Return the picture that has been copied."""
    return Image.open(io.BytesIO(bytes(page.evaluate(CLIPBOARD)))).convert("RGB")


@pytest.mark.parametrize("name", [PAGE, "scaling_laws"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_picture_has_the_size_and_the_colours_of_the_page(
    copying, address, edition, scheme, name
):
    copying.emulate_media(color_scheme=scheme)
    copying.goto(f"{address}/{edition}/{name}.html")
    figure = copying.locator(FIGURES).first
    assert press_copy(copying, figure) == COPIED[edition]
    picture = copied(copying)
    svg = figure.locator("svg:visible")
    sides = [float(svg.get_attribute(side)) for side in ("width", "height")]
    assert picture.size == pytest.approx([2 * (side + 32) for side in sides], abs=2)
    paper = "getComputedStyle(document.body).backgroundColor"
    assert str(picture.getpixel((1, 1))) in copying.evaluate(paper)
    ink = copying.evaluate("getComputedStyle(document.querySelector('article')).color")
    letters = [int(part) for part in re.findall(r"\d+", ink)]
    colours = {colour for _, colour in picture.getcolors(1 << 20)}
    near = min(sum(abs(a - b) for a, b in zip(c, letters[:3], strict=True)) for c in colours)
    assert near < 60
    assert len(colours) > 20


def test_an_older_browser_copies_when_the_picture_is_there(copying, address):
    copying.add_init_script(OLD_ITEM)
    copying.goto(f"{address}/en/{PAGE}.html")
    assert press_copy(copying, copying.locator(FIGURES).first) == "Copied"
    assert min(copied(copying).size) > 200


def test_of_a_stepper_the_step_that_is_seen_is_copied(copying, address, stepping):
    stepper = open_stepper(copying, address, "en", stepping)
    figure = copying.locator("figure:has(.stepper)")
    heights = []
    for _ in range(2):
        assert press_copy(copying, figure) == "Copied"
        heights.append(copied(copying).height)
        press(stepper, "next")
    assert heights[1] > heights[0]


DENIED = {
    "denied": "",
    "no item": "delete globalThis.ClipboardItem;",
    "no clipboard": "Object.defineProperty(navigator, 'clipboard', { value: undefined });",
}


@pytest.mark.parametrize("script", DENIED.values(), ids=DENIED)
def test_where_nothing_may_be_copied_the_picture_is_saved_and_words_say_so(
    browser, address, edition, script
):
    with browser.new_context(accept_downloads=True) as context:
        page = context.new_page()
        page.add_init_script(script or "0")
        client = context.new_cdp_session(page)
        window = client.send("Target.getTargetInfo")["targetInfo"]["browserContextId"]
        denied = {"permission": {"name": "clipboard-write"}, "setting": "denied"}
        client.send("Browser.setPermission", {**denied, "browserContextId": window})
        page.goto(f"{address}/{edition}/{PAGE}.html")
        figure = page.locator(FIGURES).first
        with page.expect_download() as download:
            assert ALOUD[edition][0] in press_copy(page, figure)
        name = f"{figure.get_attribute('id')}.png"
        assert download.value.suggested_filename == name
        assert name in figure.locator("[role=status]").text_content()
        with Image.open(download.value.path()) as picture:
            assert min(picture.size) > 200


def test_a_picture_that_cannot_be_made_is_said(copying, address, edition):
    copying.add_init_script("HTMLCanvasElement.prototype.toBlob = (heard) => heard(null);")
    outside, errors = listen(copying, address)
    copying.goto(f"{address}/{edition}/{PAGE}.html")
    assert ALOUD[edition][1] in press_copy(copying, copying.locator(FIGURES).first)
    copying.wait_for_function(AWAKE)
    assert (outside, errors) == ([], [])
