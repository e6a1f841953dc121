"""Bad input, made from good: what each door of the package must refuse, and how.

A door is a public function or class that a notebook or another room imports, but for those that
check for others (CHECKING), whose bad input is what they are for. Each stands in
tests/examples/<room>.py with a right call, and from every argument of that call come bad ones:
of a wrong type, shape, dtype or range, without elements, with NaN. A door refuses each by a
ValueError or TypeError that names the parameter, and leaves its arguments as they were. The few
that it takes, such as 0 for no dropout, are written beside the call.
"""

import ast
import contextlib
import copy
import functools
import inspect
import numbers
import re
import signal
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from tests.helpers.book import ROOT, code_cells, notebooks, read_notebook

SECONDS = 100  # a call that takes longer than this hangs, even on a busy machine
CHECKING = (
    "commands.",
    "validation.",
    "tensor_checks.",
    "architecture.inputs.",
    "architecture.operands.",
    "check_",
)
ENOUGH = 60  # letters of a value in a message that name it


class Stranger:
    """An object that no function knows."""


@dataclass(frozen=True)
class Example:
    """A right call of a door, and the unusual values that it takes.

    arguments are given by name; takes gives for a parameter the labels, as bad_values has
    them, of values that look bad and are not: {"dropout": "0", "window": "None 0"}.
    """

    door: Any
    arguments: dict
    takes: dict = field(default_factory=dict)

    @property
    def name(self):
        """Return the module and the name of the door."""
        return f"{self.door.__module__}.{self.door.__qualname__}"


def doors():
    """Return the names of all doors, sorted, such as gpt_helpers.config.GPTConfig."""
    known = {name for path in package_files() for name in definitions(path)}
    used = set()
    for path in notebooks("ja"):
        cells = [without_magic(cell.source) for cell in code_cells(read_notebook(path))]
        used |= names_used("\n".join(cells))
    for path in package_files():
        room = module_of(path).split(".")[1]
        text = path.read_text("utf-8")
        used |= {name for name in names_used(text) if name.split(".")[1] != room}
    return sorted(name for name in known & used if not any(f".{part}" in name for part in CHECKING))


def package_files():
    """Return the paths of the modules of the package, without its __init__ and __main__."""
    paths = sorted((ROOT / "gpt_helpers").rglob("*.py"))
    return [path for path in paths if not path.name.startswith("__")]


