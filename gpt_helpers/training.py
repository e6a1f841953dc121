"""Training: a schedule, groups of parameters, and one loop. Knows no corpus.

    python -m gpt_helpers.training --help

A step is a function of the weights, the optimiser's state, and its number: the number alone
fixes the learning rate, the batch and the dropout. So a run that was killed goes on as if
nothing had happened.
"""

import contextlib
import math
import sys
import time

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from gpt_helpers import distributed
from gpt_helpers.config import TrainingSettings, check_real, check_schedule
from gpt_helpers.sampling import check_model
from gpt_helpers.scoring import evaluate
from gpt_helpers.state import TrainingState, identity_of

AUTOCAST = {"float32": None, "bfloat16": torch.bfloat16, "float16": torch.float16}


def learning_rate(
    step,
    *,
    schedule="cosine",
    max_lr,
    min_lr,
    warmup_steps,
    total_steps,
    cooldown_share=0.2,
):
    """Return the learning rate of a step, counted from 0.

    It rises linearly, from max_lr / warmup_steps at step 0 to max_lr at step
    warmup_steps - 1. "cosine" then falls along half a wave to min_lr at step
    total_steps - 1. "wsd" (warm-up, stable, decay) stays at max_lr and falls linearly
    in the last cooldown_share of all steps, to min_lr at the same step. Later steps
    have the learning rate of the last one.

    Raises ValueError for values out of range.
    Source: loshchilov2017sgdr, eq. 5 (cosine); hu2024minicpm, sec. 4.1 (WSD).
    """
    shape = warmup_steps, total_steps, cooldown_share
    check_schedule(schedule, max_lr, min_lr, *shape)
    if type(step) is not int or step < 0:
        raise ValueError(f"step={step!r} must be an integer of at least 0")
    done = min(step + 1, total_steps)
    if done <= warmup_steps:
        return max_lr * done / warmup_steps
    if schedule == "cosine":
        progress = (done - warmup_steps) / (total_steps - warmup_steps)
        return min_lr + (max_lr - min_lr) * (1 + math.cos(math.pi * progress)) / 2
    cooldown_steps = cooldown_share * total_steps
    if done <= total_steps - cooldown_steps:
        return max_lr
    return min_lr + (max_lr - min_lr) * (total_steps - done) / cooldown_steps


