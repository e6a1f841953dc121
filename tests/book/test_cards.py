"""What a shared link to a page shows: its title, its description, and a card."""

import re
from itertools import pairwise
from types import SimpleNamespace

import pytest
from docutils import nodes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from gpt_helpers.figures.drawings.text import Piece, tokens
from tests.helpers.book import CHAPTERS, ROOT, read_notebook
from tests.helpers.browser import EDITIONS, find_faults, page_names
from theme import cards, chapters

HEAVIEST = 150_000  # bytes
META = re.compile(r'<meta (?:name|property)="((?:og|twitter):[\w:]+)" content="([^"]*)">')
LONG = {
    "ja": "長い題の、GPTのページである、" * 6,
    "en": "A title of many long words " * 6,
}


@pytest.fixture(scope="module")
def shared(site):
    """Return {page: {name: content}} of what pages say of themselves elsewhere."""
    return {name: dict(META.findall((site / name).read_text("utf-8"))) for name in page_names(site)}


def test_every_page_has_a_title_a_description_and_a_card(site, shared):
    for name, found in shared.items():
        text = (site / name).read_text("utf-8")
        title = re.search(r"<title>(.*?)</title>", text, re.DOTALL)[1]
        assert found["og:title"].strip(), name
        assert found["og:title"] in " ".join(title.split()), name
        described = re.search(r'<meta name="description" content="([^"]*)">', text)[1]
        assert found["og:description"] == described != "", name
        assert found["twitter:card"] == "summary_large_image"
        card = site / name[:2] / found["og:image"].removeprefix("../" * (name.count("/") - 1))
        assert card.is_file(), name


def test_pages_with_a_figure_have_a_card_of_their_own(shared):
    for edition in EDITIONS:
        own = {page: shared[f"{edition}/{page}.html"]["og:image"] for page in cards.FIGURES}
        assert len(set(own.values())) == len(cards.FIGURES)
        assert shared[f"{edition}/notation.html"]["og:image"] == own[cards.FIRST]


def test_cards_are_light_and_have_the_size_that_is_stated(site, shared):
    paths = [path for edition in EDITIONS for path in (site / edition).rglob("_static/cards/*.png")]
    assert {path.stem for path in paths} == set(cards.FIGURES)
    assert {
        path.name: path.stat().st_size for path in paths if path.stat().st_size > HEAVIEST
    } == {}
    for path in paths:
        with Image.open(path) as card:
            assert card.size == (cards.WIDTH, cards.HEIGHT)
            assert len(card.convert("RGB").getcolors(1 << 20)) > 20


@pytest.mark.parametrize("language", EDITIONS)
def test_the_longest_title_and_any_figure_stay_on_the_card(language):
    if cards.font_of(language) is None:
        pytest.skip("no font with Japanese letters here")
    spec = tokens([[Piece("a", 0, 0, ""), Piece(" b", 1, 1, "")]] * 40).spec
    card = cards.draw_card("GPT", LONG[language], LONG[language], spec, language)
    canvas = FigureCanvasAgg(card)
    canvas.draw()
    boxes = [text.get_window_extent(canvas.get_renderer()) for text in card.texts]
    assert len(boxes) == 5
    assert max(box.x1 for box in boxes) <= cards.WIDTH - cards.MARGIN / 2
    assert all(above.y0 >= below.y0 for above, below in pairwise(boxes))
    [picture] = card.images
    height, width = picture.get_array().shape[:2]
    assert 0 <= picture.oy <= picture.oy + height <= min(box.y0 for box in boxes)
    assert 0 <= picture.ox <= picture.ox + width <= cards.WIDTH


def test_lines_break_between_words_and_never_before_a_full_stop():
    assert cards.wrapped("one two three", 7) == ["one two", "three"]
    assert cards.wrapped("これは文。次の文。", 7) == ["これは", "文。次の", "文。"]
    assert cards.shortened(["a", "bcd", "e"], 2) == ["a", "bc…"]


@pytest.mark.parametrize(("base", "url"), [
    ("", "../_static/cards/a.png"),
    ("https://example.org/book/ja", "https://example.org/book/ja/_static/cards/a.png"),
    ("https://example.org/book/ja/", "https://example.org/book/ja/_static/cards/a.png"),
])  # fmt: skip
def test_the_address_of_a_card_is_whole_where_the_book_knows_its_own(base, url):
    app = SimpleNamespace(config=SimpleNamespace(html_baseurl=base))
    assert cards.url_of(app, "a/page", "_static/cards/a.png") == url


def test_without_japanese_letters_the_card_of_the_english_edition_stands(monkeypatch):
    monkeypatch.setattr(cards, "JAPANESE", ())
    assert cards.font_of("ja") is None
    config = SimpleNamespace(html_baseurl="https://a.b/ja", language="ja", html_title="T")
    context = {"title": "<b>x</b>", "description": "d"}
    cards.add_card(SimpleNamespace(config=config), "index", "", context, None)
    assert context["card"]["og:image"] == "https://a.b/en/_static/cards/index.png"
    assert context["card"]["og:title"] == "x"


# The chapters as cards on the first page.

INDEX = {language: CHAPTERS / language / "index.ipynb" for language in EDITIONS}
# Of the READMEs: how long the notebooks take.
SENTENCE = re.compile(r"(?:かかる時間は|laptop's CPU:)[^。.]*")
OPTION = re.compile(r"^:(number|what|cell|run): (.+)$", re.MULTILINE)


