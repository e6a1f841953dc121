"""One batch is one batch: its loss and gradients do not depend on how it is divided.

Passes and processes that count different numbers of tokens, or none, add up to the mean over the
whole batch. Two processes are started by torchrun once, in tests/helpers/together.py.
"""

import pytest

from tests.helpers.divided import CASES, distance, divided

CLOSE = 1e-6  # in float64; measured below 1e-14


@pytest.mark.parametrize("n_passes", [2, 4, 8])
@pytest.mark.parametrize("name", CASES)
def test_passes_have_the_loss_and_the_gradients_of_one(name, n_passes):
    loss, gradients = divided(name)
    found, parts = divided(name, n_passes=n_passes)
    assert found == pytest.approx(loss, rel=CLOSE)
    assert distance(parts, gradients) <= CLOSE
    print(name, n_passes, distance(parts, gradients))
