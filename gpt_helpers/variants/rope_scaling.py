"""Rotary frequencies for texts that are longer than those of the first training.

In shapes, P is the number of pairs of a head that turn. A ramp gives which share of its frequency
each pair keeps; that depends on how often it turned in the original_positions tokens of the first
training.
"""

import functools
import math

import torch

from gpt_helpers.validation import check_fields, check_integer, check_real
from gpt_helpers.variants.rotary import rotary_angles

OFTEN, ONCE = 32, 1  # turns between which YaRN keeps a part of a frequency


def rescaled(frequencies, config, ramp):
    """Return the frequencies (P,) for texts that are config.rope_factor times longer.

    A pair that hardly turned in config.original_positions tokens is slowed down by rope_factor;
    of one that turned often, the frequency is kept. ramp(frequencies, config) returns the shares
    (P,) that are kept. Source: peng2023yarn.
    """
    kept = ramp(frequencies, config)  # (P,)
    return frequencies * (kept + (1 - kept) / config.rope_factor)  # (P,)


def llama3_ramp(frequencies, config):
    """Return the shares (P,) that Llama 3 keeps: from 0, at one turn, to 1, at four.

    Source: grattafiori2024llama3, sec. 3.2.
    """
    turns = frequencies * config.original_positions / (2 * math.pi)  # (P,)
    return ((turns - 1) / (4 - 1)).clamp(0, 1)  # (P,)


def yarn_ramp(frequencies, config, whole_pairs=False):
    """Return the shares (P,) that YaRN keeps: 1 of pairs that turned often, then evenly less.

    whole_pairs says whether the ramp begins and ends at whole pairs. Source: peng2023yarn.
    """
    first, last = yarn_ends(len(frequencies), config, whole_pairs)
    pairs = torch.arange(len(frequencies)).type_as(frequencies)  # (P,)
    slowed = (pairs - first) / max(last - first, 1e-3)  # (P,)
    return 1 - slowed.clamp(0, 1)  # (P,)


def yarn_ends(n_pairs, config, whole_pairs=False):
    """Return at which pairs the ramp begins and ends: where one turned OFTEN, and ONCE.

    Neither end need be a pair that there is. That the last is at most 2P - 1, not P - 1, is so
    in the published code.
    """
    pairs_per_logarithm = n_pairs / math.log(config.rotary_base)
    first, last = (
        pairs_per_logarithm * math.log(config.original_positions / (2 * math.pi * turns))
        for turns in (OFTEN, ONCE)
    )
    if whole_pairs:
        first, last = math.floor(first), math.ceil(last)
    return max(first, 0), min(last, 2 * n_pairs - 1)


def llama3_rotation(position_ids, config):
    """Return the cosines and sines (N, 1, T, P) of positions (N, T), for whole heads of Llama 3.

    config has rotary_base, rope_factor and original_positions; a factor of 1 leaves the
    frequencies as they are.
    """
    check_has_rope(config)
    rescale = functools.partial(rescaled, config=config, ramp=llama3_ramp)
    return rotary_angles(position_ids, config.head_width, config.rotary_base, rescale)


def yarn_attention_factor(rope_factor):
    """Return by how much longer queries and keys are where texts are rope_factor times longer.

    Scores grow by the square of it, so that the softmax over more keys stays as sharp.

    Raises ValueError unless rope_factor is a number of at least 1. Source: peng2023yarn.
    """
    check_real("rope_factor", rope_factor, at_least=1)
    return 0.1 * math.log(rope_factor) + 1


def check_has_rope(config):
    """Raise ValueError unless config has what its rotation is computed from."""
    names = ("head_width", "rotary_base", "rope_factor", "original_positions")
    missing = [name for name in names if not hasattr(config, name)]
    if missing:
        raise ValueError(f"config={config!r} has no {missing[0]}; pass one such as LlamaConfig()")


def check_rope(config):
    """Raise ValueError unless config says for how much longer texts its frequencies are."""
    check_fields(config, check_real, "rope_factor", at_least=1)
    check_fields(config, check_integer, "original_positions", at_least=1)


def check_yarn(config, width, whole_pairs=False):
    """Raise ValueError unless YaRN's ramp falls, over the pairs of so wide a head."""
    check_rope(config)
    first, last = yarn_ends(width // 2, config, whole_pairs)
    if first > last and config.rope_factor > 1:
        found = "none turned once" if last <= 0 else f"all turned {OFTEN} times"
        raise ValueError(
            f"original_positions={config.original_positions} with rotary_base={config.rotary_base}:"
            f" of {width // 2} pairs {found}, and YaRN has nothing to choose by;"
            f" use {'more' if last <= 0 else 'fewer'} positions, or rope_factor=1"
        )
