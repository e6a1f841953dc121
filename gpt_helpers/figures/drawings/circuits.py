"""Drawings of what is computed where: two heads that work together, sums that are written down."""

import functools

from gpt_helpers.figures.drawings.canvas import LETTER, LINE, PAD, Canvas, width_of
from gpt_helpers.figures.drawings.text import as_token
from gpt_helpers.figures.drawn import draws
from gpt_helpers.figures.style import CONCEPTS, GREY, VIOLET
from gpt_helpers.validation import check_instance, check_integer, check_real, check_sequence

QUERY, KEY, VALUE = (CONCEPTS[name] for name in ("query", "key", "value"))
CHIP_HEIGHT = LINE + PAD  # points: the height of a chip
check_share = functools.partial(check_real, at_least=0, at_most=1)


def check_read(name, value):
    """Raise ValueError unless value is {(layer, head): weight} of two heads."""
    check_instance(name, value, dict)
    pairs = [head for head in value if isinstance(head, tuple) and len(head) == 2]
    if not len(value) == len(pairs) == 2:
        raise ValueError(f"{name}={value!r:.60} must be of two heads, {{(layer, head): weight}}")
    for head, weight in value.items():
        check_sequence(f"a head in {name}", head, int)
        check_share(f"{name}[{head}]", weight)


def check_chances(name, value):
    """Raise ValueError unless value is two probabilities."""
    check_sequence(name, value)
    if len(value) != 2:
        raise ValueError(f"{name}={value!r:.60} must be two probabilities, [before, after]")
    for chance in value:
        check_share(f"a probability in {name}", chance)


@draws(
    tokens=functools.partial(check_sequence, kind=str),
    at=functools.partial(check_integer, at_least=0),
    weights=check_read,
    chances=check_chances,
)
def induction_circuit(tokens, at, weights, chances):
    """Draw how two heads foresee the token after tokens[at], where it stands a second time.

    tokens are some tokens, written twice. weights {(layer, head): weight} are those with which
    the first head reads tokens[at] from the place after, and the second head reads that place
    from the second tokens[at]. chances are the probabilities of what comes next, at the first
    and at the second tokens[at]. Raises ValueError unless there is such a place.
    """
    n_half = len(tokens) // 2
    if list(tokens[:n_half]) != list(tokens[n_half:]):
        raise ValueError(f"tokens={tokens!r:.60} must be some tokens, and the same once more")
    if at > n_half - 2:
        raise ValueError(f"{at=} must be at most {n_half - 2}, so that a token follows")
    canvas = Canvas()
    plane = CircuitPlane(canvas, [as_token(token) for token in tokens], at)
    plane.draw_tokens()
    plane.draw_first_head()
    plane.draw_second_head()
    write_heads(canvas, as_token(tokens[at + 1]), weights, chances)
    return canvas.finished()


class CircuitPlane:
    """Positions by depth of computation: to the right and up on a desk, down and right on a phone.

    one, two and three are the positions of the first token, of what follows it, and of the
    second; depths, in points, are where each stage ends.
    """

    def __init__(self, canvas, tokens, at):
        """Divide the sheet among the tokens."""
        self.canvas, self.tokens = canvas, tokens
        self.one, self.two, self.three = at, at + 1, at + len(tokens) // 2
        self.chip = max(map(len, tokens)) * LETTER + 2 * PAD
        self.width, self.height = width_of(f"after {tokens[at]}?") + 2 * PAD, CHIP_HEIGHT
        is_narrow = canvas.is_narrow
        self.pitch = 27 if is_narrow else canvas.width / len(tokens)
        self.start = self.chip if is_narrow else CHIP_HEIGHT
        self.first = self.start + 16
        self.box = self.first + (12 if is_narrow else 22)
        self.after = self.box + (self.width if is_narrow else self.height)
        self.second = self.after + 16
        self.end = self.second + 18

    def place(self, position, depth):
        """Return (x, y) of a position at a depth."""
        across = (position + 0.5) * self.pitch
        if self.canvas.is_narrow:
            return 1 + depth, across
        return across, 1 + self.end + CHIP_HEIGHT - depth

    def corner(self, position, depth, width, height):
        """Return the upper left corner of what begins at a depth, in the middle of its position."""
        x, y = self.place(position, depth)
        return (x, y - height / 2) if self.canvas.is_narrow else (x - width / 2, y - height)

    def sign(self, position, depth, text):
        """Write a sign beside an arrow that runs across the positions."""
        x, y = self.place(position, depth)
        self.canvas.text(*((x + 9, y) if self.canvas.is_narrow else (x, y - 9)), text)

    def stream(self, position, start, end):
        """Draw the stream of a position from one depth to another."""
        self.canvas.bus(self.place(position, start), self.place(position, end))

    def note(self, position, text, colour):
        """Draw what a position knows after the first head, on its stream."""
        corner = self.corner(position, self.box, self.width, self.height)
        self.canvas.box(*corner, text, colour, self.width, self.height)
        self.stream(position, self.start, self.box)
        self.stream(position, self.after, self.second)

    def draw_tokens(self):
        """Draw the tokens as chips, in colour those of which the circuit speaks."""
        colours = {self.one: KEY, self.two: VALUE, self.three: QUERY}
        for number, token in enumerate(self.tokens):
            corner = self.corner(number, 0, self.chip, CHIP_HEIGHT)
            self.canvas.token(*corner, token, colours.get(number, GREY), width=self.chip)

    def draw_first_head(self):
        """Draw the arrow to the next position, and what that position knows then."""
        self.stream(self.one, self.start, self.first)
        ends = self.place(self.one, self.first), self.place(self.two, self.first)
        self.canvas.arrow(*ends, KEY, line=1.8)
        self.sign(self.one + 0.5, self.first, "①")
        self.note(self.two, f"after {self.tokens[self.one]}", KEY)

    def draw_second_head(self):
        """Draw what the second token asks for, the arrow from what it finds, and what it writes."""
        self.note(self.three, f"after {self.tokens[self.one]}?", QUERY)
        ends = self.place(self.two, self.second), self.place(self.three, self.second)
        self.canvas.arrow(*ends, VALUE, line=1.8)
        self.sign((self.two + self.three) / 2, self.second, "②")
        self.canvas.arrow(self.place(self.three, self.second), self.place(self.three, self.end))
        token = self.tokens[self.two]
        width = len(token) * LETTER + 2 * PAD
        box = self.canvas.token(
            *self.corner(self.three, self.end, width, CHIP_HEIGHT), token, VALUE
        )
        self.canvas.text(box.x + width + 9, box.centre[1], "③")


