"""From scores to a token: the filters by hand, by property, and beside Hugging Face's."""

import math
import re

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from gpt_helpers.architecture import inputs
from gpt_helpers.architecture.modules import evaluating
from gpt_helpers.architecture.sampling import (
    apply_temperature,
    cut,
    sample,
    top_k_filter,
    top_p_filter,
)
from tests.helpers.reference import refused

ROWS = 1000
BY_HAND = torch.tensor([0.1, 0.4, 0.2, 0.3]).log()
FINITE = st.floats(-20, 20, width=32)
LOGITS = st.lists(st.lists(FINITE, min_size=7, max_size=7), min_size=1, max_size=3).map(
    torch.tensor
)
TIED = st.lists(st.integers(-2, 2), min_size=1, max_size=9).map(
    lambda row: torch.tensor(row).float()
)


def kept(logits):
    """Return the ids that are left in one row of logits."""
    return logits.isfinite().nonzero()[:, 0].tolist()


def ranked(logits):
    """Return ids from the highest logit down, equal ones by id."""
    return sorted(range(len(logits)), key=lambda token: (-logits[token].item(), token))


def random_rows(seed=0, ties=False):
    """Return 1000 rows of 50 random logits in double precision; with ties, of few values."""
    rows = 3 * torch.randn(ROWS, 50, generator=torch.Generator().manual_seed(seed)).double()
    return (rows / 2).round() if ties else rows


@pytest.mark.parametrize(("k", "ids"), [(1, [1]), (2, [1, 3]), (3, [1, 2, 3]), (4, [0, 1, 2, 3])])
def test_top_k_of_four_tokens_by_hand(k, ids):
    assert kept(top_k_filter(BY_HAND, k)) == ids


@pytest.mark.parametrize(
    ("p", "ids"),
    [
        (0.01, [1]),
        (0.39, [1]),
        (0.41, [1, 3]),
        (0.69, [1, 3]),
        (0.71, [1, 2, 3]),
        (0.91, [0, 1, 2, 3]),
    ],
)
def test_top_p_of_four_tokens_by_hand(p, ids):
    assert kept(top_p_filter(BY_HAND, p)) == ids


def test_a_mass_that_is_reached_exactly_is_enough():
    logits = torch.zeros(4)
    assert kept(top_p_filter(logits, 0.25)) == [0]
    assert kept(top_p_filter(logits, 0.5)) == [0, 1]
    assert kept(top_p_filter(logits, 0.75)) == [0, 1, 2]


def test_temperature_by_hand():
    assert_close(apply_temperature(BY_HAND, 0.5), 2 * BY_HAND)
    assert_close(apply_temperature(BY_HAND, 2), BY_HAND / 2)
    assert torch.equal(apply_temperature(BY_HAND, 1.0), BY_HAND)


@given(LOGITS)
def test_temperature_0_keeps_the_argmax_only(logits):
    found = apply_temperature(logits, 0)
    for row, filtered in zip(logits, found, strict=True):
        assert kept(filtered) == [ranked(row)[0]]


@given(TIED, st.integers(1, 12))
def test_top_k_keeps_exactly_k_and_among_ties_the_lowest_ids(logits, k):
    filtered = top_k_filter(logits, k)
    assert kept(filtered) == sorted(ranked(logits)[:k])
    assert torch.equal(filtered[kept(filtered)], logits[kept(filtered)])


@given(TIED | LOGITS.map(lambda rows: rows[0]), st.floats(0.001, 1))
def test_top_p_keeps_the_smallest_set_that_reaches_p(logits, p):
    filtered = top_p_filter(logits, p)
    chosen, order = kept(filtered), ranked(logits)
    assert chosen == sorted(order[: len(chosen)])
    masses = logits.double().softmax(-1)[order].cumsum(0)
    assert masses[len(chosen) - 1] >= p - 1e-12
    assert len(chosen) == 1 or masses[len(chosen) - 2] < p + 1e-12
    assert torch.equal(filtered[chosen], logits[chosen])


