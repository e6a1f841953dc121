"""What the exercises call: each check tries a reader's function, on cases of its own."""

import functools
import math

import torch
import torch.nn.functional as F

from gpt_helpers.architecture.attention import attention, causal_mask
from gpt_helpers.architecture.heads import after_same
from gpt_helpers.architecture.model import GPTLMHeadModel
from gpt_helpers.config import PRESETS, GPTConfig
from gpt_helpers.evaluation.accuracy import wilson
from gpt_helpers.exercises.grading import graded
from gpt_helpers.experiments.voting import majority
from gpt_helpers.scaling_laws.data_limits import effective_amount
from gpt_helpers.scaling_laws.laws import FITS, LossLaw
from gpt_helpers.training.lora import add_lora, count_trained
from gpt_helpers.variants.sizes import MODEL_SIZES, built, count_all

SMALLEST_GPT = GPTConfig(vocab_size=11, n_positions=7, n_embd=6, n_layer=2, n_head=3, n_inner=5)


def window_mask(function):
    """Try function(queries, keys, window): the causal mask of the last window keys only."""
    keys = torch.arange(6)
    cases = [(queries, keys, window) for window in (1, 3, 6) for queries in (keys, keys[4:])]
    cases.append((keys[1:4] + 5, keys + 5, 2))  # later positions, queries that are not the last
    return graded("window_mask", function, causal_mask, cases, ("query", "key"))


def layer_norm(function):
    """Try function(x, gain, bias, epsilon): each vector of C numbers, normalised by itself."""

    def right(x, gain, bias, epsilon):
        return F.layer_norm(x, gain.shape, gain, bias, epsilon)

    generator, ones = torch.Generator().manual_seed(0), torch.ones(4)
    cases = [(torch.tensor([[1.0, 3.0, 5.0, 7.0]]), ones, 0 * ones, 1e-5)]
    for shape, spread, epsilon in (((5, 3), 5.0, 0.0), ((2, 3, 5), 0.1, 0.1)):
        x = 2 + spread * torch.randn(shape, generator=generator)
        gain, bias = torch.randint(-4, 5, (2, shape[-1]), generator=generator).float()
        cases.append((x, gain, bias, epsilon))
    return graded("layer_norm", function, right, cases, ("row", "position", "dimension"))


def min_p_filter(function):
    """Try function(logits, min_p): drop tokens below min_p times the highest probability."""

    def right(logits, min_p):
        probabilities = logits.softmax(-1)
        least = min_p * probabilities.amax(-1, keepdim=True)
        return logits.masked_fill(probabilities < least, -torch.inf)

    generator = torch.Generator().manual_seed(0)
    cases = [
        (3 * torch.randn(shape, generator=generator), min_p)
        for shape in ((2, 3), (4, 9), (3, 3))
        for min_p in (0.05, 0.3, 1.0)
    ]
    return graded("min_p_filter", function, right, cases, ("row", "token"))


def inverse_root_schedule(function):
    """Try function(step, max_lr, warmup_steps): up in a line, down with the root of the step."""

    def right(step, max_lr, warmup_steps):
        done = step + 1
        return max_lr * min(done / warmup_steps, (warmup_steps / done) ** 0.5)

    cases = [
        (step, max_lr, warmup_steps)
        for max_lr, warmup_steps in ((1.0, 4), (3e-3, 100))
        for step in (0, 1, warmup_steps - 1, warmup_steps, 10 * warmup_steps)
    ]
    return graded("inverse_root_schedule", function, right, cases)


def clipped(function):
    """Try function(gradients, longest): all of them shorter by one factor, if they are too long."""

    def right(gradients, longest):
        length = math.sqrt(sum(gradient.square().sum().item() for gradient in gradients))
        return [gradient * min(1.0, longest / length) for gradient in gradients]

    two = [torch.tensor([3.0, 0.0]), torch.tensor([[0.0], [4.0]])]
    three = [torch.tensor([[1.0, -2.0], [-2.0, 4.0]]), torch.tensor([-5.0]), torch.tensor([5.0])]
    cases = [(gradients, most) for gradients in (two, three) for most in (1.0, 2.5, 5.0, 100.0)]
    return graded("clipped", function, right, cases, ("tensor", "row", "column"))


