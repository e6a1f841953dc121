"""A small training run, and what can be changed in it: each technique taken away, or overdone.

All runs of an experiment read equally many tokens, on the same schedule but for its change.
"""

from functools import partial

import torch
from torch import nn

from gpt_helpers.config import GPTConfig
from gpt_helpers.text.batches import fixed_windows
from gpt_helpers.text.tokens import Tokens, load_tokens
from gpt_helpers.training.loop import train
from gpt_helpers.training.runs import Run
from gpt_helpers.training.settings import TrainingSettings
from gpt_helpers.validation import check_count, check_instance, check_natural, checks, optional
from gpt_helpers.variants.gpt1 import GPT1Model

BASE_RUN = Run(
    GPTConfig(1024, n_positions=128, n_embd=96, n_layer=4, n_head=3, dropout=0.0),
    TrainingSettings(total_steps=200, warmup_steps=20, evaluate_every=20),
    batch_size=16,
)
SEEDS = (0, 1, 2)
N_HELD_OUT = 64  # windows
check_run = partial(check_instance, kind=Run)
check_own_tokens = optional(partial(check_instance, kind=Tokens))
LOWER = {"max_lr": 1e-3, "min_lr": 1e-4}
STEPS_800 = {"total_steps": 800, "warmup_steps": 80, "evaluate_every": 80}
STEPS_50 = {"total_steps": 50, "warmup_steps": 5, "evaluate_every": 5}
EXPERIMENTS = {
    "learning rate": {
        "1e-3": BASE_RUN.varied(LOWER),
        "3e-3": BASE_RUN,
        "1e-2": BASE_RUN.varied({"max_lr": 1e-2, "min_lr": 1e-3}),
    },
    "warm-up": {
        "pre-LN, warm-up": BASE_RUN,
        "pre-LN, none": BASE_RUN.varied({"warmup_steps": 0}),
        "post-LN, warm-up": BASE_RUN.varied(transformer=GPT1Model),
        "post-LN, none": BASE_RUN.varied({"warmup_steps": 0}, transformer=GPT1Model),
        "post-LN, warm-up, 1e-3": BASE_RUN.varied(LOWER, transformer=GPT1Model),
        "post-LN, none, 1e-3": BASE_RUN.varied({**LOWER, "warmup_steps": 0}, transformer=GPT1Model),
    },
    "schedule": {
        "cosine": BASE_RUN,
        "WSD": BASE_RUN.varied({"schedule": "wsd"}),
        "constant": BASE_RUN.varied({"schedule": "wsd", "cooldown_share": 0.0}),
        "cosine, ends at 1.5x": BASE_RUN.varied({"schedule_steps": 300}),
    },
    "clipping": {
        "clipped": BASE_RUN,
        "not clipped": BASE_RUN.varied({"max_grad_norm": None}),
        "clipped, bad batch": BASE_RUN.varied(bad_step=100),
        "not clipped, bad batch": BASE_RUN.varied({"max_grad_norm": None}, bad_step=100),
    },
    "weight decay": {
        "0.1, embeddings too": BASE_RUN,
        "0.1, no embeddings": BASE_RUN.varied({"decay_embeddings": False}),
        "0": BASE_RUN.varied({"weight_decay": 0.0}),
        "1, embeddings too": BASE_RUN.varied({"weight_decay": 1.0}),
    },
    "initial scale": {
        "0.02": BASE_RUN,
        "0.002": BASE_RUN.varied(initial_std=0.002),
        "0.2": BASE_RUN.varied(initial_std=0.2),
    },
    "batch size": {
        "4": BASE_RUN.varied(STEPS_800, batch_size=4),
        "16": BASE_RUN,
        "64": BASE_RUN.varied(STEPS_50, batch_size=64),
    },
}  # fmt: skip
# Of the page on optimization: the same model for four times as many tokens.
LONGER = {
    "key heads": {
        "6": BASE_RUN.varied(STEPS_800, {"n_head": 6}),
        "2": BASE_RUN.varied(STEPS_800, {"n_head": 6, "n_kv_head": 2}),
        "1": BASE_RUN.varied(STEPS_800, {"n_head": 6, "n_kv_head": 1}),
    },
}


@checks(variation=check_run, seed=check_natural, stop_after=optional(check_count),
        tokens=check_own_tokens)  # fmt: skip
def run(variation, seed, stop_after=None, tokens=None):
    """Train one variation and return a list of rows, one per evaluation.

    stop_after ends the run early, on the same schedule. tokens are Tokens, those of the standard
    library if not given. A row's loss is the mean, and its gradient_norm the highest, of the steps
    since the row before.
    """
    chosen = variation.with_seed(seed).stopped_after(stop_after)
    tokens = tokens_for(chosen, tokens)
    norms = []
    log = train(
        chosen.new_model(),
        chosen.batches(tokens.training),
        chosen.settings,
        held_out=fixed_windows(tokens.held_out, chosen.config.n_positions, N_HELD_OUT),
        after_step=lambda row, model: "held_out_loss" in row and norms.append(weight_norms(model)),
    )
    return summarised(log, norms, chosen.settings.evaluate_every)


def tokens_for(run, tokens=None):
    """Return tokens if given, else those of the standard library in the vocabulary of a run."""
    try:
        return load_tokens(run.config.vocab_size) if tokens is None else tokens
    except ValueError as error:
        raise ValueError(f"no tokens are given, and {error}") from error


def summarised(log, norms, every):
    """Return the rows of a log that were evaluated, each with a summary of those before it."""
    rows = []
    for index, norm in enumerate(norms):
        part = log[index * every : (index + 1) * every]
        mean_loss = sum(row["loss"] for row in part) / len(part)
        highest = max(row["gradient_norm"] for row in part)
        rows.append({**part[-1], **norm, "loss": mean_loss, "gradient_norm": highest})
    return rows


def weight_norms(model):
    """Return the lengths of all hidden matrices together and of the token embedding."""
    matrices = [p for p in model.transformer.h.parameters() if p.ndim == 2]
    with torch.no_grad():
        return {
            "matrix_norm": nn.utils.get_total_norm(matrices).item(),
            "embedding_norm": model.transformer.wte.weight.norm().item(),
        }
