"""What a tensor, a module, a generator or a device must be, by checks like those of validation."""

import torch
from torch import nn


def check_module(name, value):
    """Raise ValueError unless value is an nn.Module."""
    if not isinstance(value, nn.Module):
        raise ValueError(f"{name} is a {type(value).__name__}; it must be an nn.Module")


def check_tensor(name, value, axes, integers=False, floats=False, empty=True, meta=False):
    """Raise ValueError unless value is a tensor of these axes, such as "(B, T)" or "(..., V)".

    integers asks for a dtype that an embedding can look up, int64 or int32; floats for a
    floating one. empty says whether it may be without elements, meta whether without values.
    """
    if not isinstance(value, torch.Tensor):
        kind = "tensor of integers" if integers else "tensor"
        raise ValueError(f"{name} is a {type(value).__name__}; make it a {kind} {axes}")
    if not is_plain(value) or (value.is_meta and not meta):
        check_plain(name, value, meta)
    n_axes = axes.count(",") + 1 - axes.endswith(",)")
    fits = value.ndim >= n_axes - 1 if axes.startswith("(...") else value.ndim == n_axes
    if not fits or not (empty or value.numel()):
        wanted = axes if empty else f"{axes}, with at least one element"
        raise ValueError(f"{name} has shape {tuple(value.shape)}; it must be {wanted}")
    if integers and value.dtype not in (torch.int64, torch.int32):
        raise ValueError(f"{name} has dtype {value.dtype}; convert it with .long()")
    if floats and not value.is_floating_point():
        raise ValueError(f"{name} has dtype {value.dtype}; convert it with .float()")


def is_plain(x):
    """Return whether a tensor is one block of numbers that PyTorch can add up.

    Sparse and nested tensors, and floats of 8 bits or fewer, lack most operations.
    """
    is_dense = x.layout == torch.strided and not x.is_nested
    return is_dense and (x.dtype.itemsize > 1 or not x.is_floating_point())


def check_plain(name, value, meta=False):
    """Raise ValueError unless a tensor is_plain and has values; meta says that it need not."""
    if value.is_meta and not meta:
        raise ValueError(f"{name} is on the meta device, without values; give one on the CPU")
    if value.is_nested or value.layout != torch.strided:
        kind = "nested" if value.is_nested else str(value.layout).removeprefix("torch.")
        remedy = ".to_padded_tensor(0)" if value.is_nested else ".to_dense()"
        raise ValueError(f"{name} is {kind}; convert it with {remedy}")
    if not is_plain(value):
        raise ValueError(f"{name} has dtype {value.dtype}, only for storing; use .float()")


def check_values(name, model):
    """Raise ValueError unless a model has values, as none has on the meta device."""
    if any(parameter.is_meta for parameter in model.parameters()):
        raise ValueError(f"{name} is on the meta device, without values; load or make it anew")


def check_generator(value):
    """Raise ValueError unless value is a torch.Generator, or None for the global one."""
    if value is not None and not isinstance(value, torch.Generator):
        raise ValueError(f"generator={value!r} must be a torch.Generator, or None")


def check_device(name, value):
    """Return the kind of a device, such as "cpu"; raise ValueError unless this machine has it."""
    try:
        device = torch.device(value)
        torch.zeros(1, device=device).tolist()
    except (AssertionError, NotImplementedError, RuntimeError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"{name}={value!r} cannot be used here ({reason}); try 'cpu'") from error
    return device.type
