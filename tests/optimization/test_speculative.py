"""Speculative decoding: the target's distribution, shown by chi-square tests, in fewer calls."""

import math
import re
import types

import pytest
import torch
from scipy import stats

from gpt_helpers.config import GPTConfig
from gpt_helpers.evaluation.ngrams import NGrams
from gpt_helpers.optimization import speculative
from gpt_helpers.optimization.speculative import (
    ModelDraft,
    accept_or_replace,
    expected_acceptance,
    expected_tokens_per_call,
    generate_speculatively,
    probabilities_of,
)
from tests.helpers.reference import random_model, refused

V = 5
N_PURE, N_WHOLE = 40_000, 1000
TINY = GPTConfig(V, n_positions=8, n_embd=8, n_layer=1, n_head=2, dropout=0.0)
SMALL = GPTConfig(61, n_positions=96, n_embd=24, n_layer=2, n_head=4, dropout=0.0)
PROMPT = torch.tensor([[3, 1]])


def generator_of(seed=0):
    """Return a generator with this seed."""
    return torch.Generator().manual_seed(seed)


def random_distributions(*shape, seed=0, scale=1.0):
    """Return random probabilities (*shape, V), float64."""
    noise = torch.randn(*shape, V, generator=generator_of(seed), dtype=torch.float64)
    return (scale * noise).softmax(-1)


def in_order(parts):
    """Return a pattern of texts that hold these parts, as they stand, one after the other."""
    return ".*".join(map(re.escape, parts))


def draw(probabilities, generator):
    """Return one token (N,) for each row of probabilities (N, V)."""
    return torch.multinomial(probabilities, 1, generator=generator)[:, 0]


def p_value(counts, probabilities):
    """Return the p-value of a chi-square test of counts against probabilities, both flat."""
    probabilities = probabilities.double()
    expected = probabilities / probabilities.sum() * counts.sum()
    assert expected.min() > 5  # below, chi-square is no good approximation
    return stats.chisquare(counts.numpy(), expected.numpy()).pvalue


# The rule, and two wrong ones that a person could write.


def accept_always(p, q, drafted, generator):
    """Keep every drafted token, and take one more from p."""
    n_accepted = torch.full_like(drafted[:, 0], drafted.shape[1]) if drafted.numel() else None
    if n_accepted is None:
        return accept_or_replace(p, q, drafted, generator)
    return n_accepted, draw(p[:, -1], generator)


def replace_from_target(p, q, drafted, generator):
    """Accept as one should, but draw the replacement from p."""
    n_accepted, _ = accept_or_replace(p, q, drafted, generator)
    return n_accepted, draw(p[torch.arange(len(p)), n_accepted], generator)


WRONG_RULES = pytest.mark.parametrize("rule", [accept_always, replace_from_target])


def two_tokens(rule, first, following, q_first, q_following, n_drafted):
    """Return counts (V, V) of the first two tokens of N_PURE texts, made by one rule.

    first (V,) and following (V, V) are the target's probabilities of a token, and of the next
    after it; q_first and q_following the draft's. Rejection of the first leaves the second to
    a call without a draft.
    """
    generator, row = generator_of(1), torch.arange(N_PURE)
    q = torch.stack([q_first.expand(N_PURE, V), torch.empty(N_PURE, V)], 1)
    drafted = torch.zeros(N_PURE, 2, dtype=torch.int64)
    drafted[:, 0] = draw(q[:, 0], generator)
    q[:, 1] = q_following[drafted[:, 0]]
    drafted[:, 1] = draw(q[:, 1], generator)
    p = torch.stack(
        [first.expand(N_PURE, V), following[drafted[:, 0]], following[drafted[:, 1]]], 1
    )
    drafted, q, p = drafted[:, :n_drafted], q[:, :n_drafted], p[:, : n_drafted + 1]
    n_accepted, token = rule(p, q, drafted, generator)
    text = torch.nn.functional.pad(drafted, (0, 1))
    text[row, n_accepted] = token
    alone = following[text[:, 0]][:, None]
    _, second = rule(alone, alone[:, :0], drafted[:, :0], generator)
    second = torch.where(n_accepted == 0, second, text[:, 1])
    return torch.bincount(text[:, 0] * V + second, minlength=V * V).view(V, V)


CHAIN = (
    random_distributions(seed=1),
    random_distributions(V, seed=2),
    random_distributions(seed=3),
    random_distributions(V, seed=4),
)


