"""One batch is one batch: its loss and gradients do not depend on how it is divided.

Passes and processes that count different numbers of tokens, or none, add up to the mean over the
whole batch. Of two processes test_distributed.py says the same, of the same cases.
"""

import dataclasses

import pytest
import torch

from gpt_helpers.architecture.losses import TokenLoss
from gpt_helpers.tasks.answers import answer_loss, text_loss
from gpt_helpers.training.loop import Trainer, train
from tests.helpers.divided import CASES, LENGTHS, MARKER, answers, distance, divided, padded_rows
from tests.helpers.reference import refused
from tests.helpers.runs import (
    are_equal,
    furthest,
    run_until,
    tiny_model,
    tiny_settings,
    weights_of,
)

CLOSE = 1e-6  # in float64; measured below 1e-14


@pytest.mark.parametrize("n_passes", [2, 4, 8])
@pytest.mark.parametrize("name", CASES)
def test_passes_have_the_loss_and_the_gradients_of_one(name, n_passes):
    loss, gradients = divided(name)
    found, parts = divided(name, n_passes=n_passes)
    assert found == pytest.approx(loss, rel=CLOSE)
    assert distance(parts, gradients) <= CLOSE


def test_the_loss_is_the_sum_over_all_counted_tokens_divided_by_their_number():
    model, rows = tiny_model(), padded_rows()
    logs = model(rows)["logits"].double().log_softmax(-1)
    costs = [-logs[r, t, rows[r, t + 1]] for r in range(8) for t in range(LENGTHS[r] - 1)]
    assert len(costs) == 12
    for n_passes in (1, 2, 4, 8):
        trainer = Trainer(tiny_model(), tiny_settings(accumulation=n_passes), loss_of=text_loss)
        assert trainer.accumulate(0, rows) == pytest.approx(sum(costs).item() / 12, rel=1e-6)


def run(n_passes, **changes):
    """Return (model, batches, settings) of a run on answers, of which most passes have none."""
    batches = [answers().roll(step, 0) for step in range(6)]
    settings = tiny_settings(accumulation=n_passes, epsilon=1e-4, max_grad_norm=0.5, **changes)
    return tiny_model(), batches, settings


def test_a_run_clips_and_logs_the_same_in_several_passes_and_after_a_stop(tmp_path):
    loss_of = answer_loss(MARKER)
    model, batches, settings = run(1)
    log = train(model, batches, settings, loss_of=loss_of)
    assert min(row["gradient_norm"] for row in log) > 0.5  # every step was clipped
    parts, *others = run(4)
    run_until(3, run(4)[0], *others, loss_of=loss_of, folder=tmp_path)
    again = train(parts, *others, loss_of=loss_of, folder=tmp_path)
    assert furthest(weights_of(parts), weights_of(model)) <= 1e-6
    for row, expected in zip(again, log, strict=True):
        for key in ("loss", "gradient_norm", "lr", "tokens"):
            assert row[key] == pytest.approx(expected[key], rel=1e-5)


@pytest.mark.parametrize("n_passes", [1, 4])
def test_a_batch_that_counts_nothing_is_refused_and_changes_nothing(n_passes):
    model, _, settings = run(n_passes)
    before = weights_of(model)
    nothing = torch.zeros(8, 8, dtype=torch.long)
    refused("batches.0. leaves nothing to predict", train, model, [nothing] * 6, settings,
            loss_of=text_loss)  # fmt: skip
    assert are_equal(weights_of(model), before)


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_narrow_products_do_not_narrow_the_sum_over_passes(precision):
    found = []
    for n_passes in (1, 8):
        model, _, settings = run(n_passes, precision=precision)
        trainer = Trainer(model, settings, loss_of=text_loss)
        trainer.scaler = torch.amp.GradScaler("cpu", enabled=False)
        found.append(trainer.accumulate(0, padded_rows()))
        found.append(torch.cat([weight.grad.flatten() for weight in model.parameters()]))
    assert found[2] == pytest.approx(found[0], rel=1e-5)
    assert distance(found[3], found[1]) <= 2e-2  # rounding of the products


def test_a_loss_counts_and_adds_up_apart():
    ids = padded_rows()
    assert [text_loss.count(row[None]).item() for row in ids] == [n - 1 for n in LENGTHS]
    model = tiny_model()
    totals = [text_loss.total(model, row[None]) for row in ids]
    assert [total.item() == 0 for total in totals] == [n == 1 for n in LENGTHS]
    expected = model(ids, labels=ids.masked_fill(ids == 0, -100))["loss"]
    torch.testing.assert_close(sum(totals) / 12, expected)
    torch.testing.assert_close(text_loss(model, ids), expected)
    refused(r"ids \(1, 8\) leave nothing to predict", text_loss, model, ids[-1:])
    refused("model is a NoneType", text_loss, None, ids)


def test_what_is_no_loss_is_refused():
    model, batches, settings = run(1)
    plain = lambda model, ids: model(ids, labels=ids)["loss"]  # noqa: E731
    refused("loss_of is a function; it must be a Loss", train, model, batches, settings,
            loss_of=plain)  # fmt: skip
    refused("labels_of='ids'", TokenLoss, "ids")
    wrong = TokenLoss(lambda ids: ids[:, 1:])
    refused("labels has shape", train, model, batches, settings, loss_of=wrong)
    settings = dataclasses.replace(settings, accumulation=3)
    refused("cannot be divided", train, model, batches, settings)
