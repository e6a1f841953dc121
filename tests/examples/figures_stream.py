"""A right call of each drawing of the residual stream."""

import numpy as np
import torch

from gpt_helpers.architecture import journey
from gpt_helpers.figures.drawings import stream, ten_steps, text
from gpt_helpers.weights import pretrained
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
    yield Example(stream.shared_table, TOKEN | {"following": following}, TAKES)
    yield story()


def story():
    """Return the example of a token's ten steps, which the shipped model gives."""
    model, tokenizer = pretrained.load_model()
    line = "def read(self"
    pieces = text.pieces_of(tokenizer, line)
    passed = journey.follow(model, [piece.id for piece in pieces])
    told = {"config": model.config, "line": line, "pieces": pieces, "journey": passed}
    likely = list(text.likely_next(tokenizer, torch.tensor(passed.logits), 5))
    told |= {"merges": text.merges_in(tokenizer, "self"), "likely": likely}
    return Example(ten_steps.story, told, {"likely": "unknown"})
