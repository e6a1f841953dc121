"""A right call of each door of gpt_helpers.evaluation."""

import torch

from gpt_helpers.evaluation.accuracy import Score, exactly, wilson
from tests.helpers.misuse import Example


def examples():
    """Yield the examples."""
    yield Example(Score, {"right": 3, "n": 4}, {"right": "0"})
    yield Example(wilson, {"right": 3, "n": 4, "z": 1.96}, {"right": "0"})
    answers = torch.tensor([[1, 2], [3, 4]])
    yield Example(exactly, {"found": answers, "wanted": answers, "ignored": 2})
