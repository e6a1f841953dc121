"""The learning rate of a step, and the optimizers that follow it."""

import math

import torch
from torch import nn

from gpt_helpers.architecture.modules import check_model
from gpt_helpers.training.settings import check_schedule
from gpt_helpers.validation import check_flag, check_integer, check_real


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
    shape = schedule, max_lr, min_lr, warmup_steps, total_steps, cooldown_share
    check_schedule(*shape)
    check_integer("step", step, at_least=0)
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
    check_flag("decay_embeddings", decay_embeddings)
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
