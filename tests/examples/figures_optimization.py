"""A right call of each drawing of attention in tiles, and of generation."""

import torch

from gpt_helpers.config import GPTConfig
from gpt_helpers.figures.drawings import drafting, machine, passes, serving, tiling
from tests.helpers.misuse import Example


def examples():
    """Yield the examples."""
    yield Example(
        machine.memories,
        {"sizes": {"SRAM": "20 MB", "HBM": "80 GB"}, "bandwidths": {"SRAM": 2e13, "HBM": 2e12},
         "traffic": {"fused": 1e6}},
    )  # fmt: skip
    scores = {"scores": [0.5, 1.0, -1.0], "values": [1.0, 2.0, 3.0], "block_size": 2}
    yield Example(passes.online_softmax, scores)
    q, k, v = torch.randn(4, 3), torch.randn(4, 3), torch.randn(4, 2)
    yield Example(tiling.tiles_in_turn, {"q": q, "k": k, "v": v, "block_size": 2},
                  {"q": "integers", "k": "integers", "v": "integers"})  # fmt: skip
    config = GPTConfig(vocab_size=8, n_positions=4, n_embd=8, n_layer=1, n_head=4, n_kv_head=2)
    yield Example(serving.shared_heads, {"configs": {"GQA": config}})
    yield Example(serving.acceptance, {"p": [0.5, 0.5], "q": [0.9, 0.1]})
    row = {"drafted": ["a", "b"], "p": [0.5, 0.1], "q": [0.4, 0.6], "accepted": 1, "token": "c"}
    yield Example(drafting.drafts, {"prompt": "def ", "rounds": [row]}, {"prompt": "unknown empty"})
