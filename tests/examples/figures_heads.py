"""A right call of each drawing of heads, one of them and many."""

import numpy as np

from gpt_helpers.config import PRESETS
from gpt_helpers.figures.drawings import heads, one_head
from tests.helpers.misuse import Example
from tests.helpers.reference import SMALL, random_model

TOKENS = ["a", "b", "c"]


def examples():
    """Yield the examples."""
    model = random_model(SMALL)
    given = {"model": model, "ids": [1, 2, 3], "layer": 1, "head": 1}
    yield Example(one_head.head_of, given, {"layer": "0", "head": "0"})
    head = one_head.head_of(**given)
    yield Example(one_head.one_token, {"tokens": TOKENS, "head": head})
    scores = np.asarray(head.scores)
    yield Example(one_head.row_by_row, {"tokens": TOKENS, "scores": scores})
    yield Example(heads.split_and_join, {"config": PRESETS["demo"], "n_tokens": 5})
