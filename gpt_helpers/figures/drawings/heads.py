"""A drawing of many heads: how they share the columns of Q, K and V, and are joined again."""

from gpt_helpers.config import check_config
from gpt_helpers.figures.drawings.canvas import LINE, Box, Canvas
from gpt_helpers.figures.drawings.one_head import COLOURS
from gpt_helpers.figures.drawn import draws
from gpt_helpers.figures.style import GREY
from gpt_helpers.validation import check_count

SPLIT = 52  # points: where Q, K and V stand
MOST_HEADS = 4  # whose names fit on a phone
SHOWN, STRONG, WEAK = 0, 0.6, 0.12  # the head whose columns are followed, and how strong they are


@draws(
    config=lambda name, value: check_config(value),
    n_tokens=check_count,
)
def split_and_join(config, n_tokens):
    """Draw how the columns of Q, K and V are shared among the heads, and joined again."""
    canvas, n_heads = Canvas(), config.n_head
    if n_heads > MOST_HEADS or config.key_heads != n_heads:
        raise ValueError(f"config={config!r} must have at most {MOST_HEADS} heads, with keys each")
    width = min(canvas.width - 2, 420)
    whole, part = (f"({n_tokens}, {columns})" for columns in (config.n_embd, config.head_width))
    y = draw_split(canvas, width, n_heads, whole)
    step = width / n_heads
    heads = []
    for head in range(n_heads):
        box = canvas.device(1 + step * head + 2, y, step - 4, 62, f"head {head}")
        strip = (step - 16) / 3
        for place, colour in enumerate(COLOURS):
            one = Box(box.x + 4 + (strip + 2) * place, y + LINE + 8, strip, 16)
            canvas.frame(one, colour, STRONG if head == SHOWN else WEAK, rounded=0, line=0.8)
        canvas.text(box.centre[0], y + 44, part, down="top", colour=GREY)
        heads.append(box)
    draw_arrows_to_head(canvas, width, n_heads, heads)
    draw_join(canvas, width, n_heads, heads, whole)
    return canvas.finished()


def draw_split(canvas, width, n_heads, whole):
    """Draw Q, K and V side by side, each cut into bands of columns; return where heads begin."""
    third, source = width / 3, canvas.box(1 + width / 2 - 32, 1, "c_attn", GREY, width=64)
    canvas.text(source.x - 18, source.left[1], f"x {whole}", "right")
    canvas.arrow((source.x - 16, source.left[1]), source.left, GREY)
    for place, (name, colour) in enumerate(zip("QKV", COLOURS, strict=True)):
        x, band = 1 + third * place + 4, (third - 8) / n_heads
        start = source.x + 12 + 20 * place, source.y + source.height
        canvas.arrow(start, (x + third / 2 - 4, SPLIT - 1), colour)
        for head in range(n_heads):
            box = Box(x + band * head, SPLIT, band, 20)
            canvas.frame(box, colour, STRONG if head == SHOWN else WEAK, rounded=0, line=0.8)
        canvas.text(x, SPLIT + 22, f"{name} {whole}", "left", "top", colour)
    return SPLIT + 76


def draw_arrows_to_head(canvas, width, n_heads, heads):
    """Draw from where one head has its columns of Q, K and V."""
    third, target = width / 3, heads[SHOWN]
    band, strip = (third - 8) / n_heads, (target.width - 12) / 3
    for place, colour in enumerate(COLOURS):
        start = 1 + third * place + 4 + band * (SHOWN + 0.5), SPLIT + 23 + LINE
        end = target.x + 4 + (strip + 2) * place + strip / 2, target.y - 1
        canvas.arrow(start, end, colour)


def draw_join(canvas, width, n_heads, heads, whole):
    """Draw what the heads return, side by side as the columns of one matrix, and its projection."""
    top = heads[0].y + heads[0].height + 22
    band = width / n_heads
    for head, box in enumerate(heads):
        canvas.arrow(box.bottom, (1 + band * (head + 0.5), top - 1), COLOURS[2])
        one = Box(1 + band * head, top, band, 20)
        canvas.frame(one, COLOURS[2], STRONG if head == SHOWN else WEAK, rounded=0, line=0.8)
    middle = 1 + width / 2
    box = canvas.box(middle - 32, top + 42, "c_proj", GREY, width=64)
    canvas.arrow((middle, top + 20), box.top, COLOURS[2])
    canvas.text(middle + 6, top + 31, whole, "left", colour=GREY)
