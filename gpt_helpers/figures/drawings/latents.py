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
    kept, made = config.cached_widths, (config.head_width, config.value_width)
    n_kept, n_made = sum(kept), config.n_head * sum(made)
    left, top = (PAD, 90) if canvas.is_narrow else (205, 2)
    large = Box(left, top, canvas.width - left - PAD, 0.4 * (canvas.width - left - PAD))
    side = math.sqrt(large.width * large.height * n_kept / n_made)
    small = Box(PAD, 2, side, side)
    arrow = (small.x + side / 2, side + 4), (small.x + side / 2, top - 2)
    texts = (PAD + side + 16, 0), (left, top + large.height + 4)
    if not canvas.is_narrow:
        small = Box(80, top + (large.height - side) / 2, side, side)
        arrow = (small.right[0] + 4, small.right[1]), (left - 4, small.right[1])
        texts = (0, texts[1][1]), texts[1]
    for part, name in zip(
        draw_area(canvas, large, made, (KEY, VALUE)), ("keys", "values"), strict=True
    ):
        canvas.text(*part.centre, name)
    draw_area(canvas, small, kept, (VIOLET, KEY))
    canvas.arrow(*arrow, text="kv_up")
    numbers = f"{kept[0]:,} + {kept[1]:,} numbers"
    size = f"{n_kept * bytes_per_value:,} bytes, cached"
    write_size(canvas, texts[0], "latent and rotary key", numbers, size)
    numbers = f"{config.n_head:,} × ({made[0]:,} + {made[1]:,}) numbers"
    size = f"{n_made * bytes_per_value:,} bytes, made when read"
    write_size(canvas, texts[1], f"keys and values of {config.n_head:,} heads", numbers, size)
    return canvas.finished()


def write_size(canvas, place, what, numbers, size):
    """Write what an area is, how many numbers it holds, and how large they are."""
    x, y = place
    canvas.text(x, y + 0.5 * LINE, what, across="left", bold=True)
    canvas.text(x, y + 1.5 * LINE, numbers, across="left")
    canvas.text(x, y + 2.5 * LINE, size, across="left", bold=True)


def draw_area(canvas, box, widths, colours):
    """Draw numbers as an area, side by side those of each width, and return their boxes."""
    x, parts = box.x, []
    for width, colour in zip(widths, colours, strict=True):
        parts.append(Box(x, box.y, box.width * width / sum(widths), box.height))
        canvas.frame(parts[-1], colour, 0.35, rounded=0)
        x += parts[-1].width
    return parts
