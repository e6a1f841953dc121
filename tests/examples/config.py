"""A right call of each door of gpt_helpers.config."""

from gpt_helpers.config import GPTConfig
from tests.helpers.misuse import Example

SHAPE = {
    "vocab_size": 61, "n_positions": 12, "n_embd": 12, "n_layer": 2, "n_head": 4, "n_inner": 20,
    "n_kv_head": 2, "activation": "relu", "dropout": 0.1, "layer_norm_epsilon": 1e-5,
    "initializer_range": 0.02,
}  # fmt: skip


def examples():
    """Yield the examples."""
    takes = {"n_inner": "None", "n_kv_head": "None", "dropout": "0", "initializer_range": "0"}
    yield Example(GPTConfig, SHAPE, takes)
