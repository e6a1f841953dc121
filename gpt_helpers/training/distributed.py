"""Training on several processes, by PyTorch's own engines: DDP, and FSDP2 for sharding.

torchrun starts the processes and tells each its number; a process alone is number 0 of 1.
Every process reads an equal share of the rows of each batch, and divides its losses by what a
process counts on average, so the step is that of one process with the whole batch.
"""

import contextlib
import os

import torch
import torch.distributed as dist
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.nn.parallel import DistributedDataParallel

from gpt_helpers.training.inputs import check_batch
from gpt_helpers.validation import check_choice

STRATEGIES = ("ddp", "fsdp")


def rank():
    """Return the number of this process, from 0."""
    return dist.get_rank() if dist.is_initialized() else 0


def n_processes():
    """Return how many processes train together."""
    return dist.get_world_size() if dist.is_initialized() else 1


@contextlib.contextmanager
def process_group(device):
    """Join the processes that torchrun started, if it did, and leave them at the end.

    They talk by nccl between GPUs and by gloo between CPUs.
    """
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        yield
        return
    if device.type == "cuda":
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield
    finally:
        dist.destroy_process_group()


def distribute(model, strategy="ddp"):
    """Return the model as the processes are to call it; alone, the model itself.

    "ddp" keeps a whole copy on each process and averages the gradients; "fsdp" shards
    weights, gradients and optimiser states, and turns the model's parameters into shards.
    Raises ValueError for another strategy.
    """
    check_choice("strategy", strategy, STRATEGIES)
    if not dist.is_initialized():
        return model
    if strategy == "ddp":
        return DistributedDataParallel(model)
    mesh = dist.device_mesh.init_device_mesh(next(model.parameters()).device.type, (n_processes(),))
    for block in model.transformer.h:
        fully_shard(block, mesh=mesh)
    return fully_shard(model, mesh=mesh)


def share_of_rows(batch, n_passes=1):
    """Return this process's rows of a batch (B, T), in n_passes equal parts.

    Raises ValueError for what is no batch, and if the rows cannot be divided evenly.
    """
    check_batch("batch", batch)
    n_parts = n_processes() * n_passes
    if batch.shape[0] % n_parts:
        raise ValueError(
            f"{batch.shape[0]} rows cannot be divided among {n_processes()} processes with"
            f" {n_passes} passes each; make batch_size a multiple of {n_parts}"
        )
    return batch.chunk(n_parts)[rank() * n_passes :][:n_passes]


def mean(value):
    """Return the mean over the processes of a tensor of one number."""
    value = value.detach().clone()
    if dist.is_initialized():
        dist.all_reduce(value)
    return value.item() / n_processes()


def averaging(model, is_last):
    """Return the context of one pass: the gradients are averaged in the last pass only."""
    if isinstance(model, DistributedDataParallel):
        return contextlib.nullcontext() if is_last else model.no_sync()
    if isinstance(model, FSDPModule):
        model.set_requires_gradient_sync(is_last)
    return contextlib.nullcontext()


def wait():
    """Wait until every process has come here."""
    if dist.is_initialized():
        dist.barrier()


def whole(tensor):
    """Return a tensor whose shards are gathered from the processes (all must call it)."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def sharded_like(tensor, reference):
    """Return a whole tensor, sharded as the reference is."""
    if not isinstance(reference, DTensor):
        return tensor
    return distribute_tensor(tensor, reference.device_mesh, reference.placements)


def whole_weights(model):
    """Return the model's parameters by name, their shards gathered (all processes must call it)."""
    return {name: whole(parameter.detach()) for name, parameter in model.named_parameters()}
