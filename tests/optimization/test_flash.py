"""FlashAttention-2's kernels against the equation: on a GPU, or in Triton's interpreter."""

import dataclasses

import pytest
import torch
from torch.testing import assert_close

from gpt_helpers.architecture.attention import (
    attention,
    attention_fused,
    positions,
    repeat_heads,
    visible_keys,
    visible_softmax,
)
from gpt_helpers.architecture.model import GPTLMHeadModel
from gpt_helpers.optimization import flash
from gpt_helpers.optimization.flash import attention_flash
from tests.helpers.reference import SMALL, random_ids, refused

pytest.importorskip("triton", reason="Triton ships for Linux only")
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
# rows, query heads, key heads, queries, keys, width, window, padded: each pair of habits is met.
CASES = [
    (1, 1, 1, 1, 1, 16, None, False),
    (2, 2, 2, 2, 2, 32, None, True),
    (1, 4, 2, 63, 63, 64, 5, False),
    (2, 2, 1, 64, 64, 16, 64, False),
    (1, 2, 2, 65, 65, 128, 33, True),
    (1, 3, 1, 129, 129, 32, None, False),
    (1, 1, 1, 300, 300, 16, 100, False),
    (2, 4, 2, 1, 70, 64, None, True),
    (1, 2, 1, 2, 65, 16, 3, False),
    (1, 1, 1, 65, 300, 32, 129, False),
    (2, 2, 1, 63, 129, 16, 1, True),
    (1, 2, 1, 70, 90, 24, 20, False),
    (1, 1, 1, 40, 40, 100, None, False),
    (1, 1, 1, 1024, 1024, 64, None, False),
]


def heads(n_rows, n_heads, n_groups, n_queries, n_keys, width, dtype=torch.float32, seed=0):
    """Return random q (B, H, T, D), k and v (B, G, S, D) on the device."""
    generator = torch.Generator().manual_seed(seed)
    sizes = ((n_heads, n_queries), (n_groups, n_keys), (n_groups, n_keys))
    return [
        torch.randn(n_rows, *size, width, generator=generator).to(DEVICE, dtype).requires_grad_()
        for size in sizes
    ]


