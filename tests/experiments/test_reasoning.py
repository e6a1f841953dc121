"""A model of sums: what it is taught, what it is tested on, and how its answers are counted."""

import numpy as np
import pytest

from gpt_helpers.experiments import reasoning
from gpt_helpers.tasks import sums
from tests.helpers.reference import refused
from tests.helpers.writers import (
    ignoring_its_steps,
    reading_its_steps,
    sum_writer,
    wrong_half_of_the_time,
)


def test_a_right_answer_is_one_after_steps_or_without():
    items = reasoning.sum_items(5, 200)
    for continued in (reading_its_steps, ignoring_its_steps):
        assert reasoning.sum_score(sum_writer(continued), items).share == 1
    half = reasoning.sum_score(sum_writer(wrong_half_of_the_time), items)
    assert half.right == (items[:, 0] % 2 == 0).sum()
    assert reasoning.sum_score(sum_writer(lambda words: ["="]), items).right == 0


@pytest.mark.parametrize("at", [1, 4, 7])
def test_a_model_that_reads_its_steps_follows_a_wrong_one_and_another_ignores_it(at):
    items = reasoning.sum_items(8, 200)
    shares = {
        continued: [
            score.share for score in reasoning.wrong_step_scores(sum_writer(continued), items, at)
        ]
        for continued in (reading_its_steps, ignoring_its_steps)
    }
    assert shares == {reading_its_steps: [1, 0], ignoring_its_steps: [0, 1]}


@pytest.mark.parametrize("n_digits", [3, 4, 12])
def test_every_format_reads_as_many_tokens_in_a_step_of_training(n_digits):
    for written_as in sums.FORMATS:
        batch = reasoning.sum_batches(written_as, n_digits=n_digits)[0]
        assert 0 <= 576 * n_digits - batch.numel() < batch.shape[1]
        assert (batch == sums.ASK).int().argmax(1).unique().tolist() == [n_digits]


def test_training_depends_on_the_seed():
    def first_losses(seed):
        _, log = reasoning.sum_model(
            "steps", seed, n_layer=1, n_digits=3, n_steps=2, digit_tokens=20
        )
        return [row["loss"] for row in log]

    assert first_losses(0) == first_losses(0)
    assert first_losses(0) != first_losses(1)


def test_the_loss_of_an_untrained_model_is_that_of_guessing_a_word():
    model, log = reasoning.sum_model("steps", n_steps=1, digit_tokens=20)
    assert abs(log[0]["loss"] - np.log(model.config.vocab_size)) < 0.2


def test_items_for_tests_are_the_same_in_every_call_and_never_those_of_training():
    tests, others = (reasoning.sum_items(4, 2000, side) for side in (True, False))
    assert np.array_equal(tests, reasoning.sum_items(4, 2000))
    assert not set(map(bytes, tests)) & set(map(bytes, others))


def test_unknown_formats_are_refused():
    refused("backwards", reasoning.sum_model, "backwards")
    refused(
        "digit_tokens=1 holds no text of 12 digits", reasoning.sum_model, "steps", digit_tokens=1
    )
