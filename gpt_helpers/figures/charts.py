"""Charts with sliders: schedules, bytes, losses. Each computes in the page, without a kernel.

The expressions of a chart are functions of the package again, in the language of Vega;
tests/figures/test_charts.py moves the sliders in a browser and compares the numbers.
"""

import json
from functools import partial

import altair as alt

from gpt_helpers.config import PRESETS
from gpt_helpers.figures.inputs import check_apart, check_pixels
from gpt_helpers.figures.vegalite import (
    BLUE,
    GREY,
    IN_WORDS,
    constant,
    finished,
    menu,
    palette,
    saying,
    slider,
    summary,
)
from gpt_helpers.scaling_laws.laws import FITS, FLOPS_PER_PARAMETER, law_of
from gpt_helpers.training.memory import FLOAT, INTEGER, STATE_BYTES
from gpt_helpers.validation import (
    check_choice,
    check_integer,
    check_real,
    check_sequence,
    checks,
)

SIZES = ("gpt2", "gpt2-medium", "gpt2-large", "gpt2-xl", "gpt3")


def check_choices(name, value, choices):
    """Raise ValueError unless value is a list of names in choices."""
    check_sequence(name, value, str)
    for each in value:
        check_choice(name, each, tuple(choices))
    check_apart(name, value)


@checks(height=check_pixels)
def schedule_explorer(run_steps=200, height=220):
    """Return the Chart of learning rates, as shares of the highest, over a run of run_steps.

    "constant" is "wsd" without a cool-down. total_steps is where the schedule ends: the run
    may end earlier or later. A warm-up longer than the schedule is cut to it. The formulas
    are those of optimizers.learning_rate, step for step. The line above the chart gives each
    schedule at the last step, and its mean over the run.

    Raises ValueError unless run_steps is an integer from 1 to 100000.
    Source: loshchilov2017sgdr, eq. 5 (cosine); hu2024minicpm, sec. 4.1 (WSD).
    """
    run_steps = check_integer("run_steps", run_steps, at_least=1, at_most=100_000)
    last = " + ', ' + ".join(
        f"{saying(name)} + ' ' + format(datum.{name}, '.3f') + ' (' + {saying('mean')} + ' '"
        f" + format(datum.{name}_mean, '.3f') + ')'"
        for name in RATES
    )
    line = summary(
        f"{saying('step')} + ' ' + datum.step + ':  ' + {last}",
        f"datum.step == {run_steps - 1}",
    )
    steps = alt.sequence(0, run_steps, 1, as_="step")
    rates = {name: f"datum.done <= warm ? datum.done / warm : {r}" for name, r in RATES.items()}
    chart = (
        alt.layer(rate_lines(), line, data=steps)
        .transform_calculate(done="min(datum.step + 1, total_steps)")
        .transform_calculate(**rates)
        .transform_joinaggregate(**{f"{name}_mean": f"mean({name})" for name in RATES})
    )
    parameters = [
        slider("warmup_steps", round(0.1 * run_steps), 0, run_steps, 1),
        slider("total_steps", run_steps, 1, 2 * run_steps, 1),
        slider("min_lr", 0.1, 0, 1, 0.01, "min_lr / max_lr"),
        slider("cooldown_share", 0.2, 0, 1, 0.01),
        constant("warm", "min(warmup_steps, total_steps)"),
        constant("cooldown", "cooldown_share * total_steps"),
    ]
    return finished("schedule", chart, height, parameters, (*RATES, "step", "mean"))


def rate_lines():
    """Return a line for each schedule of RATES, against the step."""
    colour, dash = palette(RATES)
    return (
        alt.Chart()
        .transform_fold(list(RATES), as_=["schedule", "rate"])
        .mark_line(strokeWidth=2)
        .encode(
            x=alt.X("step:Q", title="step", scale=alt.Scale(nice=False)),
            y=alt.Y("rate:Q", title="learning rate / max_lr", scale=alt.Scale(domain=[0, 1])),
            color=alt.Color("schedule:N", scale=colour, legend=alt.Legend(labelExpr=IN_WORDS)),
            strokeDash=alt.StrokeDash("schedule:N", scale=dash),
        )
    )


