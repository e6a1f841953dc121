"""The drawing of the functions of which a reader makes a GPT: which one calls which."""

from gpt_helpers.figures.drawings.canvas import LINE, PAD, Canvas, width_of
from gpt_helpers.figures.drawn import draws
from gpt_helpers.figures.style import BLUE, GREEN, GREY, ORANGE, TEAL, VIOLET
from gpt_helpers.validation import check_choice, check_instance

GRID = {  # {name: (column, row, colour)} on a desk; what is called stands left of its caller
    "softmax": (0, 5, GREY), "layer_norm": (2, 0, GREY), "gelu": (1, 1, GREY),
    "causal_mask": (0, 4, BLUE), "attention": (1, 4, BLUE), "split_heads": (1, 2, BLUE),
    "join_heads": (1, 3, BLUE), "multi_head": (2, 3, BLUE), "mlp": (2, 1, ORANGE),
    "block": (3, 1.5, ORANGE), "gpt": (4, 1, ORANGE), "loss": (4, 2, VIOLET),
    "with_temperature": (4, 7, TEAL), "keep_top_k": (4, 9, TEAL), "keep_top_p": (4, 6, TEAL),
    "generate": (4, 8, TEAL), "attend_with_cache": (4, 5, TEAL), "adamw_step": (4, 3, VIOLET),
    "learning_rate": (4, 4, VIOLET),
}  # fmt: skip
ENDS = {  # {what the functions make at the end of the page: (row, those that are called for it)}
    "a trained GPT": (2.5, ("gpt", "loss", "adamw_step", "learning_rate")),
    "a text": (7, ("gpt", "generate", "with_temperature", "keep_top_p")),
}  # fmt: skip
HEIGHT, GAP = LINE + PAD, 8  # points: of a box, and between boxes


def check_uses(name, value):
    """Raise ValueError unless value is {function of GRID: [those of GRID that it calls]}."""
    check_instance(name, value, dict)
    if not value:
        raise ValueError(f"{name} is empty; give at least one function")
    for function, called in value.items():
        check_instance(f"{name}[{function!r}]", called, (list, tuple))
        for each in (function, *called):
            check_choice(f"a name in {name}", each, tuple(GRID))


@draws(uses=check_uses)
def functions(uses):
    """Draw the functions of {name: [names of those that it calls]}, and what they make together.

    On a desk an arrow leads from a function to each that calls it; on a phone the names of what
    it calls stand beside it.
    """
    canvas = Canvas()
    (draw_list if canvas.is_narrow else draw_arrows)(canvas, uses)
    return canvas.finished()


def draw_arrows(canvas, uses):
    """Draw the functions in columns, each left of those that call it, with arrows."""
    widths = [max(width_of(x) for x in GRID if GRID[x][0] == n) + 2 * PAD for n in range(5)]
    widths.append(max(map(width_of, ENDS)) + 2 * PAD)
    room = (canvas.width - sum(widths) - 2) / (len(widths) - 1)
    lefts = [1 + sum(widths[:n]) + n * room for n in range(len(widths))]
    boxes = {}
    for name in uses:
        column, row, colour = GRID[name]
        place = lefts[column], row * (HEIGHT + GAP) + 1
        boxes[name] = canvas.token(*place, name, colour, width=widths[column])
    for name, called in uses.items():
        for each in called:
            canvas.arrow(boxes[each].right, boxes[name].left, GRID[each][2])
    for text, (row, makers) in ENDS.items():
        box = canvas.box(lefts[-1], row * (HEIGHT + GAP) + 1, text, GREEN, widths[-1], HEIGHT)
        for each in makers:
            if each in boxes:
                canvas.arrow(boxes[each].right, box.left, GRID[each][2])


def draw_list(canvas, uses):
    """Draw the functions below each other; beside each one stands what it calls."""
    width, y = max(map(width_of, GRID)) + 2 * PAD, 1
    for name, called in uses.items():
        box = canvas.token(1, y, name, GRID[name][2], width=width)
        y += write_beside(canvas, box, called)
    for text, (_, makers) in ENDS.items():
        box = canvas.box(1, y, text, GREEN, width, HEIGHT)
        y += write_beside(canvas, box, [each for each in makers if each in uses])


def write_beside(canvas, box, called):
    """Write the names of what a box calls to its right, and return how many points that takes."""
    if called:
        start = box.right[0] + 16, box.right[1]
        canvas.arrow(start, box.right, GREY)
        place = start[0] + 3, box.y + (HEIGHT - LINE) / 2
        canvas.text(*place, "\n".join(called), "left", "top", mono=True)
    return max(HEIGHT, LINE * len(called) + PAD) + GAP
