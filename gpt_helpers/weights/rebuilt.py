"""Whether a model is what its class makes of its config, for a file tells of nothing else."""

import functools

import torch

from gpt_helpers.architecture.attention import attention
from gpt_helpers.weights.sealed import check_shapes

HOOKS = "_forward_hooks", "_forward_pre_hooks"
TRIED_WIDTH = 16  # of the heads that a function of attention is tried on


def check_rebuilt(model, kind):
    """Raise ValueError unless kind(model.config) computes the same with the weights of the model.

    Parts, the shapes of their weights and their settings are compared. Functions of attention
    are tried, for several compute the same.
    """
    name = f"model, a {type(model).__name__},"
    with torch.device("meta"):
        twin = kind(model.config)
    built = dict(twin.named_modules())
    for place, part in model.named_modules():
        check_kind(f"{name} has {place or 'itself'}", part, built.get(place))
    check_shapes(dict(twin.named_parameters()), dict(model.named_parameters()), "model")
    for place, part in model.named_modules():
        check_same_settings(f"{name} has {place}", vars(part), vars(built[place]))
    attends = [vars(part)["attend"] for part in model.modules() if "attend" in vars(part)]
    for attend in dict.fromkeys(attends):
        check_causal(name, attend, model)


def check_kind(name, part, built):
    """Raise ValueError unless a part is of the class that was built, and runs nothing besides."""
    if type(part) is not type(built):
        found, needed = type(part).__name__, type(built).__name__
        raise ValueError(f"{name} as a {found}; one that is loaded has a {needed} there")
    if "forward" in vars(part) or any(vars(part)[hooks] for hooks in HOOKS):
        raise ValueError(f"{name} with hooks, or a forward of its own; remove them first")


def check_same_settings(name, found, built):
    """Raise ValueError unless the settings found in a part, {name: value}, are those built."""
    for key, value in built.items():
        is_setting = not key.startswith("_") and key not in ("training", "attend")
        if is_setting and not is_same_setting(found.get(key), value):
            raise ValueError(
                f"{name}.{key}={found.get(key)!r:.60}; one that is loaded has {value!r:.60}:"
                " build the model of a config that says so, or set it back"
            )


def is_same_setting(one, other):
    """Return whether two settings are equal; partials are if they call the same alike."""
    if isinstance(one, functools.partial) and isinstance(other, functools.partial):
        return (one.func, one.args, one.keywords) == (other.func, other.args, other.keywords)
    return type(one) is type(other) and one == other


def check_causal(name, attend, model):
    """Raise ValueError unless attend is causal attention, as far as n_positions tokens can tell."""
    config, weight = model.config, next(model.parameters())
    rows = torch.Generator().manual_seed(0)
    q, k, v = (
        torch.randn(1, heads, config.n_positions, TRIED_WIDTH, generator=rows).to(weight)
        for heads in (config.n_head, config.key_heads, config.key_heads)
    )
    try:
        with torch.no_grad():
            error = (attend(q, k, v) - attention(q, k, v)).abs().max().item()
    except (ImportError, RuntimeError, TypeError, ValueError) as failure:
        raise ValueError(f"{name} has an attend that fails here: {failure}") from failure
    if not error <= max(1e-4, 4 * torch.finfo(weight.dtype).eps):
        raise ValueError(
            f"{name} has attend={attend!r:.80}, which is not causal attention (off by {error:.1e});"
            " one that is loaded has that: set attend back"
        )
