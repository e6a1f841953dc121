"""What a budget buys, by hand and by the laws."""

import dataclasses
import subprocess
import sys

import pytest

from gpt_helpers.scaling_laws.laws import FITS, KAPLAN
from gpt_helpers.scaling_laws.planner import Gpu, plan
from gpt_helpers.training.memory import state_bytes
from tests.helpers.reference import refused

GPU = Gpu(peak_flops=2e15, utilization=0.25, memory_bytes=40e9, price_per_hour=3.0)


def test_hours_and_money_by_hand():
    assert GPU.flops(2) == pytest.approx(0.5e15 * 7200)
    assert GPU.flops_for(6) == pytest.approx(GPU.flops(2))


@pytest.mark.parametrize("law", [FITS["refit"], FITS["printed"], KAPLAN])
def test_a_plan_is_the_optimum_and_what_it_takes(law):
    flops = 1e21
    found, best = plan(flops, law, GPU, n_gpus=8), law.optimum(flops)
    assert (found["n_params"], found["n_tokens"], found["loss_nats"]) == tuple(best)
    assert found["state_bytes"] == 16 * best.n_params
    assert (found["least_gpus"] - 1) * 40e9 < found["state_bytes"] <= found["least_gpus"] * 40e9
    assert GPU.flops(found["gpu_hours"]) == pytest.approx(flops)
    assert found["days"] * 24 * 8 == pytest.approx(found["gpu_hours"])
    assert GPU.flops_for(found["money"]) == pytest.approx(flops)


@pytest.mark.parametrize("precision", ["float32", "mixed", "autocast"])
def test_the_state_is_that_of_the_precision(precision):
    found = plan(1e20, KAPLAN, GPU, precision=precision)
    per_parameter = sum(state_bytes(precision).values())
    assert found["state_bytes"] == pytest.approx(per_parameter * found["n_params"])


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(Gpu)])
def test_a_gpu_of_nothing_is_refused(field):
    refused(f"{field}=0 must be a finite number > 0", Gpu, **{field: 0})


def test_amounts_that_make_no_sense_are_refused():
    refused("utilization=1.5 must be a finite number <= 1", Gpu, utilization=1.5)
    refused("flops=0 must be a finite number > 0", plan, 0, KAPLAN)
    refused("n_gpus=0 must be a positive integer", plan, 1e20, KAPLAN, GPU, 0)
    refused("precision='half' is unknown", plan, 1e20, KAPLAN, precision="half")
    refused("gpu_hours=-1 must be positive", GPU.flops, -1)
    refused("money='much' must be positive", GPU.flops_for, "much")
    refused("n_gpus=1.5 must be a positive integer", plan, 1e20, KAPLAN, GPU, 1.5)
    refused("law is a str; it needs a method optimum", plan, 1e20, "refit")
    refused("law is a type; it needs a method optimum", plan, 1e20, type(KAPLAN))


def test_planning_loads_no_torch():
    code = "import sys, gpt_helpers.scaling_laws.planner; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
