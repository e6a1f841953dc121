"""Everything that draws or displays. Figures come from measured arrays and traced steps.

Labels are written in English, as the cells give them; words.csv has them in Japanese. What a
figure means is said in its caption.
"""

import functools

import numpy as np
from IPython.display import Markdown
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.ticker import MaxNLocator

from gpt_helpers.architecture.trace import Step
from gpt_helpers.figures.cells import draw_cells, name_cells, shares_of
from gpt_helpers.figures.drawn import draws
from gpt_helpers.figures.inputs import (
    check_captions,
    check_counts,
    check_distribution,
    check_label,
    check_line,
    drawables,
    lines_of,
    matrix_of,
    panels_of,
    values_of,
)
from gpt_helpers.figures.listings import fence_of, source_of
from gpt_helpers.figures.style import (
    BLUE,
    EDGE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    PAPER,
    RED,
    STROKES,
    TEAL,
    VIOLET,
    colour_of,
    is_first,
    is_phone,
    labelled,
    named,
    panels,
    soft,
    thousands,
)
from gpt_helpers.figures.words import token_name
from gpt_helpers.validation import check_sequence, check_text, checks

STEPS = {
    "Embedding": GREEN, "LayerNorm": GREY, "GPTAttention": BLUE, "GPTMLP": ORANGE,
    "GPTBlock": TEAL, "Linear": VIOLET,
}  # fmt: skip
INPUTS = {"wte": "input_ids", "wpe": "position_ids"}


def source(item, *more):
    """Return the source code of functions and classes as one highlighted Markdown listing."""
    code = "\n\n".join(map(source_of, (item, *more)))
    fence = fence_of(code, 3)
    return Markdown(f"{fence}python\n{code}\n{fence}")


@checks(samples=drawables(check_text))
def texts(samples):
    """Return {title: text} as Markdown, each text in a block that keeps its spaces and lines."""
    fence = fence_of("".join(samples.values()), 4)
    blocks = [f"**{title}**\n\n{fence}text\n{text}\n{fence}" for title, text in samples.items()]
    return Markdown("\n\n".join(blocks))


@draws(matrices=panels_of(matrix_of))
def heatmaps(matrices, *, xlabel, ylabel, xticks=(), yticks=(), height=2.6, vmax=None):
    """Draw the matrices of a dict {title: (rows, columns)} side by side, on one colour scale.

    xticks and yticks label columns and rows; cells of small matrices show their numbers.
    """
    matrices = {title: matrix_of(title, matrix) for title, matrix in matrices.items()}
    n_rows = len(next(iter(matrices.values())))
    check_captions("yticks", yticks, n_rows, empty=True)
    for matrix in matrices.values():
        check_captions("xticks", xticks, matrix.shape[1], empty=True)
    highest = vmax or max(float(matrix.max()) for matrix in matrices.values()) or 1.0
    numbered = len(matrices) <= 3 and all(matrix.size <= 64 for matrix in matrices.values())
    width = 0.9 + 1.1 * height * len(matrices)
    figure, axes = panels(len(matrices), height, width, narrowest=2.3 if numbered else 1.4)
    if is_phone():
        figure.set_layout_engine("compressed")  # panels of equal cells, one below the other
    colours = [soft(BLUE, share) for share in shares_of(numbered)]
    for axis, (title, matrix) in zip(axes, matrices.items(), strict=True):
        draw_cells(axis, matrix / highest, colours, numbered and highest)
        names_rows = is_first(axis) and len(matrix) == n_rows
        axis.set(title=title, xlabel=xlabel, ylabel=ylabel if names_rows else "")
        name_cells(axis, xticks, yticks if names_rows else ())
    scale = ScalarMappable(Normalize(0, highest), ListedColormap(colours))
    figure.colorbar(scale, ax=axes, fraction=0.05, aspect=25).outline.set_visible(False)
    return labelled(figure)