RATES = {
    "cosine": "min_lr + (1 - min_lr)"
    " * (1 + cos(PI * (datum.done - warm) / (total_steps - warm))) / 2",
    "wsd": "datum.done <= total_steps - cooldown ? 1"
    " : min_lr + (1 - min_lr) * (total_steps - datum.done) / cooldown",
    "constant": "1",
}


@checks(sizes=partial(check_choices, choices=PRESETS), height=check_pixels)
def memory_explorer(sizes=SIZES, height=190):
    """Return the Chart of the bytes that training and generating keep, part by part.

    sizes are names of PRESETS; the model has as many positions as the context T. Weights,
    gradients and optimiser are memory.state_bytes of all parameters. Activations are
    memory.activation_bytes, in float32 whatever the precision. The KV cache is
    counts.kv_cache_bytes of B rows, with 4 bytes per value in float32 and else 2. "training"
    is the sum of the four rows above it, "generation" that of weights and cache.

    Raises ValueError for a name that is no preset.
    Source: rajbhandari2020zero, sec. 3.1.
    """
    colour = alt.condition("datum.is_sum", alt.value(BLUE), alt.value(GREY))
    rows = [{"part": part, "is_sum": part in ("training", "generation")} for part in PART_BYTES]
    cases = ", ".join(f"{json.dumps(part)}: {count}" for part, count in PART_BYTES.items())
    bars = (
        alt.Chart()
        .mark_bar()
        .encode(
            x=alt.X("bytes:Q", title="memory (bytes)", axis=alt.Axis(format="~s", tickCount=5)),
            y=alt.Y("label:N", sort=None, title=None, axis=alt.Axis(labelLimit=0)),
            color=colour,
        )
    )
    line = summary(
        "model + ':  N = ' + format(N, '.3s') + ', T = ' + T + ', B = ' + B + ', ' + precision",
        "datum.part == 'weights'",
    )
    chart = alt.layer(bars, line, data=alt.InlineData(values=rows))
    chart = chart.transform_calculate(bytes=f"({{{cases}}})[datum.part]").transform_calculate(
        label="words[datum.part] + '  ' + format(datum.bytes, '.3s') + 'B'"
    )
    return finished("memory", chart, height, memory_parameters(sizes), PART_BYTES)


# Bytes of each part, in the parameters below. Source: rajbhandari2020zero, sec. 3.1.
PART_BYTES = {
    "weights": "states[0] * N",
    "gradients": "states[1] * N",
    "optimizer": "states[2] * N",
    "activations": "activations",
    "training": "(states[0] + states[1] + states[2]) * N + activations",
    "KV cache": "cache",
    "generation": "states[0] * N + cache",
}


def memory_parameters(sizes):
    """Return the controls of memory_explorer and, in terms of them, what its parts are made of."""
    fields = {"V": "vocab_size", "C": "n_embd", "L": "n_layer", "H": "n_head", "F": "mlp_width"}
    tables = {
        letter: {name: getattr(PRESETS[name], field) for name in sizes}
        for letter, field in fields.items()
    }
    # Weights, gradients, and the optimiser's share: the master copy and two moments.
    states = {name: [*row[:2], sum(row[2:])] for name, row in STATE_BYTES.items()}
    expressions = {
        **{letter: f"({json.dumps(table)})[model]" for letter, table in tables.items()},
        "states": f"({json.dumps(states)})[precision]",
        "T": "pow(2, log_T)",
        "B": "pow(2, log_B)",
        "N": "(V + T + 2) * C + L * (4 * C * C + 9 * C + 2 * C * F + F)",
        "stream": f"{FLOAT} * B * T * C",
        "norm": f"stream + {2 * FLOAT} * B * T",
        "targets": f"B == 1 || T == 2 ? 0 : {INTEGER} * B * (T - 1)",
        "loss": f"{FLOAT} * B * (T - 1) * V + targets + {FLOAT}",
        "layer": f"2 * norm + 6 * stream + {FLOAT} * B * T * (H + 2 * F)",
        "activations": f"{INTEGER} * (B + 1) * T + L * layer + norm + stream + loss",
        "cache": "2 * L * C * T * B * (precision == 'float32' ? 4 : 2)",
    }
    return [
        menu("model", sizes[0], sizes),
        slider("log_T", 10, 1, 15, 1, "context T: log2"),
        slider("log_B", 3, 0, 10, 1, "batch B: log2"),
        menu("precision", "mixed", STATE_BYTES),
        *(constant(name, expression) for name, expression in expressions.items()),
    ]


