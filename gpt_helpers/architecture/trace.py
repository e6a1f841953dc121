"""One forward pass as a list of steps: which module ran, on whose output, with what result.

The book's diagrams are drawn from these steps, so they show what the code does. What a pass
leaves behind, attention weights and results of modules, is recorded here too.
"""

import contextlib
import functools
import threading
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch.overrides import TorchFunctionMode

from gpt_helpers.architecture.modules import hooked, in_this_thread
from gpt_helpers.tensor_checks import check_module

SUMS = ("add", "add_", "__add__", "__radd__", "__iadd__")
RECORDING = threading.RLock()  # held while attention functions are replaced
LEAVES = ("Embedding", "LayerNorm", "GPTAttention", "GPTMLP", "Linear")


@dataclass(frozen=True)
class Step:
    """One step of a forward pass.

    name is the module's path ("h.0.attn") or "+" for a sum; kind its class name or "+".
    inputs are the numbers of the steps whose results it reads, None for what came from
    outside. shape is that of its result; n_parameters counts its own parameters.
    """

    name: str
    kind: str
    inputs: tuple[int | None, ...]
    shape: tuple[int, ...]
    n_parameters: int


def trace(model, *inputs, leaves=LEAVES):
    """Run model(*inputs) once and return its Steps in order.

    leaves names the classes to record as one step each; what lies inside them is not
    looked at. Sums of tensors outside of leaves are steps too, also those that are written into
    one of the two. Every other module or operation is taken as part of what surrounds it: its
    result counts as that of the first step it reads.
    """
    check_module("model", model)
    if not isinstance(leaves, list | tuple | set) or not all(type(name) is str for name in leaves):
        raise ValueError(f"leaves={leaves!r} must be a tuple of class names, such as {LEAVES}")
    recorder = Recorder(leaves)
    entered = [(module, recorder.enter) for module in model.modules()]
    left = [(module, recorder.leave(name)) for name, module in model.named_modules()]
    with torch.no_grad(), hooked(entered, left), recorder:
        model(*inputs)
    return recorder.steps


class Recorder(TorchFunctionMode):
    """Collects Steps from module hooks and from the sums that torch is asked for."""

    def __init__(self, leaves):
        """Start with nothing recorded."""
        super().__init__()
        self.leaves, self.depth = leaves, 0
        self.steps, self.origin, self.alive = [], {}, []

    def enter(self, module, inputs, keywords):
        """Note that a leaf, or something inside of one, begins."""
        self.depth += bool(self.depth or type(module).__name__ in self.leaves)

    def leave(self, name):
        """Return the hook that records the module of this name when it ends."""

        def hook(module, inputs, keywords, output):
            if self.depth:
                self.depth -= 1
                if not self.depth:
                    count = sum(parameter.numel() for parameter in module.parameters())
                    given = [*inputs, *keywords.values()]
                    self.record(name, type(module).__name__, self.read_of(given), output, count)

        return hook

    def __torch_function__(self, function, types, args=(), kwargs=None):
        """Run the operation, and record it if it is a sum of two tensors."""
        keywords = kwargs or {}
        read = tensors_in([args, keywords.get("input"), keywords.get("other")])
        result = function(*args, **keywords)
        if not self.depth and function.__name__ in SUMS and len(read) == 2:
            self.record("+", "+", read, result, 0)
        elif not self.depth:
            self.keep(result, next((n for n in self.origins(read) if n is not None), None))
        return result

    def read_of(self, given):
        """Return the tensors among the arguments of a module, and the results of steps in them.

        What a tuple holds from outside, such as angles of rotation, is a setting and no input.
        """
        return [
            tensor
            for value in given
            for tensor in tensors_in(value)
            if tensor is value or id(tensor) in self.origin
        ]

    def record(self, name, kind, read, output, n_parameters):
        """Append a Step that reads tensors, and remember that output is its result."""
        origins = self.origins(read)
        self.keep(output, len(self.steps))
        shape = next((tuple(tensor.shape) for tensor in tensors_in(output)), ())
        self.steps.append(Step(name, kind, origins, shape, n_parameters))

    def origins(self, tensors):
        """Return the numbers of the steps that made the tensors, None where there is none."""
        return tuple(self.origin.get(id(tensor)) for tensor in tensors)

    def keep(self, output, number):
        """Remember which step made the tensors of an output, and keep them and their ids alive."""
        if number is not None:
            for tensor in tensors_in(output):
                self.origin[id(tensor)] = number
                self.alive.append(tensor)


