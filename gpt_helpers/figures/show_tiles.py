"""The tiles that tiled attention computes, and the roofline under which attention runs."""

import re
from itertools import pairwise

import numpy as np
import torch
from matplotlib.patches import Rectangle

from gpt_helpers.architecture.attention import causal_mask
from gpt_helpers.figures.drawn import draws
from gpt_helpers.figures.inputs import check_positive, drawables
from gpt_helpers.figures.style import (
    BLUE,
    FAINT,
    INK,
    ORANGE,
    PAPER,
    is_phone,
    labelled,
    named,
    panels,
)
from gpt_helpers.figures.words import word
from gpt_helpers.optimization.roofline import attainable
from gpt_helpers.optimization.tiled import tiles
from gpt_helpers.validation import (
    check_instance,
    check_integer,
    check_sequence,
    optional,
)

CEILING = ("flops", "bandwidth")
LONGEST, MOST_TILES = 2**14, 10_000  # of what is drawn within seconds
KINDS = {"full": BLUE, "mask": ORANGE, "skip": FAINT}
MEANINGS = {"full": "computed whole", "mask": "computed with a mask", "skip": "skipped"}


def tile_kinds(n_queries, n_keys, block_size, window=None):
    """Return (rows, columns, kind) of each tile: slices of queries and keys, in visiting order.

    kind is "full" where every query of the tile reads every key, "mask" where some do, and
    "skip" where attention_tiled does not go; which ones these are, tiled.tiles says.

    Raises ValueError for what is no positive integer, and for more queries than keys.
    """
    sizes = {"n_queries": n_queries, "n_keys": n_keys, "block_size": block_size}
    sizes |= {} if window is None else {"window": window}
    for name, value in sizes.items():
        check_integer(name, value, at_least=1)
    if n_queries > n_keys:
        raise ValueError(f"T={n_queries} queries but S={n_keys} keys; need S >= T")
    if n_keys > LONGEST:
        raise ValueError(f"n_keys={n_keys} are too many to draw; give at most {LONGEST}")
    n_tiles = -(-n_queries // block_size) * -(-n_keys // block_size)
    if n_tiles > MOST_TILES:
        raise ValueError(
            f"block_size={block_size} gives {n_tiles} tiles; draw {MOST_TILES} at most"
        )
    keys, found = torch.arange(n_keys), []
    for rows, visited in tiles(n_queries, n_keys, block_size, window):
        queries = keys[n_keys - n_queries :][rows]
        for columns in visited:
            is_full = bool(causal_mask(queries, keys[columns], window).all())
            found.append((rows, columns, "full" if is_full else "mask"))
        found += [(rows, columns, "skip") for columns in between(visited, n_keys, block_size)]
    return found


def between(visited, n_keys, block_size):
    """Return the slices of keys that are not visited, cut where tiles begin."""
    edges = {*range(0, n_keys, block_size), n_keys, *(part.stop for part in visited)}
    starts = {part.start for part in visited}
    pairs = pairwise(sorted(edges))
    return [slice(low, high) for low, high in pairs if low not in starts]


@draws()
def tile_map(n_queries, n_keys, block_size, window=None, height=3.4):
    """Draw the (T, S) matrix as tiles: computed without a mask, with one, or skipped.

    Numbers give the order in which the last row of tiles is visited. Errors are those of
    tile_kinds.
    """
    kinds = tile_kinds(n_queries, n_keys, block_size, window)
    tall = 1 + (height - 1) * n_queries / n_keys  # cells are square
    figure, (axis,) = panels(1, tall, width=height + 1)
    for rows, columns, kind in kinds:
        axis.add_patch(tile_patch(rows, columns, KINDS[kind]))
    last = [tile for tile in kinds if tile[0] == kinds[-1][0] and tile[2] != "skip"]
    for number, (rows, columns, kind) in enumerate(last, 1):
        middle = [(part.start + part.stop) / 2 for part in (columns, rows)]
        ink = PAPER if kind == "full" else INK
        axis.text(*middle, str(number), ha="center", va="center", color=ink)
    axis.set(
        xlim=(0, n_keys),
        ylim=(n_queries, 0),
        xlabel="key position",
        ylabel="query position",
        aspect="equal",
    )
    axis.set(xticks=edges_of(n_keys, block_size), yticks=edges_of(n_queries, block_size))
    drawn = [kind for kind in KINDS if kind in {tile[2] for tile in kinds}]
    for kind in drawn:
        axis.fill_between([], [], color=KINDS[kind], label=MEANINGS[kind])
    return labelled(figure)


def edges_of(length, block_size):
    """Return where about 8 tiles at most begin, and the end."""
    step = block_size * max(1, -(-length // block_size) // 8)
    return [*range(0, length, step), length]


def tile_patch(rows, columns, colour):
    """Return the rectangle of a tile, with an edge."""
    place, width = (columns.start, rows.start), columns.stop - columns.start
    return Rectangle(place, width, rows.stop - rows.start, facecolor=colour, edgecolor=PAPER)


def check_ceiling(name, value):
    """Raise ValueError unless value holds the two positive limits of a device."""
    check_instance(name, value, dict)
    for limit in CEILING:
        check_positive(f"{name}: {limit}", value.get(limit))


def check_place(name, value):
    """Raise ValueError unless value is (FLOP/byte, FLOP/s), the latter perhaps None."""
    check_sequence(name, value)
    if len(value) != 2:
        raise ValueError(f"{name}={value!r:.80} must be (FLOP/byte, FLOP/s)")
    check_positive(f"{name}: flops_per_byte", value[0])
    optional(check_positive)(f"{name}: flops", value[1])


@draws(ceilings=drawables(check_ceiling), points=drawables(check_place))
def roofline(ceilings, points, height=3.0):
    """Draw what a device attains by FLOP/byte, on logarithmic axes, and named points below.

    ceilings is {device: {"flops", "bandwidth"}}; points is {name: (FLOP/byte, FLOP/s)}, where
    None instead of FLOP/s sets the point on the roof of the first device.

    Raises ValueError for an empty dict, and for what is no positive number.
    """
    ceilings = {
        device: {limit: float(each[limit]) for limit in CEILING}
        for device, each in ceilings.items()
    }
    first = next(iter(ceilings.values()))
    places = {
        name: (float(x), attainable(float(x), **first) if y is None else float(y))
        for name, (x, y) in points.items()
    }
    across = [x for x, _ in places.values()]
    across += [each["flops"] / each["bandwidth"] for each in ceilings.values()]  # the ridges
    figure, (axis,) = panels(1, height)
    x = np.geomspace(min(across) / 3, max(across) * 5, 200)
    for device, each in ceilings.items():
        axis.plot(x, [attainable(float(at), **each) for at in x], label=named(device))
    for index, (place, names) in enumerate(sorted(names_by_place(places).items())):
        axis.plot(*place, "o", color=INK, markersize=4)
        above = {"xytext": (-5, 6), "ha": "right"}
        offset = above if index % 2 else {"xytext": (5, -4), "ha": "left", "va": "top"}
        axis.annotate(names, place, **offset, textcoords="offset points")
    axis.set(xscale="log", yscale="log", xlabel="intensity (FLOP/byte)", ylabel="speed (FLOP/s)")
    return labelled(figure)


def names_by_place(places):
    """Return {place: names} of {name: place}; points at one place share a label."""
    found = {}
    for name, place in places.items():
        found.setdefault(place, []).append(name)
    labels = {place: word(", ".join(names)) for place, names in found.items()}
    if is_phone():
        labels = {place: re.sub("(,|、) ?", "\\1\n", text) for place, text in labels.items()}
    return labels
