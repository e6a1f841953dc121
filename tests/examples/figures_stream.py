"""A right call of each drawing of the residual stream."""

import numpy as np

from gpt_helpers.figures.drawings import stream
from tests.helpers.misuse import Example
from tests.helpers.reference import SMALL

TOKEN = {"config": SMALL, "token": "a", "token_id": 3}
TAKES = {"token": "unknown empty", "token_id": "0", "position": "0"}


def examples():
    """Yield the examples."""
    rows = np.ones((2, SMALL.n_embd))
    yield Example(stream.lookup, TOKEN | {"position": 2, "rows": rows}, TAKES)
    yield Example(stream.bus, {"config": SMALL, "sizes": [0.5] * (1 + 2 * SMALL.n_layer)})
    following = {"b": (2.0, 0.5), "c": (1.0, 0.2)}
    yield Example(stream.tied_head, TOKEN | {"following": following}, TAKES)
