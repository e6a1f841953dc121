"""Drawings of the residual stream: sums that come out, sizes as they are, one table twice."""

import pytest
import torch

from gpt_helpers.architecture import trace
from gpt_helpers.figures.drawings import stream, text
from gpt_helpers.figures.style import CONCEPTS
from gpt_helpers.weights import pretrained
from tests.figures.test_drawings_heads import numbers
from tests.helpers.pictures import PHONE, said, unreadable
from tests.helpers.reference import SMALL, refused

SIZES = [0.5 + n / 10 for n in range(7)]


def test_a_token_is_the_sum_of_two_rows_and_rounded_last():
    rows = torch.randn(2, SMALL.n_embd, generator=torch.manual_seed(0))
    rows[:, 0] = 0.004  # drawn as 0.00 and 0.00, and their sum as 0.01
    drawn = stream.lookup(SMALL, "a", 7, 2, rows)
    found = numbers(said(drawn))
    token, place, total = found[:10], found[10:20], found[20:]
    assert token == pytest.approx(rows[0, :10].tolist(), abs=0.0055)
    assert place == pytest.approx(rows[1, :10].tolist(), abs=0.0055)
    assert total[0] == 0.01
    assert total == pytest.approx(rows.sum(0)[:10].tolist(), abs=0.0051)
    assert {"wte (61, 24)", "wpe (20, 24)", "id 7", "2", "x_2"} <= set(said(drawn))
    assert numbers(said(drawn, inches=PHONE)) == [*token[:3], *place[:3], *total[:3]]


@pytest.mark.parametrize("inches", [7.5, PHONE])
def test_every_part_reads_the_bus_and_adds_its_size(inches):
    figure = stream.bus(SMALL, SIZES).figure("en", inches)
    axis = figure.axes[0]
    texts = [one.get_text() for one in axis.texts]
    assert [one for one in texts if one in ("attn", "mlp")] == ["attn", "mlp"] * SMALL.n_layer
    assert [float(one) for one in texts if one.replace(".", "").lstrip("+").isdigit()] == SIZES
    assert [one for one in texts if one.startswith("h.")] == ["h.0", "h.1", "h.2"]
    arrows = [patch for patch in axis.patches if hasattr(patch, "get_connectionstyle")]
    assert len(arrows) == 1 + 2 * 2 * SMALL.n_layer  # out of the bus and back, and out at the end


def test_sizes_of_a_real_pass_add_up_to_the_stream():
    model, tokenizer = pretrained.load_model()
    ids = torch.tensor([tokenizer.encode("def read(self,").ids])
    kinds = ("Dropout", "GPTAttention", "GPTMLP", "GPTBlock")
    found = {}
    for kind in kinds:
        with trace.recorded_outputs(model, kind) as found[kind], torch.no_grad():
            model(ids)
    added = found["Dropout"][0] + sum(found["GPTAttention"]) + sum(found["GPTMLP"])
    torch.testing.assert_close(added, found["GPTBlock"][-1])


def test_the_tied_head_shows_logits_and_probabilities():
    model, tokenizer = pretrained.load_model()
    ids = torch.tensor([tokenizer.encode("def read(self").ids])
    with torch.no_grad():
        logits = model(ids)["logits"][0, -1]
        hidden = model.transformer(ids)[0, -1]
    torch.testing.assert_close(logits, model.transformer.wte.weight @ hidden)
    following = text.likely_next(tokenizer, logits)
    drawn = stream.shared_table(model.config, "self", int(ids[0, -1]), following)
    texts = said(drawn)
    shown = [(token, f"{logit:.2f}", f"{share:.0%}") for token, (logit, share) in following.items()]
    assert [one for one in texts if one in following] == list(following)
    assert [one for one in texts if one.endswith("%")] == [share for *_, share in shown]
    assert numbers(texts) == [float(logit) for _, logit, _ in shown]
    assert {"wte (1024, 192)", "id 274", "h.0 … h.4, ln_f"} <= set(texts)
    bars = [patch for patch in drawn.figure().axes[0].patches
            if patch.get_facecolor()[3] == 0.6]  # fmt: skip
    widths = [bar.get_bbox().width for bar in bars]
    shares = [share for _, share in following.values()]
    assert [width / widths[0] for width in widths] == pytest.approx(
        [share / shares[0] for share in shares], rel=1e-3
    )
    assert CONCEPTS["wte"] != CONCEPTS["wpe"]


def test_the_stream_can_be_read_everywhere():
    rows = torch.full((2, SMALL.n_embd), -0.555)
    assert unreadable(stream.lookup(SMALL, "␣read", 60, 19, rows)) == []
    assert unreadable(stream.bus(pretrained.load_model()[0].config, [0.5] * 11)) == []
    following = {"␣self": (-12.345, 0.97), "b": (1.0, 0.02), "c": (0.5, 0.01)}
    assert unreadable(stream.shared_table(SMALL, "␣read", 60, following)) == []


def test_what_is_not_of_the_model_is_refused():
    rows = torch.ones(2, SMALL.n_embd)
    refused("token_id=61 must be below 61", stream.lookup, SMALL, "a", 61, 0, rows)
    refused("position=20 must be below 20", stream.lookup, SMALL, "a", 0, 20, rows)
    refused(r"rows has shape \(2, 23\)", stream.lookup, SMALL, "a", 0, 0, rows[:, 1:])
    refused("6 sizes for 3 layers", stream.bus, SMALL, SIZES[1:])
    refused("token_id=99 must be below 61", stream.shared_table, SMALL, "a", 99, {"b": (1.0, 0.5)})
    refused("probability of .*=1.5", stream.shared_table, SMALL, "a", 9, {"b": (1.0, 1.5)})
