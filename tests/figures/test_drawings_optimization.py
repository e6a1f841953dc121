"""What the drawings of attention in tiles, and of generation, say is true."""

import numpy as np
import pytest
import torch
from matplotlib.patches import FancyBboxPatch
from matplotlib.text import Text

from gpt_helpers.config import GPTConfig
from gpt_helpers.figures.drawings import drafting, machine, passes, serving, tiling
from gpt_helpers.figures.style import PINK, RED, TEAL
from gpt_helpers.optimization.tiled import attention_tiled
from tests.helpers.looks import faults
from tests.helpers.reference import refused

WIDTHS = (7.5, 3.0)
SIZES, BANDWIDTHS = {"SRAM": 2e7, "HBM": 8e10}, {"SRAM": 2e13, "HBM": 2e12}
P, Q = [0.4, 0.3, 0.2, 0.1], [0.1, 0.2, 0.3, 0.4]
ROUNDS = [
    {"drafted": ["li", "ke", " unusual"], "p": [0.017, 0.2, 0.5], "q": [0.022, 0.4, 0.5],
     "accepted": 1, "token": "m"},
    {"drafted": ["keys"], "p": [0.5], "q": [0.2], "accepted": 1, "token": "sum"},
]  # fmt: skip


def heads(n_tokens=8, width=4):
    """Return q, k and v (T, D) of a head, v with two numbers."""
    generator = torch.Generator().manual_seed(0)
    q, k, v = torch.randn(3, n_tokens, width, generator=generator, dtype=torch.float64)
    return q, k, v[:, :2]


def config(n_shared, n_heads=6):
    """Return a small config whose query heads share so many heads of keys."""
    sizes = {"vocab_size": 8, "n_positions": 4, "n_layer": 2, "n_embd": 4 * n_heads}
    return GPTConfig(**sizes, n_head=n_heads, n_kv_head=n_shared)


def texts(figure):
    """Return the texts of a figure in the order in which they were written."""
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def after(words, name, count=1):
    """Return the texts, count of them, that follow a name."""
    return words[words.index(name) + 1 :][:count]


@pytest.mark.parametrize("inches", WIDTHS)
@pytest.mark.parametrize("language", ["ja", "en"])
def test_no_text_of_a_drawing_lies_on_another_or_beyond_the_edge(language, inches):
    for drawn in (
        machine.memories(SIZES, BANDWIDTHS, {"fused": 3.4e7, "unfused": 3.15e8}),
        passes.softmax_in_turn([0.5, -1.25, 3, 0.25, 1, 2, -9.5, 0], [-2.5] * 8),
        tiling.tiles_in_turn(*heads(4)),
        serving.shared_heads({"MHA": config(6), "GQA": config(2), "MQA": config(1)}),
        serving.accepted_shares(P, Q),
        serving.accepted_shares([0.15] * 6, [0.15] * 6),
        drafting.drafts("def ", ROUNDS),
    ):
        for caption, figure in drawn.frames(language, inches):
            assert faults(figure) == [], caption


@pytest.mark.parametrize("inches", WIDTHS)
def test_an_arrow_is_as_wide_as_its_bandwidth_and_a_bar_as_long_as_its_bytes(inches):
    drawn = machine.memories(SIZES, BANDWIDTHS, {"unfused": 3e8, "fused": 1e8})
    figure = drawn.figure("en", inches)
    words = texts(figure)
    assert {"SRAM: 20 MB", "HBM: 80 GB", "20 TB/s", "2 TB/s", "300 MB", "100 MB"} <= {*words}
    shapes = figure.findobj(FancyBboxPatch)
    wide, narrow = (shape.get_width() for shape in shapes if shape.get_linewidth() == 0.5)
    assert wide / narrow == pytest.approx(10)
    long, short = (shape.get_width() for shape in shapes if shape.get_height() == 16)
    assert long / short == pytest.approx(3)


def test_the_last_state_is_softmax_times_values():
    generator = torch.Generator().manual_seed(1)
    scores, values = torch.randn(2, 7, generator=generator, dtype=torch.float64)
    words = texts(passes.softmax_in_turn(scores, values, block_size=2).figure())
    answer = (scores.softmax(0) @ values).item()
    assert words[-1] == f"o / ℓ = {tiling.number_of(answer)}"
    highest = [scores[:end].max() for end in (2, 4, 6, 7)]
    found = [words[n + 1] for n, text in enumerate(words) if text == "m"]
    assert found == [tiling.number_of(score) for score in highest]
    found = [words[n + 1] for n, text in enumerate(words) if text == "ℓ"]
    totals = [(scores[:end] - scores[:end].max()).exp().sum() for end in (2, 4, 6, 7)]
    assert found == [tiling.number_of(total) for total in totals]
    assert f"× {tiling.number_of((highest[0] - highest[1]).exp())}" in words


