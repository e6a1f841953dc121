"""Every page on a desk, a phone and paper: weight, accessibility, figures, links, machines."""

import re
from collections import Counter
from urllib.parse import urljoin, urlsplit

import pytest

from tests.helpers.browser import find_colour_faults

HEAVIEST = 800_000  # bytes as a server sends them, without the model, which a reader asks for
MOST_FILES = 30
SHORTEST = {"ja": 10, "en": 20}  # characters of a description
TWIN = {"ja": "en", "en": "ja"}
JAPANESE = re.compile("[ぁ-んァ-ヶ一-龯]")
NAMES = re.compile(r"|.*(API|Colab|GPT|\.ipynb|\.md).*")  # words that stay as they are
EMPTY_WORDS = {"here", "click here", "this", "more", "link", "ここ", "こちら", "これ", "リンク"}


def failing(tour, fault):
    """Return {page: fault} of the pages that have one."""
    return {name: fault(stay) for name, stay in tour.items() if fault(stay)}


def pictures(tour, place, fault):
    """Return {page: images} of the images that have a fault in the dark or on a phone."""
    return failing(tour, lambda stay: [i["name"] for i in getattr(stay, place) if fault(i)])


def test_the_first_load_of_a_page_is_at_most_four_fifths_of_a_megabyte(tour):
    assert all(stay.requests for stay in tour.values())
    weights = {name: sum(size for _, size in stay.requests.values()) for name, stay in tour.items()}
    assert {name: weight for name, weight in weights.items() if weight > HEAVIEST} == {}


def test_a_page_asks_for_at_most_thirty_files(tour):
    assert failing(tour, lambda stay: len(stay.requests) > MOST_FILES) == {}


def test_no_page_asks_another_host_or_reports_a_fault_or_a_deprecation(tour):
    assert failing(tour, lambda stay: stay.outside + stay.errors) == {}


def test_axe_finds_nothing_on_a_desk_or_a_phone_in_the_dark_or_in_the_light(tour):
    assert failing(tour, lambda stay: stay.axe) == {}


PLANTED = {
    "a pale cell far down a table": "article tr:last-of-type td",
    "a pale word far down a listing": "article pre:not(details *) span.kn",
}


@pytest.mark.parametrize("place", PLANTED.values(), ids=PLANTED)
def test_axe_finds_what_is_planted_among_what_looks_alike(page, address, place):
    page.goto(f"{address}/en/variants.html")
    page.locator(place).last.evaluate("(element) => { element.style.color = '#ddd'; }")
    [fault] = find_colour_faults(page)
    assert fault.startswith("color-contrast")


def test_nothing_moves_for_a_reader_who_wants_no_motion(tour):
    assert failing(tour, lambda stay: stay.motion[:3]) == {}


def test_no_page_scrolls_sideways(tour):
    assert failing(tour, lambda stay: stay.overflow) == {}


def test_wide_code_tables_and_formulas_scroll_inside_themselves(tour):
    assert failing(tour, lambda stay: stay.sticking_out[:3]) == {}


def test_every_image_has_alt_text_and_a_caption(tour):
    assert pictures(tour, "on_a_phone", lambda i: not (i["words"] and i["caption"])) == {}


def test_images_keep_their_proportions_and_say_them_before_they_load(tour):
    for place in ("in_the_dark", "on_a_phone"):
        wrong = pictures(
            tour,
            place,
            lambda i: (
                abs(i["width"] / i["height"] / i["ratio"] - 1) > 0.02
                or abs((i["stated"] or 0) / i["ratio"] - 1) > 0.02
            ),
        )
        assert wrong == {}


def test_images_have_as_many_pixels_as_they_are_wide(tour):
    assert pictures(tour, "on_a_phone", lambda image: image["pixels"] < image["width"]) == {}


def test_every_page_is_html_5_in_utf_8_for_screens_of_any_width(tour, site):
    for name, stay in tour.items():
        head = stay.head
        expected = ("html", "CSS1Compat", "UTF-8", name[:2])
        assert (head["doctype"], head["mode"], head["charset"], head["lang"]) == expected, name
        assert b'<meta charset="utf-8"' in (site / name).read_bytes()[:1024], name
        assert head["viewport"], name
        assert all("width=device-width" in content for content in head["viewport"]), name
        assert not head["refresh"], name


def test_every_title_is_its_own(tour):
    titles = Counter((name[:2], stay.head["title"]) for name, stay in tour.items())
    assert [title for title, number in titles.items() if number > 1 or not title[1].strip()] == []


