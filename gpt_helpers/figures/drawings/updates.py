"""The drawing of one step of training: what becomes of one weight, in numbers."""

import math

from gpt_helpers.figures.drawings.canvas import LINE, PAD, Canvas
from gpt_helpers.figures.drawn import draws
from gpt_helpers.figures.inputs import LARGEST
from gpt_helpers.figures.style import GREY, OLIVE, PINK, SUPERSCRIPTS, TEAL, VIOLET
from gpt_helpers.validation import check_count, check_real, check_sequence

ADAM_EPSILON = 1e-8
SIDE, MIDDLE = 112, 280  # points: the width of the boxes, and where numbers begin on a desk


def check_number(name, value):
    """Raise ValueError unless value is a finite number that can be drawn."""
    check_real(name, value, at_least=-LARGEST, at_most=LARGEST)


def check_above(name, value):
    """Raise ValueError unless value is a finite number above 0."""
    check_real(name, value, above=0, at_most=LARGEST)


def check_moments(name, value):
    """Raise ValueError unless value is the two moments of a weight, the second above 0."""
    check_sequence(name, value)
    if len(value) != 2:
        raise ValueError(f"{name}={value!r:.60} must be (first moment, second moment)")
    check_number(f"{name}[0]", value[0])
    check_real(f"{name}[1]", value[1], at_least=0, at_most=LARGEST)


def check_betas(name, value):
    """Raise ValueError unless value is the two shares that moments keep of what they were."""
    check_sequence(name, value)
    if len(value) != 2:
        raise ValueError(f"{name}={value!r:.60} must be a pair, such as (0.9, 0.95)")
    for number, beta in enumerate(value):
        check_real(f"{name}[{number}]", beta, at_least=0, below=1)


@draws(
    loss=check_above, norm=check_above, gradient=check_number, weight=check_number,
    moments=check_moments, step=check_count, lr=check_above, betas=check_betas,
    weight_decay=lambda name, value: check_real(name, value, at_least=0, at_most=LARGEST),
    max_norm=check_above,
)  # fmt: skip
def training_step(
    loss, norm, gradient, weight, moments, step, lr,
    betas=(0.9, 0.95), weight_decay=0.1, max_norm=1.0,
):  # fmt: skip
    """Draw what one step makes of one weight: the loss, its gradient, clipping, AdamW.

    norm is that of the whole gradient, and gradient the weight's own, both before clipping to
    max_norm. weight and moments, (first, second), are those before the step, which is the
    step-th, counted from 1.
    """
    scale = min(1.0, max_norm / norm)
    made = adamw(gradient * scale, weight, moments, step, lr, betas, weight_decay)
    n = {name: short(value) for name, value in made.items()}
    g = short(gradient)
    clipped = f"g = {g} × {max_norm:g} / {norm:.3g} = {n['g']}" if scale < 1 else f"g = {g}"
    rest = [f"{1 - beta:.3g}" for beta in betas]
    rows = [
        ("forward pass", GREY, [("the loss of the batch", f"{loss:.4g}")]),
        ("backward pass", TEAL, [("the gradient of this weight", f"g = {g}")]),
        ("clipping", PINK, [(f"the norm of all gradients is {norm:.3g}", clipped)]),
        ("AdamW", OLIVE, [
            (f"m ← {betas[0]:g} m + {rest[0]} g", f"m = {n['m']}"),
            (f"v ← {betas[1]:g} v + {rest[1]} g²", f"v = {n['v']}"),
            (f"u = m̂ / √v̂, at step {step}", f"u = {n['u']}"),
        ]),
        ("the weight", VIOLET, [(f"w ← w − η (u + {weight_decay:g} w), η = {short(lr)}",
                                f"w = {weight:.5g} → {made['w']:.5g}".replace("-", "−"))]),
    ]  # fmt: skip
    return draw_weight_rows(rows)


def adamw(gradient, weight, moments, step, lr, betas, weight_decay):
    """Return the numbers of a step of AdamW for one weight and its clipped gradient, by name.

    Source: loshchilov2019adamw, algorithm 2.
    """
    m = betas[0] * moments[0] + (1 - betas[0]) * gradient
    v = betas[1] * moments[1] + (1 - betas[1]) * gradient**2
    m_hat, v_hat = m / (1 - betas[0] ** step), v / (1 - betas[1] ** step)
    u = m_hat / (math.sqrt(v_hat) + ADAM_EPSILON)
    w = weight - lr * (u + weight_decay * weight)
    return {"g": gradient, "m": m, "v": v, "u": u, "w": w}


def short(value):
    """Return a number with few digits, in powers of ten where it is small or large."""
    if value == 0 or 1e-3 <= abs(value) < 1e4:
        return f"{value:.4g}".replace("-", "−")
    power = math.floor(math.log10(abs(value)))
    exponent = str(power).translate(SUPERSCRIPTS)
    return f"{value / 10.0**power:.3g} × 10{exponent}".replace("-", "−")


def draw_weight_rows(rows):
    """Return the Figure of rows (name, colour, [(words, numbers), ...]), joined by arrows."""
    canvas, y, above = Canvas(), 1, None
    for name, colour, lines in rows:
        height = len(lines) * (2 if canvas.is_narrow else 1) * (LINE + 2) + 2 * PAD
        if canvas.is_narrow:
            box = canvas.box(0, y, name, colour, width=canvas.width)
            y = box.y + box.height
            height -= PAD
        else:
            box = canvas.box(0, y, name, colour, width=SIDE, height=height)
        for number, (words, result) in enumerate(lines):
            draw_result(canvas, y + PAD, number, words, result)
        if above and not canvas.is_narrow:
            canvas.arrow(above.bottom, box.top)
        y, above = y + height + 12, box
    canvas.lowest = y - 12
    return canvas.finished()


def draw_result(canvas, y, number, words, result):
    """Write what is computed and, right of it or below it, what comes out."""
    if canvas.is_narrow:
        top = y + number * 2 * (LINE + 2)
        canvas.text(PAD, top, words, "left", "top", GREY)
        canvas.text(PAD, top + LINE, result, "left", "top", bold=True)
        return
    top = y + number * (LINE + 2)
    canvas.text(SIDE + 14, top + 1, words, "left", "top")
    canvas.text(MIDDLE + 60, top + 1, result, "left", "top", bold=True)
