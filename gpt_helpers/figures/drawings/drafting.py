"""The stepper of speculative decoding: what a draft proposes, and what the model makes of it."""

from gpt_helpers.figures.drawings.batching import as_chip
from gpt_helpers.figures.drawings.canvas import LETTER, LINE, PAD, Canvas
from gpt_helpers.figures.drawings.text import GAP, as_token
from gpt_helpers.figures.drawn import draws
from gpt_helpers.figures.style import EDGE, GREY, PINK, RED, TEAL
from gpt_helpers.validation import (
    check_integer,
    check_numbers,
    check_rows,
    check_sequence,
    check_text,
)

COLUMNS = ("drafted", "p", "q", "accepted", "token")
MOST_ROUNDS, MOST_DRAFTED = 8, 4  # calls; tokens of a draft
LINE_NAME = 36  # points for the names of the rows


def check_rounds(name, value):
    """Raise ValueError unless value is a list of rows, each a draft and what became of it."""
    check_rows(name, value, COLUMNS)
    if len(value) > MOST_ROUNDS:
        raise ValueError(f"{name} has {len(value)} calls; draw at most {MOST_ROUNDS}")
    for number, row in enumerate(value):
        here = f"{name}[{number}]"
        check_sequence(f"{here}['drafted']", row["drafted"], str)
        n_drafted = len(row["drafted"])
        check_integer(f"the length of {here}['drafted']", n_drafted, at_most=MOST_DRAFTED)
        for key in ("p", "q"):
            found = check_numbers(f"{here}[{key!r}]", row[key])
            if len(found) != n_drafted or found.min() < 0 or found.max() > 1:
                wanted = f"{n_drafted} probabilities"
                raise ValueError(f"{here}[{key!r}]={row[key]!r:.60} must be {wanted}")
        check_integer(f"{here}['accepted']", row["accepted"], at_least=0, at_most=n_drafted)
        check_text(f"{here}['token']", row["token"])


@draws(prompt=check_text, rounds=check_rounds)
def drafts(prompt, rounds):
    """Draw, step by step, how drafts are judged: what is kept, replaced and thrown away.

    rounds are rows (dict), one for each call of the model: drafted, a list of tokens as texts;
    p and q, their probabilities under the model and the draft; accepted, how many were kept;
    token, the one that the model adds.
    """
    text, steps = [(prompt, GREY)], []
    for number, row in enumerate(rounds):
        n_drafted, n_accepted = len(row["drafted"]), row["accepted"]
        caption = f"Call {number}: the draft proposes {n_drafted} tokens."
        steps.append((caption, draw_call(text, row, is_judged=False)))
        caption = f"Call {number}: {n_accepted} of {n_drafted} accepted, and 1 from the model."
        steps.append((caption, draw_call(text, row, is_judged=True)))
        text = [*text, *((piece, TEAL) for piece in row["drafted"][:n_accepted])]
        text = [*text, (row["token"], PINK)]
    return steps


def draw_call(text, row, is_judged):
    """Return the Figure of the text so far, and a draft before or after it was judged."""
    canvas = Canvas()
    canvas.text(0, 0, "the text so far", "left", "top", bold=True)
    y = draw_text_so_far(canvas, LINE + 3, text) + 2 * PAD
    canvas.text(0, y, "the draft", "left", "top", bold=True)
    y, n_columns = y + LINE + 3, len(row["drafted"]) + 1
    step = min(96, (canvas.width - LINE_NAME) / n_columns)
    for place in range(len(row["drafted"])):
        x = LINE_NAME + place * step
        draw_judgement(canvas, x, y, step, row, place, is_judged)
    for line, name in enumerate(("q", "p", "chance") if is_judged else ("q",), 1):
        canvas.text(0, y + LINE * (line + 1.2), name, "left", colour=GREY)
    x, end = LINE_NAME + row["accepted"] * step, y + 6.2 * LINE
    if is_judged:
        canvas.arrow((x + step / 2, y + 5.6 * LINE), (x + step / 2, end), PINK)
        canvas.token(x + 1, end + 3, as_chip(row["token"]), PINK, 0.3, width=step - 4)
        words = "drawn from p" if row["accepted"] == len(row["drafted"]) else "in its place"
        if row["accepted"] * step > canvas.width / 2 - LINE_NAME:
            canvas.text(x - PAD, end + 3 + (LINE + PAD) / 2, words, "right", colour=PINK)
        else:
            canvas.text(x + step + PAD, end + 3 + (LINE + PAD) / 2, words, "left", colour=PINK)
    canvas.lowest = max(canvas.lowest, end + LINE + PAD + 6)
    return canvas.finished()


def draw_text_so_far(canvas, y, text):
    """Draw the chips of [(piece, colour), ...] in lines; return where what follows begins."""
    x = 0
    for piece, colour in text:
        width = len(as_token(piece)) * LETTER + 2 * PAD
        if x + width > canvas.width:
            x, y = 0, y + LINE + 2 * PAD
        canvas.token(x, y, as_token(piece), colour)
        x += width + GAP
    return y + LINE + PAD


def draw_judgement(canvas, x, y, step, row, place, is_judged):
    """Draw a drafted token above its probabilities and, if it was judged, its verdict."""
    kept, is_read = place < row["accepted"], place <= row["accepted"]
    colour = EDGE if not is_judged or not is_read else TEAL if kept else RED
    alpha = 0.35 if is_judged and is_read else 0.12
    canvas.token(x + 1, y, as_chip(row["drafted"][place]), colour, alpha, width=step - 4)
    p, q = row["p"][place], row["q"][place]
    middle = x + step / 2 - 1
    canvas.text(middle, y + LINE * 2.2, f"{q:.3f}", colour=GREY)
    if not is_judged:
        return
    if not is_read:
        canvas.text(middle, y + LINE * 3.2, "–", colour=GREY)
        return
    canvas.text(middle, y + LINE * 3.2, f"{p:.3f}")
    canvas.text(middle, y + LINE * 4.2, f"{min(1, p / q if q else 1):.2f}", bold=True)
    canvas.text(middle, y + LINE * 5.2, "✓" if kept else "✗", colour=colour, bold=True)
