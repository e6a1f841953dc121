"""What the records say for and against the four reasons that are given for GPT's success."""

import functools

from gpt_helpers.config import PRESETS
from gpt_helpers.experiments import applications, budgets, prediction, sweep
from gpt_helpers.scaling_laws import isoflop
from gpt_helpers.scaling_laws.counts import count_parameters
from gpt_helpers.validation import check_choice

COUNTS = "n_params", "n_non_embedding"


def best_sizes(size="n_params"):
    """Return {FLOPs: parameters of the model with the lowest loss} of the budgets of the sweep.

    size is how parameters are counted, one of COUNTS.
    """
    check_choice("size", size, COUNTS)
    rows, sizes = sweep.recorded_runs(), {}
    for flops in budgets.PROFILES:
        points = [(row[size], row["held_out_loss"]) for row in sweep.runs_on(rows, flops)]
        sizes[flops] = float(isoflop.lowest_minimum(*zip(*points, strict=True)).n_params)
    return sizes


def recorded_shares(experiment, measure, variant, x):
    """Return the shares of right answers in applications.csv, lowest first, one for each seed.

    Raises ValueError for an experiment, a measure, a variant or an x that was not recorded.
    """
    found = applications.scores(experiment, measure)
    check_choice("variant", variant, found)
    check_choice("x", x, found[variant])
    return sorted(score.share for score in found[variant][x])


def four_reasons():
    """Return {reason: {"evidence": {label: number}, "limit": {label: number}}}.

    An accuracy is that of the median of three seeds, unless its label says otherwise.
    """
    sides = {
        "a simple architecture that scales": on_architecture(),
        "pre-training on large data": on_large_data(),
        "abilities that emerge": on_emergence(),
        "one form for every task": on_one_form(),
    }
    return {
        reason: {
            side: {label: round(number, 3) for label, number in numbers.items()}
            for side, numbers in zip(("evidence", "limit"), both, strict=True)
        }
        for reason, both in sides.items()
    }


def on_architecture():
    """Return the growth of one design, and what it learned only from other initial weights."""
    design = functools.partial(recorded_shares, "labels", "accuracy", x=8)
    evidence = {
        f"{name} (billions of parameters)": count_parameters(PRESETS[preset]) / 1e9
        for name, preset in {"GPT-2": "gpt2", "GPT-3": "gpt3"}.items()
    }
    return evidence, {
        "accuracy, standard deviation 0.15": design("GPT-2, std 0.15")[1],
        "accuracy, standard deviation 0.02": design("GPT-2, AdamW")[1],
    }


def on_large_data():
    """Return how the best size and the tokens read grow with compute, and a missed prediction."""
    sizes, outcome = best_sizes(), prediction.outcome()
    low, high = min(sizes), max(sizes)
    growth = sizes[high] / sizes[low]
    evidence = {"best size, growth": growth, "tokens read, growth": high / low / growth}
    return evidence, {f"{name} loss": outcome[name] for name in ("predicted", "measured")}


def on_emergence():
    """Return how suddenly a model learned to read examples, and how far that reaches."""
    during = functools.partial(recorded_shares, "labels", "accuracy of 8", "modern, Muon")
    pairs = functools.partial(recorded_shares, "new pairs", variant="modern, Muon", x=8)
    lowest, _, highest = pairs("accuracy, unseen pairs")
    return {f"accuracy after {step} steps": during(step)[1] for step in (120, 180)}, {
        "accuracy, label pairs of the training": pairs("accuracy, seen pairs")[1],
        "never seen, highest seed": highest,
        "never seen, lowest seed": lowest,
    }


def on_one_form():
    """Return what predicting the next token learned to do, and where it stops."""
    sums = functools.partial(recorded_shares, "sum of 12 digits", "answer", x=12)
    tuned = functools.partial(recorded_shares, "instructions", variant="tuned", x=0)
    evidence = {
        f"last digit of a sum, {kind}": sums(f"{kind}, 2 layers") for kind in ("at once", "steps")
    }
    limit = {
        "two instructions, combinations trained": tuned("pairs"),
        "two instructions, new combinations": tuned("new pairs"),
    }
    return tuple({label: shares[1] for label, shares in side.items()} for side in (evidence, limit))
