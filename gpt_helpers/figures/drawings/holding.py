"""Drawings of the memory of training: bytes of each parameter, and who keeps which part of them.

An area is always in proportion to the bytes that it stands for.
"""

from gpt_helpers.figures.drawings.canvas import LINE, PAD, Box, Canvas
from gpt_helpers.figures.drawings.keys import draw_legend
from gpt_helpers.figures.drawn import draws
from gpt_helpers.figures.inputs import LARGEST
from gpt_helpers.figures.style import GREY, INK, OLIVE, PINK, TEAL, VIOLET
from gpt_helpers.training.memory import SHARDED, STATE_BYTES, STATES, state_bytes, training_bytes
from gpt_helpers.validation import check_choice, check_integer, check_sequence

STATE_COLOURS = dict(zip(STATES, (GREY, PINK, TEAL, OLIVE, VIOLET), strict=True))
UNITS = (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3), ("B", 1))
MOST_GPUS = 8
TITLES = {
    "ddp": "DDP: everyone keeps all",
    "zero1": "ZeRO 1: optimiser states are shared out",
    "zero2": "ZeRO 2: gradients too",
    "fsdp": "ZeRO 3, FSDP: weights too",
}


def check_parameters(name, value):
    """Raise ValueError unless value is a positive integer that can be drawn."""
    check_integer(name, value, at_least=1, at_most=int(LARGEST))


def choices_of(choices):
    """Return the check of a list of some of the choices, none of them twice."""

    def check(name, value):
        check_sequence(name, value, str)
        for place, each in enumerate(value):
            check_choice(f"{name}[{place}]", each, tuple(choices))
        if len(set(value)) < len(value):
            raise ValueError(f"{name}={value!r:.60} has a name twice; leave one out")

    return check


@draws(precisions=choices_of(STATE_BYTES), n_parameters=check_parameters)
def state_of_training(precisions, n_parameters):
    """Draw the bytes of training state that each parameter has, a cell for each byte.

    A row for each of the precisions, those of memory.state_bytes, ends with what n_parameters
    of them take.
    """
    canvas = Canvas()
    side, room = (0, 0) if canvas.is_narrow else (70, 124)
    cell = (canvas.width - side - room - 2) / max(map(total_of, precisions))
    y = draw_legend(canvas, STATE_COLOURS)
    for precision in precisions:
        total = total_of(precision)
        ends = f"{total} bytes", in_bytes(total * n_parameters)
        if canvas.is_narrow:
            canvas.text(0, y, precision, "left", "top", mono=True)
            canvas.text(canvas.width, y, f"{ends[0]} → {ends[1]}", "right", "top", bold=True)
            y += LINE + 3
        else:
            canvas.text(0, y + cell / 2, precision, "left", mono=True)
            canvas.text(canvas.width, y + cell / 2, f"{ends[0]} → {ends[1]}", "right", bold=True)
        draw_bytes(canvas, side + 1, y, cell, precision)
        y += cell + 2 * PAD
    return canvas.finished()


def total_of(precision):
    """Return the bytes of each parameter in all states."""
    return sum(state_bytes(precision).values())


def draw_bytes(canvas, x, y, cell, precision):
    """Draw the states of one parameter beside each other, a cell for each byte."""
    for state, n_bytes in state_bytes(precision).items():
        for _ in range(n_bytes):
            canvas.frame(Box(x, y, cell, cell), STATE_COLOURS[state], 0.4, 0, line=0.6)
            x += cell
        if n_bytes:
            group = Box(x - n_bytes * cell, y, n_bytes * cell, cell)
            canvas.frame(group, STATE_COLOURS[state], 0, 0, line=1.6)


def in_bytes(count):
    """Return a number of bytes in the unit that suits it, as 1.99 GB."""
    unit, size = next((each for each in UNITS if count >= each[1]), UNITS[-1])
    return f"{count / size:.3g} {unit}"


@draws(
    n_parameters=check_parameters,
    n_gpus=lambda name, value: check_integer(name, value, at_least=2, at_most=MOST_GPUS),
    strategies=choices_of(SHARDED),
)
def shards(n_parameters, n_gpus=4, strategies=tuple(SHARDED)):
    """Draw which part of the training state each GPU keeps, in mixed precision.

    A GPU is a frame; in it each state is a row as high as its bytes, and each of n_gpus columns
    is a share of the parameters. What a GPU keeps is filled. strategies are those of
    memory.training_bytes, whose sum, per GPU, stands beside.
    """
    canvas = Canvas()
    y = draw_legend(canvas, STATE_COLOURS)
    for strategy in strategies:
        kept = sum(training_bytes(n_parameters, strategy, n_gpus).values())
        canvas.text(0, y, TITLES[strategy], "left", "top", bold=True)
        if canvas.is_narrow:
            y += LINE
            canvas.text(0, y, f"{in_bytes(kept)} per GPU", "left", "top")
        else:
            canvas.text(canvas.width, y, f"{in_bytes(kept)} per GPU", "right", "top")
        y = draw_gpus(canvas, y + LINE + 3, n_gpus, strategy) + 2 * PAD
    return canvas.finished()


def draw_gpus(canvas, y, n_gpus, strategy):
    """Draw the GPUs beside each other; return where what follows begins."""
    gap = 6 if canvas.is_narrow else 16
    width = (canvas.width - gap * (n_gpus - 1) - 2) / n_gpus
    unit = 2.0 if canvas.is_narrow else 2.6  # points for each byte of a parameter
    for gpu in range(n_gpus):
        x = 1 + gpu * (width + gap)
        top = y + PAD
        for state, n_bytes in state_bytes("mixed").items():
            share = (width - 2 * PAD) / n_gpus
            for part in range(n_gpus):
                box = Box(x + PAD + part * share, top, share, n_bytes * unit)
                if state not in SHARDED[strategy] or part == gpu:
                    canvas.frame(box, STATE_COLOURS[state], 0.55, 0, line=0.6)
            top += n_bytes * unit + 1
        frame = canvas.frame(Box(x, y, width, top - y + PAD - 1), INK, 0, 4, line=0.8)
    return frame.y + frame.height
