"""Text in figures: drawn as it is written, in a font that has its letters.

A label may be a token, a name or a sentence in any language. A "$" in it begins no mathematics,
Japanese takes a Japanese font of the machine, and a character that no font has is drawn as its
escape, \\u3042, not as a box.
"""

from functools import cache

import numpy as np
from matplotlib.font_manager import FontProperties, findfont, get_font, get_font_names
from matplotlib.text import Text
from matplotlib.ticker import FuncFormatter
from seaborn.utils import axis_ticklabels_overlap

JAPANESE = (
    "Noto Sans CJK JP", "Noto Sans JP", "Source Han Sans JP", "Hiragino Sans", "Yu Gothic",
    "Meiryo", "BIZ UDGothic", "MS Gothic", "IPAexGothic", "IPAGothic", "TakaoGothic", "VL Gothic",
)  # fmt: skip
FORMULA = "formula"


def as_written(figure):
    """Return the figure, its texts drawn as they are written.

    Left as they are: the numbers of its axes, and what carries FORMULA as its gid.
    """
    as_they_are = set(figure.findobj(lambda artist: artist.get_gid() == FORMULA))
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            names = axis.get_majorticklabels()  # none on a panel that leaves them to the first
            if names and isinstance(axis.get_major_formatter(), FuncFormatter):  # of fixed ticks
                written = [drawable(name.get_text(), name.get_fontfamily())[0] for name in names]
                axis.set_ticklabels(written)
            else:
                as_they_are.update(names)
            as_they_are.update(axis.get_minorticklabels(), [axis.get_offset_text()])
    for text in set(figure.findobj(Text)) - as_they_are:
        written, family = drawable(text.get_text(), text.get_fontfamily())
        text.set(text=written, family=family, parse_math=False)
    return figure


def draw_legend(owner, entries, **options):
    """Give axes, or a figure, a legend of the entries [(label, artist)], each label as it is.

    matplotlib itself leaves out a label that is empty or begins with "_".
    """
    numbers = [str(number) for number in range(len(entries))]
    legend = owner.legend([artist for _, artist in entries], numbers, **options)
    for text, (label, _) in zip(legend.get_texts(), entries, strict=True):
        text.set_text(label)


def name_cells(axis, xticks, yticks):
    """Write names below the columns and beside the rows of a heatmap; upright if they overlap."""
    axis.set_xticks(np.arange(len(xticks)) + 0.5, xticks)
    axis.set_yticks(np.arange(len(yticks)) + 0.5, yticks, va="center")
    as_written(axis.figure).canvas.draw()
    if axis_ticklabels_overlap(axis.get_xticklabels()):
        axis.tick_params(axis="x", rotation=90)


def drawable(text, families):
    """Return text without what no font can draw, and the families of fonts that draw it.

    Japanese fonts are added to the families only where these lack a letter.
    """
    if not lacking(text, families):
        return text, families
    families = [*families, *japanese_fonts()]
    lacks = lacking(text, families)
    escaped = (c.encode("unicode_escape").decode() if c in lacks else c for c in text)
    return "".join(escaped), families


def lacking(text, families):
    """Return the set of characters of text that no font of the families has."""
    return {c for c in text if c != "\n" and not any(ord(c) in letters(f) for f in families)}


@cache
def letters(family):
    """Return the code points that the font of a family has on this machine."""
    return frozenset(get_font(findfont(FontProperties(family=[family]))).get_charmap())


@cache
def japanese_fonts():
    """Return the families of JAPANESE that this machine has."""
    found = set(get_font_names())
    return [name for name in JAPANESE if name in found]
