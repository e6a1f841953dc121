"""Two editions: the way from each page to its twin, and interface words in the page's language."""

from gettext import NullTranslations
from pathlib import Path

import yaml
from sphinx.locale import translators

NAMES = {"ja": "日本語", "en": "English"}
TWIN = {"ja": "en", "en": "ja"}
CATALOGUES = (("general", "sphinx"), ("general", "booktheme"))


class Words(NullTranslations):
    """Translations that are asked when a package has none of its own."""

    def __init__(self, words):
        """Take a dict from English to the edition's language."""
        super().__init__()
        self.words = words

    def gettext(self, message):
        """Return the translation, or the message itself."""
        return self.words.get(message, message)


def add_words(app):
    """Translate what Sphinx and the themes leave in English; words.<language>.yml holds it."""
    path = Path(__file__).with_name(f"words.{app.config.language}.yml")
    if path.exists():
        words = Words(yaml.safe_load(path.read_text(encoding="utf-8")))
        for catalogue in CATALOGUES:
            translators.setdefault(catalogue, NullTranslations()).add_fallback(words)


def add_twin(app, pagename, templatename, context, doctree):
    """Give templates the same page in the other edition, and its alternates for search engines."""
    here = app.config.language
    there = TWIN[here]
    page = pagename if has_twin(app, pagename) else "index"
    up = "../" * (pagename.count("/") + 1)
    context["twin"] = {"lang": there, "name": NAMES[there], "url": f"{up}{there}/{page}.html"}
    if page == pagename:
        context["alternates"] = {language: f"{up}{language}/{page}.html" for language in NAMES}


def has_twin(app, pagename):
    """Return whether the other edition has a page of this name: a chapter, or a generated page."""
    if pagename not in app.env.found_docs:
        return not pagename.startswith("_modules/")
    source = app.env.doc2path(pagename, base=False)
    return (Path(app.srcdir).parent / TWIN[app.config.language] / source).exists()


def setup(app):
    """Register the words and the twin."""
    app.connect("builder-inited", add_words, priority=400)
    app.connect("html-page-context", add_twin, priority=400)
