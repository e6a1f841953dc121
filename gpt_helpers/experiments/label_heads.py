"""The heads of a model that learns from examples: when they form, and what is lost without them."""

import torch

from gpt_helpers.architecture.heads import attention_to, ranked, without_heads
from gpt_helpers.tasks import labels


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


def without_readers(model, ids):
    """Return {measure: {x: Score}} after 8 examples, x heads of the last layer left out.

    "readers" are those that pay most attention to the labels of words like the one asked for,
    "others" those that pay least.
    """
    order = ranked(attention_to(model, ids, labels.same_class(ids)))
    last = [head for head in order if head[0] == model.config.n_layer - 1]
    results = {}
    for name, heads in (("readers", last), ("others", last[::-1])):
        scores = results[f"accuracy of 8, without {name}"] = {}
        for n_heads in range(len(last) // 2 + 1):
            with without_heads(model, heads[:n_heads]):
                scores[n_heads] = labels.label_scores(model, ids)[labels.N_PAIRS - 1]
    return results
