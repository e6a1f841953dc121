"""Charts with sliders: a picture when the book is built, Vega when a reader moves a slider.

A cell that shows Vega-Lite becomes a picture that needs no script, its sliders, and its
specification. charts/charts.js fetches Vega, which vl-convert carries in its wheel, from the
book itself, at the first touch of a chart. Pages without a chart load none of it.
"""

import html
import json
import re
import shutil
from pathlib import Path

import vl_convert
from docutils import nodes
from myst_nb.core.render import load_mime_renders

from gpt_helpers.figures.vegalite import MIME
from gpt_helpers.figures.words import word

HERE = Path(__file__).with_name("charts")
VERSION = "5.21"  # of Vega-Lite, among those in the wheel of vl-convert-python
WIDTHS = {"wide": 640, "narrow": 320}  # pixels; charts.css shows the one that fits
PADDING = {"left": 0, "right": 0, "top": 5, "bottom": 5}  # the page has margins of its own
# Vega copies specifications by a function that Safari has since 15.4.
CLONE = "const structuredClone = self.structuredClone ?? ((x) => JSON.parse(JSON.stringify(x)));"
COLOUR = re.compile(r'"#([0-9a-f]{6})"')
RESULT = re.compile(r"summary_marks.*?<text[^>]*>(.*?)</text>", re.DOTALL)


class VegaLite:
    """The renderer that MyST-NB asks about outputs of a cell."""

    mime_priority_overrides = (("html", MIME, 5),)

    @staticmethod
    def handle_mime(renderer, data, inline):
        """Return the node of a Vega-Lite specification, or None for other outputs."""
        if data.mime_type != MIME:
            return None
        options = data.cell_metadata.get("mystnb", {})
        alt = options.get("image", {}).get("alt", "")
        if not alt:
            renderer.logger.warning("chart without alt text", subtype="alt", line=data.line)
        spec = data.content if isinstance(data.content, dict) else json.loads(data.content)
        name = options.get("figure", {}).get("name", spec["name"])
        text = to_html(spec, name, alt, renderer.renderer.sphinx_env.config.language)
        return [nodes.raw("", text, format="html", classes=["chart-output"])]


def to_html(spec, name, alt, language):
    """Return a chart's HTML: the result, the picture in two widths, the sliders, the data."""
    key = html.escape(f"chart-{name}", quote=True)
    themed = with_theme_colours(in_language(spec, language))
    still, controls = without_controls(themed)
    drawn = {size: to_svg(still, width) for size, width in WIDTHS.items()}
    pictures = "".join(
        f'<div class="chart-still {size}" aria-hidden="true">{svg}</div>'
        for size, svg in drawn.items()
    )
    result = RESULT.search(drawn["wide"])[1]
    rows = "".join(to_control(key, control) for control in controls)
    text = json.dumps(still, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    return (
        f'<div class="chart" id="{key}"><p class="chart-result" aria-live="polite">{result}</p>'
        f'<div class="chart-picture" role="img" aria-label="{html.escape(alt, quote=True)}">'
        f"{pictures}</div>"
        f'<div class="chart-controls needs-script">{rows}</div>'
        f'<p class="chart-status" role="status"></p>'
        f'<script type="application/json">{text}</script></div>'
    )


def in_language(spec, language):
    """Return the specification with its words in a language: titles, controls, what it says.

    What the names of the controls' choices stand for stays; to_control writes them.
    """
    if isinstance(spec, list):
        return [in_language(part, language) for part in spec]
    if not isinstance(spec, dict):
        return spec
    found = {key: in_language(part, language) for key, part in spec.items()}
    if spec.get("name") == "words":
        found["value"] = {text: word(text, language) for text in spec["value"]}
    if isinstance(spec.get("title"), str):
        found["title"] = word(spec["title"], language)
    if "bind" in spec:
        found["bind"] = {**spec["bind"], "name": word(spec["bind"]["name"], language)}
    return found


def with_theme_colours(spec):
    """Return the specification with each "#rrggbb" as the variable of charts.css that holds it."""
    return json.loads(COLOUR.sub(r'"var(--chart-\1)"', json.dumps(spec)))


def without_controls(spec):
    """Return the specification without its controls, for the page has its own, and those."""
    controls = [dict(parameter) for parameter in spec.get("params", []) if "bind" in parameter]
    bare = [
        {key: value for key, value in parameter.items() if key != "bind"}
        for parameter in spec.get("params", [])
    ]
    config = {**spec.get("config", {}), "aria": False}  # the page says what the picture shows
    page = {**spec, "params": bare, "config": config, "padding": PADDING}
    return narrow_summary(page), controls


def narrow_summary(spec):
    """Return the specification with the line that says the result so small that it has no width.

    The page writes that line itself and hides this one, for which Vega would narrow the plot.
    """
    if isinstance(spec, list):
        return [narrow_summary(part) for part in spec]
    if not isinstance(spec, dict):
        return spec
    spec = {key: narrow_summary(part) for key, part in spec.items()}
    if spec.get("name") == "summary":
        spec["mark"] = {**spec["mark"], "fontSize": 0.01}
    return spec


def to_svg(spec, width):
    """Return the picture of a specification, width pixels wide."""
    svg = vl_convert.vegalite_to_svg({**spec, "width": width}, vl_version=VERSION)
    return re.sub(r' (?:version|xmlns(?::xlink)?)="[^"]*"', "", svg)


def to_control(chart, parameter):
    """Return the labelled slider or menu of a parameter."""
    bind, name = parameter["bind"], html.escape(parameter["name"], quote=True)
    key = f"{chart}-{name}"
    label = f'<label for="{key}">{html.escape(bind["name"])}</label>'
    if bind["input"] == "select":
        options = "".join(
            f"<option{' selected' * (option == parameter['value'])}>{html.escape(option)}</option>"
            for option in bind["options"]
        )
        return f'<div>{label}<select id="{key}" name="{name}">{options}</select></div>'
    limits = " ".join(f'{limit}="{bind[limit]}"' for limit in ("min", "max", "step"))
    decimals = len(str(bind["step"]).partition(".")[2])
    value = f"{parameter['value']:.{decimals}f}"
    return (
        f'<div>{label}<input type="range" id="{key}" name="{name}" {limits} value="{value}">'
        f'<output for="{key}">{value}</output></div>'
    )


def add_files(app, pagename, templatename, context, doctree):
    """Give a page with a chart the style and the script, and the book Vega."""
    raws = doctree.findall(nodes.raw) if doctree else ()
    if not any("chart-output" in raw["classes"] for raw in raws):
        return
    folder = Path(app.outdir) / "_static" / "charts"
    if not (folder / "vega.js").exists():
        write_files(folder)
    app.add_css_file("charts/charts.css", priority=900)
    app.add_js_file("charts/charts.js", loading_method="defer")


def write_files(folder):
    """Write the style, the script and Vega into a folder."""
    shutil.copytree(HERE, folder, dirs_exist_ok=True)
    bundle = vl_convert.javascript_bundle(vl_version=VERSION)
    script = f"(() => {{\n{CLONE}\n{bundle}\n}})();\n"  # its short names stay its own
    (folder / "vega.js").write_text(script, encoding="utf-8")


def setup(app):
    """Register the renderer and the files."""
    # MyST-NB finds renderers in installed packages only, and this book's theme is none.
    if VegaLite not in load_mime_renders():
        load_mime_renders().append(VegaLite)
    app.connect("html-page-context", add_files)
