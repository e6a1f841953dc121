"""The schedule, the groups of parameters, and the training step, against ones by hand."""

import functools
import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingLR, LambdaLR, LinearLR, SequentialLR

from gpt_helpers.evaluation.losses import evaluate
from gpt_helpers.text.batches import fixed_windows
from gpt_helpers.training.checkpoint import FILE_NAME
from gpt_helpers.training.loop import Trainer, train
from gpt_helpers.training.optimizers import learning_rate, make_optimizers, parameter_groups
from gpt_helpers.weights.sealed import read_sealed
from tests.helpers.reference import random_ids, refused
from tests.helpers.runs import (
    KINDS,
    TOKENS,
    are_equal,
    furthest,
    tiny_batches,
    tiny_model,
    tiny_settings,
    weights_of,
    without_seconds,
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


def test_a_step_lowers_the_loss_that_it_is_given():
    def distance(model, ids):
        return model.transformer.wte.weight[ids].square().mean()

    model = tiny_model()
    before = weights_of(model)
    log = train(model, tiny_batches(), tiny_settings(weight_decay=0.0), loss_of=distance)
    ids = tiny_batches()[0]
    assert log[0]["loss"] == pytest.approx(before["transformer.wte.weight"][ids].square().mean())
    assert log[-1]["loss"] < log[0]["loss"]
    changed = {n for n, w in weights_of(model).items() if not torch.equal(w, before[n])}
    assert changed == {"transformer.wte.weight"}


def test_the_loss_of_a_step_is_the_mean_over_its_passes():
    def first_token(model, ids):
        return model(ids)["logits"].mean() + ids.float().mean()

    logs = [
        train(tiny_model(), tiny_batches(), tiny_settings(accumulation=n), loss_of=first_token)
        for n in (1, 2)
    ]
    assert logs[0][0]["loss"] == pytest.approx(logs[1][0]["loss"], rel=1e-6)


def test_groups_of_nothing_are_refused():
    refused("model is a NoneType; it must be a GPTLMHeadModel", parameter_groups, None, 0.1)
    refused("model is a Linear", parameter_groups, nn.Linear(2, 2), 0.1)
    refused("weight_decay=-1 must be", parameter_groups, tiny_model(), -1)


# The step.


def adamw_by_hand(model, lr, settings, fused=True):
    """Return torch's AdamW on the groups of nanoGPT."""
    weights = list(model.parameters())
    groups = [
        {"params": [w for w in weights if w.dim() >= 2], "weight_decay": settings.weight_decay},
        {"params": [w for w in weights if w.dim() < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr, settings.betas, settings.epsilon, fused=fused)


def train_by_hand(model, batches, settings, optimizers):
    """Train as a reader would write it; optimizers are pairs of (optimizer, highest rate)."""
    norms = []
    for step in range(settings.total_steps):
        loss = model(batches[step], labels=batches[step])["loss"]
        model.zero_grad()
        loss.backward()
        norms.append(nn.utils.clip_grad_norm_(model.parameters(), settings.max_grad_norm).item())
        share = learning_rate(step, **settings.schedule_arguments) / settings.max_lr
        for optimizer, highest in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = highest * share
            optimizer.step()
    return norms


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fused", [True, False], ids=["fused", "plain"])
def test_training_equals_a_loop_by_hand(kind, fused):
    settings = tiny_settings(max_grad_norm=0.5, epsilon=1e-5, betas=(0.8, 0.9), weight_decay=0.3)
    model, by_hand, batches = tiny_model(kind), tiny_model(kind), tiny_batches()
    log = train(model, batches, settings)
    optimizer = adamw_by_hand(by_hand, settings.max_lr, settings, fused)
    norms = train_by_hand(by_hand, batches, settings, [(optimizer, settings.max_lr)])
    assert furthest(weights_of(model), weights_of(tiny_model(kind))) > 1e-3
    if fused:
        assert are_equal(weights_of(model), weights_of(by_hand))
    else:
        assert furthest(weights_of(model), weights_of(by_hand)) <= 1e-7
    found = [row["gradient_norm"] for row in log]
    assert found == (norms if fused else pytest.approx(norms))
    assert min(norms) > 0.5  # every step was clipped, and the log holds the length before


def test_without_a_limit_gradients_are_not_clipped():
    model, by_hand, batches = tiny_model(), tiny_model(), tiny_batches()
    settings = tiny_settings(max_grad_norm=None)
    log = train(model, batches, settings)
    loose = tiny_settings(max_grad_norm=1e9)
    optimizer = adamw_by_hand(by_hand, settings.max_lr, settings)
    norms = train_by_hand(by_hand, batches, loose, [(optimizer, settings.max_lr)])
    assert are_equal(weights_of(model), weights_of(by_hand))
    assert [row["gradient_norm"] for row in log] == norms


def test_the_learning_rate_of_the_log_is_that_of_the_schedule():
    settings = tiny_settings(schedule_steps=4)
    log = train(tiny_model(), tiny_batches(), settings)
    expected = [3e-3 / 2, 3e-3, 1.65e-3, 3e-4, 3e-4, 3e-4]
    assert [row["lr"] for row in log] == pytest.approx(expected)


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


def test_muon_training_equals_a_loop_by_hand():
    settings = tiny_settings(optimizer="muon", muon_lr=0.06, weight_decay=0.3)
    model, by_hand, batches = tiny_model(), tiny_model(), tiny_batches()
    train(model, batches, settings)
    hidden = [w for w in by_hand.transformer.h.parameters() if w.dim() == 2]
    muon = torch.optim.Muon(hidden, weight_decay=0.3)
    adamw = adamw_by_hand(by_hand, settings.max_lr, settings)
    for group in adamw.param_groups:
        group["params"] = [w for w in group["params"] if all(w is not h for h in hidden)]
    train_by_hand(by_hand, batches, settings, [(adamw, settings.max_lr), (muon, 0.06)])
    assert furthest(weights_of(model), weights_of(by_hand)) <= 1e-6


def test_muon_runs_where_no_matrix_is_left_to_decay_by_adamw():
    settings = tiny_settings(optimizer="muon", decay_embeddings=False, total_steps=2)
    assert len(train(tiny_model(), tiny_batches(), settings)) == 2


def gradients(n_passes, **changes):
    """Return loss and gradients of one batch of 8 rows in so many passes."""
    trainer = Trainer(tiny_model(), tiny_settings(accumulation=n_passes, **changes))
    loss = trainer.accumulate(0, tiny_batches(8)[0])
    return loss, {name: weight.grad for name, weight in trainer.raw.named_parameters()}


@pytest.mark.parametrize("n_passes", [2, 4, 8])
def test_a_batch_in_several_passes_has_the_gradients_of_one(n_passes):
    loss, whole = gradients(1)
    found, parts = gradients(n_passes)
    assert found == pytest.approx(loss, abs=1e-6)
    assert furthest(whole, parts) <= 1e-7
    assert max(gradient.abs().max() for gradient in whole.values()) > 0.01


def test_gradients_do_not_add_up_from_step_to_step():
    trainer, batch = Trainer(tiny_model(), tiny_settings()), tiny_batches()[0]
    found = []
    for _ in range(2):
        trainer.accumulate(0, batch)
        found.append({n: weight.grad.clone() for n, weight in trainer.raw.named_parameters()})
    assert are_equal(*found)


def losses_on_one_batch(**options):
    """Return the losses of four steps that change nothing, on the same batch."""
    settings = tiny_settings(total_steps=4, max_lr=1e-30, min_lr=0.0, **options)
    log = train(tiny_model(dropout=0.5), [tiny_batches()[0]] * 4, settings)
    return [row["loss"] for row in log]


def test_dropout_is_drawn_anew_in_each_step_by_the_seed():
    found = losses_on_one_batch()
    assert len(set(found)) == 4
    assert losses_on_one_batch() == found
    assert not set(losses_on_one_batch(seed=1)) & set(found)


def test_the_passes_of_a_step_draw_different_dropout():
    model, batch = tiny_model(dropout=0.5), tiny_batches(1)[0]
    seen = []
    model.transformer.drop.register_forward_hook(lambda m, i, output: seen.append(output == 0))
    train(model, [torch.cat([batch, batch])] * 2, tiny_settings(total_steps=2, accumulation=2))
    assert len(seen) == 4
    assert len({tuple(mask.flatten().tolist()) for mask in seen}) == 4


def test_the_random_state_of_the_caller_is_left_alone_and_does_not_matter():
    found = []
    for seed in (1, 2):
        model = tiny_model(dropout=0.5)
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        train(model, tiny_batches(), tiny_settings(), held_out=fixed_windows(TOKENS, 8, 3))
        assert torch.equal(torch.get_rng_state(), before)
        found.append(weights_of(model))
    assert are_equal(*found)


def test_train_and_eval_mode_are_left_alone():
    for mode in (True, False):
        model = tiny_model(dropout=0.5).train(mode)
        model.transformer.h[0].train(not mode)
        modes = [module.training for module in model.modules()]
        train(model, tiny_batches(), tiny_settings(), held_out=fixed_windows(TOKENS, 8, 3))
        assert [module.training for module in model.modules()] == modes


# The log.


def test_a_row_of_the_log_tells_what_a_step_did():
    held_out = fixed_windows(TOKENS, 8, 5)
    seen, scores = [], []

    def after_step(row, model):
        seen.append(dict(row))
        scores.append(evaluate(model, held_out))

    model = tiny_model()
    settings = tiny_settings(total_steps=5)
    log = train(model, tiny_batches(), settings, held_out=held_out, after_step=after_step)
    assert log == seen
    keys = {"step", "tokens", "loss", "lr", "gradient_norm", "seconds"}
    assert [set(row) - {"held_out_loss"} for row in log] == [keys] * 5
    assert [row["step"] for row in log] == [1, 2, 3, 4, 5]
    assert [row["tokens"] for row in log] == [32, 64, 96, 128, 160]
    measured = {row["step"]: row["held_out_loss"] for row in log if "held_out_loss" in row}
    assert measured == {step: scores[step - 1] for step in (2, 4, 5)}
    seconds = [row["seconds"] for row in log]
    assert seconds == sorted(seconds)
    assert seconds[0] > 0


def test_the_loss_of_a_row_is_that_before_the_step():
    model, batches = tiny_model(), tiny_batches()
    expected = model(batches[0], labels=batches[0])["loss"].item()
    assert train(model, batches, tiny_settings())[0]["loss"] == pytest.approx(expected)


def test_without_held_out_windows_none_are_scored():
    log = train(tiny_model(), tiny_batches(), tiny_settings())
    assert all("held_out_loss" not in row for row in log)


def test_training_twice_gives_the_same_bits():
    runs = []
    for _ in "ab":
        model = tiny_model(dropout=0.1)
        log = train(model, tiny_batches(), tiny_settings())
        runs.append((weights_of(model), without_seconds(log)))
    assert are_equal(runs[0][0], runs[1][0])
    assert runs[0][1] == runs[1][1]


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_a_tiny_model_learns_a_short_text_by_heart(optimizer):
    model, ids = tiny_model(), random_ids(1, 12, 31, seed=5)
    settings = tiny_settings(total_steps=100, max_lr=1e-2, optimizer=optimizer)
    log = train(model, [ids] * 100, settings)
    assert log[0]["loss"] > 3.2
    assert log[-1]["loss"] < 0.1
    found = model.eval().generate(ids[:, :2], 10, temperature=0)
    assert torch.equal(found, ids)


# Precision, and what goes wrong.


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_a_lower_precision_trains_float32_weights_and_stays_close(precision):
    model = tiny_model()
    log = train(model, tiny_batches(), tiny_settings(precision=precision))
    expected = train(tiny_model(), tiny_batches(), tiny_settings())
    for row, exact in zip(log, expected, strict=True):
        assert row["loss"] == pytest.approx(exact["loss"], abs=0.02)
        assert row["gradient_norm"] == pytest.approx(exact["gradient_norm"], rel=0.05)
    assert log[-1]["loss"] != expected[-1]["loss"]
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}


def test_the_scale_of_float16_is_in_the_checkpoint(tmp_path):
    train(tiny_model(), tiny_batches(), tiny_settings(precision="float16"), folder=tmp_path)
    scaler = read_sealed(tmp_path / FILE_NAME)[1]["scaler"]
    assert scaler["scale"] == 2.0**16
    assert scaler["_growth_tracker"] == 6
    train(tiny_model(), tiny_batches(), tiny_settings(), folder=tmp_path / "float32")
    assert read_sealed(tmp_path / "float32" / FILE_NAME)[1]["scaler"] == {}


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_a_step_whose_gradients_overflow_float16_changes_nothing_but_the_scale(optimizer):
    model = tiny_model()
    trainer = Trainer(model, tiny_settings(precision="float16", optimizer=optimizer))
    trainer.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**40)
    before = weights_of(model)
    row = trainer.step(0, tiny_batches()[0])
    assert not math.isfinite(row["gradient_norm"])
    assert math.isfinite(row["loss"])
    assert are_equal(weights_of(model), before)
    assert trainer.scaler.get_scale() == 2.0**39
    trainer.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10)
    assert math.isfinite(trainer.step(1, tiny_batches()[1])["gradient_norm"])
    assert not are_equal(weights_of(model), before)


