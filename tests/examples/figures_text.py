"""A right call of each drawing of text."""

import torch

from gpt_helpers.figures.drawings import text
from gpt_helpers.text.tokenizer import train_tokenizer
from tests.helpers.misuse import Example

ANY = "unknown empty"  # a text may be any text


def examples():
    """Yield the examples."""
    tokenizer = train_tokenizer(["return self " * 9], 270)
    logits = torch.randn(12, generator=torch.manual_seed(0))
    yield Example(text.as_token, {"text": "a b"}, {"text": ANY})
    yield Example(text.pieces_of, {"tokenizer": tokenizer, "text": "self"}, {"text": ANY})
    yield Example(text.merges_in, {"tokenizer": tokenizer, "text": "self"}, {"text": ANY})
    yield Example(text.likely_next, {"tokenizer": tokenizer, "logits": logits, "n_tokens": 3})
    yield Example(text.tokens, {"texts": [text.pieces_of(tokenizer, "self")]})
    merges = text.merges_in(tokenizer, "self")
    yield Example(text.byte_pairs, {"text": "self", "merges": merges})
