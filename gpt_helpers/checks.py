"""What the exercises call: each check tries a reader's function and answers in one line."""

import functools
import math

import torch

from gpt_helpers.attention import attention, causal_mask
from gpt_helpers.config import PRESETS, GPTConfig
from gpt_helpers.constraints import worth
from gpt_helpers.laws import FITS
from gpt_helpers.scaling import count_parameters

PASSED = "correct"


def answer(check):
    """Turn a check that raises into one that returns "correct" or "not yet: <reason>"."""

    @functools.wraps(check)
    def answered(function):
        try:
            check(function)
        except Exception as error:  # a reader's code may raise anything
            return f"not yet: {type(error).__name__}: {error}".rstrip(": ")
        return PASSED

    return answered


@answer
def window_mask(function):
    """Try function(queries, keys, window): the causal mask of the last window keys only."""
    keys = torch.arange(6)
    for window in (1, 3, 6):
        for queries in (keys, keys[4:]):
            mask = function(queries, keys, window)
            expect(isinstance(mask, torch.Tensor), f"returned {type(mask).__name__}, not a tensor")
            expect(mask.dtype == torch.bool, f"the mask is {mask.dtype}, not torch.bool")
            expect(mask.shape == (len(queries), 6), f"the shape is {tuple(mask.shape)}")
            future = mask & ~causal_mask(queries, keys)
            expect(not future.any(), "a query reads the future")
            n_seen = (queries + 1).clamp(max=window)
            found = mask.sum(-1)
            expect((found == n_seen).all(), f"with window={window}: {found.tolist()} keys")
            expect(mask[:, -1][queries == 5].all(), "a query must see its own position")


@answer
def untied_parameters(function):
    """Try function(config): the parameters of a GPT whose head does not share wte."""
    small = GPTConfig(vocab_size=11, n_positions=7, n_embd=6, n_layer=2, n_head=3, n_inner=5)
    for config in (PRESETS["gpt2"], PRESETS["demo"], small):
        expected = count_parameters(config) + config.vocab_size * config.n_embd
        found = function(config)
        sizes = f"V={config.vocab_size}, C={config.n_embd}, L={config.n_layer}"
        expect(found == expected, f"{found} where {expected} is right, for {sizes}")


@answer
def min_p_filter(function):
    """Try function(logits, min_p): drop tokens below min_p times the highest probability."""
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(4, 9, generator=generator)
    for min_p in (0.05, 0.3, 1.0):
        filtered = function(logits, min_p)
        found = type(filtered).__name__
        expect(isinstance(filtered, torch.Tensor), f"returned {found}, not a tensor")
        expect(filtered.shape == logits.shape, f"the shape is {tuple(filtered.shape)}, not (4, 9)")
        probabilities = logits.softmax(-1)
        kept = probabilities >= min_p * probabilities.amax(-1, keepdim=True)
        wrong = int((filtered.isfinite() != kept).sum())
        expect(wrong == 0, f"with min_p={min_p}, {wrong} of 36 tokens are wrongly kept or dropped")
        expect(torch.equal(filtered[kept], logits[kept]), "a kept logit has changed")


@answer
def inverse_root_schedule(function):
    """Try function(step, max_lr, warmup_steps): up in a line, down with the root of the step."""
    for max_lr, warmup_steps in ((1.0, 4), (3e-3, 100)):
        for step in (0, 1, warmup_steps - 1, warmup_steps, 10 * warmup_steps):
            done = step + 1
            expected = max_lr * min(done / warmup_steps, (warmup_steps / done) ** 0.5)
            found = function(step, max_lr, warmup_steps)
            given = f"step={step}, max_lr={max_lr}, warmup_steps={warmup_steps}"
            expect(math.isclose(found, expected), f"{found} where {expected} is right, for {given}")


@answer
def clipped(function):
    """Try function(gradients, longest): all of them shorter by one factor, if they are too long."""
    gradients = [torch.tensor([3.0, 0.0]), torch.tensor([[0.0], [4.0]])]
    for longest in (1.0, 2.5, 5.0, 100.0):
        found = function([gradient.clone() for gradient in gradients], longest)
        expect(isinstance(found, list | tuple), f"returned {type(found).__name__}, not a list")
        expect(len(found) == 2, f"returned {len(found)} tensors for 2")
        scale = min(1.0, longest / 5.0)
        right = [torch.allclose(f, scale * g) for f, g in zip(found, gradients, strict=True)]
        expect(all(right), f"with length 5 and longest={longest}: {[f.tolist() for f in found]}")


