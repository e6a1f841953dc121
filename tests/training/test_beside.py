"""A model that is trained while another thread, or a block around it, reads it."""

import copy
import threading

import pytest
import torch

from gpt_helpers.architecture.losses import Loss
from gpt_helpers.architecture.modules import evaluating
from gpt_helpers.training.loop import Trainer
from tests.helpers.reference import refused
from tests.helpers.runs import are_equal, tiny_batches, tiny_model, tiny_settings, weights_of

LONG_ENOUGH = 60  # seconds after which a thread that should go on is said to hang


class Waiting(Loss):
    """The mean of all weights, computed once it is allowed."""

    def __init__(self):
        """Begin with nothing allowed."""
        self.begun, self.allowed, self.modes = threading.Event(), threading.Event(), []

    def count(self, ids):
        """Return 1."""
        return ids.new_tensor(1)

    def total(self, model, ids):
        """Return the mean of all weights, and note whether the model drops anything."""
        self.begun.set()
        assert self.allowed.wait(LONG_ENOUGH)
        self.modes.append(all(module.training for module in model.modules()))
        return torch.cat([weight.flatten() for weight in model.parameters()]).mean()


def test_a_step_is_refused_while_the_model_is_evaluated_and_changes_nothing():
    model, ids = tiny_model().train(), tiny_batches()[0]
    trainer, before = Trainer(model, tiny_settings()), weights_of(model)
    with evaluating(model.transformer.h[0]):
        refused("the model is being evaluated, or generates", trainer.step, 0, ids)
    assert are_equal(weights_of(model), before)
    assert all(weight.grad is None for weight in model.parameters())
    trainer.step(0, ids)
    assert not are_equal(weights_of(model), before)


def test_another_model_may_be_evaluated_meanwhile():
    model = tiny_model().train()
    with evaluating(copy.deepcopy(model)):
        Trainer(model, tiny_settings()).step(0, tiny_batches()[0])


@pytest.mark.parametrize("fails", [False, True])
def test_what_would_evaluate_a_model_waits_for_the_step_of_another_thread(fails):
    model, loss, order = tiny_model().train(), Waiting(), []
    trainer = Trainer(model, tiny_settings(), loss_of=loss)

    def step():
        try:
            trainer.step(0, tiny_batches()[0])
        except Exception as error:
            order.append(type(error))
        order.append("step")

    def read():
        with evaluating(model):
            order.append("read")

    if fails:
        loss.count = lambda ids: fail_when_allowed(loss)
    threads = [threading.Thread(target=task, daemon=True) for task in (step, read)]
    threads[0].start()
    assert loss.begun.wait(LONG_ENOUGH)
    threads[1].start()
    threads[1].join(0.2)
    assert "read" not in order
    loss.allowed.set()
    for thread in threads:
        thread.join(LONG_ENOUGH)
    assert {"step", "read"} <= set(order)
    assert loss.modes == ([] if fails else [True])
    assert all(module.training for module in model.modules())


def fail_when_allowed(loss):
    """Raise KeyError once the loss is allowed."""
    loss.begun.set()
    assert loss.allowed.wait(LONG_ENOUGH)
    raise KeyError


def test_a_loss_may_evaluate_the_model_that_its_own_thread_trains():
    class Evaluated(Waiting):
        def total(self, model, ids):
            with evaluating(model):
                return super().total(model, ids)

    loss = Evaluated()
    loss.allowed.set()
    Trainer(tiny_model().train(), tiny_settings(), loss_of=loss).step(0, tiny_batches()[0])
    assert loss.modes == [False]
