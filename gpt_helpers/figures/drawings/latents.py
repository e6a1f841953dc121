"""A drawing of latent attention: the little that is cached, and the much that is made of it."""

import functools
import math

from gpt_helpers.figures.drawings.canvas import LINE, PAD, Box, Canvas
from gpt_helpers.figures.drawn import draws
from gpt_helpers.figures.style import CONCEPTS, VIOLET
from gpt_helpers.validation import check_integer
from gpt_helpers.variants.latent import check_latents

KEY, VALUE = CONCEPTS["key"], CONCEPTS["value"]


@draws(
    config=lambda name, value: check_latents(value),
    bytes_per_value=functools.partial(check_integer, at_least=1),
)
def latent_cache(config, bytes_per_value=2):
    """Draw what one layer keeps of a token, beside the keys and values that are made of it.

    Areas are to scale: a number takes as much room in both. config is that of latent attention.
    """
    canvas = Canvas()
    kept, widths = config.cached_widths, (config.head_width, config.value_width)
    n_kept, n_made = sum(kept), config.n_head * sum(widths)
    texts = (
        ("latent and rotary key", f"{kept[0]:,} + {kept[1]:,} numbers",
         f"{n_kept * bytes_per_value:,} bytes, cached"),
        (f"keys and values of {config.n_head:,} heads",
         f"{config.n_head:,} × ({widths[0]:,} + {widths[1]:,}) numbers",
         f"{n_made * bytes_per_value:,} bytes, made when read"),
    )  # fmt: skip
    left = 0 if canvas.is_narrow else 200
    wide = canvas.width - left - 2 * PAD
    high = 0.4 * wide
    small = math.sqrt(wide * high * n_kept / n_made)
    made = Box(left + PAD, 90 if canvas.is_narrow else 2, wide, high)
    parts = block(canvas, made, widths, (KEY, VALUE))
    for part, text in zip(parts, ("keys", "values"), strict=True):
        canvas.text(*part.centre, text)
    if canvas.is_narrow:
        cached = Box(PAD, 2, small, small)
        start, end = (PAD + small / 2, small + 4), (PAD + small / 2, made.y - 2)
    else:
        cached = Box(90 - small / 2, made.y + (high - small) / 2, small, small)
        start, end = (cached.right[0] + 4, cached.right[1]), (made.x - 4, cached.right[1])
    block(canvas, cached, kept, (VIOLET, KEY))
    canvas.arrow(start, end, text="kv_up")
    places = (PAD + small + 16, 0), (PAD, made.y + high + 4)
    if not canvas.is_narrow:
        places = (0, made.y + high + 4), (made.x, made.y + high + 4)
    for lines, (x, y) in zip(texts, places, strict=True):
        for number, line in enumerate(lines):
            canvas.text(x, y + (number + 0.5) * LINE, line, across="left", bold=number != 1)
    return canvas.finished()


def block(canvas, box, widths, colours):
    """Draw numbers as an area, side by side those of each width, and return their boxes."""
    x, parts = box.x, []
    for width, colour in zip(widths, colours, strict=True):
        parts.append(Box(x, box.y, box.width * width / sum(widths), box.height))
        canvas.frame(parts[-1], colour, 0.35, rounded=0)
        x += parts[-1].width
    return parts
