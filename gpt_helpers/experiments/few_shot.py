"""Learning from examples in the prompt, without a step of training: what it takes, what it reads.

EXPERIMENTS is {experiment: {variant: function of a seed}}; applications.py runs them all. x counts
the examples or lines before the question, except in "head score", "accuracy of 8" and "loss",
where it is the step of training, in "score", where it is the number of the head (4 to a layer),
and in what ends in "without ...", where it is how many heads are left out.
"""

import dataclasses
import functools
import random

import numpy as np
import torch
import torch.nn.functional as F

from gpt_helpers.architecture.attention import attention_fused, positions
from gpt_helpers.architecture.heads import (
    attention_to,
    induction_scores,
    ranked,
    repetition_losses,
    without_heads,
)
from gpt_helpers.architecture.model import GPTLMHeadModel
from gpt_helpers.config import GPTConfig
from gpt_helpers.tasks import labels, patterns
from gpt_helpers.tasks.items import ItemBatches, draw_items
from gpt_helpers.text.batches import sample_batch
from gpt_helpers.text.corpus import load_corpus
from gpt_helpers.text.tokenizer import encode
from gpt_helpers.training.loop import train
from gpt_helpers.training.settings import TrainingSettings
from gpt_helpers.variants.modern import ModernLMHeadModel
from gpt_helpers.variants.rotary import rotary_angles, rotate
from gpt_helpers.weights.pretrained import load_model

LABEL_CONFIG = GPTConfig(
    len(labels.WORDS_AND_LABELS), n_positions=2 * labels.N_PAIRS, n_embd=64, n_layer=2, n_head=4,
    dropout=0.0,
)  # fmt: skip
EPSILON = LABEL_CONFIG.layer_norm_epsilon
WIDER_START = dataclasses.replace(LABEL_CONFIG, initializer_range=0.15)
MUON = TrainingSettings(
    total_steps=400, schedule="wsd", optimizer="muon", max_lr=1e-2, min_lr=0.0, warmup_steps=10,
    cooldown_share=0.5,
)  # fmt: skip
ADAMW = dataclasses.replace(MUON, optimizer="adamw", max_lr=3e-3)
N_SEQUENCES = 64
N_TESTS = 4000
N_PATTERN_ITEMS = 1000
TEST_SEED = 1_000_000  # no seed of a training
N_WINDOWS, N_HALF = 128, 64  # of held-out code, written twice
N_DRAWS = 5  # of other heads to leave out


def attend_modern(q, k, v, padding=None, dropout=0.0, window=None):
    """Return attention of normalised and rotated queries and keys, as in a modern GPT."""
    turned = (
        rotate(F.rms_norm(x, x.shape[-1:], eps=EPSILON), rotary_angles(at[None], x.shape[-1]))
        for x, at in zip((q, k), positions(q, k), strict=True)
    )
    return attention_fused(*turned, v, padding, dropout, window)


def trained(
    seed,
    settings,
    make=ModernLMHeadModel,
    config=LABEL_CONFIG,
    draw=labels.draw_labelled,
    after_step=None,
):
    """Return the model make(config), trained on the word-label task, in eval mode."""
    torch.manual_seed(seed)
    model = make(config)
    batches = ItemBatches(draw, labels.labelled_rows, N_SEQUENCES, seed)
    settings = dataclasses.replace(settings, seed=seed)
    train(model, batches, settings, loss_of=labels.label_loss, after_step=after_step)
    return model.eval()


def items_for_tests(draw=labels.draw_labelled):
    """Return items (N, 11) that no training can contain, the same for every model."""
    return draw_items(draw, N_TESTS, np.random.default_rng(TEST_SEED), for_tests=True)


def measurements(measure, found, n_steps=0):
    """Return the rows of found, {x: Score or float}, after n_steps of training."""
    cost = {"steps": n_steps, "tokens": n_steps * N_SEQUENCES * LABEL_CONFIG.n_positions}
    return [
        {"measure": measure, "x": x} | cost
        | ({"value": v} if isinstance(v, float) else {"right": v.right, "n": v.n})
        for x, v in found.items()
    ]  # fmt: skip


def label_rows(seed, make=GPTLMHeadModel, config=LABEL_CONFIG, settings=ADAMW):
    """Train on the word-label task and return the rows of accuracy after 0 to 8 examples."""
    model = trained(seed, settings, make, config)
    ids = torch.tensor(labels.labelled_rows(items_for_tests()))
    return measurements("accuracy", labels.label_scores(model, ids), settings.total_steps)


