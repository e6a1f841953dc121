"""The story on the page of the architecture: the picture follows the text, and can be done without.

On a wide page one picture stands beside the texts and is that of the step which the reader has
come to. On a phone, on paper, without the script and for readers who want no motion, each step has
its own.
"""

import math
import re
from types import SimpleNamespace

import pytest

from gpt_helpers.figures.drawn import FIGURE, Drawn
from tests.helpers.book import CHAPTERS, read_notebook
from tests.helpers.browser import EDITIONS, OVERFLOW, find_faults
from theme.figures import Figures, to_html

STORY = "#fig-journey .story"
N_STEPS = 10
SEEN = """(story) => [...story.querySelectorAll("li")].map((step) =>
  [...step.querySelectorAll("svg")].filter((svg) => svg.getClientRects().length
    && getComputedStyle(svg).visibility === "visible").length)"""
SHOWN = "(story) => [...story.querySelectorAll('li')].findIndex((li) => li.matches('.shown'))"
BRING = """(story, n) => story.querySelectorAll(".story-asks")[n].scrollIntoView({
  block: "center", behavior: "instant" })"""
ARRIVED = """([story, n]) => story.querySelectorAll("li")[n].matches(".shown")
  && story.getAnimations({ subtree: true }).length === 0"""


@pytest.fixture(params=EDITIONS)
def edition(request):
    """Return the language of an edition."""
    return request.param


def open_story(page, address, edition, width=1280):
    """Open the page in a window so wide, and return the story."""
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(f"{address}/{edition}/architecture.html")
    story = page.locator(STORY)
    story.wait_for()
    return story


def come_to(page, story, n):
    """Scroll to a step, as a reader does, and wait until its picture is there."""
    story.evaluate(BRING, n)
    page.wait_for_function(ARRIVED, arg=[story.element_handle(), n])


def stored(edition):
    """Return the drawing that the notebook of an edition stores, and its alt text."""
    cells = read_notebook(CHAPTERS / edition / "architecture.ipynb").cells
    cell = next(cell for cell in cells if cell["id"] == "journey-figure")
    return Drawn(**cell.outputs[0]["data"][FIGURE]), cell.metadata["mystnb"]["image"]["alt"]


def test_the_picture_is_that_of_the_step_which_the_reader_has_come_to(page, address, edition):
    story = open_story(page, address, edition)
    assert story.evaluate(SEEN) == [1, *[0] * (N_STEPS - 1)]
    tops = []
    for n in [*range(N_STEPS), 4, 0]:
        come_to(page, story, n)
        assert story.evaluate(SEEN) == [int(n == step) for step in range(N_STEPS)]
        picture = story.locator("li.shown svg:visible").bounding_box()
        asks = story.locator("li.shown .story-asks").bounding_box()
        assert 50 < picture["y"] < picture["y"] + picture["height"] < 800
        assert asks["x"] + asks["width"] <= picture["x"]
        tops.append(picture["y"])
    assert len({round(top) for top in tops[1:-3]}) == 1  # it stays in its place


def test_a_reader_who_scrolls_by_keys_sees_the_steps_in_order(page, address):
    story = open_story(page, address, "en")
    story.evaluate(BRING, 0)
    seen = []
    for _ in range(16):
        page.keyboard.press("PageDown")
        page.wait_for_timeout(150)
        seen.append(story.evaluate(SHOWN))
    assert seen == sorted(seen)
    assert len(set(seen)) >= 5
    assert seen[-1] == N_STEPS - 1


@pytest.mark.parametrize("width", [360, 600])
def test_on_a_narrow_page_each_question_has_its_picture_and_then_its_answer(
    page, address, edition, width
):
    story = open_story(page, address, edition, width)
    assert story.evaluate(SEEN) == [1] * N_STEPS
    bottom = 0
    for step in story.locator("li").all():
        for part in (".story-asks", "svg:visible", "p:last-child"):
            box = step.locator(part).bounding_box()
            assert box["y"] >= bottom - 1
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= width
            bottom = box["y"] + box["height"]
    assert page.evaluate(OVERFLOW) == 0


