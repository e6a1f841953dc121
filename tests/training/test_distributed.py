"""Two processes train as one does: same gradients, same weights, and nothing held twice.

torchrun starts tests/helpers/together.py in two processes once; each test looks at one result.
"""

import os
import subprocess
import sys

import pytest
import torch

from gpt_helpers.training import distributed
from gpt_helpers.training.checkpoint import FILE_NAME
from gpt_helpers.training.loop import train
from gpt_helpers.weights.pretrained import load_model
from gpt_helpers.weights.sealed import read_sealed
from tests.helpers.divided import CASES as CASES_OF_BATCHES
from tests.helpers.divided import EXPERTS, PROCESSES, distance, divided
from tests.helpers.reference import refused
from tests.helpers.runs import (
    are_equal,
    furthest,
    tiny_batches,
    tiny_model,
    weights_of,
    without_seconds,
    write_corpus,
)
from tests.helpers.together import (
    CASES,
    arguments,
    first_gradients,
    trained,
    trained_experts,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return the folder in which two processes have written their results."""
    path = tmp_path_factory.mktemp("together")
    torchrun = ["torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    places = path, write_corpus(path / "corpus")
    command = [sys.executable, "-m", *torchrun, "-m", "tests.helpers.together", *map(str, places)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=1200)
    assert done.returncode == 0, done.stderr
    return path


@pytest.fixture(scope="module")
def together(folder):
    """Return the results of two processes."""
    return torch.load(folder / "results.pt")


@pytest.fixture(scope="module")
def alone():
    """Return the weights and the log of one process that reads the same batches."""
    return trained()


def test_the_processes_are_numbered_and_one_alone_is_number_0_of_1(together):
    assert together["ranks"] == [(0, 2), (1, 2)]
    assert (distributed.rank(), distributed.n_processes()) == (0, 1)


def test_each_process_reads_its_own_rows_of_a_batch(together):
    assert together["rows 1"] == [[[0, 1, 2, 3]], [[4, 5, 6, 7]]]
    assert together["rows 2"] == [[[0, 1], [2, 3]], [[4, 5], [6, 7]]]
    rows = torch.arange(8)[:, None]
    parts = distributed.share_of_rows(rows, 4)
    assert [part.flatten().tolist() for part in parts] == [[0, 1], [2, 3], [4, 5], [6, 7]]


def test_rows_that_cannot_be_divided_are_refused(together):
    assert together["odd rows"] == (
        "6 rows cannot be divided among 2 processes with 2 passes each;"
        " make batch_size a multiple of 4"
    )
    message = "8 rows cannot be divided among 1 processes with 3 .* multiple of 3"
    refused(message, distributed.share_of_rows, torch.zeros(8, 2).long(), 3)


def test_the_loss_of_a_step_is_the_mean_over_the_processes(together):
    assert together["mean"] == [5.0, 5.0]
    assert distributed.mean(torch.tensor(3.0)) == 3.0


def test_the_processes_draw_different_dropout(together):
    first, second = together["dropped"]
    assert first != second


@pytest.mark.parametrize("case", CASES, ids=str)
def test_two_processes_have_the_gradients_of_one(together, case):
    loss, gradients = together["gradients", *case]
    expected_loss, expected = first_gradients()
    assert loss == pytest.approx(expected_loss, abs=1e-6)
    assert furthest(gradients, expected) <= 1e-6
    assert max(gradient.abs().max() for gradient in expected.values()) > 0.01


@pytest.mark.parametrize("case", PROCESSES, ids=str)
def test_processes_that_count_unevenly_have_the_loss_and_the_gradients_of_one(together, case):
    loss, gradients = together["divided", *case]
    expected_loss, expected = divided(case[0])
    assert loss == pytest.approx(expected_loss, rel=1e-6)
    assert distance(gradients, expected) <= 1e-6  # in float64; measured below 1e-14


@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
@pytest.mark.parametrize("name", EXPERTS)
def test_experts_train_on_two_processes_as_on_one(together, name, strategy):
    weights, losses = together["experts", name, strategy]
    expected, expected_losses = trained_experts(name)
    assert furthest(weights, expected) <= 1e-5
    assert losses == pytest.approx(expected_losses, rel=1e-4)


@pytest.mark.parametrize("name", EXPERTS)
def test_the_experts_that_two_processes_use_are_not_the_same(name):
    model, _, batch = CASES_OF_BATCHES[name]()
    used = []
    for rows in (batch[:4], batch[4:]):
        model.zero_grad()
        model(rows)["logits"].sum().backward()
        used.append(
            [
                weight.grad.abs().max().item() > 0
                for name, weight in model.named_parameters()
                if ".experts." in name and name.endswith("c_proj.weight")
            ]
        )
    assert used[0] != used[1]
    assert not all(a or b for a, b in zip(*used, strict=True))  # and some are used by neither


@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_an_overflow_on_one_process_lowers_the_scale_of_all(together, strategy):
    assert together["overflow", strategy] == [2.0**23, 2.0**23]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_two_processes_have_the_weights_of_one_that_reads_the_same_batches(together, alone, case):
    weights, log = together["trained", *case]
    assert furthest(weights, alone[0]) <= 1e-6
    assert furthest(weights, weights_of(tiny_model())) > 1e-3
    for row, expected in zip(log, alone[1], strict=True):
        assert row == pytest.approx(expected, rel=1e-4)
    assert [row["tokens"] for row in log] == [64 * step for step in range(1, 7)]


def test_muon_on_two_processes_has_the_weights_of_muon_on_one(together):
    expected, _ = trained(optimizer="muon")
    # It orthogonalises in bfloat16, where rounding is 65536 times that of float32.
    assert furthest(together["muon"][0], expected) <= 1e-3


@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_two_processes_that_stop_and_go_on_end_with_the_same_bits(together, strategy):
    assert together["resumed bits", strategy] == (True, True)


def test_fsdp_holds_half_of_the_weights_and_states_on_each_process(together):
    for local, total in together["elements", "fsdp"]:
        assert 0.45 * total < local < 0.55 * total
    assert sum(local for local, _ in together["elements", "fsdp"]) == total
    for local, total in together["elements", "ddp"]:
        assert local == total


def test_one_process_goes_on_where_two_stopped(folder, alone):
    model, batches, settings = arguments()
    assert len(read_sealed(folder / "alone" / FILE_NAME)[1]["log"]) == 2
    log = train(model, batches, settings, folder=folder / "alone")
    assert furthest(weights_of(model), alone[0]) <= 1e-6
    assert [row["step"] for row in without_seconds(log)] == [1, 2, 3, 4, 5, 6]


def test_a_sharded_checkpoint_holds_whole_tensors(folder):
    sharded, whole = (read_sealed(folder / name / FILE_NAME)[0] for name in ("fsdp", "ddp"))
    assert sharded.keys() == whole.keys()
    assert furthest(sharded, whole) <= 1e-6


def test_the_command_trains_on_two_processes_and_writes_once(folder):
    names = sorted(path.name for path in (folder / "run").iterdir())
    assert names == [FILE_NAME, "log.csv", "model.safetensors"]
    model, _ = load_model(folder / "run" / "model.safetensors")
    tensors, facts = read_sealed(folder / "run" / FILE_NAME)
    weights = {name: tensors[name].half().float() for name, _ in model.named_parameters()}
    assert are_equal(weights_of(model), weights)
    assert [row["tokens"] for row in facts["log"]] == [256, 512, 768, 1024]


def test_an_unknown_strategy_is_refused():
    message = r"strategy='dp' is unknown; use one of \('ddp', 'fsdp'\)"
    refused(message, distributed.distribute, tiny_model(), "dp")


def test_alone_the_model_is_itself_and_tensors_are_whole():
    model, batch = tiny_model(), tiny_batches()[0]
    assert distributed.distribute(model, "fsdp") is model
    assert distributed.whole(batch) is batch
    assert distributed.sharded_like(batch, model.transformer.wte.weight) is batch
    assert are_equal(distributed.whole_weights(model), weights_of(model))
    with distributed.process_group(torch.device("cpu")):
        assert distributed.rank() == 0
        distributed.wait()
