"""Laws and runs on logarithmic axes: lines are formulas, points are measurements."""

from numbers import Real
from typing import Any, NamedTuple

from matplotlib.ticker import MaxNLocator, NullLocator

from gpt_helpers.figures.drawn import draws
from gpt_helpers.figures.inputs import (
    check_captions,
    check_line,
    line_of,
    panels_of,
)
from gpt_helpers.figures.style import INK, PALETTE, is_phone, labelled, named, panels, thousands
from gpt_helpers.validation import (
    check_choice,
    check_instance,
    check_natural,
    check_rows,
    check_sequence,
    optional,
)

LINES = {
    "line": {"linestyle": "-", "linewidth": 1.6},
    "dashed": {"linestyle": "--", "linewidth": 1.4},
    "thin": {"linestyle": ":", "linewidth": 0.9},
    "points": {"linestyle": "", "marker": "o", "markersize": 4},
    "hollow": {"linestyle": "", "marker": "o", "markersize": 8, "fillstyle": "none"},
    "diamonds": {"linestyle": "", "marker": "D", "markersize": 6},
}
MOST_TICKS = 4  # on a desk, of a logarithmic axis that spans less than a power of 10


class Mark(NamedTuple):
    """What is drawn of a law or of runs.

    kind is a key of LINES, or "band" (y is a pair: lowest and highest). colour is the number of
    a colour, or None for ink.
    """

    kind: str
    x: Any
    y: Any
    label: Any = ""
    colour: int | None = None


def check_marks(name, value, log=()):
    """Raise ValueError unless value is a list of Marks that can be drawn on axes, some in log."""
    check_sequence(name, value, Mark)
    for place, mark in enumerate(value):
        check_choice("kind", mark.kind, (*LINES, "band"))
        edges = mark.y if mark.kind == "band" else (mark.y,)
        if not isinstance(edges, list | tuple) or (mark.kind == "band" and len(edges) != 2):
            raise ValueError(f"{name}[{place}].y={mark.y!r:.60} must be a pair: lowest, highest")
        for y in edges:
            check_line(f"{name}[{place}]", (mark.x, y), log)
        optional(check_natural)("colour", mark.colour)
        check_instance("label", mark.label, (str, Real))


def run_mark(kind, rows, label="", colour=None, x="n_params", y="held_out_loss"):
    """Return the Mark of two columns of rows, as sweep.recorded_runs has them.

    Raises ValueError for a kind that marks does not know, and a column that rows lack.
    """
    check_choice("kind", kind, (*LINES, "band"))
    check_rows("rows", rows, ())
    for name, column in (("x", x), ("y", y)):
        check_choice(name, column, tuple(rows[0]))
    check_rows("rows", rows, (x, y))
    optional(check_natural)("colour", colour)
    check_instance("label", label, str)
    return Mark(kind, [row[x] for row in rows], [row[y] for row in rows], label, colour)


@draws(panels_of_marks=panels_of(check_marks))
def marks(panels_of_marks, *, xlabels, ylabels, log=("x",), height=3.0):
    """Draw {title: marks}, one panel per title; axes in log are in powers of 10.

    Raises ValueError for a kind that is unknown, and unless each panel has an xlabel and a
    ylabel.
    """
    check_captions("xlabels", xlabels, len(panels_of_marks))
    check_captions("ylabels", ylabels, len(panels_of_marks))
    for title, drawn in panels_of_marks.items():
        check_marks(f"panels_of_marks[{title!r}]", drawn, log)
    figure, axes = panels(len(panels_of_marks), height)
    rows = zip(axes, panels_of_marks.items(), xlabels, ylabels, strict=True)
    for axis, (title, drawn), xlabel, ylabel in rows:
        axis.set(title=title, xlabel=xlabel, ylabel=ylabel)
        axis.set(**{f"{side}scale": "log" for side in log})
        for mark in drawn:
            draw_mark(axis, mark)
        label_ticks(axis, log)
    return labelled(figure)


def label_ticks(axis, log):
    """Write a few plain numbers on a logarithmic axis that spans less than a power of 10."""
    for side in log:
        low, high = getattr(axis, f"get_{side}lim")()
        if high < 10 * low:
            ticks = getattr(axis, f"{side}axis")
            ticks.set_major_locator(MaxNLocator(MOST_TICKS // 2 if is_phone() else MOST_TICKS))
            ticks.set_major_formatter(thousands)
            ticks.set_minor_locator(NullLocator())


def draw_mark(axis, mark):
    """Draw one mark."""
    colour = INK if mark.colour is None else PALETTE[mark.colour % len(PALETTE)]
    label = None if mark.label == "" else named(mark.label)
    if mark.kind == "band":
        (x, low), (_, high) = (line_of("band", (mark.x, edge)) for edge in mark.y)
        look = {"color": colour, "alpha": 0.18, "linewidth": 0, "label": label}
        axis.fill_between(x, low, high, **look)
        return
    x, y = line_of(mark.kind, (mark.x, mark.y))
    axis.plot(x, y, color=colour, label=label, **LINES[mark.kind])
