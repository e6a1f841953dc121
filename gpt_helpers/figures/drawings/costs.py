"""What a text costs: how many tokens a character, and a byte, of a language become."""

from gpt_helpers.figures.drawn import draws
from gpt_helpers.figures.inputs import drawables
from gpt_helpers.figures.style import BLUE, is_first, labelled, panels, soft
from gpt_helpers.validation import check_integer, check_sequence

PER = {"tokens per character": 0, "tokens per byte": 1}  # and what they are divided by


def check_text_lengths(name, value):
    """Raise ValueError unless value is (characters, bytes, tokens), as a text has them."""
    check_sequence(name, value)
    if len(value) != 3:
        raise ValueError(f"{name}={value!r:.80} must be (characters, bytes, tokens)")
    for what, count in zip(("characters", "bytes", "tokens"), value, strict=True):
        check_integer(f"{what} of {name}", count, at_least=1)


@draws(lengths=drawables(check_text_lengths))
def text_costs(lengths):
    """Draw {text: (characters, bytes, tokens)} as bars: tokens per character and per byte."""
    figure, axes = panels(len(PER), height=0.4 + 0.25 * len(lengths), narrowest=3.0)
    for axis, (title, part) in zip(axes, PER.items(), strict=True):
        shares = [counts[2] / counts[part] for counts in lengths.values()]
        axis.barh(range(len(shares)), shares, height=0.65, color=soft(BLUE, 0.6))
        for row, share in enumerate(shares):
            axis.annotate(f"{share:.2f}", (share, row), xytext=(4, 0), va="center",
                          textcoords="offset points")  # fmt: skip
        axis.set(title=title, xlim=(0, 1.25 * max(shares)), xticks=())
        axis.set_yticks(range(len(shares)), lengths if is_first(axis) else [""] * len(shares))
        axis.tick_params(length=0)
        axis.spines["bottom"].set_visible(False)
        axis.invert_yaxis()
    return labelled(figure)
