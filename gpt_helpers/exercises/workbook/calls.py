"""The functions that a reader writes one after the other, and what each of them calls.

A reader's function finds those before it by their names, as globals of the notebook. Before it
is tried, those that it calls are: with one of them left, it cannot be right.
"""

import dis
import functools
import inspect
import types

from gpt_helpers.exercises.comparing import Mistake
from gpt_helpers.exercises.grading import graded, is_right, told

USES = {  # {name of a function that a reader writes: those before it that the solution calls}
    "softmax": (), "layer_norm": (), "gelu": (), "causal_mask": (),
    "attention": ("softmax", "causal_mask"), "split_heads": (), "join_heads": (),
    "multi_head": ("attention", "split_heads", "join_heads"), "mlp": ("gelu",),
    "block": ("layer_norm", "multi_head", "mlp"), "gpt": ("layer_norm", "block"),
    "loss": (), "with_temperature": (), "keep_top_k": (),
    "keep_top_p": ("softmax",), "generate": (),
    "attend_with_cache": ("attention",), "adamw_step": (), "learning_rate": (),
}  # fmt: skip
CHECK_OF = {}  # {name of a function that a reader writes: its check}, in the order of the page


def of_the_workbook(check):
    """Make check_x(function) the check of a reader's function x, and return it.

    It is asked once those functions that the reader's calls, of the ones before it, are right.
    """
    name = check.__name__.removeprefix("check_")

    @functools.wraps(check)
    def answer(function):
        left = first_left(function, name)
        return told(Mistake("left", found=left)) if left else check(function)

    CHECK_OF[name] = answer
    return answer


def own(exercise, function, right, cases, axes=()):
    """Return what graded says of a function of which every part must be the reader's own."""
    return graded(exercise, function, right, cases, axes, all_own=True)


def first_left(function, name):
    """Return the first function before name that function needs and that is not right, or None."""
    names = list(CHECK_OF)
    defined = getattr(inspect.unwrap(function), "__globals__", {})
    needed = needed_by(function, names[: names.index(name)], defined)
    return next((x for x in names if x in needed and not is_solved(x, defined)), None)


def needed_by(function, names, defined):
    """Return which of the names function calls, and what it calls, in {name: object}."""
    called = names_loaded(getattr(inspect.unwrap(function), "__code__", None)) & set(names)
    deeper = [needed_by(defined.get(x), names[: names.index(x)], defined) for x in called]
    return called.union(*deeper)


def is_solved(name, defined):
    """Return whether a reader's function of this name stands in {name: object} and is right."""
    return name in defined and is_right(CHECK_OF[name](defined[name]))


def names_loaded(code):
    """Return the names of globals that a code object loads, with the functions inside of it."""
    if code is None:
        return set()
    loaded = {each.argval for each in dis.get_instructions(code) if each.opname == "LOAD_GLOBAL"}
    inner = [part for part in code.co_consts if isinstance(part, types.CodeType)]
    return loaded.union(*map(names_loaded, inner))
