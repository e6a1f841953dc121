"""What is called leaves a model as it was, whether it ends, fails or runs beside others.

Two calls that run at once do not mix: each gives what it gives alone.
"""

import contextlib
import itertools
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from gpt_helpers.architecture.heads import induction_scores, without_heads
from gpt_helpers.architecture.modules import evaluating
from gpt_helpers.architecture.trace import recorded_attention, recorded_outputs, trace
from gpt_helpers.evaluation.losses import evaluate
from gpt_helpers.evaluation.ngrams import NGrams
from gpt_helpers.optimization.speculative import ModelDraft, generate_speculatively
from tests.helpers.reference import random_ids, random_model

IDS = random_ids(2, 8)
ROW = IDS[:1]


class StoppedError(Exception):
    """What stops a call in the tests."""


def generator():
    """Return a generator that gives the same numbers each time."""
    return torch.Generator().manual_seed(0)


def cached_logits(model):
    """Return the logits after a prompt that is read in two parts."""
    with evaluating(model), torch.no_grad():
        cache = model(IDS[:, :5], cache=True)["cache"]
        return model(IDS[:, 5:], cache=cache)["logits"]


def logits_without_a_head(model):
    """Return the logits of a model that lacks one head."""
    with evaluating(model), torch.no_grad(), without_heads(model, [(0, 1), (2, 3)]):
        return model(IDS)["logits"]


def results_of_blocks(model):
    """Return what each block of a model gives."""
    with evaluating(model), torch.no_grad(), recorded_outputs(model, "GPTBlock") as found:
        model(IDS)
    return torch.stack(found)


def weights_read(model):
    """Return the attention weights of all layers."""
    with evaluating(model), torch.no_grad(), recorded_attention(model) as found:
        model(IDS)
    return torch.stack(found)


def steps_of(model):
    """Return which modules ran, each with the steps that it read."""
    with evaluating(model):
        steps = trace(model, IDS)
    return [(step.name, step.inputs) for step in steps]


CALLS = {
    "greedy": lambda model: model.generate(IDS, 6, temperature=0),
    "sampled": lambda model: model.generate(IDS, 6, top_k=9, generator=generator()),
    "without cache": lambda model: model.generate(IDS, 4, temperature=0, use_cache=False),
    "speculative": lambda model: generate_speculatively(
        model, ModelDraft(model), ROW, 6, generator=generator()
    ),
    "of counts": lambda model: generate_speculatively(
        model, NGrams(IDS.flatten(), 2, model.config.vocab_size), ROW, 5, generator=generator()
    ),
    "evaluate": lambda model: evaluate(model, IDS),
    "induction": lambda model: induction_scores(model, IDS.repeat(1, 2)),
    "cache": cached_logits,
    "without a head": logits_without_a_head,
    "blocks": results_of_blocks,
    "attention": weights_read,
    "trace": steps_of,
}


def model_that_drops():
    """Return a model in train mode whose texts dropout changes, but for one block."""
    model = random_model(std=0.3, dropout=0.5).train()
    model.transformer.h[1].eval()
    return model


def state_of(model):
    """Return all that a call might leave behind in a model."""
    weights = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    parts = [
        (
            module.training,
            sorted(vars(module)),
            len(module._forward_hooks) + len(module._forward_pre_hooks),
            getattr(module, "attend", None),
        )
        for module in model.modules()
    ]
    return weights, parts


def is_same(first, second):
    """Return whether two results are the same, tensors bit for bit."""
    if isinstance(first, torch.Tensor):
        return torch.equal(first, second)
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(is_same(first[k], second[k]) for k in first)
    if isinstance(first, list | tuple):
        return len(first) == len(second) and all(map(is_same, first, second))
    return first == second


@contextlib.contextmanager
def failing_at(model, number):
    """Let the module call of this number fail."""
    count = itertools.count()

    def fail(*arguments):
        if next(count) == number:
            raise StoppedError

    handles = [module.register_forward_hook(fail) for module in model.modules()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@pytest.mark.parametrize("name", CALLS)
def test_a_call_that_ends_and_one_that_fails_leave_the_model_as_it_was(name):
    model = model_that_drops()
    before = state_of(model)
    expected = CALLS[name](model)
    assert is_same(state_of(model), before)
    for number in (0, 1, 5, 17, 25):
        with failing_at(model, number), pytest.raises(StoppedError):
            CALLS[name](model)
        assert is_same(state_of(model), before)
    assert is_same(CALLS[name](model), expected)


def test_calls_that_run_at_once_give_what_each_gives_alone_and_leave_the_model_as_it_was():
    model = model_that_drops()
    expected = {name: call(model) for name, call in CALLS.items()}
    before = state_of(model)
    for names in (["greedy"] * 12, ["sampled", "greedy", "attention"] * 6, list(CALLS) * 4):
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(lambda name: CALLS[name](model), names))
        for name, result in zip(names, found, strict=True):
            assert is_same(result, expected[name]), name
        assert is_same(state_of(model), before)


def test_blocks_that_overlap_put_every_module_back():
    model = model_that_drops()
    before = state_of(model)
    first, second, part = evaluating(model), evaluating(model), evaluating(model.transformer.h[0])
    for block in (first, part, second):
        block.__enter__()
    for block in (first, part, second):
        assert not any(module.training for module in model.transformer.h[0].modules())
        block.__exit__(None, None, None)
    assert is_same(state_of(model), before)


def test_a_block_within_a_block_gives_back_the_mode_that_it_found():
    model = model_that_drops()
    with evaluating(model):
        model.train()
        model.generate(IDS, 2)
        assert all(module.training for module in model.modules())
    assert not model.transformer.h[1].training
    assert model.training


def test_a_draft_that_two_texts_share_and_one_that_failed_go_on():
    model = random_model(std=0.3)
    draft, texts = ModelDraft(model), [random_ids(1, n, seed=n) for n in (3, 7, 9, 12)]
    expected = [ModelDraft(model).logits(text) for text in texts]
    with failing_at(model, 9), pytest.raises(StoppedError):
        draft.logits(texts[3])
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(draft.logits, texts * 20))
    for logits, wanted in zip(found, expected * 20, strict=True):
        torch.testing.assert_close(logits, wanted, atol=1e-4, rtol=1e-4)
