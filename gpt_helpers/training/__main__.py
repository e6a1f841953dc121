"""The command line of training: python -m gpt_helpers.training --preset NAME."""

import argparse
import sys
from pathlib import Path

import torch

from gpt_helpers.commands import command, positive
from gpt_helpers.files import write_rows
from gpt_helpers.tensor_checks import check_device
from gpt_helpers.text.batches import fixed_windows
from gpt_helpers.text.corpus import load_corpus
from gpt_helpers.text.tokens import encode_corpus
from gpt_helpers.training import distributed
from gpt_helpers.training.loop import train
from gpt_helpers.training.recipes import RECIPES
from gpt_helpers.training.settings import PRECISIONS
from gpt_helpers.weights.pretrained import save_model
from gpt_helpers.weights.sealed import copy_tensors

WINDOWS = 128  # held-out windows that the log's scores are measured on
LOG_COLUMNS = ("step", "tokens", "loss", "lr", "gradient_norm", "seconds", "held_out_loss")


def parser():
    """Return the parser of the command line."""
    line = argparse.ArgumentParser(
        prog="python -m gpt_helpers.training",
        description="Train a GPT on the Python standard library, and go on where a run stopped.",
        epilog="Under torchrun the same command trains on several processes. Exit status:"
        " 0 trained, 1 refused or failed (the reason is printed), 2 wrong usage, 130 interrupted.",
    )
    line.add_argument("--preset", required=True, choices=RECIPES, help="which recipe to train by")
    line.add_argument("--folder", type=Path, required=True, help="for checkpoint, log and weights")
    line.add_argument("--corpus", type=Path, help="a folder of .py files; the standard library")
    line.add_argument("--steps", type=int, help="end after so many steps, schedule included")
    line.add_argument("--batch-size", type=int, help="windows per step, on all processes")
    line.add_argument("--accumulation", type=int, help="passes that a step is divided into")
    line.add_argument("--precision", choices=PRECISIONS, help="the numbers of matrix products")
    line.add_argument("--seed", type=int, help="of initial weights, data order and dropout")
    line.add_argument("--strategy", choices=distributed.STRATEGIES, default="ddp")
    line.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    line.add_argument("--threads", type=positive, help="of each process on the CPU")
    return line


def chosen_recipe(options):
    """Return the recipe of the preset with the changes that the command line asks for."""
    recipe = RECIPES[options.preset]
    changes = {
        "total_steps": options.steps,
        "accumulation": options.accumulation,
        "precision": options.precision,
        "seed": options.seed,
    }
    given = {name: value for name, value in changes.items() if value is not None}
    if "total_steps" in given:
        given["warmup_steps"] = min(recipe.settings.warmup_steps, given["total_steps"])
    batch_size = recipe.batch_size if options.batch_size is None else options.batch_size
    return recipe.varied(given, batch_size=batch_size)


def train_by(recipe, options):
    """Train by the recipe, and write the log and the model to the folder of the options."""
    n_positions = recipe.config.n_positions
    tokens = encode_corpus(load_corpus(options.corpus), recipe.config.vocab_size)
    n_windows = min(WINDOWS, max(len(tokens.held_out) // n_positions, 1))
    model = recipe.new_model().to(torch.device(options.device))
    log = train(
        model,
        recipe.batches(tokens.training),
        recipe.settings,
        held_out=fixed_windows(tokens.held_out, n_positions, n_windows),
        folder=options.folder,
        strategy=options.strategy,
        progress=True,
    )
    weights = distributed.whole_weights(model)
    if distributed.rank() == 0:
        trained = recipe.new_model()
        copy_tensors(dict(trained.named_parameters()), weights, "the run")
        write_rows(options.folder / "log.csv", log, LOG_COLUMNS)
        save_model(options.folder / "model.safetensors", trained, tokens.tokenizer)


@command("not trained", "interrupted; the same command goes on from the last checkpoint")
def main(arguments=None):
    """Train as the command line asks; return the exit status."""
    options = parser().parse_args(arguments)
    check_device("device", options.device)
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    with distributed.process_group(torch.device(options.device)):
        train_by(chosen_recipe(options), options)


if __name__ == "__main__":
    sys.exit(main())
