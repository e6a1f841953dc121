"""What can be wrong with how a figure looks, found by measuring it: texts that lie on others.

Widths are those of matplotlib's own font, which is wider than the fonts of a page.
"""

import warnings
from itertools import combinations, pairwise

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.lines import Line2D
from matplotlib.patches import FancyArrowPatch
from matplotlib.text import Annotation, Text
from matplotlib.transforms import Bbox

from gpt_helpers.figures.vector import wide_letters

SLACK = 1.0  # pixels at 72 to an inch by which boxes may touch


def faults(figure):
    """Return sentences: which texts lie on each other, on a line, or outside of the sheet."""
    with wide_letters(), warnings.catch_warnings(action="ignore"):  # of letters that its font lacks
        canvas = FigureCanvasAgg(figure)
        figure.set_dpi(72)
        canvas.draw()
        boxes = text_boxes(figure, canvas.get_renderer())
    sheet = Bbox.from_bounds(0, 0, *figure.get_size_inches() * 72)
    found = [
        f"{a!r} lies on {b!r}" for (a, one), (b, two) in combinations(boxes, 2) if meet(one, two)
    ]
    found += [f"{text!r} is cut" for text, box in boxes if not within(box, sheet)]
    for points in lines_of(figure):
        found += [f"{text!r} is struck through" for text, box in boxes if crosses(points, box)]
    return found


def text_boxes(figure, renderer):
    """Return [(text, Bbox in pixels)] of all texts of a figure that are seen."""
    hidden = {label for axes in figure.axes for label in hidden_ticks(axes)}
    seen = [text for text in figure.findobj(Text) if text.get_visible() and text not in hidden]
    boxes = [(text.get_text(), Text.get_window_extent(text, renderer)) for text in seen]
    return [(text, box) for text, box in boxes if text.strip()]


def hidden_ticks(axes):
    """Return the labels of ticks that are not drawn: those beyond the limits, and of no axes."""
    for axis in (axes.xaxis, axes.yaxis):
        low, high = sorted(axis.get_view_interval())
        for tick in [*axis.get_major_ticks(), *axis.get_minor_ticks()]:
            if not axes.axison or not low <= tick.get_loc() <= high:
                yield from (tick.label1, tick.label2)


def meet(one, two):
    """Return whether two boxes overlap by more than SLACK in both directions."""
    across = min(one.x1, two.x1) - max(one.x0, two.x0)
    down = min(one.y1, two.y1) - max(one.y0, two.y0)
    return across > SLACK and down > SLACK


def within(box, sheet):
    """Return whether a box lies in the sheet."""
    low = box.x0 >= sheet.x0 - SLACK and box.y0 >= sheet.y0 - SLACK
    return low and box.x1 <= sheet.x1 + SLACK and box.y1 <= sheet.y1 + SLACK


def lines_of(figure):
    """Return the points (n, 2) in pixels of the lines and arrows of a figure, but for axes."""
    found = []
    for axes in figure.axes:
        for line in axes.lines:
            if (
                isinstance(line, Line2D)
                and line.get_linestyle() != "None"
                and len(line.get_xdata())
            ):
                found.append(line.get_transform().transform(line.get_xydata()))
        arrows = [patch for patch in axes.patches if isinstance(patch, FancyArrowPatch)]
        notes = [text.arrow_patch for text in axes.texts if isinstance(text, Annotation)]
        for arrow in [*arrows, *filter(None, notes)]:
            found += arrow.get_path().to_polygons(arrow.get_transform(), closed_only=False)
    return found


def crosses(points, box):
    """Return whether a line through points goes through the middle of a box."""
    core = Bbox.from_extents(box.x0 + 1, box.y0 + 2, box.x1 - 1, box.y1 - 2)
    if core.width <= 0 or core.height <= 0:
        return False
    whole = [pair for pair in pairwise(points) if np.isfinite(pair).all()]  # nan is a gap
    for start, end in whole:
        steps = max(2, int(np.hypot(*(end - start)) / 2))
        between = start + np.linspace(0, 1, steps)[:, None] * (end - start)
        if any(core.contains(*point) for point in between):
            return True
    return False