def module_of(path):
    """Return the dotted name of a module of the package."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


@functools.cache
def definitions(path):
    """Return the dotted names of the public functions and classes of a module.

    No exceptions, and no parts of kernels: what Triton compiles, Python cannot call.
    """
    module = ast.parse(path.read_text("utf-8"))
    found = [
        node for node in module.body
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
        and "triton.jit" not in map(ast.unparse, node.decorator_list)
    ]  # fmt: skip
    return [f"{module_of(path)}.{node.name}" for node in found if not node.name.endswith("Error")]


def without_magic(source):
    """Return a cell without the lines that only IPython understands."""
    return re.sub(r"^\s*[%!].*$", "", source, flags=re.M)


def names_used(text):
    """Return the dotted names of what a text imports from gpt_helpers, or calls of a module."""
    tree = ast.parse(text)
    imports = [
        node for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("gpt_helpers")
    ]  # fmt: skip
    called = {
        alias.asname or alias.name: f"{node.module}.{alias.name}"
        for node in imports
        for alias in node.names
    }
    attributes = [
        f"{called[node.value.id]}.{node.attr}" for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and getattr(node.value, "id", None) in called
    ]  # fmt: skip
    return {*called.values(), *attributes}


# What is wrong with a value, by its kind. Labels are short, as they stand in the examples.


def bad_values(value):
    """Return {label: bad value} for the right value of an argument."""
    bad = {"None": None, "stranger": Stranger()}
    for kinds, wrong in KINDS:
        if isinstance(value, kinds):
            return bad | wrong(value)
    return bad | {"text": "seven", "number": 3}


def bad_flags(value):
    """Return what is no truth value."""
    return {"text": "no", "number": 2}


def bad_integers(value):
    """Return what is no integer, and integers that are seldom right."""
    wrong = {"text": "seven", "fraction": 1.5, "flag": True, "list": [value], "nan": np.nan}
    return wrong | {"0": 0, "-1": -1, "10**400": 10**400}


def bad_reals(value):
    """Return what is no finite number, and numbers that are seldom right."""
    wrong = {"text": "seven", "list": [value], "nan": np.nan, "inf": np.inf, "-inf": -np.inf}
    return wrong | {"0": 0.0, "-1": -1.0, "10**400": 10**400}


def bad_texts(value):
    """Return what is no text, and texts that are seldom right."""
    return {"number": 3, "bytes": b"seven", "unknown": "no such thing", "empty": ""}


def bad_paths(value):
    """Return what is no path, and one where nothing is."""
    return {"number": 3, "missing": Path("/no/such/place")}


def bad_tensors(value):
    """Return tensors of another shape, dtype or content, and what is no tensor."""
    wrong = {"text": "seven", "number": 3, "complex": value.to(torch.complex64)}
    wrong |= {"axis-more": value[None], "meta": value.to("meta")}
    if value.ndim:
        wrong |= {"empty": value[:0], "axis-less": value[0], "sparse": value.to_sparse()}
    if value.ndim > 1:
        wrong |= {"nested": torch.nested.nested_tensor(list(value), layout=torch.jagged)}
    if value.is_floating_point():
        wrong |= {"float8": value.to(torch.float8_e4m3fn)}
        return wrong | {"integers": value.long(), "nan": torch.full_like(value, torch.nan)}
    wrong |= {"floats": value.float()}
    if value.dtype == torch.bool:
        return wrong
    return wrong | {"-1": torch.full_like(value, -1), "huge": torch.full_like(value, 10**9)}


def bad_arrays(value):
    """Return arrays of another shape, dtype or content, and what is no array."""
    wrong = {"text": "seven", "objects": np.full(value.shape, Stranger())}
    wrong |= {"axis-more": value[None]}
    if value.ndim:
        wrong |= {"empty": value[:0], "axis-less": value[0]}
    if value.dtype.kind == "f":
        return wrong | {"nan": np.full_like(value, np.nan)}
    return wrong


def bad_sequences(value):
    """Return lists and tuples of another content, and what is none."""
    kind = list if isinstance(value, range) else type(value)
    wrong = {"number": 3, "empty": kind([]), "none-inside": kind([None, *value[1:]])}
    wrong |= {"strangers": kind([Stranger()] * len(value))}
    if value and isinstance(value[0], numbers.Real):
        wrong |= {"nan": kind([np.nan, *value[1:]]), "text-inside": kind(["seven", *value[1:]])}
    return wrong


def bad_dicts(value):
    """Return dictionaries of another content, and what is none."""
    wrong = {"text": "seven", "number": 3, "empty": {}, "none-inside": dict.fromkeys(value)}
    wrong |= {"mixed": {**value, 7: None, ("a", 1): None}}
    return wrong | {"strangers": {Stranger(): Stranger()}}


def bad_frames(value):
    """Return tables of another content, and what is none."""
    return {"text": "seven", "number": 3, "empty": value.iloc[:0], "bare": value.iloc[:, :0]}


def bad_modules(value):
    """Return another module, and what is none."""
    return {"text": "seven", "number": 3, "another": nn.Linear(2, 2)}


def narrow(value):
    """Return a number as the narrowest of NumPy that has its value, or nearly so; or None."""
    kinds = (np.float16, np.float32) if isinstance(value, float) else (np.int8, np.int16, np.int32)
    fitting = [kind for kind in kinds if abs(value) <= info_of(kind).max]
    return fitting[0](value) if fitting and fitting[0](value) else None


def info_of(kind):
    """Return the limits of a type of NumPy."""
    return np.finfo(kind) if issubclass(kind, np.floating) else np.iinfo(kind)


KINDS = (
    (bool, bad_flags),
    (numbers.Integral, bad_integers),
    (numbers.Real, bad_reals),
    (str, bad_texts),
    (Path, bad_paths),
    (torch.Tensor, bad_tensors),
    (np.ndarray, bad_arrays),
    ((list, tuple, range), bad_sequences),
    (dict, bad_dicts),
    (pd.DataFrame, bad_frames),
    (nn.Module, bad_modules),
)


# What a door does with it.


def complaints(example, parameter):
    """Return what is wrong with how a door meets each bad value of one parameter."""
    takes = example.takes.get(parameter, "").split()
    found = []
    for label, bad in bad_values(example.arguments[parameter]).items():
        arguments = fresh(example.arguments) | {parameter: bad}
        before = contents(arguments)
        fault = fault_of(outcome(example.door, arguments), parameter, bad, label in takes)
        if fault is None and label not in takes and contents(arguments) != before:
            fault = "its arguments are not what they were"
        if fault:
            found.append(f"{example.door.__qualname__}({parameter}: {label}): {fault}")
    return found


def fault_of(error, parameter, bad, is_taken):
    """Return what is wrong with an error, or with none, after a bad value; None if nothing is."""
    if is_taken:
        return error and f"the example says that it is taken: {error!r:.200}"
    if error is None:
        return "taken, without a word"
    if not isinstance(error, ValueError | TypeError):
        return f"not a ValueError or TypeError: {error!r:.200}"
    if not is_named(parameter, bad, str(error)):
        return f"neither the parameter nor the value is named: {error!r:.200}"
    return None


def is_named(parameter, bad, message):
    """Return whether a message has the name of the parameter, or the value as it is written."""
    written = repr(bad)[:ENOUGH]
    has_name = re.search(rf"(?<!\w){re.escape(parameter)}(?!\w)", message)
    return bool(has_name) or (len(written) > 5 and written in message)


def outcome(door, arguments):
    """Call a door, enter or begin what it returns, and return its error, or None."""
    try:
        with time_limit(SECONDS), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = door(**arguments)
            if inspect.isgenerator(result):
                next(result, None)
            elif isinstance(result, contextlib.AbstractContextManager):
                with result:
                    pass
    except Exception as error:
        return error
    return None


def miscounts(example):
    """Return where a door counts otherwise with a narrow number of NumPy than with Python's."""
    found = []
    for parameter, value in example.arguments.items():
        number = narrow(value) if type(value) in (int, float) else None
        if number is None:
            continue
        results = []
        for given in (number.item(), number.item(), number):
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    results.append(example.door(**fresh(example.arguments) | {parameter: given}))
            except Exception as error:
                results.append(repr(error))
        right, again, other = results
        if is_equal(right, again) and not is_equal(right, other):
            kind = type(number).__name__
            found.append(f"{example.door.__qualname__}({parameter}: {kind}): {other!r:.100}")
    return found


