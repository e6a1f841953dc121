"""The chart of one distribution, with sliders for temperature, top-k and top-p.

Its expressions are architecture.sampling again, in the language of Vega;
tests/figures/test_charts.py moves the sliders in a browser and compares.
"""

import json
import math

import altair as alt

from gpt_helpers.figures.inputs import values_of
from gpt_helpers.figures.vegalite import (
    BLUE,
    GREY,
    IN_WORDS,
    constant,
    finished,
    saying,
    slider,
    summary,
)
from gpt_helpers.figures.words import token_name
from gpt_helpers.validation import check_callable, check_integer, check_text

MOST_SHOWN = 500  # tokens in a chart


def sampling_explorer(logits, token_of, n_shown=20):
    """Return the Chart of one distribution before and after temperature, top-k and top-p.

    logits (V,) are those of one position, token_of(id) is the name of a token. The likeliest
    n_shown are drawn, and all V are computed with, in the order of sampling.sample:
    temperature, then top-k, then top-p. The slider of k holds its logarithm, so that 1 and V
    are equally near. The mass is the share of the tempered distribution that is kept. Logits
    are rounded to 3 decimals: give float64, which rounds alike on every machine.

    Raises ValueError unless there are two or more finite logits.
    Source: holtzman2020nucleus, sec. 3.1 (top-p).
    """
    n_shown = check_integer("n_shown", n_shown, at_least=1, at_most=MOST_SHOWN)
    check_callable("token_of", token_of)
    values = logits_list(logits)
    order = sorted(range(len(values)), key=lambda token: (-values[token], token))
    names = json.dumps(names_of(order[:n_shown], token_of))
    line = summary(
        "'T = ' + format(T, '.1f') + ', k = ' + k + ', p = ' + format(p, '.2f')"
        f" + ':  ' + {saying('kept')} + ' ' + datum.n_kept + ' / ' + V"
        f" + ', ' + {saying('mass')} + ' ' + format(datum.mass, '.3f')",
        "datum.rank == 1",
    )
    ordered = alt.InlineData(values=[values[token] for token in order])
    bars = probability_bars("before", 0.85), probability_bars("after", 0.4)
    chart = sampled(alt.layer(*bars, line, data=ordered))
    chart = chart.transform_filter(f"datum.rank <= {n_shown}")
    chart = chart.transform_calculate(token=f"{names}[datum.rank - 1]")
    all_tokens = math.ceil(10 * math.log2(len(order))) / 10
    parameters = [
        slider("T", 1, 0, 2, 0.1, "temperature T"),
        slider("log_k", all_tokens, 0, all_tokens, 0.1, "top-k: log2"),
        slider("p", 1, 0.01, 1, 0.01, "top-p"),
        constant("V", str(len(order))),
        constant("k", "min(V, round(pow(2, log_k)))"),
        constant("highest", str(values[order[0]])),
    ]
    height = 15 * min(n_shown, len(order))
    return finished("sampling", chart, height, parameters, ("before", "after", "kept", "mass"))


def probability_bars(field, band):
    """Return a bar for each token: its probability field, as wide as the share band of a row."""
    colour = alt.Scale(domain=["before", "after"], range=[GREY, BLUE])
    return (
        alt.Chart()
        .mark_bar(height={"band": band})
        .encode(
            x=alt.X(f"{field}:Q", title="probability", axis=alt.Axis(tickCount=5)),
            y=alt.Y("token:N", sort=None, title=None, axis=alt.Axis(labelFont="monospace")),
            color=alt.Color("cut:N", scale=colour, legend=alt.Legend(labelExpr=IN_WORDS)),
        )
        .transform_calculate(cut=f"'{field}'")
    )


def sampled(chart):
    """Return the chart, whose data are logits from the highest down, with what is left of each.

    A row gets its rank from 1, "before" and "after", and of all rows n_kept and mass.
    """
    return (
        chart.transform_window(rank="row_number()")
        .transform_calculate(
            untempered="exp(datum.data - highest)",
            tempered="T == 0 ? (datum.rank == 1 ? 1 : 0) : exp((datum.data - highest) / T)",
        )
        .transform_calculate(weight="datum.rank <= k ? datum.tempered : 0")
        .transform_joinaggregate(
            untempered_sum="sum(untempered)",
            tempered_sum="sum(tempered)",
            weight_sum="sum(weight)",
        )
        .transform_window(reached="sum(weight)")
        .transform_calculate(
            kept="datum.rank <= (T == 0 ? 1 : k) && "
            "(p == 1 || (datum.reached - datum.weight) / datum.weight_sum < p) ? 1 : 0",
        )
        .transform_calculate(kept_weight="datum.kept * datum.weight")
        .transform_joinaggregate(n_kept="sum(kept)", kept_sum="sum(kept_weight)")
        .transform_calculate(
            before="datum.untempered / datum.untempered_sum",
            after="datum.kept_weight / datum.kept_sum",
            mass="datum.kept_sum / datum.tempered_sum",
        )
    )


def names_of(tokens, token_of):
    """Return the names that token_of gives to tokens; raise ValueError unless they are texts."""
    names = [token_of(token) for token in tokens]
    for token, name in zip(tokens, names, strict=True):
        check_text(f"token_of({token})", name)
    return list(map(token_name, names))


def logits_list(logits):
    """Return logits (V,) as a list, rounded; raise ValueError unless all are finite."""
    numbers = values_of(logits)
    if numbers is None or numbers.ndim != 1 or len(numbers) < 2:
        found = getattr(logits, "shape", type(logits).__name__)
        raise ValueError(f"logits are {found}; they must be a tensor (V,) of two or more")
    values = [round(float(value), 3) for value in numbers]
    odd = [value for value in values if not math.isfinite(value)]
    if odd:
        raise ValueError(f"logits hold {odd[0]}; pass those of the model, before any filter")
    return values
