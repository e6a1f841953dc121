"""The exercises accept right answers and say what is wrong with others."""

import math
import re

import pytest
import torch

from gpt_helpers.architecture.attention import attention
from gpt_helpers.evaluation.accuracy import wilson
from gpt_helpers.exercises.checks import (
    acceptance,
    beyond_guessing,
    bits_from_nats,
    clipped,
    divided_compute,
    induction_keys,
    inverse_root_schedule,
    lora_parameters,
    majority_vote,
    match_share,
    min_p_filter,
    tiled_attention,
    tokens_per_parameter,
    untied_parameters,
    window_mask,
    windowed_cache_bytes,
    worth_of_repeated,
)
from gpt_helpers.exercises.grading import PASSED
from gpt_helpers.optimization.speculative import expected_acceptance
from gpt_helpers.optimization.tiled import attention_tiled
from gpt_helpers.scaling_laws.counts import count_parameters


def right_mask(queries, keys, window):
    """Return the causal mask of the last window keys."""
    distance = queries[:, None] - keys
    return (distance >= 0) & (distance < window)


def right_filter(logits, min_p):
    """Return logits without the tokens below min_p times the highest probability."""
    probabilities = logits.softmax(-1)
    least = min_p * probabilities.amax(-1, keepdim=True)
    return logits.masked_fill(probabilities < least, -torch.inf)


def test_right_answers_pass():
    assert window_mask(right_mask) == PASSED
    assert untied_parameters(lambda c: count_parameters(c) + c.vocab_size * c.n_embd) == PASSED
    assert min_p_filter(right_filter) == PASSED


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (lambda queries, keys, window: None, "returned NoneType"),
        (lambda queries, keys, window: right_mask(queries, keys, window).int(), "torch.int32"),
        (lambda queries, keys, window: right_mask(queries, keys, window).T, "the shape is|keys"),
        (lambda queries, keys, window: right_mask(keys, keys, window), r"the shape is \(6, 6\)"),
        (lambda queries, keys, window: keys <= queries[:, None], "with window=1"),
        (lambda queries, keys, window: right_mask(queries, keys, window + 1), "with window=1"),
        (
            lambda queries, keys, window: (queries[:, None] - keys).abs() < window,
            "reads the future",
        ),
        (lambda queries, keys, window: keys[-1], "the values are torch.int64, not torch.bool"),
        (lambda: None, "TypeError"),
        (None, "TypeError"),
    ],
)
def test_a_wrong_window_is_told_what_is_wrong(function, reason):
    assert_told(window_mask(function), reason)


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (count_parameters, "124439808 where 163037184 is right"),
        (lambda config: count_parameters(config) + config.vocab_size, "where 163037184 is right"),
        (lambda config: config.nothing, "AttributeError"),
    ],
)
def test_a_wrong_count_is_told_the_right_one(function, reason):
    assert_told(untied_parameters(function), reason)


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (lambda logits, min_p: logits, "wrongly kept or dropped"),
        (lambda logits, min_p: right_filter(logits, min_p / 2), "wrongly kept or dropped"),
        (lambda logits, min_p: right_filter(logits, min_p) + 1, "a kept logit has changed"),
        (lambda logits, min_p: right_filter(logits, min_p)[0], r"the shape is \(9,\)"),
        (lambda logits, min_p: logits.tolist(), "returned list"),
        (lambda logits, min_p: 1 / 0, "ZeroDivisionError"),
    ],
)
def test_a_wrong_filter_is_told_what_is_wrong(function, reason):
    assert_told(min_p_filter(function), reason)


def assert_told(answer, reason):
    """Check that the answer is no pass and gives the reason."""
    assert answer.startswith("not yet: ")
    assert re.search(reason, answer)


def right_schedule(step, max_lr, warmup_steps):
    """Return the learning rate of the first Transformer, scaled to its highest."""
    return max_lr * min((step + 1) / warmup_steps, (warmup_steps / (step + 1)) ** 0.5)


