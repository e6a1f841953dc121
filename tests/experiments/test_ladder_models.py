"""The rungs of the ladder: each is one change of another, and counted by hand."""

import dataclasses
import functools

import pytest
import torch
from torch.testing import assert_close

from gpt_helpers.architecture.attention import attention
from gpt_helpers.architecture.model import GPTMLP, GPTLMHeadModel
from gpt_helpers.config import GPTConfig
from gpt_helpers.experiments.ladder_models import (
    BESIDE,
    GPT2,
    LADDER,
    LLAMA,
    RUNGS,
    TIMED,
    WIDE,
    MLPWithoutBiases,
    UngatedModel,
    ladder_rungs,
    rungs_beside,
)
from gpt_helpers.experiments.small_run import BASE_RUN
from gpt_helpers.scaling_laws.counts import count_parameters
from gpt_helpers.training.runs import Run
from gpt_helpers.training.settings import TrainingSettings
from gpt_helpers.variants.llama import LlamaModel
from gpt_helpers.variants.mlps import SwiGLUMLP
from gpt_helpers.variants.rotary import rotary_angles, rotate
from gpt_helpers.variants.sizes import count_active, count_all

C, L, D, T = 96, 4, 32, 128
BIASES = L * (3 * C + C + 4 * C + C) + (2 * L + 1) * C  # of the projections, and of LayerNorms
# How many parameters a rung has more than the one that it is a change of.
ADDED = {
    "pre-LN": 2 * C,  # the final norm
    GPT2: 0,
    "RoPE": -T * C,
    "RMSNorm, no biases": -BIASES,
    LLAMA: 0,
    "post-LN, 3e-4": 0,
    "ReLU²": 0,
    "QK-norm": 2 * D * L,
    "GQA": -2 * C * (C - D) * L,
    "experts": (4 * C + 3 * C * 256) * L,  # routers, and as many weights again as there were
    "Muon": 0,
}
SMALL = GPTConfig(61, n_positions=16, n_embd=12, n_layer=2, n_head=2, dropout=0.0)
IDS = torch.randint(61, (2, 9), generator=torch.Generator().manual_seed(0))


SMALL_RUN = Run(SMALL, TrainingSettings(total_steps=4, warmup_steps=1), batch_size=2)
SMALL_RUNGS = ladder_rungs(SMALL_RUN) | rungs_beside(SMALL_RUN)


def built(rung, std=None, rungs=RUNGS):
    """Return the model of a rung; std perturbs everything, biases and gains too."""
    model = rungs[rung].run.new_model().eval()
    for parameter in model.parameters() if std else ():
        torch.nn.init.normal_(parameter, float(bool((parameter == 1).all())), std)
    return model


small = functools.partial(built, rungs=SMALL_RUNGS)


def logits(model, ids=IDS):
    """Return the logits of a model, without gradients."""
    with torch.no_grad():
        return model(ids)["logits"]


def with_weights_of(model, other):
    """Return the model with all weights of the other that have a name in it."""
    names = model.state_dict()
    weights = {name: value for name, value in other.state_dict().items() if name in names}
    model.load_state_dict(names | weights)
    return model


def test_every_rung_but_the_first_is_a_change_of_one_before_it_or_of_llama():
    assert [rung.on for rung in LADDER.values()] == [None, *list(LADDER)[:-1]]
    assert {rung.on for rung in BESIDE.values()} == {LLAMA, "post-LN"}
    assert list(LADDER)[-1] == LLAMA


@pytest.mark.parametrize("rung", ADDED)
def test_every_rung_has_the_parameters_that_its_change_adds(rung):
    added = count_all(built(rung)) - count_all(built(RUNGS[rung].on))
    assert added == ADDED[rung]


def test_the_rung_of_gpt2_is_the_base_run_of_the_ablations():
    assert RUNGS[GPT2].run is BASE_RUN
    assert count_all(built(GPT2)) == count_parameters(BASE_RUN.config)


def test_two_experts_of_a_token_are_as_large_as_the_mlp_of_llama():
    assert count_active(built("experts")) == count_all(built(LLAMA)) + L * 4 * C


@pytest.mark.parametrize("rung", TIMED)
def test_a_rung_differs_from_its_base_in_the_settings_or_in_the_model_not_in_both(rung):
    ours, base = RUNGS[rung].run, BASE_RUN
    below = RUNGS[RUNGS[rung].on].run if RUNGS[rung].on else ours
    assert (ours.batch_size, ours.bad_step, ours.initial_std) == (base.batch_size, None, None)
    if ours.settings != below.settings:
        assert dataclasses.replace(ours, settings=below.settings) == below