def is_equal(one, other):
    """Return whether two results are the same, in whatever kind of number."""
    if isinstance(one, torch.Tensor | np.ndarray):
        return type(one) is type(other) and one.shape == other.shape and bool((one == other).all())
    if isinstance(other, np.generic):
        return is_equal(one, other.item())  # in its own 16 bits all large numbers may be equal
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(is_equal, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(is_equal(one[key], other[key]) for key in one)
    return one is other or bool(one == other)


@contextlib.contextmanager
def time_limit(seconds):
    """Stop what runs inside, by a TimeoutError, after some seconds."""

    def stop(signum, frame):
        raise TimeoutError(f"not done after {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def fresh(arguments):
    """Return copies of arguments, so that no call sees what another did to them."""
    return {name: copied(value) for name, value in arguments.items()}


def copied(value):
    """Return a copy of a value, or the value itself where there is none, as of a lock."""
    if isinstance(value, torch.Generator):
        return value.clone_state()
    try:
        return copy.deepcopy(value)
    except (TypeError, RuntimeError):
        return value


def contents(value):
    """Return what a value holds, in a form that can be compared."""
    if isinstance(value, dict):
        return {str(key): contents(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [contents(part) for part in value]
    if isinstance(value, torch.Tensor):
        is_plain = value.layout == torch.strided and not value.is_meta
        return repr(value.detach().flatten().tolist()) if is_plain else repr(value)
    if isinstance(value, nn.Module):
        modes = [module.training for module in value.modules()]
        return contents([value.state_dict(), modes])
    if isinstance(value, np.ndarray | pd.DataFrame):
        return repr(np.asarray(value).tolist())
    return None
