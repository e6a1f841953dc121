"""What the drawings of training say is true."""

import re

import numpy as np
import pytest
import torch
from matplotlib.patches import FancyBboxPatch
from matplotlib.text import Text

from gpt_helpers.config import GPTConfig
from gpt_helpers.figures.drawings import batching, holding, updates
from gpt_helpers.text.batches import Batches
from gpt_helpers.training.memory import SHARDED, state_bytes
from tests.helpers.looks import faults
from tests.helpers.reference import refused

WIDTHS = (7.5, 3.0)
STEP = {"loss": 6.9, "norm": 2.5, "gradient": -0.02, "weight": 0.03, "moments": [0.001, 1e-5],
        "step": 3, "lr": 1e-3}  # fmt: skip
LOSSES = [[1.0, 2.0, 3.0], [6.0], [2.0, 4.0], [0.5]]


def texts(figure):
    """Return the texts of a figure, from the top down and from the left to the right."""
    found = [text for text in figure.findobj(Text) if text.get_text()]
    found.sort(key=lambda text: (round(text.get_position()[1]), text.get_position()[0]))
    return [text.get_text() for text in found]


def areas(figure):
    """Return {colour: the area in square points that is filled with it}."""
    found = {}
    for patch in figure.findobj(FancyBboxPatch):
        colour, alpha = tuple(patch.get_facecolor()[:3]), patch.get_facecolor()[3]
        size = patch.get_width() * patch.get_height() if alpha else 0
        found[colour] = found.get(colour, 0) + size
    return found


@pytest.mark.parametrize("inches", WIDTHS)
@pytest.mark.parametrize("language", ["ja", "en"])
def test_no_text_of_a_drawing_lies_on_another_or_beyond_the_edge(language, inches):
    pieces = ["\n    ", "unusually", *"abcdefghijkl"]
    for drawn in (
        batching.windows(pieces, [[0, 1, 2, 3], [6, 7, 8, 9]]),
        batching.accumulation(LOSSES, 2),
        batching.accumulation([[1.0] * 40] * 2, 2),
        updates.training_step(**STEP),
        updates.training_step(**STEP | {"norm": 0.5, "lr": 1e-9, "weight": -12345.6}),
        holding.state_of_training(["float32", "mixed", "autocast"], 10**11),
        holding.shards(10**11, 8),
    ):
        for caption, figure in drawn.frames(language, inches):
            assert faults(figure) == [], caption


@pytest.mark.parametrize("inches", WIDTHS)
def test_a_window_is_what_batches_cut_and_a_label_is_the_next_token(inches):
    pieces = [f"t{n}" for n in range(20)]
    batch = Batches(torch.arange(20), batch_size=2, n_tokens=4)[0]
    found = texts(batching.windows(pieces, batch).figure("en", inches))
    rows = [[f"t{place}" for place in row] for row in batch.tolist()]
    chips = [text for text in found if text in pieces]
    assert sorted(chips) == sorted([*rows[0], *rows[1], *rows[0][:-1], *rows[0][1:]])
    above, below = ([text for text in found[found.index(name) :] if text in pieces][:3]
                    for name in ("inputs", "labels"))  # fmt: skip
    assert (above, below) == (rows[0][:-1], rows[0][1:])


def test_passes_add_up_to_the_mean_of_all_losses():
    frames = batching.accumulation(LOSSES, 2).frames("en")
    every = np.concatenate(LOSSES)
    assert [len(frames), frames[0][0]] == [
        3, "Pass 1 of 2: losses of sum 12.0 are divided by 7."
    ]  # fmt: skip
    first = texts(frames[0][1])
    assert first[first.index("so far") + 1] == f"{12 / 7:.3f}"
    last = texts(frames[-1][1])
    assert last[last.index("loss of the batch") + 1] == f"{every.mean():.3f}"
    assert last[last.index("mean of means") + 1] == f"{(12 / 4 + 6.5 / 3) / 2:.3f}"