@draws(panels_of_lines=panels_of(drawables(check_line)), xlabel=check_label)
def curves(panels_of_lines, *, xlabel, ylabels, log=(), height=2.7):
    """Draw {title: {label: (x, y)}}, one panel per title.

    log names the axes that are logarithmic ("x" in powers of 2, "y" in powers of 10);
    xlabel is a text, or a list of one per panel, as ylabels is. A label has one look in all
    panels.
    """
    xlabels = [xlabel] * len(panels_of_lines) if isinstance(xlabel, str) else xlabel
    check_captions("xlabel", xlabels, len(panels_of_lines))
    check_captions("ylabels", ylabels, len(panels_of_lines))
    panels_of_lines = lines_of("panels_of_lines", panels_of_lines, log)
    figure, axes = panels(len(panels_of_lines), height)
    labels = list(dict.fromkeys(label for lines in panels_of_lines.values() for label in lines))
    rows = zip(axes, panels_of_lines.items(), xlabels, ylabels, strict=True)
    for axis, (title, lines), along, up in rows:
        for label, (x, y) in lines.items():
            draw_curve(axis, label, x, y, labels.index(label))
        axis.set(title=title, xlabel=along, ylabel=up)
        scale_axes(axis, log)
    return labelled(figure, legend=len(labels) > 1)


def scale_axes(axis, log):
    """Make axes in log logarithmic; whole numbers, such as steps, have no ticks between them."""
    if "y" in log:
        axis.set_yscale("log")
    if "x" in log:
        axis.set_xscale("log", base=2)
    elif all(np.all(line.get_xdata() % 1 == 0) for line in axis.lines):
        axis.xaxis.set_major_locator(MaxNLocator("auto", integer=True))
    axis.xaxis.set_major_formatter(thousands)


def draw_curve(axis, label, x, y, index):
    """Draw one curve; one of two points at one height is a level to compare with."""
    style = {"color": colour_of(label, index), "label": named(label), "linewidth": 1.4}
    if len(x) == 2 and y[0] == y[1]:
        axis.plot(x, y, linestyle=(0, (4, 3)), **style)
        return
    marker = "o" if len(x) <= 24 else ""
    axis.plot(x, y, linestyle=STROKES[index % len(STROKES)], marker=marker, markersize=3, **style)


@draws(probabilities=panels_of(check_distribution), labels=check_captions)
def distributions(probabilities, labels, *, ylabel, height=2.4):
    """Draw {title: (n,)} distributions over the same n labels as bars, on one scale."""
    probabilities = {title: values_of(values) for title, values in probabilities.items()}
    for title, values in probabilities.items():
        if len(values) != len(labels):
            raise ValueError(f"{title!r} has {len(values)} values for {len(labels)} labels")
    figure, axes = panels(len(probabilities), height, sharey=True)
    for axis, (title, values) in zip(axes, probabilities.items(), strict=True):
        colours = [BLUE if value > 0 else EDGE for value in values]
        axis.bar(range(len(labels)), values, color=colours)
        names = list(map(token_name, labels))
        axis.set_xticks(range(len(labels)), names, rotation=90, family="monospace")
        axis.set(title=title, ylabel=ylabel if is_first(axis) else "")
    return labelled(figure)


@draws(rows=drawables(check_counts))
def shares(rows, *, xlabel, height=2.0):
    """Draw {bar: {part: count}} as stacked bars of 100 %, each part labelled with its share."""
    figure, (axis,) = panels(1, height)
    parts = list(dict.fromkeys(part for counts in rows.values() for part in counts))
    for row, counts in enumerate(rows.values()):
        left, total = 0.0, sum(counts.values())
        for part, count in counts.items():
            share, colour = 100 * count / total, soft(colour_of(part, parts.index(part)))
            axis.barh(row, share, left=left, color=colour, edgecolor=PAPER, label=named(part))
            if share >= 6:
                axis.text(left + share / 2, row, f"{share:.0f}", ha="center", va="center")
            left += share
    axis.set(xlabel=xlabel, xlim=(0, 100))
    axis.set_yticks(range(len(rows)), rows)
    axis.invert_yaxis()
    return labelled(figure)


