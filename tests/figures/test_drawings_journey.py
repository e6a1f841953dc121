"""Ten steps of a token: what they write and draw is the journey, and each hands on to the next."""

import dataclasses
from itertools import pairwise

import numpy as np
import pytest
import torch

from gpt_helpers.architecture.journey import follow
from gpt_helpers.figures.drawings import ten_steps, text
from gpt_helpers.figures.drawings.vectors import OUTPUT, STRIP
from gpt_helpers.figures.style import PALETTE, soft
from gpt_helpers.weights import pretrained
from tests.figures.test_drawings_heads import numbers
from tests.helpers.pictures import PHONE, said_by_step, unreadable
from tests.helpers.reference import refused

LINE, HEAD = "def read(self", 3
N_DESK, N_PHONE = 7, 5  # numbers of a vector that have room


@pytest.fixture(scope="module")
def told():
    """Return what story is given for the shipped model."""
    model, tokenizer = pretrained.load_model()
    pieces = text.pieces_of(tokenizer, LINE)
    journey = follow(model, [piece.id for piece in pieces], HEAD, temperature=0.8)
    likely = list(text.likely_next(tokenizer, torch.tensor(journey.logits), 5))
    merges = text.merges_in(tokenizer, "self")
    return {"config": model.config, "line": LINE, "pieces": pieces, "merges": merges,
            "journey": journey, "likely": likely}  # fmt: skip


@pytest.fixture(scope="module")
def drawn(told):
    """Return the drawing of the shipped model."""
    return ten_steps.story(**told)


def written(values):
    """Return numbers as a picture writes them, as many as have room on a desk."""
    return [round(float(f"{value:.2f}"), 2) + 0.0 for value in values[:N_DESK]]


def rows_of(texts, length=N_DESK):
    """Return the rows of so many numbers that a picture writes one after the other."""
    found = numbers(texts)
    return [found[n : n + length] for n in range(len(found) - length + 1)]


def vectors_of(told):
    """Return for steps 2 to 9 the vectors whose first numbers must stand in the picture."""
    journey = told["journey"]
    x, mixed = np.array(journey.stream[0]), journey.joined[HEAD * 48 :]
    between = x + journey.attended
    return [
        [*journey.rows, x],
        [x, (x - x.mean()) / np.sqrt(x.var() + 1e-5), journey.normed],
        [journey.normed],
        [journey.q[-1]],
        [mixed[: N_DESK - 1], journey.attended, x, between],
        [between, journey.added, journey.stream[1]],
        [journey.stream[1], journey.stream[-1]],
        [journey.stream[-1], journey.final],
    ]


def test_the_first_numbers_of_each_vector_are_those_of_the_journey(told, drawn):
    for texts, vectors in zip(said_by_step(drawn)[1:9], vectors_of(told), strict=True):
        for vector in vectors:
            assert written(vector) in rows_of(texts, len(written(vector)))
    for texts, vectors in zip(said_by_step(drawn, PHONE)[1:9], vectors_of(told), strict=True):
        shown = written(vectors[-1])[:N_PHONE]
        assert shown in rows_of(texts, N_PHONE)


def test_what_stands_at_the_bottom_of_a_step_stands_at_the_top_of_the_next(told, drawn):
    figures = [figure for _, figure in drawn.frames()]
    assert len({tuple(figure.get_size_inches()) for figure in figures}) == 1
    ends = [(numbers_at(one, OUTPUT), numbers_at(other, 28))
            for one, other in pairwise(figures)]  # fmt: skip
    for number in (1, 2, 5, 6, 7, 8):  # a vector, or logits, go from step number + 1 to the next
        assert ends[number][0] == ends[number][1] != [], number
    query, weights = ends[3], ends[4]
    assert query[0][:2] == query[1][:2] == written(told["journey"].q[-1])[:2]
    assert weights[0] == written(told["journey"].weights[-1])
    assert weights[0][0] == weights[1][0]
    assert ends[7][0] == written(told["journey"].stream[-1])


def numbers_at(figure, y):
    """Return the numbers that a picture writes in the strip that begins y points below its top."""
    texts = [one for one in figure.axes[0].texts if y <= one.get_position()[1] <= y + STRIP]
    rows = {}
    for one in texts:
        rows.setdefault(round(one.get_position()[1]), []).append(one.get_text())
    found = [numbers(row) for row in rows.values()]
    return max(found, key=len)


def test_letters_bytes_merges_and_numbers_of_tokens(told, drawn):
    texts = said_by_step(drawn)[0]
    assert [one for one in texts if len(one) == 2 and one[0] in "2367"] == [
        f"{byte:02X}" for byte in LINE.encode()
    ]
    assert [one for one in texts if one.startswith("merge")] == ["merge 5", "merge 17", "merge 18"]
    assert [str(piece.id) for piece in told["pieces"]] == [one for one in texts if one in
                                                           {"316", "778", "8", "274"}]  # fmt: skip
    assert {"wte (1024, 192)", "wpe (256, 192)", "row 274", "row 3"} <= set(said_by_step(drawn)[1])


def test_scores_behind_the_mask_and_their_softmax(told, drawn):
    journey, texts = told["journey"], said_by_step(drawn)[4]
    scores = np.array(journey.q) @ np.array(journey.k).T / np.sqrt(48)
    seen = [score for row in range(4) for score in scores[row, : row + 1]]
    assert [round(score, 2) for score in seen] in rows_of(texts, 10)
    powers = np.exp(scores[-1])
    assert [round(share, 2) for share in powers / powers.sum()] in rows_of(texts, 4)


