"""The n-gram model: counts, probabilities, logits and samples."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gpt_helpers.evaluation.ngrams import NGrams, counted, keys_of_runs
from tests.helpers.reference import refused

N_TOKENS = 7
TEXT = torch.tensor([0, 1, 2, 0, 1, 0, 1, 2])  # the counts below are taken by hand
ROWS = st.lists(st.lists(st.integers(0, N_TOKENS - 1), min_size=5, max_size=5), min_size=1)


def random_text(n_tokens=400, seed=0, vocab_size=N_TOKENS):
    """Return a row of tokens (n_tokens,) in which each is likely to repeat an earlier pair."""
    generator = torch.Generator().manual_seed(seed)
    steps = torch.randint(0, 3, (n_tokens,), generator=generator)
    return steps.cumsum(0) % vocab_size


def count_in(text, run):
    """Return how often a run of tokens occurs in a text, by looking everywhere."""
    text, run = text.tolist(), list(run)
    return sum(text[start : start + len(run)] == run for start in range(len(text) - len(run) + 1))


def probability_by_definition(text, context, token, vocab_size, strength):
    """Return the probability of token after context, by the formula, one count at a time."""
    probability = 1 / vocab_size
    for length in range(len(context) + 1):
        used = context[len(context) - length :]
        total = sum(count_in(text, [*used, other]) for other in range(vocab_size))
        seen = count_in(text, [*used, token])
        probability = (seen + strength * probability) / (total + strength)
    return probability


def test_a_run_is_a_number_in_base_v():
    assert keys_of_runs(torch.tensor([1, 2, 3, 4]), 3, 10).tolist() == [123, 234]
    assert keys_of_runs(torch.tensor([[5, 6], [7, 8]]), 1, 10).tolist() == [[5, 6], [7, 8]]
    keys, counts = counted(torch.tensor([34, 12, 34]))
    assert (keys.tolist(), counts.tolist()) == ([12, 34], [1, 2])


def test_runs_are_counted_as_by_hand():
    ngrams = NGrams(TEXT, 3, 3)
    assert ngrams.continuations(1, TEXT[None, :0]).tolist() == [[3, 3, 2]]
    contexts = torch.tensor([[0], [1], [2]])
    assert ngrams.continuations(2, contexts).tolist() == [[0, 3, 0], [1, 0, 2], [1, 0, 0]]
    contexts = torch.tensor([[0, 1], [1, 2], [2, 2]])
    assert ngrams.continuations(3, contexts).tolist() == [[1, 0, 2], [1, 0, 0], [0, 0, 0]]


def test_probabilities_are_those_of_the_formula_by_hand():
    unigram = NGrams(TEXT, 1, 3, strength=1.0)
    thirds = [(3 + 1 / 3) / 9, (3 + 1 / 3) / 9, (2 + 1 / 3) / 9]
    torch.testing.assert_close(unigram.logits(TEXT[None]).exp()[0].tolist(), thirds)
    bigram = NGrams(TEXT, 2, 3, strength=1.0)
    after_1 = [(1 + thirds[0]) / 4, thirds[1] / 4, (2 + thirds[2]) / 4]
    torch.testing.assert_close(bigram.logits(torch.tensor([[2, 1]])).exp()[0].tolist(), after_1)


@given(ROWS, st.integers(1, 4), st.sampled_from([0.01, 1.0, 30.0]))
def test_probabilities_are_those_of_the_definition_and_sum_to_1(rows, order, strength):
    text = random_text(60)
    ngrams, ids = NGrams(text, order, N_TOKENS, strength), torch.tensor(rows)
    logits = ngrams.logits(ids)
    torch.testing.assert_close(logits.exp().sum(1), torch.ones(len(rows), dtype=torch.float64))
    context = rows[0][len(rows[0]) - (order - 1) :]
    expected = [
        math.log(probability_by_definition(text, context, token, N_TOKENS, strength))
        for token in range(N_TOKENS)
    ]
    torch.testing.assert_close(logits[0].tolist(), expected)


def test_order_2_is_the_bigram_of_a_dense_matrix():
    text, strength = random_text(), 3.0
    pairs = torch.zeros(N_TOKENS, N_TOKENS, dtype=torch.float64)
    pairs.index_put_((text[:-1], text[1:]), torch.ones(len(text) - 1).double(), accumulate=True)
    single = (text.bincount(minlength=N_TOKENS) + strength / N_TOKENS) / (len(text) + strength)
    dense = (pairs + strength * single) / (pairs.sum(1, keepdim=True) + strength)
    ngrams = NGrams(text, 2, N_TOKENS, strength)
    torch.testing.assert_close(ngrams.logits(torch.arange(N_TOKENS)[:, None]), dense.log())
    torch.testing.assert_close(ngrams.probability_of(text), dense[text[:-1], text[1:]].log())


@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_the_score_of_a_token_is_its_logit_after_the_tokens_before_it(order):
    ngrams = NGrams(random_text(), order, N_TOKENS)
    windows = random_text(40, seed=1).view(4, 10)
    scores = ngrams.probability_of(windows)
    assert scores.shape == (4, 9)
    for end in range(1, windows.shape[1]):
        logits = ngrams.logits(windows[:, :end])
        expected = logits.gather(1, windows[:, end : end + 1])[:, 0]
        torch.testing.assert_close(scores[:, end - 1], expected)
    torch.testing.assert_close(ngrams.probability_of(windows[2]), scores[2])


def test_a_window_knows_nothing_of_the_one_beside_it():
    ngrams = NGrams(random_text(), 4, N_TOKENS)
    windows = random_text(40, seed=1).view(4, 10)
    changed = windows.clone()
    changed[1:] = 0
    assert torch.equal(ngrams.probability_of(windows)[0], ngrams.probability_of(changed)[0])


def test_a_higher_order_lowers_the_loss_on_the_text_it_has_counted():
    text = random_text(3000)
    losses = [
        -NGrams(text, order, N_TOKENS, strength=1.0).probability_of(text).mean().item()
        for order in range(1, 7)
    ]
    assert losses == sorted(losses, reverse=True)
    assert losses[0] == pytest.approx(math.log(N_TOKENS), abs=0.01)
    assert losses[1] < math.log(3) + 0.01


def test_what_was_never_counted_is_still_possible():
    ngrams = NGrams(torch.zeros(50, dtype=torch.int64), 3, 4)
    logits = ngrams.logits(torch.tensor([[0, 0], [3, 3]]))
    assert logits.isfinite().all()
    assert torch.equal(logits.argmax(1), torch.tensor([0, 0]))


def test_a_strong_prior_is_the_order_below():
    text, ids = random_text(), torch.tensor([[1, 2, 3]])
    strong, below = NGrams(text, 3, N_TOKENS, 1e12), NGrams(text, 2, N_TOKENS, 1e12)
    torch.testing.assert_close(strong.logits(ids), below.logits(ids))


def test_generation_appends_and_only_a_seed_decides_what():
    ngrams, ids = NGrams(random_text(), 3, N_TOKENS), torch.tensor([[0, 1], [2, 3], [4, 5]])

    def rows(seed, temperature=1.0):
        generator = torch.Generator().manual_seed(seed)
        return ngrams.generate(ids, 20, temperature, generator)

    before = torch.get_rng_state()
    assert rows(0).shape == (3, 22)
    assert torch.equal(rows(0)[:, :2], ids)
    assert torch.equal(rows(0), rows(0))
    assert not torch.equal(rows(0), rows(1))
    assert torch.equal(rows(0, 0), rows(1, 0))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(ngrams.generate(ids, 0), ids)


def test_greedy_generation_takes_the_likeliest_token_after_the_whole_context():
    text = torch.tensor([0, 1, 2, 3, 1, 4] * 20)
    ngrams = NGrams(text, 3, 5, strength=0.1)
    assert ngrams.generate(torch.tensor([[0]]), 11, 0)[0].tolist() == [0, 1, 2, 3, 1, 4] * 2


def test_samples_have_the_frequencies_of_the_text():
    ngrams = NGrams(random_text(3000), 2, N_TOKENS, strength=1.0)
    ids = torch.full((1000, 1), 3)
    rows = ngrams.generate(ids, 1, 1.0, torch.Generator().manual_seed(0))
    shares = rows[:, 1].bincount(minlength=N_TOKENS) / len(rows)
    torch.testing.assert_close(shares.double(), ngrams.logits(ids[:1]).exp()[0], atol=0.05, rtol=0)


def test_the_largest_keys_that_fit_are_counted_and_larger_ones_refused():
    text = torch.tensor([1023, 1023, 1023, 1023, 1023, 1023, 1023])
    assert NGrams(text, 6, 1024).continuations(6, text[None, :5])[0, 1023] == 2
    last = NGrams(torch.tensor([6] * 23), 22, 7)  # 7**22 is below 2**63, 7**23 is not
    assert last.continuations(22, torch.tensor([[6] * 21]))[0].tolist() == [0, 0, 0, 0, 0, 0, 2]
    refused(r"order=7 with vocab_size=1024 makes keys of 2\*\*63", NGrams, text, 7, 1024)
    refused(r"order=63 with vocab_size=2", NGrams, torch.ones(99).long(), 63, 2)


def test_int32_is_counted_as_int64():
    text = random_text()
    short, long = NGrams(text.int(), 5, N_TOKENS), NGrams(text, 5, N_TOKENS)
    assert torch.equal(short.probability_of(text.int()), long.probability_of(text))
    assert torch.equal(short.logits(text[None].int()), long.logits(text[None]))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1, 2], 1, 3), "tokens is a list; make it a tensor of integers"),
        ((TEXT.float(), 1, 3), "tokens has dtype torch.float32; convert it with .long"),
        ((TEXT > 0, 1, 3), "tokens has dtype torch.bool"),
        ((TEXT[None], 1, 3), r"tokens has shape \(1, 8\); it must be \(N,\)"),
        ((TEXT[:0], 1, 3), r"tokens has shape \(0,\).*at least one element"),
        ((TEXT, 1, 2), "tokens spans 0 to 2, but must lie in 0 to vocab_size - 1 = 1"),
        ((TEXT - 1, 1, 3), "tokens spans -1 to 1, but must lie in 0 to vocab_size - 1 = 2"),
        ((TEXT, 9, 3), "order=9 is more than the 8 tokens; give more text"),
        ((TEXT, 0, 3), "order=0 must be a positive integer"),
        ((TEXT, 2.0, 3), "order=2.0 must be a positive integer"),
        ((TEXT, True, 3), "order=True must be a positive integer"),
        ((TEXT, 1, 0), "vocab_size=0 must be a positive integer"),
        ((TEXT, 1, 3, 0), "strength=0 must be a finite number > 0"),
        ((TEXT, 10**30, 3), "order=1000000000000000000000000000000 must be an integer from 1"),
        ((TEXT, 1, 3, -1.0), "strength=-1.0"),
        ((TEXT, 1, 3, float("inf")), "strength=inf"),
        ((TEXT, 1, 3, "5"), "strength='5'"),
    ],
)
def test_counts_that_cannot_be_taken_are_refused(arguments, message):
    refused(message, NGrams, *arguments)


def test_ids_that_cannot_be_read_are_refused():
    ngrams = NGrams(TEXT, 2, 3)
    for name, method in {
        "windows": ngrams.probability_of,
        "ids": ngrams.logits,
        "ids ": lambda ids: ngrams.generate(ids, 1),
    }.items():
        name = name.strip()
        refused(f"{name} is a list", method, [[0]])
        refused(f"{name} has dtype torch.float32", method, torch.ones(1, 2))
        refused(
            f"{name} spans 0 to 3, but must lie in 0 to vocab_size - 1 = 2",
            method,
            torch.tensor([[0, 3]]),
        )
        refused(rf"{name} has shape \(1, 1, 1\)", method, TEXT[None, None, :1])
    refused(r"ids has shape \(8,\); it must be \(B, T\)", ngrams.logits, TEXT)
    for wrong in (-1, 2.0, True, None):
        message = f"max_new_tokens={wrong!r} must be an integer of at least 0"
        refused(message, ngrams.generate, TEXT[None], wrong)
    refused("temperature=-1", ngrams.generate, TEXT[None], 1, -1)
    refused("generator=3", ngrams.generate, TEXT[None], 1, 1.0, 3)