@checks(
    fits=partial(check_choices, choices=FITS),
    flops_exponent=partial(check_real, at_least=18, at_most=26),
    height=check_pixels,
)
def loss_explorer(fits=tuple(FITS), flops_exponent=21.0, height=260):
    """Return the Chart of the loss against the parameters N at one budget of training FLOPs.

    Each line is LossLaw.loss(N, C / 6N) of one of laws.FITS, where it is within 1 nat of its
    lowest; the dot is LossLaw.optimum(C). flops_exponent is log10 C at the start. The line
    above the chart gives each optimum's parameters and tokens.

    Raises ValueError for a fit that laws does not know.
    Source: hoffmann2022chinchilla, eq. 2 and 4; besiroglu2024replication, eq. 5.
    """
    rows = [{"fit": fit, **law_numbers(fit)} for fit in fits]
    colour, dash = palette(fits)
    x = alt.X("N:Q", title="parameters N", scale=alt.Scale(type="log", domain=[1e6, 1e13]),
              axis=alt.Axis(format="~s", tickCount=7))  # fmt: skip
    y = alt.Y("loss:Q", title="loss (nats/token)", scale=alt.Scale(zero=False))
    hue = alt.Color("fit:N", scale=colour, legend=alt.Legend(labelExpr=IN_WORDS))
    curve = (
        alt.Chart()
        .transform_calculate(log_N="sequence(6, 13.01, 0.05)")
        .transform_flatten(["log_N"])
        .transform_calculate(N="pow(10, datum.log_N)")
        .transform_calculate(loss=loss_at("datum.N"))
        .transform_filter("datum.loss <= datum.lowest + 1")
        .mark_line(strokeWidth=2)
        .encode(x=x, y=y, color=hue, strokeDash=alt.StrokeDash("fit:N", scale=dash))
    )
    best = alt.Chart().transform_calculate(N="datum.best_N", loss="datum.lowest")
    dots = best.mark_point(filled=True, size=90, opacity=1).encode(x=x, y=y, color=hue)
    line = summary(
        "'C = ' + format(C, '.2e') + ' FLOP:  N = ' + format(datum.best_N, '.3s') + ', D = '"
        f" + format(C / ({FLOPS_PER_PARAMETER} * datum.best_N), '.3s')"
        " + ' (' + words[datum.fit] + ')'",
        f"datum.fit == {json.dumps(rows[-1]['fit'])}",
    )
    chart = alt.layer(curve, dots, line, data=alt.InlineData(values=rows))
    share = f"pow(C / {FLOPS_PER_PARAMETER}, datum.beta / (datum.alpha + datum.beta))"
    chart = chart.transform_calculate(best_N=f"datum.balance * {share}")
    chart = chart.transform_calculate(lowest=loss_at("datum.best_N"))
    return finished("loss", chart, height, budget_parameters(flops_exponent), fits)


def budget_parameters(flops_exponent):
    """Return the slider of the budget, and the FLOPs C that follow from it."""
    budget = slider("log_C", flops_exponent, 18, 26, 0.1, "compute C: log10")
    return [budget, constant("C", "pow(10, log_C)")]


def loss_at(n_params):
    """Return the expression of a LossLaw's loss at that many parameters and C / 6N tokens."""
    n_tokens = f"(C / ({FLOPS_PER_PARAMETER} * {n_params}))"
    return (
        f"datum.E + datum.A * pow({n_params}, -datum.alpha)"
        f" + datum.B * pow({n_tokens}, -datum.beta)"
    )


def law_numbers(fit):
    """Return the constants of a LossLaw, to 8 digits, with its balance, as a dict."""
    law = law_of(fit)
    numbers = {name: getattr(law, name) for name in ("E", "A", "B", "alpha", "beta", "balance")}
    return {name: float(f"{value:.8g}") for name, value in numbers.items()}
