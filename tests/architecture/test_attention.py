"""The causal mask, and attention as an equation and as PyTorch's kernel."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import scaled_dot_product_attention
from torch.testing import assert_close

from gpt_helpers.architecture.attention import (
    attention,
    attention_fused,
    attention_weights,
    causal_mask,
    positions,
    repeat_heads,
    visible_keys,
)
from gpt_helpers.optimization.tiled import attention_tiled
from tests.helpers.reference import refused

EACH = pytest.mark.parametrize("attend", [attention, attention_fused, attention_tiled])
DROPPING = pytest.mark.parametrize("attend", [attention, attention_fused])
SIZES = st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 9), st.integers(0, 7))


def heads(n_rows, n_heads, n_queries, n_keys, width=4, dtype=torch.float32, seed=0):
    """Return random q (B, H, T, D), k and v (B, H, S, D)."""
    generator = torch.Generator().manual_seed(seed)
    sizes = (n_queries, n_keys, n_keys)
    return [
        torch.randn(n_rows, n_heads, n, width, generator=generator).to(dtype).requires_grad_()
        for n in sizes
    ]


def random_padding(n_rows, n_keys, seed=0):
    """Return a random bool mask (B, S)."""
    return torch.rand(n_rows, n_keys, generator=torch.Generator().manual_seed(seed)) < 0.6


def test_the_mask_of_two_new_queries_is_the_one_in_the_docstring():
    mask = causal_mask(torch.tensor([3, 4]), torch.arange(5))
    assert mask.dtype == torch.bool
    assert mask.int().tolist() == [[1, 1, 1, 1, 0], [1, 1, 1, 1, 1]]


@given(st.lists(st.integers(0, 30), min_size=1), st.lists(st.integers(0, 30), min_size=1))
def test_a_query_sees_exactly_the_keys_at_its_own_and_earlier_positions(queries, keys):
    mask = causal_mask(torch.tensor(queries), torch.tensor(keys))
    assert mask.tolist() == [[key <= query for key in keys] for query in queries]


def test_queries_are_the_last_positions():
    q, k, _ = heads(1, 1, 2, 5)
    assert [at.tolist() for at in positions(q, k)] == [[3, 4], [0, 1, 2, 3, 4]]


@EACH
def test_two_tokens_by_hand(attend):
    q = torch.tensor([[[[1.0, 0.0], [0.0, 2.0]]]])
    k = torch.tensor([[[[1.0, 1.0], [0.0, math.sqrt(2) * math.log(3) / 2]]]])
    v = torch.tensor([[[[4.0, 0.0], [0.0, 8.0]]]])
    # Row 0 sees key 0 only. Row 1 has the scores 2 / sqrt(2) and log 3: weights e^1.414 and 3.
    first = math.exp(math.sqrt(2))
    a, b = first / (first + 3), 3 / (first + 3)
    assert_close(attend(q, k, v), torch.tensor([[[[4.0, 0.0], [4 * a, 8 * b]]]]))


@given(SIZES, st.booleans())
def test_each_equals_pytorch_with_an_explicit_mask(sizes, padded):
    n_rows, n_heads, n_queries, n_earlier = sizes
    q, k, v = heads(n_rows, n_heads, n_queries, n_queries + n_earlier)
    n_keys = k.shape[2]
    padding = random_padding(n_rows, n_keys) if padded else None
    visible = torch.ones(n_queries, n_keys, dtype=torch.bool).tril(n_earlier)
    if padded:
        visible = visible & padding[:, None, None]
    expected = scaled_dot_product_attention(q, k, v, attn_mask=visible)
    expected = torch.where(visible.any(-1, keepdim=True), expected, 0.0)
    assert_close(attention(q, k, v, padding), expected)
    assert_close(attention_fused(q, k, v, padding), expected)
    assert_close(attention_tiled(q, k, v, padding, block_size=4), expected)


@given(SIZES)
def test_the_weights_of_each_row_sum_to_one_or_to_zero_if_it_sees_nothing(sizes):
    n_rows, n_heads, n_queries, n_earlier = sizes
    q, k, _ = heads(n_rows, n_heads, n_queries, n_queries + n_earlier)
    padding = random_padding(n_rows, k.shape[2])
    weights = attention_weights(q, k, padding)
    visible = visible_keys(*positions(q, k), padding).expand_as(weights)
    assert_close(weights.sum(-1), visible.any(-1).float())
    assert (weights[~visible] == 0).all()
    assert (weights[visible] > 0).all()


@pytest.mark.parametrize("window", [None, 3])
@pytest.mark.parametrize("padded", [False, True])
def test_the_weights_are_those_with_which_attention_reads(window, padded):
    q, k, v = heads(2, 3, 4, 7)
    padding = random_padding(2, 7) if padded else None
    weights = attention_weights(q, k, padding, window)
    assert_close(weights @ v, attention(q, k, v, padding, window=window))


@EACH
@given(st.integers(0, 8), st.integers(0, 10_000))
def test_changing_the_future_does_not_change_the_past(attend, now, seed):
    q, k, v = heads(2, 2, 9, 9)
    before = attend(q, k, v)[:, :, : now + 1]
    changed = [part.detach().clone() for part in (q, k, v)]
    for part, other in zip(changed, heads(2, 2, 9, 9, seed=seed), strict=True):
        part[:, :, now + 1 :] = other[:, :, now + 1 :]
    assert_close(attend(*changed)[:, :, : now + 1], before)


@EACH
def test_each_token_reads_itself_and_every_token_before_it(attend):
    q, k, v = heads(1, 1, 6, 6)
    for query in range(6):
        (gradient,) = torch.autograd.grad(attend(q, k, v)[0, 0, query].sum(), v)
        read = gradient[0, 0].abs().sum(-1) > 0
        assert read.tolist() == [key <= query for key in range(6)]


@EACH
def test_queries_given_a_few_at_a_time_get_the_same_answers(attend):
    q, k, v = heads(2, 3, 7, 7)
    whole = attend(q, k, v)
    for start in range(7):
        for end in range(start + 1, 8):
            part = attend(q[:, :, start:end], k[:, :, :end], v[:, :, :end])
            assert_close(part, whole[:, :, start:end])


@EACH
def test_padded_keys_are_never_read(attend):
    q, k, v = heads(2, 2, 5, 5)
    padding = torch.tensor([[0, 0, 1, 1, 1], [1, 1, 1, 1, 1]]).bool()
    expected = attend(q[:1, :, 2:], k[:1, :, 2:], v[:1, :, 2:])
    noisy = [torch.where(padding[:, None, :, None], part, 99.0) for part in (k, v)]
    assert_close(attend(q, *noisy, padding)[:1, :, 2:], expected)
    assert_close(attend(q, *noisy, padding)[1:], attend(q[1:], k[1:], v[1:]))


@EACH
def test_a_row_that_sees_no_key_gives_zeros_and_finite_gradients(attend):
    parts = heads(2, 2, 4, 4)
    padding = torch.tensor([[0, 0, 1, 1], [0, 0, 0, 0]]).bool()
    y = attend(*parts, padding)
    assert (y[0, :, :2] == 0).all()
    assert (y[1] == 0).all()
    gradients = torch.autograd.grad(y.square().sum(), parts)
    assert all(gradient.isfinite().all() for gradient in gradients)
    assert all((gradient[1] == 0).all() for gradient in gradients)


@given(SIZES, st.booleans())
def test_both_have_the_same_gradients(sizes, padded):
    n_rows, n_heads, n_queries, n_earlier = sizes
    parts = heads(n_rows, n_heads, n_queries, n_queries + n_earlier)
    padding = random_padding(n_rows, parts[1].shape[2]) if padded else None
    results = [
        torch.autograd.grad(attend(*parts, padding).square().sum(), parts)
        for attend in (attention, attention_fused)
    ]
    for found, expected in zip(*results, strict=True):
        assert_close(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("padded", [False, True])
def test_low_precision_errs_at_most_twice_as_much_as_the_equation(dtype, padded):
    parts = heads(2, 4, 33, 33, width=16, dtype=dtype)
    padding = random_padding(2, 33) if padded else None
    truth = attention(*(part.float() for part in parts), padding)
    naive = (attention(*parts, padding).float() - truth).abs().max()
    fused = (attention_fused(*parts, padding).float() - truth).abs().max()
    assert fused <= 2 * naive


@EACH
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_the_result_has_the_dtype_of_its_inputs(attend, dtype):
    assert attend(*heads(1, 2, 3, 4, dtype=dtype)).dtype == dtype


@DROPPING
@pytest.mark.parametrize("padded", [False, True])
def test_dropout_drops_weights_and_scales_up_the_rest(attend, padded):
    torch.manual_seed(0)
    n = 400
    q, k = torch.zeros(1, 1, n, 4), torch.zeros(1, 1, n, 4)
    v = torch.ones(1, 1, n, 4)
    padding = torch.ones(1, n, dtype=torch.bool) if padded else None
    assert_close(attend(q, k, v, padding), v)
    dropped = attend(q, k, v, padding, dropout=0.25)[0, 0, :, 0]
    assert dropped[100:].std() > 0.01
    assert abs(dropped[100:].mean() - 1) < 0.01
    # The first query has one weight: it is dropped, or scaled by 1 / 0.75.
    assert min(abs(dropped[0]), abs(dropped[0] - 4 / 3)) < 1e-6


Q, K, V = (part.detach() for part in heads(2, 3, 4, 5))
WRONG = {
    "q is None": ((None, K, V), "NoneType.*make them tensors"),
    "k is an array": ((Q, K.numpy(), V), "ndarray.*make them tensors"),
    "v is a list": ((Q, K, [1.0]), "list.*make them tensors"),
    "three axes": ((Q[0], K[0], V[0]), r"\(3, 4, 4\).*need q \(B, H, T, D\)"),
    "k and v differ": ((Q, K, V[:, :, 1:]), r"v \(2, 3, 4, 4\).*both \(B, G, S, D\)"),
    "other batch": ((Q[:1], K, V), r"q \(1, 3, 4, 4\).*must agree"),
    "other width": ((Q[..., :2], K, V), r"q \(2, 3, 4, 2\).*must agree"),
    "no queries": ((Q[:, :, :0], K, V), r"q \(2, 3, 0, 4\).*not be empty"),
    "no keys": ((Q, K[:, :, :0], V[:, :, :0]), "T=4 queries but S=0 keys"),
    "too few keys": ((Q, K[:, :, :3], V[:, :, :3]), "T=4 queries but S=3 keys; need S >= T"),
    "mixed dtypes": ((Q.double(), K, V), "float64, torch.float32.*one floating type"),
    "integers": ((Q.long(), K.long(), V.long()), "int64.*one floating type"),
    "other device": ((Q, K.to("meta"), V.to("meta")), r"q on cpu, k on meta.*\.to\(device\)"),
    "padding of floats": ((Q, K, V, torch.ones(2, 5)), r"torch.float32, 2, 5.*bool \(2, 5\)"),
    "padding too short": ((Q, K, V, torch.ones(2, 4).bool()), r"bool, 2, 4.*bool \(2, 5\)"),
    "padding a list": ((Q, K, V, [[True] * 5] * 2), r"list.*bool \(2, 5\)"),
    "padding elsewhere": ((Q, K, V, torch.ones(2, 5, device="meta").bool()), "padding on meta"),
    "dropout of 1": ((Q, K, V, None, 1.0), "dropout=1.0 must be .*< 1"),
    "negative dropout": ((Q, K, V, None, -0.1), "dropout=-0.1"),
    "dropout nan": ((Q, K, V, None, math.nan), "dropout=nan"),
    "dropout True": ((Q, K, V, None, True), "dropout=True"),
    "dropout a word": ((Q, K, V, None, "0.1"), "dropout='0.1'"),
    "dropout None": ((Q, K, V, None, None), "dropout=None"),
}


@EACH
@pytest.mark.parametrize("wrong", WRONG)
def test_wrong_arguments_are_refused_with_what_they_are(attend, wrong):
    arguments, message = WRONG[wrong]
    refused(message, attend, *arguments)


def test_the_weights_refuse_what_the_whole_refuses():
    refused("make them tensors", attention_weights, None, K)
    refused("need S >= T", attention_weights, Q, K[:, :, :3])
    refused(r"bool \(2, 5\)", attention_weights, Q, K, torch.ones(2, 5))


@EACH
@given(SIZES, st.integers(1, 12), st.booleans())
def test_a_window_of_w_reads_the_last_w_keys(attend, sizes, window, padded):
    n_rows, n_heads, n_queries, n_earlier = sizes
    q, k, v = heads(n_rows, n_heads, n_queries, n_queries + n_earlier)
    n_keys = k.shape[2]
    padding = random_padding(n_rows, n_keys) if padded else None
    distance = torch.arange(n_earlier, n_keys)[:, None] - torch.arange(n_keys)
    visible = ((distance >= 0) & (distance < window))[None, None]
    if padded:
        visible = visible & padding[:, None, None]
    expected = scaled_dot_product_attention(q, k, v, attn_mask=visible)
    expected = torch.where(visible.any(-1, keepdim=True), expected, 0.0)
    assert_close(attend(q, k, v, padding, window=window), expected)


@EACH
@pytest.mark.parametrize("groups", [1, 2, 3, 6])
@pytest.mark.parametrize("window", [None, 3])
def test_heads_that_share_a_key_head_read_what_they_read_with_copies_of_it(attend, groups, window):
    q, _, _ = heads(2, 6, 5, 8)
    _, k, v = heads(2, groups, 8, 8)
    copies = [part[:, [head * groups // 6 for head in range(6)]] for part in (k, v)]
    assert torch.equal(repeat_heads(k, 6), copies[0])
    y = attend(q, k, v, window=window)
    assert_close(y, attend(q, *copies, window=window))
    found = torch.autograd.grad(y.square().sum(), (q, k, v), retain_graph=True)
    expected = torch.autograd.grad(attention(q, *copies, window=window).square().sum(), (q, k, v))
    for ours, theirs in zip(found, expected, strict=True):
        assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