def random_padding(n_rows, n_keys, seed=0):
    """Return a random bool mask (B, S) on the device; its first keys are hidden."""
    mask = torch.rand(n_rows, n_keys, generator=torch.Generator().manual_seed(seed)) < 0.6
    mask[:, : n_keys // 3] = False
    return mask.to(DEVICE)


def gradients(attend, parts, padding=None, window=None):
    """Return the result and the gradients of a random weighing of it, in the parts' dtype."""
    y = attend(*parts, padding, window=window)
    generator = torch.Generator().manual_seed(1)
    weighing = torch.randn(y.shape, generator=generator).to(y)
    return [y.detach(), *torch.autograd.grad(y, parts, weighing)]


def truth(parts, padding=None, window=None):
    """Return what gradients returns, by the equation in float64."""
    doubled = [part.detach().double().requires_grad_() for part in parts]
    return gradients(attention, doubled, padding, window)


def check_close(parts, padding=None, window=None, limits=(1e-5, 1e-4)):
    """Check the kernels' result and gradients against the equation's, to absolute limits."""
    found = gradients(attention_flash, parts, padding, window)
    for at, (one, other) in enumerate(zip(found, truth(parts, padding, window), strict=True)):
        assert_close(one.double(), other, rtol=0, atol=limits[at > 0])


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_kernels_give_the_result_and_the_gradients_of_the_equation(case):
    *sizes, window, padded = case
    padding = random_padding(sizes[0], sizes[4]) if padded else None
    check_close(heads(*sizes), padding, window)


@pytest.mark.parametrize("width", [64, 128])
@pytest.mark.parametrize(("table", "sizes"), [("LARGE", (1, 2, 1, 300, 310)),
                                              ("LARGE", (1, 1, 1, 129, 400)),
                                              ("FLOAT32", (1, 1, 1, 70, 100))])  # fmt: skip
def test_tiles_of_every_size_give_the_same(monkeypatch, width, table, sizes):
    if DEVICE == "cuda":
        pytest.skip("the tiles of 16-bit numbers do not fit float32")
    monkeypatch.setattr(flash, "SMALL", getattr(flash, table))
    check_close(heads(*sizes, width), window=None if width == 64 else sizes[4] // 3)


@pytest.mark.parametrize("window", [1, 31, 32, 33, 64, 96, 97])
def test_a_window_reads_exactly_its_keys(window):
    q, k, v = heads(1, 1, 1, 130, 130, 16)
    y = attention_flash(q, torch.zeros_like(k), v, window=window)
    for row in (0, 31, 32, 63, 64, 95, 96, 129):
        seen = v[0, 0, max(0, row - window + 1) : row + 1]
        assert_close(y[0, 0, row], seen.mean(0), rtol=0, atol=1e-5)


def equation_in_its_dtype(q, k, v, padding, window=None):
    """Return the equation computed in the dtype of q, which attention widens."""
    visible = visible_keys(*positions(q, k), padding, window)
    scores = q @ repeat_heads(k, q.shape[1]).mT / q.shape[-1] ** 0.5
    return visible_softmax(scores, visible) @ repeat_heads(v, q.shape[1])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize(("sizes", "window"), [((2, 4, 2, 65, 80, 64), None),
                                               ((1, 1, 1, 129, 129, 128), 70)])  # fmt: skip
def test_low_precision_errs_at_most_twice_as_much_as_the_equation_in_it(dtype, sizes, window):
    parts = heads(*sizes, dtype=dtype)
    padding = random_padding(sizes[0], sizes[4]) if window is None else None
    exact = truth(parts, padding, window)
    flash_results = gradients(attention_flash, parts, padding, window)
    naive_results = gradients(equation_in_its_dtype, parts, padding, window)
    for found, naive, expected in zip(flash_results, naive_results, exact, strict=True):
        assert found.dtype == dtype
        error = (found.double() - expected).abs().max()
        assert error <= 2 * (naive.double() - expected).abs().max()


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("padded", [False, True])
def test_scores_of_ten_thousand_neither_overflow_nor_lose_the_row(sign, padded):
    q, k, v = heads(1, 2, 1, 100, 100, 32)
    k = k.detach().abs().requires_grad_()
    q = (q.detach().abs() * sign * 3e3).requires_grad_()
    padding = random_padding(1, 100) if padded else None
    scores = (q @ k.mT / 32**0.5).detach().abs()
    assert scores.max() > 1e4
    results = gradients(attention_flash, (q, k, v), padding)
    assert all(result.isfinite().all() for result in results)
    # float32 rounds a score of 2e4 / ln 2 by 1e-3, and a weight errs by that share of itself.
    naive = gradients(attention, (q, k, v), padding)
    for found, rough, exact in zip(results, naive, truth((q, k, v), padding), strict=True):
        error, size = (found - exact).abs().max(), max(1, exact.abs().max())
        assert error <= 4 * (rough - exact).abs().max() + 2e-2 * size


def test_a_row_that_sees_no_key_gives_zeros_and_zero_gradients():
    parts = heads(3, 2, 1, 70, 70, 16)
    padding = torch.ones(3, 70, dtype=torch.bool, device=DEVICE)
    padding[0, :40] = False
    padding[1] = False
    y, *grads = gradients(attention_flash, parts, padding)
    assert (y[0, :, :40] == 0).all()
    assert (y[1] == 0).all()
    assert all((gradient[0, :, :40] == 0).all() for gradient in grads)
    assert all((gradient[1] == 0).all() for gradient in grads)
    check_close(parts, padding)


def test_a_window_that_holds_padding_only_gives_zeros():
    parts = heads(1, 1, 1, 70, 90, 16)
    padding = torch.ones(1, 90, dtype=torch.bool, device=DEVICE)
    padding[0, 30:60] = False
    y = attention_flash(*parts, padding, window=4)
    assert (y[0, 0, 13:40] == 0).all()
    assert (y[0, 0, 40:] != 0).all()
    check_close(parts, padding, 4)


def test_views_of_any_strides_are_read_in_place():
    sizes = (2, 2, 1, 40, 50, 32)
    plain = heads(*sizes)
    laid_out = [part.detach().transpose(1, 2).contiguous().transpose(1, 2) for part in plain]
    across = [part.detach().mT.contiguous().mT for part in plain]
    expected = gradients(attention_flash, plain)
    for views in (laid_out, across):
        views = [view.requires_grad_() for view in views]
        found = gradients(attention_flash, views)
        assert all(torch.equal(*pair) for pair in zip(found, expected, strict=True))
        assert found[0].stride() == views[0].stride()


def test_a_gradient_that_is_one_number_spread_out_is_read_too():
    parts = heads(1, 1, 1, 20, 20, 16)
    found = torch.autograd.grad(attention_flash(*parts).sum(), parts)
    expected = torch.autograd.grad(attention(*parts).sum(), parts)
    assert_close(found, expected, rtol=0, atol=1e-5)


def test_the_same_call_gives_the_same_bits():
    parts = heads(1, 2, 1, 70, 70, 16)
    runs = [gradients(attention_flash, parts) for _ in range(2)]
    assert all(torch.equal(*pair) for pair in zip(*runs, strict=True))


def test_changing_the_future_does_not_change_the_past():
    q, k, v = (part.detach() for part in heads(1, 1, 1, 100, 100, 16))
    before = attention_flash(q, k, v)
    for part in (q, k, v):
        part[:, :, 70:] = 99.0
    assert torch.equal(attention_flash(q, k, v)[:, :, :70], before[:, :, :70])


@pytest.mark.parametrize("padded", [False, True])
def test_a_model_gives_the_logits_and_gradients_of_the_fused_kernel(padded):
    config = dataclasses.replace(SMALL, n_embd=64, dropout=0.0, n_layer=2)
    ids, results = random_ids(2, 20).to(DEVICE), []
    mask = torch.ones_like(ids)
    mask[0, :6] = 0
    for attend in (attention_flash, attention_fused):
        torch.manual_seed(0)
        model = GPTLMHeadModel(config, attend=attend).to(DEVICE)
        logits = model(ids, attention_mask=mask if padded else None)["logits"]
        logits.square().mean().backward()
        results.append([logits.detach(), *(weight.grad for weight in model.parameters())])
    for found, expected in zip(*results, strict=True):
        assert_close(found, expected, rtol=1e-4, atol=1e-5)


Q, K, V = (part.detach() for part in heads(1, 2, 2, 3, 4, 16))
WRONG = {
    "dropout": ((Q, K, V, None, 0.1), "attention_flash drops no weights, but dropout=0.1"),
    "float64": ((Q.double(), K.double(), V.double()), "float64 is not one of"),
    "too narrow": ((Q[..., :15], K[..., :15], V[..., :15]), "D=15 must be 16 to 128"),
    "too wide": ([part.repeat(1, 1, 1, 9) for part in (Q, K, V)], "D=144 must be 16 to 128"),
    "mixed devices": ((Q, K.to("meta"), V.to("meta")), r"on meta.*\.to\(device\)"),
    "meta": ([part.to("meta") for part in (Q, K, V)], "on meta; move it to a cuda device"),
    "too few keys": ((Q, K[:, :, :2], V[:, :, :2]), "T=3 queries but S=2 keys"),
    "groups": ((Q, K.repeat(1, 2, 1, 1)[:, :3], V.repeat(1, 2, 1, 1)[:, :3]), "H=2.*G=3"),
    "window of 0": ((Q, K, V, None, 0.0, 0), "window=0"),
    "padding of floats": ((Q, K, V, torch.ones(1, 4)), "must be bool"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_wrong_arguments_are_refused_with_what_they_are(wrong):
    arguments, message = WRONG[wrong]
    refused(message, attention_flash, *arguments)


def test_gradients_of_gradients_are_refused():
    parts = heads(1, 1, 1, 3, 3, 16)
    y = attention_flash(*parts)
    (gradient,) = torch.autograd.grad(y.square().sum(), parts[:1], create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()


def test_the_interpreter_is_used_by_these_kernels_only():
    import triton
    from triton.runtime.jit import JITFunction

    flash.kernels_for.cache_clear()
    attention_flash(Q, K, V)
    assert not triton.knobs.runtime.interpret
    assert isinstance(triton.jit(heads), JITFunction)
    assert isinstance(flash.kernels_for("cuda").forward_kernel, JITFunction)
    assert not isinstance(flash.kernels_for("cpu").forward_kernel, JITFunction)
