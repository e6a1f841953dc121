"""Patterns in code: what a text of them is, and the score of greedy writing by another route."""

import keyword

import numpy as np
import pytest
import torch

from gpt_helpers.architecture.generation import generate
from gpt_helpers.tasks import patterns
from gpt_helpers.weights.pretrained import load_model
from tests.helpers.reference import refused

ITEM = np.array([10, 0, 1, 2, 3, 4, 5, 6, 79])


@pytest.fixture(scope="module")
def shipped():
    return load_model()


def drawn(n_items=200, seed=0):
    return patterns.draw_lines(np.random.default_rng(seed), n_items)


def test_a_line_has_the_word_and_the_name_where_the_pattern_says():
    lines = patterns.Pattern("\n{x} =", " {c}({x})").lines(ITEM)
    assert lines[:2] == [("\ndefault =", " dezu(default)"), ("\nadd =", " dezu(add)")]
    assert len(lines) == 7


def test_a_prompt_ends_where_the_answer_belongs():
    pattern = patterns.PATTERNS["self.x = c"]
    text = "\n        self.default = dezu\n        self.add = dezu\n        self.all ="
    assert pattern.prompt(ITEM, 2) == text
    assert pattern.prompt(ITEM, 0) == "\n        self.default ="


def test_no_word_is_a_keyword_or_stands_twice_in_an_item():
    assert not any(map(keyword.iskeyword, patterns.WORDS))
    assert len(set(patterns.WORDS)) == len(patterns.WORDS)
    assert all(len(set(item[:7])) == 7 for item in drawn(2000))


def test_every_word_and_every_syllable_is_drawn():
    items = drawn(2000)
    assert set(items[:, :7].ravel()) == set(range(len(patterns.WORDS)))
    assert set(items[:, 7:].ravel()) == set(range(len(patterns.SYLLABLES)))


@pytest.mark.parametrize("pattern", patterns.PATTERNS.values(), ids=patterns.PATTERNS)
def test_two_different_items_never_give_the_same_text(pattern):
    items = np.unique(drawn(3000)[:, [0, 1, 2, 3, 4, 5, 6, 7, 8]], axis=0)
    key = items if "{c}" in pattern.answer else np.unique(items[:, :7], axis=0)
    padded = np.zeros((len(key), 9), dtype=int)
    padded[:, : key.shape[1]] = key
    texts = {pattern.prompt(item, 6) for item in padded}
    assert len(texts) == len(key)


@pytest.mark.parametrize("pattern", patterns.PATTERNS.values(), ids=patterns.PATTERNS)
def test_tokens_of_the_parts_are_the_tokens_of_the_whole_text(pattern, shipped):
    for item in drawn(30):
        ids, answers = patterns.row(pattern, item, shipped[1])
        text = "".join(map("".join, pattern.lines(item)))
        assert ids.tolist() == shipped[1].encode(text).ids
        for number, (_, answer) in enumerate(pattern.lines(item)):
            assert shipped[1].decode(ids[answers == number].tolist()) == answer


@pytest.mark.parametrize("name", ["x = c", "self.x = x"])
def test_the_score_is_that_of_writing_token_by_token(name, shipped):
    model, tokenizer = shipped
    pattern, items = patterns.PATTERNS[name], drawn(16, seed=7)
    right = dict.fromkeys((0, 1, 4), 0)
    for item in items:
        for k in right:
            prompt = torch.tensor([tokenizer.encode(pattern.prompt(item, k)).ids])
            answer = tokenizer.encode(pattern.lines(item)[k][1]).ids
            written = generate(model, prompt, len(answer) + 1, temperature=0)
            *found, end = written[0, prompt.shape[1] :].tolist()
            right[k] += found == answer and tokenizer.decode([end])[:1] == "\n"
    scores = patterns.pattern_scores(model, tokenizer, pattern, items, batch_size=7)
    assert {k: scores[k].right for k in right} == right
    assert sum(right.values()) > 2
    assert {score.n for score in scores.values()} == {16}


def test_an_answer_counts_only_if_all_of_it_is_right_and_then_it_ends():
    """Token 9 ends an answer; the answers are 5 6, and the last one is followed by nothing."""
    ids = torch.tensor([[1, 5, 6, 2, 5, 6]])
    answers = torch.tensor([[-1, 0, 0, -1, 1, 1]])
    ends = torch.arange(10) == 9
    for guesses, wanted in [
        ([5, 6, 9, 5, 6, 9], [True, True]),
        ([5, 6, 2, 5, 6, 9], [False, True]),
        ([5, 6, 9, 5, 6, 3], [True, False]),
        ([5, 3, 9, 5, 6, 9], [False, True]),
        ([3, 6, 9, 5, 6, 9], [False, True]),
        ([5, 6, 9, 4, 6, 9], [True, False]),
        ([5, 6, 9, 5, 9, 9], [True, False]),
    ]:
        model = Guesser(torch.tensor([guesses]))
        found = patterns.written_in_full(model, ids, answers, ends)[0, :2].tolist()
        assert found == wanted, guesses


class Guesser(torch.nn.Module):
    """A model whose likeliest next tokens are given."""

    def __init__(self, guesses):
        super().__init__()
        self.guesses = guesses

    def forward(self, ids):
        return {"logits": torch.nn.functional.one_hot(self.guesses, 10).float()}


def test_padding_beside_longer_texts_changes_no_score(shipped):
    pattern, items = patterns.PATTERNS["self.x = c"], drawn(20, seed=3)
    alone, together = (
        patterns.pattern_scores(*shipped, pattern, items, batch_size=size) for size in (1, 20)
    )
    assert alone == together


def test_a_word_or_a_syllable_that_is_not_there_is_refused(shipped):
    pattern = patterns.PATTERNS["x = c"]
    for bad in (ITEM[None] + 40, ITEM[None] - 1, ITEM[None, :8]):
        refused("^items", patterns.pattern_scores, *shipped, pattern, bad)
