"""Published models over the years: which family changes which, and how large its models are.

What is undisclosed is hollow and has a place of its own, from which no size can be read off.
"""

import functools
import math

import seaborn as sns

from gpt_helpers.figures.inputs import draws
from gpt_helpers.figures.labels import as_written
from gpt_helpers.figures.panels import INK, PALETTE, panels
from gpt_helpers.validation import check_choice, check_sequence
from gpt_helpers.variants.published import PublishedModel

NOT_SAID = "undisclosed"
LANES = {
    "gpt1": "GPT-1", "gpt2": "GPT-2", "gpt3": "GPT-3", "gpt_neo": "GPT-Neo", "gpt_j": "GPT-J",
    "gpt_neox": "GPT-NeoX", "llama": "Llama", "plamo": "PLaMo", "gemma": "Gemma", "qwen": "Qwen",
    "olmo": "OLMo", "deepseek": "DeepSeek", "gpt_oss": "gpt-oss", "other": "other",
    NOT_SAID: NOT_SAID,
}  # fmt: skip
OF_THE_BOOK = [family for family in LANES if family not in ("other", NOT_SAID)]
# The family of which the file of each family in variants/ says that it is a change.
WRITTEN_FROM = {
    "gpt1": "gpt2", "gpt3": "gpt2", "gpt_neo": "gpt3", "gpt_j": "gpt2", "gpt_neox": "gpt2",
    "llama": "gpt2", "plamo": "llama", "gemma": "llama", "qwen": "llama", "olmo": "llama",
    "deepseek": "llama", "gpt_oss": "llama",
}  # fmt: skip
YEARS = (2018, 2027.6)
YEARS_PER_LETTER = 0.075  # of a name beside its point
SIDES = {"above": (5, "bottom"), "below": (-5, "top")}  # points from the lane, and what is there
LARGEST, BEYOND = 3e12, 1e13  # the end of the scale of sizes, and the place of what has none


check_models = functools.partial(check_sequence, kind=PublishedModel)


@draws(models=check_models)
def family_tree(models, height=5.8):
    """Draw PublishedModels as points, each family in its lane, by the time of their release.

    A vertical line joins a family to the one that it changes. A point is the larger the
    more parameters it has, by their logarithm. Names that find no room are left out, and so
    are models without a date. Raises ValueError if none has one.
    """
    lanes = lanes_of(models)
    figure, (axis,) = panels(1, height)
    for family, models_by_year in lanes.items():
        draw_branch(axis, lanes, family)
        for year, model in models_by_year:
            draw_model(axis, year, lane_height(family), model, size_of(model))
        for year, name, side in names_with_room(models_by_year):
            offset, va = SIDES[side]
            place = {"xytext": (-2, offset), "textcoords": "offset points", "va": va}
            axis.annotate(name, (year, lane_height(family)), **place, size=5.5, color=INK)
    axis.set_yticks([lane_height(family) for family in LANES], LANES.values())
    axis.set(xlabel="released", xlim=YEARS, ylim=(lane_height(NOT_SAID) - 0.6, 0.6))
    axis.tick_params(axis="y", length=0)
    sns.despine(figure, left=True)
    return as_written(figure)


@draws(models=check_models, names=functools.partial(check_sequence, kind=str, empty=True))
def sizes_over_time(models, names=(), height=3.6):
    """Draw n_params of PublishedModels by the time of their release, with the names in names.

    What is undisclosed lies above the line, where there is no scale. Models without a date, or
    of unknown size, are left out. Raises ValueError for a name of no model that is drawn.
    """
    drawn = {
        model.model: (year, model)
        for models_by_year in lanes_of(models).values()
        for year, model in models_by_year
        if model.basis("n_params") != "unknown"
    }
    for name in names:
        check_choice("name", name, drawn)
    figure, (axis,) = panels(1, height)
    for year, model in drawn.values():
        draw_model(axis, year, model.n_params or BEYOND, model, 22)
        if model.model in names:
            place = {"xytext": (4, 3), "textcoords": "offset points"}
            axis.annotate(model.model, (year, model.n_params or BEYOND), **place, size=6)
    axis.axhline(LARGEST, color=INK, linewidth=0.8)
    axis.set(xlabel="released", ylabel="parameters", yscale="log", xlim=YEARS)
    axis.set(ylim=(5e7, BEYOND * BEYOND / LARGEST))
    axis.minorticks_off()
    families = {lane_of(model) for _, model in drawn.values()}
    keys = [draw_key(axis, family) for family in LANES if family in families]
    figure.legend(handles=keys, loc="outside upper center", ncols=8, columnspacing=1.0)
    sns.despine(figure)
    as_written(figure)
    ticks = {10.0**power: f"$10^{{{power}}}$" for power in range(8, 13)} | {BEYOND: NOT_SAID}
    axis.set_yticks(list(ticks), ticks.values())
    return figure