def tensors_in(values):
    """Return the tensors in a value that may hold others, in order, from the outside in."""
    if isinstance(values, torch.Tensor):
        return [values]
    if isinstance(values, dict):
        values = values.values()
    elif not isinstance(values, list | tuple):
        return []
    return [tensor for value in values for tensor in tensors_in(value)]


@contextlib.contextmanager
def recorded_attention(model, measure=None):
    """Collect the weights (B, H, T, S) of every attention call in the list that is yielded.

    They are those with which each layer reads its values, whatever its attention does to
    scores; what it reads of a sink is missing from the sum of a row. With measure, the list
    holds measure(q, k, padding, window) instead: of queries and keys as they come to the
    attention, which may do more than multiply them. Raises ValueError for a model without any.
    """
    modules = attending_modules(model)
    if measure is not None and not callable(measure):
        raise ValueError(f"measure={measure!r} must be a function, or None for the weights")
    collected = []
    collect = in_this_thread(collected.append)

    def recording(attend):
        def attend_and_record(q, k, v, padding=None, dropout=0.0, window=None, **others):
            if measure is None:
                bound = functools.partial(attend, padding=padding, window=window, **others)
                collect(weights_read(bound, q, k))
            else:
                collect(measure(q, k, padding, window))
            return attend(q, k, v, padding, dropout, window, **others)

        # The window of a layer may be bound to its attention: then it is an argument here too.
        if isinstance(attend, functools.partial):
            attend, bound = attend.func, attend.keywords
            return functools.partial(attend_and_record, **bound)
        return attend_and_record

    with RECORDING:
        originals = [module.attend for module in modules]
        for module, attend in zip(modules, originals, strict=True):
            module.attend = recording(attend)
        try:
            yield collected
        finally:
            for module, attend in zip(modules, originals, strict=True):
                module.attend = attend


def attending_modules(model):
    """Return the modules of a model that attend; raise ValueError if it has none."""
    check_module("model", model)
    found = [module for module in model.modules() if hasattr(module, "attend")]
    if not found:
        raise ValueError(f"model is a {type(model).__name__} without attention; give a GPT")
    return found


def weights_read(attend, q, k):
    """Return the weights (B, H, T, S) with which attend(q, k, v) reads its values.

    q is (B, H, T, D), k (B, G, S, D). A value that is 1 at one key, in a column of its own, and
    0 at all others comes out as the weight of that key: so it is with any attention, whether it
    has a window, a sink, a cap or none of them. Errors are those of attend.
    """
    n_keys, width = k.shape[2:]
    units = torch.eye(n_keys, dtype=k.dtype, device=k.device)  # (S, S)
    columns = F.pad(units, (0, -n_keys % width)).split(width, dim=1)
    read = [attend(q, k, values.expand_as(k)) for values in columns]
    return torch.cat(read, dim=-1)[..., :n_keys]  # (B, H, T, S)


@contextlib.contextmanager
def recorded_outputs(model, kind):
    """Collect the result of every module of the class named kind in the list that is yielded."""
    check_module("model", model)
    kinds = sorted({type(module).__name__ for module in model.modules()})
    if kind not in kinds:
        raise ValueError(f"kind={kind!r} is no module of this model; use one of {kinds}")
    collected = []

    def collect(module, inputs, keywords, output):
        collected.append(output)

    wanted = [module for module in model.modules() if type(module).__name__ == kind]
    with hooked(after=[(module, collect) for module in wanted]):
        yield collected
