"""How a reader's function is called: it may not call what solves it, and it changes nothing."""

import contextlib
import copy
import inspect
import math
import os
import random
import sys
import threading

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from gpt_helpers.exercises.comparing import Mistake


def default_device():
    """Return the device of new tensors, which torch 2.9 does not say once it has been reset."""
    return torch.empty(0).device


def reset_device(device):
    """Make this the default device of new tensors again, if another one is."""
    if default_device() != device:
        torch.set_default_device(None if device.type == "cpu" else device)


SETTINGS = (  # of the whole process, that a function may change: how each is read, and set
    (torch.get_default_dtype, torch.set_default_dtype),
    (default_device, reset_device),
    (torch.is_grad_enabled, torch.set_grad_enabled),
    (
        lambda: torch.is_autocast_enabled("cpu"),
        lambda is_on: torch.set_autocast_enabled("cpu", is_on),
    ),
    (torch.get_num_threads, torch.set_num_threads),
    (torch.are_deterministic_algorithms_enabled, torch.use_deterministic_algorithms),
    (torch.get_float32_matmul_precision, torch.set_float32_matmul_precision),
    (torch.get_rng_state, torch.set_rng_state),
    (np.random.get_state, np.random.set_state),
    (np.geterr, lambda handling: np.seterr(**handling)),
    (random.getstate, random.setstate),
    (sys.getrecursionlimit, sys.setrecursionlimit),
    (os.getcwd, os.chdir),
)


def tried(function, case, names, solutions, operations=(), most_numbers=None):
    """Return what function returns for a case; raise Mistake if it does what it may not.

    names are those of its arguments, none of which may change. solutions are those of the
    exercise in SOLUTIONS, operations those of Operations, and most_numbers is that of graded.
    """
    arguments = copy.deepcopy(case)
    largest = most_numbers(*case) if most_numbers else math.inf
    watch = Operations(largest, operations) if operations else contextlib.nullcontext()
    with put_back(), refused(solutions), watch:
        found = function(*arguments)
    for name, argument, value in zip(names, arguments, case, strict=True):
        if not is_same(argument, value):
            raise Mistake("argument changed", found=name)
    if found is None:
        raise Mistake("nothing returned")
    return found


@contextlib.contextmanager
def put_back():
    """Put SETTINGS back as they were, whatever the block does to them."""
    before = [(put, read()) for read, put in SETTINGS]
    try:
        yield
    finally:
        for put, value in before:
            put(value)


@contextlib.contextmanager
def refused(solutions):
    """Raise Mistake after a block that calls one of the solutions, in this or a new thread.

    They are {function: parameter}, as in SOLUTIONS.
    """
    watched, called = {}, []
    for function, parameter in solutions.items():
        watched[inspect.unwrap(function).__code__] = function.__qualname__, parameter

    def watch(frame, event, argument):
        if event == "call" and frame.f_code in watched:
            name, parameter = watched[frame.f_code]
            if parameter is None:
                called.append(f"{name}()")
            elif frame.f_locals[parameter] is not None:
                called.append(f"{name}({parameter}=...)")

    before = sys.getprofile(), threading.getprofile()
    threading.setprofile(watch)
    sys.setprofile(watch)
    try:
        yield
    finally:
        sys.setprofile(before[0])
        threading.setprofile(before[1])
    if called:
        raise Mistake("not your own", found=called[0])


class Operations(TorchDispatchMode):
    """Raises Mistake after a block with a refused operation, or with a tensor of too many floats.

    largest is how many numbers a tensor that an operation forms may have. refused are parts of
    the names of operations, such as "softmax".
    """

    def __init__(self, largest, refused=("attention",)):
        """Begin with nothing seen."""
        super().__init__()
        self.largest, self.refused, self.mistakes = largest, refused, []

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        """Do the operation, and look at what it is and what it forms."""
        results = operation(*args, **(kwargs or {}))
        self.look_at(operation.name().removeprefix("aten::"), results)
        return results

    def look_at(self, name, results):
        """Note what is not allowed. A view, such as one that is spread out, takes no memory."""
        if any(part in name for part in self.refused):
            self.mistakes.append(Mistake("not your own", found=name))
        for x in results if isinstance(results, tuple | list) else [results]:
            is_dense = isinstance(x, torch.Tensor) and x.layout == torch.strided
            if is_dense and x.is_floating_point():
                held = min(x.numel(), x.untyped_storage().nbytes() // x.itemsize)
                if held > self.largest:
                    self.mistakes.append(Mistake("whole matrix", found=tuple(x.shape)))

    def __exit__(self, kind, error, trace):
        """End, and raise the first Mistake unless there is another error."""
        super().__exit__(kind, error, trace)
        if kind is None and self.mistakes:
            raise self.mistakes[0]


def is_same(found, value):
    """Return whether an argument is as it was; functions, which have no equals, always are."""
    if isinstance(value, torch.Tensor):
        is_tensor = isinstance(found, torch.Tensor) and found.shape == value.shape
        return is_tensor and torch.equal(found, value)
    if isinstance(value, dict):
        return list(found) == list(value) and all(is_same(found[key], value[key]) for key in value)
    if isinstance(value, list | tuple):
        return len(found) == len(value) and all(map(is_same, found, value))
    return callable(value) or found == value
