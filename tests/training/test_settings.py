"""The settings of a run hold plain numbers, whatever they were given as."""

import dataclasses
import json

import numpy as np

from gpt_helpers.training.settings import TrainingSettings

PLAIN = {
    "total_steps": 40, "max_lr": 0.5, "min_lr": 0.25, "warmup_steps": 4, "schedule_steps": 80,
    "cooldown_share": 0.125, "muon_lr": 0.5, "betas": (0.5, 0.75), "epsilon": 0.125,
    "weight_decay": 0.5, "max_grad_norm": 2.0, "accumulation": 2, "evaluate_every": 10,
    "save_every": 20, "seed": 3,
}  # fmt: skip


def as_numpy(value):
    """Return a number, or each of a pair, as one of NumPy."""
    if isinstance(value, tuple):
        return tuple(map(as_numpy, value))
    return np.int64(value) if isinstance(value, int) else np.float32(value)


def test_numbers_of_numpy_are_kept_as_those_of_python():
    settings = TrainingSettings(**{name: as_numpy(value) for name, value in PLAIN.items()})
    assert settings == TrainingSettings(**PLAIN)
    for name, value in PLAIN.items():
        assert type(getattr(settings, name)) is type(value), name
    assert {type(beta) for beta in settings.betas} == {float}
    assert json.dumps(dataclasses.asdict(settings)) == json.dumps(
        dataclasses.asdict(TrainingSettings(**PLAIN))
    )


def test_every_number_of_the_settings_is_among_those_that_are_tried():
    named = {f.name for f in dataclasses.fields(TrainingSettings)}
    others = {"schedule", "optimizer", "precision", "decay_embeddings"}
    assert named - others == PLAIN.keys()
