"""A right call of each drawing of decoding."""

import numpy as np

from gpt_helpers.figures.drawings import decoding
from tests.helpers.misuse import Example
from tests.helpers.reference import SMALL


def examples():
    """Yield the examples."""
    padding = {
        "rows": [["a", "b"], ["", "c"]],
        "positions": np.array([[0, 1], [0, 0]]),
        "visible": np.array([[0, 0], [0, 1]]),
    }
    yield Example(decoding.left_padding, padding)
    turn = {"tokens": ["a", "b"], "following": {"c": 0.5, "d": 0.2}, "chosen": "d"}
    yield Example(decoding.loop, turn)
    yield Example(decoding.work, {"n_prompt": 3, "n_new": 5})
    tokens = ["a", "b", "c", "d"]
    yield Example(decoding.cache_grows, {"config": SMALL, "tokens": tokens, "n_prompt": 2})