@pytest.mark.parametrize("n_drafted", [1, 2])
def test_the_first_and_the_second_token_are_distributed_as_the_target_says(n_drafted):
    counts = two_tokens(accept_or_replace, *CHAIN, n_drafted)
    first, following = CHAIN[:2]
    assert p_value(counts.sum(1), first) > 0.01
    assert p_value(counts.flatten(), (first[:, None] * following).flatten()) > 0.01


@WRONG_RULES
def test_a_wrong_rule_is_rejected_by_the_same_test(rule):
    counts = two_tokens(rule, *CHAIN, 2)
    first, following = CHAIN[:2]
    assert p_value(counts.sum(1), first) < 1e-9
    assert p_value(counts.flatten(), (first[:, None] * following).flatten()) < 1e-9


def judged(p, q, n_drafted, n_rows=N_PURE, seed=0):
    """Return (n_accepted, token) where every place has the distributions p and q (V,)."""
    generator = generator_of(seed)
    drafted = torch.multinomial(q.expand(n_rows, V), n_drafted, True, generator=generator)
    shape = (n_rows, n_drafted, V)
    p, q = p.expand(n_rows, n_drafted + 1, V), q.expand(shape)
    return *accept_or_replace(p, q, drafted, generator), drafted


@pytest.mark.parametrize("seed", range(3))
def test_the_share_accepted_is_the_closed_form(seed):
    p, q = random_distributions(2, seed=seed)
    expected = expected_acceptance(p, q).item()
    n_accepted, _, _ = judged(p, q, 1, seed=seed)
    interval = stats.binomtest(int(n_accepted.sum()), N_PURE).proportion_ci(0.999)
    assert interval.low < expected < interval.high
    assert interval.high - interval.low < 0.02


def test_each_number_of_accepted_tokens_is_as_likely_as_the_closed_form_says():
    p, q = random_distributions(2, seed=1)
    rate = expected_acceptance(p, q).item()
    n_accepted, _, _ = judged(p, q, 3)
    expected = torch.tensor([rate**n * (1 - rate) for n in range(3)] + [rate**3])
    assert p_value(torch.bincount(n_accepted, minlength=4), expected) > 0.01
    tokens = (n_accepted + 1.0).mean().item()
    assert tokens == pytest.approx(expected_tokens_per_call(rate, 3), rel=0.01)


def test_a_draft_equal_to_the_target_is_accepted_whole():
    p = random_distributions()
    n_accepted, token, _ = judged(p, p, 4)
    assert (n_accepted == 4).all()
    assert p_value(torch.bincount(token, minlength=V), p) > 0.01


def test_a_draft_that_shares_no_token_with_the_target_is_replaced_at_once():
    p, q = torch.tensor([0.3, 0.7, 0.0, 0.0, 0.0]), torch.tensor([0.0, 0.0, 0.5, 0.5, 0.0])
    n_accepted, token, _ = judged(p, q, 3)
    assert (n_accepted == 0).all()
    assert p_value(torch.bincount(token, minlength=V)[:2], p[:2]) > 0.01
    assert expected_acceptance(p, q) == 0


def test_a_replacement_is_a_token_of_which_the_draft_had_too_little():
    p, q = torch.tensor([0.5, 0.2, 0.2, 0.1, 0.0]), torch.tensor([0.1, 0.1, 0.3, 0.4, 0.1])
    n_accepted, token, drafted = judged(p, q, 1)
    replaced = n_accepted == 0
    counts = torch.bincount(token[replaced], minlength=V)
    assert counts[2:].sum() == 0
    assert p_value(counts[:2], torch.tensor([0.4, 0.1])) > 0.01
    assert (drafted[replaced, 0] >= 2).all()  # what q has too little of is always accepted
    assert expected_acceptance(p, q).item() == pytest.approx(0.1 + 0.1 + 0.2 + 0.1)


def test_rows_of_a_batch_are_judged_by_themselves():
    p = torch.eye(V)[None, :3].repeat(3, 1, 1)  # the target wants 0, 1, 2
    drafted = torch.tensor([[0, 1], [0, 4], [4, 1]])
    q = torch.nn.functional.one_hot(drafted, V).double()
    n_accepted, token = accept_or_replace(p, q, drafted)
    assert n_accepted.tolist() == [2, 1, 0]
    assert token.tolist() == [2, 1, 0]


def test_the_tokens_per_call_are_those_of_equation_1():
    assert expected_tokens_per_call(0, 4) == 1
    assert expected_tokens_per_call(1, 4) == 5
    assert expected_tokens_per_call(0.8, 4) == pytest.approx((1 - 0.8**5) / (1 - 0.8))


