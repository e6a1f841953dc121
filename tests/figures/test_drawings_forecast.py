"""The drawings of a prediction and of what a text costs say what was recorded and measured."""

import pytest

from gpt_helpers.experiments import budgets, prediction, sweep
from gpt_helpers.figures.drawings import costs, forecast
from gpt_helpers.text.corpus import HUMAN_RIGHTS
from tests.helpers.looks import faults
from tests.helpers.reference import refused

WIDTHS = [("ja", 7.5), ("ja", 3.0), ("en", 7.5), ("en", 3.0)]
LINE = ([1e11, 1e13], [4.5, 3.3])


def drawn():
    """Return the drawing of the prediction of the book, with a law of two points."""
    return forecast.forecast(LINE, LINE, budgets.LARGEST_BUDGET, prediction.outcome())


def texts_of(figure):
    """Return the texts beside the marks of a figure."""
    return [text.get_text() for axis in figure.axes for text in axis.texts]


def test_the_interval_and_the_miss_are_those_of_the_records():
    row = next(row for row in prediction.predictions().values() if row["chosen"])
    (run,) = [run for run in sweep.recorded_runs() if run["purpose"] == "largest"]
    loss = run["held_out_loss"]
    below = 100 * (row["predicted_loss"] - loss) / row["predicted_loss"]
    figure = drawn().figure()
    assert texts_of(figure) == [
        f"foretold {row['low']:.3f} to {row['high']:.3f}",
        f"measured {loss:.3f}",
        f"{below:.1f}% below the law",
    ]
    (axis,) = figure.axes
    y = axis.collections[0].get_paths()[0].vertices[:, 1]
    assert (y.min(), y.max()) == pytest.approx((row["low"], row["high"]), abs=1e-3)
    (place,) = [line.get_xydata() for line in axis.lines if line.get_marker() == "D"]
    assert place.ravel() == pytest.approx((budgets.LARGEST_BUDGET, loss), rel=1e-4)


def test_a_run_that_is_worse_than_foretold_is_said_to_be_above():
    outcome = {"low": 2.0, "predicted": 2.5, "high": 2.6, "measured": 3.0}
    figure = forecast.forecast(LINE, LINE, 2e13, outcome).figure()
    assert texts_of(figure)[-1] == "20.0% above the law"


def lengths():
    """Return the lengths of a text in three languages, a token for each byte."""
    return {
        language: (len(text), len(text.encode()), len(text.encode()))
        for language, text in HUMAN_RIGHTS.items()
    }


def test_bars_are_as_long_as_the_tokens_of_a_character_and_of_a_byte():
    figure = costs.text_costs(lengths()).figure()
    for axis, part in zip(figure.axes, (0, 1), strict=True):
        expected = [counts[2] / counts[part] for counts in lengths().values()]
        assert [bar.get_width() for bar in axis.patches] == pytest.approx(expected)
        assert [text.get_text() for text in axis.texts] == [f"{share:.2f}" for share in expected]
    assert [tick.get_text() for tick in figure.axes[0].get_yticklabels()] == [*lengths()]


@pytest.mark.parametrize(("language", "inches"), WIDTHS)
@pytest.mark.parametrize("make", [drawn, lambda: costs.text_costs(lengths())])
def test_no_text_lies_on_another_or_is_cut(make, language, inches):
    assert faults(make().figure(language, inches)) == []


def test_what_is_no_prediction_and_no_length_is_refused():
    upside_down = {"low": 3.0, "predicted": 2.5, "high": 2.6, "measured": 3.0}
    refused("must have low < predicted < high", forecast.forecast, LINE, LINE, 1e13, upside_down)
    refused("outcome: low=None", forecast.forecast, LINE, LINE, 1e13, {})
    refused("must be .characters, bytes, tokens", costs.text_costs, {"a": (1, 2)})
    refused("tokens of lengths", costs.text_costs, {"a": (1, 2, 0)})