@draws(traces=panels_of(functools.partial(check_sequence, kind=Step)))
def diagrams(traces):
    """Draw {title: steps} of trace.trace side by side, inputs at the bottom.

    A box is a step, with its class and the shape of its result; an arrow is a tensor; a
    circle is a sum. An arrow that passes steps by is a residual connection.
    """
    places = {title: place_steps(steps) for title, steps in traces.items()}
    top = max(y for placed in places.values() for _, y in placed.values())
    figure, axes = panels(len(traces), 0.55 * (top + 2), 3.6 * len(traces), narrowest=2.4)
    for axis, (title, steps) in zip(axes, traces.items(), strict=True):
        draw_steps(axis, steps, places[title])
        axis.set(title=title, xlim=(-3.0, 3.0), ylim=(-0.3, top + 0.8))
        axis.set_axis_off()
    return labelled(figure)


def place_steps(steps):
    """Return {step number: (x, y)}, above what it reads; steps that read the same lie abreast."""
    places = {None: (0.0, 0.0)}
    for number, step in enumerate(steps):
        abreast = [at for at, other in enumerate(steps) if other.inputs == step.inputs]
        column = abreast.index(number) - (len(abreast) - 1) / 2
        x = 0.0 if step.kind == "+" else places[step.inputs[0]][0] + 3.0 * column
        places[number] = (x, 1.0 + max(places[origin][1] for origin in step.inputs))
    return places


def draw_steps(axis, steps, places):
    """Draw one trace: every step, and an arrow from each of its inputs."""
    for number, step in enumerate(steps):
        x, y = places[number]
        draw_step(axis, step, x, y)
        for origin in step.inputs:
            outside = origin is None and y == 1
            start = (x, 0.0) if outside else places[origin]
            draw_arrow(axis, start, (x, y), into_side=step.kind == "+")
        if y == 1:
            label = INPUTS.get(step.name.split(".")[-1], "x")
            axis.text(x, 0, label, ha="center", va="center")
    top = max(y for _, y in places.values())
    draw_arrow(axis, (0.0, top), (0.0, top + 0.9))


def draw_step(axis, step, x, y):
    """Draw one step as a box with its name, or a sum as a circle."""
    if step.kind == "+":
        axis.text(x, y, "+", ha="center", va="center", zorder=4,
                  bbox={"boxstyle": "circle,pad=0.15", "fc": PAPER, "ec": INK})  # fmt: skip
        return
    colour = STEPS.get(step.kind, TEAL)
    box = {"boxstyle": "round,pad=0.3", "fc": soft(colour), "ec": colour}
    shape = ", ".join(str(size) for size in step.shape)
    label = f"{step.name.removeprefix('transformer.')}  {step.kind}\n({shape})"
    axis.text(x, y, label, ha="center", va="center", bbox=box, zorder=3)


def draw_arrow(axis, start, end, into_side=True):
    """Draw an arrow upwards, into the side of a sum, or around the steps that it passes by.

    Where into_side is False, an arrow that goes to another column ends below a box.
    """
    (x0, y0), (x1, y1) = start, end
    style = {"arrowstyle": "-|>", "color": INK, "shrinkA": 0, "shrinkB": 0, "linewidth": 1}
    if x0 != x1 and not into_side:
        axis.plot([x0, x0, x1], [y0 + 0.25, y0 + 0.42, y0 + 0.42], color=INK, linewidth=1)
        axis.annotate("", (x1, y1 - 0.3), (x1, y0 + 0.42), arrowprops=style)
    elif x0 != x1:
        axis.plot([x0, x0], [y0 + 0.25, y1], color=INK, linewidth=1)
        axis.annotate("", (x1 + (0.25 if x0 > x1 else -0.25), y1), (x0, y1), arrowprops=style)
    elif y1 - y0 <= 1:
        axis.annotate("", (x1, y1 - 0.3), (x0, y0 + 0.25), arrowprops=style)
    else:
        turn, branch = 2.6, y0 + 0.42
        style |= {"color": RED, "linewidth": 1.4}
        axis.plot([x0, turn, turn], [branch, branch, y1], color=RED, linewidth=1.4)
        axis.annotate("", (x1 + 0.25, y1), (turn, y1), arrowprops=style)