def right_clipping(gradients, longest):
    """Return the gradients, shortened together."""
    length = float(sum((gradient**2).sum() for gradient in gradients) ** 0.5)
    return [gradient * min(1.0, longest / length) for gradient in gradients]


def test_right_answers_about_training_pass():
    assert inverse_root_schedule(right_schedule) == PASSED
    assert clipped(right_clipping) == PASSED
    assert bits_from_nats(lambda nats, t, b: nats * t / b / math.log(2)) == PASSED


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (lambda step, top, warmup: right_schedule(max(step, 1), top, warmup), "for step=0"),
        (lambda step, top, warmup: right_schedule(step + 1, top, warmup), "0.5 where 0.25"),
        (lambda step, top, warmup: top, "1.0 where 0.25 is right"),
        (lambda step, top, warmup: None, "TypeError"),
    ],
)
def test_a_wrong_schedule_is_told_what_is_wrong(function, reason):
    assert_told(inverse_root_schedule(function), reason)


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (lambda gradients, longest: gradients, "with length 5 and longest=1.0"),
        (lambda gradients, longest: right_clipping(gradients, 1.0), "longest=2.5"),
        (lambda g, longest: [right_clipping([x], longest)[0] for x in g], "longest=1.0"),
        (lambda gradients, longest: gradients[0], "returned Tensor, not a list"),
        (lambda gradients, longest: [], "returned 0 tensors for 2"),
    ],
)
def test_a_wrong_clipping_is_told_what_is_wrong(function, reason):
    assert_told(clipped(function), reason)


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (lambda nats, n_tokens, n_bytes: nats / math.log(2), "where 1.110 is right"),
        (lambda nats, n_tokens, n_bytes: nats * n_tokens / n_bytes, "where 1.000 is right"),
    ],
)
def test_wrong_bits_are_told_what_is_wrong(function, reason):
    assert_told(bits_from_nats(function), reason)


def right_ratio(flops, by_size, by_data, alpha, beta):
    """Return tokens per parameter at the optimum, from D = (C/6)^b / G and N = G (C/6)^a."""
    balance = (alpha * by_size / (beta * by_data)) ** (1 / (alpha + beta))
    return (flops / 6) ** ((alpha - beta) / (alpha + beta)) / balance**2


def right_worth(n_tokens, n_unique, decay):
    """Return what tokens are worth of which only n_unique are new."""
    again = max(n_tokens / n_unique - 1, 0)
    return min(n_tokens, n_unique) + n_unique * decay * (1 - math.exp(-again / decay))


def right_share(right, length):
    """Return the share of runs that are right."""
    runs = [all(right[i : i + length]) for i in range(len(right) - length + 1)]
    return sum(runs) / len(runs)


def test_right_answers_about_scaling_pass():
    assert tokens_per_parameter(right_ratio) == PASSED
    assert worth_of_repeated(right_worth) == PASSED
    assert match_share(right_share) == PASSED


@pytest.mark.parametrize(
    ("check", "function", "reason"),
    [
        (tokens_per_parameter, lambda *given: 20, "20 where .* is right, for flops=1e.18"),
        (
            tokens_per_parameter,
            lambda c, a, b, alpha, beta: right_ratio(6 * c, a, b, alpha, beta),
            "is right",
        ),
        (worth_of_repeated, lambda n, unique, decay: n, "400.0 where"),
        (worth_of_repeated, lambda n, unique, decay: min(n, unique), "100.0 where"),
        (
            worth_of_repeated,
            lambda n, u, r: right_worth(n, u, r) if n > u else u,
            "100.0 where 50 is right",
        ),
        (match_share, lambda right, n: (sum(right) / len(right)) ** n, "for length=2"),
        (match_share, lambda right, n: right_share(right, n) / 2, "for length=1"),
        (match_share, lambda right, n: None, "TypeError"),
    ],
)
def test_a_wrong_answer_about_scaling_is_told_what_is_wrong(check, function, reason):
    assert_told(check(function), reason)


def right_tiles(q, k, v, block_size):
    """Return causal attention, tile by tile."""
    return attention_tiled(q, k, v, block_size=block_size)


