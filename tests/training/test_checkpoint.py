"""A run that stops and goes on is, bit for bit, one that never stopped; another is refused."""

import functools

import pytest
import torch

from gpt_helpers.text.batches import fixed_windows
from gpt_helpers.training.checkpoint import FILE_NAME, TrainingState, identity_of
from gpt_helpers.training.loop import Trainer, train
from gpt_helpers.weights.sealed import read_sealed, write_sealed
from tests.helpers.reference import random_ids, refused
from tests.helpers.runs import (
    TOKENS,
    are_equal,
    run_until,
    stop_after,
    tiny_batches,
    tiny_model,
    tiny_settings,
    weights_of,
    without_seconds,
)

HELD_OUT = fixed_windows(TOKENS, 8, 4)
RUNS = {
    "adamw": ({}, {}),
    "muon": ({}, {"optimizer": "muon"}),
    "four passes": ({"dropout": 0.2}, {"accumulation": 4}),
    "dropout": ({"dropout": 0.3}, {}),
    "wsd, not clipped": ({}, {"schedule": "wsd", "max_grad_norm": None}),
    "bfloat16": ({}, {"precision": "bfloat16"}),
    "float16": ({"dropout": 0.1}, {"precision": "float16"}),
    "float16, muon": ({}, {"precision": "float16", "optimizer": "muon"}),
    "modern": ({"kind": "modern"}, {"optimizer": "muon"}),
    "gpt1": ({"kind": "gpt1", "dropout": 0.1}, {}),
    "saved at every second step": ({"dropout": 0.1}, {"save_every": 2}),
}


def parts_of(name, **changes):
    """Return new (model, batches, settings) of a run."""
    model, settings = RUNS[name]
    return tiny_model(**model), tiny_batches(), tiny_settings(**settings | changes)


@functools.cache
def whole_run(name):
    """Return the weights and the log of a run that was never stopped, and kept no checkpoint."""
    model, batches, settings = parts_of(name)
    log = train(model, batches, settings, held_out=HELD_OUT)
    return weights_of(model), without_seconds(log)


@pytest.mark.parametrize("name", RUNS)
@pytest.mark.parametrize("stops", [[1], [3], [5], [2, 3, 5]], ids=str)
def test_a_run_that_stops_and_goes_on_is_one_that_never_stopped(tmp_path, name, stops):
    for stop in stops:
        run_until(stop, *parts_of(name), held_out=HELD_OUT, folder=tmp_path)
    torch.manual_seed(99)  # what the generator of the program holds does not matter
    model, batches, settings = parts_of(name)
    if (tmp_path / FILE_NAME).exists():
        model.transformer.wte.weight.data.zero_()  # nor do the weights that it begins with
    log = train(model, batches, settings, held_out=HELD_OUT, folder=tmp_path)
    weights, expected = whole_run(name)
    assert are_equal(weights_of(model), weights)
    assert without_seconds(log) == expected
    seconds = [row["seconds"] for row in log]
    assert seconds == sorted(seconds)


def test_the_scale_of_float16_goes_on_where_it_was(tmp_path, monkeypatch):
    growing = functools.partial(torch.amp.GradScaler, init_scale=2.0**8, growth_interval=2)
    monkeypatch.setattr(torch.amp, "GradScaler", growing)
    for stop in (1, 4):
        run_until(stop, *parts_of("float16"), folder=tmp_path)
    train(*parts_of("float16"), folder=tmp_path)
    scaler = read_sealed(tmp_path / FILE_NAME)[1]["scaler"]
    assert (scaler["scale"], scaler["_growth_tracker"]) == (2.0**11, 0)  # doubled three times


def test_what_the_stopped_run_had_learned_is_not_learned_again(tmp_path):
    run_until(3, *parts_of("adamw"), folder=tmp_path)
    steps = []
    train(*parts_of("adamw"), folder=tmp_path, after_step=lambda row, _: steps.append(row["step"]))
    assert steps == [4, 5, 6]


