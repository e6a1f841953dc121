"""Generation: equal with a cache, without, in padded batches, beside Hugging Face's."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch

from gpt_helpers.architecture.generation import generate, write_on
from gpt_helpers.architecture.model import GPTLMHeadModel
from gpt_helpers.architecture.modules import evaluating
from gpt_helpers.config import PRESETS
from tests.helpers.reference import (
    SMALL,
    hugging_face,
    left_padded,
    random_ids,
    random_model,
    refused,
)

N, V = SMALL.n_positions, SMALL.vocab_size
MODEL = random_model(std=0.3)
PROMPTS = [random_ids(1, n, seed=n)[0] for n in (3, 7, 1, 5)]
CACHES = pytest.mark.parametrize("use_cache", [True, False], ids=["cached", "uncached"])


def smallest_gap(model, ids, mask, n_new):
    """Return the smallest difference between the two highest logits before each new token."""
    with torch.no_grad():
        logits = model(ids, attention_mask=mask)["logits"][:, -n_new - 1 : -1]
    best = logits.topk(2).values
    return (best[..., 0] - best[..., 1]).min()


def test_greedy_generation_of_a_left_padded_batch_equals_hugging_face():
    model = random_model(PRESETS["demo"], seed=5, std=0.3)
    ids, mask = left_padded([random_ids(1, n, 1000, seed=n)[0] for n in (2, 11, 5, 32)])
    expected = hugging_face(model).generate(
        ids, attention_mask=mask, max_new_tokens=64, do_sample=False, pad_token_id=0
    )
    found = model.generate(ids, 64, temperature=0, attention_mask=mask)
    assert found.shape == (4, 96)
    assert torch.equal(found, expected)
    grown = torch.nn.functional.pad(mask, (0, 64), value=1)
    assert smallest_gap(model, expected, grown, 64) > 1e-3  # no near tie decides
    assert all(len(row.unique()) > 10 for row in found[:, -64:])


@CACHES
@pytest.mark.parametrize("n_new", [1, 12, 40], ids=["one", "within", "beyond n_positions"])
def test_left_padded_rows_grow_as_they_do_alone(use_cache, n_new):
    ids, mask = left_padded(PROMPTS)
    settings = {"temperature": 0, "use_cache": use_cache}
    found = MODEL.generate(ids, n_new, attention_mask=mask, **settings)
    for row, prompt in enumerate(PROMPTS):
        alone = MODEL.generate(prompt[None], n_new, **settings)
        assert torch.equal(found[row, ids.shape[1] :], alone[0, len(prompt) :])


@pytest.mark.parametrize("dtype", [torch.bool, torch.int32, torch.float32])
def test_masks_of_every_dtype_generate_the_same(dtype):
    ids, mask = left_padded(PROMPTS)
    expected = MODEL.generate(ids, 9, temperature=0, attention_mask=mask)
    assert torch.equal(
        MODEL.generate(ids, 9, temperature=0, attention_mask=mask.to(dtype)), expected
    )


@CACHES
@pytest.mark.parametrize("n_prompt", [1, N - 1, N, N + 9])
def test_beyond_n_positions_each_step_reads_the_last_n_positions_tokens(use_cache, n_prompt):
    ids = random_ids(2, n_prompt, seed=4)
    found = MODEL.generate(ids, 30, temperature=0, use_cache=use_cache)
    for _ in range(30):
        logits = MODEL(ids[:, -N:])["logits"][:, -1]
        ids = torch.cat([ids, logits.argmax(-1, keepdim=True)], dim=1)
    assert torch.equal(found, ids)


def test_a_cache_changes_no_sampled_token():
    ids, mask = left_padded(PROMPTS)
    settings = {"temperature": 0.9, "top_k": 20, "top_p": 0.95, "attention_mask": mask}
    found = [
        MODEL.generate(
            ids, 30, generator=torch.Generator().manual_seed(1), use_cache=use, **settings
        )
        for use in (True, False)
    ]
    assert torch.equal(*found)


def test_a_cache_computes_each_token_once():
    counts = {True: 0, False: 0}
    model = random_model()

    def count(module, inputs):
        counts[use_cache] += inputs[0].numel()

    model.transformer.wte.register_forward_pre_hook(count)
    for use_cache in counts:
        model.generate(random_ids(1, 5), 12, use_cache=use_cache)
    assert counts == {True: 5 + 11, False: sum(range(5, 17))}


@CACHES
def test_rows_that_have_ended_are_filled_and_generation_stops_when_all_have(use_cache):
    ids, mask = left_padded(PROMPTS)
    settings = {"temperature": 0, "attention_mask": mask, "use_cache": use_cache}
    free = MODEL.generate(ids, 30, **settings)
    n_prompt = ids.shape[1]
    for eos in free[:, n_prompt:].unique()[::8].tolist():
        found = MODEL.generate(ids, 30, eos_token_id=eos, **settings)
        ends = []
        for row in range(len(PROMPTS)):
            at = (free[row, n_prompt:] == eos).nonzero()
            ends.append(n_prompt + at[0].item() + 1 if len(at) else n_prompt + 30)
            assert torch.equal(found[row, : ends[-1]], free[row, : ends[-1]])
            assert (found[row, ends[-1] :] == eos).all()
        assert found.shape[1] == max(ends)


def test_generation_stops_early_at_the_end_of_text():
    free = MODEL.generate(PROMPTS[0][None], 20, temperature=0)
    eos = free[0, 8].item()
    first = (free[0, 3:] == eos).nonzero()[0].item()
    found = MODEL.generate(PROMPTS[0][None], 20, temperature=0, eos_token_id=eos)
    assert torch.equal(found, free[:, : 3 + first + 1])
    assert found.shape[1] < free.shape[1]


def test_the_loop_by_hand_writes_the_sum_of_what_stands_before():
    room = torch.tensor([[1, 2, 0, 0, 0], [3, 4, 0, 0, 0]])
    read = []

    def predict(ids):
        read.append(ids.shape[1])
        return torch.nn.functional.one_hot(ids.sum(1) % 7, 7)

    written = write_on(room.clone(), 2, predict, lambda logits: logits.argmax(-1))
    assert written.tolist() == [[1, 2, 3, 6, 5], [3, 4, 0, 0, 0]]
    assert read == [2, 3, 4]
    ended = write_on(room.clone(), 2, predict, lambda logits: logits.argmax(-1), eos_token_id=6)
    assert ended.tolist() == [[1, 2, 3, 6, 6], [3, 4, 0, 0, 0]]


def test_an_end_of_text_inside_the_prompt_ends_nothing():
    ids = PROMPTS[1][None]
    free = MODEL.generate(ids, 4, temperature=0)
    inside = next(token for token in ids[0].tolist() if token not in free[0, 7:].tolist())
    assert torch.equal(MODEL.generate(ids, 4, temperature=0, eos_token_id=inside), free)


def test_greedy_tokens_are_those_of_the_highest_logits_step_by_step():
    found = MODEL.generate(PROMPTS[1][None], 10, temperature=0)
    logits = MODEL(found[:, :-1])["logits"]
    assert torch.equal(logits[0, 6:].argmax(-1), found[0, 7:])
    assert torch.equal(MODEL.generate(PROMPTS[1][None], 10, top_k=1), found)
    assert torch.equal(MODEL.generate(PROMPTS[1][None], 10, top_p=1e-9), found)


def test_a_generator_makes_generation_repeatable_without_touching_the_global_one():
    ids = random_ids(4, 3)
    before = torch.get_rng_state()
    runs = [
        MODEL.generate(ids, 12, generator=torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)
    ]
    assert torch.equal(runs[0], runs[1])
    assert not torch.equal(runs[0], runs[2])
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(1)
    first = MODEL.generate(ids, 12)
    torch.manual_seed(1)
    assert torch.equal(MODEL.generate(ids, 12), first)


def test_samples_stay_within_the_top_k():
    ids = random_ids(1, 4).expand(200, 4)
    generator = torch.Generator().manual_seed(0)
    found = MODEL.generate(ids, 1, temperature=5.0, top_k=3, generator=generator)[:, -1]
    best = MODEL(ids[:1])["logits"][0, -1].topk(3).indices
    assert set(found.tolist()) == set(best.tolist())


@pytest.mark.parametrize("is_training", [True, False])
def test_every_module_is_left_in_the_mode_it_was_found_in(is_training):
    model = random_model(dropout=0.5).train(is_training)
    model.transformer.h[1].train(not is_training)
    before = [module.training for module in model.modules()]
    expected = random_model(dropout=0.5).generate(PROMPTS[0][None], 6, temperature=0)
    assert torch.equal(model.generate(PROMPTS[0][None], 6, temperature=0), expected)
    assert [module.training for module in model.modules()] == before
    refused("input_ids spans", model.generate, random_ids(1, 3) + V)
    assert [module.training for module in model.modules()] == before
    model.transformer.h[0].attn.attend = None
    with pytest.raises(TypeError):
        model.generate(PROMPTS[0][None])
    assert [module.training for module in model.modules()] == before


def test_inputs_are_left_as_they_were_and_not_shared():
    ids, mask = left_padded(PROMPTS)
    copies = ids.clone(), mask.clone()
    for n_new in (0, 3):
        found = MODEL.generate(ids, n_new, attention_mask=mask)
        assert torch.equal(found[:, : ids.shape[1]], ids)
        found.fill_(1)
        assert torch.equal(ids, copies[0])
        assert torch.equal(mask, copies[1])


def test_no_new_tokens_give_the_prompt_back():
    assert torch.equal(MODEL.generate(PROMPTS[1][None], 0), PROMPTS[1][None])


def test_the_result_can_be_trained_on():
    found = MODEL.generate(PROMPTS[1][None], 5)
    assert not found.is_inference()
    assert not found.requires_grad
    model = random_model()
    model(found, labels=found)["loss"].backward()
    assert model.lm_head.weight.grad.abs().sum() > 0


def test_a_text_that_ends_early_can_be_trained_on_too():
    prompt = PROMPTS[1][None]
    eos = MODEL.generate(prompt, 1, temperature=0)[0, -1].item()
    found = MODEL.generate(prompt, 9, temperature=0, eos_token_id=eos)
    assert found.shape == (1, prompt.shape[1] + 1)
    assert not found.is_inference()
    random_model()(found, labels=found)["loss"].backward()


def test_numbers_of_numpy_serve_as_settings():
    ids, seed = random_ids(2, 5), torch.Generator
    plain = {"max_new_tokens": 6, "temperature": 0.75, "top_k": 9, "top_p": 0.5, "chunk_size": 2}
    plain["eos_token_id"] = 0
    kinds = {int: np.int64, float: np.float32}
    numpy = {name: kinds[type(value)](value) for name, value in plain.items()}
    assert torch.equal(
        MODEL.generate(ids, **plain, generator=seed().manual_seed(0)),
        MODEL.generate(ids, **numpy, generator=seed().manual_seed(0)),
    )


def test_the_result_has_the_dtype_of_the_prompt():
    for dtype in (torch.int32, torch.int64):
        assert MODEL.generate(PROMPTS[1][None].to(dtype), 3).dtype == dtype


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_models_of_other_precision_generate(dtype):
    model = random_model(std=0.3).to(dtype)
    ids, mask = left_padded(PROMPTS)
    found = model.generate(ids, 25, top_k=9, top_p=0.9, attention_mask=mask)
    assert found.shape == (4, 32)
    assert found.max() < V


def test_the_function_knows_no_class_but_what_it_calls():
    class Counting(torch.nn.Module):
        config = SMALL

        def forward(self, input_ids, attention_mask=None, cache=None):
            return {"logits": torch.nn.functional.one_hot((input_ids + 1) % V, V).float()}

    found = generate(Counting(), torch.tensor([[58]]), 4, temperature=0, use_cache=False)
    assert found.tolist() == [[58, 59, 60, 0, 1]]


IDS = random_ids(2, 5)
WRONG = {
    "ids None": ({"input_ids": None}, "input_ids is a NoneType"),
    "ids a list": ({"input_ids": [[1]]}, "input_ids is a list"),
    "ids in a row": ({"input_ids": IDS[0]}, r"input_ids has shape \(5,\).*\(B, T\)"),
    "no tokens": ({"input_ids": IDS[:, :0]}, r"shape \(2, 0\).*at least one"),
    "ids of floats": ({"input_ids": IDS.float()}, r"float32; convert it with .long\(\)"),
    "ids of bytes": ({"input_ids": IDS.byte()}, r"uint8; convert it with .long\(\)"),
    "id too high": ({"input_ids": IDS + V}, f"vocab_size - 1 = {V - 1}"),
    "ids elsewhere": ({"input_ids": IDS.to("meta")}, "input_ids is on the meta device"),
    "length -1": ({"max_new_tokens": -1}, "max_new_tokens=-1 must be an integer"),
    "length beyond memory": ({"max_new_tokens": 10**12}, "must be an integer from 0 to 16777216"),
    "length True": ({"max_new_tokens": True}, "max_new_tokens=True"),
    "length 2.0": ({"max_new_tokens": 2.0}, "max_new_tokens=2.0"),
    "length None": ({"max_new_tokens": None}, "max_new_tokens=None"),
    "temperature nan": ({"temperature": math.nan}, "temperature=nan"),
    "temperature -1": ({"temperature": -1}, "temperature=-1"),
    "temperature None": ({"temperature": None}, "temperature=None"),
    "top_k 0": ({"top_k": 0}, "top_k=0"),
    "top_k 2.5": ({"top_k": 2.5}, "top_k=2.5"),
    "top_p 0": ({"top_p": 0}, "top_p=0"),
    "top_p 90": ({"top_p": 90}, "top_p=90 must be a finite number > 0 and <= 1"),
    "eos too high": ({"eos_token_id": V}, f"eos_token_id={V} must be an integer from 0 to {V - 1}"),
    "eos -1": ({"eos_token_id": -1}, "eos_token_id=-1"),
    "eos 1.0": ({"eos_token_id": 1.0}, "eos_token_id=1.0"),
    "eos True": ({"eos_token_id": True}, "eos_token_id=True"),
    "eos a list": ({"eos_token_id": [1]}, r"eos_token_id=\[1\]"),
    "generator 1": ({"generator": 1}, "generator=1 must be a torch.Generator"),
    "cache a word": ({"use_cache": "no"}, "use_cache='no' must be True or False"),
    "mask a list": ({"attention_mask": [[1] * 5] * 2}, r"attention_mask is list; .* \(2, 5\)"),
    "mask too short": ({"attention_mask": IDS[:, 1:]}, r"\[2, 4\]\); it must be .*\(2, 5\)"),
    "mask of 2": ({"attention_mask": IDS * 0 + 2}, r"attention_mask holds \[2\]"),
    "mask of nan": ({"attention_mask": IDS * math.nan}, r"attention_mask holds \[nan"),
    "mask elsewhere": ({"attention_mask": IDS.to("meta")}, "attention_mask on meta"),
    "a hole": (
        {"attention_mask": torch.tensor([[0, 1, 1, 1, 1], [0, 1, 0, 1, 1]])},
        r"attention_mask: rows \[1\] have padding after a token; pad on the left only",
    ),
    "right padding": (
        {"attention_mask": torch.tensor([[1] * 5, [1, 1, 1, 1, 0]])},
        r"rows \[1\] have padding after a token; pad on the left only",
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_wrong_arguments_are_refused_with_what_they_are(wrong):
    changes, message = WRONG[wrong]
    refused(message, MODEL.generate, **{"input_ids": IDS, **changes})


@pytest.mark.parametrize("wrong", [None, "gpt2", torch.nn.Linear(2, 2), GPTLMHeadModel], ids=repr)
def test_what_is_no_language_model_is_refused(wrong):
    refused(f"model is a {type(wrong).__name__}; it must be a GPTLMHeadModel", generate, wrong, IDS)


def test_generation_within_evaluating_still_restores_the_outer_mode():
    model = random_model().train()
    with evaluating(model):
        model.generate(IDS, 2)
        assert not model.training
    assert model.training


@pytest.mark.parametrize("temperature", [0, 1.0])
def test_a_model_whose_scores_are_no_numbers_writes_nothing(temperature):
    model = random_model()
    torch.nn.init.constant_(model.transformer.ln_f.weight, math.nan)
    message = "a row of logits has the maximum nan"
    refused(message, generate, model, IDS, 2, temperature=temperature)


def test_a_model_of_shapes_only_writes_nothing():
    with torch.device("meta"):
        model = GPTLMHeadModel(SMALL)
    refused("model is on the meta device, without values", generate, model, IDS, 2)


def test_fractions_serve_as_settings():
    expected = MODEL.generate(IDS, 4, 0.25, top_p=0.5, generator=torch.Generator().manual_seed(0))
    given = {"temperature": Fraction(1, 4), "top_p": Fraction(1, 2)}
    found = MODEL.generate(IDS, 4, **given, generator=torch.Generator().manual_seed(0))
    assert torch.equal(found, expected)