def tiles_without(q, k, v, block_size, rescaled=True, whole_tiles_only=False):
    """Return attention over tiles of keys by a reader who forgot something."""
    n_tokens = q.shape[2]
    n_read = n_tokens // block_size * block_size if whole_tiles_only else n_tokens
    highest, total, mixed = torch.full_like(q[..., :1], -1e30), 0.0, torch.zeros_like(q)
    queries = torch.arange(n_tokens)[:, None]
    for start in range(0, n_read, block_size):
        keys = torch.arange(start, min(start + block_size, n_read))
        scores = q @ k[:, :, keys].mT / q.shape[-1] ** 0.5
        scores = scores.masked_fill(keys > queries, -torch.inf)
        raised = highest.maximum(scores.amax(-1, keepdim=True))
        rescale = (highest - raised).exp() if rescaled else 1.0
        weights = (scores - raised).exp()
        total = total * rescale + weights.sum(-1, keepdim=True)
        mixed, highest = mixed * rescale + weights @ v[:, :, keys], raised
    return mixed / total


def right_cache_bytes(n_layer, n_groups, width, n_tokens, bytes_per_value, n_windowed, window):
    """Return the bytes of a cache of which n_windowed layers keep the last window tokens."""
    held = (n_layer - n_windowed) * n_tokens + n_windowed * min(n_tokens, window)
    return 2 * n_groups * width * bytes_per_value * held


def test_right_answers_about_optimization_pass():
    assert tiled_attention(right_tiles) == PASSED
    assert tiled_attention(tiles_without) == PASSED
    assert windowed_cache_bytes(right_cache_bytes) == PASSED
    assert acceptance(expected_acceptance) == PASSED
    assert acceptance(lambda p, q: 1 - (p - q).abs().sum() / 2) == PASSED


@pytest.mark.parametrize(
    ("check", "function", "reason"),
    [
        (
            tiled_attention,
            lambda q, k, v, n: attention(q, k, v)[0],
            r"\(2, 1, 8\), not \(1, 2, 1, 8",
        ),
        (tiled_attention, lambda q, k, v, n: None, "returned NoneType, not a tensor"),
        (tiled_attention, lambda q, k, v, n: attention(q, q, v), "and T=16 it is off by"),
        (tiled_attention, lambda q, k, v, n: (q @ k.mT).softmax(-1) @ v, "T=16 it is off by"),
        (
            tiled_attention,
            lambda q, k, v, n: tiles_without(q, k, v, n, rescaled=False),
            "T=40 it is off by",
        ),
        (
            tiled_attention,
            lambda q, k, v, n: tiles_without(q, k, v, n, whole_tiles_only=True),
            "T=1 it is off by|AttributeError|TypeError",
        ),
        (
            windowed_cache_bytes,
            lambda n, g, d, t, b, m, w: n * right_cache_bytes(1, g, d, t, b, 0, w),
            "115200 where 92160 is right, for .*n_windowed=2, window=70",
        ),
        (
            windowed_cache_bytes,
            lambda n, g, d, t, b, m, w: 2 * g * d * b * ((n - m) * t + m * w),
            "where 9216 is right, for .*n_tokens=8",
        ),
        (
            windowed_cache_bytes,
            lambda *sizes: right_cache_bytes(*sizes) // 2,
            "57600 where 115200 is right",
        ),
        (acceptance, lambda p, q: (p * q).sum(), "0.500 where 1.0 is right"),
        (acceptance, lambda p, q: torch.maximum(p, q).sum(), "2.000 where 0.0 is right"),
        (acceptance, lambda p, q: (p >= q).float().mean(), "where 0.0 is right, for p="),
        (acceptance, lambda p, q: torch.minimum(p, q), "RuntimeError|ValueError"),
    ],
)
def test_a_wrong_answer_about_optimization_is_told_what_is_wrong(check, function, reason):
    assert_told(check(function), reason)


