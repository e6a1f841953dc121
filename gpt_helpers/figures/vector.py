"""A figure of matplotlib as a small SVG: its text is text, its colours are those of the page.

A colour #rrggbb becomes var(--fig-rrggbb, #rrggbb): a page may set the variable, for the dark or
for paper; where none does, as in JupyterLab, the colour itself holds. Letters have the font of
the page. Equal figures give equal bytes.
"""

import contextlib
import io
import re
from unittest import mock
from xml.etree import ElementTree

from matplotlib import rc_context
from matplotlib.textpath import TextToPath

from gpt_helpers.figures.style import STYLE
from gpt_helpers.figures.words import WIDE_LETTERS

SVG = "{http://www.w3.org/2000/svg}"
LINK = "{http://www.w3.org/1999/xlink}href"
POINTS_PER_INCH, PIXELS_PER_INCH = 72, 96
COLOUR = re.compile(r"#([0-9a-f]{6})")
DECIMAL = re.compile(r"-?\d+\.\d+(?:e-?\d+)?")
PATH = re.compile(r"([MLQCz])([^MLQCz]*)")  # the commands that matplotlib writes
PLACES = {"x", "y", "width", "height", "transform", "viewBox"}
DROPPED = {"metadata", "style"}
UNSAID = {"stroke-linejoin", "stroke-linecap", "font-family"}  # book.css says them


def to_svg(figure, name):
    """Return a Figure as the text of an SVG; name, unique in its page, begins its ids."""
    settings = {**STYLE, "svg.fonttype": "none", "svg.hashsalt": name}
    file = io.BytesIO()
    with rc_context(settings), wide_letters():
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    root = ElementTree.fromstring(file.getvalue())
    tidy(root, name)
    width, height = (float(side) for side in root.get("viewBox").split()[2:])
    scale = PIXELS_PER_INCH / POINTS_PER_INCH
    root.attrib |= {"width": f"{width * scale:.0f}", "height": f"{height * scale:.0f}"}
    root.attrib.pop("version")
    text = ElementTree.tostring(root, encoding="unicode", short_empty_elements=True)
    return re.sub(r"</?ns0:|ns1:|:ns0|:ns1", plain_prefix, text)


def stacked(svgs):
    """Return one SVG with several below each other."""
    if len(svgs) == 1:
        return svgs[0]
    sizes = [re.search(r' width="(\d+)" height="(\d+)"', svg).groups() for svg in svgs]
    width, top, parts = max(int(width) for width, _ in sizes), 0, []
    for svg, (_, height) in zip(svgs, sizes, strict=True):
        parts.append(svg.replace("<svg ", f'<svg y="{top}" ', 1))
        top += int(height)
    size = f'width="{width}" height="{top}" viewBox="0 0 {width} {top}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{"".join(parts)}</svg>'


def plain_prefix(found):
    """Return a name of the SVG without the prefix that ElementTree gives it."""
    return {"<ns0:": "<", "</ns0:": "</", "ns1:": "xlink:", ":ns0": "", ":ns1": ":xlink"}[found[0]]


@contextlib.contextmanager
def wide_letters():
    """Let matplotlib measure a letter as wide as it is high, of which its own font has none, so."""
    measure = TextToPath.get_text_width_height_descent

    def measured(self, text, *args, **options):
        return measure(self, WIDE_LETTERS.sub("m", text), *args, **options)

    with mock.patch.object(TextToPath, "get_text_width_height_descent", measured):
        yield


def tidy(element, name):
    """Make an element of the SVG, and what is in it, small, unique and of the page, in place."""
    element[:] = [kept for child in element for kept in tidied(child, name)]
    style = dict(re.findall(r"([\w-]+): ([^;]+)", element.attrib.pop("style", "")))
    element.attrib |= {key: value for key, value in style.items() if key not in UNSAID}
    if "monospace" in style.get("font-family", ""):
        element.set("class", "mono")
    if element.tag == f"{SVG}g":
        element.attrib.pop("id", None)  # nothing refers to a group
    if element.get("transform", "").startswith("rotate(-0 "):
        del element.attrib["transform"]
    for key, value in element.attrib.items():
        element.set(key, of_page(key, value, name))
    element.text = (element.text and element.text.strip(" \n")) or None
    element.tail = None


def tidied(child, name):
    """Return what stays of an element, tidy: nothing, itself, or what a bare group holds."""
    if child.tag.removeprefix(SVG) in DROPPED or is_background(child):
        return []
    tidy(child, name)
    is_bare = child.tag in (f"{SVG}g", f"{SVG}defs") and not (child.attrib or child.text)
    return list(child) if is_bare and (child.tag == f"{SVG}g" or not len(child)) else [child]


def is_background(element):
    """Return whether an element draws nothing: the sheet below the figure."""
    return element.tag == f"{SVG}path" and element.get("style", "") == "fill: none"


def of_page(key, value, name):
    """Return the value of an attribute as it stands in a page: short, in the page's colours."""
    if key == "id" or key == LINK:
        return re.sub(r"^(#?)", rf"\1{name}-", value)
    if key == "clip-path":
        return value.replace("#", f"#{name}-")
    if key == "d":
        return short_path(value)
    if key in PLACES:
        return DECIMAL.sub(lambda found: f"{float(found[0]):.1f}".removesuffix(".0"), value)
    return COLOUR.sub(r"var(--fig-\1, #\1)", value)


def short_path(path):
    """Return a path to a tenth of a point, each point as the way from the one before it.

    So that equal shapes are equal texts, wherever they stand. The way is that between rounded
    points: no error grows.
    """
    parts, here = [], (0, 0)
    for command, rest in PATH.findall(path):
        numbers = [round(10 * float(number)) for number in rest.split()]
        points = list(zip(numbers[::2], numbers[1::2], strict=True))
        if command == "M":
            parts.append(f"M{in_tenths(points[0])}")
        elif command == "L":
            parts.append(step(points[0][0] - here[0], points[0][1] - here[1]))
        elif points:
            ways = [(x - here[0], y - here[1]) for x, y in points]
            parts.append(command.lower() + " ".join(map(in_tenths, ways)))
        else:
            parts.append("z")  # a path that goes on begins anew
        here = points[-1] if points else here
    return "".join(parts)


def step(right, down):
    """Return a straight line as a command, along one axis where it can be."""
    if not down:
        return f"h{right / 10:g}"
    return f"l{in_tenths((right, down))}" if right else f"v{down / 10:g}"


def in_tenths(point):
    """Return a point in tenths as the text of its two numbers."""
    return " ".join(f"{number / 10:g}" for number in point)
