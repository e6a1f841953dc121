"""Small models on small budgets: the runs that a law of the loss is fitted to, and how to do one.

Most runs lie on a few budgets C = 6ND, each spent on models of several sizes. The schedule of a
run ends where the run does. A run on more tokens than the corpus holds repeats them.
"""

import dataclasses
from dataclasses import dataclass

import torch

from gpt_helpers.architecture.model import GPTLMHeadModel
from gpt_helpers.config import GPTConfig
from gpt_helpers.experiments.small_run import CONFIG, tokens_of_corpus
from gpt_helpers.scaling_laws.counts import (
    count_parameters,
    flops_per_token,
    non_embedding_parameters,
)
from gpt_helpers.text.batches import Batches, fixed_windows
from gpt_helpers.training.loop import train
from gpt_helpers.training.settings import TrainingSettings

LAYERS = {16: 1, 32: 1, 48: 2, 64: 2, 96: 3, 128: 4, 160: 5, 192: 6}  # by width
HEAD_WIDTH = 16
WINDOWS_PER_STEP = 4  # of CONFIG.n_positions tokens
WARMUP_SHARE = 0.1
LOWEST_SHARE = 0.1  # of the learning rate, at the end of the cosine
N_SCORED = 512  # held-out windows
RATE_TIMES_WIDTH = 0.4  # the highest learning rate is this divided by the width

# Budgets in FLOPs, the widths that each is spent on, and the seeds if they are not one.
PROFILES = {
    1e11: (16, 32, 48, 64),
    3e11: (16, 32, 48, 64, 96),
    1e12: (16, 32, 48, 64, 96, 128),
    3e12: (32, 48, 64, 96, 128, 160),
    1e13: (32, 48, 64, 96, 128, 160),
}
SEEDS_OF_BUDGET = {1e11: (0, 1), 3e11: (0, 1)}
PILOT_RATES = (2e-3, 4e-3, 8e-3, 1.6e-2, 3.2e-2)
# Widths, tokens, and how many of the rates: the larger the width, the lower the best rate.
PILOTS = ((16, 500_000, 5), (32, 500_000, 5), (64, 500_000, 4), (96, 500_000, 4),
          (128, 500_000, 4), (64, 2_000_000, 3))  # fmt: skip
LARGEST_BUDGET = 5e13
LARGEST_WIDTHS = (128, 160, 192)  # of which the fit to all other runs chooses one
# What a part of the corpus is worth, read many times, and as many tokens of the whole corpus.
REPEATED_WIDTH, N_UNIQUE = 64, 2**17
REPEATED_EPOCHS = (1, 2, 4, 8, 16, 32, 64)
WHOLE_EPOCHS = (4, 16)


@dataclass(frozen=True)
class Run:
    """One training run: a width, how many tokens it reads, and how many of them differ.

    n_unique None means the whole corpus. purpose is "pilot", "profile", "repeated" or "largest".
    """

    purpose: str
    width: int
    n_tokens: int
    max_lr: float
    n_unique: int | None = None
    seed: int = 0

    @property
    def config(self):
        """Return the GPTConfig; weights start at GPT-2's scale for their width."""
        return GPTConfig(
            CONFIG.vocab_size,
            CONFIG.n_positions,
            n_embd=self.width,
            n_layer=LAYERS[self.width],
            n_head=self.width // HEAD_WIDTH,
            dropout=0.0,
            initializer_range=0.02 * (768 / self.width) ** 0.5,
        )

    @property
    def n_steps(self):
        """Return the number of steps, at least one."""
        return max(round(self.n_tokens / (WINDOWS_PER_STEP * CONFIG.n_positions)), 1)

    @property
    def cost(self):
        """Return 6ND, in FLOPs."""
        return 6 * count_parameters(self.config) * self.n_tokens

    @property
    def settings(self):
        """Return the TrainingSettings: warm-up, then a cosine that ends with the run."""
        return TrainingSettings(
            total_steps=self.n_steps,
            max_lr=self.max_lr,
            min_lr=LOWEST_SHARE * self.max_lr,
            warmup_steps=max(round(WARMUP_SHARE * self.n_steps), 1),
            evaluate_every=self.n_steps,
            save_every=1000,
            seed=self.seed,
        )

    @property
    def key(self):
        """Return what makes a run another run, as one line of text."""
        unique = "all" if self.n_unique is None else self.n_unique
        return (
            f"width={self.width} steps={self.n_steps} unique={unique}"
            f" max_lr={self.max_lr:g} seed={self.seed}"
        )


def best_rate(width):
    """Return the highest learning rate for a width: what the pilots say, as one rule."""
    return RATE_TIMES_WIDTH / width


def run_on(purpose, width, flops, seed=0):
    """Return the Run of a width that spends a budget C = 6ND."""
    run = Run(purpose, width, 1, best_rate(width), seed=seed)
    n_tokens = round(flops / (6 * count_parameters(run.config)))
    return dataclasses.replace(run, n_tokens=n_tokens)


def do(run, folder=None):
    """Train one run and return its row: sizes, tokens, epochs, FLOPs, losses, seconds.

    In folder a checkpoint is kept, from which the same run goes on. training_loss is the mean
    of the last twentieth of all steps.
    """
    tokens, held_out = tokens_of_corpus(N_SCORED)
    if run.n_unique is not None:
        n_windows = run.n_unique // CONFIG.n_positions
        tokens = fixed_windows(tokens, CONFIG.n_positions, n_windows).flatten()
    torch.manual_seed(run.seed)
    model = GPTLMHeadModel(run.config)
    batches = Batches(tokens, WINDOWS_PER_STEP, CONFIG.n_positions, run.seed)
    log = train(model, batches, run.settings, held_out=held_out, folder=folder)
    n_tokens, last = log[-1]["tokens"], log[-max(len(log) // 20, 1) :]
    return {
        "run": run.key,
        "purpose": run.purpose,
        "width": run.width,
        "n_layer": run.config.n_layer,
        "n_params": count_parameters(run.config),
        "n_non_embedding": non_embedding_parameters(run.config),
        "tokens": n_tokens,
        "unique_tokens": len(tokens),
        "epochs": n_tokens / len(tokens),
        "flops": 3 * flops_per_token(run.config) * n_tokens,
        "steps": run.n_steps,
        "max_lr": run.max_lr,
        "seed": run.seed,
        "training_loss": sum(row["loss"] for row in last) / len(last),
        "held_out_loss": log[-1]["held_out_loss"],
        "seconds": log[-1]["seconds"],
    }


def pilots():
    """Return the runs that choose the learning rate."""
    return [
        Run("pilot", width, n_tokens, max_lr)
        for width, n_tokens, n_rates in PILOTS
        for max_lr in PILOT_RATES[:n_rates]
    ]


def profile(flops):
    """Return the runs on one budget of PROFILES, of every width and seed."""
    seeds = SEEDS_OF_BUDGET.get(flops, (0,))
    return [run_on("profile", width, flops, seed) for seed in seeds for width in PROFILES[flops]]


def profiles():
    """Return the runs on each budget, and those that repeat a part of the corpus."""
    on_budgets = [run for flops in PROFILES for run in profile(flops)]
    epochs = [(n, N_UNIQUE) for n in REPEATED_EPOCHS] + [(n, None) for n in WHOLE_EPOCHS]
    rate = best_rate(REPEATED_WIDTH)
    repeated = [
        Run("repeated", REPEATED_WIDTH, n * N_UNIQUE, rate, n_unique) for n, n_unique in epochs
    ]
    return sorted(on_budgets + repeated, key=lambda run: run.cost)
