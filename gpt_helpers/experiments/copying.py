"""Has the largest run learned to copy from its window? Measured, and recorded in copying.csv."""

import torch

from gpt_helpers.architecture.model import GPTLMHeadModel
from gpt_helpers.evaluation.losses import token_losses
from gpt_helpers.experiments import budgets
from gpt_helpers.experiments.budgets import PROFILES, run_on
from gpt_helpers.experiments.records import FOLDER
from gpt_helpers.experiments.small_run import tokens_of_corpus
from gpt_helpers.experiments.sweep import largest
from gpt_helpers.files import read_rows
from gpt_helpers.training.checkpoint import FILE_NAME
from gpt_helpers.weights.sealed import copy_tensors, read_sealed

COPYING = FOLDER / "copying.csv"


COPYING_NUMBERS = (
    "width", "tokens", "pair_share", "pair_loss", "other_loss", "first_loss", "second_loss",
)  # fmt: skip


N_REPEATED = 128  # sequences of random tokens, each of half a window, twice


def seen_pairs(windows):
    """Return bool (N, T-1), for windows (N, T): does a token end a pair seen before in its window?

    A pair is a token and the one before it; the first token of a window ends none.
    """
    pairs = torch.stack([windows[:, :-1], windows[:, 1:]], -1)
    same = (pairs[:, :, None] == pairs[:, None]).all(-1)
    index = torch.arange(pairs.shape[1])
    return (same & (index < index[:, None])).any(-1)


def copying(run, folder):
    """Return what a run gains from copying: a row of COPYING_NUMBERS, and the run's key.

    pair_loss is the held-out loss of tokens that end a pair seen before in the window, other_loss
    that of all others. first_loss and second_loss are those of random tokens of the corpus, and
    of the same tokens again. The run is done on one thread, or goes on from where it is in folder.
    Source: olsson2022induction (random tokens, repeated).
    """
    torch.set_num_threads(1)
    place = folder / run.key.replace(" ", "-")
    n_tokens = budgets.do(run, place)["tokens"]
    tensors, _ = read_sealed(place / FILE_NAME)
    model = GPTLMHeadModel(run.config)
    weights = {name: tensor for name, tensor in tensors.items() if "/" not in name}
    copy_tensors(dict(model.named_parameters()), weights, place)
    tokens, held_out = tokens_of_corpus(budgets.N_SCORED)
    losses, seen = token_losses(model, held_out), seen_pairs(held_out)
    half = run.config.n_positions // 2
    drawn = torch.randint(
        len(tokens), (N_REPEATED, half), generator=torch.Generator().manual_seed(0)
    )
    again = token_losses(model, tokens[drawn].repeat(1, 2)).mean(0)
    means = seen.float().mean(), losses[seen].mean(), losses[~seen].mean()
    values = *means, again[: half - 1].mean(), again[half:].mean()
    numbers = zip(COPYING_NUMBERS[2:], (value.item() for value in values), strict=True)
    return {"run": run.key, "width": run.width, "tokens": n_tokens, **dict(numbers)}


def recorded_copying(path=COPYING):
    """Return the rows that copying.csv holds, a row per run of copying_runs."""
    return read_rows(path, COPYING_NUMBERS)


def copying_runs():
    """Return two runs of the highest profile, half as wide and as wide as the largest, and it."""
    (run,) = largest()
    shorter = [run_on("profile", width, max(PROFILES)) for width in (run.width // 2, run.width)]
    return [*shorter, run]
