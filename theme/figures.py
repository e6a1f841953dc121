"""Figures as vectors: each drawn from its data for a desk and for a phone, in the page's language.

A cell that shows a figure of gpt_helpers.figures.drawn becomes two SVGs, of which the page shows
the one that fits. Their colours are variables, which this part writes into a style sheet from
gpt_helpers.figures.style, for the light and the dark page.

figures/stepper.js shows drawings of several steps one at a time, figures/story.js shows them
beside their words while a reader scrolls; figures/share.js gives each figure, charts too, its link
and its picture to take along. Without them all steps are seen.
"""

import html
import json
import re
from pathlib import Path

import rjsmin
from docutils import nodes
from myst_nb.core.render import load_mime_renders

from gpt_helpers.figures.drawn import FIGURE, Drawn
from gpt_helpers.figures.style import DARK, DESK, PHONE

HERE = Path(__file__).with_name("figures")
SCRIPTS = ("stepper", "story", "share")
SIZES = {"desk": DESK, "phone": PHONE}


class DrawnFigure(nodes.General, nodes.Element):
    """A figure's HTML and its data.

    Sphinx's search reads raw HTML, where each word of a figure would count twice, and not this.
    Of a story it reads the words, which are the children of the node.
    """


class Figures:
    """The renderer that MyST-NB asks about outputs of a cell."""

    mime_priority_overrides = (("html", FIGURE, 4),)

    @staticmethod
    def handle_mime(renderer, data, inline):
        """Return the node of a figure's data, or None for other outputs."""
        if data.mime_type != FIGURE:
            return None
        options = data.cell_metadata.get("mystnb", {})
        alt = options.get("image", {}).get("alt", "")
        if not alt:
            renderer.logger.warning("figure without alt text", subtype="alt", line=data.line)
        spec = data.content if isinstance(data.content, dict) else json.loads(data.content)
        name = options.get("figure", {}).get("name") or f"figure-{data.line}"
        words = renderer.renderer.sphinx_env.config.language
        drawn = Drawn(**spec)
        told = drawn.frames(words) if drawn.layout == "story" else []
        lines = [line for said, _ in told for line in said.split("\n")[:2]]
        children = [nodes.paragraph("", line) for line in lines]
        return [DrawnFigure("", *children, html=to_html(drawn, name, alt, words), spec=spec)]


def to_html(drawn, name, alt, words):
    """Return a figure's HTML: its SVG for a desk and for a phone, and what both show, in words."""
    frames = {size: drawn.svgs(words, inches, f"{name}-{size}") for size, inches in SIZES.items()}
    pictures = [to_pictures(*pair) for pair in zip(*frames.values(), strict=True)]
    label = f'aria-label="{html.escape(alt, quote=True)}"'
    if len(pictures) == 1:
        return f'<div class="drawn" role="img" {label}>{pictures[0]}</div>'
    said = [html.escape(caption) for caption, _ in frames["desk"]]
    if drawn.layout == "story":
        steps = "".join(map(to_step, range(1, len(said) + 1), said, pictures))
        return f'<div class="drawn story" role="group" {label}><ol>{steps}</ol></div>'
    steps = "".join(f"<li><p>{s}</p>{p}</li>" for s, p in zip(said, pictures, strict=True))
    return f'<div class="drawn stepper" role="group" {label}><ol>{steps}</ol></div>'


def to_step(number, said, pictures):
    """Return the HTML of a step of a story: what it asks, its picture, and the answer."""
    *said, alt = said.split("\n")
    asks, answer = (re.sub("`([^`]+)`", r'<code class="literal">\1</code>', line) for line in said)
    return (
        f'<li><p class="story-asks"><span aria-hidden="true">{number}</span>{asks}</p>'
        f'<div class="story-still" role="img" aria-label="{alt}">{pictures}</div>'
        f"<p>{answer}</p></li>"
    )


def to_pictures(desk, phone):
    """Return the HTML of one picture in both sizes, which the label or a step's words describe."""
    return (
        f'<div class="drawn-desk" aria-hidden="true">{desk[1]}</div>'
        f'<div class="drawn-phone" aria-hidden="true">{phone[1]}</div>'
    )


def to_css():
    """Return the rules that give each colour of a figure its value on the light and dark page."""
    light = " ".join(f"--fig-{colour[1:]}: {colour};" for colour in DARK)
    dark = " ".join(f"--fig-{colour[1:]}: {other};" for colour, other in DARK.items())
    is_dark = 'html[data-theme="dark"]'
    on_paper = f"@media print {{ {is_dark} {{ {light} }} }}"
    return f"html {{ {light} }}\n{is_dark} {{ {dark} }}\n{on_paper}\n"


def is_taken_along(node):
    """Return whether a node is a figure or a chart, which a reader may take along."""
    is_chart = isinstance(node, nodes.raw) and "chart-output" in node["classes"]
    return is_chart or isinstance(node, DrawnFigure)


def write_figure(translator, node):
    """Write a figure's HTML."""
    translator.body.append(node["html"])
    raise nodes.SkipNode


def add_files(app, pagename, templatename, context, doctree):
    """Give a page with a figure or a chart the style and the script."""
    shown = doctree.findall(is_taken_along) if doctree else ()
    if any(True for _ in shown):
        app.add_css_file("figures.css", priority=900)
        app.add_js_file("figures.js", loading_method="defer")


def write_files(app):
    """Write the style sheet of figures, with the colours before the rules, and their script."""
    folder = Path(app.outdir) / "_static"
    folder.mkdir(parents=True, exist_ok=True)
    rules = (HERE / "figures.css").read_text("utf-8")
    (folder / "figures.css").write_text(to_css() + rules, encoding="utf-8")
    scripts = "\n".join((HERE / f"{name}.js").read_text("utf-8") for name in SCRIPTS)
    (folder / "figures.js").write_text(rjsmin.jsmin(scripts), encoding="utf-8")


def setup(app):
    """Register the renderer and the files."""
    # MyST-NB finds renderers in installed packages only, and this book's theme is none.
    if Figures not in load_mime_renders():
        load_mime_renders().append(Figures)
    app.add_node(DrawnFigure, html=(write_figure, None))
    app.connect("builder-inited", write_files)
    app.connect("html-page-context", add_files)
