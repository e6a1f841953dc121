"""The tree of the families of published models: which one changes which, and when."""

import itertools
import math
import re

from gpt_helpers.figures.drawings.canvas import LINE, PAD, Box, Canvas, width_of
from gpt_helpers.figures.drawn import draws
from gpt_helpers.figures.show_models import (
    NOT_SAID,
    WRITTEN_FROM,
    check_releases,
    trunk_colour,
    year_of,
)
from gpt_helpers.figures.style import EDGE, GREY

CHANGES = {  # what is said of each family in the tree: how it differs from the one it changes
    "gpt1": "norms after the sums", "gpt2": "where this book begins",
    "gpt3": "alternate windows", "gpt_neo": "scores not divided",
    "gpt_j": "RoPE, parallel block", "gpt_neox": "RoPE, two norms",
    "llama": "RMSNorm, SwiGLU", "plamo": "parallel block", "gemma": "norms on both sides",
    "qwen": "QK-norm", "olmo": "norms at the output", "deepseek": "MLA, experts",
    "gpt_oss": "experts, sinks", "other": "not in this book", NOT_SAID: "size undisclosed",
}  # fmt: skip
OF_SIZE = re.compile(  # what in a model's name tells it from others of its series
    r"[ -](?:[\dx.]+[bB]|small|medium|large|XL|Small|Medium|Large|Scout|Maverick|japanese)\b.*"
)
KIN = {*WRITTEN_FROM, *WRITTEN_FROM.values()}  # the families that are in the tree
LANE_ROOM = 6  # points between what stands in one row of a band
LANE = 6.4  # points between the lines of a phone
EDGE_OF_BAND = 9  # points from the left edge of a band to its first point


@draws(rows=check_releases)
def family_tree(rows):
    """Draw the rows of show_models.releases as a tree of families, by time.

    On a desk time goes to the right and a family is a band; on a phone time goes down and it is
    a line. A line joins a family to the one that it changes. A point is the larger the more
    parameters it has, by their logarithm, and hollow if that is undisclosed.
    """
    canvas = Canvas()
    (draw_downwards if canvas.is_narrow else draw_bands)(canvas, lanes_of(rows))
    return canvas.finished()


def lanes_of(rows):
    """Return {family: [(series, [(year, n_params)])]} in the order of in_order, each by time.

    A series is what is released under one name, such as Llama 2 of 7B and of 70B.
    """
    lanes = {}
    for model, family, released, n_params in sorted(rows, key=lambda row: year_of(row[2])):
        series = lanes.setdefault(family, {}).setdefault(OF_SIZE.sub("", model), [])
        series.append((year_of(released), n_params))
    lanes = {family: list(series.items()) for family, series in lanes.items()}
    return {family: lanes[family] for family in in_order(lanes)}


def in_order(lanes):
    """Return the families so that no line between two of them meets a third.

    Those that change a family follow it, the latest first, each with those that change it; what
    was there before the family that it changes stands before it.
    """

    def tree(family):
        changes = [new for new, old in WRITTEN_FROM.items() if old == family and new in lanes]
        changes.sort(key=lambda new: -start_of(lanes[new]))
        before = [new for new in changes if start_of(lanes[new]) < start_of(lanes[family])]
        after = [new for new in changes if new not in before]
        return [*itertools.chain(*map(tree, before)), family, *itertools.chain(*map(tree, after))]

    roots = [family for family in CHANGES if family in lanes]
    roots = [family for family in roots if WRITTEN_FROM.get(family) not in lanes]
    return list(itertools.chain(*map(tree, roots)))


def start_of(series):
    """Return the year of the first release in [(series, [(year, n_params)])]."""
    return series[0][1][0][0]


def branches(lanes):
    """Return {family: the year in which it and the one that it changes are both there}."""
    return {
        new: max(start_of(lanes[new]), start_of(lanes[old]))
        for new, old in WRITTEN_FROM.items()
        if new in lanes and old in lanes
    }


def draw_bands(canvas, lanes):
    """Draw the tree of a desk: a band for each family, below each other, time to the right."""
    place = scale_of(canvas, lanes)
    y, bands, joints = 1.6 * LINE, {}, branches(lanes)
    for family, series in lanes.items():
        items, end = packed(canvas, CHANGES[family], series, place)
        own = [year for new, year in joints.items() if family in (new, WRITTEN_FROM[new])]
        end = max([end, *(place(year) for year in own)]) + PAD
        left = place(start_of(series)) - EDGE_OF_BAND
        high = (1 + max(row for row, *_ in items)) * LINE + PAD
        bands[family] = Box(left, y, min(end, canvas.width - 1) - left, high)
        canvas.frame(bands[family], trunk_colour(family), 0.13, rounded=5, line=0.8)
        for row, x, text, points in items:
            middle = y + PAD / 2 + (row + 0.5) * LINE
            draw_points(canvas, [(at, middle, n) for at, n in points], family)
            colour = {} if points else {"colour": GREY}
            canvas.text(x, middle, text, across="left", **colour)
        y += high + 6
    for new, year in joints.items():
        upper, lower = sorted([bands[new], bands[WRITTEN_FROM[new]]], key=lambda band: band.y)
        x = place(year) - EDGE_OF_BAND + 3
        canvas.line((x, upper.bottom[1]), (x, lower.y), colour=trunk_colour(new), line=1.8)


