"""The cells of a heat map: levels of one colour, in paths that stay small for large matrices."""

import numpy as np
from matplotlib.patches import PathPatch
from matplotlib.path import Path

from gpt_helpers.figures.style import EDGE

LEVELS = 16  # of the colours of a heat map
SHINE, SHINE_BEHIND_NUMBERS = 0.9, 0.45  # how much of its colour the highest cell has


def shares_of(numbered):
    """Return how much of its colour each level of a heat map has, from none to the most."""
    return np.linspace(0, SHINE_BEHIND_NUMBERS if numbered else SHINE, LEVELS + 1)


def draw_cells(axis, matrix, colours, highest):
    """Draw a matrix of numbers from 0 to 1 as cells; with highest, write numbers into them.

    Cells of one row that have one colour are one rectangle, so that large maps stay small.
    """
    n_rows, n_columns = matrix.shape
    levels = np.rint(np.nan_to_num(matrix).clip(0, 1) * LEVELS).astype(int)
    for level in sorted({*levels.flat} - {0}):
        path = Path.make_compound_path(*map(rectangle, runs_of(levels == level)))
        axis.add_patch(PathPatch(path, facecolor=colours[level], linewidth=0))
    for row, column in np.ndindex(matrix.shape) if highest else ():
        number = f"{matrix[row, column] * highest:.2g}"
        axis.text(column + 0.5, row + 0.5, number, ha="center", va="center")
    axis.set(xlim=(0, n_columns), ylim=(n_rows, 0), aspect="equal", xticks=(), yticks=())
    axis.spines[["top", "right"]].set_visible(True)
    axis.spines[:].set_color(EDGE)


def runs_of(cells):
    """Return [(row, first column, column after the last)] of cells (rows, columns) that are set."""
    edges = np.diff(np.pad(cells.astype(int), ((0, 0), (1, 1))), axis=1)
    starts, stops = np.argwhere(edges == 1), np.argwhere(edges == -1)
    return [(row, left, right) for (row, left), (_, right) in zip(starts, stops, strict=True)]


def rectangle(run):
    """Return the path around a run of cells."""
    row, left, right = run
    corners = [(left, row), (right, row), (right, row + 1), (left, row + 1), (left, row)]
    return Path(corners, closed=True)


def name_cells(axis, xticks, yticks):
    """Write names below the columns and beside the rows of a heat map; upright if they are long."""
    axis.set_xticks(np.arange(len(xticks)) + 0.5, list(map(str, xticks)))
    axis.set_yticks(np.arange(len(yticks)) + 0.5, list(map(str, yticks)), va="center")
    axis.tick_params(length=0)
    if max(map(len, map(str, xticks)), default=0) > 3:
        axis.tick_params(axis="x", rotation=90)