def all_seen(story):
    """Check that all pictures stand below each other, each beside its own words."""
    assert story.evaluate(SEEN) == [1] * N_STEPS
    bottom = -math.inf
    for step in story.locator("li").all():
        asks, picture = (step.locator(p).bounding_box() for p in (".story-asks", "svg:visible"))
        assert picture["y"] >= bottom
        assert abs(asks["y"] - picture["y"]) < 30
        assert asks["x"] + asks["width"] <= picture["x"]
        bottom = picture["y"] + picture["height"]


def test_without_javascript_all_pictures_are_there(browser, address, edition):
    with browser.new_context(java_script_enabled=False) as context:
        all_seen(open_story(context.new_page(), address, edition))


def test_where_the_script_does_not_come_all_pictures_are_there(page, address, edition):
    page.route("**/figures.js*", lambda route: route.abort())
    all_seen(open_story(page, address, edition))


def test_for_a_reader_who_wants_no_motion_all_pictures_are_there(page, address, edition):
    page.emulate_media(reduced_motion="reduce")
    story = open_story(page, address, edition)
    story.evaluate(BRING, 6)
    page.wait_for_timeout(200)
    all_seen(story)


def test_on_paper_all_pictures_are_there(page, address, edition):
    story = open_story(page, address, edition)
    come_to(page, story, 5)
    page.emulate_media(media="print")
    all_seen(story)


@pytest.mark.parametrize("width", [360, 1280])
def test_who_listens_hears_each_question_what_its_picture_shows_and_the_answer(
    page, address, edition, width
):
    story = open_story(page, address, edition, width)
    drawn, alt = stored(edition)
    assert story.get_attribute("aria-label") == alt
    told = [said.split("\n") for said, _ in drawn.frames(edition)]
    stills = story.get_by_role("img").all()
    assert [still.get_attribute("aria-label") for still in stills] == [said[2] for said in told]
    asked = story.locator(".story-asks").all_inner_texts()
    assert [re.sub(r"^\d+\s*", "", text) for text in asked] == [said[0] for said in told]
    answers = story.locator("li > p:last-child").all_text_contents()
    assert answers == [said[1].replace("`", "") for said in told]


def test_axe_finds_nothing_in_the_story(page, address, edition):
    for width, scheme in ((1280, "light"), (1280, "dark"), (360, "dark")):
        page.emulate_media(color_scheme=scheme)
        open_story(page, address, edition, width)
        assert find_faults(page, "#fig-journey") == []


def test_the_picture_that_is_taken_along_is_the_one_that_is_seen(browser, address):
    with browser.new_context(accept_downloads=True) as context:
        context.grant_permissions(["clipboard-read", "clipboard-write"], origin=address)
        page = context.new_page()
        story = open_story(page, address, "en")
        figure = page.locator("#fig-journey")
        come_to(page, story, N_STEPS - 1)
        figure.locator(".figure-tools button").click()
        figure.locator(".figure-tools [role=status]").filter(has_text="Copied").wait_for()


def test_the_search_reads_the_words_of_a_story_and_not_those_of_other_figures():
    drawn, alt = stored("en")

    cell = {"mystnb": {"figure": {"name": "fig-a"}, "image": {"alt": alt}}}
    data = SimpleNamespace(mime_type=FIGURE, content=drawn.spec, line=1, cell_metadata=cell)
    config = SimpleNamespace(config=SimpleNamespace(language="en"))
    page = SimpleNamespace(renderer=SimpleNamespace(sphinx_env=config))
    (node,) = Figures.handle_mime(page, data, False)
    read = [child.astext() for child in node.children]
    assert read == [line for said, _ in drawn.frames() for line in said.split("\n")[:2]]
    assert node["html"] == to_html(drawn, "fig-a", alt, "en")
