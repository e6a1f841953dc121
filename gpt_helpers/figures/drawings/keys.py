"""The key of a drawing: what its colours mean."""

from gpt_helpers.figures.drawings.canvas import LINE, PAD, Box, width_of

SQUARE = 10  # points


def draw_key(canvas, colours, empty=()):
    """Draw the colour of each name, {name: colour}, before it; return where the rest begins.

    What stands in empty is drawn as a dashed outline.
    """
    x, y = 1, 1
    for name, colour in colours.items():
        width = SQUARE + PAD + width_of(name) + 8
        if x > 1 and x + width > canvas.width + 8:
            x, y = 1, y + LINE + 2
        is_empty = name in empty
        box = Box(x, y + 1, SQUARE, SQUARE)
        canvas.frame(box, colour, 0 if is_empty else 0.45, 0, dashed=is_empty)
        canvas.text(x + SQUARE + PAD, y + 6, name, "left")
        x += width
    return y + LINE + 2 * PAD
