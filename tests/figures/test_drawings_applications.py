"""The drawings of the page on applications say what the model, the task and the formula say."""

import numpy as np
import pytest
import torch
from matplotlib.patches import FancyBboxPatch
from matplotlib.text import Text

from gpt_helpers.figures.drawings import adapting, circuits
from gpt_helpers.tasks import sums
from gpt_helpers.training.lora import LowRankUpdate
from gpt_helpers.training.preferences import dpo_loss
from gpt_helpers.weights.pretrained import load_model
from tests.examples import figures_applications, figures_variants
from tests.helpers.looks import faults
from tests.helpers.reference import refused

DRAWN = [
    example
    for module in (figures_applications, figures_variants)
    for example in module.examples()
    if example.door.__name__ != "releases"
]
HALF = [" in", " base", "s", "[", "i"]
WEIGHTS, CHANCES = {(2, 2): 0.96, (4, 1): 0.92}, [0.17, 0.97]
DIGITS = [3, 8, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8]


def texts(figure):
    """Return the texts of a figure, in the order in which they were written."""
    return [text.get_text() for text in figure.findobj(Text) if text.get_text().strip()]


@pytest.mark.parametrize("example", DRAWN, ids=lambda example: example.door.__name__)
@pytest.mark.parametrize("inches", [7.5, 3.0])
@pytest.mark.parametrize("language", ["ja", "en"])
def test_no_text_lies_on_another_or_on_a_line_or_is_cut(example, inches, language):
    assert faults(example.door(**example.arguments).figure(language, inches)) == []


def attention_of(model, ids, layer, head):
    """Return the weights (T, T) of one head, computed from the outputs of c_attn."""
    found = []
    attn = model.transformer.h[layer].attn
    handle = attn.c_attn.register_forward_hook(lambda module, inputs, output: found.append(output))
    with torch.no_grad():
        model(ids)
    handle.remove()
    width = model.config.n_embd // model.config.n_head
    q, k, _ = found[0][0].chunk(3, dim=-1)
    q, k = (part[:, head * width : (head + 1) * width] for part in (q, k))
    hidden = torch.ones(len(q), len(q)).triu(1).bool()
    return (q @ k.T / width**0.5).masked_fill(hidden, -torch.inf).softmax(-1)


def test_the_two_heads_of_the_shipped_model_read_what_the_circuit_says():
    model, tokenizer = load_model()
    half = [tokenizer.token_to_id(token.replace(" ", "Ġ")) for token in HALF]
    ids = torch.tensor([half * 2])
    first, second = attention_of(model, ids, 2, 2), attention_of(model, ids, 4, 1)
    assert first[2, 1].item() == pytest.approx(WEIGHTS[2, 2], abs=0.005)
    assert second[6, 2].item() == pytest.approx(WEIGHTS[4, 1], abs=0.005)
    with torch.no_grad():
        chances = model(ids)["logits"].softmax(-1)[0, [1, 6], half[2]]
    assert chances.tolist() == pytest.approx(CHANCES, abs=0.005)


def test_a_circuit_notes_the_token_before_and_foresees_the_one_after():
    found = texts(circuits.induction_circuit(HALF * 2, 1, WEIGHTS, CHANCES).figure())
    assert {"after ␣base", "after ␣base?", "next: s", "17% before, 97% now"} <= set(found)
    assert {"layer 2, head 2", "reads the token before: 0.96"} <= set(found)
    assert {"layer 4, head 1", "reads what came after it: 0.92"} <= set(found)
    assert [found.count(token) for token in ("␣base", "s", "[")] == [2, 3, 2]


def test_a_circuit_needs_a_repetition_and_two_heads():
    draw = circuits.induction_circuit
    refused("the same once more", draw, [*HALF, *HALF[::-1]], 1, WEIGHTS, CHANCES)
    refused("at=4 must be at most 3", draw, HALF * 2, 4, WEIGHTS, CHANCES)
    refused("weights={.*two heads", draw, HALF * 2, 1, {(2, 2): 0.9}, CHANCES)
    refused(r"weights\[\(2, 2\)\]=1.5", draw, HALF * 2, 1, WEIGHTS | {(2, 2): 1.5}, CHANCES)
    refused("two probabilities", draw, HALF * 2, 1, WEIGHTS, [0.1])


@pytest.mark.parametrize("inches", [7.5, 3.0])
def test_the_written_sums_are_those_of_the_task(inches):
    found = texts(circuits.written_sums(DIGITS, [0.0972, 0.9973]).figure("en", inches))
    written = [int(text) for text in found if text.isdigit()]
    (running,) = sums.running_sums(np.array([DIGITS]))
    assert written == [*DIGITS, running[-1], *DIGITS, *running]
    assert {"9.7% right", "99.7% right", "12 digits in one pass"} <= set(found)


def test_only_digits_are_summed():
    refused(r"digits\[1\]=10", circuits.written_sums, [1, 10], [0.1, 0.9])
    refused("digits are 17", circuits.written_sums, [1] * 17, [0.1, 0.9])


@pytest.mark.parametrize("inches", [7.5, 3.0])
def test_a_low_rank_update_is_drawn_to_scale_with_its_counts(inches):
    update = LowRankUpdate(torch.zeros(192, 64), rank=8, alpha=8)
    figure = adapting.low_rank_update(192, 64, 8).figure("en", inches)
    trained = update.A.numel() + update.B.numel()
    assert f"8 × (192 + 64) = {trained:,}" in texts(figure)
    assert f"192 × 64 = {192 * 64:,}" in texts(figure)
    boxes = [patch for patch in figure.axes[0].patches if isinstance(patch, FancyBboxPatch)]
    shapes = [(box.get_height(), box.get_width()) for box in boxes]
    scale = shapes[0][0] / 192
    for shape, drawn in zip([(192, 64), update.B.shape, update.A.shape], shapes, strict=True):
        np.testing.assert_allclose(drawn, np.array(shape) * scale)
    refused("rank=65 is above 64", adapting.low_rank_update, 192, 64, 65)


@pytest.mark.parametrize("beta", [0.03, 0.1, 0.5])
def test_the_loss_of_a_pair_is_that_of_dpo(beta):
    before, after = [-0.91, -1.47], [-0.28, -5.24]
    loss = dpo_loss(torch.tensor([after]), torch.tensor([before]), beta).item()
    start = dpo_loss(torch.tensor([before]), torch.tensor([before]), beta).item()
    found = texts(adapting.preference_pair(before, after, beta).figure())
    assert f"loss −ln σ({beta} × 4.4) = {loss:.2f}" in found
    assert f"at the start −ln σ(0) = {start:.2f}" in found
    assert "gap grown by 0.6 − (−3.8) = 4.4" in found


def test_a_pair_moves_along_one_scale():
    before, after = [-1.0, -2.0], [-0.5, -4.0]
    axis = adapting.preference_pair(before, after, 0.1).figure().axes[0]
    centres = [patch.center[0] for patch in axis.patches if hasattr(patch, "center")]
    ticks = {text.get_text(): text.get_position()[0] for text in axis.texts}
    step = ticks["0"] - ticks["−1"]
    wanted = [ticks["0"] + nats * step for nats in (-1.0, -0.5, -2.0, -4.0)]
    assert centres == pytest.approx(wanted)
    refused("before=.*must be two numbers", adapting.preference_pair, [-1.0], after, 0.1)
    refused("log-probability in after", adapting.preference_pair, before, [0.5, -1.0], 0.1)
