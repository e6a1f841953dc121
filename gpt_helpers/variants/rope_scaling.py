"""Rotary frequencies for texts that are longer than those of the first training.

In shapes, P is the number of pairs of a head that turn. A ramp gives, for how often a pair turned
in the original_positions tokens of the first training, which share of its frequency is kept.
"""

import functools
import math

import torch

from gpt_helpers.validation import check_fields, check_integer, check_real
from gpt_helpers.variants.rotary import rotary_angles


def rescaled(frequencies, config, ramp):
    """Return the frequencies (P,) for texts that are config.rope_factor times longer.

    A pair that hardly turned in config.original_positions tokens is slowed down by rope_factor;
    of one that turned often, the frequency is kept. Source: peng2023yarn.
    """
    turns = frequencies * config.original_positions / (2 * math.pi)  # (P,)
    kept = ramp(turns)  # (P,)
    return frequencies * (kept + (1 - kept) / config.rope_factor)  # (P,)


def llama3_ramp(turns):
    """Return the shares (P,) that Llama 3 keeps: from 0, at one turn, to 1, at four.

    Source: grattafiori2024llama3, sec. 3.2.
    """
    return ((turns - 1) / (4 - 1)).clamp(0, 1)  # (P,)


def yarn_ramp(turns):
    """Return the shares (P,) that YaRN keeps: from 0, at one turn, to 1, at 32, along the pairs.

    The logarithm of its turns falls evenly from pair to pair. Source: peng2023yarn.
    """
    return (turns.log() / math.log(32)).clamp(0, 1)  # (P,)


def yarn_ramp_truncated(turns):
    """Return the shares (P,) of a yarn_ramp that begins and ends at whole pairs.

    It falls from 1, at the last pair of 32 turns or more, to 0, at the first of one or less.
    """
    pairs = torch.arange(len(turns), device=turns.device)  # (P,)
    first, last = ((turns >= 32).sum() - 1).clamp(min=0), (turns > 1).sum()
    return 1 - ((pairs - first) / (last - first).clamp(min=1)).clamp(0, 1)  # (P,)


def llama3_rotation(position_ids, config):
    """Return the cosines and sines (N, 1, T, P) of positions (N, T), for whole heads of Llama 3.

    config has rotary_base, rope_factor and original_positions; with a factor of 1 it is the
    rotation of every family that does not rescale its frequencies.
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
    """Raise ValueError unless config says how fast pairs turn, in texts of which length."""
    check_fields(config, check_real, "rotary_base", above=1)
    check_fields(config, check_real, "rope_factor", at_least=1)
    check_fields(config, check_integer, "original_positions", at_least=1)
