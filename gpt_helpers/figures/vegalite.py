"""What every chart with sliders is made of: the Chart, its sliders, its style.

A Chart is a specification in Vega-Lite, which computes in the page, without a kernel.
JupyterLab draws it by itself; the book draws it when it is built and wakes it in the browser.
Colab, Kaggle and others that cannot draw it show its HTML, which fetches Vega from the network.
Names are fixed and nothing is random: equal input gives equal JSON. Text is English, which
theme/charts.py puts into the language of a page, by words.csv. Each "#rrggbb" is a colour of the
light page; theme/charts/charts.css holds its twin for the dark one.
"""

import json

import altair as alt
from altair.utils import spec_to_html

MIME = f"application/vnd.vegalite.v{alt.VEGALITE_VERSION.split('.')[0]}+json"
WIDTH = 640  # pixels, labels included; the book narrows it to the page
INK, PAPER, GRID, GREY = "#222222", "#ffffff", "#dddddd", "#949494"
BLUE, ORANGE, GREEN, PINK, BROWN = "#0173b2", "#b86b00", "#028a65", "#b3509c", "#8a5a3c"
HUES = (BLUE, ORANGE, GREEN, PINK, BROWN, INK)
DASHES = ([1, 0], [8, 3], [2, 2], [8, 2, 2, 2], [5, 5], [12, 3])
IN_WORDS = "words[datum.label] || datum.label"  # the expression of a label of a legend or an axis
LOOK = {
    "background": PAPER,
    "axis": {
        "labelColor": INK,
        "titleColor": INK,
        "titleFontWeight": "normal",
        "gridColor": GRID,
        "domainColor": GREY,
        "tickColor": GREY,
    },
    "legend": {"labelColor": INK, "orient": "bottom", "title": None, "labelLimit": 0},
    "text": {"color": INK},
    "view": {"stroke": None},
}


class Chart:
    """A Vega-Lite specification that notebooks and the book display."""

    def __init__(self, spec):
        """Take the specification, a dict that JSON can hold and that has a name."""
        self.spec = json.loads(json.dumps(spec, allow_nan=False))

    def _repr_mimebundle_(self, include=None, exclude=None):
        """Return what a notebook shows: the specification, or a page where that is unknown."""
        return {MIME: self.spec, "text/html": to_html(self.spec)}

    def __repr__(self):
        """Return a text without an address, which every run repeats."""
        return f"Chart({self.spec['name']!r})"


class ForHTML(json.JSONEncoder):
    """Writes JSON that stands in a script: no text in it can end the script."""

    def encode(self, value):
        """Return the JSON without "<"."""
        return super().encode(value).replace("<", r"\u003c")


def to_html(spec):
    """Return the HTML of a specification, as Altair writes it; it says what does not load."""
    return spec_to_html(
        spec,
        mode="vega-lite",
        vega_version=alt.VEGA_VERSION,
        vegaembed_version=alt.VEGAEMBED_VERSION,
        vegalite_version=alt.VEGALITE_VERSION,
        output_div=f"chart-{spec['name']}",
        json_kwds={"cls": ForHTML, "ensure_ascii": False},
        fullhtml=False,
        template="universal",
    )


def slider(name, value, low, high, step, label=None):
    """Return a parameter that a slider from low to high sets; value is where it starts."""
    if not low <= value <= high:
        raise ValueError(f"{name}={value} must be in {low} to {high}, the ends of its slider")
    bind = alt.binding_range(min=low, max=high, step=step, name=label or name)
    return alt.param(name=name, value=value, bind=bind)


def menu(name, value, options, label=None):
    """Return a parameter that is one of the options; value is the first choice."""
    bind = alt.binding_select(options=list(options), name=label or name)
    return alt.param(name=name, value=value, bind=bind)


def constant(name, expression):
    """Return a parameter without a control: an expression of the others, for short formulas."""
    return alt.param(name=name, expr=expression)


def palette(names):
    """Return the colour and the dash scale of up to six named lines."""
    names = list(names)
    if not 1 <= len(names) <= len(HUES):
        raise ValueError(f"{len(names)} names for {len(HUES)} colours; draw fewer lines")
    colour = alt.Scale(domain=names, range=list(HUES[: len(names)]))
    return colour, alt.Scale(domain=names, range=list(DASHES[: len(names)]))


def saying(word):
    """Return the expression of a word, which the book puts into the language of its page."""
    return f"words[{json.dumps(word)}]"


def summary(expression, where="true"):
    """Return the layer that says the result in a line above the chart; where picks one row.

    Its mark is named "summary": the book reads the line out when a slider has moved.
    """
    return (
        alt.Chart(name="summary")
        .transform_filter(where)
        .transform_calculate(summary=expression)
        .mark_text(align="left", baseline="bottom", fontSize=12)
        .encode(text="summary:N", x=alt.value(0), y=alt.value(-8))
    )


def finished(name, chart, height, parameters, words=()):
    """Return the Chart of an Altair chart with its parameters, in the style of the book.

    words are all that saying and IN_WORDS may have to say.
    """
    vocabulary = alt.param(name="words", value={word: word for word in words})
    sized = chart.properties(name=name, width=WIDTH, height=height)
    spec = sized.add_params(*parameters, vocabulary).configure(**LOOK).to_dict()
    return Chart(spec | {"autosize": {"type": "fit-x", "contains": "padding"}})
