"""What a link to a page shows where it is shared: its title, and a card with its signature figure.

A card is a picture of 1200 x 630 pixels, drawn when the book is built: the title of the page, the
name of the book, one sentence, and the figure that FIGURES names. Other pages share the first card.
"""

import re
from pathlib import Path
from urllib.parse import urljoin

import numpy as np
from docutils import nodes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager
from matplotlib.text import Text
from sphinx.util import logging

from gpt_helpers.figures.drawn import Drawn
from gpt_helpers.figures.style import BLUE, GREY, INK, PAPER
from gpt_helpers.figures.words import width_in_letters

from .figures import DrawnFigure
from .head import TAG, shorten

LOG = logging.getLogger(__name__)
FIRST = "index"
FIGURES = {  # {page: page of the figure, its name}
    FIRST: ("variants", "fig-family-tree"),
    "architecture": ("architecture", "fig-one-token"),
    "scaling_laws": ("scaling_laws", "fig-forecast"),
    "training": ("training", "fig-shipped"),
    "optimization": ("optimization", "fig-roofline"),
    "applications": ("applications", "fig-formation"),
    "variants": ("variants", "fig-family-tree"),
    "summary": ("summary", "fig-sudden"),
    "workbook": ("workbook", "fig-workbook"),
}
WIDTH, HEIGHT, MARGIN = 1200, 630, 56  # pixels
DOTS = 100  # pixels for an inch
SHEETS = (6.0, 10.0)  # inches that a figure may take, until it fits the room that is left
PER_LETTER = 0.61  # how wide a letter is, of the size of its font
JAPANESE = (
    "Noto Sans CJK JP", "Noto Sans JP", "Hiragino Sans", "Hiragino Maru Gothic Pro", "Yu Gothic",
    "Meiryo", "BIZ UDGothic", "IPAexGothic", "IPAPGothic", "TakaoPGothic", "VL PGothic",
)  # fmt: skip
LONGEST = {"ja": 84, "en": 140}  # letters of the sentences: two lines
LOCALES = {"ja": "ja_JP", "en": "en_GB"}
PIECE = re.compile(r"[!-~]+ ?|.[、。，．」』）]*")


def font_of(language):
    """Return the names of fonts with the letters of a language, or None if there is none here."""
    names = {font.name for font in fontManager.ttflist}
    japanese = next((name for name in JAPANESE if name in names), None)
    if language == "ja" and japanese is None:
        return None
    return ["DejaVu Sans"] if language == "en" else [japanese, "DejaVu Sans"]


def wrapped(text, n_letters):
    """Return the lines of a text, at most so many Latin letters wide."""
    lines = [""]
    for piece in PIECE.findall(" ".join(text.split())):
        if lines[-1] and width_in_letters((lines[-1] + piece).rstrip()) > n_letters:
            lines.append("")
        lines[-1] += piece
    return [line.strip() for line in lines]


def shortened(lines, n_lines):
    """Return at most so many lines, with a sign where some are left out."""
    if len(lines) <= n_lines:
        return lines
    return [*lines[: n_lines - 1], f"{lines[n_lines - 1][:-1]}…"]


def draw_card(book, title, sentence, spec, language):
    """Return a card as a Figure; spec is the data of a Drawn, or None."""
    card = Figure((WIDTH / DOTS, HEIGHT / DOTS), dpi=DOTS, facecolor=PAPER)
    family, top = font_of(language), MARGIN
    for text, size, colour, weight, n_lines in (
        (book, 24, BLUE, "normal", 1),
        (title, 46, INK, "bold", 2),
        (sentence, 24, GREY, "normal", 2),
    ):
        most = (WIDTH - 2 * MARGIN) / (size * PER_LETTER)
        for line in shortened(wrapped(text, most), n_lines):
            card.text(
                MARGIN / WIDTH, 1 - top / HEIGHT, line, va="top", color=colour, family=family,
                size=size * 72 / DOTS, weight=weight, parse_math=False,
            )  # fmt: skip
            top += round(size * 1.4)
        top += 8
    if spec:
        add_figure(card, fitting(Drawn(**spec), language, HEIGHT - MARGIN / 2 - top), family, top)
    return card


def fitting(drawn, language, height):
    """Return the Figure, of those as wide as SHEETS, whose letters are largest in the room left."""
    figures = [drawn.figure(language, inches) for inches in SHEETS]
    for figure in figures:
        width = (WIDTH - 2 * MARGIN) / figure.get_figwidth()
        figure.set_dpi(int(min(width, height / figure.get_figheight())))
    return max(figures, key=lambda figure: (figure.dpi, figure.get_figwidth()))


def add_figure(card, figure, family, top):
    """Put a figure on a card, below top, in letters that are here."""
    for text in figure.findobj(Text):
        text.set_fontfamily([*text.get_fontfamily(), *family])
    figure.set_facecolor(PAPER)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())
    card.figimage(pixels, (WIDTH - pixels.shape[1]) / 2, HEIGHT - top - pixels.shape[0])


def figure_of(app, page):
    """Return the data of a page's signature figure and the first sentences of its caption.

    The data is None where the figure is a picture already; both are empty in another book.
    """
    source, name = FIGURES[page]
    if source not in app.env.found_docs:
        return None, ""
    for figure in app.env.get_doctree(source).findall(nodes.figure):
        if name in [*figure["ids"], *figure["names"]]:
            specs = [drawn["spec"] for drawn in figure.findall(DrawnFigure)]
            caption = next(iter(figure.findall(nodes.caption)), nodes.caption()).astext()
            sentences = shorten(" ".join(caption.split()), LONGEST[app.config.language])
            return (specs[0] if specs else None), sentences
    LOG.warning("%s: no figure %s for the card of %s", source, name, page, type="card")
    return None, ""


def url_of(app, pagename, file):
    """Return the address of a file of an edition: a whole one if the book knows where it lies."""
    if app.config.html_baseurl:
        return urljoin(app.config.html_baseurl.rstrip("/") + "/", file)
    return "../" * pagename.count("/") + file


def add_card(app, pagename, templatename, context, doctree):
    """Give a page what is shown of it elsewhere, and draw its card if it has its own."""
    language, book = app.config.language, app.config.html_title
    title = TAG.sub("", context.get("title", "")) or book
    page = pagename if pagename in FIGURES else FIRST
    has_letters = font_of(language) is not None
    if page == pagename and has_letters:
        path = Path(app.outdir) / "_static" / "cards" / f"{page}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        spec, sentence = figure_of(app, page)
        card = draw_card(book if title != book else "", title, sentence, spec, language)
        card.savefig(path, dpi=DOTS, metadata={"Software": None})
    edition = "" if has_letters else "../en/"  # the card of the other edition is read anywhere
    context["card"] = {
        "og:type": "article",
        "og:site_name": book,
        "og:locale": LOCALES[language],
        "og:title": title,
        "og:description": context["description"],
        "og:image": url_of(app, pagename, f"{edition}_static/cards/{page}.png"),
        "og:image:width": WIDTH,
        "og:image:height": HEIGHT,
        "og:image:alt": title,
        "twitter:card": "summary_large_image",
    }


def setup(app):
    """Register what each page says of itself elsewhere."""
    app.connect("html-page-context", add_card, priority=600)  # after its description
