"""Every door of the package refuses bad input by a sentence that names it."""

import functools
import importlib
import inspect

import pytest
import torch

from tests.helpers import misuse
from tests.helpers.misuse import Example


@functools.cache
def examples_of(room):
    """Return the examples of a room, or of a module beside the rooms."""
    torch.manual_seed(0)
    return list(importlib.import_module(f"tests.examples.{room}").examples())


def trusting(room):
    """Return {door: why} of the doors of a room that trust their callers, who have checked."""
    return getattr(importlib.import_module(f"tests.examples.{room}"), "TRUSTING", {})


@pytest.mark.parametrize("name", misuse.doors())
def test_a_door_refuses_bad_input(name):
    room = name.split(".")[1]
    if name in trusting(room):
        pytest.skip(trusting(room)[name])
    examples = [each for each in examples_of(room) if f"{each.name}.".startswith(f"{name}.")]
    assert examples, f"tests/examples/{room}.py has no call of {name}"
    for example in examples:
        assert misuse.outcome(example.door, misuse.fresh(example.arguments)) is None
    found = [
        complaint
        for example in examples
        for parameter in example.arguments
        for complaint in misuse.complaints(example, parameter)
    ]
    assert not found, "\n".join(found)
    given = {parameter for each in examples if each.name == name for parameter in each.arguments}
    assert wanted(door_of(name)) <= given, f"no example gives {wanted(door_of(name)) - given}"


def counting_rooms():
    """Return the rooms whose doors return numbers, or take many."""
    return ("config", "evaluation", "optimization", "scaling_laws", "tasks", "training", "variants")


@pytest.mark.parametrize("room", counting_rooms())
def test_a_door_counts_with_a_number_of_numpy_as_with_one_of_python(room):
    found = [fault for example in examples_of(room) for fault in misuse.miscounts(example)]
    assert not found, "\n".join(found)


def test_a_door_that_miscounts_is_found_out():
    assert misuse.miscounts(Example(lambda n: 2 * n, {"n": 100}))
    assert misuse.miscounts(Example(lambda x: x**2, {"x": 1e3}))
    assert not misuse.miscounts(Example(lambda n: 2 * int(n), {"n": 100}))


def test_few_doors_trust_their_callers():
    names = misuse.doors()
    trusted = [name for name in names if name in trusting(name.split(".")[1])]
    assert len(trusted) <= 0.06 * len(names)


def door_of(name):
    """Return the function or class of this dotted name."""
    module, _, name = name.rpartition(".")
    return getattr(importlib.import_module(module), name)


def wanted(door):
    """Return the names of the parameters of a door."""
    parameters = inspect.signature(door).parameters.values()
    return {
        each.name for each in parameters if each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)
    }


def root(x, n=2):
    """Return the n-th root of x, carelessly."""
    if x < 0:
        raise ValueError("too small")
    return x ** (1 / n)


def stolen(names):
    """Take the first of the names, then refuse the rest."""
    names.pop(0)
    raise ValueError(f"names={names} are too many")


def test_a_careless_door_is_found_out():
    found = misuse.complaints(Example(root, {"x": 4.0, "n": 2}, {"x": "0 inf"}), "n")
    assert any("n: 0): not a ValueError" in each for each in found)  # ZeroDivisionError
    assert any("n: -1): taken, without a word" in each for each in found)
    found = misuse.complaints(Example(root, {"x": 4.0, "n": 2}, {"x": "0 inf nan"}), "x")
    assert any("x: -1): neither the parameter nor the value is named" in each for each in found)
    assert not any("x: 0)" in each or "x: nan)" in each for each in found)
    found = misuse.complaints(Example(stolen, {"names": ["a", "b"]}), "names")
    assert any(
        "names: none-inside): its arguments are not what they were" in each for each in found
    )


def test_what_an_example_says_is_taken_must_be_taken():
    found = misuse.complaints(Example(root, {"x": 4.0}, {"x": "-1"}), "x")
    assert any("x: -1): the example says that it is taken" in each for each in found)


def test_a_door_that_hangs_is_stopped():
    def wait(n):
        while n:
            pass

    misuse.SECONDS, before = 0.2, misuse.SECONDS
    try:
        assert isinstance(misuse.outcome(wait, {"n": 1}), TimeoutError)
    finally:
        misuse.SECONDS = before
