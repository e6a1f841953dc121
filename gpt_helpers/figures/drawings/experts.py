"""Drawings of what a token may leave out: experts that rest, and keys that no head reads."""

import functools

import numpy as np

from gpt_helpers.figures.drawings.canvas import LINE, PAD, Box, Canvas
from gpt_helpers.figures.drawn import draws
from gpt_helpers.figures.style import CONCEPTS, EDGE, GREY
from gpt_helpers.validation import check_integer, check_numbers

MLP, KEY = CONCEPTS["mlp"], CONCEPTS["key"]
check_router = functools.partial(check_numbers, n_axes=2)


@draws(scores=check_router, n_chosen=functools.partial(check_integer, at_least=1))
def routed_experts(scores, n_chosen):
    """Draw which experts compute each token, of the router's scores (N, A) of N tokens.

    A token is computed by the n_chosen experts of its highest scores, and their results are
    added up, each times its share: the softmax of those scores. Raises ValueError for more
    than 4 tokens or 64 experts, and for more chosen ones than there are, or than 8.
    """
    scores = np.asarray(scores, dtype=float)
    n_tokens, n_experts = scores.shape
    if n_tokens > 4 or n_experts > 64:
        raise ValueError(f"scores are {scores.shape}; draw at most 4 tokens and 64 experts")
    if n_chosen > min(n_experts, 8):
        raise ValueError(f"{n_chosen=} is above {min(n_experts, 8)}; choose fewer")
    canvas = Canvas()
    abreast = 1 if canvas.is_narrow else min(2, n_tokens)
    width = (canvas.width - 24 * (abreast - 1)) / abreast
    top = 0
    for number, row in enumerate(scores):
        if number and not number % abreast:
            top = canvas.lowest + 1.5 * LINE
        draw_routing(canvas, (width + 24) * (number % abreast), top, width, number, row, n_chosen)
    return canvas.finished()


def draw_routing(canvas, x, top, width, number, scores, n_chosen):
    """Draw the way of one token: the scores, the chosen experts, their sum."""
    n_experts = len(scores)
    chosen = sorted(np.argsort(-scores, kind="stable")[:n_chosen])
    shares = np.exp(scores[chosen] - scores.max())
    shares = shares / shares.sum()
    cell = width / n_experts
    canvas.text(x, top + LINE / 2, f"token {number}", across="left", bold=True)
    canvas.text(x + width, top + LINE / 2, f"{n_experts} experts", across="right")
    y = top + LINE + 4
    for expert in range(n_experts):
        box = Box(x + expert * cell, y, cell, 12)
        strength = 0.8 if expert in chosen else 0.08
        canvas.frame(box, MLP, strength, rounded=0, line=0.6)
    pitch, below = width / n_chosen, y + 34
    plus = canvas.plus(x + width / 2, below + 2 * LINE + PAD + 34)
    for place, (expert, share) in enumerate(zip(chosen, shares, strict=True)):
        middle = x + (place + 0.5) * pitch
        canvas.arrow((x + (expert + 0.5) * cell, y + 12), (middle, below), MLP, line=0.9)
        box = canvas.box(middle - 17, below, f"{expert}", MLP, width=34, height=LINE + PAD)
        canvas.text(middle, below + 1.5 * LINE + PAD, f"× {share:.2f}")
        canvas.arrow((middle, below + 2 * LINE + PAD), plus.top, GREY, line=0.9)
    canvas.arrow(plus.bottom, (plus.bottom[0], plus.bottom[1] + 14))
    canvas.text(plus.bottom[0] + 8, plus.bottom[1] + 9, "into the stream", across="left")
    rest = f"the best {n_chosen} compute, {n_experts - n_chosen} rest"
    return canvas.text(x, plus.bottom[1] + 14 + LINE, rest, across="left", down="center")


def check_shares(name, value):
    """Raise ValueError unless value is weights (T, T) of keys, no row of a sum above 1."""
    found = check_numbers(name, value, n_axes=2)
    if found.shape[0] != found.shape[1] or found.shape[0] > 6:
        raise ValueError(f"{name} is {found.shape}; it must be (T, T), queries by keys, of T <= 6")
    if found.min() < 0 or (found.sum(1) > 1.001).any():
        raise ValueError(f"{name}={value!r:.60} must be from 0, and no row of a sum above 1")


@draws(weights=check_shares)
def sink_weights(weights):
    """Draw how much each query reads of each key, and what it does not read at all.

    weights (T, T) are queries by keys; what the sum of a row lacks of 1 reads nothing.
    """
    canvas = Canvas()
    left = 70
    width = min(300, canvas.width - left - 2)
    canvas.text(left, LINE / 2, "weights of the keys", across="left", bold=True, colour=KEY)
    canvas.text(left + width, LINE / 2, "nothing", across="right", bold=True, colour=GREY)
    y = 1.4 * LINE
    for query, row in enumerate(np.asarray(weights, dtype=float)):
        canvas.text(0, y + 10, f"query {query}", across="left")
        x = left
        for share in (*row[row > 0], 1 - row.sum()):
            is_last = x + width * share > left + width - 1
            box = Box(x, y, width * share, 20)
            canvas.frame(box, EDGE if is_last else KEY, 0.0 if is_last else 0.3, 0, dashed=is_last)
            if width * share > 24:
                canvas.text(*box.centre, f"{share:.2f}")
            x += width * share
        y += 26
    return canvas.finished()
