"""The word-label task: what its sequences hold, what is held out, and how well one can do."""

import itertools
from collections import Counter, defaultdict
from fractions import Fraction

import numpy as np
import pytest
import torch

from gpt_helpers.architecture.model import GPTLMHeadModel
from gpt_helpers.config import GPTConfig
from gpt_helpers.tasks import labels
from gpt_helpers.tasks.items import ItemBatches, draw_items, held_out
from tests.helpers.reference import refused


def drawn(draw=labels.draw_labelled, n_items=3000, seed=0):
    return draw(np.random.default_rng(seed), n_items)


def model(seed=0):
    torch.manual_seed(seed)
    config = GPTConfig(
        len(labels.WORDS_AND_LABELS), 18, n_embd=16, n_layer=2, n_head=2, dropout=0.0
    )
    return GPTLMHeadModel(config).eval()


class Reader(torch.nn.Module):
    """A model that answers with the logits (B, T, V) that read(ids) returns."""

    def __init__(self, read):
        super().__init__()
        self.read, self.config = read, model().config

    def forward(self, ids):
        return {"logits": self.read(ids)}


def copied_from_examples(ids):
    """Return logits of 1 for the label of an earlier word of the same class, by plain loops."""
    logits = torch.zeros(*ids.shape, len(labels.WORDS_AND_LABELS))
    for row, text in enumerate(ids.tolist()):
        for at in range(0, len(text), 2):
            for earlier in range(0, at, 2):
                if (text[earlier] <= 20) == (text[at] <= 20):
                    logits[row, at, text[earlier + 1]] = 1
    return logits


def test_the_two_classes_have_twenty_words_each_and_no_word_twice():
    words = labels.PRAISE.split(), labels.COMPLAINT.split()
    assert [len(set(part)) for part in words] == [20, 20]
    assert len(labels.WORDS_AND_LABELS) == 1 + 40 + 6


def test_a_row_alternates_words_and_the_labels_of_their_classes():
    item = np.array([[0, 20, 39, 19, 0, 0, 0, 0, 25, 2, 5]])
    text = labels.WORDS_AND_LABELS.decode(labels.labelled_rows(item)[0])
    assert text == "good C bad F lousy F moving C good C good C good C good C boring F"


def test_every_class_of_every_sequence_has_one_label_and_the_two_differ():
    ids = labels.labelled_rows(drawn())
    words, written = ids[:, ::2], ids[:, 1::2]
    for row, names in zip(words, written, strict=True):
        found = {(word <= 20, name) for word, name in zip(row, names, strict=True)}
        assert len({name for _, name in found}) == len({kind for kind, _ in found}) == len(found)


def test_all_words_and_all_ordered_pairs_of_labels_are_drawn_alike():
    items = drawn(n_items=60_000)
    counts = Counter(map(tuple, items[:, 9:]))
    assert len(counts) == 30
    assert all(abs(n - 2000) < 250 for n in counts.values())
    words = np.bincount(items[:, :9].ravel(), minlength=40)
    assert len(words) == 40
    assert (abs(words - 13_500) < 800).all()


def test_two_different_items_never_give_the_same_sequence_where_both_classes_occur():
    items = np.unique(drawn(n_items=20_000), axis=0)
    both = items[[0 < (item[:9] < 20).sum() < 9 for item in items]]
    assert len(np.unique(labels.labelled_rows(both), axis=0)) == len(both) > 15_000


def test_no_sequence_of_the_training_is_one_of_the_tests():
    batches = ItemBatches(labels.draw_labelled, labels.labelled_rows, 500, seed=3)
    training = {tuple(row) for step in range(40) for row in batches[step].tolist()}
    tests = draw_items(labels.draw_labelled, 4000, np.random.default_rng(9), for_tests=True)
    assert held_out(tests).all()
    assert len(training) > 19_000
    assert not training & {tuple(row) for row in labels.labelled_rows(tests).tolist()}


def test_no_item_drawn_for_training_is_held_out():
    items = draw_items(labels.draw_labelled, 20_000, np.random.default_rng(5), for_tests=False)
    assert not held_out(items).any()


def test_seen_and_unseen_pairs_share_no_pair_but_all_six_labels_are_seen():
    seen, unseen = (
        {tuple(sorted(pair)) for pair in drawn(draw, 20_000)[:, 9:].tolist()}
        for draw in (labels.draw_seen, labels.draw_unseen)
    )
    assert unseen == set(labels.UNSEEN)
    assert seen == set(itertools.combinations(range(6), 2)) - unseen
    assert {label for pair in seen for label in pair} == set(range(6))


def test_shuffled_rows_keep_the_words_and_use_both_labels_alike_for_both_classes():
    items = drawn()
    shuffled = labels.shuffled_rows(items, np.random.default_rng(1))
    true = labels.labelled_rows(items)
    assert (shuffled[:, ::2] == true[:, ::2]).all()
    assert abs((shuffled[:, 1::2] == true[:, 1::2]).mean() - 0.5) < 0.02
    inside = (shuffled[:, 1::2, None] == items[:, None, 9:] + 41).any(2)
    assert inside.all()


