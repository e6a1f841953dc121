"""Drawings of text show the tokens of the tokenizer, and the merges by which they come about."""

from itertools import pairwise

import pytest
import torch

from gpt_helpers.figures.drawings import text
from gpt_helpers.text.corpus import HUMAN_RIGHTS
from gpt_helpers.text.tokenizer import merges_of
from gpt_helpers.weights import pretrained
from tests.helpers.pictures import PHONE, said, unreadable
from tests.helpers.reference import refused

CODE = "def f(self):\n\treturn self\n"
JAPANESE = HUMAN_RIGHTS["ja"][:4]


@pytest.fixture(scope="module")
def tokenizer():
    """Return the tokenizer of the model that comes with the book."""
    return pretrained.load_model()[1]


def merged_by_hand(words, ranks):
    """Return [(rank, pieces)]: of all words, always the pair that was learned first is merged."""
    words, steps = [list(word) for word in words], []
    while True:
        known = [ranks[pair] for word in words for pair in pairwise(word)
                 if pair in ranks]  # fmt: skip
        if not known:
            return steps
        rank = min(known)
        for word in words:
            for place in range(len(word) - 1, 0, -1):
                if ranks.get(tuple(word[place - 1 : place + 1])) == rank:
                    word[place - 1 : place + 1] = ["".join(word[place - 1 : place + 1])]
        steps.append((rank, [piece for word in words for piece in word]))


@pytest.mark.parametrize("sample", [CODE, HUMAN_RIGHTS["de"], JAPANESE, "é🙂a", "self"])
def test_pieces_are_the_tokens_and_hold_every_byte_of_the_text(tokenizer, sample):
    found = text.pieces_of(tokenizer, sample)
    assert [piece.id for piece in found] == tokenizer.encode(sample).ids
    signs = {"␣": " ", "⏎": "\n", "⇥": "\t"}
    written = b"".join(
        bytes.fromhex(piece.written)
        if piece.part_of
        else "".join(signs.get(letter, letter) for letter in piece.written).encode()
        for piece in found
    )
    assert written == sample.encode()


def test_a_character_in_several_tokens_stands_above_them(tokenizer):
    row = text.pieces_of(tokenizer, JAPANESE)
    assert [piece.part_of for piece in row] == [letter for letter in JAPANESE for _ in range(3)]
    shown = said(text.tokens([row]))
    assert [one for one in shown if one in JAPANESE] == list(JAPANESE)
    assert [one for one in shown if one.isdigit() and len(one) == 3] == [str(p.id) for p in row]


@pytest.mark.parametrize(("sample", "words"), [
    ("return self", ("return", "Ġself")), ("import os", ("import", "Ġos")), ("banana", ("banana",)),
])  # fmt: skip
def test_merges_are_those_of_byte_pair_encoding_done_by_hand(tokenizer, sample, words):
    ranks = {tuple(pair): rank for rank, pair in enumerate(merges_of(tokenizer))}
    found = text.merges_in(tokenizer, sample)
    expected = merged_by_hand(words, ranks)
    assert [merge.rank for merge in found] == [rank for rank, _ in expected]
    signs = [[piece.replace("Ġ", "␣") for piece in pieces] for _, pieces in expected]
    assert [merge.pieces for merge in found] == signs
    assert all(tuple(merges_of(tokenizer)[m.rank]) == (m.left.replace("␣", "Ġ"), m.right)
               for m in found)  # fmt: skip


def test_each_step_shows_the_pieces_that_are_left(tokenizer):
    merges = text.merges_in(tokenizer, "return self")
    drawn = text.byte_pairs("return self", merges)
    captions = [caption for caption, _ in drawn.frames("en")]
    assert captions[0] == "11 bytes"
    assert captions[1] == f"merge {merges[0].rank + 1}: s + e, 10 tokens"
    assert len(captions) == 1 + len(merges)
    assert said(drawn, 0) == list("return␣self")
    for step, merge in enumerate(merges, start=1):
        assert said(drawn, step) == merge.pieces
    assert said(drawn) == [piece.written for piece in text.pieces_of(tokenizer, "return self")]


def test_the_pair_that_is_underlined_comes_next(tokenizer):
    merges = text.merges_in(tokenizer, "return self")
    frames = text.byte_pairs("return self", merges).frames("en")
    for (_, figure), merge in zip(frames, merges, strict=False):
        (line,) = figure.axes[0].lines
        left, right = line.get_xdata()
        under = [t.get_text() for t in figure.axes[0].texts if left < t.get_position()[0] < right]
        assert under == [merge.left, merge.right]
    assert not frames[-1][1].axes[0].lines


def test_likely_tokens_are_those_of_the_softmax(tokenizer):
    logits = torch.randn(1024, generator=torch.manual_seed(0))
    found = text.likely_next(tokenizer, logits, 3)
    order = logits.argsort(descending=True)[:3].tolist()
    assert list(found) == [text.as_token(tokenizer.decode([token])) for token in order]
    shares = (logits.exp() / logits.exp().sum())[order]
    torch.testing.assert_close(torch.tensor([p for _, p in found.values()]), shares)
    assert [logit for logit, _ in found.values()] == logits[order].tolist()


def test_text_can_be_read_everywhere(tokenizer):
    rows = [text.pieces_of(tokenizer, sample) for sample in (CODE * 2, HUMAN_RIGHTS["ja"])]
    assert unreadable(text.tokens(rows)) == []
    merges = text.merges_in(tokenizer, "return self")
    drawn = text.byte_pairs("return self", merges)
    assert unreadable(drawn) == []
    assert said(drawn, inches=PHONE) == said(drawn)


def test_what_the_merges_do_not_cut_is_refused(tokenizer):
    merges = text.merges_in(tokenizer, "return self")
    refused("text='return x' is not what the merges cut", text.byte_pairs, "return x", merges)
    refused("one byte a character", text.byte_pairs, "é", text.merges_in(tokenizer, "é"))