def test_acceptance_is_one_minus_half_the_difference_of_p_and_q():
    p, q = random_distributions(2, 3, 4, seed=5)
    expected = 1 - (p - q).abs().sum(-1) / 2
    torch.testing.assert_close(expected_acceptance(p, q), expected)
    torch.testing.assert_close(expected_acceptance(p, p), torch.ones_like(expected))


def test_two_shapes_of_probabilities_are_refused_and_not_broadcast():
    p = torch.full((2, V), 1 / V)
    for q in (p[0], p[None], p[:1], p[:0]):
        refused(r"p is \(2, 5\), q \(.*\); give both one shape", expected_acceptance, p, q)


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ((1.0, None, None), [0.5, 0.25, 0.15, 0.1]),
        ((0.5, 2, None), [0.8, 0.2, 0, 0]),
        ((1.0, None, 0.6), [2 / 3, 1 / 3, 0, 0]),
        ((1.0, 3, 0.8), [2 / 3, 1 / 3, 0, 0]),  # top-p sees what top-k has left
        ((0, None, None), [1, 0, 0, 0]),
    ],
)
def test_the_filters_give_the_probabilities_computed_by_hand(filters, expected):
    found = probabilities_of(torch.tensor([0.5, 0.25, 0.15, 0.1]).log(), *filters)
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64))


# Whole texts.


class Table:
    """A draft that knows only the last token."""

    def __init__(self, probabilities):
        """Remember the probabilities (V, V) of what follows each token."""
        self.scores = probabilities.log()

    def logits(self, ids):
        """Return the logits (1, V) after ids (1, T)."""
        return self.scores[ids[:, -1]]


MODEL = random_model(TINY, seed=3, std=0.8)
DRAFT = Table(random_distributions(V, seed=7, scale=1.5))


def exact_pairs(model, filters):
    """Return the probabilities (V, V) of the two tokens after PROMPT, by trying every first."""
    ids = torch.cat([PROMPT.expand(V, -1), torch.arange(V)[:, None]], 1)
    with torch.no_grad():
        logits = model(ids)["logits"]
    first, second = (
        probabilities_of(logits[:1, -2], *filters),
        probabilities_of(logits[:, -1], *filters),
    )
    return first[0][:, None] * second


def pairs_of(filters, n_texts=N_WHOLE, seed=0):
    """Return counts (V, V) of the two tokens after PROMPT, in whole texts of four more."""
    counts, generator = torch.zeros(V, V, dtype=torch.int64), generator_of(seed)
    for _ in range(n_texts):
        ids, _ = generate_speculatively(MODEL, DRAFT, PROMPT, 3, 2, *filters, generator=generator)
        counts[ids[0, 2], ids[0, 3]] += 1
    return counts


def p_value_of_texts(counts, exact):
    """Return the p-value of counts (V, V); pairs of probability 0 must not occur."""
    possible = exact > 0
    assert counts[~possible].sum() == 0
    rare = exact[possible] * counts.sum() < 6  # taken together
    counts, exact = counts[possible], exact[possible]
    if rare.any():
        counts = torch.cat([counts[~rare], counts[rare].sum()[None]])
        exact = torch.cat([exact[~rare], exact[rare].sum()[None]])
    return p_value(counts, exact)


@pytest.mark.parametrize("filters", [(1.0, None, None), (0.7, 4, 0.9)], ids=["plain", "filtered"])
def test_whole_texts_are_distributed_as_the_models_own(filters):
    assert p_value_of_texts(pairs_of(filters), exact_pairs(MODEL, filters)) > 0.01


@WRONG_RULES
def test_whole_texts_of_a_wrong_rule_are_rejected(rule, monkeypatch):
    monkeypatch.setattr(speculative, "accept_or_replace", types.SimpleNamespace(unchecked=rule))
    filters = (1.0, None, None)
    assert p_value_of_texts(pairs_of(filters, 800), exact_pairs(MODEL, filters)) < 1e-6


def large_model(seed=0):
    """Return a random model whose greedy text does not repeat one token."""
    return random_model(SMALL, seed=seed, std=0.3)


def poor_draft():
    """Return n-grams of a random text: right about a token only by chance."""
    text = torch.randint(61, (300,), generator=generator_of(2))
    return NGrams(text, 2, 61, strength=1.0)


