"""A training with a reader's functions is that of PyTorch, and says what is left to write."""

import pytest
import torch

from gpt_helpers.architecture.model import GPTLMHeadModel
from gpt_helpers.exercises.workbook import own_training
from gpt_helpers.text.batches import Batches
from gpt_helpers.text.corpus import Document
from gpt_helpers.text.tokenizer import encode
from gpt_helpers.text.tokens import Tokens
from gpt_helpers.training.loop import train
from gpt_helpers.training.settings import TrainingSettings
from gpt_helpers.weights.pretrained import load_model
from tests.helpers.workbook import solved_names

N_STEPS = 12
SOURCE = "def double(number):\n    return 2 * number\n\n\nclass Empty:\n    pass\n"


@pytest.fixture(scope="module")
def tokens():
    """Return the Tokens of a few lines, so often that they fill the windows."""
    tokenizer = load_model()[1]
    row = encode(tokenizer, [Document("a.py", SOURCE * 800)])
    return Tokens(tokenizer, row, row[: len(row) // 2])


def by_pytorch(tokens):
    """Return the model and the log of the same training by the book's loop and torch's AdamW."""
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        model = GPTLMHeadModel(own_training.CONFIG)
    settings = TrainingSettings(
        total_steps=N_STEPS, max_lr=own_training.HIGHEST, min_lr=0.0, warmup_steps=2,
        weight_decay=own_training.DECAY, max_grad_norm=None,
    )  # fmt: skip
    batches = Batches(tokens.training, own_training.BATCH_SIZE, own_training.CONFIG.n_positions, 0)
    return model, train(model, batches, settings)


def test_the_readers_functions_train_as_pytorch_does(tokens):
    weights, losses = own_training.weights_after(solved_names(), tokens, N_STEPS)
    model, log = by_pytorch(tokens)
    assert losses[0][1] > log[-1]["loss"] > 0
    for name, weight in model.transformer.named_parameters():
        torch.testing.assert_close(weights[name], weight.detach(), rtol=1e-3, atol=1e-4)
    with torch.no_grad():
        ids = tokens.training[None, :64].long()
        found = own_training.loss_of(solved_names(), weights, ids)
        torch.testing.assert_close(found, model(ids, labels=ids)["loss"], rtol=1e-4, atol=1e-4)


def test_the_loss_is_measured_from_the_first_step_to_the_last(tokens):
    _, losses = own_training.weights_after(solved_names(), tokens, N_STEPS)
    assert [step for step, _ in losses] == [0, 3, 6, 9, 12]
    assert losses[0][1] == pytest.approx(own_training.counted_losses(tokens)[0], abs=0.1)
    assert losses[-1][1] < losses[0][1] - 1


def test_predictions_that_only_count_get_better_the_more_they_see(tokens):
    even, frequent, *after = own_training.counted_losses(tokens)
    assert even == pytest.approx(6.9315, abs=1e-4)
    assert len(after) == 3
    assert even > frequent > after[0] > after[1] > after[2] > 0


def test_the_answer_has_the_losses_and_a_text(tokens, monkeypatch):
    monkeypatch.setattr(own_training, "tokens_to_train_on", lambda: tokens)
    said = own_training.train_own(solved_names(), 5)
    for edition in ("en", "ja"):
        lines = said.texts[edition].split("\n")
        assert "5" in lines[0]
        assert [line.split()[0] for line in lines[3:9]] == ["0", "1", "2", "3", "4", "5"]
        assert said.texts[edition].split("\n\n", 1)[1].startswith(own_training.PROMPT)


def test_what_is_left_to_write_is_told_before_anything_is_trained(monkeypatch):
    monkeypatch.setattr(own_training, "weights_after", None)
    names = {**solved_names(), "loss": lambda logits, labels: None, "adamw_step": None}
    said = own_training.train_own(names)
    assert said.texts == {
        "en": "still left: loss, adamw_step", "ja": "まだできていない関数：loss, adamw_step",
    }  # fmt: skip


@pytest.mark.parametrize(("names", "n_steps"), [(None, 5), ({}, 0), ({}, 1.5)])
def test_what_is_no_namespace_or_number_of_steps_is_refused(names, n_steps):
    with pytest.raises(ValueError, match=r"names|n_steps"):
        own_training.train_own(names, n_steps)


def test_the_setting_is_what_the_page_says():
    config = own_training.CONFIG
    assert (config.vocab_size, config.n_positions, config.n_embd) == (1024, 64, 64)
    assert (config.n_layer, config.n_head, own_training.N_HELD_OUT) == (2, 4, 128)
    assert (own_training.N_STEPS, own_training.BATCH_SIZE, own_training.EVERY_FILE) == (1500, 8, 8)
    assert (own_training.WARMUP_SHARE, own_training.HIGHEST, own_training.DECAY) == (0.1, 6e-3, 0.1)
    assert (own_training.TEMPERATURE, own_training.TOP_P) == (0.8, 0.9)
