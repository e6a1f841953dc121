"""What the exercises call: each check tries a reader's function and answers in one line."""

import functools
import math

import torch
import torch.nn.functional as F

from gpt_helpers.architecture.attention import attention, causal_mask
from gpt_helpers.architecture.heads import after_same
from gpt_helpers.architecture.model import GPTLMHeadModel
from gpt_helpers.config import PRESETS, GPTConfig
from gpt_helpers.evaluation.accuracy import wilson
from gpt_helpers.exercises.grading import answer, expect, expect_tensor
from gpt_helpers.experiments.voting import majority
from gpt_helpers.scaling_laws.counts import count_parameters
from gpt_helpers.scaling_laws.data_limits import effective_amount
from gpt_helpers.scaling_laws.laws import FITS
from gpt_helpers.training.lora import add_lora, count_trained
from gpt_helpers.variants.sizes import MODEL_SIZES, built, count_all


@answer
def window_mask(function):
    """Try function(queries, keys, window): the causal mask of the last window keys only."""
    keys = torch.arange(6)
    for window in (1, 3, 6):
        for queries in (keys, keys[4:]):
            mask = function(queries, keys, window)
            expect_tensor(mask, (len(queries), 6), torch.bool)
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
        expect_tensor(filtered, (4, 9))
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
        expected = effective_amount(n_tokens, n_unique, decay)
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
        expect_tensor(found, q.shape)
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


@answer
def llama_parameters(function):
    """Try function(config): the parameters of a Llama, whose head does not share wte."""
    for name in ("Llama 2 7B", "Llama 3.1 8B", "Llama 3.1 70B"):
        expected, found = count_all(built(name)), function(MODEL_SIZES[name][1])
        expect(found == expected, f"{found} where {expected} is right, for {name}")


@answer
def output_norm(function):
    """Try function(x, attention, mlp, norm_1, norm_2): x plus the norm of each result (OLMo 2)."""
    x = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(0))
    attention, mlp = functools.partial(torch.cumsum, dim=1), torch.tanh
    norm_1 = functools.partial(F.rms_norm, normalized_shape=(4,))
    norm_2 = functools.partial(F.layer_norm, normalized_shape=(4,))
    found = function(x.clone(), attention, mlp, norm_1, norm_2)
    expect_tensor(found, x.shape)
    y = x + norm_1(attention(x))
    error = (found - y - norm_2(mlp(y))).abs().max().item()
    expect(error < 1e-5, f"it is off by {error:.3f}; what is normed, and when is it added?")


@answer
def induction_keys(function):
    """Try function(ids): (B, T, T) bool, True from each query to the keys after its own token."""
    generator = torch.Generator().manual_seed(0)
    for n_tokens in (2, 6, 9):
        ids = torch.randint(4, (2, n_tokens), generator=generator)
        found, expected = function(ids.clone()), after_same(ids)
        expect_tensor(found, expected.shape, torch.bool)
        wrong = (found != expected).nonzero().tolist()
        expect(not wrong, f"row, query and key {wrong[:1]} are wrong, for ids={ids.tolist()}")


@answer
def majority_vote(function):
    """Try function(answers): the integer that is in a list most often, of equals the smallest."""
    for answers in ([7], [3, 5, 5], [9, 2, 2, 9], [8, 8, 1, 0, 8, 1], [4, 10, 3]):
        found, expected = function(list(answers)), majority(torch.tensor([answers])).item()
        expect(found == expected, f"{found} where {expected} is right, for {answers}")


@answer
def lora_parameters(function):
    """Try function(config, rank): how many numbers low-rank updates of all blocks train."""
    small = GPTConfig(vocab_size=11, n_positions=7, n_embd=6, n_layer=2, n_head=3, n_inner=5)
    for config, rank in ((PRESETS["demo"], 4), (small, 1), (small, 3)):
        expected = count_trained(add_lora(GPTLMHeadModel(config), rank))
        found = function(config, rank)
        sizes = f"rank={rank}, C={config.n_embd}, F={config.mlp_width}, L={config.n_layer}"
        expect(found == expected, f"{found} where {expected} is right, for {sizes}")


@answer
def divided_compute(function):
    """Try function(compute_growth, exponent): how many times larger size and data get (C = 6ND)."""
    for growth, exponent in ((100.0, 0.5), (100.0, 0.73), (1000.0, 0.25)):
        expected = growth**exponent, growth ** (1 - exponent)
        found = tuple(function(growth, exponent))
        given = f"compute_growth={growth:g}, exponent={exponent:g}"
        is_right = len(found) == 2 and all(map(math.isclose, found, expected))
        expect(is_right, f"{found} where {expected} is right, for {given}")


@answer
def beyond_guessing(function):
    """Try function(right, n, chance): is the 95 % interval of the share above that of guessing?"""
    for right, n, chance in ((9, 10, 0.5), (7, 10, 0.5), (530, 1000, 0.5), (540, 1000, 0.5),
                             (6, 24, 0.1), (24, 200, 0.1), (5, 5, 0.5)):  # fmt: skip
        expected, found = wilson(right, n)[0] > chance, function(right, n, chance)
        given = f"{right} right of {n}, where guessing gives {chance:g}"
        expect(found == expected, f"{found} where {expected} is right, for {given}")
