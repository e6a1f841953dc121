"""A right call of each drawing of training."""

from gpt_helpers.figures.drawings import batching, holding, updates
from tests.helpers.misuse import Example


def examples():
    """Yield the examples."""
    windows = {"pieces": ["a", " b", "c", "d"], "places": [[1, 2, 3]]}
    yield Example(batching.windows, windows)
    yield Example(batching.accumulation, {"losses": [[1.0, 2.0], [3.0]], "n_passes": 2})
    yield Example(
        updates.training_step,
        {"loss": 6.9, "norm": 2.0, "gradient": 0.1, "weight": 0.02, "moments": [0.0, 1e-3],
         "step": 3, "lr": 1e-3, "betas": [0.9, 0.95], "weight_decay": 0.1, "max_norm": 1.0},
        {"gradient": "0 -1", "weight": "0 -1", "weight_decay": "0"},
    )  # fmt: skip
    yield Example(holding.state_of_training, {"precisions": ["mixed"], "n_parameters": 1000})
    yield Example(holding.shards, {"n_parameters": 1000, "n_gpus": 4, "strategies": ["ddp"]})