@pytest.mark.parametrize("shape", [(), (1,), (5,), (2, 3), (2, 1, 4)], ids=str)
def test_filters_work_row_by_row_for_any_batch_shape(shape):
    logits = torch.randn(*shape, 11, generator=torch.Generator().manual_seed(1))
    functions = [
        lambda x: top_k_filter(x, 3),
        *(lambda x, p=p: top_p_filter(x, p) for p in (0.1, 0.5, 0.9, 1.0)),
        *(lambda x, t=t: apply_temperature(x, t) for t in (0, 0.7)),
    ]
    for function in functions:
        whole = function(logits)
        assert whole.shape == logits.shape
        rows = [function(row) for row in logits.reshape(-1, 11)]
        assert torch.equal(whole.reshape(-1, 11), torch.stack(rows))


def test_top_k_above_the_vocabulary_and_top_p_1_keep_all():
    assert torch.equal(top_k_filter(BY_HAND, 5), BY_HAND)
    assert torch.equal(top_k_filter(BY_HAND, 10**9), BY_HAND)
    assert torch.equal(top_p_filter(BY_HAND, 1), BY_HAND)
    assert torch.equal(
        top_p_filter(BY_HAND - 200 * torch.tensor([1, 0, 0, 0]), 1.0).isfinite(),
        torch.ones(4).bool(),
    )


def test_filters_leave_their_input_and_never_share_its_memory():
    for function in (
        lambda x: top_k_filter(x, 9),
        lambda x: top_p_filter(x, 1),
        lambda x: top_p_filter(x, 0.5),
    ):
        logits = BY_HAND.clone()
        function(logits).fill_(7.0)
        assert torch.equal(logits, BY_HAND)


def test_filters_can_be_chained_in_any_order():
    for first, second in ((top_k_filter, top_p_filter), (top_p_filter, top_k_filter)):
        settings = {top_k_filter: 3, top_p_filter: 0.75}
        chained = second(first(BY_HAND, settings[first]), settings[second])
        assert kept(chained) == [1, 3] if first is top_k_filter else [1, 2, 3]
    assert kept(apply_temperature(top_k_filter(BY_HAND, 2), 0.1)) == [1, 3]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_filters_keep_the_dtype(dtype):
    logits = torch.randn(3, 40, generator=torch.Generator().manual_seed(2)).to(dtype)
    for found in (
        top_k_filter(logits, 5),
        top_p_filter(logits, 0.9),
        apply_temperature(logits, 0.7),
    ):
        assert found.dtype == dtype
    assert torch.equal(
        top_p_filter(logits, 0.9).isfinite(), top_p_filter(logits.double(), 0.9).isfinite()
    )


@pytest.mark.parametrize("k", [1, 2, 5, 49, 50, 60])
def test_top_k_keeps_what_hugging_face_keeps(k):
    from transformers import TopKLogitsWarper

    rows = random_rows()
    assert torch.equal(top_k_filter(rows, k), TopKLogitsWarper(k)(None, rows))
    tied = random_rows(ties=True)
    ours, theirs = top_k_filter(tied, k).isfinite(), TopKLogitsWarper(k)(None, tied).isfinite()
    assert (ours.sum(-1) == min(k, 50)).all()
    assert not (ours & ~theirs).any()  # theirs keeps every tie, ours those with the lowest ids
    assert k >= 50 or (ours != theirs).any()


@pytest.mark.parametrize("p", [0.05, 0.37, 0.5, 0.9, 0.95, 0.999])
def test_top_p_keeps_what_hugging_face_keeps(p):
    from transformers import TopPLogitsWarper

    rows = random_rows()
    assert torch.equal(top_p_filter(rows, p), TopPLogitsWarper(p)(None, rows))
    tied = random_rows(ties=True)
    ours, theirs = top_p_filter(tied, p), TopPLogitsWarper(p)(None, tied)
    # Which of the equal ones stay is arbitrary in theirs; how many, and of what value, is not.
    assert torch.equal(ours.sort(-1).values, theirs.sort(-1).values)


