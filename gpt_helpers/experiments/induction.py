"""Heads that look back: what the shipped model loses without them, and when they form.

A head that reads what came after an earlier copy of the present token rests on a head of a layer
before it; a model of one layer cannot have it. To see it form, the largest run of the sweep is
watched while it trains, and so is the same run with one layer. Source: olsson2022induction.

EXPERIMENTS is {experiment: {variant: function of a seed}}; applications.py runs them all. x counts
the steps of training in "formation"; else it is the number of the head (4 to a layer) in "score",
and how many heads are left out in what ends in "without ...".
"""

import functools
import random

from gpt_helpers.architecture.heads import (
    induction_scores,
    previous_scores,
    ranked,
    repetition_losses,
    without_heads,
)
from gpt_helpers.architecture.inputs import check_ranges
from gpt_helpers.experiments.records import result_row
from gpt_helpers.experiments.small_run import N_HELD_OUT, check_own_tokens, check_run, tokens_for
from gpt_helpers.experiments.sweep import largest
from gpt_helpers.tensor_checks import check_tensor
from gpt_helpers.text.batches import fixed_windows
from gpt_helpers.text.tokens import code_windows
from gpt_helpers.training.loop import train
from gpt_helpers.validation import check_count, check_natural, checks, optional
from gpt_helpers.weights.pretrained import load_model

N_DRAWS = 5  # of other heads to leave out
LOOK_EVERY = 500  # steps
check_ids = functools.partial(check_tensor, axes="(B, T)", integers=True, empty=False)


def induction_rows(seed, n_most=4, n_windows=128):
    """Return the rows of the shipped model's induction heads: scores, and losses without them.

    Up to n_most heads are left out, those with the highest scores, or others, drawn N_DRAWS times.
    """
    model, tokenizer = load_model()
    ids = code_windows(seed, tokenizer, n_windows)
    scores = induction_scores(model, ids)
    order, rng = ranked(scores), random.Random(seed)
    rows = [result_row("score", x, score) for x, score in enumerate(scores.flatten().tolist())]
    for n_heads in range(n_most + 1):
        others = [rng.sample(order[n_most:], n_heads) for _ in range(N_DRAWS)]
        rows += loss_rows(model, ids, "highest scores", [order[:n_heads]])
        rows += loss_rows(model, ids, "others", others)
    return rows


def loss_rows(model, ids, name, choices):
    """Return the rows of mean losses of both halves of ids, each choice of heads left out."""
    losses = []
    for heads in choices:
        with without_heads(model, heads):
            losses.append(repetition_losses(model, ids))
    means = [sum(half) / len(losses) for half in zip(*losses, strict=True)]
    return [
        result_row(f"{half} half, without {name}", len(choices[0]), mean)
        for half, mean in zip(("first", "second"), means, strict=True)
    ]


@checks(n_layer=check_count, seed=check_natural, stop_after=optional(check_count),
        run=optional(check_run), tokens=check_own_tokens, ids=optional(check_ids),
        every=check_count)  # fmt: skip
def watched(n_layer, seed, stop_after=None, run=None, tokens=None, ids=None, every=LOOK_EVERY):
    """Train a run with n_layer layers; return what was seen on the way, once in so many steps.

    A row holds step, tokens, held_out_loss (nats per token), the highest induction_score and
    previous_score of all heads, and gain, by how much the loss is lower when held-out code is
    read for the second time (nats per token). stop_after ends the run early, on the same schedule.
    Unless given, run is the largest of the sweep, tokens are those of the standard library, and
    ids (B, 2T), in which the heads are looked at, are code_windows.
    """
    run = watched_run(n_layer, seed, stop_after, largest()[0].run if run is None else run, every)
    tokens = tokens_for(run, tokens)
    held_out = fixed_windows(tokens.held_out, run.config.n_positions, N_HELD_OUT)
    rows, ids = [], code_windows(0, load_model()[1]) if ids is None else ids
    check_ranges(ids=(ids, "vocab_size", run.config.vocab_size))
    watching = functools.partial(look, rows, ids)
    train(
        run.new_model(),
        run.batches(tokens.training),
        run.settings,
        held_out=held_out,
        after_step=watching,
    )
    return rows


def watched_run(n_layer, seed, stop_after, run, every):
    """Return the Run that watched trains: another depth and seed, and a look so often."""
    run = run.with_seed(seed).stopped_after(stop_after)
    return run.varied({"evaluate_every": every}, {"n_layer": n_layer})


def look(rows, ids, row, model):
    """Append to rows what the heads read in ids, and what they gain, if the loss was measured."""
    if "held_out_loss" not in row:
        return
    first, second = repetition_losses(model, ids)
    kept = {name: row[name] for name in ("step", "tokens", "held_out_loss")}
    scores = {
        "induction_score": induction_scores(model, ids).max().item(),
        "previous_score": previous_scores(model, ids).max().item(),
    }
    rows.append(kept | scores | {"gain": first - second})


def formation_rows(n_layer, seed, **settings):
    """Return the rows of a whole run, one for each measure and step; settings go to watched."""
    return [
        result_row(name, row["step"], value, row["step"], row["tokens"])
        for row in watched(n_layer, seed, **settings)
        for name, value in row.items()
        if name not in ("step", "tokens")
    ]


EXPERIMENTS = {
    "induction heads": {"shipped": induction_rows},
    "formation": {
        "4 layers": functools.partial(formation_rows, 4),
        "1 layer": functools.partial(formation_rows, 1),
    },
}
