"""A recipe raced against another: the tokens and the seconds until it has the other's last loss.

`python -m benchmarks.training recipes` runs it, seed by seed.
"""

import dataclasses
import itertools
import math
import time

import pandas as pd
import torch

from benchmarks.steps import SHAPES
from benchmarks.timing import machine, publish, today, write_table
from gpt_helpers.evaluation.losses import evaluate
from gpt_helpers.text.batches import fixed_windows
from gpt_helpers.text.corpus import load_corpus
from gpt_helpers.text.tokens import encode_corpus
from gpt_helpers.training.loop import Trainer
from gpt_helpers.training.recipes import RECIPES
from gpt_helpers.training.settings import TrainingSettings


class Runner:
    """A run in training, with the seconds that its steps took."""

    def __init__(self, run, tokens):
        """Make the model and the order of the data, as the command line of training does."""
        self.trainer = Trainer(run.new_model().train(), run.settings)
        self.total, self.done, self.seconds = run.settings.total_steps, 0, 0.0
        self.step_tokens, self.batches = run.step_tokens, run.batches(tokens)

    def advance(self, end):
        """Train until so many steps are done."""
        start = time.perf_counter()
        while self.done < end:
            self.trainer.step(self.done, self.batches[self.done])
            self.done += 1
        self.seconds += time.perf_counter() - start


def race(ours, peer, held_out, every):
    """Train both to their ends in turn; return our (steps, seconds, loss) at each evaluation.

    While we take `every` steps, the peer takes so many that both end together: then a slow
    moment of the machine meets both.
    """
    marks = []
    for end in [*range(every, ours.total, every), ours.total]:
        turns = [(ours, end), (peer, round(peer.total * end / ours.total))]
        for runner, until in turns[:: 1 if len(marks) % 2 else -1]:
            runner.advance(until)
        marks.append((ours.done, ours.seconds, evaluate(ours.trainer.model, held_out)))
    return marks


def compare_recipes(ours, peer, held_out, every):
    """Return what it takes us to reach the loss at which the peer ends; nan if we do not."""
    marks = race(ours, peer, held_out, every)
    target = evaluate(peer.trainer.model, held_out)
    reached = next((mark for mark in marks if mark[2] <= target), (math.nan,) * 3)
    steps, seconds, loss = reached
    tokens, peer_tokens = steps * ours.step_tokens, peer.total * peer.step_tokens
    return {
        "peer_steps": peer.total,
        "peer_tokens": peer_tokens,
        "peer_seconds": round(peer.seconds, 2),
        "peer_loss": round(target, 4),
        "steps_to_reach": steps,
        "tokens_to_reach": tokens,
        "seconds_to_reach": round(seconds, 2),
        "loss_reached": round(loss, 4),
        "times_fewer_tokens": round(peer_tokens / tokens, 3),
        "times_fewer_seconds": round(peer.seconds / seconds, 3),
        "times_longer_step": round(ours.seconds / ours.total / (peer.seconds / peer.total), 3),
        "total_steps": ours.total,
        "total_seconds": round(ours.seconds, 2),
        "final_loss": round(marks[-1][2], 4),
    }


def chosen_recipe(name, n_steps, shape):
    """Return a recipe, with another number of steps and another shape if they are not None."""
    recipe = RECIPES[name]
    if shape is not None:
        recipe = dataclasses.replace(recipe, config=SHAPES[shape])
    if n_steps is None:
        return recipe
    warmup_steps = min(n_steps, recipe.settings.warmup_steps)
    return recipe.varied({"total_steps": n_steps, "warmup_steps": warmup_steps})


def described(recipe):
    """Return the class, the batch and the settings of a recipe that are not the defaults."""
    defaults, settings = TrainingSettings(), dataclasses.asdict(recipe.settings)
    changed = {name: value for name, value in settings.items() if value != getattr(defaults, name)}
    facts = {"model": recipe.model.__name__, "batch_size": recipe.batch_size} | changed
    return " ".join(f"{name}={value}" for name, value in facts.items())


def rows_of_before(path, facts):
    """Return the rows that a file holds; raise ValueError if they were measured otherwise."""
    if path is None or not path.exists():
        return []
    rows = pd.read_csv(path).to_dict("records")
    for row, (name, value) in itertools.product(rows, facts.items()):
        if str(row.get(name)) != str(value):
            raise ValueError(
                f"{path} has {name}={row.get(name)}, here it is {value}; write to another file"
            )
    return rows


def facts_of(ours, peer, options):
    """Return what the rows of one file must have in common."""
    return {
        "recipe": options.recipe,
        "recipe_settings": described(ours),
        "peer": options.peer,
        "peer_settings": described(peer),
        "windows": options.windows,
        "evaluated_every": options.every,
        "threads": options.threads,
        **machine(),
    }


def run_recipes(options):
    """Race the recipes for each seed that the file does not have yet, and append its row."""
    torch.set_num_threads(options.threads)
    names, steps = (options.recipe, options.peer), options.steps or (None, None)
    recipes = [chosen_recipe(*pair, options.shape) for pair in zip(names, steps, strict=True)]
    facts = facts_of(*recipes, options)
    rows = rows_of_before(options.csv, facts)
    config = recipes[0].config
    tokens = encode_corpus(load_corpus(options.corpus), config.vocab_size)
    windows = fixed_windows(tokens.held_out, config.n_positions, options.windows)
    for seed in options.seeds:
        if seed in [row["seed"] for row in rows]:
            continue
        ours, peer = (Runner(recipe.with_seed(seed), tokens.training) for recipe in recipes)
        measured = compare_recipes(ours, peer, windows, options.every)
        rows.append({"seed": seed} | measured | facts | {"date": today()})
        if options.csv is not None:
            write_table(options.csv, pd.DataFrame(rows))
    publish(pd.DataFrame(rows))
