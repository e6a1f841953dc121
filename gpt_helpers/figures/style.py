"""How figures look: one size of type, one colour for each concept, panels that fit the column.

Every figure is made by panels and ended by labelled. How wide it may be, and in which language it
speaks, is set from outside, by drawn.py: the same function draws for a desk and for a phone.
"""

import contextvars
import math

import matplotlib
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatter, NullFormatter

from gpt_helpers.figures.words import SUPERSCRIPTS, translate, width_in_letters

INK, PAPER, FAINT, EDGE = "#222222", "#ffffff", "#eeeeee", "#bbbbbb"
BLUE, ORANGE, GREEN, PINK, BROWN = "#0173b2", "#b86b00", "#028a65", "#b3509c", "#8a5a3c"
RED, GREY, OLIVE, VIOLET, TEAL = "#c8373a", "#767676", "#6f7d00", "#6a55c2", "#007f8c"
PALETTE = [BLUE, ORANGE, GREEN, PINK, BROWN, RED, GREY, OLIVE, VIOLET, TEAL]
DARK = {  # what a colour becomes on the dark page; the theme writes it into its style sheet
    INK: "#ced6dd", PAPER: "#14181e", FAINT: "#262c35", EDGE: "#4d5661",
    BLUE: "#5eb3ea", ORANGE: "#e59a35", GREEN: "#35c495", PINK: "#e08fcd", BROWN: "#c9a184",
    RED: "#f0807f", GREY: "#a0a0a0", OLIVE: "#b9c242", VIOLET: "#a99bf0", TEAL: "#45c3cf",
}  # fmt: skip
CONCEPTS = {  # one concept has one colour, in every figure
    "query": BLUE, "key": ORANGE, "value": GREEN, "residual": GREY,
    "embedding": GREEN, "attention": BLUE, "mlp": ORANGE, "norm": GREY,
    "wte": GREEN, "wpe": OLIVE, "attn": BLUE,
    "GPT-2": BLUE, "Llama": ORANGE, "uniform": GREY, "unigram": OLIVE, "bigram": PINK,
    "5-gram": BROWN, "chance": GREY,
}  # fmt: skip
STROKES = ("-", "--", ":", "-.")
POINTS = 9  # the size of all type: 12 pixels where 96 make an inch
STYLE = {
    "font.size": POINTS,
    "axes.titlesize": POINTS,
    "axes.titleweight": "bold",
    "axes.labelsize": POINTS,
    "xtick.labelsize": POINTS,
    "ytick.labelsize": POINTS,
    "legend.fontsize": POINTS,
    "legend.frameon": False,
    "legend.handlelength": 1.8,
    "legend.columnspacing": 1.4,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.prop_cycle": matplotlib.cycler(color=PALETTE),
    "axes.unicode_minus": True,
    "text.parse_math": False,  # a "$" in a label begins no formula
    "font.family": ["DejaVu Sans"],  # comes with matplotlib: equal layouts on all machines
}
DESK, PHONE = 7.5, 3.0  # inches: the column of text of a book, and of the narrowest phone
column = contextvars.ContextVar("column", default=DESK)  # inches that a figure may take


def panels(n_panels, height, width=math.inf, narrowest=2.3, **options):
    """Return a figure and its n_panels axes, abreast if each can be narrowest inches wide.

    height and width are those of a panel and of the whole in inches; the whole is at most one
    column wide. Options are those of Figure.subplots.
    """
    width = min(width, column.get())
    n_columns = min(n_panels, max(1, int(width / narrowest)))
    n_rows = math.ceil(n_panels / n_columns)
    figure = Figure(figsize=(width, height * n_rows), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.04, h_pad=0.04, wspace=0.06, hspace=0.06)
    axes = list(figure.subplots(n_rows, n_columns, squeeze=False, **options).flat)
    sns.despine(figure)
    for axis in axes[n_panels:]:
        axis.set_axis_off()
    return figure, axes[:n_panels]


def is_phone():
    """Return whether the figure is drawn for a phone."""
    return column.get() < DESK / 2


def is_first(axis):
    """Return whether axes stand in the first column, where what a row shares is named."""
    return axis.get_subplotspec().is_first_col()


def colour_of(label, index):
    """Return the colour of a concept, or that of the line with this number if it has none."""
    return CONCEPTS.get(label, PALETTE[index % len(PALETTE)])


def named(label):
    """Return a label as matplotlib's legends show it: "" and what begins with "_" they leave out.

    The sign before it has no width.
    """
    return f"\u200b{label}" if label == "" or str(label).startswith("_") else str(label)


def labelled(figure, legend=True):
    """Return the figure with its texts in the language of the page, and one legend above all."""
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            if isinstance(axis.get_major_formatter(), LogFormatter):  # which writes formulas
                low, high = sorted(axis.get_view_interval())
                axis.set_major_formatter(power_of_ten if high >= 10 * low else thousands)
            if isinstance(axis.get_minor_formatter(), LogFormatter):
                axis.set_minor_formatter(NullFormatter())
    translate(figure)
    if legend:
        found = [axes.get_legend_handles_labels() for axes in figure.axes]
        handles = {label: handle for pair in found for handle, label in zip(*pair, strict=True)}
        if handles:
            put_legend(figure, list(handles.values()), list(handles))
    return figure


def put_legend(figure, handles, labels):
    """Put a legend above all panels, in as many columns as fit; the figure grows by it."""
    wide = max(map(width_in_letters, labels)) * POINTS * 0.6 + POINTS * 3.6  # points
    n_columns = max(1, min(len(labels), int(figure.get_figwidth() * 72 / wide)))
    n_rows = math.ceil(len(labels) / n_columns)
    figure.set_figheight(figure.get_figheight() + n_rows * 1.5 * POINTS / 72)
    figure.legend(handles, labels, loc="outside upper left", ncols=n_columns)


def power_of_ten(value, place=None):
    """Return a number of a logarithmic axis as a reader writes it: 1, 10, 100, 10³."""
    if value <= 0:
        return ""
    power = round(math.log10(value))
    if not math.isclose(value, 10.0**power, rel_tol=1e-6):
        return thousands(value)
    return f"{10.0**power:g}" if -2 <= power <= 3 else "10" + f"{power}".translate(SUPERSCRIPTS)


def thousands(value, place=None):
    """Return a number of an axis with commas between thousands."""
    return f"{value:,.10g}"


def soft(colour, alpha=0.35):
    """Return a colour that lets the page shine through."""
    return (*matplotlib.colors.to_rgb(colour), alpha)