def test_every_page_has_one_description_and_chapters_their_own(tour):
    found = {}
    for name, stay in tour.items():
        [description] = stay.head["description"]
        assert len(description) >= SHORTEST[name[:2]], name
        assert len(description) <= 160, name
        assert not description.startswith((" ", "-")), name
        found[name] = description
    assert len(set(found.values())) == len(found)


def test_search_engines_may_list_every_page_but_the_search(tour):
    robots = {name: stay.head["robots"] for name, stay in tour.items() if stay.head["robots"]}
    assert set(robots) <= {"ja/search.html", "en/search.html"}


def twin(name):
    """Return the page that the switch should lead to; source listings have none of their own."""
    there = TWIN[name[:2]] + name[2:]
    return there if "_modules" not in name else f"{TWIN[name[:2]]}/index.html"


def test_the_language_switch_lands_on_the_twin(tour):
    for name, stay in tour.items():
        [(language, href)] = stay.head["switches"]
        path = urlsplit(urljoin(name, href)).path.removeprefix("/")  # a script makes it absolute
        assert (language, path) == (TWIN[name[:2]], twin(name))


def test_alternates_are_whole_addresses_and_a_canonical_one_is_its_own(tour):
    for name, stay in tour.items():
        pages = dict(stay.head["alternates"])
        assert all(urlsplit(address).scheme for address in pages.values()), name
        if "/_modules/" not in name:
            found = {urlsplit(address).path for address in pages.values()}
            assert (pages.keys(), found) == ({"ja", "en"}, {f"/{name}", f"/{twin(name)}"}), name
        for address in stay.head["canonical"]:
            assert urlsplit(address).path.endswith(name.removesuffix("index.html")), name


def test_interface_words_are_japanese_in_the_japanese_edition(tour):
    pages = {name: stay for name, stay in tour.items() if name.startswith("ja/")}
    assert failing(pages, lambda stay: english(stay.head["words"])) == {}


def english(words):
    """Return the words that hold no Japanese and are not names."""
    return [w for w in words if w and not JAPANESE.search(w) and not NAMES.fullmatch(w)]


def test_every_link_inside_the_book_leads_to_a_file(tour, site):
    for name, stay in tour.items():
        links = [href for href, _ in stay.head["links"] if href] + stay.head["files"]
        local = [link for link in links if not urlsplit(link).scheme]
        targets = {urlsplit(urljoin(name, link)).path for link in local}
        assert [target for target in targets if not (site / target).exists()] == [], name


def test_every_link_can_be_followed_by_a_machine_and_says_where_it_leads(tour):
    for name, stay in tour.items():
        for href, words in stay.head["links"]:
            assert href is None or re.match(r"(?!javascript:).", href), (name, words)
            assert words, (name, href)
            assert words.lower().strip(".。") not in EMPTY_WORDS, (name, href)


@pytest.mark.parametrize("width", [1280, 360])
def test_a_link_to_a_section_lands_on_its_heading(page, address, width):
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(f"{address}/ja/training.html")
    sections = page.eval_on_selector_all("article section[id]", "all => all.map((s) => s.id)")
    for name in (*sections[::9], sections[-1]):
        page.goto("about:blank")
        page.goto(f"{address}/ja/training.html#{name}")
        top = f"document.getElementById('{name}').getBoundingClientRect().top"
        page.wait_for_function(f"Math.abs({top}) < 150")


# On paper.


def test_nothing_that_can_only_be_pressed_is_printed(tour):
    assert failing(tour, lambda stay: stay.paper["pressed"][:3]) == {}


def test_no_code_table_or_formula_is_cut_at_the_edge_of_the_paper(tour):
    assert failing(tour, lambda stay: stay.paper["cut"][:3]) == {}
    assert failing(tour, lambda stay: stay.paper["sticking out"][:3]) == {}


def test_a_page_in_the_dark_is_printed_on_white(tour):
    white = {"rgb(255, 255, 255)", "rgba(0, 0, 0, 0)"}
    assert {
        n: stay.paper["colours"] for n, stay in tour.items() if {*stay.paper["colours"]} - white
    } == {}


def test_after_printing_the_page_is_dark_again(page, address):
    page.emulate_media(color_scheme="dark")
    page.goto(f"{address}/en/index.html")
    for media, theme in (("print", "light"), ("screen", "dark")):
        page.emulate_media(media=media)
        page.wait_for_function(f"document.documentElement.dataset.theme === '{theme}'")