@pytest.mark.parametrize("n_drafted", [1, 3, 8])
def test_greedy_text_is_the_models_own_whatever_the_draft(n_drafted):
    model, prompt = large_model(), torch.tensor([[5, 9, 31]])
    expected = model.generate(prompt, 64, temperature=0)
    assert len(expected.unique()) > 10
    half_right = random_model(SMALL, seed=0, std=0.3)
    half_right.transformer.h[1].mlp.c_proj.weight.data.mul_(0.5)
    for draft in (poor_draft(), ModelDraft(half_right)):
        ids, record = generate_speculatively(model, draft, prompt, 64, n_drafted, temperature=0)
        assert torch.equal(ids, expected)
        assert record.rejected > 3
    assert record.accepted > 10  # of the better draft


@pytest.mark.parametrize("temperature", [0, 1.0])
def test_the_model_as_its_own_draft_is_accepted_whole(temperature):
    model, prompt = large_model(), torch.tensor([[5, 9, 31]])
    settings = {"temperature": temperature, "generator": generator_of()}
    ids, record = generate_speculatively(model, ModelDraft(model), prompt, 60, 4, **settings)
    assert ids.shape == (1, 63)
    assert (record.target_calls, record.drafted, record.accepted) == (12, 48, 48)
    assert (record.acceptance, record.tokens_per_call) == (1.0, 5.0)


def test_the_record_counts_the_tokens_made_and_the_calls(monkeypatch):
    calls, forward = [], MODEL.forward

    def counted(ids, **settings):
        calls.append(ids.shape[1])
        return forward(ids, **settings)

    monkeypatch.setattr(MODEL, "forward", counted)
    for seed in range(20):
        calls.clear()
        generator = generator_of(seed)
        ids, record = generate_speculatively(MODEL, DRAFT, PROMPT, 6, 2, generator=generator)
        assert ids.shape == (1, 8)
        assert record.target_calls == len(calls)
        assert record.accepted + record.target_calls == 6
        assert record.tokens_per_call == 6 / len(calls)
        assert record.accepted + record.rejected <= record.drafted == sum(calls) - len(calls) - 1
        assert record.rejected <= record.target_calls


def test_the_share_accepted_in_texts_is_that_of_the_closed_form():
    accepted = judged_tokens = 0
    generator = generator_of(4)
    for _ in range(600):
        _, record = generate_speculatively(MODEL, DRAFT, PROMPT, 2, 1, generator=generator)
        assert record.drafted == 1  # the second token comes with the call
        accepted, judged_tokens = accepted + record.accepted, judged_tokens + record.drafted
    with torch.no_grad():
        p = MODEL(PROMPT)["logits"][0, -1].softmax(-1).double()
    expected = expected_acceptance(p, DRAFT.scores[PROMPT[0, -1]].exp()).item()
    interval = stats.binomtest(accepted, judged_tokens).proportion_ci(0.999)
    assert 0.05 < interval.low < expected < interval.high < 0.95


def test_a_seed_gives_the_same_text_and_another_seed_another():
    model, prompt = large_model(), torch.tensor([[5]])

    def text(seed):
        return generate_speculatively(
            model, poor_draft(), prompt, 20, generator=generator_of(seed)
        )[0]

    assert torch.equal(text(0), text(0))
    assert not torch.equal(text(0), text(1))


def test_a_model_as_draft_reads_only_what_is_new_and_forgets_what_was_dropped():
    model = large_model()
    draft = ModelDraft(model)
    a, b = torch.tensor([[1, 2, 3, 4]]), torch.tensor([[1, 2, 7]])
    for ids in (a, b, b, torch.tensor([[1, 2, 7, 8, 9, 10]]), torch.tensor([[4]])):
        with torch.no_grad():
            expected = model(ids)["logits"][:, -1]
        torch.testing.assert_close(draft.logits(ids), expected, atol=1e-4, rtol=1e-4)
        assert draft.read[1].length == ids.shape[1]


def test_the_mode_of_the_model_and_the_prompt_are_left_as_they_were():
    model, prompt = random_model(TINY).train(), PROMPT.clone()
    ids, _ = generate_speculatively(model, DRAFT, prompt, 4)
    assert model.training
    assert torch.equal(prompt, PROMPT)
    assert torch.equal(ids[:, :2], PROMPT)
    ids += 1  # no inference tensor is handed out


def test_no_tokens_are_no_call():
    ids, record = generate_speculatively(MODEL, DRAFT, PROMPT, 0)
    assert torch.equal(ids, PROMPT)
    assert (record.target_calls, record.drafted) == (0, 0)
    assert math.isnan(record.acceptance)
    assert math.isnan(record.tokens_per_call)


