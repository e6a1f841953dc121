"""Published models over the years: how large they are; and what of them is drawn here, as rows.

What is undisclosed is hollow and has a place of its own, from which no size can be read off.
The tree of their families is drawings/families.py.
"""

import functools
import math
import re

from gpt_helpers.figures.drawn import draws
from gpt_helpers.figures.style import CONCEPTS, INK, PAPER, POINTS, labelled, panels, soft
from gpt_helpers.figures.vector import POINTS_PER_INCH
from gpt_helpers.figures.words import width_in_letters
from gpt_helpers.validation import check_choice, check_integer, check_sequence, check_text
from gpt_helpers.variants.published import PublishedModel

NOT_SAID = "undisclosed"
# The family of which the file of each family in variants/ says that it is a change.
WRITTEN_FROM = {
    "gpt1": "gpt2", "gpt3": "gpt2", "gpt_neo": "gpt3", "gpt_j": "gpt2", "gpt_neox": "gpt2",
    "llama": "gpt2", "plamo": "llama", "gemma": "llama", "qwen": "llama", "olmo": "llama",
    "deepseek": "llama", "gpt_oss": "llama",
}  # fmt: skip
ALL_FAMILIES = ("gpt2", *WRITTEN_FROM, "other", NOT_SAID)
TRUNKS = {"gpt2": CONCEPTS["GPT-2"], "llama": CONCEPTS["Llama"]}
KEYS = {
    "gpt2": "GPT-2 and changes of it",
    "llama": "Llama and changes of it",
    "other": "other families",
}
DATE = re.compile(r"\d{4}(-[01]\d(-[0-3]\d)?)?")
YEARS = (2018, 2027.6)
SMALLEST, LARGEST = 5e7, 3e12  # the ends of the scale of sizes
BEYOND = 1e13  # the place of what has none


def releases(models):
    """Return rows (name, family, released, n_params) of PublishedModels, for what draws them.

    Models without a date, or of unknown size, are left out; n_params is None where it is
    undisclosed. Raises ValueError if nothing is left.
    """
    check_sequence("models", models, PublishedModel)
    rows = [
        (model.model, model.family or NOT_SAID, model.released, model.n_params)
        for model in models
        if model.released and model.basis("n_params") != "unknown"
    ]
    if not rows:
        raise ValueError("no model in models has a date; pass those of published.load_models()")
    return rows


def check_releases(name, value):
    """Raise ValueError unless value is rows of releases."""
    check_sequence(name, value, (list, tuple))
    for place, row in enumerate(value):
        if len(row) != 4:
            raise ValueError(f"{name}[{place}]={row!r:.60} must be a row of show_models.releases")
        model, family, released, n_params = row
        check_text(f"the model in {name}[{place}]", model)
        check_choice(f"the family in {name}[{place}]", family, ALL_FAMILIES)
        if not isinstance(released, str) or not DATE.fullmatch(released):
            raise ValueError(f"{name}[{place}] is released {released!r}; write it as 2024-07-23")
        if n_params is not None:
            check_integer(f"n_params in {name}[{place}]", n_params, at_least=1)


@draws(rows=check_releases, names=functools.partial(check_sequence, kind=str, empty=True))
def sizes_over_time(rows, names=(), height=3.6):
    """Draw the sizes in rows of releases by the time of release, with the names in names.

    What is undisclosed lies above the line, where there is no scale. Raises ValueError for a
    name of no model that is drawn.
    """
    places = {model: (year_of(released), n or BEYOND) for model, _, released, n in rows}
    for name in names:
        check_choice("name", name, places)
    figure, (axis,) = panels(1, height)
    for model, family, _, n_params in rows:
        colour = trunk_colour(family)
        face = PAPER if n_params is None else soft(colour, 0.6)
        look = {"facecolors": [face], "edgecolors": [colour], "linewidths": 0.8}
        axis.scatter(*places[model], s=22, zorder=3, **look)
    for name in with_room(names, places, figure):
        axis.annotate(name, places[name], xytext=(4, 4), textcoords="offset points")
    axis.text(YEARS[0] + 0.2, BEYOND, NOT_SAID, va="center")
    axis.axhline(LARGEST, color=INK, linewidth=0.8)
    axis.set(xlabel="released", ylabel="parameters", yscale="log", xlim=YEARS)
    axis.set(ylim=(SMALLEST, BEYOND * BEYOND / LARGEST), xticks=range(2018, 2028, 3))
    axis.set_yticks([10.0**power for power in range(8, 13)])
    axis.minorticks_off()
    for family, label in KEYS.items():
        axis.plot([], [], "o", color=trunk_colour(family), markersize=5, label=label)
    return labelled(figure)


def with_room(names, places, figure):
    """Return the names beside whose points, {name: (year, number)}, no point or name stands.

    The first of names are looked at first. Where things will stand is estimated.
    """
    width, height = figure.get_size_inches() * POINTS_PER_INCH * 0.8  # what axes leave of it
    across = width / (YEARS[1] - YEARS[0])
    decades = math.log10(BEYOND * BEYOND / LARGEST / SMALLEST)
    at = {
        n: (across * year, height * math.log10(size) / decades)
        for n, (year, size) in places.items()
    }
    found, taken = [], [(x - 2, y - 2, x + 2, y + 2) for x, y in at.values()]
    for name in names:
        x, y = at[name]
        box = x + 4, y + 4, x + 4 + width_in_letters(name) * POINTS * 0.6, y + 4 + POINTS
        if not any(a < box[2] and c > box[0] and b < box[3] and d > box[1] for a, b, c, d in taken):
            found.append(name)
            taken.append(box)
    return found


def trunk_colour(family):
    """Return the colour of a family: that of the trunk, GPT-2 or Llama, from which it comes."""
    while family in WRITTEN_FROM and family not in TRUNKS:
        family = WRITTEN_FROM[family]
    return TRUNKS.get(family, INK)


def year_of(date):
    """Return the year, with its part, in the middle of a date such as 2024, 2024-07, 2024-07-23."""
    year, *rest = (int(part) for part in date.split("-"))
    if not rest:
        return year + 0.5
    month, day = rest[0], rest[1] if len(rest) > 1 else 15.5
    return year + (month - 1 + (day - 0.5) / 31) / 12
