"""What the tests of training share: tiny models, their data and settings, and a run that stops."""

import dataclasses
import functools
import signal
import subprocess
import sys
import time

import pytest
import torch

from gpt_helpers.architecture.model import GPTLMHeadModel
from gpt_helpers.config import GPTConfig
from gpt_helpers.experiments.tuning import SETUP
from gpt_helpers.text.batches import Batches
from gpt_helpers.text.corpus import is_held_out
from gpt_helpers.training.loop import train
from gpt_helpers.training.settings import TrainingSettings
from gpt_helpers.variants.gpt1 import GPT1Model
from gpt_helpers.variants.modern import ModernLMHeadModel
from tests.helpers.reference import random_ids

TINY = GPTConfig(vocab_size=31, n_positions=12, n_embd=16, n_layer=2, n_head=2, dropout=0.0)
TOKENS = random_ids(1, 600, TINY.vocab_size)[0]
KINDS = {
    "gpt": GPTLMHeadModel,
    "gpt1": functools.partial(GPTLMHeadModel, transformer=GPT1Model),
    "modern": ModernLMHeadModel,
}


class StoppedError(Exception):
    """What stops a run in the tests."""


def tiny_model(kind="gpt", seed=0, **changes):
    """Return a new model in train mode; changes are fields of its config."""
    torch.manual_seed(seed)
    return KINDS[kind](dataclasses.replace(TINY, **changes))


def brief_setup():
    """Return the Setup of tuning with every training and every test tiny."""
    names = ("pretraining", "full", "lora", "preference")
    short = {
        name: dataclasses.replace(getattr(SETUP, name), total_steps=2, warmup_steps=1)
        for name in names
    }
    config = dataclasses.replace(SETUP.config, n_embd=16, n_layer=1)
    sizes = {"n_tests": 20, "n_examples": 30, "batch_size": 8}
    return dataclasses.replace(SETUP, config=config, **sizes, **short)


def tiny_batches(batch_size=4, tokens=TOKENS):
    """Return batches (batch_size, 8)."""
    return Batches(tokens, batch_size, 8)


def tiny_settings(**changes):
    """Return the settings of six steps, of which each is saved."""
    defaults = {"total_steps": 6, "warmup_steps": 2, "evaluate_every": 2, "save_every": 1}
    return TrainingSettings(**defaults | changes)


def stop_after(step):
    """Return an after_step that ends the run after a step, counted from 1."""

    def after_step(row, model):
        if row["step"] == step:
            raise StoppedError

    return after_step


def run_until(step, *arguments, **options):
    """Train, and stop after a step."""
    with pytest.raises(StoppedError):
        train(*arguments, after_step=stop_after(step), **options)


def weights_of(model):
    """Return a copy of the weights by name."""
    return {name: weight.detach().clone() for name, weight in model.named_parameters()}


def are_equal(first, second):
    """Return whether two dicts hold the same tensors, bit for bit."""
    return first.keys() == second.keys() and all(
        first[name].dtype == second[name].dtype and torch.equal(first[name], second[name])
        for name in first
    )


def furthest(first, second):
    """Return the largest difference between the tensors of two dicts."""
    assert first.keys() == second.keys()
    return max((first[name] - second[name]).abs().max().item() for name in first)


def without_seconds(log):
    """Return a log without the times, which no two runs share."""
    return [{key: value for key, value in row.items() if key != "seconds"} for row in log]


def write_corpus(folder):
    """Write a corpus of a dozen small Python files, one of them held out, and return folder."""
    names = [f"m{number}.py" for number in range(200)]
    chosen = [name for name in names if not is_held_out(name)][:11]
    chosen.append(next(filter(is_held_out, names)))
    folder.mkdir()
    for number, name in enumerate(chosen):
        lines = [f"def add_{i}(x):\n    return x + {i * number}\n\n\n" for i in range(20)]
        (folder / name).write_text("".join(lines), encoding="utf-8")
    return folder


def smoke_arguments(folder, corpus, *more):
    """Return the arguments of a command line that trains a very small model."""
    places = ["--folder", str(folder), "--corpus", str(corpus)]
    return ["--preset", "smoke", *places, "--device", "cpu", "--threads", "1", *map(str, more)]


def start_training(arguments, errors):
    """Start the command line in a process of its own; what it reports goes to the file errors."""
    command = [sys.executable, "-m", "gpt_helpers.training", *arguments]
    return subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=errors,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell may ignore it
    )


def has_within(seconds, condition, process):
    """Return whether a condition came true while the process lived; raise after so many seconds."""
    end = time.monotonic() + seconds
    while not condition():
        if process.poll() is not None:
            return condition()
        if time.monotonic() > end:
            raise TimeoutError(f"not within {seconds} s")
        time.sleep(0.0005)
    return True
