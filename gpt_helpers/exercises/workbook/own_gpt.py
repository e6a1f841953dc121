"""A reader's GPT with the weights that ship with the book, beside the book's own GPT."""

import functools
import textwrap

import pandas as pd
import torch

from gpt_helpers.exercises.grading import said
from gpt_helpers.exercises.workbook.calls import CHECK_OF, USES, is_solved
from gpt_helpers.language import LANGUAGES, Translated
from gpt_helpers.validation import check_instance
from gpt_helpers.weights.pretrained import load_model

NEEDED = (*tuple(USES)[: tuple(USES).index("gpt") + 1], "generate")  # to write a text
PROMPT, N_NEW = "def __init__(self, ", 48  # what both GPTs go on from, and how many tokens
LONGEST_LINE = 60  # letters of a line of names; beside the words, it fits a page


def part_of(weights, part):
    """Return the weights of a part, {name: tensor}, without the part's name before theirs.

    weights are {name: tensor}, and part is a name such as "h.0.attn". Raises ValueError if no
    name begins with it.
    """
    check_instance("weights", weights, dict)
    check_instance("part", part, str)
    start = f"{part}."
    found = {name.removeprefix(start): w for name, w in weights.items() if name.startswith(start)}
    if not found:
        raise ValueError(f"part={part!r} begins no name of weights; names are {list(weights)[:3]}")
    return found


def shipped_weights():
    """Return the weights of the model that ships with the book, {name: tensor}, as GPT-2's."""
    state = load_model()[0].transformer.state_dict()
    return {name: weight.detach() for name, weight in state.items()}


def progress(names):
    """Return a data frame with a row for each function of the workbook: is it right, what it uses.

    names are the reader's, {name: function}, such as globals(). Every check is run again.
    """
    check_instance("names", names, dict)
    marks = {name: "✓" if is_solved(name, names) else "" for name in CHECK_OF}
    rows = {name: [mark, ", ".join(USES[name])] for name, mark in marks.items()}
    return pd.DataFrame.from_dict(rows, orient="index", columns=["solved", "uses"])


def what_is_left(names, needed):
    """Return which functions are left of those needed, as a Translated text, or None if none is."""
    left = [name for name in needed if not is_solved(name, names)]
    names = textwrap.fill(", ".join(left), LONGEST_LINE)
    return in_each_language("functions left", names=names) if left else None


def compare_with_book(names):
    """Return what the reader's GPT writes with the shipped weights, and how it differs from ours.

    names are the reader's, {name: function}, such as globals(); gpt and generate are called, and
    always the most probable token is chosen. If a function is not right yet, that is told.
    """
    check_instance("names", names, dict)
    left = what_is_left(names, NEEDED)
    if left is not None:
        return left
    model, tokenizer = load_model()
    config, weights = model.config, shipped_weights()
    ids = torch.tensor([tokenizer.encode(PROMPT).ids])
    reads = functools.partial(
        names["gpt"], weights=weights, n_head=config.n_head, eps=config.layer_norm_epsilon
    )
    with torch.no_grad():
        book = model.generate(ids, N_NEW, temperature=0)
        logits = model(book)["logits"]
        difference = (reads(book) - logits).abs().max() / logits.abs().max()
        following = functools.partial(after_last, reads)
        written = names["generate"](ids, N_NEW, following, most_probable, config.n_positions)
    n_same = (written == book)[0, ids.shape[1] :].sum().item()
    facts = {"difference": f"{difference.item():.0e}", "n_same": n_same, "n_new": N_NEW}
    return in_each_language("beside the book", tokenizer.decode(written[0].tolist()), **facts)


def after_last(reads, ids):
    """Return the logits (B, V) after ids (B, T), of reads(ids), which are (B, T, V)."""
    return reads(ids)[:, -1]


def most_probable(logits):
    """Return the most probable token (B,) of logits (B, V)."""
    return logits.argmax(-1)


def in_each_language(name, *lines, **facts):
    """Return a saying of words.csv, with its facts, as a Translated text; lines follow it."""
    sayings = {language: said(name, language, **facts) for language in LANGUAGES}
    return Translated({language: "\n".join((sayings[language], *lines)) for language in LANGUAGES})
