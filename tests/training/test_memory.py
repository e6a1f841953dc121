"""Bytes in closed form, against the ZeRO paper, a ring of lists and what autograd saves."""

import dataclasses
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gpt_helpers.architecture.model import GPTLMHeadModel, next_token_loss
from gpt_helpers.config import ACTIVATION_NAMES, PRESETS, GPTConfig
from gpt_helpers.optimization.peak import saved_bytes
from gpt_helpers.scaling_laws.counts import count_parameters, parameters_by_module
from gpt_helpers.training.memory import (
    activation_bytes,
    communicated_bytes,
    share_of,
    state_bytes,
    training_bytes,
)
from tests.helpers.reference import SMALL, random_ids, refused

PRECISIONS = ("float32", "mixed", "autocast")
STRATEGIES = ("ddp", "zero1", "zero2", "fsdp")
COUNTS = st.integers(1, 10**12)
GPUS = st.integers(1, 2000)
CONFIGS = st.builds(
    lambda vocab, groups, width, layers, shared, inner, activation: GPTConfig(
        vocab, 20, groups * shared * width, layers, groups * shared, inner, groups, activation, 0.0
    ),
    *(st.integers(1, 9) for _ in range(4)),
    st.integers(1, 3),
    st.integers(1, 9) | st.none(),
    st.sampled_from(ACTIVATION_NAMES),
)


def gigabytes(n_parameters, strategy, n_gpus, precision="mixed"):
    """Return the gigabytes (1e9 bytes) of all states on one GPU."""
    return sum(training_bytes(n_parameters, strategy, n_gpus, precision).values()) / 1e9


def training_model(config):
    """Return a new model in training mode, without dropout."""
    torch.manual_seed(0)
    return GPTLMHeadModel(dataclasses.replace(config, dropout=0.0)).train()


# States of the parameters.


@pytest.mark.parametrize("precision", PRECISIONS)
def test_adam_keeps_16_bytes_per_parameter_in_every_precision(precision):
    assert sum(state_bytes(precision).values()) == 16


def test_mixed_precision_halves_weights_and_gradients_and_adds_a_master_copy():
    assert state_bytes("mixed") == {
        "weights": 2,
        "gradients": 2,
        "master weights": 4,
        "first moment": 4,
        "second moment": 4,
    }


@pytest.mark.parametrize("precision", ["float32", "autocast"])
def test_states_of_a_real_step_have_the_size_that_is_stated(precision):
    model = training_model(SMALL)
    optimizer = torch.optim.AdamW(model.parameters())
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == "autocast"):
        output = model(random_ids(2, 9), labels=random_ids(2, 9))
    assert (output["logits"].dtype == torch.bfloat16) == (precision == "autocast")
    output["loss"].backward()
    optimizer.step()
    weights = list(model.parameters())
    found = {
        "weights": weights,
        "gradients": [p.grad for p in weights],
        "first moment": [optimizer.state[p]["exp_avg"] for p in weights],
        "second moment": [optimizer.state[p]["exp_avg_sq"] for p in weights],
    }
    sizes = {name: sum(t.nbytes for t in tensors) for name, tensors in found.items()}
    expected = training_bytes(count_parameters(SMALL), "ddp", 1, precision)
    assert {**sizes, "master weights": 0} == expected


def test_the_figure_of_the_zero_paper_is_reproduced():
    found = [round(gigabytes(7_500_000_000, strategy, 64), 1) for strategy in STRATEGIES]
    assert found == [120.0, 31.4, 16.6, 1.9]


@pytest.mark.parametrize(
    ("billions", "strategy", "n_gpus", "published"),
    [
        (7.5, "fsdp", 4, 30),
        (7.5, "zero2", 16, 21.6),
        (7.5, "zero1", 64, 31.4),
        (128, "fsdp", 64, 32),
        (1000, "fsdp", 1024, 15.6),
    ],
)
def test_what_the_zero_paper_fits_into_32_gigabytes_is_reproduced(
    billions, strategy, n_gpus, published
):
    assert round(gigabytes(int(billions * 1e9), strategy, n_gpus), 1) == published


