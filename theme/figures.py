"""Figures as vectors: each drawn from its data for a desk and for a phone, in the page's language.

A cell that shows a figure of gpt_helpers.figures.drawn becomes two SVGs, of which the page shows
the one that fits. Their colours are variables, which this part writes into a style sheet from
gpt_helpers.figures.style, for the light and the dark page.
"""

import html
import json
from pathlib import Path

from docutils import nodes
from myst_nb.core.render import load_mime_renders

from gpt_helpers.figures.drawn import MIME, Drawn
from gpt_helpers.figures.style import DARK, DESK, PHONE

HERE = Path(__file__).with_name("figures")
SIZES = {"desk": DESK, "phone": PHONE}


class Figures:
    """The renderer that MyST-NB asks about outputs of a cell."""

    mime_priority_overrides = (("html", MIME, 4),)

    @staticmethod
    def handle_mime(renderer, data, inline):
        """Return the node of a figure's data, or None for other outputs."""
        if data.mime_type != MIME:
            return None
        options = data.cell_metadata.get("mystnb", {})
        alt = options.get("image", {}).get("alt", "")
        if not alt:
            renderer.logger.warning("figure without alt text", subtype="alt", line=data.line)
        spec = data.content if isinstance(data.content, dict) else json.loads(data.content)
        name = options.get("figure", {}).get("name") or f"figure-{data.line}"
        words = renderer.renderer.sphinx_env.config.language
        text = to_html(Drawn(**spec), name, alt, words)
        return [nodes.raw("", text, format="html", classes=["figure-output"])]


def to_html(drawn, name, alt, words):
    """Return a figure's HTML: its SVG for a desk and for a phone, and what both show, in words."""
    frames = {size: drawn.svgs(words, inches, f"{name}-{size}") for size, inches in SIZES.items()}
    pictures = "".join(to_frame(*pair) for pair in zip(*frames.values(), strict=True))
    label = f'role="img" aria-label="{html.escape(alt, quote=True)}"'
    n_frames = len(frames["desk"])
    if n_frames == 1:
        return f'<div class="drawn" {label}>{pictures}</div>'
    return f'<div class="drawn stepper" {label} data-steps="{n_frames}"><ol>{pictures}</ol></div>'


def to_frame(desk, phone):
    """Return the HTML of one picture in both sizes, or of one step, below what it says."""
    (caption, wide), (_, narrow) = desk, phone
    pictures = (
        f'<div class="drawn-desk" aria-hidden="true">{wide}</div>'
        f'<div class="drawn-phone" aria-hidden="true">{narrow}</div>'
    )
    return f"<li><p>{html.escape(caption)}</p>{pictures}</li>" if caption else pictures


def to_css():
    """Return the rules that give each colour of a figure its value on the light and dark page."""
    light = " ".join(f"--fig-{colour[1:]}: {colour};" for colour in DARK)
    dark = " ".join(f"--fig-{colour[1:]}: {other};" for colour, other in DARK.items())
    is_dark = 'html[data-theme="dark"]'
    on_paper = f"@media print {{ {is_dark} {{ {light} }} }}"
    return f"html {{ {light} }}\n{is_dark} {{ {dark} }}\n{on_paper}\n"


def add_files(app, pagename, templatename, context, doctree):
    """Give a page with a figure its styles."""
    raws = doctree.findall(nodes.raw) if doctree else ()
    if any("figure-output" in raw["classes"] for raw in raws):
        app.add_css_file("figures.css", priority=900)


def write_files(app):
    """Write the style sheet of figures, with the colours before the rules."""
    folder = Path(app.outdir) / "_static"
    folder.mkdir(parents=True, exist_ok=True)
    rules = (HERE / "figures.css").read_text("utf-8")
    (folder / "figures.css").write_text(to_css() + rules, encoding="utf-8")


def setup(app):
    """Register the renderer and the files."""
    # MyST-NB finds renderers in installed packages only, and this book's theme is none.
    if Figures not in load_mime_renders():
        load_mime_renders().append(Figures)
    app.connect("builder-inited", write_files)
    app.connect("html-page-context", add_files)