def test_an_overflow_in_the_embedding_alone_skips_the_step_of_every_optimizer():
    model = tiny_model()
    trainer = Trainer(model, tiny_settings(precision="float16", optimizer="muon"))
    model.transformer.wpe.weight.register_hook(lambda gradient: gradient * torch.inf)
    before = weights_of(model)
    trainer.step(0, tiny_batches()[0])
    assert are_equal(weights_of(model), before)


def spoil(number):
    """Return an after_step that breaks the weights after a step."""

    def after_step(row, model):
        if row["step"] == number:
            model.transformer.wte.weight.data[:] = torch.nan

    return after_step


def test_a_loss_that_is_not_finite_ends_the_run_and_leaves_the_checkpoint(tmp_path):
    settings = tiny_settings()
    with pytest.raises(ArithmeticError, match="the loss is nan at step 3; lower max_lr"):
        train(tiny_model(), tiny_batches(), settings, folder=tmp_path, after_step=spoil(2))
    tensors, facts = read_sealed(tmp_path / FILE_NAME)
    assert [row["step"] for row in facts["log"]] == [1, 2]
    assert all(tensor.isfinite().all() for tensor in tensors.values())
    healed, whole = tiny_model(), tiny_model()
    train(healed, tiny_batches(), settings, folder=tmp_path)
    train(whole, tiny_batches(), settings)
    assert are_equal(weights_of(healed), weights_of(whole))


