"""One training loop, its step, and its log. Knows no corpus.

    python -m gpt_helpers.training --help

A step is a function of the weights, the optimiser's state, and its number: the number alone
fixes the learning rate, the batch and the dropout. So a run that was killed goes on as if
nothing had happened.
"""

import contextlib
import math
import time

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from gpt_helpers.architecture.losses import check_sum, language_model_loss
from gpt_helpers.architecture.modules import taking_step
from gpt_helpers.evaluation.losses import evaluate
from gpt_helpers.training import distributed
from gpt_helpers.training.checkpoint import TrainingState, identity_of
from gpt_helpers.training.inputs import check_arguments, check_total, check_training
from gpt_helpers.training.optimizers import learning_rate, make_optimizers

AUTOCAST = {"float32": None, "bfloat16": torch.bfloat16, "float16": torch.float16}


@torch.inference_mode(False)
@torch.enable_grad()
def train(model, batches, settings, *, loss_of=language_model_loss, held_out=None, folder=None,
          strategy="ddp", after_step=None, progress=False):  # fmt: skip
    """Train the model in place and return the log, one dict per step.

    batches[step] are the token ids (B, T) of a step, for all processes together, and a step
    lowers the mean loss_of(model, ids), a Loss. held_out (N, T) are windows to score every
    evaluate_every steps and at the end. In folder a checkpoint is kept, from which a run with the
    same settings goes on. after_step(row, model) is called after each step. A row holds step (from
    1), tokens, loss (before the step), lr, gradient_norm (before clipping), seconds since the
    start, and held_out_loss where it was measured; losses are in nats per token.

    Raises ValueError for what does not fit, and ArithmeticError if the loss or the gradient
    is no longer finite; the checkpoint of before then remains. (Gradients that overflow in
    float16 are no error: the step changes nothing, and the next one scales them less.)
    """
    check_arguments(model, batches, settings, loss_of, held_out, folder, after_step, progress)
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
            row["held_out_loss"] = evaluate(model, held_out)
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
        check_training(model, settings, loss_of)
        self.settings, self.raw, self.loss_of = settings, model, loss_of
        self.model = distributed.distribute(model, strategy)
        self.device = next(model.parameters()).device
        self.optimizers = make_optimizers(model, settings)
        self.scaler = torch.amp.GradScaler(
            self.device.type, enabled=settings.precision == "float16"
        )

    @torch.inference_mode(False)
    @torch.enable_grad()
    def step(self, number, batch):
        """Change the weights once, by a batch (B, T), and return the row of the log.

        number counts from 0. Raises ValueError while the model is evaluated or generates.
        Source: pascanu2013difficulty, algorithm 1 (clipping).
        """
        lr = learning_rate(number, **self.settings.schedule_arguments)
        with taking_step(self.raw):
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
        """Add up the gradients of a batch (B, T), pass by pass; return its loss.

        Both are those of the mean over all tokens that count, wherever they stand.
        """
        rows = distributed.share_of_rows(batch, self.settings.accumulation)
        passes, losses = [ids.to(self.device, copy=True) for ids in rows], []
        counts = [check_sum("count(ids)", self.loss_of.count(ids)) for ids in passes]
        n_counted = distributed.mean(sum(counts))
        check_counted(n_counted, number)
        for optimizer in self.optimizers:
            optimizer.zero_grad()
        dtype = AUTOCAST[self.settings.precision]
        autocast = torch.autocast(self.device.type, dtype, enabled=dtype is not None)
        with seeded(self.device, self.settings.seed, number, distributed.rank()):
            for index, ids in enumerate(passes):
                is_last = index + 1 == len(passes)
                with distributed.averaging(self.model, is_last):
                    with autocast:
                        total = check_total(self.loss_of.total(self.model, ids))
                    loss = total / n_counted
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


def check_counted(n_counted, number):
    """Raise ValueError if no process counts anything in the batch of step number."""
    if not n_counted:
        raise ValueError(
            f"batches[{number}] leaves nothing to predict: loss_of counts no token of it"
        )


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