def scale_of(canvas, lanes):
    """Write the years above stripes, and return the function from a year to its x.

    The last name ends at the right edge.
    """
    named = [(points[-1][0], name) for series in lanes.values() for name, points in series]
    first = min(map(start_of, lanes.values()))
    left, right = EDGE_OF_BAND + 1, canvas.width - PAD - 10
    scale = min((right - width_of(name) - left) / (year - first + 0.01) for year, name in named)
    for year in range(math.ceil(first), math.floor(first + (right - left) / scale) + 1):
        x = left + (year - first) * scale
        canvas.text(x, LINE / 2, str(year))
        canvas.line((x, LINE), (x, 1.3 * LINE), colour=EDGE)
    return lambda year: left + (year - first) * scale


def packed(canvas, change, series, place):
    """Return what stands in a band, [(row, x, text, points)], and where it ends.

    points are [(x, n_params)] of a series, at whose last its name begins; none of what the
    family changes, which stands in the first row with room for it.
    """
    found, ends = [], []
    for text, points in series:
        points = [(place(year), n_params) for year, n_params in points]
        x = points[-1][0] + radius_of(points[-1][1]) + 3
        row = next(
            (row for row, end in enumerate(ends) if end + LANE_ROOM < points[0][0]), len(ends)
        )
        ends[row:] = [x + width_of(text), *ends[row + 1 :]]
        found.append((row, x, text, points))
    starts = [*(end + 2 * LANE_ROOM for end in ends), found[0][3][0][0] - 4]
    limit = canvas.width - PAD - width_of(change)
    row = next((row for row, x in enumerate(starts) if x <= limit), len(ends))
    ends[row:] = [starts[row] + width_of(change), *ends[row + 1 :]]
    return [*found, (row, starts[row], change, [])], max(ends)


def draw_downwards(canvas, lanes):
    """Draw the tree of a phone: a line for each family, abreast; each series has a row of text."""
    columns = {family: 5 + LANE * number for number, family in enumerate(lanes)}
    left = max(columns.values()) + 10
    heights = write_series(canvas, lanes, left)
    lines = {family: list(found.values()) for family, found in heights.items()}
    for new in branches(lanes):
        old = WRITTEN_FROM[new]
        y = max(lines[new][0], lines[old][0])
        lines[new].append(y)
        lines[old].append(y)
        canvas.line((columns[new], y), (columns[old], y), colour=trunk_colour(new), line=1.2)
    for family, found in lines.items():
        x = columns[family]
        if family in KIN:
            ends = (x, min(found)), (x, max(found))
            canvas.line(*ends, colour=trunk_colour(family), line=1.2)
        for name, points in lanes[family]:
            largest = max((n for _, n in points), key=lambda n: n or 0)
            draw_points(canvas, [(x, heights[family][name], largest)], family, 0.8)


def write_series(canvas, lanes, left):
    """Write years, series and changes below each other; return {family: {series: its y}}."""
    rows = [
        (points[0][0], family, name) for family, series in lanes.items() for name, points in series
    ]
    y, year, heights = LINE / 2, 0, {family: {} for family in lanes}
    for start, family, name in sorted(rows, key=lambda row: row[0]):
        if int(start) > year:
            year = int(start)
            canvas.text(left, y + 0.2 * LINE, str(year), across="left", bold=True)
            y += 1.2 * LINE
        canvas.text(left, y, name, across="left")
        if not heights[family]:
            canvas.text(left, y + LINE, CHANGES[family], across="left", colour=GREY)
        heights[family][name] = y
        y += LINE * (2 if len(heights[family]) == 1 else 1)
    return heights


def draw_points(canvas, points, family, scale=1.0):
    """Draw points (x, y, n_params), hollow where the number is undisclosed."""
    for x, y, n_params in points:
        hollow = n_params is None
        look = {"alpha": 0.0 if hollow else 0.75, "line": 0.8}
        canvas.circle(x, y, scale * radius_of(n_params), trunk_colour(family), **look)


def radius_of(n_params):
    """Return the radius of a point; without a number it is that of 1e9 parameters."""
    return 0.8 * (math.log10(n_params or 1e9) - 5.5)
