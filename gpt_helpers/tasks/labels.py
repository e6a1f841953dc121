"""Words and labels: a task whose rule is drawn anew for every sequence, so no weight can know it.

A sequence is 9 pairs of a word and the label of its class. The classes are fixed, praise and
complaint, but which two of the 6 labels stand for them is drawn for each sequence: after k pairs,
the examples, the label of the next word can be told from them, and from nothing else.
"""

from functools import partial

import numpy as np
import torch

from gpt_helpers.architecture.inputs import IGNORED
from gpt_helpers.architecture.losses import TokenLoss
from gpt_helpers.architecture.modules import check_model, evaluating
from gpt_helpers.architecture.operands import widened
from gpt_helpers.evaluation.accuracy import Score
from gpt_helpers.tasks.items import check_items
from gpt_helpers.tasks.vocabulary import Vocabulary
from gpt_helpers.tensor_checks import check_tensor
from gpt_helpers.validation import check_count, check_natural, check_rng, checks

PRAISE = (
    "good great fine lovely superb brilliant charming delightful excellent fantastic"
    " wonderful pleasant perfect marvellous splendid amazing enjoyable impressive clever moving"
)
COMPLAINT = (
    "bad awful poor dreadful dull boring horrible terrible nasty ugly"
    " weak tedious clumsy stupid hopeless annoying dismal shallow painful lousy"
)
LABELS = ("A", "B", "C", "D", "E", "F")
WORDS_AND_LABELS = Vocabulary((*PRAISE.split(), *COMPLAINT.split(), *LABELS))
N_CLASS = 20  # words in a class
N_PAIRS = 9
N_PARTNERS = len(LABELS) - 1  # labels that may stand beside a label
UNSEEN = ((0, 1), (2, 3), (4, 5))  # pairs of labels that draw_seen never draws together
check_labelled = partial(check_items, limits=(2 * N_CLASS,) * N_PAIRS + (len(LABELS),) * 2)


@checks(rng=check_rng, n_items=check_count)
def draw_labelled(rng, n_items):
    """Return n_items items (N, 11): the words 0-39 of 9 pairs, and the labels 0-5 of the classes.

    Words are drawn with equal chance, again and again; the two labels of an item differ.
    """
    words = rng.integers(2 * N_CLASS, size=(n_items, N_PAIRS))
    first = rng.integers(len(LABELS), size=n_items)
    second = (first + rng.integers(1, len(LABELS), size=n_items)) % len(LABELS)
    return np.column_stack([words, first, second])


def draw_seen(rng, n_items):
    """Return items as draw_labelled does, but none whose labels are a pair of UNSEEN."""
    items = draw_labelled(rng, n_items)
    return items[~is_unseen(items)]


def draw_unseen(rng, n_items):
    """Return items as draw_labelled does, but only those whose labels are a pair of UNSEEN."""
    items = draw_labelled(rng, n_items)
    return items[is_unseen(items)]


def is_unseen(items):
    """Return (N,) bool: whether the labels of an item are one of the pairs UNSEEN."""
    pairs = np.sort(items[:, N_PAIRS:], axis=1)
    return (pairs[:, None] == np.array(UNSEEN)).all(2).any(1)


@checks(items=check_labelled)
def labelled_rows(items):
    """Return the token ids (N, 18) of items (N, 11): word, label, word, label, and so on."""
    classes = items[:, :N_PAIRS] // N_CLASS
    return written_out(items, np.take_along_axis(items[:, N_PAIRS:], classes, axis=1))


@checks(items=check_labelled, rng=check_rng)
def shuffled_rows(items, rng):
    """Return the token ids (N, 18) of items (N, 11), each label one of its two by chance.

    The words say nothing about the labels any more. rng is a numpy Generator.
    """
    either = rng.integers(2, size=(len(items), N_PAIRS))
    return written_out(items, np.take_along_axis(items[:, N_PAIRS:], either, axis=1))


def written_out(items, labels):
    """Return the token ids (N, 18) of the words of items (N, 11) with labels (N, 9), 0 to 5."""
    words = items[:, :N_PAIRS] + 1  # id 0 is padding
    return np.stack([words, labels + 1 + 2 * N_CLASS], axis=2).reshape(len(items), 2 * N_PAIRS)


