"""The {chapter} directive: a page of the book as a card, with its picture and one of its numbers.

```{chapter} optimization
:number: 6,144
:unit: MiB
:what: of scores that need not be written
:cell: correction
:run: 1

One sentence.
```

The picture is the figure of the page's card for those who share it (cards.py). The number has to
stand in an output of the cell that is named, as it is or rounded: else the build warns. Minutes to
read are counted from the text of the page, minutes to run are those of README.md.
"""

import json
import re
from pathlib import Path
from typing import ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

from gpt_helpers.figures.drawn import Drawn
from gpt_helpers.figures.style import DESK

from .cards import FIGURES, figure_of
from .live import skip_panel

LOG = logging.getLogger(__name__)
INCHES = 3.4  # of the picture
TALLEST = 1.15  # height of a picture to its width; of a taller one, the upper part is shown
STRIP = 2.5  # of one that is as narrow, only the beginning would be seen
LETTERS, WORDS = 300, 165  # that are read in a minute: Japanese letters, words of others
STEP = 5  # minutes to which the time for reading is rounded
NUMBER = re.compile(r"[-−]?\d[\d,]*(?:\.\d+)?")
MINUTES = {"ja": "読む {read}分　動かす {run}分", "en": "{read} min to read · {run} min to run"}
LETTER = re.compile("[ぁ-ヿ一-龯]")
CARD = """<div class="chapter-card">
<div class="chapter-picture{cut}" aria-hidden="true">{picture}</div>
<p class="chapter-title"><a href="{link}">{title}</a></p>
<p class="chapter-number"><strong>{number}</strong> {unit} <span>{what}</span></p>
"""


class ChapterNode(nodes.General, nodes.Element):
    """A card in the document tree: the name of the page, its options, and a text."""


class Chapter(SphinxDirective):
    """Put a page's card on the page."""

    required_arguments = 1
    has_content = True
    option_spec: ClassVar = {
        "number": directives.unchanged_required,
        "unit": directives.unchanged,
        "what": directives.unchanged_required,
        "cell": directives.unchanged_required,
        "run": directives.positive_int,
    }

    def run(self):
        """Return the card, with a warning if its number is not where it should be."""
        [page] = self.arguments
        lacking = sorted(set(self.option_spec) - set(self.options))
        if page not in FIGURES or lacking or not self.content:
            raise self.error(f"{page}: a card needs a page of {list(FIGURES)}, {lacking}, a text")
        path = Path(self.env.srcdir, f"{page}.ipynb")
        self.env.note_dependency(str(path))
        number, cell = self.options["number"], self.options["cell"]
        if not stands_in(number, outputs_of(path, cell)):
            text = f"{page}: {number} stands in no output of the cell {cell}"
            LOG.warning(text, location=self.get_location(), type="card")
        card = ChapterNode(page=page, **self.options)
        self.state.nested_parse(self.content, self.content_offset, card)
        return [card]


def outputs_of(path, name):
    """Return the texts that the cell of this id of a notebook puts out, as one."""
    texts = [
        part
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]
        if cell.get("id") == name
        for output in cell.get("outputs", ())
        for part in (output.get("data", {}).get("text/plain", ""), output.get("text", ""))
    ]
    return "\n".join("".join(text) for text in texts)


def numbers_in(text):
    """Return the numbers of a text as Python writes them."""
    return [found.replace("−", "-").replace(",", "") for found in NUMBER.findall(text)]


def stands_in(number, text):
    """Return whether a number stands in a text, with as many digits or more."""
    [digits] = numbers_in(number)
    n_digits = len(digits.partition(".")[2])
    return any(f"{float(other):.{n_digits}f}" == digits for other in numbers_in(text))


def minutes_to_read(doctree):
    """Return the minutes that the paragraphs of a page take, rounded to STEP."""
    text = " ".join(node.astext() for node in doctree.findall(nodes.paragraph))
    letters, words = len(LETTER.findall(text)), len(re.findall(r"[A-Za-z]{2,}", text))
    minutes = letters / LETTERS if letters > words else words / WORDS
    return max(STEP, STEP * round(minutes / STEP))


def picture_of(drawn, language, page):
    """Return the SVG of a figure, its last step, and its height to its width.

    What would be a long strip in a card is drawn as wide as for a desk.
    """
    for inches in (INCHES, DESK):
        [*_, (_, svg)] = drawn.svgs(language, inches, f"card-{page}")
        width, height = map(int, re.search(r'width="(\d+)" height="(\d+)"', svg).groups())
        if height <= STRIP * width:
            break
    return svg, height / width


def open_card(translator, node):
    """Write the picture, the title and the number of a card."""
    builder, page, encode = translator.builder, node["page"], translator.encode
    spec, _ = figure_of(builder.app, page)
    svg, height = picture_of(Drawn(**spec), builder.config.language, page)
    parts = {
        "picture": svg,
        "cut": " tall" if height > TALLEST else "",
        "link": encode(builder.get_relative_uri(builder.current_docname, page)),
        "title": encode(builder.env.titles[page].astext()),
        **{key: encode(node[key]) for key in ("number", "unit", "what")},
    }
    translator.body.append(CARD.format_map(parts))


def close_card(translator, node):
    """Write the minutes that a page takes, and end its card."""
    builder = translator.builder
    read = minutes_to_read(builder.env.get_doctree(node["page"]))
    text = MINUTES[builder.config.language].format(read=read, run=node["run"])
    translator.body.append(f'<p class="chapter-minutes">{text}</p>\n</div>\n')


def add_files(app, pagename, templatename, context, doctree):
    """Give a page with cards their style, and the colours of figures."""
    if doctree is not None and any(True for _ in doctree.findall(ChapterNode)):
        app.add_css_file("figures.css", priority=900)
        app.add_css_file("chapters.css", priority=901)


def setup(app):
    """Register the directive."""
    skipped = (skip_panel, None)
    app.add_node(ChapterNode, html=(open_card, close_card), latex=skipped, text=skipped)
    app.add_directive("chapter", Chapter)
    app.connect("html-page-context", add_files)
