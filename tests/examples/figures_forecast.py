"""A right call of each drawing of a prediction and of what a text costs."""

from gpt_helpers.figures import models_chart
from gpt_helpers.figures.drawings import costs, forecast
from tests.helpers.misuse import Example


def examples():
    """Yield the examples."""
    outcome = {"low": 2.9, "predicted": 3.0, "high": 3.1, "measured": 2.7}
    line = ([1.0, 10.0], [4.0, 3.0])
    given = {"runs": line, "law": line, "flops": 20.0, "outcome": outcome}
    yield Example(forecast.forecast, given, {"outcome": "mixed"})  # it may say more
    yield Example(costs.text_costs, {"lengths": {"English": [4, 4, 2]}})
    model = {"model": "a", "organisation": "b", "n_params": 1e9, "n_tokens": 1e12}
    yield Example(models_chart.models_explorer, {"models": [model], "height": 200.0})
