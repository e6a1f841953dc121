"""The training step, its log, and what goes wrong, against a loop by hand."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from gpt_helpers.architecture.losses import Loss, TokenLoss
from gpt_helpers.evaluation.losses import evaluate
from gpt_helpers.text.batches import Batches, fixed_windows
from gpt_helpers.training.checkpoint import FILE_NAME
from gpt_helpers.training.loop import Trainer, train
from gpt_helpers.training.lora import add_lora
from gpt_helpers.training.optimizers import learning_rate
from gpt_helpers.weights.sealed import read_sealed
from tests.helpers.reference import random_ids, refused
from tests.helpers.runs import (
    KINDS,
    TOKENS,
    are_equal,
    furthest,
    run_until,
    tiny_batches,
    tiny_model,
    tiny_settings,
    weights_of,
    without_seconds,
)

# The step.


class Distance(Loss):
    """How far the embeddings of rows are from 0; each row counts once."""

    def count(self, ids):
        """Return the number of rows (B, T)."""
        return ids.new_tensor(len(ids))

    def total(self, model, ids):
        """Return the sum over rows of the mean square of their embeddings."""
        return model.transformer.wte.weight[ids].square().mean((1, 2)).sum()


def test_a_step_lowers_the_loss_that_it_is_given():
    model = tiny_model()
    before = weights_of(model)
    log = train(model, tiny_batches(), tiny_settings(weight_decay=0.0), loss_of=Distance())
    ids = tiny_batches()[0]
    assert log[0]["loss"] == pytest.approx(before["transformer.wte.weight"][ids].square().mean())
    assert log[-1]["loss"] < log[0]["loss"]
    changed = {n for n, w in weights_of(model).items() if not torch.equal(w, before[n])}
    assert changed == {"transformer.wte.weight"}


def test_the_loss_of_a_step_is_the_mean_over_its_passes():
    logs = [
        train(tiny_model(), tiny_batches(), tiny_settings(accumulation=n), loss_of=Distance())
        for n in (1, 2)
    ]
    assert logs[0][0]["loss"] == pytest.approx(logs[1][0]["loss"], rel=1e-6)


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
    refused("settings is a dict; it must be a TrainingSettings", train,
            tiny_model(), batches, {"seed": 0})  # fmt: skip
    refused("settings is a NoneType", train, tiny_model(), batches, None)
    model = tiny_model()
    before = weights_of(model)
    refused("strategy='dp' is unknown", train, model, batches, settings, strategy="dp")
    thirds = tiny_settings(accumulation=3)
    refused("4 rows cannot be divided among 1 processes with 3", train, model, batches, thirds)
    refused("input_ids", train, model, [batches[0] + 31] * 6, settings)
    assert are_equal(weights_of(model), before)
    rows = TOKENS[:8]
    refused(r"held_out has shape \(8,\)", train, model, batches, settings, held_out=rows)


class Endless:
    """Batches without a length, one of which is of another kind."""

    def __init__(self, wrong, at):
        """Remember what is wrong, and where."""
        self.wrong, self.at = wrong, at

    def __getitem__(self, step):
        """Return the batch of a step."""
        return self.wrong if step == self.at else tiny_batches()[step]


@pytest.mark.parametrize(
    ("batches", "message"),
    [
        (torch.utils.data.DataLoader(TOKENS.view(-1, 8), 4), "batches is a DataLoader .* make it"),
        ((tiny_batches()[step] for step in range(6)), "batches is a generator without a batch at"),
        (None, "batches is a NoneType"),
        ({}, "batches is a dict without a batch at .0"),
        ([], "batches is a list without a batch at .0"),
        (np.zeros((6, 4, 8), int), r"batches.0. is a ndarray; make it a tensor of integers"),
        ([[[1, 2], [3, 4]]] * 6, r"batches.0. is a list; make it a tensor of integers"),
        ([tiny_batches()[0].float()] * 6, r"batches.0. has dtype torch.float32"),
        (TOKENS.view(-1, 8), r"batches.0. has shape .8,.; it must be"),
        ([tiny_batches()[0][:0]] * 6, r"batches.0. has shape .0, 8.*at least one element"),
        ([tiny_batches()[0]] * 5, "batches holds 5 batches for total_steps=6"),
        (Endless([[1, 2]], 0), r"batches.0. is a list"),
        (Endless([[1, 2]], 3), r"batch is a list; make it a tensor of integers"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_what_is_no_batches_is_refused(batches, message):
    refused(message, train, tiny_model(), batches, tiny_settings())


class Sums(Loss):
    """A loss whose parts are what the test says."""

    def __init__(self, count, total):
        """Remember both, total as a function of logits."""
        self.counted, self.totalled = count, total

    def count(self, ids):
        """Return the count given."""
        return self.counted

    def total(self, model, ids):
        """Return the total of the logits (B, T, V)."""
        return self.totalled(model(ids)["logits"])


ONE = torch.tensor(1.0)
WRONG_LOSSES = {
    "a count of rows": (Sums(torch.ones(2), torch.sum), r"count\(ids\) of the loss is \(2,\)"),
    "a plain count": (Sums(3, torch.sum), r"count\(ids\) of the loss is int; it must be a tensor"),
    "no count": (Sums(None, torch.sum), r"count\(ids\) of the loss is NoneType"),
    "a total of rows": (Sums(ONE, lambda x: x.mean((1, 2))), r"total.* of the loss is \(4,\)"),
    "an axis": (Sums(ONE, lambda x: x.sum()[None]), r"total.* of the loss is \(1,\)"),
    "a plain total": (Sums(ONE, lambda x: x.sum().item()), "total.* of the loss is float"),
    "no total": (Sums(ONE, lambda x: None), "total.* of the loss is NoneType"),
    "detached": (Sums(ONE, lambda x: x.sum().detach()), "total.* does not depend on the weights"),
    "no labels": (TokenLoss(lambda ids: None), r"labels_of\(ids\) is a NoneType"),
    "labels of one row": (TokenLoss(lambda ids: ids[0]), r"labels_of\(ids\) has shape \(8,\)"),
    "labels of floats": (
        TokenLoss(torch.Tensor.float),
        r"labels_of\(ids\) has dtype torch.float32",
    ),
}


@pytest.mark.parametrize("name", WRONG_LOSSES)
def test_a_loss_whose_parts_are_no_sums_is_refused(name):
    model, (loss_of, message) = tiny_model(), WRONG_LOSSES[name]
    before = weights_of(model)
    refused(message, train, model, tiny_batches(), tiny_settings(), loss_of=loss_of)
    assert are_equal(weights_of(model), before)
    if name != "detached":  # which is a mean all the same
        refused(message, loss_of, model, tiny_batches()[0])


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_training_begins_and_goes_on_wherever_gradients_are_off(tmp_path, mode):
    model, whole, other = tiny_model(), tiny_model(), tiny_model()
    expected = train(whole, tiny_batches(), tiny_settings(), held_out=TOKENS[:40].view(5, 8))
    settings = tiny_settings()
    with mode():
        batches = Batches(TOKENS.clone(), 4, 8)
        held_out = TOKENS[:40].view(5, 8).clone()
        run_until(3, model, batches, settings, held_out=held_out, folder=tmp_path)
        log = train(model, batches, settings, held_out=held_out, folder=tmp_path)
        row = Trainer(other, settings).step(0, batches[0])
    assert without_seconds(log) == without_seconds(expected)
    assert row["loss"] == log[0]["loss"]
    assert are_equal(weights_of(model), weights_of(whole))
    train(model, [batches[0]] * 20, settings)  # outside of it, too


def test_a_model_that_cannot_be_trained_is_refused():
    with torch.device("meta"):
        model = tiny_model()
    refused(
        "model is on the meta device, without values", train, model, tiny_batches(), tiny_settings()
    )
    with torch.inference_mode():
        model = tiny_model()
    refused("made under torch.inference_mode", train, model, tiny_batches(), tiny_settings())


def test_options_of_a_run_that_do_not_fit_are_refused(tmp_path):
    arguments = tiny_model(), tiny_batches(), tiny_settings()
    (tmp_path / "file").touch()
    for wrong in (3, tmp_path / "file"):
        refused("folder=.* must be the path of a folder", train, *arguments, folder=wrong)
    refused("after_step='print'", train, *arguments, after_step="print")
    refused("progress=2 must be True or False", train, *arguments, progress=2)
    for wrong, message in (
        (TOKENS[:26].view(2, 13), r"held_out has shape \(2, 13\); .* T from 2 to 12"),
        (torch.full((2, 8), 31), "held_out spans 31 to 31"),
        ([[1, 2]], "held_out is a list"),
    ):
        refused(message, train, *arguments, held_out=wrong)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_narrow_weights_are_not_trained_but_may_stay_under_wide_ones(dtype):
    narrow = tiny_model().to(dtype)
    before = weights_of(narrow)
    message = f"model has weights of {dtype} to train; convert it with .float"
    refused(message, train, narrow, tiny_batches(), tiny_settings())
    refused(message, Trainer, narrow, tiny_settings())
    assert are_equal(weights_of(narrow), before)
    model = add_lora(narrow, 2)
    log = train(model, tiny_batches(), tiny_settings(max_lr=1e-2))
    assert log[-1]["loss"] < log[0]["loss"]
    state = [weight for weight in model.parameters() if weight.requires_grad]
    assert {weight.dtype for weight in state} == {torch.float32}
    assert all(torch.equal(w, before[n]) for n, w in weights_of(model).items() if n in before)
    refused("no weights to train", train, model.requires_grad_(False), tiny_batches(),
            tiny_settings())  # fmt: skip


def test_states_of_the_optimizer_are_as_wide_as_the_weights():
    for dtype in (torch.float32, torch.float64):
        trainer = Trainer(tiny_model().to(dtype), tiny_settings())
        trainer.step(0, tiny_batches()[0])
        states = trainer.optimizers[0].state.values()
        assert {state[name].dtype for state in states for name in ("exp_avg", "exp_avg_sq")} == {
            dtype
        }