def test_tiles_are_read_in_turn_and_end_with_what_tiled_attention_returns():
    q, k, v = heads()
    frames = tiling.tiles_in_turn(q, k, v, block_size=2).frames("en")
    captions = [caption for caption, _ in frames]
    read = [(rows, columns) for rows in range(4) for columns in range(rows + 1)]
    expected = [
        f"Queries {2 * r}–{2 * r + 1} read keys {2 * c}–{2 * c + 1}." for r, c in read
    ]  # fmt: skip
    assert [caption[: len(start)] for caption, start in zip(captions, expected, strict=True)] == (
        expected
    )
    padded = torch.nn.functional.pad(v, (0, 2))
    answers = attention_tiled(*(part[None, None] for part in (q, k, padded)), block_size=2)[0, 0]
    for (row, column), (_, figure) in zip(read, frames, strict=True):
        words = texts(figure)
        assert ("o / ℓ" in words) == (row == column)
        if row == column:
            found = [words[n + 1] for n, text in enumerate(words) if text == "o / ℓ"]
            assert found == [
                "  ".join(map(tiling.number_of, answer[:2]))
                for answer in answers[2 * row : 2 * row + 2]
            ]


def test_the_state_on_the_way_is_that_of_the_keys_read_so_far():
    q, k, v = heads()
    words = texts(tiling.tiles_in_turn(q, k, v, block_size=2).frames("en")[7][1])  # row 3, tile 1
    scores = (q[6] @ k[:4].T) / 2
    here = words[words.index("query 6") :]
    assert after(here, "m") == [tiling.number_of(scores.max())]
    assert after(here, "ℓ") == [tiling.number_of((scores - scores.max()).exp().sum())]
    mixed = (scores - scores.max()).exp() @ v[:4]
    assert after(here, "o") == ["  ".join(map(tiling.number_of, mixed))]
    shrink = (scores[:2].max() - scores.max()).exp()
    assert after(here, "shrink by") == [tiling.number_of(shrink)]


@pytest.mark.parametrize("n_shared", [6, 3, 2, 1])
def test_each_query_head_is_joined_to_the_keys_that_it_reads(n_shared):
    figure = serving.shared_heads({"one": config(n_shared)}).figure()
    ends = [tuple(line.get_xydata()[-1]) for line in figure.axes[0].lines]
    assert len(ends) == 6
    assert len(set(ends)) == n_shared
    groups = [ends.index(end) for end in ends]
    assert groups == [head // (6 // n_shared) * (6 // n_shared) for head in range(6)]
    # two layers, keys and values of width 4, two bytes each
    assert f"{2 * 2 * n_shared * 4 * 2} bytes per token" in texts(figure)


def test_what_is_accepted_and_drawn_anew_adds_up_to_p():
    figure = serving.accepted_shares(P, Q).figure()
    heights = {}
    for patch in figure.findobj(FancyBboxPatch):
        if patch.get_width() > 11:  # not of the key
            place = int(patch.get_x() // (547 / 4))
            colour = next(each for each in (TEAL, RED, PINK) if same(patch, each))
            heights[place, colour] = patch.get_height()
    unit = 120 / 0.4
    for token, (p, q) in enumerate(zip(P, Q, strict=True)):
        anew, rejected = (heights.get((token, colour), 0) for colour in (PINK, RED))
        assert heights[token, TEAL] + anew == pytest.approx(p * unit)
        assert heights[token, TEAL] + rejected == pytest.approx(q * unit)
    assert "accepted in all: 0.60" in texts(figure)


def same(patch, colour):
    """Return whether a patch is outlined in a colour."""
    rgb = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    return np.allclose(patch.get_edgecolor()[:3], rgb)


@pytest.mark.parametrize("language", ["ja", "en"])
def test_a_draft_is_kept_up_to_the_first_rejected_token_and_code_is_not_translated(language):
    frames = drafting.drafts("def ", ROUNDS).frames(language)
    assert len(frames) == 4
    judged = texts(frames[1][1])
    assert judged.count("✓") == 1
    assert judged.count("✗") == 1
    assert f"{0.017 / 0.022:.2f}" in judged
    assert "0.50" in judged  # the chance of the second
    words = texts(frames[3][1])
    assert words[1:4] == ["def␣", "li", "m"]
    assert "keys" in words  # a token, and a word of words.csv
    assert "sum" in words


def test_what_cannot_be_drawn_is_refused():
    q, k, v = heads()
    refused("block_size=3", tiling.tiles_in_turn, q, k, v, 3)
    refused("q, k, v are", tiling.tiles_in_turn, q, k[:4], v)
    refused("values for", passes.softmax_in_turn, [1.0, 2.0], [1.0])
    refused("block_size=1", passes.softmax_in_turn, [1.0] * 5, [1.0] * 5, 1)
    refused("keys", machine.memories, SIZES, {"SRAM": 1e9}, {"a": 1.0})
    refused("n_head", serving.shared_heads, {"one": config(1, n_heads=13)})
    refused("one shape", serving.accepted_shares, [1.0], [0.5, 0.5])
    refused("accepted", drafting.drafts, "a", [ROUNDS[0] | {"accepted": 4}])
    refused("2 probabilities", drafting.drafts, "a", [ROUNDS[0] | {"drafted": ["a", "b"]}])