def write_heads(canvas, token, weights, chances):
    """Write below what the numbered arrows are, with what was measured."""
    (first, weight), (second, other) = weights.items()
    notes = (
        ("①", f"layer {first[0]}, head {first[1]}", f"reads the token before: {weight:.2f}"),
        ("②", f"layer {second[0]}, head {second[1]}", f"reads what came after it: {other:.2f}"),
        ("③", f"next: {token}", f"{chances[0]:.0%} before, {chances[1]:.0%} now"),
    )
    x, y = PAD, canvas.lowest + 2 * LINE
    for sign, what, measured in notes:
        canvas.text(x, y, sign, across="left")
        canvas.text(x + 14, y, what, across="left", bold=True)
        canvas.text(x + 14, y + LINE, measured, across="left")
        x, y = (x, y + 2.5 * LINE) if canvas.is_narrow else (x + canvas.width / 3, y)


def check_summands(name, value):
    """Raise ValueError unless value is digits, at least two of them."""
    check_sequence(name, value)
    for place, digit in enumerate(value):
        check_integer(f"{name}[{place}]", digit, at_least=0, at_most=9)
    if not 2 <= len(value) <= 16:
        raise ValueError(f"{name} are {len(value)} digits; give 2 to 16")


@draws(digits=check_summands, shares=check_chances)
def written_sums(digits, shares):
    """Draw the last digit of a sum computed at once, and by sums that are written one by one.

    shares are those of right answers, at once and step by step.
    """
    canvas = Canvas()
    pitch = canvas.width / len(digits)
    at_once, by_steps = shares
    write_way(canvas, "at once", f"{len(digits)} digits in one pass", at_once)
    chips = chips_of(canvas, digits, pitch, GREY)
    wide = chips[0].width
    x, y = (canvas.width - wide) / 2, canvas.lowest + 34
    answer = canvas.token(x, y, str(sum(digits) % 10), VIOLET, width=wide)
    for chip in chips:
        canvas.arrow(chip.bottom, answer.top, GREY, line=0.8)
    write_way(canvas, "step by step", "one digit in each pass", by_steps, canvas.lowest + LINE)
    chips = chips_of(canvas, digits, pitch, GREY)
    sums = [sum(digits[: n + 1]) % 10 for n in range(len(digits))]
    written = chips_of(canvas, sums, pitch, VIOLET, 18)
    for number, (digit, total) in enumerate(zip(chips, written, strict=True)):
        canvas.arrow(digit.bottom, total.top, GREY, line=0.8)
        if number:
            canvas.arrow(written[number - 1].right, total.left, VIOLET)
    return canvas.finished()


def write_way(canvas, name, how, share, y=0):
    """Write how an answer is computed, and below or beside how often it is right."""
    y += LINE / 2
    canvas.text(0, y, name, across="left", bold=True)
    right = f"{share:.1%} right"
    canvas.text(canvas.width, y, right, across="right", bold=True)
    if canvas.is_narrow:
        canvas.text(0, y + LINE, how, across="left")
    else:
        canvas.text(width_of(name) + 14, y, how, across="left")


def chips_of(canvas, digits, pitch, colour, gap=6):
    """Draw digits as chips below what is drawn, and return their boxes."""
    y, wide = canvas.lowest + gap, min(pitch - 6, 24)
    left = (pitch - wide) / 2
    return [
        canvas.token(number * pitch + left, y, str(digit), colour, width=wide)
        for number, digit in enumerate(digits)
    ]
