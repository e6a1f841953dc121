"""How an exercise answers: in one line, correct or what is wrong."""

import functools

import torch

PASSED = "correct"


def answer(check):
    """Turn a check that raises into one that returns "correct" or "not yet: <reason>"."""

    @functools.wraps(check)
    def answered(function):
        try:
            check(function)
        except Exception as error:  # a reader's code may raise anything
            return f"not yet: {type(error).__name__}: {error}".rstrip(": ")
        return PASSED

    return answered


def expect(condition, reason):
    """Raise ValueError with the reason unless the condition holds."""
    if not condition:
        raise ValueError(reason)


def expect_tensor(found, shape, dtype=None):
    """Raise ValueError unless a reader's result is a tensor of this shape, and of this type."""
    expect(isinstance(found, torch.Tensor), f"returned {type(found).__name__}, not a tensor")
    expect(dtype in (None, found.dtype), f"the values are {found.dtype}, not {dtype}")
    expect(found.shape == shape, f"the shape is {tuple(found.shape)}, not {tuple(shape)}")