def test_only_every_so_many_steps_and_the_last_are_saved(tmp_path):
    saved = []

    def after_step(row, model):
        path = tmp_path / FILE_NAME
        saved.append(len(read_sealed(path)[1]["log"]) if path.exists() else 0)

    model, batches, settings = parts_of("adamw", save_every=4)
    train(model, batches, settings, folder=tmp_path, after_step=after_step)
    assert saved == [0, 0, 0, 4, 4, 6]


def test_a_run_that_is_complete_is_not_trained_again(tmp_path):
    model, batches, settings = parts_of("dropout")
    log = train(model, batches, settings, folder=tmp_path)
    before = (tmp_path / FILE_NAME).read_bytes()
    again = parts_of("dropout")[0]
    assert train(again, batches, settings, folder=tmp_path, after_step=stop_after(6)) == log
    assert are_equal(weights_of(again), weights_of(model))
    assert (tmp_path / FILE_NAME).read_bytes() == before


def test_the_checkpoint_holds_weights_and_states_by_name_and_no_random_state(tmp_path):
    model, batches, settings = parts_of("muon")
    train(model, batches, settings, folder=tmp_path)
    tensors, facts = read_sealed(tmp_path / FILE_NAME)
    names = dict(model.named_parameters()).keys()
    hidden = {n for n in names if ".h." in n and n.endswith("weight") and "ln_" not in n}
    expected = set(names) | {f"momentum_buffer/{name}" for name in hidden}
    for key in ("exp_avg", "exp_avg_sq", "step"):
        expected |= {f"{key}/{name}" for name in names - hidden}
    assert tensors.keys() == expected
    assert facts.keys() == {"identity", "log", "scaler"}
    assert tensors["step/transformer.wpe.weight"] == 6
    assert facts["identity"] == identity_of(model, batches, settings)


def test_a_new_folder_begins_a_new_run(tmp_path):
    trainer = Trainer(tiny_model(), tiny_settings())
    state = TrainingState(trainer.model, trainer.optimizers, trainer.scaler, {})
    assert state.restore(None) == []
    assert state.restore(tmp_path) == []
    assert state.restore(tmp_path / "none") == []
    assert list(tmp_path.iterdir()) == []


