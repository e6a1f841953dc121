"""A right call of each door of gpt_helpers.weights."""

import contextlib
import functools
import tempfile
from pathlib import Path

import torch

from gpt_helpers.text.tokenizer import train_tokenizer
from gpt_helpers.weights import hub, pretrained, sealed
from tests.helpers.misuse import Example
from tests.helpers.runs import tiny_model

FOLDER = Path(tempfile.mkdtemp())
TOKENIZER = train_tokenizer(["a text"], 257)


def examples():
    """Yield the examples."""
    model = tiny_model(vocab_size=257)
    pretrained.save_gpt2(FOLDER / "gpt2", model, TOKENIZER)
    pretrained.save_model(FOLDER / "model", model, TOKENIZER)
    tensors, facts = {"a": torch.ones(3)}, {"b": 1}
    sealed.write_sealed(FOLDER / "sealed", tensors, facts)
    yield Example(hub.read_weights, {"path": FOLDER / "gpt2"})
    yield Example(pretrained.load_gpt2, {"path_or_name": FOLDER / "gpt2"})
    yield Example(pretrained.load_model, {"path": FOLDER / "model"}, {"path": "None"})
    call = {"model": model, "tokenizer": TOKENIZER}
    takes = {"tokenizer": "None", "folder": "unknown"}
    yield Example(elsewhere(pretrained.save_gpt2), {"folder": "new"} | call, takes)
    yield Example(elsewhere(pretrained.save_model), {"path": "new"} | call, {"path": "unknown"})
    yield Example(sealed.read_sealed, {"path": FOLDER / "sealed"})
    call = {"path": "new", "tensors": tensors, "facts": facts}
    takes = {"path": "unknown", "tensors": "empty", "facts": "empty none-inside"}
    yield Example(elsewhere(sealed.write_sealed), call, takes)
    call = {
        "targets": {"a": torch.zeros(3)},
        "tensors": tensors,
        "source": "the targets and tensors",
    }
    takes = {"source": "None stranger number bytes unknown empty"}
    yield Example(sealed.copy_tensors, call, takes)


def elsewhere(door):
    """Return a door that writes in a folder that is gone afterwards."""

    @functools.wraps(door)
    def write(**arguments):
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
            return door(**arguments)

    return write
