"""Attention over tiles equals attention, forward and backward, and holds little memory."""

import math

import pytest
import torch
from torch.testing import assert_close

from gpt_helpers.architecture.attention import attention, attention_fused, causal_mask
from gpt_helpers.optimization.tiled import (
    attention_tiled,
    initial_softmax_state,
    key_tiles,
    tiles,
    update_online_softmax,
)
from tests.helpers.reference import refused

LENGTHS = (1, 2, 63, 64, 65, 129, 300, 1024)
WIDTHS = (16, 32, 64, 128)
BLOCKS = (16, 50, 64, 128)


def parts(n_queries, n_keys, width, n_head=2, n_groups=2, dtype=torch.float32, scale=1.0, seed=0):
    """Return random q (1, H, T, D), k and v (1, G, S, D); scale is that of the scores."""
    generator = torch.Generator().manual_seed(seed)
    shapes = (n_head, n_queries), (n_groups, n_keys), (n_groups, n_keys)
    found = [torch.randn(1, *shape, width, generator=generator) for shape in shapes]
    found[0] *= scale
    return [part.to(dtype).requires_grad_() for part in found]


def truth(q, k, v, **options):
    """Return attention in float64."""
    return attention(*(part.double() for part in (q, k, v)), **options)


def cases():
    """Yield each length with widths, blocks, earlier keys, windows and groups, in turn."""
    for index, length in enumerate(LENGTHS):
        for turn in range(4):
            at = index + turn
            window = (None, 1, 40, 200)[at % 4]
            earlier = (0, 7, 64)[turn % 3]
            groups = (1, 2, 4)[at % 3]
            yield length, length + earlier, WIDTHS[turn], BLOCKS[at % 4], window, groups


@pytest.mark.parametrize("case", list(cases()), ids=str)
def test_every_kernel_is_within_1e_5_of_float64(case):
    n_queries, n_keys, width, block_size, window, groups = case
    q, k, v = parts(n_queries, n_keys, width, 4, groups)
    expected = truth(q, k, v, window=window).float()
    tiled = attention_tiled(q, k, v, window=window, block_size=block_size)
    for found in (
        tiled,
        attention(q, k, v, window=window),
        attention_fused(q, k, v, window=window),
    ):
        assert (found - expected).abs().max() <= 1e-5


@pytest.mark.parametrize("block_size", [1, 16, 64, 1000])
@pytest.mark.parametrize("padded", [False, True])
def test_scores_of_ten_thousand_and_rows_without_keys_give_numbers(block_size, padded):
    q, k, v = parts(65, 65, 16, scale=1e4)
    padding = torch.arange(65)[None] >= 20 if padded else None
    found = attention_tiled(q, k, v, padding, block_size=block_size)
    assert (q @ k.mT / 4).abs().max() >= 1e4
    expected = truth(q, k, v, padding=padding)
    naive = (attention(q, k, v, padding) - expected).abs().max()
    assert (found - expected).abs().max() <= 2 * naive
    gradients = torch.autograd.grad(found.square().sum(), (q, k, v))
    assert all(gradient.isfinite().all() for gradient in gradients)
    if padded:
        assert (found[:, :, :20] == 0).all()
        assert (gradients[0][:, :, :20] == 0).all()
        assert all((gradient[:, :, :20] == 0).all() for gradient in gradients[1:])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("window", [None, 30])
def test_low_precision_errs_at_most_twice_as_much_as_the_equation(dtype, window):
    q, k, v = parts(129, 129, 32, 4, 2, dtype)
    expected = truth(q, k, v, window=window)
    naive = (attention(q, k, v, window=window) - expected).abs().max()
    tiled = attention_tiled(q, k, v, window=window, block_size=32)
    assert tiled.dtype == dtype
    assert (tiled - expected).abs().max() <= 2 * naive


@pytest.mark.parametrize(("dtype", "highest"), [(torch.bfloat16, 256), (torch.float16, 2048)])
def test_a_sum_of_equal_weights_grows_beyond_what_the_inputs_can_count(dtype, highest):
    q, k = torch.zeros(1, 1, 1, 4, dtype=dtype), torch.zeros(1, 1, 2 * highest, 4, dtype=dtype)
    v = (torch.arange(2 * highest) >= highest).to(dtype)[:, None].expand(1, 1, -1, 4)
    assert torch.tensor(highest, dtype=dtype) + 1 == highest
    assert (attention_tiled(q, k, v, block_size=1) == 0.5).all()


@pytest.mark.parametrize("case", list(cases())[::3], ids=str)
def test_gradients_are_those_of_autograd_through_the_equation(case):
    n_queries, n_keys, width, block_size, window, groups = case
    inputs = parts(n_queries, n_keys, width, 4, groups)
    pull = torch.randn(1, 4, n_queries, width, generator=torch.Generator().manual_seed(1))
    expected = torch.autograd.grad(attention(*inputs, window=window), inputs, pull)
    tiled = attention_tiled(*inputs, window=window, block_size=block_size)
    found = torch.autograd.grad(tiled, inputs, pull)
    for ours, theirs in zip(found, expected, strict=True):
        assert (ours - theirs).abs().max() <= 1e-4