OTHERS = {
    "learning rate": ({"settings": {"max_lr": 1e-3}}, "max_lr=0.003, here 0.001"),
    "steps": ({"settings": {"total_steps": 9}}, "total_steps=6, here 9"),
    "betas": ({"settings": {"betas": (0.9, 0.99)}}, r"betas=\[0.9, 0.95\], here \[0.9, 0.99\]"),
    "seed": ({"settings": {"seed": 1}}, "seed=0, here 1"),
    "optimizer": ({"settings": {"optimizer": "muon"}}, "optimizer='adamw', here 'muon'"),
    "passes": ({"settings": {"accumulation": 2}}, "accumulation=1, here 2"),
    "width": ({"model": {"n_embd": 32}}, "n_embd=16, here 32"),
    "dropout": ({"model": {"dropout": 0.1}}, "dropout=0.0, here 0.1"),
    "activation": ({"model": {"activation": "relu"}}, "activation='gelu', here 'relu'"),
    "class": ({"model": {"kind": "modern"}}, "model='GPTLMHeadModel', here 'ModernLMHeadModel'"),
    "blocks": ({"model": {"kind": "gpt1"}}, r"model: it lacks \[\] and has .*ln_f"),
    "text": ({"batches": {"tokens": random_ids(1, 600, 31, seed=8)[0]}}, "first batch='"),
    "batch size": ({"batches": {"batch_size": 8}}, "first batch='"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_the_checkpoint_of_another_run_is_refused_and_nothing_is_changed(tmp_path, name):
    run_until(2, *parts_of("adamw"), folder=tmp_path)
    path = tmp_path / FILE_NAME
    saved, (changes, message) = path.read_bytes(), OTHERS[name]
    model = tiny_model(**{"seed": 7} | changes.get("model", {}))
    batches = tiny_batches(**changes.get("batches", {}))
    settings = tiny_settings(**changes.get("settings", {}))
    before = weights_of(model)
    refused(rf"{FILE_NAME} is of another .*{message}", train, model, batches, settings,
            folder=tmp_path)  # fmt: skip
    assert are_equal(weights_of(model), before)
    assert path.read_bytes() == saved
    train(*parts_of("adamw"), folder=tmp_path)  # it still serves its own run


def test_several_differences_are_named_and_the_remedy(tmp_path):
    run_until(2, *parts_of("adamw"), folder=tmp_path)
    message = "seed=0, here 3; train into another folder"
    settings = tiny_settings(max_lr=1e-3, seed=3)
    refused(message, train, tiny_model(), tiny_batches(), settings, folder=tmp_path)


def test_a_damaged_checkpoint_is_refused_and_nothing_is_changed(tmp_path):
    run_until(2, *parts_of("adamw"), folder=tmp_path)
    path = tmp_path / FILE_NAME
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data)
    model, batches, settings = parts_of("adamw")
    before = weights_of(model)
    refused("was altered", train, model, batches, settings, folder=tmp_path)
    assert are_equal(weights_of(model), before)
    path.write_bytes(data[:-40])
    refused("cut short", train, model, batches, settings, folder=tmp_path)
    write_sealed(path, {}, {"log": []})
    refused("is no checkpoint of a training run", train, model, batches, settings, folder=tmp_path)


def test_states_that_do_not_fit_are_refused_before_a_weight_is_changed(tmp_path):
    model, batches, settings = parts_of("adamw")
    train(model, batches, settings, folder=tmp_path)
    path = tmp_path / FILE_NAME
    tensors, facts = read_sealed(path)
    wrong = {
        "exp_avg/transformer.wpe.weight": torch.ones(3, 3),
        "exp_avg/transformer.other": torch.ones(3),
        "step/transformer.other": torch.tensor(1.0),
    }
    for name, tensor in wrong.items():
        write_sealed(path, tensors | {name: tensor}, facts)
        fresh = tiny_model(seed=7)
        before = weights_of(fresh)
        refused("of another model", train, fresh, batches, settings, folder=tmp_path)
        assert are_equal(weights_of(fresh), before)


def test_a_checkpoint_of_another_dtype_is_refused_and_changes_nothing(tmp_path):
    run_until(3, tiny_model(), tiny_batches(), tiny_settings(), folder=tmp_path)
    model = tiny_model().double()
    before = weights_of(model)
    message = "in torch.float32, the model in torch.float64; convert the model"
    refused(message, train, model, tiny_batches(), tiny_settings(), folder=tmp_path)
    assert are_equal(weights_of(model), before)


def test_states_of_weights_that_are_frozen_now_are_refused_before_a_weight_is_changed(tmp_path):
    model, batches, settings = parts_of("adamw")
    run_until(2, model, batches, settings, folder=tmp_path)
    fresh = tiny_model(seed=7)
    fresh.transformer.wpe.requires_grad_(False)
    before = weights_of(fresh)
    refused("of another model.*wpe", train, fresh, batches, settings, folder=tmp_path)
    assert are_equal(weights_of(fresh), before)


@pytest.mark.parametrize("name", ["log", "scaler", "identity"])
def test_a_checkpoint_that_lacks_a_fact_is_refused_before_a_weight_is_changed(tmp_path, name):
    model, batches, settings = parts_of("adamw")
    run_until(2, model, batches, settings, folder=tmp_path)
    tensors, facts = read_sealed(tmp_path / FILE_NAME)
    write_sealed(tmp_path / FILE_NAME, tensors, {k: v for k, v in facts.items() if k != name})
    fresh = tiny_model(seed=7)
    before = weights_of(fresh)
    refused(rf"it lacks \['{name}'\]", train, fresh, batches, settings, folder=tmp_path)
    assert are_equal(weights_of(fresh), before)