@answer
def bits_from_nats(function):
    """Try function(nats_per_token, n_tokens, n_bytes): bits per byte."""
    for nats, n_tokens, n_bytes in ((math.log(2), 8, 8), (2.0, 100, 260), (3.5, 7, 7)):
        expected = nats * n_tokens / math.log(2) / n_bytes
        found = function(nats, n_tokens, n_bytes)
        given = f"{nats:.3f} nats, {n_tokens} tokens, {n_bytes} bytes"
        expect(math.isclose(found, expected), f"{found} where {expected:.3f} is right, for {given}")


@answer
def tokens_per_parameter(function):
    """Try function(flops, A, B, alpha, beta): D / N at the best use of a budget C = 6ND."""
    for fit, law in FITS.items():
        for flops in (1e18, 5.76e23):
            best = law.optimum(flops)
            expected = best.n_tokens / best.n_params
            found = function(flops, law.A, law.B, law.alpha, law.beta)
            given = f"flops={flops:g} and the {fit} constants"
            is_right = math.isclose(found, expected, rel_tol=1e-6)
            expect(is_right, f"{found} where {expected:.4g} is right, for {given}")


@answer
def worth_of_repeated(function):
    """Try function(n_tokens, n_unique, decay): how many new tokens repeated ones are worth."""
    for n_tokens, n_unique, decay in ((50.0, 100.0, 15.0), (400.0, 100.0, 15.0), (9e6, 3e6, 2.0)):
        expected = worth(n_tokens, n_unique, decay)
        found = function(n_tokens, n_unique, decay)
        given = f"n_tokens={n_tokens:g}, n_unique={n_unique:g}, decay={decay:g}"
        is_right = math.isclose(found, expected, rel_tol=1e-6)
        expect(is_right, f"{found} where {expected:.6g} is right, for {given}")


@answer
def match_share(function):
    """Try function(right, length): the share of all runs of length tokens that are right."""
    right = [True, True, False, True, True, True, False]
    for length, expected in ((1, 5 / 7), (2, 3 / 6), (3, 1 / 5), (4, 0.0)):
        found = function(list(right), length)
        is_right = math.isclose(found, expected, abs_tol=1e-9)
        expect(is_right, f"{found} where {expected:.4f} is right, for length={length}")


@answer
def tiled_attention(function):
    """Try function(q, k, v, block_size): causal attention, tile by tile, of a few lengths."""
    generator = torch.Generator().manual_seed(0)
    for n_tokens in (1, 16, 17, 40, 100):
        q, k, v = torch.randn(3, 1, 2, n_tokens, 8, generator=generator)
        found, expected = function(q, k, v, 16), attention(q, k, v)
        kind = type(found).__name__
        expect(isinstance(found, torch.Tensor), f"returned {kind}, not a tensor")
        expect(found.shape == q.shape, f"the shape is {tuple(found.shape)}, not {tuple(q.shape)}")
        error = (found - expected).abs().max().item()
        expect(error < 1e-4, f"with tiles of 16 and T={n_tokens} it is off by {error:.2f}")


@answer
def windowed_cache_bytes(function):
    """Try function(L, G, D, n_tokens, bytes_per_value, n_windowed, window): bytes of a cache."""
    for n_tokens, n_windowed, expected in ((100, 0, 115_200), (100, 2, 92_160), (8, 2, 9216)):
        found = function(3, 4, 24, n_tokens, 2, n_windowed, 70)
        given = f"L=3, G=4, D=24, n_tokens={n_tokens}, 2 bytes, n_windowed={n_windowed}, window=70"
        expect(found == expected, f"{found} where {expected} is right, for {given}")


@answer
def acceptance(function):
    """Try function(p, q): the probability that a token drawn from q is accepted by p."""
    for p, q, expected in (
        ([0.5, 0.5, 0.0], [0.5, 0.5, 0.0], 1.0),
        ([1.0, 0.0, 0.0], [0.0, 0.5, 0.5], 0.0),
        ([0.7, 0.2, 0.1], [0.2, 0.3, 0.5], 0.5),
    ):
        found = float(function(torch.tensor(p), torch.tensor(q)))
        is_right = math.isclose(found, expected, abs_tol=1e-6)
        expect(is_right, f"{found:.3f} where {expected} is right, for p={p} and q={q}")


def expect(condition, reason):
    """Raise ValueError with the reason unless the condition holds."""
    if not condition:
        raise ValueError(reason)