def main_rows(seed):
    """Return the rows of accuracy of the modern model, and those of its controls and heads."""
    log, items = [], items_for_tests()
    model = trained(seed, MUON, after_step=functools.partial(watch, log, items[:500]))
    ids, rng = torch.tensor(labels.labelled_rows(items)), np.random.default_rng(TEST_SEED)
    shuffled = torch.tensor(labels.shuffled_rows(items, rng))
    found = {
        "accuracy": labels.label_scores(model, ids),
        "accuracy, shuffled": labels.label_scores(model, shuffled, wanted=ids[:, 1::2]),
        "outside": labels.outside(model, ids),
    } | {name: {row["step"]: row[name] for row in log} for name in log[0] if name != "step"}
    rows = [
        row for name, by_x in found.items() for row in measurements(name, by_x, MUON.total_steps)
    ]
    return rows + removal_rows(model, ids[:2000])


def watch(log, items, row, model, every=20):
    """Append to log, every so many steps, what the model can do and what its heads read."""
    if row["step"] % every and row["step"] > 1:
        return
    ids = torch.tensor(labels.labelled_rows(items))
    score = attention_to(model, ids, labels.same_class(ids)).max().item()
    last = labels.label_scores(model, ids)[labels.N_PAIRS - 1]
    with torch.no_grad():
        loss = labels.label_loss(model, ids).item()
    log.append({"step": row["step"], "head score": score, "accuracy of 8": last, "loss": loss})


def removal_rows(model, ids):
    """Return the rows of accuracy after 8 examples without 0 to 2 heads of the last layer.

    "readers" are those that pay most attention to the labels of words like the one asked for,
    "others" those that pay least.
    """
    order = ranked(attention_to(model, ids, labels.same_class(ids)))
    last = [head for head in order if head[0] == model.config.n_layer - 1]
    rows = []
    for n_heads in range(len(last) // 2 + 1):
        for name, heads in (("readers", last[:n_heads]), ("others", last[::-1][:n_heads])):
            with without_heads(model, heads):
                score = labels.label_scores(model, ids)[labels.N_PAIRS - 1]
            rows += measurements(
                f"accuracy of 8, without {name}", {n_heads: score}, MUON.total_steps
            )
    return rows


def new_pair_rows(seed):
    """Train without some pairs of labels; return the rows of accuracy on others and on these."""
    model, rows = trained(seed, MUON, draw=labels.draw_seen), []
    for name, draw in (("seen", labels.draw_seen), ("unseen", labels.draw_unseen)):
        ids = torch.tensor(labels.labelled_rows(items_for_tests(draw)))
        scores = labels.label_scores(model, ids)
        rows += measurements(f"accuracy, {name} pairs", scores, MUON.total_steps)
    return rows


def code_windows(seed, tokenizer):
    """Return ids (B, 2T): windows of code that the shipped model has not read, each twice."""
    tokens = encode(tokenizer, load_corpus().held_out)
    generator = torch.Generator().manual_seed(seed)
    windows = sample_batch(tokens, N_WINDOWS, N_HALF, generator).long()
    return torch.cat([windows, windows], dim=1)


def induction_rows(seed, n_most=4):
    """Return the rows of the shipped model's induction heads: scores, and losses without them."""
    model, tokenizer = load_model()
    ids = code_windows(seed, tokenizer)
    scores = induction_scores(model, ids)
    order, rng = ranked(scores), random.Random(seed)
    rows = measurements("score", dict(enumerate(scores.flatten().tolist())))
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
    first, second = (sum(half) / len(losses) for half in zip(*losses, strict=True))
    by_half = {"first half": {len(choices[0]): first}, "second half": {len(choices[0]): second}}
    return [
        row
        for half, found in by_half.items()
        for row in measurements(f"{half}, without {name}", found)
    ]


def pattern_rows(pattern, seed):
    """Return the rows of the shipped model's answers after 0 to 6 lines of a pattern."""
    items = patterns.draw_lines(np.random.default_rng([TEST_SEED, seed]), N_PATTERN_ITEMS)
    return measurements("accuracy", patterns.pattern_scores(*load_model(), pattern, items))


def exchanged(**changes):
    """Return label_rows with changes of the run of GPT-2 and AdamW."""
    return functools.partial(label_rows, **changes)


EXPERIMENTS = {
    "labels": {
        "modern, Muon": main_rows,
        "modern, AdamW": exchanged(make=ModernLMHeadModel),
        "GPT-2, AdamW": label_rows,
        "GPT-2, 4x steps": exchanged(settings=dataclasses.replace(ADAMW, total_steps=1600)),
        "GPT-2, RoPE, QK-norm": exchanged(
            make=functools.partial(GPTLMHeadModel, attend=attend_modern)
        ),
        "GPT-2, Muon": exchanged(settings=MUON),
        "GPT-2, std 0.15": exchanged(config=WIDER_START),
    },
    "new pairs": {"modern, Muon": new_pair_rows},
    "induction heads": {"shipped": induction_rows},
    "patterns": {
        name: functools.partial(pattern_rows, pattern)
        for name, pattern in patterns.PATTERNS.items()
    },
}
