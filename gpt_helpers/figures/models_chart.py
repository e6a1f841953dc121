"""The chart of published models by parameters and tokens, with a slider for the use to come.

Its expressions are scaling_laws.laws and data_limits.inference_optimal again, in the language of
Vega; tests/figures/test_charts.py moves the slider in a browser and compares.
"""

import json

import altair as alt

from gpt_helpers.figures.charts import law_numbers
from gpt_helpers.figures.inputs import check_pixels
from gpt_helpers.figures.vegalite import (
    GREY,
    INK,
    PAPER,
    constant,
    finished,
    palette,
    saying,
    slider,
    summary,
)
from gpt_helpers.figures.words import SUPERSCRIPTS
from gpt_helpers.scaling_laws.laws import FITS, FLOPS_PER_PARAMETER
from gpt_helpers.validation import check_real, check_rows, check_text, checks

FIT = "refit"  # of which the best use is drawn
N_RANGE, D_RANGE = [1e8, 2e12], [1e11, 1e14]
BUDGETS = range(20, 27)  # powers of 10, in FLOP
EXAMPLE = 1e13  # tokens, of which the line above says the best size
NARROW_CHART = 400  # pixels of the plot below which fewer names are written
NAMED = {  # model: how many pixels right and below of its dot its name stands, and which end
    "GPT-3 Small": (-4, -11, "left"), "GPT-3 175B": (0, 13, "center"),
    "Gopher": (0, -11, "center"), "Chinchilla": (-8, 0, "right"), "Llama 2 7B": (-8, -10, "right"),
    "Llama 2 70B": (-8, 0, "right"), "Llama 3.1 405B": (44, -12, "right"),
    "llm-jp-3-172b": (8, 0, "left"), "Gemma 2 9B": (-8, 0, "right"), "Gemma 2 27B": (8, 0, "left"),
    "Qwen2.5 7B": (-8, 0, "right"), "Qwen2.5 72B": (-8, 0, "right"), "Qwen3 32B": (-8, 0, "right"),
}  # fmt: skip
ALWAYS = ("GPT-3 175B", "Chinchilla", "Llama 2 7B", "Llama 3.1 405B", "Qwen3 32B")


def check_models(name, value):
    """Raise ValueError unless value holds models as published.disclosed_models has them."""
    check_rows(name, value, ("n_params", "n_tokens", "model", "organisation"))
    for row in value:
        for column in ("model", "organisation"):
            check_text(f"{column} in {name}", row[column])
        for column in ("n_params", "n_tokens"):
            check_real(f"{column} in {name}", row[column], at_least=1, at_most=1e100)


@checks(models=check_models, height=check_pixels)
def models_explorer(models, height=360):
    """Return the Chart of models, rows of published.disclosed_models, by parameters and tokens.

    The band is the best use of a training budget, LossLaw.optimum of all of laws.FITS. The dashed
    line is data_limits.inference_optimal, if so many tokens are read or written later as the
    slider says. Dotted lines are equal budgets, C = 6ND. The colour is that of the organisation,
    of which there may be six; a dot says all of its numbers when a reader points at it. The line
    above the chart gives the size that is best for EXAMPLE tokens.
    """
    size = best_size(EXAMPLE)
    line = summary(
        f"{saying('tokens used later')} + ': ' + format(T, '.3s') + ';  '"
        f" + 'D = ' + format({EXAMPLE}, '.3s') + ', N = ' + format({size}, '.3s')"
        f" + ', D/N = ' + format({EXAMPLE} / {size}, '.1f')"
    )
    chart = alt.layer(band(), *budgets(), best_line(), *model_dots(models), line)
    use = slider("log_T", 13, 9, 15, 0.1, "tokens used later: log10")
    words = ("tokens used later",)
    return finished("models", chart, height, [use, constant("T", "pow(10, log_T)")], words)


def axes():
    """Return the encodings of the two logarithmic axes."""
    return {
        "x": logarithmic(alt.X, "N:Q", "parameters N", N_RANGE),
        "y": logarithmic(alt.Y, "D:Q", "training tokens D", D_RANGE),
    }


def logarithmic(channel, field, title, domain):
    """Return the encoding of a logarithmic axis with a mark at each power of 10."""
    values = [10**power for power in range(8, 15) if domain[0] <= 10**power <= domain[1]]
    names = json.dumps([power_name(power) for power in range(15)], ensure_ascii=False)
    axis = alt.Axis(values=values, labelExpr=f"{names}[round(log(datum.value) / LN10)]")
    return channel(field, title=title, scale=alt.Scale(type="log", domain=domain), axis=axis)


def power_name(power):
    """Return a power of 10 as it is written: 10²³."""
    return "10" + str(power).translate(SUPERSCRIPTS)


