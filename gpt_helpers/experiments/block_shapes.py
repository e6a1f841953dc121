"""What heads contribute, and MLPs of several widths: one small model in five forms.

    python -m gpt_helpers.experiments.block_shapes     run what block_shapes.csv lacks

Every arm reads the same tokens in the same order. Its learning rate is chosen first, with a seed
of its own, by windows that are neither trained on nor among the held-out ones; then it is trained
with SEEDS, and arms are compared seed by seed. The file holds a row per run. Weights begin as
large for the width as GPT-2's do for its own. An MLP of another width also has another number of
parameters, so these arms show what the width and the parameters do together.

The design was settled after a few runs of a wider and longer one, whose seeds differed too much
from each other; they are not on record. The lowest learning rate was added for all arms when the
best of one arm, MLP C, stood at the lower end.

Predicted before the first run, of losses in nats per token: 4 heads are better than 1 by 0.05 or
more (missed), and without an MLP the loss is higher by 0.1 or more (held). After the runs of these
arms, and before the first of the two other widths: with an MLP of width C the loss is higher by
0.02 or more (held), and one of width 8C is no better than one of 4C by more than 0.05 (missed).
"""

import contextlib
import math
import statistics
import sys
from functools import partial

import torch
from scipy import stats

from gpt_helpers.architecture.attention import attention_fused
from gpt_helpers.architecture.inputs import refuse_misfits
from gpt_helpers.architecture.model import GPTBlock, GPTModel
from gpt_helpers.commands import command
from gpt_helpers.config import GPTConfig
from gpt_helpers.evaluation.losses import evaluate
from gpt_helpers.experiments.records import (
    FOLDER,
    GOES_ON,
    MACHINE,
    NOT_RECORDED,
    Record,
    command_line,
    machine_facts,
    program,
)
from gpt_helpers.text.batches import fixed_windows
from gpt_helpers.text.tokens import Tokens, load_tokens
from gpt_helpers.training.loop import train
from gpt_helpers.training.runs import Run
from gpt_helpers.training.settings import TrainingSettings
from gpt_helpers.validation import check_choice, check_count, check_instance, check_path, checks


class BlockWithoutMLP(GPTBlock):
    """A GPTBlock of which only the attention, with its norm, is left."""

    def __init__(self, config, attend=attention_fused):
        """Make both sub-layers, and take the MLP away."""
        super().__init__(config, attend)
        self.ln_2 = self.mlp = None

    @refuse_misfits
    def forward(self, x, padding=None, cache=None):
        """Return (B, T, C) for x (B, T, C)."""
        return x + self.attn(self.ln_1(x), padding, cache)


class ModelWithoutMLP(GPTModel):
    """A GPTModel of attention alone."""

    def __init__(self, config, attend=attention_fused):
        """Make the layers."""
        super().__init__(config, attend, BlockWithoutMLP)


WHOLE_RUN = Run(
    GPTConfig(1000, n_positions=128, n_embd=64, n_layer=2, n_head=4, dropout=0.0),
    TrainingSettings(total_steps=300, min_lr=0.0, warmup_steps=30),
    batch_size=8,
    initial_std=0.07,  # as large for the width as GPT-2's for its own
)
WHOLE = "4 heads, MLP 4C"
ARMS = {
    WHOLE: WHOLE_RUN,
    "1 head": WHOLE_RUN.varied(config={"n_head": 1}),
    "no MLP": WHOLE_RUN.varied(transformer=ModelWithoutMLP),
    "MLP C": WHOLE_RUN.varied(config={"n_inner": 64}),
    "MLP 8C": WHOLE_RUN.varied(config={"n_inner": 512}),
}
LEARNING_RATES = (2e-3, 4e-3, 8e-3, 1.6e-2)
TUNING_SEED, SEEDS = 0, (1, 2, 3, 4, 5)
N_FIRST = 30  # steps, the mean of whose losses is recorded, to be compared with a short run
N_SET_ASIDE = 150_000  # tokens at the end of the training files, to choose learning rates by
N_WINDOWS = 128  # to score on
NUMBERS = (
    "max_lr", "seed", "n_params", "first_loss", "validation_loss", "held_out_loss", "seconds",
)  # fmt: skip
RECORD = Record(
    FOLDER / "block_shapes.csv",
    keys=("arm", "max_lr", "seed"),
    numbers=NUMBERS,
    columns=("arm", *NUMBERS, *MACHINE),
)

check_arm = partial(check_choice, choices=ARMS)
check_library = partial(check_instance, kind=Tokens)


def planned(rates, seeds, arms):
    """Return {(arm, learning rate, seed): (arm, run)}, rates being those of each arm."""
    return {
        (arm, rate, seed): (arm, run.varied({"max_lr": rate, "seed": seed}))
        for seed in seeds
        for arm, run in arms.items()
        for rate in rates[arm]
    }


def tuning(arms=ARMS):
    """Return the plan of the runs that learning rates are chosen by."""
    return planned(dict.fromkeys(arms, LEARNING_RATES), [TUNING_SEED], arms)


