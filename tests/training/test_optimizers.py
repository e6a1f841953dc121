"""The learning rate of a step, and the groups of parameters, against ones by hand."""

import functools
import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingLR, LambdaLR, LinearLR, SequentialLR

from gpt_helpers.training.loop import train
from gpt_helpers.training.optimizers import learning_rate, make_optimizers, parameter_groups
from tests.helpers.reference import refused
from tests.helpers.runs import (
    KINDS,
    are_equal,
    tiny_batches,
    tiny_model,
    tiny_settings,
    weights_of,
)

COSINE = {"max_lr": 1.0, "min_lr": 0.1, "warmup_steps": 4, "total_steps": 20}
WSD = COSINE | {"schedule": "wsd", "cooldown_share": 0.25}


def rates(steps=25, **schedule):
    """Return the learning rates of the first steps."""
    return [learning_rate(step, **schedule) for step in range(steps)]


# The schedule.


@pytest.mark.parametrize("schedule", [COSINE, WSD], ids=["cosine", "wsd"])
def test_the_learning_rate_rises_linearly_from_its_first_share_not_from_zero(schedule):
    assert rates(4, **schedule) == [0.25, 0.5, 0.75, 1.0]
    assert learning_rate(4, **schedule) <= 1.0


def test_the_cosine_ends_at_the_lowest_rate_in_the_last_step_and_stays_there():
    found = rates(**COSINE)
    assert found[11] == pytest.approx(0.55)  # half of the way, half of the fall
    assert found[18] > 0.1
    assert found[19:] == [0.1] * 6
    assert rates(21, **COSINE | {"min_lr": 0.0})[19:] == [0.0, 0.0]


def test_wsd_is_stable_and_then_falls_linearly():
    found = rates(**WSD)
    assert found[3:15] == [1.0] * 12
    assert found[15:20] == pytest.approx([0.82, 0.64, 0.46, 0.28, 0.1])
    assert found[19:] == [0.1] * 6


def test_wsd_without_a_cooldown_is_constant():
    assert rates(**WSD | {"cooldown_share": 0})[3:] == [1.0] * 22
    assert rates(**WSD | {"cooldown_share": 0, "warmup_steps": 0}) == [1.0] * 25


def test_wsd_can_fall_during_the_whole_schedule():
    found = rates(**WSD | {"cooldown_share": 1, "warmup_steps": 0, "min_lr": 0.0})
    assert found[:20] == pytest.approx([1 - step / 20 for step in range(1, 21)])


@pytest.mark.parametrize("schedule", [COSINE, WSD], ids=["cosine", "wsd"])
def test_there_may_be_no_warmup_or_nothing_else(schedule):
    assert 0.9 < learning_rate(0, **schedule | {"warmup_steps": 0}) <= 1.0
    assert rates(**schedule | {"warmup_steps": 20})[17:] == [0.9, 0.95] + [1.0] * 6
    assert learning_rate(0, **schedule | {"warmup_steps": 1, "total_steps": 1}) == 1.0
    assert learning_rate(0, **COSINE | {"warmup_steps": 0, "total_steps": 1}) == 0.1


def scheduled(make, steps):
    """Return the rates that a scheduler of torch sets, for a maximum of 1."""
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler, found = make(optimizer), []
    for _ in range(steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return found


@pytest.mark.parametrize("schedule", [COSINE, WSD], ids=["cosine", "wsd"])
def test_torch_can_be_given_the_schedule_as_a_function(schedule):
    found = scheduled(lambda o: LambdaLR(o, functools.partial(learning_rate, **schedule)), 20)
    assert found == rates(20, **schedule)


def test_the_cosine_equals_that_of_torch_after_the_warmup():
    def make(optimizer):
        warmup = LinearLR(optimizer, start_factor=1 / 4, total_iters=3)
        return SequentialLR(optimizer, [warmup, CosineAnnealingLR(optimizer, 16, 0.1)], [3])

    assert scheduled(make, 20) == pytest.approx(rates(20, **COSINE))


@st.composite
def schedules(draw):
    """Draw the arguments of a schedule."""
    total, highest = draw(st.integers(1, 60)), draw(st.floats(1e-6, 10))
    return {
        "schedule": draw(st.sampled_from(["cosine", "wsd"])),
        "max_lr": highest,
        "min_lr": highest * draw(st.floats(0, 1)),
        "warmup_steps": draw(st.integers(0, total)),
        "total_steps": total,
        "cooldown_share": draw(st.floats(0, 1)),
    }


@given(schedules())
def test_the_learning_rate_rises_then_never_rises_again_and_keeps_its_bounds(schedule):
    found, warmup = rates(schedule["total_steps"] + 3, **schedule), schedule["warmup_steps"]
    slack = 1e-12 * schedule["max_lr"]  # rounding
    assert all(0 <= rate <= schedule["max_lr"] + slack for rate in found)
    assert found[:warmup] == sorted(found[:warmup])
    if warmup:
        assert found[0] > 0
        assert abs(found[warmup - 1] - schedule["max_lr"]) <= slack
    falling = found[max(warmup - 1, 0) :]
    assert all(later <= rate + slack for rate, later in itertools.pairwise(falling))
    assert all(rate >= schedule["min_lr"] - slack for rate in falling)
    assert len(set(found[-4:])) == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"step": -1}, "step=-1 must be an integer of at least 0"),
        ({"step": 1.0}, "step=1.0"),
        ({"step": True}, "step=True"),
        ({"schedule": "linear"}, "schedule='linear' is unknown; use one of"),
        ({"max_lr": 0}, "max_lr=0 must be a finite number > 0"),
        ({"min_lr": -1}, "min_lr=-1"),
        ({"min_lr": 2.0}, "min_lr=2.0 is above max_lr=1.0; lower it"),
        ({"warmup_steps": 21}, "warmup_steps=21 must be an integer from 0 to total_steps=20"),
        ({"warmup_steps": 1.5}, "warmup_steps=1.5"),
        ({"total_steps": 0}, "total_steps=0 must be a positive integer"),
        ({"cooldown_share": 1.1}, "cooldown_share=1.1 must be at most 1"),
        ({"cooldown_share": -0.1}, "cooldown_share=-0.1"),
    ],
)
def test_a_schedule_that_cannot_be_is_refused(changes, message):
    refused(message, learning_rate, **{"step": 0} | COSINE | changes)


