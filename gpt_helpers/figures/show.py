"""Everything that draws or displays. Figures come from measured arrays and traced steps.

Text inside figures is symbols and international terms only, so that both editions of the
book share them; what a figure means is said in its caption. Each concept has one colour.
"""

import functools

import seaborn as sns
from IPython.display import Markdown

from gpt_helpers.architecture.trace import Step
from gpt_helpers.figures.inputs import (
    check_captions,
    check_counts,
    check_distribution,
    check_line,
    drawables,
    draws,
    lines_of,
    matrix_of,
    panels_of,
    values_of,
)
from gpt_helpers.figures.labels import FORMULA, as_written, draw_legend, name_cells
from gpt_helpers.figures.listings import fence_of, source_of
from gpt_helpers.figures.panels import INK, PALETTE, panels
from gpt_helpers.validation import check_sequence, check_text

COLOURS = {
    "Embedding": PALETTE[2],
    "LayerNorm": PALETTE[7],
    "GPTAttention": PALETTE[0],
    "GPTMLP": PALETTE[1],
    "GPTBlock": PALETTE[9],
    "Linear": PALETTE[4],
    "+": "white",
}
PARTS = {"wte": PALETTE[2], "wpe": PALETTE[8], "attn": PALETTE[0], "mlp": PALETTE[1]}
INPUTS = {"wte": "input_ids", "wpe": "position_ids"}


def source(item, *more):
    """Return the source code of functions and classes as one highlighted Markdown listing."""
    code = "\n\n".join(map(source_of, (item, *more)))
    fence = fence_of(code, 3)
    return Markdown(f"{fence}python\n{code}\n{fence}")


@draws(samples=drawables(check_text))
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
    check_captions("yticks", yticks, len(next(iter(matrices.values()))), empty=True)
    for matrix in matrices.values():
        check_captions("xticks", xticks, matrix.shape[1], empty=True)
    figure, axes = panels(len(matrices), height, width=0.6 + 1.15 * height * len(matrices))
    highest = vmax or max(float(matrix.max()) for matrix in matrices.values())
    for axis, (title, matrix) in zip(axes, matrices.items(), strict=True):
        annotate = matrix.size <= 64 and len(matrices) <= 3
        sns.heatmap(
            matrix, ax=axis, vmin=0, vmax=highest, cmap="mako_r", cbar=axis is axes[-1],
            annot=annotate, fmt=".2g", annot_kws={"size": 7}, square=True,
            linewidths=0.5 if matrix.size <= 400 else 0, linecolor="white",
            xticklabels=False, yticklabels=False,
        )  # fmt: skip
        name_cells(axis, xticks, yticks if axis is axes[0] else ())
        axis.set(title=title, xlabel=xlabel, ylabel=ylabel if axis is axes[0] else "")
        as_written(figure)
    return figure


@draws(panels_of_lines=panels_of(drawables(check_line)))
def curves(panels_of_lines, *, xlabel, ylabels, log=(), height=2.8, legend_above=False):
    """Draw {title: {label: (x, y)}}, one panel per title.

    log names the axes that are logarithmic ("x" in powers of 2, "y" in powers of 10);
    ylabels has one entry per panel. legend_above is for panels that share their labels: one
    legend above them all, clear of the lines.
    """
    check_captions("ylabels", ylabels, len(panels_of_lines))
    panels_of_lines = lines_of("panels_of_lines", panels_of_lines, log)
    figure, axes = panels(len(panels_of_lines), height)
    drawn = {}
    for axis, (title, lines), ylabel in zip(axes, panels_of_lines.items(), ylabels, strict=True):
        entries = [
            (label, draw_curve(axis, *line, n)) for n, (label, line) in enumerate(lines.items())
        ]
        drawn = drawn | dict(entries) | drawn  # each label once, as in its first panel
        axis.set(title=title, xlabel=xlabel, ylabel=ylabel)
        if "x" in log:
            axis.set_xscale("log", base=2)
            axis.xaxis.set_major_formatter("{x:.0f}")
        if "y" in log:
            axis.set_yscale("log")
        if len(lines) > 1 and not legend_above:
            draw_legend(axis, entries)
    if legend_above:
        place = {"loc": "outside upper center", "ncols": min(4, len(drawn))}
        draw_legend(figure, list(drawn.items()), **place)
    sns.despine(figure)
    return as_written(figure)


