"""The heads that read labels are found, and left out, in a model that was not trained."""

import dataclasses

import pytest
import torch

from gpt_helpers.architecture.heads import attention_to, ranked, without_heads
from gpt_helpers.architecture.model import GPTLMHeadModel
from gpt_helpers.experiments import few_shot, label_heads
from gpt_helpers.tasks import labels

ITEMS = few_shot.items_for_tests(n_items=300)
IDS = torch.tensor(labels.labelled_rows(ITEMS))


@pytest.fixture(scope="module")
def model():
    """Return a model whose heads differ."""
    torch.manual_seed(5)
    config = dataclasses.replace(few_shot.LABEL_CONFIG, initializer_range=0.5)
    return GPTLMHeadModel(config).eval()


def test_removal_takes_the_heads_of_the_last_layer_that_read_most_and_least(model):
    results = label_heads.without_readers(model, IDS)
    scores = attention_to(model, IDS, labels.same_class(IDS))[1]
    best, *_, worst = scores.argsort(descending=True).tolist()
    for name, head in (("readers", best), ("others", worst)):
        with without_heads(model, {(1, head)}):
            wanted = labels.label_scores(model, IDS)[8]
        assert results[f"accuracy of 8, without {name}"][1] == wanted
    without_one = {scores[1].right for scores in results.values()}
    assert len(without_one) == 2  # else it would not matter which is which
    assert len(ranked(scores[None])) == 4


def test_a_model_is_watched_in_its_first_step_and_then_once_in_so_many(model):
    log = []
    for step in range(1, 9):
        label_heads.watch(log, ITEMS, {"step": step}, model, every=3)
    assert [row["step"] for row in log] == [1, 3, 6]
    assert log[0].keys() == {"step", "head score", "accuracy of 8", "loss"}
    scores = attention_to(model, IDS, labels.same_class(IDS))
    assert log[0]["head score"] == scores.max().item()
    assert log[0]["accuracy of 8"] == labels.label_scores(model, IDS)[8]