@pytest.mark.parametrize("limit", [None, 1.0])
def test_a_gradient_that_is_not_finite_ends_the_run_before_it_reaches_the_weights(limit):
    model = tiny_model()
    before = weights_of(model)
    model.transformer.wpe.weight.register_hook(lambda gradient: gradient * torch.inf)
    with pytest.raises(ArithmeticError, match=r"the gradient norm is (inf|nan) at step 1"):
        train(model, tiny_batches(), tiny_settings(max_grad_norm=limit))
    assert are_equal(weights_of(model), before)


def test_what_does_not_fit_is_refused_before_anything_changes():
    batches, settings = tiny_batches(), tiny_settings()
    refused("model is a NoneType; it must be a GPTLMHeadModel", train, None, batches, settings)
    refused("settings={.* must be TrainingSettings", train, tiny_model(), batches, {"seed": 0})
    refused("settings=None", train, tiny_model(), batches, None)
    model = tiny_model()
    before = weights_of(model)
    refused("strategy='dp' is unknown", train, model, batches, settings, strategy="dp")
    thirds = tiny_settings(accumulation=3)
    refused("4 rows cannot be divided among 1 processes with 3", train, model, batches, thirds)
    refused("input_ids", train, model, [batches[0] + 31], settings)
    assert are_equal(weights_of(model), before)
    rows = TOKENS[:8]
    refused(r"windows has shape \(8,\)", train, model, batches, settings, held_out=rows)