def right_keys(ids):
    """Return where the token before a key is the query's own, and the key is not in the future."""
    marked = torch.zeros(*ids.shape, ids.shape[1], dtype=torch.bool)
    for row, query, key in marked.logical_not().nonzero().tolist():
        marked[row, query, key] = 0 < key <= query and bool(ids[row, key - 1] == ids[row, query])
    return marked


def right_vote(answers):
    """Return the most frequent answer, of equals the smallest."""
    return max(sorted(answers), key=answers.count)


def right_updates(config, rank):
    """Return what low-rank updates of the four matrices of each block train."""
    return rank * config.n_layer * (8 * config.n_embd + 2 * config.mlp_width)


def test_right_answers_about_applications_pass():
    assert induction_keys(right_keys) == PASSED
    assert majority_vote(right_vote) == PASSED
    assert lora_parameters(right_updates) == PASSED


@pytest.mark.parametrize(
    ("check", "function", "reason"),
    [
        (induction_keys, lambda ids: None, "returned NoneType, not a tensor"),
        (induction_keys, lambda ids: right_keys(ids)[0], r"\(2, 2\), not \(2, 2, 2\)"),
        (induction_keys, lambda ids: right_keys(ids).float(), "the values are torch.float32"),
        (induction_keys, lambda ids: right_keys(ids).mT, r"row, query and key \[\["),
        (induction_keys, lambda ids: (ids[:, :, None] == ids[:, None]).tril(), "are wrong, for"),
        (induction_keys, lambda ids: (ids[:, :, None] == ids.roll(1, 1)[:, None]).tril(), "wrong"),
        (induction_keys, lambda ids: right_keys(ids).tril(-1), "are wrong, for ids="),
        (majority_vote, lambda answers: answers[0], "3 where 5 is right"),
        (majority_vote, lambda answers: max(answers, key=answers.count), "9 where 2 is right"),
        (majority_vote, lambda answers: sorted(answers)[len(answers) // 2], "9 where 2|4 where 3"),
        (majority_vote, lambda answers: min(answers), "3 where 5 is right"),
        (
            lora_parameters,
            lambda c, rank: 2 * right_updates(c, rank),
            "where .* is right, for rank",
        ),
        (
            lora_parameters,
            lambda c, rank: rank * c.n_layer * 16 * c.n_embd,
            "where 116 is right, for rank=1, C=6, F=5, L=2",
        ),
        (lora_parameters, lambda c, rank: right_updates(c, 4), "where 116 is right"),
        (
            lora_parameters,
            lambda c, rank: right_updates(c, rank) // c.n_layer,
            "is right, for rank",
        ),
    ],
)
def test_a_wrong_answer_about_applications_is_told_what_is_wrong(check, function, reason):
    assert_told(check(function), reason)


def test_right_answers_of_the_summary_pass():
    assert divided_compute(lambda c, a: (c**a, c ** (1 - a))) == PASSED
    assert beyond_guessing(lambda right, n, chance: wilson(right, n)[0] > chance) == PASSED


def above_by_deviations(right, n, chance):
    """Return whether share - 1.96 deviations is above chance: the interval that Wilson mends."""
    share = right / n
    return share - 1.96 * (share * (1 - share) / n) ** 0.5 > chance


@pytest.mark.parametrize(
    ("check", "function", "reason"),
    [
        (divided_compute, lambda c, a: (c * a, c * (1 - a)), "compute_growth=100, exponent=0.5"),
        (divided_compute, lambda c, a: (c ** (1 - a), c**a), "exponent=0.73"),
        (divided_compute, lambda c, a: [c**a], "is right"),
        (divided_compute, lambda c, a: c**a, "TypeError"),
        (beyond_guessing, lambda right, n, chance: right / n > chance, "7 right of 10"),
        (beyond_guessing, above_by_deviations, "6 right of 24"),
        (beyond_guessing, lambda right, n, chance: wilson(right, n)[1] > chance, "7 right of 10"),
        (beyond_guessing, lambda right, n, chance: None, "None where True is right"),
    ],
)
def test_wrong_answers_of_the_summary_are_told_what_is_wrong(check, function, reason):
    assert_told(check(function), reason)