# The groups of parameters.


def names_by_decay(model, **options):
    """Return the names of the parameters that decay, and of those that do not."""
    names = {parameter: name for name, parameter in model.named_parameters()}
    groups = parameter_groups(model, 0.1, **options)
    assert [group["weight_decay"] for group in groups] == [0.1, 0.0]
    return [[names[parameter] for parameter in group["params"]] for group in groups]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("decay_embeddings", [True, False])
def test_every_parameter_is_in_one_group_once(kind, decay_embeddings):
    model = tiny_model(kind)
    decayed, others = names_by_decay(model, decay_embeddings=decay_embeddings)
    assert sorted(decayed + others) == sorted(dict(model.named_parameters()))
    assert len({*decayed, *others}) == len(decayed + others)
    assert not any(name.endswith("bias") or "ln_" in name for name in decayed)


@pytest.mark.parametrize("kind", KINDS)
def test_with_embeddings_the_groups_are_those_of_nanogpt(kind):
    model = tiny_model(kind)
    named = dict(model.named_parameters())
    decayed, others = names_by_decay(model)
    assert decayed == [name for name, weight in named.items() if weight.dim() >= 2]
    assert others == [name for name, weight in named.items() if weight.dim() < 2]
    assert "transformer.wte.weight" in decayed


@pytest.mark.parametrize("kind", KINDS)
def test_without_embeddings_the_groups_are_those_of_mingpt(kind):
    model = tiny_model(kind)
    decay, no_decay = set(), set()
    for module_name, module in model.named_modules():
        for name, _ in module.named_parameters(recurse=False):
            full = f"{module_name}.{name}"
            if name.endswith("weight") and isinstance(module, nn.Linear):
                decay.add(full)
            else:
                no_decay.add(full)
    if model.lm_head.weight is model.transformer.wte.weight:
        decay.remove("lm_head.weight")  # minGPT does not tie; the tied one is an embedding
    decayed, others = names_by_decay(model, decay_embeddings=False)
    assert set(decayed) == decay
    assert set(others) == no_decay
    assert ("lm_head.weight" in decayed) == (kind == "modern")


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_what_needs_no_gradient_is_in_no_group_and_stays_as_it_is(optimizer, tmp_path):
    def frozen():
        model = tiny_model("modern")
        return model.requires_grad_(False), model.transformer.h[1].requires_grad_(True)

    model, trained = frozen()
    before = weights_of(model)
    groups = parameter_groups(model, 0.1)
    assert {w for group in groups for w in group["params"]} == set(trained.parameters())
    settings = tiny_settings(optimizer=optimizer)
    train(model, tiny_batches(), settings, folder=tmp_path)
    changed = {name for name, w in weights_of(model).items() if not torch.equal(w, before[name])}
    assert changed == {n for n in before if n.startswith("transformer.h.1.")}
    again, _ = frozen()
    train(again, tiny_batches(), settings, folder=tmp_path)
    assert are_equal(weights_of(again), weights_of(model))


def test_groups_of_nothing_are_refused():
    refused("model is a NoneType; it must be a GPTLMHeadModel", parameter_groups, None, 0.1)
    refused("model is a Linear", parameter_groups, nn.Linear(2, 2), 0.1)
    refused("weight_decay=-1 must be", parameter_groups, tiny_model(), -1)


@pytest.mark.parametrize("kind", KINDS)
def test_muon_gets_the_hidden_matrices_and_adamw_the_rest(kind):
    model = tiny_model(kind)
    settings = tiny_settings(optimizer="muon", muon_lr=0.06, max_lr=3e-3)
    adamw, muon = make_optimizers(model, settings)
    assert type(adamw) is torch.optim.AdamW
    assert type(muon) is torch.optim.Muon
    names = {weight: name for name, weight in model.named_parameters()}
    found = [names[weight] for group in muon.param_groups for weight in group["params"]]
    layers = ("attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj")
    assert found == [f"transformer.h.{i}.{layer}.weight" for i in (0, 1) for layer in layers]
    rest = [names[weight] for group in adamw.param_groups for weight in group["params"]]
    assert sorted(found + rest) == sorted(names.values())
    assert [group["lr_ratio"] for group in muon.param_groups] == pytest.approx([20])
    assert [group["lr_ratio"] for group in adamw.param_groups] == [1, 1]
    assert muon.param_groups[0]["weight_decay"] == settings.weight_decay