def test_without_residual_scaling_projections_into_the_stream_begin_as_large_as_others():
    stds = {
        rung: [
            parameter.std().item()
            for name, parameter in built(rung).named_parameters()
            if name.endswith("c_proj.weight")
        ]
        for rung in ("post-LN", "pre-LN", GPT2, LLAMA)
    }
    assert stds["post-LN"] == stds["pre-LN"] == pytest.approx([0.02] * 2 * L, rel=0.03)
    scaled = pytest.approx([0.02 / (2 * L) ** 0.5] * 2 * L, rel=0.03)
    assert stds[GPT2] == scaled
    assert stds[LLAMA] == scaled


@pytest.mark.parametrize("rung", TIMED)
def test_a_wide_start_multiplies_what_every_matrix_begins_with_and_changes_nothing_else(rung):
    ours, wide = RUNGS[rung], RUNGS[rung + WIDE]
    assert wide.on == (ours.on and ours.on + WIDE)
    assert dataclasses.replace(wide.run, initial_std=None) == ours.run
    if rung in ("pre-LN", GPT2):
        for (name, small), large in zip(
            built(rung).named_parameters(), built(rung + WIDE).parameters(), strict=True
        ):
            expected = 8**0.5 if small.ndim == 2 else 1  # GPT-2 is 8 times as wide
            assert large.norm().item() == pytest.approx(small.norm().item() * expected, rel=0.03), (
                name
            )


@pytest.mark.parametrize("rung", TIMED)
def test_the_head_of_every_rung_is_its_token_embedding(rung):
    model = small(rung)
    assert model.lm_head.weight is model.transformer.wte.weight


@pytest.mark.parametrize("rung", TIMED)
def test_changing_the_future_does_not_change_the_past_on_any_rung(rung):
    model, changed = small(rung, std=0.3), IDS.clone()
    changed[:, 5:] = (changed[:, 5:] + 1) % 61
    before, after = logits(model), logits(model, changed)
    assert_close(before[:, :5], after[:, :5], rtol=1e-4, atol=1e-5)
    assert (before[:, 5:] - after[:, 5:]).abs().amax() > 0.01


def test_rope_is_gpt2_without_a_table_whose_whole_queries_and_keys_are_turned():
    def turned(q, k, v, *others):
        rotation = rotary_angles(torch.arange(q.shape[2])[None], q.shape[3])
        return attention(rotate(q, rotation), rotate(k, rotation), v, *others)

    rope = small("RoPE", std=0.3)
    gpt2 = with_weights_of(GPTLMHeadModel(SMALL, attend=turned).eval(), rope)
    torch.nn.init.zeros_(gpt2.transformer.wpe.weight)
    assert_close(logits(rope), logits(gpt2))


def test_an_mlp_without_biases_is_one_whose_biases_are_zero():
    torch.manual_seed(0)
    whole, bare = GPTMLP(SMALL), MLPWithoutBiases(SMALL)
    for projection in (whole.c_fc, whole.c_proj):
        torch.nn.init.zeros_(projection.bias)
    with_weights_of(bare, whole)
    x = torch.randn(2, 3, 12)
    assert_close(bare(x), whole(x))
    assert [name for name, _ in bare.named_parameters()] == ["c_fc.weight", "c_proj.weight"]


def test_an_ungated_model_differs_from_llama_in_its_mlps_only():
    llama = small(LLAMA, std=0.3)
    assert type(llama.transformer) is LlamaModel
    gated = GPTLMHeadModel(llama.config, transformer=UngatedModel)
    for block in gated.transformer.h:
        block.mlp = SwiGLUMLP(llama.config)
    assert_close(logits(with_weights_of(gated, llama).eval()), logits(llama))


def test_squared_relu_takes_the_place_of_gelu_and_nothing_else():
    squared, ungated = small("ReLU²", std=0.3), small("RMSNorm, no biases")
    with_weights_of(ungated, squared)
    assert (logits(ungated) - logits(squared)).abs().max() > 0.01
    for block in ungated.transformer.h:
        block.mlp.activation = lambda x: x.clamp(min=0) ** 2
    assert_close(logits(ungated), logits(squared))
