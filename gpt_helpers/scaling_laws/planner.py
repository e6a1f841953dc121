"""What a budget buys: size, tokens, memory, time and money, by any law. Imports no torch."""

import math
from dataclasses import dataclass

from gpt_helpers.scaling_laws.amounts import check_amounts
from gpt_helpers.training.memory import state_bytes
from gpt_helpers.validation import check_fields, check_instance, check_integer, check_real


@dataclass(frozen=True)
class Gpu:
    """A kind of GPU: peak FLOPs per second, the share reached, bytes, and price per hour."""

    peak_flops: float = 1e15
    utilization: float = 0.4
    memory_bytes: float = 80e9
    price_per_hour: float = 2.0

    def __post_init__(self):
        """Raise ValueError unless all is positive, and at most all of the peak is reached."""
        check_fields(self, check_real, *vars(self), above=0)
        check_fields(self, check_real, "utilization", at_most=1)

    def flops(self, gpu_hours):
        """Return the FLOPs that so many hours of one GPU give."""
        check_amounts(gpu_hours=gpu_hours)
        return self.peak_flops * self.utilization * 3600 * gpu_hours

    def flops_for(self, money):
        """Return the FLOPs that so much money buys."""
        check_amounts(money=money)
        return self.flops(money / self.price_per_hour)


def plan(flops, law, gpu=None, n_gpus=1, precision="mixed"):
    """Return what the best use of a training budget is by a law, as a dict.

    law has a method optimum, as laws.LossLaw and laws.JointLaw. "state_bytes" are those of
    weights, gradients and optimiser; activations come on top. "least_gpus" hold that state.
    Raises ValueError for amounts that are not positive.
    Source: hoffmann2022chinchilla, eq. 4; rajbhandari2020zero, sec. 3.1.
    """
    gpu = Gpu() if gpu is None else gpu
    check_instance("gpu", gpu, Gpu)
    flops = check_real("flops", flops, above=0)
    n_gpus = check_integer("n_gpus", n_gpus, at_least=1)
    if isinstance(law, type) or not callable(getattr(law, "optimum", None)):
        kind = type(law).__name__
        raise ValueError(f"law is a {kind}; it needs a method optimum(flops), as FITS['refit'] has")
    best = law.optimum(flops)
    state = best.n_params * sum(state_bytes(precision).values())
    gpu_hours = flops / gpu.flops(1)
    return {
        "n_params": best.n_params,
        "n_tokens": best.n_tokens,
        "loss_nats": best.loss,
        "state_bytes": state,
        "least_gpus": math.ceil(state / gpu.memory_bytes),
        "gpu_hours": gpu_hours,
        "days": gpu_hours / n_gpus / 24,
        "money": gpu_hours * gpu.price_per_hour,
    }