@pytest.mark.parametrize("block_size", [1, 3, 4, 64])
@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize("window", [None, 3])
def test_the_backward_pass_is_the_derivative_of_the_forward_pass(block_size, groups, window):
    inputs = parts(5, 8, 4, 4, groups, torch.float64)
    padding = torch.tensor([[False, True, True, True, False, True, True, True]])
    options = {"padding": padding, "window": window, "block_size": block_size}
    assert torch.autograd.gradcheck(lambda *heads: attention_tiled(*heads, **options), inputs)


def test_a_gradient_is_not_silently_differentiated_again():
    q, k, v = parts(4, 4, 4, dtype=torch.float64)
    (gradient,) = torch.autograd.grad(attention_tiled(q, k, v).sum(), q, create_graph=True)
    with pytest.raises(RuntimeError, match="does not require grad"):
        gradient.sum().backward()


@pytest.mark.parametrize("window", [None, 1, 5, 16, 40])
@pytest.mark.parametrize("block_size", [1, 4, 7, 64])
@pytest.mark.parametrize(("n_queries", "n_keys"), [(1, 1), (1, 40), (33, 33), (17, 40)])
def test_tiles_hold_all_that_is_visible_and_no_tile_is_blind(n_queries, n_keys, block_size, window):
    keys = torch.arange(n_keys)
    visible = causal_mask(keys[n_keys - n_queries :], keys, window)
    covered = torch.zeros_like(visible, dtype=torch.int)
    for rows, row_of_tiles in tiles(n_queries, n_keys, block_size, window):
        for columns in row_of_tiles:
            covered[rows, columns] += 1
            assert visible[rows, columns].any()
            assert max(covered[rows, columns].shape) <= block_size
    assert (covered[visible] == 1).all()
    assert covered.max() == 1


def test_tiles_before_the_window_and_in_the_future_are_left_out():
    assert key_tiles(10, 13, 4) == [slice(0, 4), slice(4, 8), slice(8, 12), slice(12, 14)]
    assert key_tiles(10, 13, 4, window=3) == [slice(8, 12), slice(12, 14)]
    # Tiles begin at multiples of their size, wherever the window does.
    assert key_tiles(11, 13, 4, window=3) == [slice(8, 12), slice(12, 14)]


@pytest.mark.parametrize("wrong", [0, -1, True, 1.5, "2", math.nan], ids=repr)
def test_sizes_that_no_tile_has_are_refused(wrong):
    for name in ("n_queries", "n_keys", "block_size", "window"):
        sizes = {"n_queries": 2, "n_keys": 4, "block_size": 2, "window": 2} | {name: wrong}
        refused(f"{name}={wrong!r} must be", tiles, **sizes)
    for name in ("last", "block_size", "window"):
        sizes = {"first": 2, "last": 4, "block_size": 2, "window": 2} | {name: wrong}
        refused(f"{name}={wrong!r} must be", key_tiles, **sizes)
    refused("n_keys=3 must be an integer of at least 4", tiles, 4, 3, 2)
    refused("q has dtype torch.int64", initial_softmax_state, torch.zeros(1, 1, 1, 1).long())


def test_two_tiles_by_hand():
    values = torch.tensor([[[[2.0], [4.0]]]])
    state = initial_softmax_state(torch.zeros(1, 1, 1, 1))
    state = update_online_softmax(state, torch.tensor([[[[0.0]]]]), values[:, :, :1])
    assert [part.item() for part in state] == [0, 1, 2]
    # A score of log 3 is higher: what was summed is worth a third, and the new weight is 1.
    highest, total, mixed = update_online_softmax(
        state, torch.tensor([[[[math.log(3)]]]]), values[:, :, 1:]
    )
    assert_close((highest.item(), total.item(), mixed.item()), (math.log(3), 4 / 3, 2 / 3 + 4))


def test_the_order_of_the_tiles_does_not_matter():
    scores = torch.randn(1, 2, 3, 12, dtype=torch.float64) * 9
    values = torch.randn(1, 2, 12, 4, dtype=torch.float64)
    expected = scores.softmax(-1) @ values
    for order in ([0, 1, 2], [2, 0, 1], [2, 1, 0]):
        state = initial_softmax_state(torch.zeros(1, 2, 3, 4, dtype=torch.float64))
        for at in order:
            columns = slice(4 * at, 4 * at + 4)
            state = update_online_softmax(state, scores[..., columns], values[:, :, columns])
        assert_close(state[2] / state[1], expected)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"dropout": 0.1},
            "attention_tiled drops no weights, but dropout=0.1; use attention_fused",
        ),
        ({"block_size": 0}, "block_size=0 must be a positive integer"),
        ({"block_size": 1.5}, "block_size=1.5 must be a positive integer"),
        ({"window": 0}, "window=0 must be a positive integer"),
        ({"window": True}, "window=True must be a positive integer"),
    ],
)
def test_wrong_settings_are_refused(options, message):
    refused(message, attention_tiled, *parts(3, 3, 4), **options)


def test_heads_that_cannot_be_shared_evenly_are_refused():
    q, k, v = parts(3, 3, 4, 4, 3)
    for attend in (attention, attention_fused, attention_tiled):
        refused("H=4 query heads cannot share G=3 key heads evenly", attend, q, k, v)
