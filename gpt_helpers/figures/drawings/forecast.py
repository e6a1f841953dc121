"""A prediction that was written down before the run, and what the run measured."""

from functools import partial

from gpt_helpers.figures.drawn import draws
from gpt_helpers.figures.inputs import check_line, check_positive
from gpt_helpers.figures.style import BLUE, INK, ORANGE, POINTS, labelled, panels, soft
from gpt_helpers.validation import check_instance, check_real

LOSSES = ("low", "predicted", "high", "measured")
HALF_WIDTH = 1.35  # of the bar of the interval: from flops / 1.35 to flops * 1.35


def check_outcome(name, value):
    """Raise ValueError unless value is a dict with four losses, low to high, as outcome gives."""
    check_instance(name, value, dict)
    for loss in LOSSES:
        check_real(f"{name}: {loss}", value.get(loss), above=0, at_most=100)
    if not value["low"] < value["predicted"] < value["high"]:
        raise ValueError(f"{name}={value!r:.120} must have low < predicted < high")


@draws(
    runs=partial(check_line, log="x"),
    law=partial(check_line, log="x"),
    flops=check_positive,
    outcome=check_outcome,
)
def forecast(runs, law, flops, outcome):
    """Draw a law, the runs that it was fitted to, and its miss: an interval, and a dot below it.

    runs and law are (FLOPs, losses); flops is the budget of the run that was foretold, and
    outcome what prediction.outcome returns of it.
    """
    figure, (axis,) = panels(1, height=3.4)
    axis.plot(*law, color=BLUE, linewidth=1.4, label="law, fitted to these")
    axis.plot(*runs, "o", color=INK, markersize=4, label="best run of each budget")
    sides = flops / HALF_WIDTH, flops * HALF_WIDTH
    look = {"color": soft(BLUE), "linewidth": 0}
    axis.fill_between(sides, outcome["low"], outcome["high"], **look)
    axis.plot(sides, [outcome["predicted"]] * 2, color=BLUE, linewidth=1.4)
    axis.plot([flops], [outcome["measured"]], "D", color=ORANGE, markersize=7)
    says = f"foretold {outcome['low']:.3f} to {outcome['high']:.3f}"
    write(axis, sides[0], outcome["low"], says, BLUE)
    share = outcome["measured"] / outcome["predicted"] - 1
    than = "below" if share < 0 else "above"
    write(axis, sides[0], outcome["measured"], f"measured {outcome['measured']:.3f}", ORANGE)
    write(axis, sides[0], outcome["measured"], f"{abs(share):.1%} {than} the law", ORANGE, 1)
    axis.set(xscale="log", xlabel="training compute C (FLOP)", ylabel="loss (nats/token)")
    axis.margins(0.05, 0.15)
    return labelled(figure)


def write(axis, x, y, text, colour, line=0):
    """Write a line of text to the left of a point, in bold, so many lines below it."""
    look = {"color": colour, "weight": "bold", "ha": "right", "va": "center"}
    down = {"xytext": (-7, -1.5 * POINTS * line), "textcoords": "offset points"}
    axis.annotate(text, (x, y), **down, **look)
