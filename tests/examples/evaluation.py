"""A right call of each door of gpt_helpers.evaluation."""

import torch

from gpt_helpers.evaluation import accuracy, losses, syntax
from gpt_helpers.evaluation.ngrams import NGrams
from gpt_helpers.text.corpus import Document
from gpt_helpers.text.tokenizer import train_tokenizer
from tests.helpers.misuse import Example
from tests.helpers.reference import random_ids
from tests.helpers.runs import TOKENS, tiny_model

TEXT = "def f(x):\n    return x\n"


def examples():
    """Yield the examples."""
    yield from of_accuracy()
    yield from of_losses()
    yield from of_texts()
    yield from of_ngrams()
    yield from of_syntax()


def of_accuracy():
    """Yield the examples of accuracy."""
    yield Example(accuracy.Score, {"right": 3, "n": 4}, {"right": "0"})
    yield Example(accuracy.wilson, {"right": 3, "n": 4, "z": 1.96}, {"right": "0"})
    yield Example(accuracy.pooled, {"scores": [accuracy.Score(1, 2)]})
    answers = torch.tensor([[1, 2], [3, 4]])
    call = {"found": answers, "wanted": answers, "ignored": 2}
    anything = {"found": "-1 huge", "wanted": "-1 huge", "ignored": "None 0 -1"}
    yield Example(accuracy.exactly, call, anything)
    call = {"model": tiny_model(), "prompts": random_ids(2, 4, 31), "n_tokens": 3}
    yield Example(accuracy.written, call, {"n_tokens": "0"})


def of_losses():
    """Yield the examples of losses."""
    model, windows = tiny_model(), random_ids(3, 8, 31)
    call = {"model": model, "windows": windows, "batch_size": 2}
    yield Example(losses.evaluate, call)
    yield Example(losses.window_losses, call)
    yield Example(losses.exact_match, call | {"lengths": (1, 3)})
    call = {"nats_per_token": 2.5, "bytes_per_token": 3.0}
    yield Example(losses.bits_per_byte, call, {"nats_per_token": "0"})


def of_texts():
    """Yield the examples of losses that a tokenizer is needed for."""
    tokenizer = train_tokenizer([TEXT], 257)
    model = tiny_model(vocab_size=257, n_positions=30)
    call = {"model": model, "tokenizer": tokenizer, "documents": [Document("a", TEXT)], "stride": 4}
    yield Example(losses.document_bits_per_byte, call)
    call = {"model": model, "tokenizer": tokenizer, "n_samples": 2, "n_tokens": 3}
    call |= {"temperature": 0.8, "generator": torch.Generator().manual_seed(0)}
    takes = {"n_tokens": "0", "temperature": "0", "generator": "None"}
    yield Example(losses.sample_functions, call, takes)


def of_ngrams():
    """Yield the examples of ngrams."""
    call = {"tokens": TOKENS, "order": 2, "vocab_size": 31, "strength": 10.0}
    yield Example(NGrams, call)
    ngrams, ids = NGrams(**call), random_ids(2, 4, 31)
    yield Example(ngrams.probability_of, {"windows": ids}, {"windows": "axis-less"})
    yield Example(ngrams.logits, {"ids": ids})
    call = {"ids": ids, "max_new_tokens": 3, "temperature": 0.8}
    call |= {"generator": torch.Generator().manual_seed(0)}
    takes = {"max_new_tokens": "0", "temperature": "0", "generator": "None"}
    yield Example(ngrams.generate, call, takes)


def of_syntax():
    """Yield the examples of syntax."""
    yield Example(syntax.function_text, {"text": TEXT})
    yield Example(syntax.parses, {"source": TEXT, "finished": True})
    yield Example(syntax.share_that_parses, {"texts": [TEXT, "x"]})
    yield Example(syntax.functions_of, {"text": TEXT}, {"text": "empty"})
