"""A right call of each door of gpt_helpers.architecture."""

from torch import nn

from gpt_helpers.architecture import trace
from tests.helpers.misuse import Example
from tests.helpers.runs import tiny_model

# Each trusts its callers, who have checked; why, for the few that do.
TRUSTING = {
    "gpt_helpers.architecture.trace.trace": "what it hands on to a model is given by position"
}


def examples():
    """Yield the examples."""
    yield from of_trace()


def of_trace():
    """Yield the examples of trace."""
    call = {"model": tiny_model(), "measure": None}
    yield Example(trace.recorded_attention, call, {"measure": "None"})
    yield Example(trace.recorded_outputs, {"model": nn.Sequential(nn.Tanh()), "kind": "Tanh"})
