"""A right call of each door of gpt_helpers.training."""

import contextlib
import dataclasses
import functools
import tempfile

import torch

from gpt_helpers.architecture.losses import language_model_loss
from gpt_helpers.architecture.model import GPTLMHeadModel, GPTModel
from gpt_helpers.training import loop, lora, memory, optimizers, preferences
from gpt_helpers.training.runs import Run
from gpt_helpers.training.settings import TrainingSettings
from tests.helpers.misuse import Example
from tests.helpers.reference import random_ids
from tests.helpers.runs import TINY, TOKENS, tiny_batches, tiny_model, tiny_settings

TRUSTING = {
    "gpt_helpers.training.lora.LowRankUpdate": "add_lora makes it, and has checked",
}
SCHEDULE = {
    "schedule": "wsd", "max_lr": 1e-3, "min_lr": 1e-4, "warmup_steps": 2, "total_steps": 9,
    "cooldown_share": 0.5,
}  # fmt: skip
MAY_BE_0 = {"min_lr": "0", "warmup_steps": "0", "cooldown_share": "0"}


def examples():
    """Yield the examples."""
    yield from of_loop()
    yield from of_settings()
    yield from of_lora()
    yield from of_memory()
    yield from of_preferences()


def of_loop():
    """Yield the examples of loop."""
    model, batches = tiny_model(), [tiny_batches()[step] for step in range(2)]
    settings = tiny_settings(total_steps=2)
    call = {"model": model, "settings": settings, "strategy": "ddp", "loss_of": language_model_loss}
    yield Example(loop.Trainer, call)
    call = call | {"batches": batches, "held_out": random_ids(2, 8, 31), "folder": None}
    call |= {"after_step": do_nothing, "progress": False}
    takes = {"held_out": "None", "folder": "None text", "after_step": "None"}
    yield Example(train_elsewhere, call, takes)


@functools.wraps(loop.train)
def train_elsewhere(**arguments):
    """Train as the arguments say, in a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        return loop.train(**arguments)


def do_nothing(row, model):
    """Be called after a step."""


def of_settings():
    """Yield the examples of settings, runs and optimizers."""
    call = {field.name: field.default for field in dataclasses.fields(TrainingSettings)}
    call |= {"schedule_steps": 2000}
    takes = MAY_BE_0 | {"schedule_steps": "None", "max_grad_norm": "None", "betas": "0"}
    takes |= {"weight_decay": "0", "seed": "0"}
    yield Example(TrainingSettings, call, takes)
    call = {"config": TINY, "settings": tiny_settings(), "batch_size": 4, "model": GPTLMHeadModel}
    call |= {"transformer": GPTModel, "initial_std": 0.02, "residual_scaling": True}
    call |= {"bad_step": 3, "n_unique": 200}
    takes = {"transformer": "None", "initial_std": "None", "bad_step": "None 0", "n_unique": "None"}
    yield Example(Run, call, takes)
    run = Run(**call)
    yield Example(run.with_seed, {"seed": 3}, {"seed": "0"})
    yield Example(run.stopped_after, {"n_steps": 3}, {"n_steps": "None"})
    yield Example(run.batches, {"tokens": TOKENS}, {"tokens": "-1 huge"})
    yield Example(optimizers.learning_rate, {"step": 3, **SCHEDULE}, MAY_BE_0 | {"step": "0"})
    call = {"model": tiny_model(), "weight_decay": 0.1, "decay_embeddings": False}
    yield Example(optimizers.parameter_groups, call, {"weight_decay": "0"})


def of_lora():
    """Yield the examples of lora."""
    generator = torch.Generator().manual_seed(0)
    call = {"model": tiny_model(), "rank": 2, "alpha": 1.5, "layers": ("c_attn", "c_fc")}
    takes = {"alpha": "None", "generator": "None"}
    yield Example(lora.add_lora, call | {"generator": generator}, takes)
    yield Example(lora.merge_lora, {"model": lora.add_lora(tiny_model(), 2)})
    yield Example(lora.count_trained, {"model": tiny_model()})


def of_memory():
    """Yield the examples of memory."""
    yield Example(memory.state_bytes, {"precision": "mixed"})
    call = {"n_parameters": 100, "strategy": "zero1", "n_gpus": 3, "precision": "mixed"}
    yield Example(memory.training_bytes, call)
    call = {"n_parameters": 100, "strategy": "fsdp", "n_gpus": 3, "bytes_per_value": 2}
    yield Example(memory.communicated_bytes, call)
    yield Example(memory.activation_bytes, {"config": TINY, "batch_size": 2, "n_tokens": 8})


def of_preferences():
    """Yield the examples of preferences."""
    ids = 6 + random_ids(2, 8, 25)
    ids[:, 3] = 5
    answer = {"marker": 5, "padding": 30, "end_is_padding": False}
    call = {"model": tiny_model(), "ids": ids, **answer}
    yield Example(preferences.answer_log_probability, call, {"padding": "0 -1"})
    takes = {"marker": "0", "padding": "0 -1"}
    yield Example(
        preferences.PreferenceLoss, {"reference": tiny_model(), "beta": 0.1, **answer}, takes
    )
    pairs = -torch.rand(3, 2)
    call = {"policy": pairs, "reference": pairs - 1, "beta": 0.1}
    yield Example(preferences.dpo_loss, call)
