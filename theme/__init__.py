"""The Sphinx extension of the book: what its pages need beyond Jupyter Book.

cards        what a shared link shows: the title, and a card with a figure
chapters     a page as a card, with its picture and one of its numbers
charts       charts with sliders
checks       cells that check something, in one line
docstrings   the package's plain docstrings on the API page
editions     the language switch, the alternates, words that packages leave in English
figures      figures as vectors, for a desk and for a phone, in steps, and to take along
head         the description of each page, and scripts that wait
hero         the model that writes on as one types, on the first page
live         the model that runs in the page
markup       HTML of other packages, written anew, and the check that images have alt text
mathematics  TeX to MathML at build time, and the font that draws it
rooms        the pages of the API, from what is in the package
search       Japanese search that finds words inside compounds, over what the pages show
styles       one style sheet and one font of icons, without what no page uses
tables       data frames as numbered tables
where        where each concept is: the table of chapters/where.csv
"""

from pathlib import Path

from . import (
    cards,
    chapters,
    charts,
    checks,
    docstrings,
    editions,
    figures,
    head,
    hero,
    live,
    markup,
    mathematics,
    rooms,
    search,
    styles,
    tables,
    where,
)

HERE = Path(__file__).parent
PARTS = (
    cards, chapters, charts, checks, docstrings, editions, figures, head, hero, live, markup,
    mathematics, rooms, search, styles, tables, where,
)  # fmt: skip


def setup(app):
    """Register every part."""
    app.add_config_value("comments_config", {}, "")  # Jupyter Book sets it in any case
    app.connect("config-inited", add_own_files)
    app.add_css_file("book.css", priority=900)
    app.add_js_file("book.js", loading_method="defer")
    for part in PARTS:
        part.setup(app)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def add_own_files(app, config):
    """Let Sphinx find the templates and static files that lie beside this module."""
    config.templates_path = [str(HERE / "templates"), *config.templates_path]
    config.html_static_path = [*config.html_static_path, str(HERE / "static")]
    config.html_favicon = str(HERE / "static" / "favicon.svg")
