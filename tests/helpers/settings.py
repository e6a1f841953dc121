"""Settings that a family admits, drawn at random: odd shapes, and the ends of every range.

What a config has a choice of is drawn here, field by field; a field of no draw keeps its value of
tests/helpers/twins.py.
"""

import dataclasses
import random

from gpt_helpers.config import ACTIVATION_NAMES
from tests.helpers.twins import FAMILIES

NO_RAMP = "YaRN has nothing to choose by"


def drawn_config(name, seed):
    """Return a config of the family of this name, drawn by a seed from all that it admits."""
    rng = random.Random(f"{name} {seed}")
    while True:
        changes = {}
        for draw in DRAWS[name.split(",")[0]]:
            changes |= draw(rng, changes)
        try:
            return dataclasses.replace(FAMILIES[name].config, **changes)
        except ValueError as error:
            if NO_RAMP not in str(error):
                raise


def shape(rng, changes):
    """Draw the sizes that every family has."""
    n_head, width = rng.choice([1, 2, 3, 4, 6]), rng.choice([2, 4, 6, 12])
    return {
        "vocab_size": rng.choice([2, 7, 61]),
        "n_positions": rng.choice([1, 2, 5, 24, 40]),
        "n_embd": n_head * width,
        "n_layer": rng.choice([1, 2, 3, 7]),
        "n_head": n_head,
        "n_inner": rng.choice([None, 1, 7, 20]),
        "layer_norm_epsilon": rng.choice([1e-6, 1e-5, 1e-2]),
    }


def activations(rng, changes):
    """Draw the activation between two projections."""
    return {"activation": rng.choice(ACTIVATION_NAMES)}


def old_activations(rng, changes):
    """Draw an activation that GPT-1 of transformers has."""
    return {"activation": rng.choice(["gelu", "relu", "swish"])}


def groups(rng, changes):
    """Draw the number of key heads, from one for all to one for each."""
    n_head = changes["n_head"]
    divisors = [number for number in range(1, n_head + 1) if n_head % number == 0]
    return {"n_kv_head": rng.choice([None, *divisors])}


def windows(rng, changes):
    """Draw a window: one token, a few, all, or more than there are."""
    return {"window": rng.choice([1, 2, 3, changes["n_positions"], 1000])}


def rotations(rng, changes):
    """Draw the base of the frequencies."""
    return {"rotary_base": rng.choice([1.5, 10.0, 100, 10000.0, 500000.5])}


def partial_rotations(rng, changes):
    """Draw how many columns of a head turn; a head may be of odd width."""
    n_head, width = changes["n_head"], rng.choice([2, 4, 5, 7, 12])
    whole = [] if width % 2 else [None]
    turning = rng.choice([*whole, *range(2, width + 1, 2)])
    return {"n_embd": n_head * width, "rotary_width": turning}


def parallel_blocks(rng, changes):
    """Draw whether attention and MLP stand side by side."""
    return {"parallel": rng.choice([True, False])}


def factors(rng, changes):
    """Draw by how much texts become longer, if they do."""
    return {"rope_factor": rng.choice([1.0, 1.3, 2, 8.0, 40.0])}


def first_lengths(rng, changes):
    """Draw the length of the texts of the first training."""
    return {"original_positions": rng.choice([1, 7, 32, 128, 201, 512, 4096, 10**6])}


def head_widths(rng, changes):
    """Draw a width of heads that does not follow from the others."""
    return {"head_width": rng.choice([2, 4, 10, 16])}


def score_widths(rng, changes):
    """Draw what scores are scaled by."""
    return {"score_width": rng.choice([1, 7, 256])}


def window_bases(rng, changes):
    """Draw the base of the frequencies in layers with a window."""
    return {"window_base": rng.choice([1.5, 50.0, 10000.0])}


def experts(rng, changes):
    """Draw the number of experts, from one to all of which a token uses."""
    number = rng.choice([1, 2, 5, 8])
    return {"n_experts": number, "n_experts_per_token": rng.randint(1, number)}


def latents(rng, changes):
    """Draw the widths of latent attention."""
    plain, turning = rng.choice([1, 6]), rng.choice([2, 8])
    return {
        "query_latent": rng.choice([1, 11]),
        "key_latent": rng.choice([1, 9]),
        "plain_width": plain,
        "rotary_width": turning,
        "value_width": rng.choice([1, 2, plain + turning]),
    }


def grouped_experts(rng, changes):
    """Draw experts of groups, and how many layers have none."""
    n_groups, in_group = rng.choice([1, 2, 3]), rng.choice([2, 5])
    chosen = rng.randint(1, n_groups)
    return {
        "n_dense": rng.choice([0, 1, 9]),
        "dense_width": rng.choice([1, 20]),
        "n_groups": n_groups,
        "n_groups_chosen": chosen,
        "n_experts": n_groups * in_group,
        "n_experts_per_token": rng.randint(1, chosen * in_group),
        "routed_scaling_factor": rng.choice([0.5, 1.0, 2.5]),
    }


LLAMA = shape, groups, rotations
DRAWS = {
    "gpt1": (shape, old_activations),
    "gpt_neo": (shape, activations, windows),
    "gpt_j": (shape, activations, partial_rotations),
    "gpt_neox": (shape, activations, partial_rotations, parallel_blocks, rotations),
    "llama": (*LLAMA, factors, first_lengths),
    "mixtral": (*LLAMA, experts),
    "plamo": LLAMA,
    "qwen2": LLAMA,
    "olmo2": LLAMA,
    "qwen3": (*LLAMA, head_widths),
    "gemma2": (*LLAMA, head_widths, windows, score_widths),
    "gemma3": (*LLAMA, head_widths, windows, score_widths, window_bases, factors),
    "gpt_oss": (*LLAMA, head_widths, windows, experts, factors, first_lengths),
    "deepseek3": (shape, rotations, factors, first_lengths, latents, grouped_experts),
}