def skylines(figure):
    """Return the points (n, 2) of the skylines of a picture, in the order of drawing."""
    polygons = [patch for patch in figure.axes[0].patches if type(patch).__name__ == "Polygon"]
    return [patch.get_xy() for patch in polygons]


def heights(figure):
    """Return the heights of the skylines of a picture, in points, and how many points each has."""
    found = skylines(figure)
    return [float(np.ptp(points[:, 1])) for points in found], [len(points) for points in found]


def test_skylines_show_all_numbers_and_blocks_share_a_scale(told, drawn):
    figures, journey = [figure for _, figure in drawn.frames()], told["journey"]
    x, extra = journey.stream[0], 3  # the two ends of the line, and the point that closes it
    assert heights(figures[1])[1] == [192 + extra] * 3
    assert heights(figures[3])[1] == [192 + extra, *[48 + extra] * 3]
    assert 768 + extra in heights(figures[6])[1]
    assert heights(figures[8])[1] == [192 + extra, 192 + extra, 1024 + extra]
    points = skylines(figures[1])[2]
    ups = points[192, 1] - points[:192, 1]  # above the line, on which the last points lie
    np.testing.assert_allclose(ups / abs(ups).max(), np.divide(x, max(map(abs, x))), atol=1e-3)
    found, spans = heights(figures[7])[0], [np.ptp([*x, 0]) for x in journey.stream[1:]]
    assert [height / found[0] for height in found] == pytest.approx(
        [span / spans[0] for span in spans], rel=1e-3
    )
    lengths = [f"length {np.linalg.norm(x):.1f}" for x in journey.stream[1:]]
    assert [one for one in said_by_step(drawn)[7] if one.startswith("length")] == lengths


def test_bars_and_the_line_are_as_long_as_probabilities(told, drawn):
    journey, figure = told["journey"], drawn.figure()
    shares = list(journey.probabilities.values())[:5]
    blues = [soft(PALETTE[0], alpha) for alpha in ten_steps.OTHER]
    found = [patch for patch in figure.axes[0].patches if type(patch).__name__ == "FancyBboxPatch"]
    boxes = [patch.get_bbox() for patch in found if patch.get_facecolor() in blues]
    bars, parts = boxes[5:10], boxes[10:15]
    assert [bar.height / bars[0].height for bar in bars] == pytest.approx(
        [share / shares[0] for share in shares], rel=1e-3
    )
    length = figure.get_size_inches()[0] * 72 - 4
    assert [part.width / length for part in parts] == pytest.approx(shares, rel=1e-3)
    marker = next(line for line in figure.axes[0].lines if line.get_linewidth() == 1.6)
    place = (marker.get_xdata()[0] - 2) / length
    assert place == pytest.approx(journey.dice, abs=1e-3)
    assert 0 <= place <= shares[0]
    assert journey.chosen == next(iter(journey.probabilities))
    texts = said_by_step(drawn)[9]
    assert [one for one in texts if "%" in one] == [f"{share:.1%}" for share in shares]
    assert texts[-1] == told["likely"][0]
    assert [f"{journey.logits[token]:.2f}" for token in list(journey.probabilities)[:5]] == [
        one for one in texts if one.replace(".", "").isdigit()
    ]


def test_each_step_asks_answers_and_says_what_it_shows_with_numbers_of_the_journey(told, drawn):
    journey = told["journey"]
    norms = [f"{np.linalg.norm(x):.1f}" for x in journey.stream]
    above = sum(value > 0 for value in journey.hidden)
    share = f"{max(journey.weights[-1]):.0%}"
    wanted = [["13", "3", "4"], ["274", "192", "3"], [], ["48", "4", "0", "3"], ["√48", share],
              ["4", "192"], ["768", str(above), "192"], ["5", norms[0], norms[1], norms[-1]],
              ["1,024", f"{max(journey.logits):.2f}"], ["0.8", f"{journey.dice:.2f}"]]  # fmt: skip
    for words in ("en", "ja"):
        for (said, _), numbers_said in zip(drawn.frames(words), wanted, strict=True):
            asks, answer, alt = said.split("\n")
            assert asks.endswith("?" if words == "en" else "か")
            assert len(answer) > 60
            assert len(alt) > 30
            assert all(number in answer for number in numbers_said), answer


def test_the_steps_can_be_read(told, drawn):
    assert unreadable(drawn) == []
    other = dataclasses.replace(told["journey"], dice=0.999, temperature=3.0)
    token = list(other.probabilities)[4]
    low = sum(list(other.probabilities.values())[:4])
    other = dataclasses.replace(other, dice=low + other.probabilities[token] / 2)
    assert unreadable(ten_steps.story(**told | {"journey": other})) == []


def test_a_page_shows_them_as_a_story(drawn):
    assert drawn.layout == "story"


def test_what_does_not_belong_together_is_refused(told):
    def refuse(message, **changes):
        refused(message, ten_steps.story, **told | changes)

    refuse("line='def read', is not|line='def read' is not", line="def read")
    refuse("4 tokens|pieces=", pieces=told["pieces"][1:], line=" read(self")
    refuse("merges=", merges=told["merges"][:2])
    refuse("likely=", likely=told["likely"][:4])
    refuse("none of likely", journey=dataclasses.replace(told["journey"], dice=0.99999))
    refuse("layers", config=dataclasses.replace(told["config"], n_layer=7))
