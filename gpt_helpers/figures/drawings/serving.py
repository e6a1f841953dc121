"""Drawings of generation: heads that share keys, and which tokens of a draft are accepted."""

import numpy as np

from gpt_helpers.config import GPTConfig
from gpt_helpers.figures.drawings.canvas import LINE, PAD, Box, Canvas
from gpt_helpers.figures.drawings.keys import draw_key
from gpt_helpers.figures.drawn import draws
from gpt_helpers.figures.inputs import check_distribution
from gpt_helpers.figures.style import BLUE, GREEN, GREY, ORANGE, PINK, RED, TEAL
from gpt_helpers.scaling_laws.counts import kv_cache_bytes
from gpt_helpers.validation import check_instance, check_integer, check_text

MOST_PANELS, MOST_HEADS, MOST_TOKENS = 4, 12, 6


def check_configs(name, value):
    """Raise ValueError unless value is a dict of configs of few heads, by their names."""
    check_instance(name, value, dict)
    if not 1 <= len(value) <= MOST_PANELS:
        raise ValueError(f"{name} has {len(value)} entries; give 1 to {MOST_PANELS}")
    for title, config in value.items():
        check_text(f"a name in {name}", title)
        check_instance(f"{name}[{title!r}]", config, GPTConfig)
        check_integer(f"n_head of {name}[{title!r}]", config.n_head, at_most=MOST_HEADS)


@draws(configs=check_configs)
def shared_heads(configs):
    """Draw which query heads share which heads of keys and values, and the bytes to cache.

    configs is {name: GPTConfig}; bytes are those of one token in all layers, in 16 bits.
    """
    canvas = Canvas()
    start = draw_key(canvas, {"query heads": BLUE, "keys": ORANGE, "values": GREEN})
    n_columns = 1 if canvas.is_narrow else len(configs)
    gap = 28
    width = (canvas.width - gap * (n_columns - 1) - 2) / n_columns
    for number, (title, config) in enumerate(configs.items()):
        x = 1 + number % n_columns * (width + gap)
        y = start if number < n_columns else canvas.lowest + 2 * LINE
        draw_sharing(canvas, x, y, width, title, config)
    return canvas.finished()


def draw_sharing(canvas, x, y, width, title, config):
    """Draw the query heads of a config above the heads of keys and values that they read."""
    n_heads, n_shared = config.n_head, config.key_heads
    canvas.text(x, y, title, "left", "top", bold=True)
    step, side = width / n_heads, min(22, width / n_heads - 3)
    top, below, n_sharing = y + LINE + 4, y + LINE + 58, n_heads // n_shared
    for head in range(n_heads):
        middle, shared = x + (head + 0.5) * step, head // n_sharing
        target = x + (shared + 0.5) * n_sharing * step
        canvas.line((middle, top + side), (target, below), colour=GREY, line=1)
        box = canvas.frame(Box(middle - side / 2, top, side, side), BLUE, 0.35)
        canvas.text(*box.centre, head)
    for shared in range(n_shared):
        middle = x + (shared + 0.5) * n_sharing * step
        for number, colour in enumerate((ORANGE, GREEN)):
            canvas.frame(Box(middle - side / 2, below + number * (side + 2), side, side),
                         colour, 0.4)  # fmt: skip
    n_bytes = kv_cache_bytes(config, 1, bytes_per_value=2)
    canvas.text(x, below + 2 * side + 8, f"{n_bytes:,} bytes per token", "left", "top")


def check_probabilities(name, value):
    """Raise ValueError unless value holds the probabilities of a few tokens, of sum 1."""
    check_distribution(name, value)
    if len(value) > MOST_TOKENS:
        raise ValueError(f"{name} has {len(value)} tokens; draw at most {MOST_TOKENS}")


@draws(p=check_probabilities, q=check_probabilities)
def acceptance(p, q):
    """Draw for each token what is accepted of a draft q (V,), and what is drawn anew to get p.

    Raises ValueError unless p and q have one shape.
    """
    p, q = np.asarray(p, dtype=float), np.asarray(q, dtype=float)
    if p.shape != q.shape:
        raise ValueError(f"p is {p.shape}, q {q.shape}; give both one shape (V,)")
    canvas, both = Canvas(), np.minimum(p, q)
    y = draw_key(canvas, PARTS, empty=("rejected: q − p",))
    base, unit = y + HIGHEST + PAD, HIGHEST / max(p.max(), q.max())
    step = canvas.width / len(p)
    for token, (here, drafted, kept) in enumerate(zip(p, q, both, strict=True)):
        middle, wide = (token + 0.5) * step, step * 0.44
        draw_bar(canvas, middle, base, wide, unit, here, drafted, kept)
        name = token if canvas.is_narrow else f"token {token}"
        canvas.text(middle, base + 4, name, down="top")
        canvas.text(middle, base + 4 + LINE, f"p {here:.2f}", down="top")
        canvas.text(middle, base + 4 + 2 * LINE, f"q {drafted:.2f}", down="top", colour=GREY)
    total = f"accepted in all: {both.sum():.2f}"
    canvas.text(0, base + 12 + 3 * LINE, total, "left", "top", TEAL, bold=True)
    return canvas.finished()


PARTS = {"accepted: min(p, q)": TEAL, "rejected: q − p": RED, "drawn anew: p − q": PINK}
HIGHEST = 120  # points: the highest bar


def draw_bar(canvas, middle, base, wide, unit, p, q, both):
    """Draw a token's bar: what is accepted, and above it what is rejected or drawn anew."""
    left = middle - wide / 2
    canvas.frame(Box(left, base - both * unit, wide, both * unit), TEAL, 0.5, 0)
    rest = abs(p - q) * unit
    if rest < 0.5:
        return
    above = Box(left, base - both * unit - rest, wide, rest)
    if p > q:
        canvas.frame(above, PINK, 0.5, 0)
    else:
        canvas.frame(above, RED, 0, 0, dashed=True)
