"""The head of each page: what it is about, and scripts that do not hold up its first word.

No script is written in a page, where a policy may forbid it.
"""

import re

from docutils import nodes
from sphinx.builders.html._assets import _JavaScript
from sphinx.locale import _

LONGEST = {"ja": 120, "en": 160}
TAG = re.compile("<[^>]*>")
SPACE = re.compile(r"\s+")


def describe(app, pagename, templatename, context, doctree):
    """Give the page a description: its first paragraph, or its title and that of the book."""
    generated = {"search": _("Search"), "genindex": _("Index")}
    title = generated.get(pagename) or TAG.sub("", context.get("title", ""))
    text = first_paragraph(doctree) if doctree else ""
    text = shorten(text, LONGEST[app.config.language])
    context["description"] = text or f"{title} - {app.config.html_title}"


def first_paragraph(doctree):
    """Return the first paragraph that stands by itself, as plain text."""
    for paragraph in doctree.findall(nodes.paragraph):
        if isinstance(paragraph.parent, nodes.section | nodes.document):
            return SPACE.sub(" ", paragraph.astext()).strip()
    return ""


def shorten(text, longest):
    """Return whole sentences of at most so many characters, or the beginning of the first."""
    if len(text) <= longest:
        return text
    ends = [match.end() for match in re.finditer(r"[。！？]|[.!?](?=\s)", text[:longest])]
    return text[: ends[-1]] if ends else f"{text[: longest - 1].rstrip()}…"


def defer_scripts(app, pagename, templatename, context, doctree):
    """Let scripts run in their order when the page has been read, but for those of the search."""
    scripts = [script for script in context["script_files"] if is_wanted(script)]
    waiting = scripts if pagename == "search" else [deferred(script) for script in scripts]
    context["script_files"] = waiting


def is_wanted(script):
    """Return whether a script is a file that a page needs: not settings that none of them reads.

    What Sphinx says in Japanese comes with code that a policy may forbid; static/search.js has it.
    """
    return script.filename and not str(script.filename).endswith("translations.js")


def deferred(script):
    """Return a script that waits."""
    attributes = {**script.attributes, "defer": "defer"}
    return _JavaScript(script.filename, priority=script.priority, **attributes)


def draw_launch_buttons(app, pagename, templatename, context, doctree):
    """Draw the buttons that open a notebook elsewhere with an icon of the font, not an image."""
    for group in context.get("header_buttons", ()):
        for button in group.get("buttons", ()):
            if button.get("icon", "").startswith("_static/"):
                button["icon"] = "fas fa-rocket"


def setup(app):
    """Register what is done to every page."""
    app.connect("html-page-context", describe)
    app.connect("html-page-context", defer_scripts, priority=900)
    app.connect("html-page-context", draw_launch_buttons, priority=900)