def cards_of(language):
    """Return {page: its options} of the cards in the notebook of the first page."""
    text = "\n".join(cell.source for cell in read_notebook(INDEX[language]).cells)
    blocks = re.findall(r"^:::\{chapter\} (\w+)\n(.*?)^:::$", text, re.MULTILINE | re.DOTALL)
    return {page: dict(OPTION.findall(block)) for page, block in blocks}


@pytest.mark.parametrize("language", EDITIONS)
def test_the_number_of_each_card_stands_in_the_output_that_it_names(language):
    found = cards_of(language)
    assert set(found) == set(cards.FIGURES) - {cards.FIRST}
    for page, options in found.items():
        outputs = chapters.outputs_of(CHAPTERS / language / f"{page}.ipynb", options["cell"])
        assert chapters.stands_in(options["number"], outputs), page
        [digits] = chapters.numbers_in(options["number"])
        assert not chapters.stands_in(f"{float(digits) + 1}", outputs), page


@pytest.mark.parametrize(("number", "text", "there"), [
    ("124,439,808", "gpt2  12  124439808", True),
    ("124,439,808", "gpt2  12  1244398080", False),
    ("−10.0", "2.695  -10.0%  False", True),
    ("−10.0", "2.695  10.0%  False", False),
    ("0.998", "(0.9984, [0.995, 0.999])", True),
    ("0.998", "(0.9986, [0.995, 0.999])", False),
    ("1,403", "gpt3  174604259328  1403.1", True),
])  # fmt: skip
def test_a_number_stands_in_a_text_as_it_is_or_rounded(number, text, there):
    assert chapters.stands_in(number, text) is there


def test_minutes_to_run_are_those_of_the_readmes():
    for language, name in (("ja", "README.ja.md"), ("en", "README.md")):
        sentence = re.search(SENTENCE, (ROOT / name).read_text("utf-8"))
        assert sentence, name
        told = {int(n) for n in re.findall(r"\d+", sentence[0])}
        assert {int(options["run"]) for options in cards_of(language).values()} == told
    assert {p: o["run"] for p, o in cards_of("ja").items()} == {
        p: o["run"] for p, o in cards_of("en").items()
    }


@pytest.mark.parametrize(("text", "minutes"), [
    ("あ" * 3_000, 10), ("あ" * 100, 5), ("word " * 2_475, 15), ("語" * 3_100 + "GPT " * 900, 10),
])  # fmt: skip
def test_minutes_to_read_are_counted_from_the_text(text, minutes):
    document = nodes.section(
        "", nodes.paragraph("", text), nodes.literal_block("", "word " * 9_999)
    )
    assert chapters.minutes_to_read(document) == minutes


@pytest.mark.parametrize("language", EDITIONS)
@pytest.mark.parametrize(("scheme", "width", "columns"), [("light", 1280, 2), ("dark", 360, 1)])
def test_each_chapter_has_a_card_with_picture_number_and_minutes(
    browser, address, language, scheme, width, columns
):
    viewport = {"width": width, "height": 800}
    with browser.new_context(color_scheme=scheme, viewport=viewport) as context:
        page = context.new_page()
        page.goto(f"{address}/{language}/index.html")
        found = page.locator(".chapter-card")
        assert found.count() == len(cards.FIGURES) - 1
        boxes = [card.bounding_box() for card in found.all()]
        assert len({box["x"] for box in boxes}) == columns
        for card, (name, options) in zip(found.all(), cards_of(language).items(), strict=True):
            assert card.locator("a").first.get_attribute("href") == f"{name}.html"
            assert card.locator(".chapter-number strong").inner_text() == options["number"]
            assert card.locator(".chapter-picture svg").count() == 1
            assert options["run"] in card.locator(".chapter-minutes").inner_text()
            assert card.locator("> p:not([class])").inner_text()
        assert find_faults(page, within=".chapter-cards") == []
        found.first.click(position={"x": 40, "y": 40})
        page.wait_for_url("**/architecture.html")


def read_card(**options):
    """Read a card of the Japanese edition as the build does, and return its node."""
    card = object.__new__(chapters.Chapter)
    env = SimpleNamespace(srcdir=CHAPTERS / "ja", note_dependency=lambda path: None)
    document = SimpleNamespace(settings=SimpleNamespace(env=env))
    card.state = SimpleNamespace(document=document, nested_parse=lambda *parts: None)
    card.arguments, card.content, card.content_offset = ["optimization"], ["A text."], 0
    card.options = {"number": "6,144", "unit": "", "what": "x", "cell": "correction", "run": 1}
    card.options |= options
    card.get_location, card.error = (lambda: ""), ValueError
    [node] = card.run()
    return node


@pytest.mark.parametrize(("options", "n_warnings"), [
    ({}, 0), ({"number": "6,145"}, 1), ({"cell": "correction-check"}, 1), ({"cell": "none"}, 1),
])  # fmt: skip
def test_a_number_that_its_cell_does_not_show_is_warned_of(monkeypatch, options, n_warnings):
    warned = []
    monkeypatch.setattr(chapters.LOG, "warning", lambda text, **place: warned.append(text))
    assert read_card(**options)["number"] == options.get("number", "6,144")
    assert len(warned) == n_warnings


def test_a_card_that_lacks_something_is_refused(monkeypatch):
    monkeypatch.setattr(chapters.Chapter, "option_spec", {**chapters.Chapter.option_spec, "y": str})
    with pytest.raises(ValueError, match="'y'"):
        read_card()
