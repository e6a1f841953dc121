"""Drawings of decoding: positions, the turn of a loop, and work that the model really does."""

import numpy as np
import pytest
import torch

from gpt_helpers.architecture import trace
from gpt_helpers.figures.drawings import decoding
from gpt_helpers.figures.style import BLUE
from tests.helpers.pictures import PHONE, said, unreadable
from tests.helpers.reference import SMALL, random_model, refused

ROWS = [["def", "␣get", "(", "self"], ["", "", "x", "y"]]
POSITIONS = np.array([[0, 1, 2, 3], [0, 0, 0, 1]])
VISIBLE = np.array([[0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 1, 0], [0, 0, 1, 1]])
FOLLOWING = {"):": 0.57, ",": 0.39, ")": 0.02}


def passed(n_prompt, n_new, use_cache):
    """Return how many positions a model computes in each pass of generating."""
    model = random_model(SMALL)
    with trace.recorded_outputs(model, "GPTModel") as passes:
        prompt = torch.zeros(1, n_prompt, dtype=torch.long)
        model.generate(prompt, n_new, temperature=0, use_cache=use_cache)
    return [hidden.shape[1] for hidden in passes]


def bars(figure, colour):
    """Return (left, top, width) of what is filled with a colour, in the order of drawing."""
    boxes = [
        patch.get_bbox() for patch in figure.axes[0].patches
        if hasattr(patch, "get_boxstyle") and patch.get_facecolor()[:3] == colour
    ]  # fmt: skip
    return [(box.x0, box.y0, box.width) for box in boxes]


def test_padding_has_no_position():
    texts = said(decoding.left_padding(ROWS, POSITIONS, VISIBLE))
    assert [one for one in texts if one in "0123"][:6] == ["0", "1", "2", "3", "0", "1"]
    assert texts.count("1") == 2 + VISIBLE.sum()
    assert texts.count("?") == 2


@pytest.mark.parametrize("chosen", FOLLOWING)
def test_the_chosen_token_is_appended(chosen):
    drawn = decoding.loop(["def", "␣get", "("], FOLLOWING, chosen)
    texts = said(drawn)
    assert texts[:4] == ["def", "␣get", "(", chosen]
    assert [one for one in texts if one.endswith("%")] == ["57%", "39%", "2%"]
    blue = tuple(int(BLUE[n : n + 2], 16) / 255 for n in (1, 3, 5))
    widths = [width for *_, width in bars(drawn.figure(), blue)]
    assert widths[-1] == pytest.approx(170 * FOLLOWING[chosen] / 0.57)


@pytest.mark.parametrize(("n_prompt", "n_new"), [(3, 12), (1, 1), (5, 2)])
def test_work_is_what_the_model_computes(n_prompt, n_new):
    drawn = decoding.work(n_prompt, n_new)
    blue = tuple(int(BLUE[n : n + 2], 16) / 255 for n in (1, 3, 5))
    filled = bars(drawn.figure(), blue)
    unit = filled[0][2] / n_prompt
    counts = [round(width / unit) for *_, width in filled]
    without, with_cache = passed(n_prompt, n_new, False), passed(n_prompt, n_new, True)
    assert counts == without + with_cache
    assert f"no cache: {sum(without)} positions" in said(drawn)
    assert f"cache: {sum(with_cache)} positions" in said(drawn)
    ends = [(left + width - filled[n_new][0]) / unit for left, _, width in filled[n_new:]]
    assert ends == pytest.approx([n_prompt + n for n in range(n_new)])


def test_the_page_counts_1375_positions_without_a_cache_and_52_with_one():
    texts = said(decoding.work(3, 50))
    assert texts == ["no cache: 1,375 positions", "cache: 52 positions"]


def test_the_cache_grows_by_what_the_model_computes():
    tokens = [*"abcdef"]
    drawn = decoding.cache_grows(SMALL, tokens, 2)
    each = 2 * SMALL.n_layer * SMALL.n_embd
    without, with_cache = passed(2, 4, False), passed(2, 4, True)
    frames = drawn.frames("en")
    assert len(frames) == len(with_cache) == 4
    for number, (caption, _) in enumerate(frames):
        assert caption.startswith(f"pass {number + 1}, ")
        assert caption.endswith(f": {with_cache[number]}")
        texts = said(drawn, number)
        assert f"no cache: {each * sum(without[: number + 1]):,} numbers" in texts
        assert f"cache: {each * sum(with_cache[: number + 1]):,} numbers" in texts
        assert texts[: 3 + number] == tokens[: 3 + number]


def test_decoding_can_be_read_everywhere():
    assert unreadable(decoding.left_padding(ROWS, POSITIONS, VISIBLE)) == []
    assert unreadable(decoding.loop(["def", "␣get", "(", "self"], FOLLOWING, ",")) == []
    assert unreadable(decoding.work(3, 50)) == []
    tokens = ["def", "␣set", "(", "self", ",", "␣name", ","]
    drawn = decoding.cache_grows(SMALL, tokens, 3)
    assert unreadable(drawn) == []
    assert said(drawn, inches=PHONE) == said(drawn)


def test_what_does_not_fit_is_refused():
    refused(r"positions has shape \(2, 3\)", decoding.left_padding, ROWS, POSITIONS[:, 1:], VISIBLE)
    refused(r"visible has shape \(3, 4\)", decoding.left_padding, ROWS, POSITIONS, VISIBLE[1:])
    refused(
        "must be rows of one length", decoding.left_padding, [["a"], ["a", "b"]], POSITIONS, VISIBLE
    )
    refused("chosen='x' is none of following", decoding.loop, ["a"], FOLLOWING, "x")
    refused("7 tokens are too many", decoding.loop, [*"abcdefg"], FOLLOWING, ",")
    refused("n_prompt=3 and 3 tokens", decoding.cache_grows, SMALL, [*"abc"], 3)
    refused("n_prompt=3 and 8 tokens", decoding.cache_grows, SMALL, [*"abcdefgh"], 3)