def check_n_columns(name, ids):
    """Raise ValueError unless ids is (B, 18), of integers and not empty."""
    check_tensor(name, ids, "(B, T)", integers=True, empty=False)
    if ids.shape[1] != 2 * N_PAIRS:
        raise ValueError(f"{name} has shape {tuple(ids.shape)}; it must be (B, {2 * N_PAIRS})")


def check_words_and_labels(name, ids):
    """Raise ValueError unless ids (B, 18) are words and labels by turns."""
    check_n_columns(name, ids)
    WORDS_AND_LABELS.check(name, ids)
    is_label = ids > 2 * N_CLASS  # (B, T)
    if not (ids.all() and is_label[:, 1::2].all()) or is_label[:, ::2].any():
        raise ValueError(f"{name} must be a word and a label by turns, as labelled_rows returns")


def without_words(ids):
    """Return ids (B, 18) with only the labels left for a loss.

    The words are drawn by chance: a loss on them would be a constant and noise.
    """
    check_n_columns("ids", ids)
    labels = ids.clone()  # (B, T)
    labels[:, ::2] = IGNORED
    return labels


label_loss = TokenLoss(without_words)  # in nats per label


def label_predictions(model, ids):
    """Return the probabilities (B, 9, V) of what follows each word of ids (B, 18).

    Entry k is for the label of the word after k examples: one pass asks all 9 questions.
    """
    with evaluating(model), torch.no_grad():
        logits = model(ids)["logits"]  # (B, T, V)
    return widened(logits[:, ::2]).softmax(-1)


@checks(ids=check_words_and_labels)
def label_scores(model, ids, wanted=None):
    """Return {k: Score} of the likeliest next token after k examples, among all of the vocabulary.

    wanted (B, 9) are the right labels of ids (B, 18), the ones written there unless given.
    """
    check_model(model)
    wanted = ids[:, 1::2] if wanted is None else wanted
    WORDS_AND_LABELS.check("wanted", wanted)
    if wanted.shape != (len(ids), N_PAIRS):
        raise ValueError(f"wanted is {tuple(wanted.shape)}; it must be ({len(ids)}, {N_PAIRS})")
    right = (label_predictions(model, ids).argmax(-1) == wanted).sum(0)
    return {k: Score(int(n), len(ids)) for k, n in enumerate(right)}


@checks(ids=check_words_and_labels)
def outside(model, ids):
    """Return {k: mean probability, after k examples, of all but the two labels of a sequence}.

    Only the rows of ids (B, 18) count whose k examples show both labels, so k is 2 to 8.
    """
    check_model(model)
    p, labels = label_predictions(model, ids), ids[:, 1::2]
    inside = torch.zeros(*p.shape[::2], dtype=torch.bool).scatter(1, labels, True)  # (B, V)
    found = 1 - p.masked_fill(~inside[:, None], 0).sum(-1)  # (B, 9)
    return {
        k: found[(labels[:, :k] != labels[:, :1]).any(1), k].mean().item()
        for k in range(2, N_PAIRS)
    }


@checks(ids=check_words_and_labels)
def same_class(ids):
    """Return (B, T, T) bool: True from each word of ids (B, 18) to earlier labels of its class."""
    positions = torch.arange(ids.shape[1])
    is_word = positions % 2 == 0  # (T,)
    classes = (ids - 1) // N_CLASS  # (B, T)
    of_key = classes.roll(1, 1)  # (B, T)
    earlier = is_word[:, None] & ~is_word & (positions < positions[:, None])  # (T, T)
    return (classes[:, :, None] == of_key[:, None]) & earlier  # (B, T, T)


@checks(k=check_natural, n_partners=check_count)
def best_possible(k, n_partners=N_PARTNERS):
    """Return the highest accuracy that any reader of k examples can have.

    Without examples all labels are alike. With some, it can know unless none is of the class of
    the query, which has probability 2 ** -k; then n_partners labels are left to choose from: all
    that occur together with the one it has seen.
    """
    if k == 0:
        return 1 / len(LABELS)
    return 1 - 0.5**k * (1 - 1 / n_partners)