def test_a_draft_of_fewer_positions_reads_up_to_the_last_and_is_refused_before_it_begins():
    short = ModelDraft(random_model(MODEL.config, n_positions=5))
    assert generate_speculatively(MODEL, short, PROMPT, 5, 5)[0].shape == (1, 7)
    message = r"draft reads up to 6 tokens, but has n_positions=5; lower max_new_tokens"
    refused(message, generate_speculatively, MODEL, short, PROMPT, 6, 5)
    long = PROMPT.repeat(1, 3)
    assert generate_speculatively(MODEL, short, long, 1)[0].shape == (1, 7)


def test_a_text_may_fill_the_positions_and_no_more():
    assert generate_speculatively(MODEL, DRAFT, PROMPT, 6)[0].shape == (1, 8)
    message = r"2 \+ 7 tokens exceed n_positions=8; lower max_new_tokens"
    refused(message, generate_speculatively, MODEL, DRAFT, PROMPT, 7)


WITHOUT_NUMBERS = random_model(MODEL.config)
torch.nn.init.constant_(WITHOUT_NUMBERS.transformer.ln_f.weight, torch.nan)


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        ({"input_ids": PROMPT.repeat(2, 1)}, ("2 rows", "give one")),
        ({"input_ids": PROMPT[0]}, ("(B, T)",)),
        ({"model": "gpt"}, ("str", "GPTLMHeadModel")),
        ({"draft": "gpt"}, ("str", "logits(ids)")),
        ({"draft": Table(torch.ones(6, 6))}, ("(1, 6)", "(1, 5)")),
        ({"draft": Table(torch.full((5, 5), torch.nan))}, ("the maximum nan",)),
        ({"model": WITHOUT_NUMBERS}, ("the maximum nan",)),
        ({"model": WITHOUT_NUMBERS, "temperature": 0}, ("the maximum nan",)),
        ({"max_new_tokens": -1}, ("max_new_tokens=-1",)),
        ({"n_drafted": 0}, ("n_drafted=0",)),
        ({"n_drafted": 2.0}, ("n_drafted=2.0",)),
        ({"temperature": -1}, ("temperature=-1",)),
        ({"top_k": 0}, ("top_k=0",)),
        ({"top_p": 2}, ("top_p=2",)),
        ({"generator": 3}, ("generator=3",)),
    ],
)
def test_generation_refuses_what_it_cannot_do(change, parts):
    arguments = {"model": MODEL, "draft": DRAFT, "input_ids": PROMPT, "max_new_tokens": 3}
    refused(in_order(parts), generate_speculatively, **arguments | change)


P, Q, DRAFTED = random_distributions(2, 4), random_distributions(2, 3), torch.zeros(2, 3).long()


@pytest.mark.parametrize(
    ("p", "q", "drafted", "parts"),
    [
        (P[:, :3], Q, DRAFTED, ("(2, 3, 5)", "(B, K+1, V)")),
        (P[0], Q[0], DRAFTED, ("(4, 5)", "(B, K+1, V)")),
        (P, Q, DRAFTED[0], ("(3,)", "(B, K)")),
        (P[:1], Q, DRAFTED, ("(1, 4, 5)",)),
        (P, Q, DRAFTED[:, :2], ("(2, 2)",)),
        (P, Q, DRAFTED.float(), ("float32", ".long()")),
        (P, Q, DRAFTED + 5, ("outside 0 to 4",)),
        (P, Q, DRAFTED - 1, ("outside 0 to 4",)),
        (P, Q[..., :4] / Q[..., :4].sum(-1, keepdim=True), DRAFTED, ("'p': 5, 'q': 4",)),
        (P.log(), Q, DRAFTED, ("p holds", "softmax")),
        (P, 2 * Q, DRAFTED, ("q holds", "sum 2", "softmax")),
        (P, [1.0], DRAFTED, ("q is a list", "(..., V)")),
        (P, Q, [[0]], ("drafted is a list", "(B, K)")),
    ],
)
def test_the_rule_refuses_what_does_not_fit(p, q, drafted, parts):
    refused(in_order(parts), accept_or_replace, p, q, drafted)


@pytest.mark.parametrize(
    ("acceptance", "n"), [(-0.1, 2), (1.1, 2), (None, 2), (0.5, 0), (0.5, 1.5)]
)
def test_the_closed_form_refuses_what_is_no_probability_or_count(acceptance, n):
    refused("must be", expected_tokens_per_call, acceptance, n)
