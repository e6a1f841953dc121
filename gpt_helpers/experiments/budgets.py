"""Small models on small budgets: the runs that a law of the loss is fitted to, and how to do one.

Most runs lie on a few budgets C = 6ND, each spent on models of several sizes. The schedule of a
run ends where the run does. A run on more tokens than the corpus holds repeats them.
"""

from functools import partial
from typing import NamedTuple

from gpt_helpers.config import GPTConfig
from gpt_helpers.experiments.small_run import BASE_RUN, check_own_tokens, check_run, tokens_for
from gpt_helpers.scaling_laws.counts import (
    count_parameters,
    flops_per_token,
    non_embedding_parameters,
)
from gpt_helpers.text.batches import fixed_windows
from gpt_helpers.training.loop import train
from gpt_helpers.training.runs import Run
from gpt_helpers.training.settings import TrainingSettings
from gpt_helpers.validation import (
    check_choice,
    check_count,
    check_natural,
    check_path,
    check_real,
    checks,
    optional,
)

LAYERS = {16: 1, 32: 1, 48: 2, 64: 2, 96: 3, 128: 4, 160: 5, 192: 6}  # by width
HEAD_WIDTH = 16
WINDOWS_PER_STEP = 4  # of as many tokens as the small run's
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
PURPOSES = ("pilot", "profile", "repeated", "largest")
check_width = partial(check_choice, choices=LAYERS)


class Planned(NamedTuple):
    """A run, and what it is for, one of PURPOSES."""

    purpose: str
    run: Run


def config_of_width(width):
    """Return the GPTConfig of a width; weights start at GPT-2's scale for their width."""
    return GPTConfig(
        BASE_RUN.config.vocab_size,
        BASE_RUN.config.n_positions,
        n_embd=width,
        n_layer=LAYERS[width],
        n_head=width // HEAD_WIDTH,
        dropout=0.0,
        initializer_range=0.02 * (768 / width) ** 0.5,
    )


def settings_of(n_steps, max_lr, seed=0):
    """Return the TrainingSettings: warm-up, then a cosine that ends with the run."""
    return TrainingSettings(
        total_steps=n_steps,
        max_lr=max_lr,
        min_lr=LOWEST_SHARE * max_lr,
        warmup_steps=max(round(WARMUP_SHARE * n_steps), 1),
        evaluate_every=n_steps,
        save_every=1000,
        seed=seed,
    )


def run_of(width, n_tokens, max_lr=None, n_unique=None, seed=0):
    """Return the Run of a width on so many tokens, of which n_unique differ (None: the corpus).

    Without max_lr it is best_rate.
    """
    config = config_of_width(width)
    n_steps = max(round(n_tokens / (WINDOWS_PER_STEP * config.n_positions)), 1)
    settings = settings_of(n_steps, max_lr or best_rate(width), seed)
    return Run(config, settings, WINDOWS_PER_STEP, n_unique=n_unique)


@checks(width=check_count)
def best_rate(width):
    """Return the highest learning rate for a width: what the pilots say, as one rule."""
    return RATE_TIMES_WIDTH / width


def tokens_on(width, flops):
    """Return the tokens on which a model of a width spends a budget C = 6ND."""
    return round(flops / (6 * count_parameters(config_of_width(width))))


@checks(width=check_width, flops=partial(check_real, above=0), seed=check_natural)
def run_on(width, flops, seed=0):
    """Return the Run of a width that spends a budget C = 6ND, in whole steps."""
    return run_of(width, tokens_on(width, flops), seed=seed)


def cost(run):
    """Return 6ND of a run, in FLOPs."""
    return 6 * count_parameters(run.config) * run.settings.total_steps * run.step_tokens


def key_of(run):
    """Return what makes a run of a budget another run, as one line of text."""
    unique = "all" if run.n_unique is None else run.n_unique
    return (
        f"width={run.config.n_embd} steps={run.settings.total_steps} unique={unique}"
        f" max_lr={run.settings.max_lr:g} seed={run.settings.seed}"
    )


@checks(run=check_run, folder=optional(check_path), tokens=check_own_tokens, n_scored=check_count)
def do(run, folder=None, tokens=None, n_scored=N_SCORED):
    """Train one run and return its row: sizes, tokens, epochs, FLOPs, losses, seconds.

    tokens are Tokens, those of the standard library if not given, and n_scored is the number of
    held-out windows. In folder a checkpoint is kept, from which the same run goes on.
    training_loss is the mean of the last twentieth of all steps.
    """
    config, settings = run.config, run.settings
    tokens = tokens_for(run, tokens)
    held_out = fixed_windows(tokens.held_out, config.n_positions, n_scored)
    batches = run.batches(tokens.training)
    log = train(run.new_model(), batches, settings, held_out=held_out, folder=folder)
    n_tokens, last = log[-1]["tokens"], log[-max(len(log) // 20, 1) :]
    return {
        "run": key_of(run),
        "width": config.n_embd,
        "n_layer": config.n_layer,
        "n_params": count_parameters(config),
        "n_non_embedding": non_embedding_parameters(config),
        "tokens": n_tokens,
        "unique_tokens": len(batches.tokens),
        "epochs": n_tokens / len(batches.tokens),
        "flops": 3 * flops_per_token(config) * n_tokens,
        "steps": settings.total_steps,
        "max_lr": settings.max_lr,
        "seed": settings.seed,
        "training_loss": sum(row["loss"] for row in last) / len(last),
        "held_out_loss": log[-1]["held_out_loss"],
        "seconds": log[-1]["seconds"],
    }


def pilots():
    """Return the runs that choose the learning rate, planned."""
    return [
        Planned("pilot", run_of(width, n_tokens, max_lr))
        for width, n_tokens, n_rates in PILOTS
        for max_lr in PILOT_RATES[:n_rates]
    ]


def profile(flops):
    """Return the runs on one budget of PROFILES, of every width and seed."""
    check_real("flops", flops)
    if flops not in PROFILES:
        raise ValueError(f"{flops=} is no budget of a profile; use one of {tuple(PROFILES)}")
    seeds = SEEDS_OF_BUDGET.get(flops, (0,))
    return [run_on(width, flops, seed) for seed in seeds for width in PROFILES[flops]]


def profiles():
    """Return the runs on each budget, and those that repeat a part of the corpus, planned."""
    on_budgets = [Planned("profile", run) for flops in PROFILES for run in profile(flops)]
    epochs = [(n, N_UNIQUE) for n in REPEATED_EPOCHS] + [(n, None) for n in WHOLE_EPOCHS]
    repeated = [
        Planned("repeated", run_of(REPEATED_WIDTH, n * N_UNIQUE, n_unique=n_unique))
        for n, n_unique in epochs
    ]
    return sorted(on_budgets + repeated, key=lambda planned: cost(planned.run))