def test_training_gpt2_xl_takes_8_times_its_16_bit_weights():
    states = training_bytes(1_500_000_000, "ddp", 1)
    assert (sum(states.values()), states["weights"]) == (24e9, 3e9)
    assert gigabytes(count_parameters(PRESETS["gpt2-xl"]), "ddp", 1) == pytest.approx(24.92, 1e-3)


def test_gpt3_fits_on_no_gpu_without_sharing():
    n_parameters = count_parameters(PRESETS["gpt3"])
    assert n_parameters == pytest.approx(174.6e9, 1e-4)
    assert gigabytes(n_parameters, "zero2", 1024) > 349
    assert gigabytes(n_parameters, "fsdp", 1024) < 2.8


@given(COUNTS, GPUS, st.sampled_from(PRECISIONS))
def test_each_strategy_shares_what_the_one_before_shares_and_more(share, n_gpus, precision):
    optimizer = {"master weights", "first moment", "second moment"}
    shared = {
        "ddp": set(),
        "zero1": optimizer,
        "zero2": optimizer | {"gradients"},
        "fsdp": optimizer | {"gradients", "weights"},
    }
    for strategy in STRATEGIES:
        found = training_bytes(share * n_gpus, strategy, n_gpus, precision)
        assert found == {
            state: n_bytes * share * (1 if state in shared[strategy] else n_gpus)
            for state, n_bytes in state_bytes(precision).items()
        }


@given(COUNTS, st.sampled_from(STRATEGIES), st.sampled_from(PRECISIONS))
def test_one_gpu_has_nobody_to_share_with(count, strategy, precision):
    assert training_bytes(count, strategy, 1, precision) == training_bytes(
        count, "ddp", 1, precision
    )
    assert sum(communicated_bytes(count, strategy, 1, 2).values()) == 0


@given(COUNTS, GPUS)
def test_shares_cover_all_parameters_and_no_gpu_could_do_with_one_less(count, n_gpus):
    assert n_gpus * share_of(count, n_gpus) >= count
    assert n_gpus * (share_of(count, n_gpus) - 1) < count


# What the GPUs send.


def ring(values, n_collectives):
    """Sum the lists of all GPUs round a ring of lists; return them and the values each sent.

    values holds a list per GPU, as many chunks as GPUs. One collective leaves each GPU with
    one summed chunk (reduce-scatter), the second hands them round (all-gather).
    """
    n_gpus, sent = len(values), [0] * len(values)
    gpus = [list(map(list, chunks)) for chunks in values]
    for collective in range(n_collectives):
        for step in range(n_gpus - 1):
            messages = []
            for rank in range(n_gpus):
                index = (rank - step + collective) % n_gpus
                messages.append((index, list(gpus[rank][index])))
                sent[rank] += len(gpus[rank][index])
            for rank, (index, chunk) in enumerate(messages):
                mine = gpus[(rank + 1) % n_gpus]
                added = [a + b for a, b in zip(mine[index], chunk, strict=True)]
                mine[index] = chunk if collective else added
    return gpus, sent


@pytest.mark.parametrize("n_gpus", [1, 2, 3, 5])
def test_a_ring_of_lists_sends_what_the_formula_says(n_gpus):
    size = 4
    values = [
        [[100 * rank + 10 * chunk + n for n in range(size)] for chunk in range(n_gpus)]
        for rank in range(n_gpus)
    ]
    total = [
        [sum(v) for v in zip(*(values[rank][chunk] for rank in range(n_gpus)), strict=True)]
        for chunk in range(n_gpus)
    ]
    reduced, sent_once = ring(values, 1)
    assert [reduced[rank][(rank + 1) % n_gpus] for rank in range(n_gpus)] == [
        total[(rank + 1) % n_gpus] for rank in range(n_gpus)
    ]
    gathered, sent_twice = ring(values, 2)
    assert gathered == [total] * n_gpus
    ddp = communicated_bytes(n_gpus * size, "ddp", n_gpus, 1)
    fsdp = communicated_bytes(n_gpus * size, "fsdp", n_gpus, 1)
    assert set(sent_twice) == {ddp["all-reduce gradients"]}
    assert set(sent_once) == set(fsdp.values())


