"""First weights, drawn so that a seed gives those with which the recorded runs began.

When they were recorded, the rotary families stood on GPT-2's own parts, whose weights were
drawn and thrown away. No such part is made any more; its random numbers are passed over.
"""

import torch

from gpt_helpers.architecture.model import init_weights


def draw_weights(model):
    """Draw the first weights of the embedding and of the blocks of a RotaryModel, as GPT-2's."""
    config, std = model.config, model.config.initializer_range
    pass_over_positions(config)
    init_weights(model.wte, std, residual_std=std)
    pass_over_positions(config)
    init_weights(model.h, std, residual_std=std / (2 * config.n_layer) ** 0.5)


def pass_over_positions(config):
    """Pass over the random numbers of GPT-2's table of positions."""
    torch.randn(config.n_positions, config.n_embd)


def pass_over_head(config):
    """Pass over the random numbers of GPT-2's head."""
    torch.rand(config.vocab_size, config.n_embd)


def pass_over_attention(config):
    """Pass over the random numbers of the two projections of GPT-2's attention."""
    stacked = config.n_embd + 2 * config.key_width
    for shape in ((stacked, config.n_embd), (stacked,), (config.n_embd,) * 2, (config.n_embd,)):
        torch.rand(shape)