@pytest.mark.parametrize("temperature", [0.1, 0.7, 1.0, 3.0])
def test_temperature_scales_as_hugging_face_does(temperature):
    from transformers import TemperatureLogitsWarper

    rows = random_rows()
    assert_close(
        apply_temperature(rows, temperature), TemperatureLogitsWarper(temperature)(None, rows)
    )


def test_sampling_draws_with_the_filtered_probabilities_in_the_stated_order():
    logits = BY_HAND.expand(40_000, 4)
    settings = {"temperature": 0.5, "top_k": 3, "top_p": 0.9}
    tokens = sample(logits, **settings, generator=torch.Generator().manual_seed(0))
    shares = tokens.bincount(minlength=4) / len(tokens)
    # Squares of 0.4, 0.3, 0.2 are 16 : 9 : 4; the first two hold 25/29 < 0.9, so all three stay.
    expected = torch.tensor([0.0, 16 / 29, 4 / 29, 9 / 29])
    assert (shares - expected).abs().max() < 0.01
    assert shares[0] == 0


@pytest.mark.parametrize("temperature", [0, 0.7])
@pytest.mark.parametrize("top_k", [None, 5])
@pytest.mark.parametrize("top_p", [None, 0.8])
def test_a_cut_is_the_three_filters_one_after_the_other(temperature, top_k, top_p):
    expected = apply_temperature(random_rows(), temperature)
    expected = expected if top_k is None else top_k_filter(expected, top_k)
    expected = expected if top_p is None else top_p_filter(expected, top_p)
    assert torch.equal(cut(random_rows(), temperature, top_k, top_p), expected)


def test_temperature_0_is_argmax_and_draws_nothing():
    logits = torch.tensor([[1.0, 3.0, 3.0], [2.0, 0.0, 1.0]])
    generator = torch.Generator().manual_seed(0)
    before = generator.get_state()
    assert sample(logits, temperature=0, top_k=2, top_p=0.1, generator=generator).tolist() == [1, 0]
    assert sample(logits, temperature=0.0).tolist() == [1, 0]
    assert torch.equal(generator.get_state(), before)