def bits_from_nats(function):
    """Try function(nats_per_token, n_tokens, n_bytes): bits per byte."""

    def right(nats_per_token, n_tokens, n_bytes):
        return nats_per_token * n_tokens / math.log(2) / n_bytes

    cases = [(math.log(2), 8, 8), (2.0, 100, 260), (3.5, 7, 7)]
    return graded("bits_from_nats", function, right, cases)


def tokens_per_parameter(function):
    """Try function(flops, A, B, alpha, beta): D / N at the best use of a budget C = 6ND."""

    def right(flops, A, B, alpha, beta):  # noqa: N803 - the names of the law
        best = LossLaw(0.0, A, B, alpha, beta, source="", flag="").optimum(flops)
        return best.n_tokens / best.n_params

    cases = [
        (flops, law.A, law.B, law.alpha, law.beta)
        for law in FITS.values()
        for flops in (1e18, 5.76e23)
    ]
    return graded("tokens_per_parameter", function, right, cases)


def worth_of_repeated(function):
    """Try function(n_tokens, n_unique, decay): how many new tokens repeated ones are worth."""

    def right(n_tokens, n_unique, decay):
        return effective_amount(n_tokens, n_unique, decay)

    cases = [(50.0, 100.0, 15.0), (400.0, 100.0, 15.0), (9e6, 3e6, 2.0), (100.0, 100.0, 4.0),
             (250.0, 100.0, 4.0)]  # fmt: skip
    return graded("worth_of_repeated", function, right, cases)


def match_share(function):
    """Try function(right, length): the share of all runs of length tokens that are right."""

    def share(right, length):
        runs = [all(right[start : start + length]) for start in range(len(right) - length + 1)]
        return sum(runs) / len(runs)

    rows = ([True, True, False, True, True, True, False], [False, True, True, True, True])
    cases = [(list(row), length) for row in rows for length in (1, 2, 3, 4, 5)]
    return graded("match_share", function, share, cases)


def tiled_attention(function):
    """Try function(q, k, v, block_size): causal attention, tile by tile, of a few lengths."""

    def right(q, k, v, block_size):
        return attention(q, k, v)

    def most_numbers(q, k, v, block_size):  # a tile of all queries, and what they have read
        return q[..., 0].numel() * (block_size + q.shape[-1])

    generator, cases = torch.Generator().manual_seed(0), []
    for n_tokens, block_size in ((1, 16), (16, 16), (17, 16), (40, 16), (23, 5), (200, 16)):
        q, k, v = torch.randn(3, 2, 2, n_tokens, 8, generator=generator)
        cases.append((q, k, v, block_size))
    axes = ("row", "head", "position", "dimension")
    return graded("tiled_attention", function, right, cases, axes, most_numbers)


def windowed_cache_bytes(function):
    """Try function(L, G, D, n_tokens, bytes_per_value, n_windowed, window): bytes of a cache."""

    def right(L, G, D, n_tokens, bytes_per_value, n_windowed, window):  # noqa: N803
        held = (L - n_windowed) * n_tokens + n_windowed * min(n_tokens, window)
        return 2 * held * G * D * bytes_per_value

    cases = [(3, 4, 24, 100, 2, 0, 70), (3, 4, 24, 100, 2, 2, 70), (3, 4, 24, 8, 2, 2, 70),
             (5, 2, 16, 300, 4, 5, 128)]  # fmt: skip
    return graded("windowed_cache_bytes", function, right, cases)


