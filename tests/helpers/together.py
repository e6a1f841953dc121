"""What two processes do for test_distributed.py, which has torchrun start this file in each."""

import sys
from pathlib import Path

import torch
import torch.distributed as dist

from gpt_helpers.text.batches import fixed_windows
from gpt_helpers.training.__main__ import chosen_recipe, parser, train_by
from gpt_helpers.training.distributed import (
    mean,
    n_processes,
    process_group,
    rank,
    share_of_rows,
    whole,
    whole_weights,
)
from gpt_helpers.training.loop import Trainer, train
from tests.helpers.divided import EXPERTS, PROCESSES, divided, family, words
from tests.helpers.runs import (
    TOKENS,
    are_equal,
    run_until,
    smoke_arguments,
    tiny_batches,
    tiny_model,
    tiny_settings,
    without_seconds,
)

# Adam divides a gradient by its own size: where that is near zero, rounding decides the sign of
# a step as long as the learning rate. An epsilon above the rounding keeps such steps small.
EPSILON = 1e-4
CASES = [("ddp", 1), ("ddp", 2), ("fsdp", 1), ("fsdp", 2)]


def arguments(**changes):
    """Return new (model, batches, settings) of a run: 8 rows a step, for all processes."""
    return tiny_model(), tiny_batches(8), tiny_settings(epsilon=EPSILON, **changes)


def trained(strategy="ddp", n_passes=1, folder=None, **changes):
    """Return the weights and the log of a run."""
    model, batches, settings = arguments(accumulation=n_passes, **changes)
    held_out = fixed_windows(TOKENS, 8, 6)
    log = train(model, batches, settings, held_out=held_out, folder=folder, strategy=strategy)
    return whole_weights(model), without_seconds(log)


def first_gradients(strategy="ddp", n_passes=1):
    """Return the loss and the gradients of the first step."""
    trainer = Trainer(tiny_model(), tiny_settings(accumulation=n_passes), strategy)
    loss = trainer.accumulate(0, tiny_batches(8)[0])
    return loss, {name: whole(weight.grad) for name, weight in trainer.raw.named_parameters()}


def trained_experts(name, strategy="ddp"):
    """Return the weights and the losses of six steps of a family with experts."""
    model, batch = family(name), words()[:, :2]
    log = train(model, [batch.roll(n, 1) for n in range(6)], tiny_settings(epsilon=EPSILON),
                strategy=strategy)  # fmt: skip
    return whole_weights(model), [row["loss"] for row in log]


def scale_after_overflow(strategy):
    """Return the scale of float16 after a step in which the first process alone overflows."""
    trainer = Trainer(tiny_model(), tiny_settings(precision="float16"), strategy)
    trainer.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**24)
    factor = torch.inf if rank() == 0 else 1.0
    trainer.raw.transformer.wpe.weight.register_hook(lambda gradient: gradient * factor)
    trainer.step(0, tiny_batches(8)[0])
    return trainer.scaler.get_scale()


def local_elements(strategy):
    """Return how many numbers of weights and of Adam's states this process holds, and of all."""
    trainer = Trainer(tiny_model(), tiny_settings(), strategy)
    trainer.step(0, tiny_batches(8)[0])
    weights = list(trainer.raw.parameters())
    states = [trainer.optimizers[0].state[weight]["exp_avg"] for weight in weights]
    local = [getattr(tensor, "to_local", lambda t=tensor: t)() for tensor in (*weights, *states)]
    return sum(t.numel() for t in local), 2 * sum(weight.numel() for weight in weights)


def resumed(strategy, folder, stop=3):
    """Return the weights and the log of a run that stopped and went on."""
    model, batches, settings = arguments()
    options = {"held_out": fixed_windows(TOKENS, 8, 6), "folder": folder, "strategy": strategy}
    run_until(stop, model, batches, settings, **options)
    return trained(strategy, folder=folder)


def dropped():
    """Return which numbers this process drops in a step whose rows are all the same."""
    trainer, seen = Trainer(tiny_model(dropout=0.5), tiny_settings()), []
    trainer.raw.transformer.drop.register_forward_hook(lambda m, i, y: seen.append(y == 0))
    trainer.accumulate(0, tiny_batches(1)[0].repeat(2, 1))
    return seen[0].flatten().tolist()


def refusal(function, *values):
    """Return the message of the ValueError that a call raises."""
    try:
        function(*values)
    except ValueError as error:
        return str(error)
    return None


def gathered(value):
    """Return the values of all processes, in order."""
    values = [None] * n_processes()
    dist.all_gather_object(values, value)
    return values


def results(folder):
    """Return everything that the tests compare, by name."""
    found = {"ranks": gathered((rank(), n_processes()))}
    rows = torch.arange(8)[:, None]
    for n_passes in (1, 2):
        parts = [part.flatten().tolist() for part in share_of_rows(rows, n_passes)]
        found[f"rows {n_passes}"] = gathered(parts)
    found["odd rows"] = refusal(share_of_rows, rows[:6], 2)
    found["mean"] = gathered(mean(torch.tensor(3.0 + 4 * rank())))
    found["dropped"] = gathered(dropped())
    for case in CASES:
        found["trained", *case] = trained(*case)
        found["gradients", *case] = first_gradients(*case)
    for case in PROCESSES:
        found["divided", *case] = divided(*case)
    found["muon"] = trained("ddp", optimizer="muon")
    for strategy in ("ddp", "fsdp"):
        for name in EXPERTS:
            found["experts", name, strategy] = trained_experts(name, strategy)
        found["overflow", strategy] = gathered(scale_after_overflow(strategy))
        found["elements", strategy] = gathered(local_elements(strategy))
        found["resumed", strategy] = resumed(strategy, folder / strategy)
        weights, log = found["resumed", strategy]
        found["resumed bits", strategy] = (
            are_equal(weights, found["trained", strategy, 1][0]),
            log == found["trained", strategy, 1][1],
        )
    model, batches, settings = arguments()
    run_until(2, model, batches, settings, folder=folder / "alone", held_out=None)
    return found


def main(folder, corpus):
    """Write the results of the first process to folder, and train there as the command does."""
    torch.set_num_threads(1)
    with process_group(torch.device("cpu")):
        found = results(folder)
        if rank() == 0:
            torch.save(found, folder / "results.pt")
        command = smoke_arguments(folder / "run", corpus, "--steps", 4, "--strategy", "fsdp")
        options = parser().parse_args(command)
        train_by(chosen_recipe(options), options)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
