"""A right call of each door of gpt_helpers.scaling_laws."""

import numpy as np

from gpt_helpers.config import GPTConfig
from gpt_helpers.scaling_laws import counts, data_limits, fits, isoflop, laws, planner
from tests.helpers.misuse import Example

TRUSTING = {
    "gpt_helpers.scaling_laws.isoflop.Minimum": "what profile_minimum returns; nobody makes one",
}
TINY = GPTConfig(50, 16, n_embd=4, n_layer=1, n_head=2)
LAW = laws.FITS["refit"]
SIZES, TOKENS = np.array([1e5, 2e5, 4e5, 1e6, 2e6, 3e6]), np.array([9e6, 5e6, 8e6, 1e6, 7e6, 2e6])

SHAPES = "axis-more axis-less empty"  # laws take arrays of any shape


def examples():
    """Yield the examples."""
    yield from of_counts()
    yield from of_laws()
    yield from of_fits()
    yield from of_profiles()


def of_counts():
    """Yield the examples of parameters, FLOPs and bytes."""
    for door in (counts.count_parameters, counts.non_embedding_parameters):
        yield Example(door, {"config": TINY})
    yield Example(counts.parameters_by_module, {"config": TINY})
    length = {"config": TINY, "n_positions": 8, "causal": True}
    for door in (counts.flops_by_module, counts.flops_per_token):
        yield Example(door, length, {"n_positions": "None"})
    yield Example(counts.training_flops, length, {"n_positions": "None", "causal": "None"})
    kept = {"config": TINY, "n_tokens": 3, "bytes_per_value": 2}
    yield Example(counts.kv_cache_bytes, kept, {"n_tokens": "0"})


def of_laws():
    """Yield the examples of published laws, and of plans by them."""
    yield Example(laws.compute_optimal, {"flops": 1e20, "fit": "printed"})
    budgets = {"flops": np.array([1e20, 1e21]), "fit": LAW}
    yield Example(laws.compute_optimal, budgets, {"flops": SHAPES})
    any_text = {"E": "0", "source": "unknown empty", "flag": "unknown empty"}
    yield Example(laws.LossLaw, dict(vars(LAW)), any_text)
    yield Example(laws.kaplan_optimal, {"flops": 1e20})
    yield Example(laws.law_of, {"fit": "refit"})
    yield Example(data_limits.effective_amount, {"amount": 9.0, "unique": 3.0, "decay": 2.0})
    used = {"loss": 2.2, "n_inference_tokens": 1e9, "fit": "refit"}
    yield Example(data_limits.inference_optimal, used, {"n_inference_tokens": "0"})
    gpu = {"peak_flops": 1e15, "utilization": 0.4, "memory_bytes": 80e9, "price_per_hour": 2.0}
    yield Example(planner.Gpu, gpu)
    budget = {"flops": 1e20, "law": LAW, "gpu": planner.Gpu(), "n_gpus": 2, "precision": "mixed"}
    yield Example(planner.plan, budget, {"gpu": "None"})


def of_fits():
    """Yield the examples of laws that are fitted to runs."""
    runs = np.stack([SIZES, TOKENS, LAW.loss(SIZES, TOKENS)], axis=1)
    fit = {"runs": runs, "form": "additive", "delta": 1e-3, "start": LAW}
    yield Example(fits.fit_loss_law, fit, {"start": "None"})
    drawn = {"runs": runs, "law": LAW, "n_samples": 1, "seed": 1, "delta": 1e-3}
    yield Example(fits.bootstrap_laws, drawn, {"seed": "0"})
    new = {"runs": runs.tolist(), "law": LAW, "laws": [LAW], "n_params": 1e7, "n_tokens": TOKENS}
    new_takes = {"seed": "0", "laws": "empty", "n_tokens": SHAPES}
    yield Example(fits.predicted_losses, new | {"seed": 1}, new_takes)
    yield Example(fits.interval, {"values": [1.0, 2.0], "share": 0.5})
    repeated = [[1e6, 4e6, 2e6, 3.2], [1e6, 9e6, 2e6, 3.1]]
    yield Example(fits.fit_tokens_decay, {"law": LAW, "runs": repeated})


def of_profiles():
    """Yield the examples of iso-FLOP profiles."""
    profile = {"n_params": [1e5, 1e6, 1e7, 1e8], "losses": [4.0, 3.0, 3.5, 5.0], "n_sizes": 3}
    yield Example(isoflop.lowest_minimum, profile)
    yield Example(isoflop.fit_power, {"amounts": [1.0, 2.0], "values": np.array([3.0, 5.0])})
