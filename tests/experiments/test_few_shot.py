"""The experiments of few-shot learning, with trainings of a few steps."""

import copy
import dataclasses

import torch

from gpt_helpers.architecture.attention import attention
from gpt_helpers.config import GPTConfig
from gpt_helpers.evaluation.accuracy import Score
from gpt_helpers.experiments import few_shot
from gpt_helpers.tasks import labels
from gpt_helpers.tasks.items import held_out
from gpt_helpers.variants.modern import ModernAttention, ModernLMHeadModel
from gpt_helpers.variants.rotary import rotary_angles

BRIEF = dataclasses.replace(few_shot.MUON, total_steps=2, warmup_steps=1)
N_ITEMS = 300


def by_measure(rows):
    """Return {measure: {x: row}}."""
    results = {}
    for row in rows:
        results.setdefault(row["measure"], {})[row["x"]] = row
    return results


def test_every_experiment_has_variants_that_take_a_seed():
    assert set(few_shot.EXPERIMENTS) == {
        "labels", "new pairs", "initial weights", "learning rates",
    }  # fmt: skip
    assert all(callable(v) for variants in few_shot.EXPERIMENTS.values() for v in variants.values())


def test_all_models_are_tested_on_the_same_items_and_none_of_them_is_for_training():
    items = few_shot.items_for_tests()
    assert (items == few_shot.items_for_tests()).all()
    assert held_out(items).all()
    assert len(items) >= 1000


def test_a_run_is_repeated_by_its_seed_and_changed_by_another():
    one, again, other = (few_shot.trained(seed, BRIEF) for seed in (1, 1, 2))
    weights = [model.lm_head.weight for model in (one, again, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    assert not one.training


def test_rows_carry_scores_or_values_with_what_they_cost():
    cost = {"measure": "a", "steps": 10, "tokens": 11520}
    assert few_shot.measurements("a", {0: Score(3, 4), 1: 0.5}, n_steps=10) == [
        cost | {"x": 0, "right": 3, "n": 4},
        cost | {"x": 1, "value": 0.5},
    ]


def test_the_main_run_has_accuracy_controls_formation_and_heads():
    results = by_measure(few_shot.main_rows(0, BRIEF, N_ITEMS))
    assert list(results["accuracy"]) == list(results["accuracy, shuffled"]) == list(range(9))
    assert list(results["head score"]) == list(results["loss"]) == [1]
    for name in ("readers", "others"):
        assert list(results[f"accuracy of 8, without {name}"]) == [0, 1, 2]
    assert "outside" in results


def test_starts_and_learning_rates_are_those_that_their_names_say():
    starts, rates = (few_shot.EXPERIMENTS[name] for name in ("initial weights", "learning rates"))
    deviations = {name: run.keywords["config"].initializer_range for name, run in starts.items()}
    highest = {name: run.keywords["settings"].max_lr for name, run in rates.items()}
    assert deviations == {f"std {std}": std for std in (0.05, 0.1, 0.2, 0.3)}
    assert highest == {f"rate {rate}": rate for rate in (0.001, 0.01, 0.02)}
    assert few_shot.LABEL_CONFIG.initializer_range == 0.02
    assert few_shot.ADAMW.max_lr == 0.003


def test_pairs_never_seen_together_are_scored_apart():
    results = by_measure(few_shot.new_pair_rows(0, BRIEF, N_ITEMS))
    assert set(results) == {"accuracy, seen pairs", "accuracy, unseen pairs"}


def test_attention_of_a_modern_gpt_is_that_of_its_module():
    torch.manual_seed(0)
    config = GPTConfig(9, n_embd=32, n_head=4, dropout=0.0)
    module = ModernAttention(config, attention).eval()
    x = torch.randn(2, 7, 32)
    wanted = module(x, rotary_angles(torch.arange(7)[None], 8))
    q, k, v = module.c_attn(x).unflatten(-1, (3, 4, 8)).permute(2, 0, 3, 1, 4)
    y = few_shot.attend_modern(q, k, v).transpose(1, 2).flatten(2)
    torch.testing.assert_close(module.c_proj(y), wanted)


def test_every_other_model_of_the_task_is_scored_after_0_to_8_examples():
    for run in (few_shot.label_rows, few_shot.exchanged(make=ModernLMHeadModel)):
        results = by_measure(run(0, settings=BRIEF, n_items=N_ITEMS))
        assert list(results["accuracy"]) == list(range(9))
        assert {row["n"] for row in results["accuracy"].values()} == {N_ITEMS}


def test_learning_from_examples_changes_no_weight():
    model = few_shot.trained(0, BRIEF)
    before = copy.deepcopy(model.state_dict())
    items = few_shot.items_for_tests(n_items=N_ITEMS)
    labels.label_scores(model, torch.tensor(labels.labelled_rows(items)))
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
