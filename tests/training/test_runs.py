"""One kind of run: it varies field by field, says what changed, and reads what it says."""

import dataclasses

import pytest
import torch

from gpt_helpers.architecture.model import GPTLMHeadModel, GPTModel
from gpt_helpers.text.batches import Batches
from gpt_helpers.training.runs import Run
from gpt_helpers.training.settings import TrainingSettings
from gpt_helpers.variants.gpt1 import GPT1Model
from gpt_helpers.variants.modern import ModernLMHeadModel
from tests.helpers.reference import refused
from tests.helpers.runs import TINY, TOKENS

RUN = Run(TINY, TrainingSettings(total_steps=6, warmup_steps=2), batch_size=4)
PROJECTION = "transformer.h.0.attn.c_proj.weight"


def test_changes_are_named_in_one_order_and_the_run_itself_has_none():
    assert RUN.changes_from(RUN) == RUN.with_seed(3).changes_from(RUN) == "none"
    changed = RUN.varied({"max_lr": 0.1}, {"n_head": 4}, transformer=GPT1Model, bad_step=3)
    assert changed.changes_from(RUN) == "max_lr=0.1 n_head=4 transformer=GPT1Model bad_step=3"
    other_way = RUN.varied(bad_step=3, transformer=GPT1Model).varied({"max_lr": 0.1}, {"n_head": 4})
    assert other_way == changed
    assert changed.varied({"max_lr": 3e-3}, {"n_head": 2}, transformer=None, bad_step=None) == RUN


def test_the_beginning_of_a_run_keeps_its_schedule():
    assert RUN.stopped_after(None) == RUN
    for run, ends in ((RUN, 6), (RUN.varied({"schedule_steps": 9}), 9)):
        settings = run.stopped_after(2).settings
        assert (settings.total_steps, settings.schedule_steps) == (2, ends)


def test_the_seed_draws_the_weights_and_the_batches():
    one, again, other = (RUN.with_seed(seed) for seed in (1, 1, 2))
    weights = [run.new_model().lm_head.weight for run in (one, again, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    batches = [run.batches(TOKENS)[0] for run in (one, again, other)]
    assert torch.equal(batches[0], batches[1])
    assert not torch.equal(batches[0], batches[2])
    assert torch.equal(batches[0], Batches(TOKENS, 4, TINY.n_positions, 1)[0])
    assert RUN.step_tokens == batches[0].numel()


@pytest.mark.parametrize(
    ("run", "kinds"),
    [
        (RUN, (GPTLMHeadModel, GPTModel)),
        (dataclasses.replace(RUN, transformer=GPT1Model), (GPTLMHeadModel, GPT1Model)),
        (dataclasses.replace(RUN, model=ModernLMHeadModel), (ModernLMHeadModel,)),
    ],
)
def test_the_model_is_of_the_classes_that_the_run_names(run, kinds):
    model = run.new_model()
    assert (type(model), type(model.transformer))[: len(kinds)] == kinds
    assert model.config == TINY


def test_weights_begin_at_the_scale_of_the_run():
    def std(run, name):
        return dict(run.new_model().named_parameters())[name].std().item()

    wide = RUN.varied(config={"n_embd": 64})
    embedding = "transformer.wte.weight"
    assert std(wide, embedding) == pytest.approx(0.02, rel=0.1)
    assert std(wide, PROJECTION) == pytest.approx(0.01, rel=0.1)  # 2 layers, 4 sums
    larger = dataclasses.replace(wide, initial_std=0.2)
    assert std(larger, embedding) == pytest.approx(0.2, rel=0.1)
    assert std(larger, PROJECTION) == pytest.approx(0.1, rel=0.1)
    unscaled = dataclasses.replace(wide, residual_scaling=False)
    assert std(unscaled, PROJECTION) == pytest.approx(0.02, rel=0.1)


def test_one_batch_can_be_bad_and_no_other_is():
    good, bad = RUN.batches(TOKENS), dataclasses.replace(RUN, bad_step=2).batches(TOKENS)
    same = [torch.equal(good[step], bad[step]) for step in range(4)]
    assert same == [True, True, False, True]
    assert torch.equal(bad[2], bad[2])
    assert bad[2].shape == good[2].shape
    assert bad[2].max() < TINY.vocab_size


def test_a_part_of_the_tokens_comes_from_all_over_them_in_whole_windows():
    tokens, width = torch.arange(3000), TINY.n_positions
    batches = dataclasses.replace(RUN, n_unique=10 * width).batches(tokens)
    assert len(batches.tokens) == 10 * width
    windows = {token // width for token in batches.tokens.tolist()}
    assert len(windows) == 10
    assert max(windows) > 200


def test_a_batch_size_that_no_run_can_have_is_refused():
    refused("batch_size=0 must be a positive integer", Run, TINY, RUN.settings, batch_size=0)