def chosen_rates(rows):
    """Return {arm: its best learning rate on validation windows}, of rows of tuning."""
    best = {}
    for row in rows:
        if row["seed"] == TUNING_SEED and not math.isnan(row["validation_loss"]):
            best.setdefault(row["arm"], []).append((row["validation_loss"], row["max_lr"]))
    return {arm: min(losses)[1] for arm, losses in best.items()}


def comparing(rows, arms=ARMS):
    """Return the plan of the runs that are compared, with the learning rates chosen from rows."""
    rates = {arm: [rate] for arm, rate in chosen_rates(rows).items()}
    return planned(rates, SEEDS, arms)


def complete_rows(plan, tokens=None):
    """Do one of the planned runs on one thread and return its row, in a list."""
    torch.set_num_threads(1)
    arm, run = plan
    tokens = load_tokens(run.config.vocab_size) if tokens is None else tokens
    model = run.new_model()
    facts = {
        "arm": arm, "max_lr": run.settings.max_lr, "seed": run.settings.seed,
        "n_params": sum(p.numel() for p in model.parameters()),
    }  # fmt: skip
    results = dict.fromkeys(("first_loss", "validation_loss", "held_out_loss"), math.nan)
    with contextlib.suppress(ArithmeticError):  # one that diverges has no numbers
        results = measured(model, run, tokens)
    return [facts | results | machine_facts()]


def measured(model, run, tokens):
    """Train the model and return {column: number} of what is measured of it."""
    aside = tokens.training[-N_SET_ASIDE:]
    log = train(model, batches_of(run, tokens), run.settings)
    width = run.config.n_positions
    return {
        "first_loss": mean_loss(log),
        "validation_loss": evaluate(model, fixed_windows(aside, width, N_WINDOWS)),
        "held_out_loss": evaluate(model, fixed_windows(tokens.held_out, width, N_WINDOWS)),
        "seconds": log[-1]["seconds"],
    }


def batches_of(run, tokens):
    """Return what a run trains on: the training files, but for the tokens set aside."""
    return run.batches(tokens.training[:-N_SET_ASIDE])


def mean_loss(log):
    """Return the mean loss of the first N_FIRST steps of a log."""
    return statistics.fmean(row["loss"] for row in log[:N_FIRST])


@checks(path=check_path)
def recorded(path=RECORD.path):
    """Return {arm: {seed: row}} of the runs that are compared, each by its chosen learning rate.

    Raises ValueError if the file lacks one of them.
    """
    rows = RECORD.rows(path)
    if RECORD.missing(tuning(), rows) or RECORD.missing(comparing(rows), rows):
        raise ValueError(f"path={path} lacks runs; python -m gpt_helpers.experiments.block_shapes")
    found = {arm: {} for arm in ARMS}
    for row in rows:
        if row["seed"] in SEEDS:
            found[row["arm"]][int(row["seed"])] = row
    return found


@checks(path=check_path)
def comparison(path=RECORD.path):
    """Return {arm: row}: what each arm has, its held-out loss, and the difference from WHOLE.

    loss is the mean over the seeds; difference is the mean of the differences seed by seed, and
    low and high are the ends of its 95 % interval (Student's t).
    """
    runs, table = recorded(path), {}
    for arm, seeds in runs.items():
        losses = [row["held_out_loss"] for row in seeds.values()]
        first = seeds[SEEDS[0]]
        table[arm] = {
            "n_params": int(first["n_params"]),
            "max_lr": first["max_lr"],
            "loss": statistics.fmean(losses),
        }
        if arm != WHOLE:
            pairs = ((seeds[s]["held_out_loss"], runs[WHOLE][s]["held_out_loss"]) for s in SEEDS)
            table[arm] |= paired_interval([ours - theirs for ours, theirs in pairs])
    return table


def paired_interval(differences):
    """Return the mean of paired differences and the ends of its 95 % interval."""
    mean, n = statistics.fmean(differences), len(differences)
    half = float(stats.t.ppf(0.975, n - 1)) * statistics.stdev(differences) / n**0.5
    return {"difference": mean, "low": mean - half, "high": mean + half}


@checks(arm=check_arm, tokens=check_library, seed=check_count, path=check_path)
def begun_again(arm, tokens, seed=SEEDS[0], path=RECORD.path):
    """Run the first steps of a recorded run again; return (its mean loss, the recorded one).

    tokens are those of the standard library. Raises ValueError for a seed that is not recorded.
    """
    seeds = recorded(path)[arm]
    check_choice("seed", seed, seeds)
    run = ARMS[arm].varied({"max_lr": seeds[seed]["max_lr"], "seed": seed})
    with torch.random.fork_rng():
        model = run.new_model()
    log = train(model, batches_of(run, tokens), run.stopped_after(N_FIRST).settings)
    return mean_loss(log), seeds[seed]["first_loss"]


@command(NOT_RECORDED, GOES_ON)
def main(arguments=None):
    """Run what the file of results lacks, two runs at a time; return the exit status."""
    options = command_line(__doc__, RECORD.path).parse_args(arguments)
    program(RECORD, tuning(), complete_rows, options)
    return program(RECORD, comparing(RECORD.rows(options.csv)), complete_rows, options)


if __name__ == "__main__":
    sys.exit(main())
