"""The experiments of few-shot learning, with trainings of a few steps."""

import copy
import dataclasses
from pathlib import Path

import pytest
import torch

from gpt_helpers.architecture.attention import attention
from gpt_helpers.architecture.heads import attention_to, ranked, without_heads
from gpt_helpers.architecture.model import GPTLMHeadModel
from gpt_helpers.config import GPTConfig
from gpt_helpers.evaluation.accuracy import Score
from gpt_helpers.experiments import few_shot
from gpt_helpers.tasks import labels
from gpt_helpers.tasks.items import held_out
from gpt_helpers.text.corpus import Corpus, Document
from gpt_helpers.variants.modern import ModernAttention
from gpt_helpers.variants.rotary import rotary_angles
from gpt_helpers.weights import pretrained

N_TESTS = few_shot.N_TESTS  # before the fixture makes it small


@pytest.fixture(autouse=True)
def brief(monkeypatch):
    """Make trainings two steps long and tests small."""
    for name in ("MUON", "ADAMW"):
        settings = dataclasses.replace(getattr(few_shot, name), total_steps=2, warmup_steps=1)
        monkeypatch.setattr(few_shot, name, settings)
    monkeypatch.setattr(few_shot, "N_WINDOWS", 2)
    document = Document("few_shot.py", Path(few_shot.__file__).read_text("utf-8"))
    monkeypatch.setattr(few_shot, "load_corpus", lambda: Corpus((), (document,)))
    monkeypatch.setattr(few_shot, "N_TESTS", 300)


def by_measure(rows):
    found = {}
    for row in rows:
        found.setdefault(row["measure"], {})[row["x"]] = row
    return found


def test_every_experiment_has_variants_that_take_a_seed():
    assert set(few_shot.EXPERIMENTS) == {"labels", "new pairs", "induction heads", "patterns"}
    assert all(callable(v) for variants in few_shot.EXPERIMENTS.values() for v in variants.values())


def test_all_models_are_tested_on_the_same_items_and_none_of_them_is_for_training():
    items = few_shot.items_for_tests()
    assert (items == few_shot.items_for_tests()).all()
    assert held_out(items).all()
    assert N_TESTS >= 1000


def test_a_run_is_repeated_by_its_seed_and_changed_by_another():
    one, again, other = (few_shot.trained(seed, few_shot.MUON) for seed in (1, 1, 2))
    weights = [model.lm_head.weight for model in (one, again, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    assert not one.training


def test_rows_carry_scores_or_values_with_what_they_cost():
    rows = few_shot.measurements("a", {0: Score(3, 4), 1: 0.5}, n_steps=10)
    assert rows[0] == {"measure": "a", "x": 0, "steps": 10, "tokens": 11520, "right": 3, "n": 4}
    assert rows[1] == {"measure": "a", "x": 1, "steps": 10, "tokens": 11520, "value": 0.5}


def test_the_main_run_has_accuracy_controls_formation_and_heads():
    found = by_measure(few_shot.main_rows(0))
    assert list(found["accuracy"]) == list(found["accuracy, shuffled"]) == list(range(9))
    assert list(found["head score"]) == list(found["loss"]) == [1]
    for name in ("readers", "others"):
        assert list(found[f"accuracy of 8, without {name}"]) == [0, 1, 2]
    assert "outside" in found


def test_pairs_never_seen_together_are_scored_apart():
    found = by_measure(few_shot.new_pair_rows(0))
    assert set(found) == {"accuracy, seen pairs", "accuracy, unseen pairs"}


def test_removal_takes_the_heads_of_the_last_layer_that_read_most_and_least():
    torch.manual_seed(3)
    config = dataclasses.replace(few_shot.LABEL_CONFIG, initializer_range=0.5)
    model = GPTLMHeadModel(config).eval()
    ids = torch.tensor(labels.labelled_rows(few_shot.items_for_tests()))
    found = by_measure(few_shot.removal_rows(model, ids))
    scores = attention_to(model, ids, labels.same_class(ids))[1]
    best, *_, worst = scores.argsort(descending=True).tolist()
    for name, head in (("readers", best), ("others", worst)):
        with without_heads(model, {(1, head)}):
            wanted = labels.label_scores(model, ids)[8].right
        assert found[f"accuracy of 8, without {name}"][1]["right"] == wanted
    assert len(ranked(scores[None])) == 4


def test_induction_rows_hold_all_heads_and_both_halves_intact_alike():
    found = by_measure(few_shot.induction_rows(0, n_most=1))
    assert len(found["score"]) == 20
    for half in ("first half", "second half"):
        names = [f"{half}, without {name}" for name in ("highest scores", "others")]
        assert len({found[name][0]["value"] for name in names}) == 1
    second = "second half, without highest scores"
    assert found[second][1]["value"] > found[second][0]["value"]


def test_windows_of_code_stand_twice_and_follow_the_seed():
    _, tokenizer = pretrained.load_model()
    one, again, other = (few_shot.code_windows(seed, tokenizer) for seed in (0, 0, 1))
    assert one.shape == (2, 128)
    assert torch.equal(one[:, :64], one[:, 64:])
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


def test_patterns_are_scored_on_a_thousand_items():
    assert few_shot.N_PATTERN_ITEMS >= 1000


def test_attention_of_a_modern_gpt_is_that_of_its_module():
    torch.manual_seed(0)
    config = GPTConfig(9, n_embd=32, n_head=4, dropout=0.0)
    module = ModernAttention(config, attention).eval()
    x = torch.randn(2, 7, 32)
    wanted = module(x, rotary_angles(torch.arange(7)[None], 8))
    q, k, v = module.c_attn(x).unflatten(-1, (3, 4, 8)).permute(2, 0, 3, 1, 4)
    y = few_shot.attend_modern(q, k, v).transpose(1, 2).flatten(2)
    torch.testing.assert_close(module.c_proj(y), wanted)


def test_learning_from_examples_changes_no_weight():
    model = few_shot.trained(0, few_shot.MUON)
    before = copy.deepcopy(model.state_dict())
    labels.label_scores(model, torch.tensor(labels.labelled_rows(few_shot.items_for_tests())))
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
