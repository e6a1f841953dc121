"""When a head learns to look back, and what the loss shows of it.

The largest run of the sweep is watched while it trains, and so is the same run with one layer.
A head that reads what came after an earlier copy of the present token rests on a head of a layer
before it; a model of one layer cannot have it. Source: olsson2022induction.

EXPERIMENTS is {experiment: {variant: function of a seed}}; applications.py runs them all. x counts
the steps of training.
"""

import dataclasses
import functools

import torch

from gpt_helpers.architecture.heads import induction_scores, previous_scores, repetition_losses
from gpt_helpers.architecture.model import GPTLMHeadModel
from gpt_helpers.experiments.budgets import WINDOWS_PER_STEP
from gpt_helpers.experiments.few_shot import code_windows
from gpt_helpers.experiments.small_run import CONFIG, tokens_of_corpus
from gpt_helpers.experiments.sweep import largest
from gpt_helpers.text.batches import Batches
from gpt_helpers.training.loop import train
from gpt_helpers.weights.pretrained import load_model

LOOK_EVERY = 500  # steps


def watched(n_layer, seed, stop_after=None):
    """Train the largest run of the sweep with n_layer layers; return what was seen on the way.

    A row holds step, tokens, held_out_loss (nats per token), the highest induction_score and
    previous_score of all heads, and gain, by how much the loss is lower when held-out code is
    read for the second time (nats per token). stop_after ends the run early, on the same schedule.
    """
    (foretold,) = largest()
    plan = dataclasses.replace(foretold, seed=seed)
    n_steps = plan.n_steps if stop_after is None else stop_after
    settings = dataclasses.replace(
        plan.settings, total_steps=n_steps, schedule_steps=plan.n_steps, evaluate_every=LOOK_EVERY
    )
    tokens, held_out = tokens_of_corpus()
    _, tokenizer = load_model()
    torch.manual_seed(seed)
    model = GPTLMHeadModel(dataclasses.replace(plan.config, n_layer=n_layer))
    batches, found = Batches(tokens, WINDOWS_PER_STEP, CONFIG.n_positions, seed), []
    watching = functools.partial(look, found, code_windows(0, tokenizer))
    train(model, batches, settings, held_out=held_out, after_step=watching)
    return found


def look(found, ids, row, model):
    """Append to found what the heads read in ids, and what they gain, if the loss was measured."""
    if "held_out_loss" not in row:
        return
    first, second = repetition_losses(model, ids)
    kept = {name: row[name] for name in ("step", "tokens", "held_out_loss")}
    scores = {
        "induction_score": induction_scores(model, ids).max().item(),
        "previous_score": previous_scores(model, ids).max().item(),
    }
    found.append(kept | scores | {"gain": first - second})


def formation_rows(n_layer, seed):
    """Return the rows of a whole run, one for each measure and step."""
    return [
        {"measure": name, "x": row["step"], "value": value, "steps": row["step"],
         "tokens": row["tokens"]}
        for row in watched(n_layer, seed)
        for name, value in row.items()
        if name not in ("step", "tokens")
    ]  # fmt: skip


EXPERIMENTS = {
    "formation": {
        "4 layers": functools.partial(formation_rows, 4),
        "1 layer": functools.partial(formation_rows, 1),
    },
}
