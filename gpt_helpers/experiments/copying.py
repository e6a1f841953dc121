"""Has the largest run learned to copy from its window? Measured, and recorded in copying.csv."""

import torch

from gpt_helpers.architecture.model import GPTLMHeadModel
from gpt_helpers.evaluation.losses import window_losses
from gpt_helpers.experiments import budgets
from gpt_helpers.experiments.records import FOLDER
from gpt_helpers.experiments.small_run import tokens_for
from gpt_helpers.experiments.sweep import largest, place_of
from gpt_helpers.files import read_rows
from gpt_helpers.text.batches import fixed_windows
from gpt_helpers.training.checkpoint import FILE_NAME
from gpt_helpers.validation import check_path, checks
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


def copying(run, folder, tokens=None, n_scored=budgets.N_SCORED, n_repeated=N_REPEATED):
    """Return what a run gains from copying: a row of COPYING_NUMBERS, and the run's key.

    pair_loss is the held-out loss of tokens that end a pair seen before in the window, other_loss
    that of all others. first_loss and second_loss are those of random tokens of the corpus, and
    of the same tokens again. The run is done on one thread, or goes on from where it is in folder.
    tokens and n_scored are as in budgets.do. Source: olsson2022induction (random tokens, repeated).
    """
    torch.set_num_threads(1)
    tokens = tokens_for(run, tokens)
    place = place_of(run, folder)
    n_tokens = budgets.do(run, place, tokens, n_scored)["tokens"]
    model = saved_model(run, place)
    windows = fixed_windows(tokens.held_out, run.config.n_positions, n_scored)
    losses, seen = window_losses(model, windows), seen_pairs(windows)
    half = run.config.n_positions // 2
    again = window_losses(model, drawn_twice(tokens.training, n_repeated, half)).mean(0)
    means = seen.float().mean(), losses[seen].mean(), losses[~seen].mean()
    values = *means, again[: half - 1].mean(), again[half:].mean()
    numbers = zip(COPYING_NUMBERS[2:], (value.item() for value in values), strict=True)
    known = {"run": budgets.key_of(run), "width": run.config.n_embd, "tokens": n_tokens}
    return known | dict(numbers)


def saved_model(run, place):
    """Return the model of a run with the weights of the checkpoint in the folder place."""
    tensors, _ = read_sealed(place / FILE_NAME)
    model = GPTLMHeadModel(run.config)
    weights = {name: tensor for name, tensor in tensors.items() if "/" not in name}
    copy_tensors(dict(model.named_parameters()), weights, place)
    return model


def drawn_twice(tokens, n_rows, n_half):
    """Return (n_rows, 2 * n_half): n_half of the tokens (N,) drawn at random, and again."""
    generator = torch.Generator().manual_seed(0)
    drawn = torch.randint(len(tokens), (n_rows, n_half), generator=generator)
    return tokens[drawn].repeat(1, 2)


@checks(path=check_path)
def recorded_copying(path=COPYING):
    """Return the rows that copying.csv holds, a row per run of copying_runs."""
    return read_rows(path, COPYING_NUMBERS)


def copying_runs():
    """Return two runs of the highest profile, half as wide and as wide as the largest, and it."""
    ((_, run),) = largest()
    width = run.config.n_embd
    return [*(budgets.run_on(w, max(budgets.PROFILES)) for w in (width // 2, width)), run]
