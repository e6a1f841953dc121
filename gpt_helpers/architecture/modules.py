"""A model as a whole: its mode, where its weights lie, and where they are looked up."""

import contextlib
import threading

import torch
from torch.nn.modules.module import _has_any_global_hook

from gpt_helpers.tensor_checks import check_module

BLOCKS = []  # the blocks of evaluating that are open, each {module: the mode it was found in}
OPEN_STEPS = []  # the training steps being taken, each (its thread, the set of its modules)
LOCK = threading.Condition(threading.RLock())  # held while modes and steps are noted and changed


@torch.no_grad()
def store_by_columns(model):
    """Store each matrix (out, in) with out > in column by column, in place, and return model.

    No value changes, no name and no shape, only strides. To multiply one token, the processor
    then adds up long columns, in place of many short products of rows; for matrices that are
    not wider at their output, rows are as good. benchmarks/generation.py measures it. For small
    models that generate: with eight tokens at a time, rows are the faster at the widths of
    GPT-2, and looking up embeddings in a training step becomes slower.

    Raises ValueError unless model is a module.
    """
    check_module("model", model)
    for parameter in model.parameters():
        if parameter.ndim == 2 and parameter.shape[0] > parameter.shape[1]:
            parameter.data = parameter.data.T.contiguous().T
    return model


@contextlib.contextmanager
def fast_attribute_lookup(model):
    """Let every module find its weights, sub-modules and forward at once; then all is as before.

    nn.Module keeps its parts in dicts of its own, in which Python looks after everything else
    has failed, and a call first looks for hooks. Here parts are plain attributes as well, and a
    module that has no hook when this begins is its forward. Nothing is copied. For a step of
    one token through a small model, that is a fifth of the time.

    Raises ValueError unless model is a module.
    """
    check_module("model", model)
    parts = [(vars(module), parts_of(module)) for module in model.modules()]
    for attributes, own in parts:
        attributes.update(own)
    try:
        yield
    finally:
        for attributes, own in parts:
            for name in own:
                attributes.pop(name, None)


def parts_of(module):
    """Return {name: part} of what a call of the module looks up."""
    kinds = "_forward_pre_hooks", "_forward_hooks", "_backward_pre_hooks", "_backward_hooks"
    is_hooked = _has_any_global_hook() or any(getattr(module, kind) for kind in kinds)
    parts = module._parameters | module._modules
    return parts if is_hooked else parts | {"_call_impl": module.forward}


@contextlib.contextmanager
def evaluating(model):
    """Put every module into eval mode, and afterwards back into the mode it was in.

    Blocks may overlap, in one thread or in several: a module is put back when the last of them
    ends. Until then it drops nothing in any thread, so a training step refuses it; one that
    another thread has begun is waited for.

    Raises ValueError unless model is a module.
    """
    check_module("model", model)
    with LOCK:
        found = {module: module.training for module in model.modules()}
        LOCK.wait_for(lambda: not is_trained_elsewhere(found))
        found = {module: module.training for module in found}
        BLOCKS.append(found)
        model.eval()
    try:
        yield
    finally:
        with LOCK:
            place = [block is found for block in BLOCKS].index(True)
            del BLOCKS[place]
            for module, mode in found.items():
                # A block that began later and is still open puts the module back in our place.
                later = next((block for block in BLOCKS[place:] if module in block), None)
                if later is None:
                    module.training = mode
                else:
                    later[module] = mode


def is_trained_elsewhere(modules):
    """Return whether another thread is taking a training step with one of the modules."""
    here = threading.get_ident()
    return any(thread != here and not own.isdisjoint(modules) for thread, own in OPEN_STEPS)


@contextlib.contextmanager
def taking_step(model):
    """Take one training step in this block: no other thread changes the mode of a module in it.

    Raises ValueError while a block of evaluating is open, in which the model drops nothing.
    """
    check_module("model", model)
    modules = set(model.modules())
    with LOCK:
        if any(not modules.isdisjoint(block) for block in BLOCKS):
            raise ValueError(
                "the model is being evaluated, or generates, and drops nothing meanwhile; "
                "train it when that has ended, or a copy of it (copy.deepcopy)"
            )
        OPEN_STEPS.append((threading.get_ident(), modules))
    try:
        yield
    finally:
        with LOCK:
            OPEN_STEPS.remove((threading.get_ident(), modules))
            LOCK.notify_all()


@contextlib.contextmanager
def hooked(before=(), after=()):
    """Have hooks called before and after the forward of modules, inside of the block.

    Both are lists of (module, hook), which is given the module, its arguments, those by name,
    and after it the result. What another thread computes meanwhile calls none of them.
    """
    ours = {"with_kwargs": True}
    handles = [
        *(
            module.register_forward_pre_hook(in_this_thread(hook), **ours)
            for module, hook in before
        ),
        *(module.register_forward_hook(in_this_thread(hook), **ours) for module, hook in after),
    ]
    for module, _ in (*before, *after):
        vars(module).pop("_call_impl", None)  # it may be at hand for another thread
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def in_this_thread(function):
    """Return a function that does what function does in this thread, and nothing in any other."""
    thread = threading.get_ident()
    return lambda *args: function(*args) if threading.get_ident() == thread else None


def check_model(model, name="model"):
    """Raise ValueError unless model, the argument of this name, is a language model."""
    if not isinstance(model, torch.nn.Module) or not hasattr(model, "config"):
        raise ValueError(f"{name} is a {type(model).__name__}; it must be a GPTLMHeadModel")