def test_a_generator_makes_sampling_repeatable_without_touching_the_global_one():
    logits = torch.randn(50, 20)
    before = torch.get_rng_state()
    first, second = (sample(logits, generator=torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(first, second)
    assert torch.equal(torch.get_rng_state(), before)


WRONG_LOGITS = [
    (None, r"logits is a NoneType; make it a tensor \(..., V\)"),
    ([0.1, 0.9], "logits is a list"),
    (np.ones(3, dtype=np.float32), "logits is a ndarray; make it a tensor"),
    (torch.arange(3), r"logits has dtype torch.int64; convert it with .float\(\)"),
    (torch.ones(3).bool(), "logits has dtype torch.bool"),
    (torch.tensor(1.0), r"shape \(\); it must be \(..., V\)"),
    (torch.ones(0), r"shape \(0,\).*with at least one element"),
    (torch.ones(2, 0), r"shape \(2, 0\).*at least one element"),
    (torch.ones(0, 3), r"shape \(0, 3\).*at least one element"),
    (torch.tensor([[1.0, 2.0], [math.nan, 0.0]]), "the maximum nan; every row needs a finite one"),
    (torch.tensor([math.inf, 0.0]), "the maximum inf"),
    (torch.tensor([-math.inf, -math.inf]), "the maximum -inf"),
]


@pytest.mark.parametrize(("logits", "message"), WRONG_LOGITS)
def test_scores_that_are_none_are_refused(logits, message):
    refused(message, apply_temperature, logits, 1.0)
    refused(message, apply_temperature, logits, 0)
    refused(message, top_k_filter, logits, 1)
    refused(message, top_p_filter, logits, 0.5)
    refused(message, top_p_filter, logits, 1)


NUMBERS = [math.nan, math.inf, -math.inf, -1, "1", True, False, [1], torch.tensor(1.0), 1j]


@pytest.mark.parametrize("value", [*NUMBERS, None], ids=repr)
def test_a_temperature_that_is_none_is_refused(value):
    found = str(value) if isinstance(value, float) else ""
    refused(
        f"temperature=.*{found}.* must be a finite number >= 0", apply_temperature, BY_HAND, value
    )
    refused("must be a finite number", sample, BY_HAND[None], temperature=value)


@pytest.mark.parametrize("temperature", [1e-300, 1e300, 1e-45])
def test_a_temperature_beyond_the_dtype_is_refused(temperature):
    logits = torch.tensor([3.0, -math.inf, 1.0])
    refused(
        f"temperature={re.escape(str(temperature))}.*torch.float32; use 0",
        apply_temperature,
        logits,
        temperature,
    )


@pytest.mark.parametrize("value", [0, -1, 1.0, *NUMBERS], ids=repr)
def test_a_top_k_that_is_no_count_is_refused(value):
    refused("k=.* must be a positive integer", top_k_filter, BY_HAND, value)
    refused("top_k=.* must be a positive integer", sample, BY_HAND[None], top_k=value)


@pytest.mark.parametrize("value", [0, 0.0, 1.1, 2, *NUMBERS], ids=repr)
def test_a_top_p_that_is_no_mass_is_refused(value):
    refused("p=.* must be a finite number > 0 and <= 1", top_p_filter, BY_HAND, value)
    refused("top_p=.* must be a finite number > 0 and <= 1", sample, BY_HAND[None], top_p=value)


def test_numbers_of_numpy_serve_as_settings():
    assert kept(top_p_filter(BY_HAND, np.float64(0.5))) == [1, 3]
    assert_close(apply_temperature(BY_HAND, np.float64(0.5)), 2 * BY_HAND)
    assert_close(apply_temperature(BY_HAND, np.float32(0.5)), 2 * BY_HAND)
    assert kept(top_k_filter(BY_HAND, np.int64(2))) == [1, 3]


def test_scores_are_looked_at_once_however_many_filters_follow(monkeypatch):
    looked = []
    monkeypatch.setattr(inputs, "check_logits", lambda logits: looked.append(logits))
    sample(BY_HAND[None], temperature=0.5, top_k=3, top_p=0.9)
    assert len(looked) == 1


def test_scores_are_blamed_before_the_temperature():
    logits = torch.tensor([[1.0, math.nan]])
    with pytest.raises(ValueError, match="the maximum nan"):
        sample.unchecked(logits, 0.5)


@pytest.mark.parametrize(
    ("logits", "message"),
    [(None, "NoneType"), (BY_HAND, r"\(4,\).*\(B, V\)"), (BY_HAND[None, None], r"\(1, 1, 4\)")],
)
def test_sampling_needs_one_row_per_text(logits, message):
    for temperature in (0, 1):
        refused(message, sample, logits, temperature=temperature)
    refused("generator=7 must be a torch.Generator, or None", sample, BY_HAND[None], generator=7)


def test_modes_are_restored_one_by_one_even_after_an_error():
    model = torch.nn.Sequential(torch.nn.Dropout(), torch.nn.Sequential(torch.nn.Dropout()))
    model.train()
    model[1].eval()
    before = [module.training for module in model.modules()]
    assert before == [True, True, False, False]

    def fail():
        with evaluating(model):
            assert not any(module.training for module in model.modules())
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert [module.training for module in model.modules()] == before
    refused("model is a NoneType; it must be an nn.Module", evaluating(None).__enter__)
