"""What each change since GPT-1 is worth: the rungs of the ladder, trained and timed.

    python -m gpt_helpers.experiments.ladder          run what ladder.csv lacks, and append it
    python -m gpt_helpers.experiments.ladder --times  time the steps of all rungs

ladder.csv holds a row per evaluation of every run, ladder_times.csv one per step. Losses are
compared after equally many tokens, and after equally many seconds.
"""

import statistics
import sys
import time

import numpy as np
import torch

from gpt_helpers.commands import command, positive
from gpt_helpers.experiments.ablations import rows_of_run
from gpt_helpers.experiments.ladder_models import GPT2, RUNGS, TIMED, WIDE
from gpt_helpers.experiments.records import (
    FOLDER,
    GOES_ON,
    MACHINE,
    NOT_RECORDED,
    Record,
    by_seed,
    command_line,
    machine_facts,
    program,
)
from gpt_helpers.experiments.small_run import BASE_RUN, SEEDS, tokens_for
from gpt_helpers.files import write_rows
from gpt_helpers.training.loop import Trainer
from gpt_helpers.validation import check_choice, check_instance, check_path, check_real, checks
from gpt_helpers.variants.sizes import count_active, count_all

NUMBERS = (
    "seed", "step", "tokens", "loss", "held_out_loss", "seconds", "n_params", "n_active",
)  # fmt: skip
RECORD = Record(
    FOLDER / "ladder.csv",
    keys=("rung", "seed"),
    numbers=NUMBERS,
    columns=("rung", *NUMBERS, *MACHINE),
)
TIMES = Record(
    FOLDER / "ladder_times.csv",
    keys=("rung", "round"),
    numbers=("round", "seconds"),
    columns=("rung", "round", "seconds", *MACHINE),
)


def planned(rungs=RUNGS):
    """Return {(rung, seed): (rung, run)} of every run."""
    return {
        (name, seed): (name, rung.run.with_seed(seed))
        for seed in SEEDS
        for name, rung in rungs.items()
    }


def complete_rows(plan, tokens=None):
    """Do one of the planned runs and return its rows with all columns."""
    name, run = plan
    model = run.new_model()
    facts = {"rung": name, "n_params": count_all(model), "n_active": count_active(model)}
    return [row | facts for row in rows_of_run(run, tokens)]


@checks(path=check_path)
def recorded(path=RECORD.path):
    """Return {rung: {seed: rows}} of a file of results, in the order of RUNGS.

    Raises ValueError if it lacks a rung.
    """
    runs = by_seed(RECORD.rows(path), "rung")
    check_complete(runs, RUNGS, path, "python -m gpt_helpers.experiments.ladder")
    return {rung: runs[rung] for rung in RUNGS}


def at_equal_tokens(path=RECORD.path):
    """Return {rung: {seed: held-out loss}} at the end of the runs."""
    return {
        rung: {seed: rows[-1]["held_out_loss"] for seed, rows in seeds.items()}
        for rung, seeds in recorded(path).items()
    }


@checks(path=check_path, times=check_path)
def at_equal_time(path=RECORD.path, times=TIMES.path):
    """Return {rung: {seed: held-out loss}} when the rung with the shortest steps is at its end.

    Between two evaluations the loss is read off a straight line. The other rungs are read
    before their end, where the learning rate has not yet fallen so far.
    """
    relative, runs = relative_times(times), recorded(path)
    relative |= {rung + WIDE: relative[rung] for rung in TIMED}
    most = BASE_RUN.settings.total_steps * min(relative.values())
    losses = {}
    for rung, seeds in runs.items():
        for seed, rows in seeds.items():
            steps, curve = zip(*((row["step"], row["held_out_loss"]) for row in rows), strict=True)
            loss = float(np.interp(most / relative[rung], steps, curve))
            losses.setdefault(rung, {})[seed] = loss
    return losses


def check_losses(name, value):
    """Raise ValueError unless value is {rung: {seed: loss}}, with the rungs that others add to."""
    check_instance(name, value, dict)
    for rung, seeds in value.items():
        check_choice(f"a rung of {name}", rung, RUNGS)
        check_instance(f"{name}[{rung!r}]", seeds, dict)
        for seed, loss in seeds.items():
            check_real(f"{name}[{rung!r}][{seed!r}]", loss)
        before = RUNGS[rung].on
        if not seeds or (before is not None and not {*seeds} <= {*value.get(before, ())}):
            raise ValueError(
                f"{name}[{rung!r}] has seeds {[*seeds]}, {before!r} has not all of them"
            )


@checks(losses=check_losses)
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


def step_times(n_rounds, rungs=TIMED, tokens=None):
    """Return rows with the CPU seconds of a step on one thread: each round, every rung takes one.

    Every second round is in the reversed order, so that a slow moment of the machine meets all
    alike; while other programs run, no CPU seconds pass. A round before the first warms up.
    """
    torch.set_num_threads(1)
    base = rungs[GPT2].run
    tokens = tokens_for(base, tokens)
    batches, rows = base.batches(tokens.training), []
    trainers = {
        name: Trainer(run.new_model().train(), run.settings) for name, (run, _) in rungs.items()
    }
    for number in range(n_rounds + 1):
        batch = batches[number]
        for rung in list(trainers)[:: -1 if number % 2 else 1]:
            started = time.process_time()
            trainers[rung].step(number, batch)
            seconds = time.process_time() - started
            rows.append({"rung": rung, "round": number, "seconds": seconds} | machine_facts())
    return rows[len(rungs) :]


@checks(path=check_path)
def relative_times(path=TIMES.path):
    """Return {rung: median over the rounds of a step's time, in steps of GPT-2 of that round}.

    A rung with a wide start is not timed: it is as fast as without. Raises ValueError if the
    file lacks a rung.
    """
    seconds = {}
    for row in TIMES.rows(path):
        seconds.setdefault(row["rung"], {})[row["round"]] = row["seconds"]
    check_complete(seconds, TIMED, path, "python -m gpt_helpers.experiments.ladder --times")
    unit = seconds[GPT2]
    return {
        rung: statistics.median(seconds[rung][number] / unit[number] for number in unit)
        for rung in TIMED
    }


def check_complete(recorded_rungs, rungs, path, command):
    """Raise ValueError unless all the rungs are among the recorded ones."""
    missing = [rung for rung in rungs if rung not in recorded_rungs]
    if missing:
        raise ValueError(f"path={path} has no {missing}; run {command}")


@command(NOT_RECORDED, GOES_ON)
def main(arguments=None, timed=step_times):
    """Run what the file of results lacks, or time steps; return the exit status.

    timed(number of rounds) returns the rows that --times writes.
    """
    parser = command_line(__doc__, RECORD.path)
    parser.add_argument("--times", action="store_true", help="time the steps of all rungs")
    parser.add_argument("--rounds", type=positive, default=30, help="how often each step is timed")
    options = parser.parse_args(arguments)
    if not options.times:
        return program(RECORD, planned(), complete_rows, options)
    path = TIMES.path if options.csv == RECORD.path else options.csv
    write_rows(path, timed(options.rounds), TIMES.columns)
    return 0


if __name__ == "__main__":
    sys.exit(main())