def lanes_of(models):
    """Return {family: [(year, model), ...]} in the order of LANES, each by time and by size.

    Raises ValueError if no model has a date.
    """
    dated = [(year_of(model.released), model) for model in models if model.released]
    if not dated:
        raise ValueError("no model has a date of release; pass those of published.load_models()")
    dated.sort(key=lambda pair: (pair[0], pair[1].n_params or 0))
    found = {family: [pair for pair in dated if lane_of(pair[1]) == family] for family in LANES}
    return {family: pairs for family, pairs in found.items() if pairs}


def lane_of(model):
    """Return the key of LANES for a model: its family, if that is known."""
    return model.family or NOT_SAID


def lane_height(family):
    """Return the height of the lane of a family; the first is at 0."""
    return -list(LANES).index(family)


def year_of(date):
    """Return the year, with its part, in the middle of a date such as 2024, 2024-07, 2024-07-23."""
    year, *rest = (int(part) for part in date.split("-"))
    if not rest:
        return year + 0.5
    month, day = rest[0], rest[1] if len(rest) > 1 else 15.5
    return year + (month - 1 + (day - 0.5) / 31) / 12


def branch_of(lanes, family):
    """Return the year in which a family and the one that it changes are both there, or None."""
    parent = WRITTEN_FROM.get(family)
    return max(lanes[family][0][0], lanes[parent][0][0]) if parent in lanes else None


def draw_branch(axis, lanes, family):
    """Draw the line of a family through its lane, and the one from the family that it changes."""
    if family not in WRITTEN_FROM.keys() | set(WRITTEN_FROM.values()):
        return
    joints = [branch_of(lanes, other) for other in lanes if WRITTEN_FROM.get(other) == family]
    years = [year for year, _ in lanes[family]]
    colour, joint = colour_of(family), branch_of(lanes, family)
    ends = [*years, *joints] if joint is None else [*years, *joints, joint]
    row = [lane_height(family)] * 2
    axis.plot([min(ends), max(ends)], row, color=colour, linewidth=1.4)
    if joint is not None:
        rows = [lane_height(WRITTEN_FROM[family]), lane_height(family)]
        axis.plot([joint, joint], rows, color=colour, linewidth=1.0)


def names_with_room(models_by_year):
    """Yield (year, name, side) for names that do not lie on each other, above or below a lane.

    Of models released together the largest, which comes last, is named.
    """
    ends = dict.fromkeys(SIDES, -math.inf)
    named = {year: model.model for year, model in models_by_year}
    for year, name in named.items():
        side = next((side for side, end in ends.items() if end < year), None)
        if side is not None:
            ends[side] = year + YEARS_PER_LETTER * len(name)
            yield year, name, side


def size_of(model):
    """Return the area of a point, in square points; without a size it is that of 1e9 parameters."""
    return 12 * (math.log10(model.n_params or 1e9) - 7)


def colour_of(family):
    """Return the colour of a family; what is in none of the book's families has that of ink."""
    return PALETTE[OF_THE_BOOK.index(family) % len(PALETTE)] if family in OF_THE_BOOK else INK


def marker_of(family):
    """Return the marker of a family: a square where its colour is that of a family before."""
    return "s" if family in OF_THE_BOOK[len(PALETTE) :] else "o"


def draw_model(axis, x, y, model, size):
    """Draw a model as a point, a dot or a square, hollow if its size is undisclosed."""
    colour = colour_of(lane_of(model))
    face = "white" if model.n_params is None else (*sns.color_palette([colour])[0], 0.6)
    look = {"facecolors": [face], "edgecolors": [colour], "marker": marker_of(lane_of(model))}
    axis.scatter(x, y, s=size, linewidths=0.8, zorder=3, **look)


def draw_key(axis, family):
    """Return the entry of a family in a legend."""
    face = "white" if family == NOT_SAID else colour_of(family)
    style = {"linestyle": "", "marker": marker_of(family), "markersize": 5}
    style["markeredgecolor"] = colour_of(family)
    (line,) = axis.plot([], [], label=LANES[family], markerfacecolor=face, **style)
    return line
