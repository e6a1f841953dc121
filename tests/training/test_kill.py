"""A run that is killed, at any moment, goes on as if nothing had happened.

It is killed while it writes, and at any other moment. To kill it 20 times, as each week:

    KILLS=20 python -m pytest -s tests/training/test_kill.py
"""

import os
import signal
import time

import numpy as np

from gpt_helpers.training.__main__ import main
from gpt_helpers.training.checkpoint import FILE_NAME
from gpt_helpers.weights.sealed import read_sealed
from tests.helpers.runs import (
    are_equal,
    has_within,
    smoke_arguments,
    start_training,
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