@given(COUNTS, GPUS, st.integers(1, 8))
def test_fsdp_sends_one_and_a_half_times_what_ddp_sends_and_zero_as_much(count, n_gpus, size):
    sent = {name: communicated_bytes(count, name, n_gpus, size) for name in STRATEGIES}
    total = {name: sum(parts.values()) for name, parts in sent.items()}
    assert 2 * total["fsdp"] == 3 * total["ddp"]
    assert total["zero1"] == total["zero2"] == total["ddp"]
    assert {name: len(parts) for name, parts in sent.items()} == {
        "ddp": 1,
        "zero1": 2,
        "zero2": 2,
        "fsdp": 3,
    }


def test_ddp_sends_nearly_twice_the_gradients():
    n_parameters = count_parameters(PRESETS["gpt2"])
    assert communicated_bytes(n_parameters, "ddp", 8, 4) == {
        "all-reduce gradients": 2 * 7 * n_parameters // 8 * 4
    }
    assert communicated_bytes(8, "fsdp", 4, 2) == {
        "all-gather weights, forward": 12,
        "all-gather weights, backward": 12,
        "reduce-scatter gradients": 12,
    }
    assert list(communicated_bytes(8, "zero1", 4, 2)) == [
        "reduce-scatter gradients",
        "all-gather weights, after the step",
    ]


# Activations.


def measured(config, batch_size, n_tokens):
    """Return the bytes that autograd keeps for one training step of a real model."""
    model = training_model(config)
    ids = random_ids(batch_size, n_tokens, config.vocab_size)
    return saved_bytes(lambda: model(ids, labels=ids), model.parameters())


@pytest.mark.parametrize("activation", ACTIVATION_NAMES)
@pytest.mark.parametrize(("batch_size", "n_tokens"), [(2, 5), (1, 20), (3, 2), (1, 2)])
def test_activations_are_exactly_what_autograd_saves(activation, batch_size, n_tokens):
    config = dataclasses.replace(SMALL, activation=activation)
    expected = sum(activation_bytes(config, batch_size, n_tokens).values())
    assert expected == measured(config, batch_size, n_tokens)


@settings(max_examples=40)
@given(CONFIGS, st.integers(1, 4), st.integers(2, 20))
def test_activations_of_any_config_are_exactly_what_autograd_saves(config, batch_size, n_tokens):
    expected = sum(activation_bytes(config, batch_size, n_tokens).values())
    assert expected == measured(config, batch_size, n_tokens)


def test_activations_of_a_preset_are_exactly_what_autograd_saves():
    found = activation_bytes(PRESETS["demo"], 4, 128)
    assert sum(found.values()) == measured(PRESETS["demo"], 4, 128)


@pytest.mark.parametrize("activation", ACTIVATION_NAMES)
def test_each_part_keeps_what_its_module_saves_alone(activation):
    config = dataclasses.replace(SMALL, activation=activation)
    model = training_model(config)
    stream = torch.randn(2, 9, config.n_embd, requires_grad=True)
    logits = torch.randn(2, 9, config.vocab_size, requires_grad=True)
    ids, block = random_ids(2, 9), model.transformer.h[0]
    calls = {
        "wte": (1, lambda: model.transformer.wte(ids)),
        "wpe": (1, lambda: model.transformer.wpe(torch.arange(9))),
        "h.ln_1": (3, lambda: block.ln_1(stream)),
        "h.attn": (3, lambda: block.attn(stream)),
        "h.ln_2": (3, lambda: block.ln_2(stream)),
        "h.mlp": (3, lambda: block.mlp(stream)),
        "ln_f": (1, lambda: model.transformer.ln_f(stream)),
        "lm_head": (1, lambda: model.lm_head(stream)),
        "loss": (1, lambda: next_token_loss(logits, ids)),
    }
    found = {n: times * saved_bytes(f, model.parameters()) for n, (times, f) in calls.items()}
    assert found == activation_bytes(config, 2, 9)
    assert list(found) == [*parameters_by_module(config), "lm_head", "loss"]


