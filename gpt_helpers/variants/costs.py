"""What a token costs a model of any family: FLOPs, and bytes of its keys and values.

The conventions are those of scaling_laws.counts, which counts GPT-2. A model may be on the
meta device.
"""

import torch.nn as nn

from gpt_helpers.architecture.model import GPTLMHeadModel
from gpt_helpers.validation import check_instance, check_integer
from gpt_helpers.variants.mlps import Experts
from gpt_helpers.variants.windows import window_of


def forward_flops(model, n_tokens):
    """Return the forward FLOPs per token in a sequence of n_tokens tokens.

    Only matrix products count, at 2 FLOPs per product of two numbers; of experts, the chosen
    ones; of attention the full square, in layers with a window all queries by so many keys, and
    values by their own width, without what fills latent ones up.

    Raises ValueError unless n_tokens is 1 to n_positions.
    """
    check_instance("model", model, GPTLMHeadModel)
    config = model.config
    widths = config.head_width + getattr(config, "value_width", config.head_width)
    read = sum(keys_read(model, n_tokens))
    return 2 * active_weights(model) + 2 * read * config.n_head * widths


def cache_bytes(model, n_tokens, bytes_per_value):
    """Return the bytes of the keys and values of n_tokens tokens, for one sequence.

    Of latent attention it is the bytes of what is kept in their place. Of a layer with a window
    it is what it reads: a KVCache here keeps the rest too. Errors are those of forward_flops.
    """
    check_instance("model", model, GPTLMHeadModel)
    bytes_per_value = check_integer("bytes_per_value", bytes_per_value, at_least=1)
    kept = model.config.key_heads * sum(model.config.cached_widths)
    return kept * sum(keys_read(model, n_tokens)) * bytes_per_value


def keys_read(model, n_tokens):
    """Return, for each layer, how many keys the last of n_tokens tokens may read."""
    n_tokens = check_integer("n_tokens", n_tokens, at_least=1)
    if n_tokens > model.config.n_positions:
        raise ValueError(
            f"n_tokens={n_tokens} is more than n_positions={model.config.n_positions}; use fewer"
        )
    return [min(n_tokens, window_of(block) or n_tokens) for block in model.transformer.h]


def active_weights(model):
    """Return the number of weights of matrices that a token is multiplied by."""
    weights = matrix_weights(model)
    for module in model.modules():
        if isinstance(module, Experts):
            idle = len(module.experts) - module.n_experts_per_token
            weights -= idle * matrix_weights(module.experts[0])
    return weights


def matrix_weights(module):
    """Return the number of weights of the Linear layers of a module, without their biases."""
    return sum(part.weight.numel() for part in module.modules() if isinstance(part, nn.Linear))