def band():
    """Return the area between the best numbers of tokens of all of laws.FITS."""
    laws = [law_numbers(fit) for fit in FITS]
    best = [
        f"pow(datum.N / {n['balance']}, {n['alpha'] / n['beta']}) / {n['balance']}" for n in laws
    ]
    rows = alt.sequence(8, 12.35, 0.05, as_="log_N")
    return (
        alt.Chart(rows)
        .transform_calculate(N="pow(10, datum.log_N)")
        .transform_calculate(D=f"min({', '.join(best)})", highest=f"max({', '.join(best)})")
        .mark_area(clip=True, color=GREY, opacity=0.3)
        .encode(**axes(), y2="highest:Q")
    )


def best_size(n_tokens):
    """Return the expression of the parameters for which so many tokens are best, with T of use.

    Source: sardana2024beyond, eq. 2.
    """
    law = law_numbers(FIT)
    price = f"(1 + T / (3 * {n_tokens}))"
    size = f"{law['alpha'] * law['A']} * pow({n_tokens}, {law['beta']})"
    return f"pow({size} / ({law['beta'] * law['B']} * {price}), {1 / law['alpha']})"


def best_line():
    """Return the dashed line of what is best with the use to come."""
    return (
        alt.Chart(alt.sequence(11, 14.01, 0.05, as_="log_D"))
        .transform_calculate(D="pow(10, datum.log_D)")
        .transform_calculate(N=best_size("datum.D"))
        .mark_line(clip=True, color=INK, strokeDash=[6, 4], strokeWidth=2)
        .encode(**axes(), order="log_D:Q")
    )


def budgets():
    """Return the lines of equal budgets, and their names where they enter the plot."""
    lines = [
        {"power": power, "N": n_params, "D": 10.0**power / (FLOPS_PER_PARAMETER * n_params)}
        for power in BUDGETS
        for n_params in N_RANGE
    ]
    look = {"clip": True, "color": GREY, "strokeDash": [1, 3]}
    yield alt.Chart(alt.InlineData(lines)).mark_line(**look).encode(**axes(), detail="power:N")
    names = [budget_name(power) for power in BUDGETS]
    yield from label_texts(
        alt.Chart(alt.InlineData(names)).transform_calculate(
            text=f"datum.name + (width > {NARROW_CHART} ? ' FLOP' : '')"
        )
    )


def label_texts(chart):
    """Return the texts of rows, on a border that has the colour of the page and hides lines."""
    look = {name: alt.expr(f"datum.{name}") for name in ("dx", "dy")}
    look["align"] = alt.expr("datum.side")
    for border in ({"stroke": PAPER, "strokeWidth": 4, "strokeJoin": "round"}, {}):
        yield chart.mark_text(color=PAPER if border else INK, **look, **border).encode(
            **axes(), text="text:N"
        )


def budget_name(power):
    """Return the name of a budget, and where it stands: at the left side, or below the top."""
    name = power_name(power)
    product = 10.0**power / FLOPS_PER_PARAMETER
    if product / N_RANGE[0] <= D_RANGE[1]:
        return {
            "name": name,
            "N": N_RANGE[0],
            "D": product / N_RANGE[0],
            "dx": 4,
            "dy": -8,
            "side": "left",
        }
    return {
        "name": name,
        "N": product / D_RANGE[1],
        "D": D_RANGE[1],
        "dx": 22,
        "dy": 8,
        "side": "left",
    }


def model_dots(models):
    """Return the dots of the models, which say their numbers, and names beside some of them."""
    makers = list(dict.fromkeys(row["organisation"] for row in models))
    columns = {"model": "model", "organisation": "organisation", "N": "n_params", "D": "n_tokens"}
    rows = [{name: row[column] for name, column in columns.items()} for row in models]
    tips = [
        alt.Tooltip("model:N", title="model"),
        alt.Tooltip("organisation:N", title="organisation"),
        alt.Tooltip("N:Q", title="parameters N", format=".3s"),
        alt.Tooltip("D:Q", title="training tokens D", format=".3s"),
        alt.Tooltip("ratio:Q", title="D/N", format=",.1f"),
        alt.Tooltip("C:Q", title="C = 6ND (FLOP)", format=".1e"),
    ]
    columns = alt.expr(f"width > {NARROW_CHART} ? 6 : 3")
    hue = alt.Color("organisation:N", scale=palette(makers)[0], legend=alt.Legend(columns=columns))
    yield (
        alt.Chart(alt.InlineData(rows))
        .transform_calculate(ratio="datum.D / datum.N", C="6 * datum.N * datum.D")
        .mark_point(filled=True, size=70, opacity=1)
        .encode(**axes(), color=hue, tooltip=tips)
    )
    places = [
        row | {"text": row["model"], "dx": dx, "dy": dy, "side": side}
        for row in rows
        if row["model"] in NAMED
        for dx, dy, side in [NAMED[row["model"]]]
    ]
    seldom = f"width > {NARROW_CHART} || indexof({json.dumps(ALWAYS)}, datum.model) >= 0"
    yield from label_texts(alt.Chart(alt.InlineData(places)).transform_filter(seldom))
