"""What no law has is refused, in published laws and in those that are fitted or written."""

import dataclasses
import math

import pytest

from gpt_helpers.scaling_laws.laws import FITS, KAPLAN, POWER_LAWS
from tests.helpers.reference import refused

FLOORS = "E", "floor"


@pytest.mark.parametrize(
    ("law", "name"),
    [
        (law, field.name)
        for law in (FITS["refit"], KAPLAN, POWER_LAWS["tokens"])
        for field in dataclasses.fields(law)
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_constants_that_no_law_has_are_refused(law, name):
    wrong = [None, [0.3], True] if isinstance(getattr(law, name), str) else [-1, math.nan, "0.3"]
    for value in wrong:
        refused(f"{name}(=| is a )", dataclasses.replace, law, **{name: value})
    if name in FLOORS:
        assert getattr(dataclasses.replace(law, **{name: 0}), name) == 0
    elif isinstance(getattr(law, name), float):
        refused(f"{name}=0", dataclasses.replace, law, **{name: 0})
