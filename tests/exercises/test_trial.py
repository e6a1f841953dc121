"""A reader's function is watched while it runs, and what it sets is put back."""

import os
import random
import sys
import threading

import numpy as np
import pytest
import torch

from gpt_helpers.exercises import checks, trial
from gpt_helpers.exercises.comparing import Mistake
from gpt_helpers.exercises.trial import Operations, refused, tried
from tests.exercises.test_checks import RIGHT, all_checks


def ready(x, twice=None):
    """Return x, or twice x: the solution of an exercise."""
    return 2 * x if twice else x


def mistake_in(function, solutions):
    """Return what the Mistake of a function says, tried with 1, or None."""
    try:
        tried(function, (1,), ("x",), solutions)
    except Mistake as mistake:
        return mistake.facts["found"]
    return None


def test_a_function_of_the_book_may_be_called_but_not_with_what_solves_the_exercise():
    assert mistake_in(lambda x: ready(x) + ready(x), {ready: "twice"}) is None
    assert mistake_in(lambda x: ready(x, 1), {ready: "twice"}) == "ready(twice=...)"
    assert mistake_in(lambda x: ready(x), {ready: None}) == "ready()"


def test_a_thread_that_the_function_starts_is_watched_too():
    def answer(x):
        thread = threading.Thread(target=ready, args=(x, 1))
        thread.start()
        thread.join()
        return 2

    assert mistake_in(answer, {ready: "twice"}) == "ready(twice=...)"


def test_watching_ends_with_the_call():
    before = sys.getprofile(), threading.getprofile()
    with refused({ready: None}):
        assert sys.getprofile() is threading.getprofile() is not before[0]
    with pytest.raises(ValueError, match="stop"), refused({ready: None}):
        raise ValueError("stop")
    assert (sys.getprofile(), threading.getprofile()) == before


def test_tensors_of_floats_are_measured_that_take_memory():
    x = torch.ones(4, 4)
    with Operations(largest=16):
        x.expand(9, 4, 4)  # a view
        torch.ones(99, dtype=torch.bool)
        x + 1
    with pytest.raises(Mistake, match="whole matrix"), Operations(largest=15):
        x + 1
    with pytest.raises(Mistake, match="whole matrix"), Operations(largest=99):
        torch.outer(torch.ones(10), torch.ones(10))
    with pytest.raises(ZeroDivisionError), Operations(largest=15):
        x + 1 / 0


def numbers_drawn():
    """Return the next number of each global generator, which it moves on."""
    return torch.rand(1).item(), np.random.rand(), random.random()


CHANGES = {
    "dtype": lambda: torch.set_default_dtype(torch.float64),
    "device": lambda: torch.set_default_device("meta"),
    "gradients": lambda: torch.set_grad_enabled(False),
    "autocast": lambda: torch.set_autocast_enabled("cpu", True),
    "threads": lambda: torch.set_num_threads(torch.get_num_threads() + 1),
    "algorithms": lambda: torch.use_deterministic_algorithms(True),
    "precision": lambda: torch.set_float32_matmul_precision("medium"),
    "seed": lambda: torch.manual_seed(7),
    "draws": numbers_drawn,
    "errors of NumPy": lambda: np.seterr(all="raise"),
    "recursion": lambda: sys.setrecursionlimit(999),
    "folder": lambda: os.chdir("/"),
}


def settings():
    """Return all settings of this process in a form that can be compared."""
    return [repr(read()) for read, _ in trial.SETTINGS] + [torch.get_rng_state().tolist()]


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("change", CHANGES)
def test_a_setting_does_not_outlive_the_check(change, fails):
    def answer(*arguments):
        CHANGES[change]()
        if fails:
            raise KeyboardInterrupt
        return 1

    before = settings()
    assert checks.bits_from_nats(answer) != "correct"
    assert settings() == before
    assert torch.ones(1).device.type == "cpu"


def test_a_default_device_of_the_page_stays():
    torch.set_default_device("meta")
    try:
        with trial.put_back():
            torch.set_default_device("cpu")
        assert torch.ones(1).is_meta
    finally:
        torch.set_default_device(None)


@pytest.mark.parametrize("check", all_checks(), ids=lambda check: check.__name__)
def test_a_check_leaves_the_random_numbers_of_the_page_as_they_are(check):
    torch.manual_seed(3)
    before = torch.get_rng_state()
    check(RIGHT[check][0])
    assert torch.equal(torch.get_rng_state(), before)
