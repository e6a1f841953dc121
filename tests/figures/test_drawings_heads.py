"""Drawings of heads show the numbers of a traced pass, computed here by PyTorch's own attention."""

import re
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from gpt_helpers.architecture import trace
from gpt_helpers.config import PRESETS
from gpt_helpers.figures.drawings import heads, one_head
from gpt_helpers.weights import pretrained
from tests.helpers.pictures import PHONE, said, unreadable
from tests.helpers.reference import SMALL, random_model, refused

TOKENS = ["a", "b", "c", "d", "e"]
IDS = [3, 1, 4, 1, 5]


def numbers(texts):
    """Return the texts that are numbers of two decimals, as floats."""
    found = [text.replace("−", "-") for text in texts]
    return [float(text) for text in found if re.fullmatch(r"-?\d+\.\d\d", text)]


@pytest.fixture(scope="module")
def model():
    """Return a small model whose weights are far from 0, so that heads differ."""
    return random_model(SMALL, std=0.5)


@pytest.mark.parametrize(("layer", "head"), [(0, 0), (1, 3), (2, 2)])
def test_a_traced_head_reads_with_the_weights_of_the_model(model, layer, head):
    found = one_head.head_of(model, IDS, layer, head)
    with trace.recorded_attention(model) as maps, torch.no_grad():
        model(torch.tensor([IDS]))
    q, k, v = (torch.tensor(getattr(found, name)) for name in "qkv")
    scores = torch.tensor(found.scores).masked_fill(~torch.ones(5, 5).tril().bool(), -torch.inf)
    torch.testing.assert_close(scores.softmax(-1).float(), maps[layer][0, head])
    read = F.scaled_dot_product_attention(q[None], k[None], v[None], is_causal=True)[0]
    torch.testing.assert_close(maps[layer][0, head] @ v, read)


def test_a_head_is_made_of_the_normalised_vector_by_its_columns_of_c_attn(model):
    found = one_head.head_of(model, IDS, 1, 2)
    layer = model.transformer.h[1].attn.c_attn
    width, start = SMALL.head_width, 2 * SMALL.head_width
    for place, name in enumerate("qkv"):
        columns = slice(place * SMALL.n_embd + start, place * SMALL.n_embd + start + width)
        made = layer.weight[columns] @ torch.tensor(found.x) + layer.bias[columns]
        torch.testing.assert_close(made.detach(), torch.tensor(getattr(found, name)[-1]))


def test_the_table_of_a_token_can_be_followed_by_hand(model):
    head = one_head.head_of(model, IDS, 1, 3)
    q, k, v = (torch.tensor(getattr(head, name), dtype=torch.float64) for name in "qkv")
    mixed = F.scaled_dot_product_attention(q[None], k[None], v[None], is_causal=True)[0, -1, :3]
    scores = (q[-1] @ k.T / SMALL.head_width**0.5).numpy()
    powers = np.exp(scores - scores.max())
    rows = [[score, power, power / powers.sum(), *value]
            for score, power, value in zip(scores, powers, v[:, :3].tolist(), strict=True)]  # fmt: skip
    expected = [number for row in rows for number in row] + [powers.sum(), 1.0, *mixed.tolist()]
    drawn = one_head.one_token(TOKENS, head)
    assert numbers(said(drawn)) == pytest.approx(expected, abs=0.00501)
    assert "x (24)" in said(drawn)
    assert {"q (6)", "k (6)", "v (6)"} <= set(said(drawn))
    on_phone = [row[:5] for row in rows]
    expected = [number for row in on_phone for number in row] + [
        powers.sum(),
        1.0,
        *mixed[:2].tolist(),
    ]
    assert numbers(said(drawn, inches=PHONE)) == pytest.approx(expected, abs=0.00501)


def test_rows_become_weights_one_after_the_other(model):
    scores = np.array(one_head.head_of(model, IDS, 0, 1).scores)
    weights = torch.tensor(scores).masked_fill(~torch.ones(5, 5).tril().bool(), -torch.inf)
    weights = weights.softmax(-1).numpy()
    drawn = one_head.row_by_row(TOKENS, scores)
    assert len(drawn.frames()) == 2 + 5
    assert numbers(said(drawn, 0)) == pytest.approx(scores.ravel(), abs=0.00501)
    lower = np.tri(5, dtype=bool)
    assert numbers(said(drawn, 1)) == pytest.approx(scores[lower], abs=0.00501)
    for row in range(5):
        powers = np.exp(scores[row, : row + 1] - scores[row, : row + 1].max())
        done = lower & (np.arange(5)[:, None] <= row)
        expected = [*scores[lower], *weights[done], *powers]
        assert numbers(said(drawn, 2 + row)) == pytest.approx(expected, abs=0.00501)
        assert f"sum {powers.sum():.2f}" in said(drawn, 2 + row)


def test_heads_share_the_columns_evenly():
    drawn = heads.split_and_join(PRESETS["demo"], 7)
    texts = said(drawn)
    assert [text for text in texts if text.startswith("head")] == [f"head {n}" for n in range(4)]
    assert texts.count("(7, 32)") == 4
    assert {"x (7, 128)", "Q (7, 128)", "K (7, 128)", "V (7, 128)", "(7, 128)"} <= set(texts)


def test_heads_can_be_read_everywhere():
    shipped, tokenizer = pretrained.load_model()
    ids = tokenizer.encode("def read(self,").ids
    head = one_head.head_of(shipped, ids, 2, 2)
    tokens = ["def", "␣read", "(", "self", ","]
    assert unreadable(one_head.one_token(tokens, head)) == []
    assert unreadable(one_head.row_by_row(tokens, head.scores)) == []
    assert unreadable(heads.split_and_join(PRESETS["demo"], 5)) == []


def test_what_does_not_fit_is_refused(model):
    head = one_head.head_of(model, IDS, 0, 0)
    refused("4 tokens for 5 of head; give as many", one_head.one_token, TOKENS[:4], head)
    refused("5 tokens for 4 of scores", one_head.row_by_row, TOKENS, np.ones((5, 4)))
    refused(
        "7 tokens for 7 of scores; .* 6 at most", one_head.row_by_row, [*"abcdefg"], np.ones((7, 7))
    )
    refused(r"layer=3 must be an integer from 0 to 2", one_head.head_of, model, IDS, 3, 0)
    refused(r"head=4 must be an integer from 0 to 3", one_head.head_of, model, IDS, 0, 4)
    refused("q, k and v have shapes", one_head.Head, [1.0], [[1.0]], [[1.0]], [[1.0, 2.0]])
    shared = replace(PRESETS["demo"], n_kv_head=2)
    refused("must have at most 4 heads, with keys each", heads.split_and_join, shared, 5)
    refused("at most 4 heads", heads.split_and_join, PRESETS["gpt2"], 5)
