"""What each change since GPT-1 is worth: the rungs of the ladder, trained and timed.

    python -m gpt_helpers.experiments.ladder          run what ladder.csv lacks, and append it
    python -m gpt_helpers.experiments.ladder --times  time the steps of all rungs

ladder.csv holds a row per evaluation of every run, ladder_times.csv one per step. Losses are
compared after equally many tokens, and after equally many seconds.
"""

import argparse
import statistics
import sys
import time
from pathlib import Path

import numpy as np
import torch

from gpt_helpers.experiments import small_run
from gpt_helpers.experiments.ablations import rows_of_run
from gpt_helpers.experiments.ladder_models import GPT2, RUNGS, TIMED, WIDE
from gpt_helpers.experiments.records import FOLDER, append_rows, machine_facts
from gpt_helpers.experiments.small_run import SEEDS
from gpt_helpers.files import by_seed, read_rows, write_rows
from gpt_helpers.text.batches import Batches
from gpt_helpers.training.loop import Trainer
from gpt_helpers.variants.sizes import count_active, count_all

RESULTS, TIMES = FOLDER / "ladder.csv", FOLDER / "ladder_times.csv"
NUMBERS = (
    "seed", "step", "tokens", "loss", "held_out_loss", "seconds", "n_params", "n_active",
)  # fmt: skip
TIME_NUMBERS = ("round", "seconds")
MACHINE = ("threads", "python", "torch", "platform", "cpus")
COLUMNS, TIME_COLUMNS = ("rung", *NUMBERS, *MACHINE), ("rung", *TIME_NUMBERS, *MACHINE)


def complete_rows(plan):
    """Run a rung with a seed, the plan (rung, seed), and return its rows with all columns."""
    rung, seed = plan
    variation = RUNGS[rung].variation
    model = small_run.model_of(variation, seed)
    facts = {"rung": rung, "n_params": count_all(model), "n_active": count_active(model)}
    return [row | facts for row in rows_of_run(variation, seed)]


def recorded(path=RESULTS):
    """Return {rung: {seed: rows}} of a file of results, in the order of RUNGS.

    Raises ValueError if it lacks a rung.
    """
    found = by_seed(read_rows(path, NUMBERS), "rung")
    check_complete(found, RUNGS, path, "python -m gpt_helpers.experiments.ladder")
    return {rung: found[rung] for rung in RUNGS}


def at_equal_tokens(path=RESULTS):
    """Return {rung: {seed: held-out loss}} at the end of the runs."""
    return {
        rung: {seed: rows[-1]["held_out_loss"] for seed, rows in seeds.items()}
        for rung, seeds in recorded(path).items()
    }


def at_equal_time(path=RESULTS, times=TIMES):
    """Return {rung: {seed: held-out loss}} when the rung with the shortest steps is at its end.

    Between two evaluations the loss is read off a straight line. The other rungs are read
    before their end, where the learning rate has not yet fallen so far.
    """
    relative, runs = relative_times(times), recorded(path)
    relative |= {rung + WIDE: relative[rung] for rung in TIMED}
    most = small_run.SETTINGS.total_steps * min(relative.values())
    losses = {}
    for rung, seeds in runs.items():
        for seed, rows in seeds.items():
            steps, curve = zip(*((row["step"], row["held_out_loss"]) for row in rows), strict=True)
            loss = float(np.interp(most / relative[rung], steps, curve))
            losses.setdefault(rung, {})[seed] = loss
    return losses


def compared(losses):
    """Return {rung: row} of {rung: {seed: loss}}: losses, and what each rung gains.

    loss is the mean over the seeds, lowest and highest its range. gain is the mean of what the
    loss is lower by than that of the rung that it adds to, seed by seed, and least and most are
    its range; the first rung has none.
    """
    table = {}
    for rung, seeds in losses.items():
        table[rung] = mean_and_range(list(seeds.values()), ("loss", "lowest", "highest"))
        if RUNGS[rung].on is not None:
            before = losses[RUNGS[rung].on]
            gains = [before[seed] - loss for seed, loss in seeds.items()]
            table[rung] |= mean_and_range(gains, ("gain", "least", "most"))
    return table


def mean_and_range(values, names):
    """Return {name: number}, the names being those of the mean, the lowest and the highest."""
    return dict(zip(names, (statistics.fmean(values), min(values), max(values)), strict=True))


def step_times(n_rounds):
    """Return rows with the CPU seconds of a step on one thread: each round, every rung takes one.

    Every second round is in the reversed order, so that a slow moment of the machine meets all
    alike; while other programs run, no CPU seconds pass. A round before the first warms up.
    """
    torch.set_num_threads(1)
    tokens, _ = small_run.tokens_of_corpus()
    batches = Batches(tokens, small_run.BATCH_SIZE, small_run.CONFIG.n_positions)
    trainers = {}
    for rung, (variation, _) in TIMED.items():
        model = small_run.model_of(variation, seed=0).train()
        trainers[rung] = Trainer(model, small_run.settings_of(variation, seed=0))
    rows = []
    for number in range(n_rounds + 1):
        batch = batches[number]
        for rung in list(trainers)[:: -1 if number % 2 else 1]:
            started = time.process_time()
            trainers[rung].step(number, batch)
            seconds = time.process_time() - started
            rows.append({"rung": rung, "round": number, "seconds": seconds} | machine_facts())
    return rows[len(TIMED) :]


def relative_times(path=TIMES):
    """Return {rung: median over the rounds of a step's time, in steps of GPT-2 of that round}.

    A rung with a wide start is not timed: it is as fast as without. Raises ValueError if the
    file lacks a rung.
    """
    found = {}
    for row in read_rows(path, TIME_NUMBERS):
        found.setdefault(row["rung"], {})[row["round"]] = row["seconds"]
    check_complete(found, TIMED, path, "python -m gpt_helpers.experiments.ladder --times")
    unit = found[GPT2]
    return {
        rung: statistics.median(found[rung][number] / unit[number] for number in unit)
        for rung in TIMED
    }


def check_complete(found, rungs, path, command):
    """Raise ValueError unless all these rungs were found in the file."""
    missing = [rung for rung in rungs if rung not in found]
    if missing:
        raise ValueError(f"{path} has no {missing}; run {command}")


def main(arguments=None):
    """Run what the file of results lacks, or time steps; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", action="store_true", help="time the steps of all rungs")
    parser.add_argument("--csv", type=Path, help="the file to write, if it is another")
    parser.add_argument("--rounds", type=int, default=30, help="how often each step is timed")
    parser.add_argument("--processes", type=int, default=2, help="how many runs at a time")
    options = parser.parse_args(arguments)
    if options.times:
        write_rows(options.csv or TIMES, step_times(options.rounds), TIME_COLUMNS)
        return 0
    path = options.csv or RESULTS
    rows = read_rows(path, NUMBERS)
    done = {(row["rung"], row["seed"]) for row in rows}
    missing = [(rung, seed) for seed in SEEDS for rung in RUNGS if (rung, seed) not in done]
    append_rows(path, rows, COLUMNS, complete_rows, missing, options.processes)
    return 0


if __name__ == "__main__":
    sys.exit(main())
