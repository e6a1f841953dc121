"""Shares of right answers with their intervals, over seeds."""

import math

from matplotlib.ticker import MaxNLocator

from gpt_helpers.evaluation.accuracy import check_scores, pooled
from gpt_helpers.figures.drawn import draws
from gpt_helpers.figures.inputs import LARGEST, check_line, drawables, line_of, panels_of
from gpt_helpers.figures.style import (
    INK,
    PALETTE,
    colour_of,
    is_first,
    is_phone,
    labelled,
    named,
    panels,
    soft,
)
from gpt_helpers.validation import check_real, optional

THICK = 0.5  # of a bar, where 1 is from one bar to the next
MARKERS = "osD^vPX*"


def check_by_x(name, value):
    """Raise ValueError unless value is {x: [Score of each seed]}, each x a number."""
    drawables(check_scores, at_most=math.inf)(name, value)
    for x in value:
        check_real(f"x of {name}", x, at_least=-LARGEST, at_most=LARGEST)


@draws(
    panels_of_scores=panels_of(drawables(check_by_x)),
    known=optional(drawables(check_line)),
)
def accuracy(panels_of_scores, *, xlabel, known=None, chance=None, height=2.8):
    """Draw {title: {label: {x: [Score of each seed]}}}: shares with intervals, against x.

    known is {label: (x, y)}, lines to compare with, in every panel; chance a share to expect of
    guessing. Bars span the 95 % intervals of all seeds.
    """
    look = {"color": INK, "linewidth": 1, "linestyle": "--", "zorder": 1}
    figure, axes = panels(len(panels_of_scores), height, sharey=True)
    labels = list(dict.fromkeys(label for lines in panels_of_scores.values() for label in lines))
    for axis, (title, lines) in zip(axes, panels_of_scores.items(), strict=True):
        for label, line in (known or {}).items():
            axis.plot(*line_of(label, line), label=named(label), **look)
        if chance is not None:
            axis.axhline(chance, color=INK, linewidth=0.8, linestyle=":", zorder=0)
        for label, by_x in lines.items():
            draw_line(axis, label, by_x, labels.index(label))
        axis.set(title=title, xlabel=xlabel, ylim=(-0.03, 1.03))
        axis.set_ylabel("accuracy" if is_first(axis) else "")
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))  # x counts something
    return labelled(figure)


def draw_line(axis, label, by_x, index):
    """Draw one line of accuracy: {x: [Score of each seed]}."""
    points = [(x, *pooled(scores)) for x, scores in sorted(by_x.items())]
    x, share, low, high = zip(*points, strict=True)
    errors = [
        [max(0.0, s - bound) for s, bound in zip(share, low, strict=True)],
        [max(0.0, bound - s) for s, bound in zip(share, high, strict=True)],
    ]
    style = {"marker": MARKERS[index % len(MARKERS)], "markersize": 4, "capsize": 2}
    style |= {"color": colour_of(label, index), "linewidth": 1.3}
    axis.errorbar(x, share, errors, label=named(label), **style)


@draws(panels_of_scores=panels_of(drawables(check_scores)))
def bars(panels_of_scores, *, xlabel="accuracy", chance=None, height=2.6):
    """Draw {title: {label: [Score of each seed]}} as horizontal bars with their intervals.

    Raises ValueError unless all panels have the same labels, which stand beside the first.
    """
    if len({tuple(lines) for lines in panels_of_scores.values()}) > 1:
        raise ValueError("panels_of_scores have other labels in each panel; give all the same")
    n_bars = len(next(iter(panels_of_scores.values())))
    height = max(height, 0.5 + 0.38 * n_bars) if is_phone() else height
    figure, axes = panels(len(panels_of_scores), height, sharey=True)
    for axis, (title, lines) in zip(axes, panels_of_scores.items(), strict=True):
        for row, scores in enumerate(lines.values()):
            share, low, high = pooled(scores)
            error = [[max(0.0, share - low)], [max(0.0, high - share)]]
            look = {"color": soft(PALETTE[row % 10], 0.6), "ecolor": INK, "capsize": 2}
            axis.barh(row, share, THICK, xerr=error, **look)
            if chance is not None:
                edges = row - THICK / 2, row + THICK / 2
                axis.plot([chance] * 2, edges, color=INK, linewidth=0.8, linestyle=":")
        axis.set(title=title, xlabel=xlabel, xlim=(0, 1.03))
        name_bars(axis, list(lines))
    axes[0].invert_yaxis()  # and so all that share it
    return labelled(figure)


def name_bars(axis, names):
    """Write the names beside the bars, or, on a phone, above each of them."""
    if not is_phone():
        if is_first(axis):
            axis.set_yticks(range(len(names)), names)
        return
    axis.set(yticks=(), ylim=(-0.9, len(names) - 0.5))
    for row, name in enumerate(names):
        axis.text(0.01, row - THICK / 2, name, va="bottom")
