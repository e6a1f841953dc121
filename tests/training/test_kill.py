"""What is killed, at any moment, leaves nothing half-written, and goes on as if nothing had been.

A training run, saves over older saves, and an experiment that appends to its record are killed
while they write, and at any other moment. To kill each of them 50 times:

    KILLS=50 python -m pytest -s tests/training/test_kill.py
"""

import multiprocessing
import os
import signal
import time

import numpy as np
import pytest
import torch

from gpt_helpers.experiments.records import Record, append_rows
from gpt_helpers.text.tokenizer import merges_of, train_tokenizer
from gpt_helpers.training.__main__ import main
from gpt_helpers.training.checkpoint import FILE_NAME
from gpt_helpers.weights.pretrained import load_gpt2, load_model, save_gpt2, save_model
from gpt_helpers.weights.sealed import read_sealed, write_sealed
from tests.helpers.reference import random_model
from tests.helpers.runs import (
    are_equal,
    has_within,
    smoke_arguments,
    start_training,
    weights_of,
    without_seconds,
    write_corpus,
)

KILLS = int(os.environ.get("KILLS", "2"))
SECONDS = 240


def version(path):
    """Return what changes whenever a file is replaced; None where there is none."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_mtime_ns


def kill_at_random(arguments, folder, rng, at_write, errors):
    """Train, kill the process after a few checkpoints, and return whether it was writing one."""
    path, partial = folder / FILE_NAME, folder / f"{FILE_NAME}.partial"
    partial.unlink(missing_ok=True)
    process = start_training(arguments, errors)
    try:
        for _ in range(rng.integers(1, 5)):
            before = version(path)
            assert has_within(SECONDS, lambda seen=before: version(path) != seen, process)
        if at_write:
            has_within(SECONDS, partial.exists, process)
        else:
            time.sleep(rng.uniform(0, 0.02))
    finally:
        process.kill()
        status = process.wait()
    assert status == -signal.SIGKILL, "it ended before it could be killed"
    return partial.exists()


def test_a_run_that_is_killed_again_and_again_ends_as_one_that_never_was(tmp_path):
    corpus, rng = write_corpus(tmp_path / "corpus"), np.random.default_rng(20)
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    options = [corpus, "--steps", 20 + 10 * KILLS]
    assert main(smoke_arguments(whole, *options)) == 0
    lengths, n_writing = [0], 0
    with open(tmp_path / "errors", "wb") as errors:
        arguments = smoke_arguments(broken, *options)
        for number in range(KILLS):
            n_writing += kill_at_random(arguments, broken, rng, number % 2 == 0, errors)
            lengths.append(len(read_sealed(broken / FILE_NAME)[1]["log"]))
    print(f"killed at steps {lengths[1:]}, {n_writing} of {KILLS} times while writing")
    assert lengths == sorted(set(lengths))  # each process came further than the one before
    assert not (broken / "log.csv").exists()
    assert main(smoke_arguments(broken, *options)) == 0
    (found, facts), (tensors, expected) = (read_sealed(f / FILE_NAME) for f in (broken, whole))
    assert are_equal(found, tensors)
    assert without_seconds(facts["log"]) == without_seconds(expected["log"])
    assert facts["identity"] == expected["identity"]
    weights = [read_sealed(folder / "model.safetensors") for folder in (broken, whole)]
    assert are_equal(weights[0][0], weights[1][0])
    assert weights[0][1] == weights[1][1]
    assert sorted(file.name for file in broken.iterdir()) == sorted(
        file.name for file in whole.iterdir()
    )


MODELS = [random_model(vocab_size=300, n_head=n_head, seed=n_head, std=0.1) for n_head in (2, 4)]
TOKENIZERS = [train_tokenizer([text * 9], 300) for text in ("the cat sat", "注意は自己注意")]


def named(model, tokenizer):
    """Return which model this is, and check that its tokenizer came with it."""
    number = int(model.config.n_head == 4)
    assert merges_of(tokenizer) == merges_of(TOKENIZERS[number])
    expected = {name: weight.half().float() for name, weight in weights_of(MODELS[number]).items()}
    found = {name: weight.half().float() for name, weight in weights_of(model).items()}
    assert are_equal(found, expected)
    return number


def checkpoint_in(path):
    """Return the number that a sealed file holds, in its facts and in its tensors."""
    tensors, facts = read_sealed(path)
    assert tensors["weight"].unique().tolist() == [facts["number"]]
    return facts["number"] % 2


SAVES = {
    "save_model": (
        lambda path, number: save_model(path, MODELS[number % 2], TOKENIZERS[number % 2]),
        lambda path: named(*load_model(path)),
    ),
    "save_gpt2": (
        lambda path, number: save_gpt2(path, MODELS[number % 2], TOKENIZERS[number % 2]),
        lambda path: named(*load_gpt2(path)),
    ),
    "checkpoint": (
        lambda path, number: write_sealed(
            path, {"weight": full(number)}, {"number": number, "log": list(range(999))}
        ),
        checkpoint_in,
    ),
}


def full(number):
    """Return a tensor of a quarter of a megabyte that holds one number."""
    return torch.full((256, 256), float(number))


def save_for_ever(name, path):
    """Save one model over the other, again and again."""
    number = 0
    while True:
        SAVES[name][0](path, number)
        number += 1


def killed_after(seconds, function, *arguments):
    """Run a function in a process of its own and kill it after so many seconds."""
    process = multiprocessing.get_context("fork").Process(target=function, args=arguments)
    process.start()
    time.sleep(seconds)
    process.kill()
    process.join()
    assert process.exitcode == -signal.SIGKILL, "it ended before it could be killed"


@pytest.mark.parametrize("name", SAVES)
def test_a_save_that_is_killed_leaves_one_of_the_models_whole(tmp_path, name):
    save, load = SAVES[name]
    path, rng, found, n_partial = tmp_path / "model", np.random.default_rng(5), [], 0
    save(path, 0)
    for _ in range(KILLS):
        killed_after(0.05 + rng.uniform(0, 0.3), save_for_ever, name, path)
        n_partial += any(tmp_path.rglob("*partial*"))
        found.append(load(path))
    print(f"{name}: model {found}, {n_partial} of {KILLS} times in the midst of a save")
    save(path, 1)  # what was left of the others is in no way
    assert load(path) == 1
    assert not any(tmp_path.rglob("*partial*"))


COLUMNS = ("run", "place", "value")
RECORD = Record("", ("run",), ("place", "value"), COLUMNS)


def rows_of(run):
    """Return the rows of a run, many of them, with numbers that need all of their digits."""
    return [{"run": run, "place": place, "value": 70687653888 + place} for place in range(50)]


def append_for_ever(path):
    """Append the rows of one run after another that a file lacks."""
    n_done = len({row["run"] for row in RECORD.rows(path)})
    append_rows(path, COLUMNS, rows_of, [f"run {n_done + more}" for more in range(9999)], 0)


def test_a_record_that_is_killed_while_it_grows_holds_whole_runs_and_goes_on(tmp_path):
    path, rng, lengths, n_partial = tmp_path / "record.csv", np.random.default_rng(6), [0], 0
    append_rows(path, COLUMNS, rows_of, ["run 0"], 0)
    before = path.read_bytes()
    for _ in range(KILLS):
        killed_after(0.1 + rng.uniform(0, 0.4), append_for_ever, path)
        n_partial += any(tmp_path.glob("*.partial"))
        assert path.read_bytes().startswith(before)  # nothing that was there is lost
        before = path.read_bytes()
        lengths.append(before.count(b"\n"))
    print(f"record: rows {lengths[1:]}, {n_partial} of {KILLS} times in the midst of a write")
    append_rows(path, COLUMNS, rows_of, ["the last"], 0)
    runs = [f"run {number}" for number in range((lengths[-1] - 1) // 50)]
    wanted = [
        row | {"value": float(row["value"])} for run in [*runs, "the last"] for row in rows_of(run)
    ]
    assert RECORD.rows(path) == wanted
    assert lengths == sorted(lengths)
    assert [file.name for file in tmp_path.iterdir()] == ["record.csv"]