def acceptance(function):
    """Try function(p, q): the probability that a token drawn from q is accepted by p."""

    def right(p, q):
        return torch.minimum(p, q).sum().item()

    pairs = (
        ([0.5, 0.5, 0.0], [0.5, 0.5, 0.0]),
        ([1.0, 0.0, 0.0], [0.0, 0.5, 0.5]),
        ([0.7, 0.2, 0.1], [0.2, 0.3, 0.5]),
        ([0.4, 0.4, 0.1, 0.1], [0.1, 0.1, 0.4, 0.4]),
    )
    cases = [(torch.tensor(p), torch.tensor(q)) for p, q in pairs]
    return graded("acceptance", function, right, cases)


def llama_parameters(function):
    """Try function(config): the parameters of a Llama, whose head does not share wte."""
    counts = {
        MODEL_SIZES[name][1]: count_all(built(name))
        for name in ("Llama 2 7B", "Llama 3.1 8B", "Llama 3.1 70B")
    }

    def right(config):
        return counts[config]

    return graded("llama_parameters", function, right, [(config,) for config in counts])


def output_norm(function):
    """Try function(x, attention, mlp, norm_1, norm_2): x plus the norm of each result (OLMo 2)."""

    def right(x, attention, mlp, norm_1, norm_2):
        x = x + norm_1(attention(x))
        return x + norm_2(mlp(x))

    x = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(0))
    parts = (
        functools.partial(torch.cumsum, dim=1),
        torch.tanh,
        functools.partial(F.rms_norm, normalized_shape=(4,)),
        functools.partial(F.layer_norm, normalized_shape=(4,)),
    )
    cases = [(x, *parts), (x[:1, 1:], *parts)]
    return graded("output_norm", function, right, cases, ("row", "position", "dimension"))


def induction_keys(function):
    """Try function(ids): (B, T, T) bool, True from each query to the keys after its own token."""
    generator = torch.Generator().manual_seed(0)
    shapes = ((2, 2), (2, 6), (3, 9))
    cases = [(torch.randint(4, shape, generator=generator),) for shape in shapes]
    return graded("induction_keys", function, after_same, cases, ("row", "query", "key"))


def majority_vote(function):
    """Try function(answers): the integer that is in a list most often, of equals the smallest."""

    def right(answers):
        return majority(torch.tensor([answers])).item()

    cases = [([7],), ([3, 5, 5],), ([9, 2, 2, 9],), ([8, 8, 1, 0, 8, 1],), ([4, 10, 3],)]
    return graded("majority_vote", function, right, cases)


def lora_parameters(function):
    """Try function(config, rank): how many numbers low-rank updates of all blocks train."""

    def right(config, rank):
        with torch.random.fork_rng([]):
            return count_trained(add_lora(GPTLMHeadModel(config), rank))

    cases = [(PRESETS["demo"], 4), (SMALLEST_GPT, 1), (SMALLEST_GPT, 3)]
    return graded("lora_parameters", function, right, cases)


def divided_compute(function):
    """Try function(compute_growth, exponent): how many times larger size and data get (C = 6ND)."""

    def right(compute_growth, exponent):
        return compute_growth**exponent, compute_growth ** (1 - exponent)

    cases = [(100.0, 0.5), (100.0, 0.73), (1000.0, 0.25)]
    return graded("divided_compute", function, right, cases, ("result",))


def beyond_guessing(function):
    """Try function(right, n, chance): is the 95 % interval of the share above that of guessing?"""

    def is_beyond(right, n, chance):
        return wilson(right, n)[0] > chance

    cases = [(9, 10, 0.5), (7, 10, 0.5), (530, 1000, 0.5), (540, 1000, 0.5), (6, 24, 0.1),
             (24, 200, 0.1), (5, 5, 0.5), (114, 200, 0.5), (1043, 2000, 0.5),
             (2, 3, 0.5)]  # fmt: skip
    return graded("beyond_guessing", function, is_beyond, cases)