@pytest.mark.parametrize("norm", [0.5, 2.5])
def test_a_step_moves_the_weight_as_pytorch_does(norm):
    weight = torch.tensor([STEP["weight"]], dtype=torch.float64, requires_grad=True)
    options = {"lr": STEP["lr"], "betas": (0.9, 0.95), "weight_decay": 0.1}
    optimizer = torch.optim.AdamW([weight], **options)
    moments = [torch.tensor([value], dtype=torch.float64) for value in STEP["moments"]]
    weight.grad = torch.tensor([STEP["gradient"] * min(1, 1 / norm)], dtype=torch.float64)
    optimizer.state[weight] = {"step": torch.tensor(2.0), "exp_avg": moments[0],
                               "exp_avg_sq": moments[1]}  # fmt: skip
    optimizer.step()
    found = " | ".join(texts(updates.training_step(**STEP | {"norm": norm}).figure("en")))
    assert f"→ {weight.item():.5g}" in found
    first = optimizer.state[weight]["exp_avg"].item()
    assert f"m = {updates.short(first)}" in found
    assert f"v = {updates.short(optimizer.state[weight]['exp_avg_sq'].item())}" in found
    assert ("× 1 / 2.5" in found) == (norm > 1)


def test_small_and_large_numbers_are_written_as_powers_of_ten():
    numbers = [0, 0.0215, -0.5, 1.25e-5, -3e12]
    assert [updates.short(n) for n in numbers] == [
        "0", "0.0215", "−0.5", "1.25 × 10⁻⁵", "−3 × 10¹²"
    ]  # fmt: skip


@pytest.mark.parametrize("precision", ["float32", "mixed", "autocast"])
def test_a_parameter_has_sixteen_cells(precision):
    drawn = holding.state_of_training([precision], 124_439_808)
    cells = [patch for patch in drawn.figure().findobj(FancyBboxPatch)
             if patch.get_linewidth() == 0.6]  # fmt: skip
    assert len(cells) == 16
    assert "16 bytes → 1.99 GB" in texts(drawn.figure())


@pytest.mark.parametrize("strategy", list(SHARDED))
def test_the_filled_area_is_in_proportion_to_the_bytes_that_are_kept(strategy):
    n_parameters, n_gpus = GPTConfig(n_layer=1).n_embd * 4000, 4
    found = texts(holding.shards(n_parameters, n_gpus, [strategy]).figure())
    key = areas(holding.shards(n_parameters, n_gpus, [strategy]).figure())
    everything = areas(holding.shards(n_parameters, n_gpus, ["ddp"]).figure())
    square = 10 * 10  # of the key
    for state, colour in holding.STATE_COLOURS.items():
        rgb = next(rgb for rgb in key if np.allclose(rgb, rgb_of(colour)))
        share = (key[rgb] - square) / (everything[rgb] - square)
        assert share == pytest.approx(1 / n_gpus if state in SHARDED[strategy] else 1)
    kept = sum(
        n_bytes * n_parameters / (n_gpus if state in SHARDED[strategy] else 1)
        for state, n_bytes in state_bytes("mixed").items()
    )
    assert holding.in_bytes(kept) + " per GPU" in found


def rgb_of(colour):
    """Return a colour such as #ff0000 as three shares."""
    return [int(part, 16) / 255 for part in re.findall("..", colour[1:])]


def test_what_cannot_be_drawn_is_refused():
    refused("places", batching.windows, ["a"] * 4, [[2, 3, 4]])
    refused("at most 60", batching.windows, ["a"] * 61, [[0, 1]])
    refused("n_passes=2", batching.accumulation, [[1.0]] * 3, 2)
    refused("n_gpus=9", holding.shards, 10, 9)
    refused("twice", holding.shards, 10, 4, ["ddp", "ddp"])
    refused("moments", updates.training_step, **STEP | {"moments": [0.1]})