def brute_force(k, pairs):
    """Return the accuracy of the best guess, with every sequence of classes written out.

    What a reader sees is the classes of all words and the labels of the first k; for each
    such sight the best guess is the label that is right most often.
    """
    right, total = defaultdict(Counter), 0
    for first, second in [*pairs, *((b, a) for a, b in pairs)]:
        for classes in itertools.product((0, 1), repeat=k + 1):
            names = [(first, second)[kind] for kind in classes]
            right[classes, tuple(names[:k])][names[k]] += 1
            total += 1
    return Fraction(sum(max(counts.values()) for counts in right.values()), total)


@pytest.mark.parametrize("k", range(9))
def test_the_best_possible_accuracy_is_that_of_brute_force(k):
    pairs = list(itertools.combinations(range(6), 2))
    assert labels.best_possible(k) == pytest.approx(float(brute_force(k, pairs)), abs=1e-12)
    seen = [pair for pair in pairs if pair not in labels.UNSEEN]
    assert labels.best_possible(k, 4) == pytest.approx(float(brute_force(k, seen)), abs=1e-12)


def test_a_reader_of_the_examples_scores_what_is_possible_without_guessing():
    ids = torch.tensor(labels.labelled_rows(drawn(n_items=4000)))
    scores = labels.label_scores(Reader(copied_from_examples), ids)
    assert list(scores) == list(range(9))
    for k in range(1, 9):
        low, high = scores[k].interval
        assert low - 0.01 <= 1 - 0.5**k <= high + 0.01
    assert scores[0].right == 0
    assert scores[0].n == 4000


def test_answers_are_compared_with_the_labels_that_are_wanted():
    ids = torch.tensor(labels.labelled_rows(drawn(n_items=50)))
    wrong = torch.zeros(50, 9, dtype=torch.long)
    copying = Reader(copied_from_examples)
    assert labels.label_scores(copying, ids, wanted=wrong)[8].right < 5
    assert labels.label_scores(copying, ids, ids[:, 1::2]) == labels.label_scores(copying, ids)


def test_each_prediction_depends_on_the_examples_before_it_and_not_on_its_own_label():
    ids = torch.tensor(labels.labelled_rows(drawn(n_items=4)))
    changed = ids.clone()
    changed[:, 9] = 41 + (changed[:, 9] - 40) % 6
    before, after = (labels.label_predictions(model(), x) for x in (ids, changed))
    torch.testing.assert_close(before[:, :5], after[:, :5])
    assert (before[:, 5] - after[:, 5]).abs().max() > 1e-6
    torch.testing.assert_close(before.sum(-1), torch.ones(4, 9))


def test_the_loss_is_the_mean_of_the_nine_labels_and_of_no_word():
    ids, gpt = torch.tensor(labels.labelled_rows(drawn(n_items=5))), model()
    p = labels.label_predictions(gpt, ids).gather(2, ids[:, 1::2, None])
    torch.testing.assert_close(labels.label_loss(gpt, ids), -p.log().mean())


def test_what_lies_outside_is_all_but_the_two_labels_of_the_sequence():
    ids = torch.tensor(labels.labelled_rows(drawn(n_items=40)))
    uniform = Reader(lambda ids: torch.zeros(*ids.shape, len(labels.WORDS_AND_LABELS)))
    found = labels.outside(uniform, ids)
    assert list(found) == list(range(2, 9))
    assert all(share == pytest.approx(45 / 47, abs=1e-6) for share in found.values())
    p = labels.label_predictions(model(), ids)
    rows = [row for row in range(40) if len(set(ids[row, 1:8:2].tolist())) == 2]
    inside = [p[row, 4, list(set(ids[row, 1:8:2].tolist()))].sum().item() for row in rows]
    found = labels.outside(model(), ids)[4]
    assert found == pytest.approx(1 - sum(inside) / len(inside), abs=1e-6)


def test_words_are_marked_with_the_earlier_labels_of_their_class_and_nothing_else():
    ids = torch.tensor(labels.labelled_rows(drawn(n_items=20)))
    marked = labels.same_class(ids)
    for row, text in enumerate(ids.tolist()):
        for query, key in itertools.product(range(18), repeat=2):
            wanted = (
                query % 2 == 0
                and key % 2 == 1
                and key < query
                and (text[query] <= 20) == (text[key - 1] <= 20)
            )
            assert marked[row, query, key].item() == wanted


@pytest.mark.parametrize(("k", "partners"), [(-1, 5), (1.0, 5), (2, 0), (True, 5)])
def test_counts_that_cannot_be_are_refused(k, partners):
    with pytest.raises(ValueError, match="must be"):
        labels.best_possible(k, partners)


def test_ids_that_are_no_words_and_labels_by_turns_are_refused():
    ids = torch.tensor(labels.labelled_rows(drawn(n_items=4)))
    only_labels = ids[:, 1::2].repeat_interleave(2, 1)
    for bad in (ids.roll(1, 1), only_labels, ids * 0, ids + 6, ids[:, :16], ids.float()):
        for door in (labels.same_class, lambda x: labels.label_scores(model(), x)):
            refused("^ids", door, bad)
    refused("wanted is", labels.label_scores, model(), ids, ids[:2, 1::2])
    refused("the row", labels.labelled_rows, drawn(n_items=4) + 5)