def parameter_groups(model, weight_decay, decay_embeddings=True):
    """Return two groups of parameters for an optimiser: what decays, then the rest.

    What needs no gradient is in neither; every other parameter is in one, once.
    Biases and the gains of norms never decay. With decay_embeddings every tensor of
    two or more axes does (nanoGPT's convention); without, embeddings do not
    (minGPT's), and so neither does a head that is tied to one.
    Source: karpathy2022nanogpt, model.py; karpathy2020mingpt, model.py.
    """
    check_model(model)
    check_real("weight_decay", weight_decay, at_least=0)
    embeddings = {m.weight for m in model.modules() if isinstance(m, nn.Embedding)}
    decayed, others = [], []
    for weight in (weight for weight in model.parameters() if weight.requires_grad):
        decays = weight.ndim >= 2 and (decay_embeddings or weight not in embeddings)
        (decayed if decays else others).append(weight)
    return [
        {"params": decayed, "weight_decay": weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]


def make_optimizers(model, settings):
    """Return the optimisers of a run; each group's "lr_ratio" is its share of the schedule.

    Source: loshchilov2019adamw; jordan2024muon (hidden matrices only).
    """
    groups = parameter_groups(model, settings.weight_decay, settings.decay_embeddings)
    hidden = set()
    if settings.optimizer == "muon":
        inside = model.transformer.h.parameters()
        hidden = {weight for weight in inside if weight.ndim == 2 and weight.requires_grad}
    rest = [
        group | {"params": [weight for weight in group["params"] if weight not in hidden]}
        for group in groups
    ]
    adamw = torch.optim.AdamW(
        rest, lr=settings.max_lr, betas=settings.betas, eps=settings.epsilon, fused=True
    )
    optimizers = [adamw]
    if hidden:
        matrices = [weight for weight in model.parameters() if weight in hidden]
        optimizers.append(
            torch.optim.Muon(matrices, lr=settings.muon_lr, weight_decay=settings.weight_decay)
        )
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr_ratio"] = group["lr"] / settings.max_lr
    return optimizers


def language_model_loss(model, ids):
    """Return the loss of predicting every token of ids (B, T) but the first, in nats per token."""
    return model(ids, labels=ids)["loss"]


def train(model, batches, settings, *, loss_of=language_model_loss, held_out=None, folder=None,
          strategy="ddp", after_step=None, progress=False):  # fmt: skip
    """Train the model in place and return the log, one dict per step.

    batches[step] are the token ids (B, T) of a step, for all processes together, and a step
    lowers loss_of(model, ids). held_out (N, T) are windows to score every evaluate_every steps
    and at the end. In folder a checkpoint is kept, from which a run with the same settings goes
    on. after_step(row, model) is called after each step. A row holds step (from 1), tokens, loss
    (before the step), lr, gradient_norm (before clipping), seconds since the start, and
    held_out_loss where it was measured; losses are in nats per token.

    Raises ValueError for what does not fit, and ArithmeticError if the loss or the gradient
    is no longer finite; the checkpoint of before then remains. (Gradients that overflow in
    float16 are no error: the step changes nothing, and the next one scales them less.)
    """
    check_model(model)
    if not isinstance(settings, TrainingSettings):
        raise ValueError(f"settings={settings!r:.60} must be TrainingSettings")
    identity = identity_of(model, batches, settings)
    trainer = Trainer(model, settings, strategy, loss_of)
    state = TrainingState(model, trainer.optimizers, trainer.scaler, identity)
    log = state.restore(folder)
    steps = range(len(log), settings.total_steps)
    started = time.perf_counter() - (log[-1]["seconds"] if log else 0.0)
    for step in tqdm(steps, disable=not progress or distributed.rank() > 0, unit="step"):
        row = trainer.step(step, batches[step])
        row["tokens"] += log[-1]["tokens"] if log else 0
        row["seconds"] = time.perf_counter() - started
        is_last = row["step"] == settings.total_steps
        if held_out is not None and (is_last or row["step"] % settings.evaluate_every == 0):
            row["held_out_loss"] = evaluate(trainer.model, held_out)
        log.append(row)
        if folder is not None and (is_last or row["step"] % settings.save_every == 0):
            state.save(folder, log)
        if after_step is not None:
            after_step(row, model)
    return log


class Trainer:
    """A model, its optimisers and the step that changes them."""

    def __init__(self, model, settings, strategy="ddp", loss_of=language_model_loss):
        """Distribute the model over the processes that there are, and make its optimisers."""
        self.settings, self.raw, self.loss_of = settings, model, loss_of
        self.model = distributed.distribute(model, strategy)
        self.device = next(model.parameters()).device
        self.optimizers = make_optimizers(model, settings)
        self.scaler = torch.amp.GradScaler(
            self.device.type, enabled=settings.precision == "float16"
        )

    def step(self, number, batch):
        """Change the weights once, by a batch (B, T), and return the row of the log.

        number counts from 0. Source: pascanu2013difficulty, algorithm 1 (clipping).
        """
        lr = learning_rate(number, **self.settings.schedule_arguments)
        loss = self.accumulate(number, batch)
        norm = self.clip()
        if not self.scaler.is_enabled():
            check_finite("gradient norm", norm, number)
        for optimizer in self.optimizers if math.isfinite(norm) else []:
            for group in optimizer.param_groups:
                group["lr"] = lr * group["lr_ratio"]
            self.scaler.step(optimizer)
        self.scaler.update()
        return {
            "step": number + 1,
            "tokens": batch.numel(),
            "loss": loss,
            "lr": lr,
            "gradient_norm": norm,
        }

    def accumulate(self, number, batch):
        """Add up the gradients of a batch (B, T), pass by pass; return its loss."""
        for optimizer in self.optimizers:
            optimizer.zero_grad()
        batch, losses = batch.to(self.device), []
        passes = distributed.share_of_rows(batch, self.settings.accumulation)
        dtype = AUTOCAST[self.settings.precision]
        autocast = torch.autocast(self.device.type, dtype, enabled=dtype is not None)
        with seeded(self.device, self.settings.seed, number, distributed.rank()):
            for index, ids in enumerate(passes):
                is_last = index + 1 == len(passes)
                with distributed.averaging(self.model, is_last):
                    with autocast:
                        loss = self.loss_of(self.model, ids) / len(passes)
                    self.scaler.scale(loss).backward()
                losses.append(loss.detach())
        loss = distributed.mean(torch.stack(losses).sum())
        check_finite("loss", loss, number)
        return loss

    def clip(self):
        """Shorten gradients longer than max_grad_norm; return their length before."""
        for optimizer in self.optimizers:
            self.scaler.unscale_(optimizer)
        longest = self.settings.max_grad_norm
        norm = nn.utils.clip_grad_norm_(
            self.raw.parameters(), math.inf if longest is None else longest
        )
        return distributed.whole(norm).item()


def check_finite(name, value, number):
    """Raise ArithmeticError if a value of step number is infinite or not a number."""
    if not math.isfinite(value):
        raise ArithmeticError(
            f"the {name} is {value} at step {number + 1}; lower max_lr, or clip by max_grad_norm"
        )


@contextlib.contextmanager
def seeded(device, *numbers):
    """Draw from generators that the numbers seed, and leave the caller's as they were."""
    seed = int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> 1)
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield


if __name__ == "__main__":
    from gpt_helpers.command import main

    sys.exit(main())