def test_a_layer_of_gpt2_keeps_16_streams_and_a_little_more():
    config = PRESETS["gpt2"]
    found = activation_bytes(config, 8, 1024)
    stream = 4 * 8 * 1024 * config.n_embd
    layers = sum(count for name, count in found.items() if name.startswith("h."))
    assert layers / config.n_layer / stream == pytest.approx(16, rel=0.002)
    assert layers / config.n_layer > 16 * stream


def test_activations_grow_with_tokens_and_not_with_their_square():
    short, long = (
        sum(activation_bytes(PRESETS["gpt2"], 8, n_tokens).values()) for n_tokens in (512, 1024)
    )
    assert long == pytest.approx(2 * short, rel=1e-3)


def test_activations_of_a_batch_of_gpt2_outweigh_its_states():
    config = PRESETS["gpt2"]
    states = sum(training_bytes(count_parameters(config), "ddp", 1, "float32").values())
    activations = [sum(activation_bytes(config, n, 1024).values()) for n in (2, 3)]
    assert activations[0] < states < activations[1]


# What is refused.


@pytest.mark.parametrize("wrong", ["fp32", "Mixed", None, 16, True, ["mixed"], {}], ids=repr)
def test_an_unknown_precision_is_refused_with_the_known_ones(wrong):
    message = r"precision=.* is unknown; use one of \('float32', 'mixed', 'autocast'\)"
    refused(message, state_bytes, wrong)
    refused(message, training_bytes, 8, "ddp", 2, wrong)


@pytest.mark.parametrize("wrong", ["zero3", "DDP", None, 3, True, ["ddp"], {}], ids=repr)
def test_an_unknown_strategy_is_refused_with_the_known_ones(wrong):
    message = r"strategy=.* is unknown; use one of \('ddp', 'zero1', 'zero2', 'fsdp'\)"
    refused(message, training_bytes, 8, wrong, 2)
    refused(message, communicated_bytes, 8, wrong, 2, 4)


@pytest.mark.parametrize("wrong", [0, -1, True, 2.0, "2", None, math.nan], ids=repr)
def test_a_count_that_is_no_positive_integer_is_refused(wrong):
    text = f"={wrong!r} must be a positive integer"
    refused("n_parameters" + text, training_bytes, wrong, "ddp", 2)
    refused("n_gpus" + text, training_bytes, 8, "ddp", wrong)
    refused("n_parameters" + text, communicated_bytes, wrong, "ddp", 2, 4)
    refused("n_gpus" + text, communicated_bytes, 8, "ddp", wrong, 4)
    refused("bytes_per_value" + text, communicated_bytes, 8, "ddp", 2, wrong)
    refused("batch_size" + text, activation_bytes, SMALL, wrong, 5)


@pytest.mark.parametrize("wrong", [0, 1, 21, True, 2.0, "2", None, math.nan], ids=repr)
def test_a_length_without_a_target_or_beyond_the_positions_is_refused(wrong):
    message = f"n_tokens={wrong!r} must be an integer from 2 to 20"
    refused(message, activation_bytes, SMALL, 2, wrong)


@pytest.mark.parametrize("wrong", [None, "gpt2", 124, {"n_embd": 768}], ids=repr)
def test_activations_of_what_is_no_config_are_refused(wrong):
    refused("config=.* must be a GPTConfig", activation_bytes, wrong, 2, 5)