def draw_curve(axis, x, y, number):
    """Draw one line of curves, in the style of its number, and return it."""
    style = ("-", "--", ":", "-.")[number % 4]
    (line,) = axis.plot(x, y, style, marker="o" if len(x) <= 24 else "", markersize=3)
    return line


@draws(probabilities=panels_of(check_distribution), labels=check_captions)
def distributions(probabilities, labels, *, ylabel, height=2.4):
    """Draw {title: (n,)} distributions over the same n labels as bars, on one scale."""
    probabilities = {title: values_of(values) for title, values in probabilities.items()}
    for title, values in probabilities.items():
        if len(values) != len(labels):
            raise ValueError(f"{title!r} has {len(values)} values for {len(labels)} labels")
    figure, axes = panels(len(probabilities), height, sharey=True)
    for axis, (title, values) in zip(axes, probabilities.items(), strict=True):
        colours = [PALETTE[0] if value > 0 else "#cccccc" for value in values]
        axis.bar(range(len(labels)), values, color=colours)
        axis.set_xticks(range(len(labels)), labels, rotation=90, family="monospace", fontsize=7)
        axis.set(title=title, ylabel=ylabel if axis is axes[0] else "")
    sns.despine(figure)
    return as_written(figure)


@draws(rows=drawables(check_counts))
def shares(rows, *, xlabel, height=2.0):
    """Draw {bar: {part: count}} as stacked bars of 100 %, each part labelled with its share."""
    figure, (axis,) = panels(1, height)
    drawn = {}
    for row, counts in enumerate(rows.values()):
        left, total = 0.0, sum(counts.values())
        for part, count in counts.items():
            share, colour = 100 * count / total, PARTS.get(part, PALETTE[4])
            look = {"color": (*colour, 0.55), "edgecolor": "white"}
            drawn[part] = axis.barh(row, share, left=left, **look)
            if share >= 4:
                axis.text(left + share / 2, row, f"{share:.0f}", ha="center", va="center", size=8)
            left += share
    axis.set(xlabel=xlabel, xlim=(0, 100))
    axis.set_yticks(range(len(rows)), rows)
    place = {"loc": "outside upper center", "ncols": len(drawn)}
    draw_legend(figure, list(drawn.items()), **place)
    axis.invert_yaxis()
    sns.despine(figure)
    return as_written(figure)


@draws(traces=panels_of(functools.partial(check_sequence, kind=Step)))
def diagrams(traces):
    """Draw {title: steps} of trace.trace side by side, inputs at the bottom.

    A box is a step, with its class and the shape of its result; an arrow is a tensor; a
    circle is a sum. An arrow that passes steps by is a residual connection.
    """
    places = {title: place_steps(steps) for title, steps in traces.items()}
    top = max(y for placed in places.values() for _, y in placed.values())
    figure, axes = panels(len(traces), 0.5 * (top + 2), width=3.6 * len(traces))
    for axis, (title, steps) in zip(axes, traces.items(), strict=True):
        draw_steps(axis, steps, places[title])
        axis.set(title=title, xlim=(-3.0, 3.0), ylim=(-0.3, top + 0.8))
        axis.set_axis_off()
    return as_written(figure)


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
            label = INPUTS.get(step.name.split(".")[-1], "$x$")
            axis.text(x, 0, label, ha="center", va="center", size=8, color=INK, gid=FORMULA)
    top = max(y for _, y in places.values())
    draw_arrow(axis, (0.0, top), (0.0, top + 0.9))


def draw_step(axis, step, x, y):
    """Draw one step as a box with its name, or a sum as a circle."""
    if step.kind == "+":
        axis.text(x, y, "+", ha="center", va="center", size=12, color=INK, zorder=4,
                  bbox={"boxstyle": "circle,pad=0.15", "fc": "white", "ec": INK})  # fmt: skip
        return
    colour = COLOURS.get(step.kind, PALETTE[9])
    box = {"boxstyle": "round,pad=0.3", "fc": (*colour, 0.35), "ec": colour}
    shape = ", ".join(str(size) for size in step.shape)
    label = f"{step.name.removeprefix('transformer.')}  {step.kind}\n({shape})"
    axis.text(x, y, label, ha="center", va="center", size=7, color=INK, bbox=box, zorder=3)


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
        style |= {"color": PALETTE[3], "linewidth": 1.4}
        axis.plot([x0, turn, turn], [branch, branch, y1], color=PALETTE[3], linewidth=1.4)
        axis.annotate("", (x1 + 0.25, y1), (turn, y1), arrowprops=style)
