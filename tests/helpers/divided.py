"""Batches that passes and processes divide unevenly, and the gradients that they must have.

A case is a model, a Loss and a batch of 8 rows, in float64. Divided by 2 passes or 2 processes,
or both, its parts count different numbers of tokens, or use different experts.
"""

import dataclasses

import torch

from gpt_helpers.architecture.losses import TokenLoss, language_model_loss
from gpt_helpers.tasks.answers import answer_loss, text_loss
from gpt_helpers.training.distributed import whole
from gpt_helpers.training.loop import Trainer
from gpt_helpers.training.lora import add_lora
from gpt_helpers.training.preferences import PreferenceLoss
from tests.helpers.reference import random_ids
from tests.helpers.runs import tiny_model, tiny_settings
from tests.helpers.twins import FAMILIES, randomised

MARKER = 5
LENGTHS = 8, 2, 1, 5, 1, 1, 1, 1  # tokens of a row that are no padding; of 1 none is predicted
EXPERTS = "mixtral", "qwen3, experts", "gpt_oss", "deepseek3"


def words(n_rows=8):
    """Return ids (n_rows, 8) without padding and without the marker."""
    return 6 + random_ids(n_rows, 8, 25)


def padded_rows():
    """Return ids (8, 8) of which the last four rows hold nothing to predict."""
    return words().masked_fill(torch.arange(8) >= torch.tensor(LENGTHS)[:, None], 0)


def answers():
    """Return ids (8, 8) with a marker in each row, after which there are 7 tokens, 6, or none."""
    ids = words()
    ids[range(8), [0, 3, 6, 7, 7, 7, 7, 7]] = MARKER
    return ids


def second_half(ids):
    """Return labels (B, T) of ids: all of rows that begin with an even token, one of others."""
    labels = ids.clone()
    labels[ids[:, 0] % 2 == 1, 2:] = -100
    return labels


def pairs():
    """Return pairs (8, 2, 8) of answers, most of one token."""
    ids = words(16)
    ids[range(16), [0, *[6] * 15]] = MARKER
    return ids.unflatten(0, (8, 2))


def family(name):
    """Return a small model of a family; if it has experts, many, of which a token uses one."""
    chosen = {"n_experts_per_token": 1, "n_experts": 12} if name in EXPERTS else {}
    config = dataclasses.replace(FAMILIES[name].config, dropout=0.0, **chosen)
    return randomised(FAMILIES[name].model(config)).train()


def with_updates(model):
    """Return the model with low-rank updates that are not 0."""
    for name, weight in add_lora(model, 2).named_parameters():
        if name.endswith(".B"):
            weight.data = torch.randn(weight.shape, generator=torch.Generator().manual_seed(0))
    return model


def preferring():
    """Return the loss that prefers the first answers, against another model."""
    return PreferenceLoss(tiny_model(seed=1).double(), MARKER, beta=0.5)


CASES = {
    "all tokens": lambda: (tiny_model(), language_model_loss, words()),
    "padding": lambda: (tiny_model(), text_loss, padded_rows()),
    "answers": lambda: (tiny_model(), answer_loss(MARKER), answers()),
    "labels": lambda: (tiny_model(), TokenLoss(second_half), words()),
    "LoRA": lambda: (with_updates(tiny_model()), answer_loss(MARKER), answers()),
    "preferences": lambda: (tiny_model(), preferring(), pairs()),
} | {
    name: lambda name=name: (family(name), language_model_loss, words()[:, :2]) for name in FAMILIES
}

PROCESSES = [  # of which two are compared with one: a case, a strategy, and the passes of each
    (name, strategy, n_passes)
    for name in CASES
    for strategy in ("ddp", "fsdp")
    for n_passes in ((1,) if name in FAMILIES else (1, 2, 4))
]


def divided(name, strategy="ddp", n_passes=1):
    """Return the loss and all gradients of a case, as one vector, in so many passes."""
    model, loss, batch = CASES[name]()
    trainer = Trainer(model.double(), tiny_settings(accumulation=n_passes), strategy, loss)
    found = trainer.accumulate(0, batch)
    trained = [weight for weight in trainer.raw.parameters() if weight.requires_grad]
    return found, torch.cat([whole(weight.grad).flatten() for weight in trained])


def distance(found, expected):
    """Return how far a vector is from another, relative to the length of that."""
    return ((found - expected).norm() / expected.norm()).item()
