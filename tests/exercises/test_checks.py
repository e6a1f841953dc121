"""Each check accepts right answers in any style, and none of many wrong ones.

RIGHT has ways to solve each exercise, WRONG what a reader may plausibly write; to both come
what can be made of any right answer: STYLES of its numbers, and SLIPS.
"""

import contextlib
import copy
import fractions
import itertools
import math
import re
import statistics
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from gpt_helpers.architecture import attention as attentions
from gpt_helpers.architecture.heads import after_same
from gpt_helpers.architecture.model import GPTLMHeadModel
from gpt_helpers.config import GPTConfig
from gpt_helpers.evaluation import losses
from gpt_helpers.evaluation.accuracy import Score, wilson
from gpt_helpers.exercises import checks
from gpt_helpers.exercises.grading import SAYINGS
from gpt_helpers.exercises.solutions import SOLUTIONS
from gpt_helpers.experiments.voting import majority
from gpt_helpers.optimization.speculative import expected_acceptance
from gpt_helpers.optimization.tiled import TiledAttention, attention_tiled
from gpt_helpers.scaling_laws.counts import kv_cache_bytes
from gpt_helpers.scaling_laws.data_limits import RepetitionLaw, effective_amount
from gpt_helpers.scaling_laws.laws import FITS, LossLaw, compute_optimal
from gpt_helpers.training.lora import add_lora, count_trained
from gpt_helpers.variants.llama import LlamaLMHeadModel
from gpt_helpers.variants.sizes import count_all


def right_mask(queries, keys, window):
    """Return the causal mask of the last window keys."""
    distance = queries[:, None] - keys
    return (distance >= 0) & (distance < window)


def mask_by_loops(queries, keys, window):
    """Return the same, entry by entry."""
    mask = torch.zeros(len(queries), len(keys), dtype=torch.bool)
    for row, query in enumerate(queries.tolist()):
        for column, key in enumerate(keys.tolist()):
            mask[row, column] = query - window < key <= query
    return mask


def mask_of_the_first_keys(queries, keys, window):
    """Return a mask of as many keys, but the first ones and the query's own."""
    others = keys < (queries[:, None] + 1).clamp(max=window) - 1
    return others | (keys == queries[:, None])


def right_filter(logits, min_p):
    """Return logits without the tokens below min_p times the highest probability."""
    probabilities = logits.softmax(-1)
    least = min_p * probabilities.amax(-1, keepdim=True)
    return logits.masked_fill(probabilities < least, -torch.inf)


def filter_by_logits(logits, min_p):
    """Return the same from logarithms, written into a copy."""
    result = logits.clone()
    result[logits - logits.amax(-1, keepdim=True) < math.log(min_p)] = -torch.inf
    return result


def filled(logits, min_p, value):
    """Return logits with another value for those that are dropped."""
    return right_filter(logits, min_p).masked_fill(right_filter(logits, min_p).isinf(), value)


def right_schedule(step, max_lr, warmup_steps):
    """Return the learning rate of the first Transformer, scaled to its highest."""
    return max_lr * min((step + 1) / warmup_steps, (warmup_steps / (step + 1)) ** 0.5)


def schedule_by_branches(step, max_lr, warmup_steps):
    """Return the same by NumPy."""
    if step < warmup_steps:
        return np.float64(max_lr) * (step + 1) / warmup_steps
    return max_lr * np.sqrt(warmup_steps / (step + 1))


def right_clipping(gradients, longest):
    """Return the gradients, shortened together."""
    length = float(sum((gradient**2).sum() for gradient in gradients) ** 0.5)
    return [gradient * min(1.0, longest / length) for gradient in gradients]


def clipping_in_copies(gradients, longest):
    """Return the same as a tuple, by PyTorch, which writes into its arguments."""
    parameters = [torch.nn.Parameter(torch.zeros_like(gradient)) for gradient in gradients]
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = gradient.clone()
    torch.nn.utils.clip_grad_norm_(parameters, longest)
    return tuple(parameter.grad for parameter in parameters)


def scaled_by(gradients, factor):
    """Return all gradients times a factor."""
    return [gradient * factor for gradient in gradients]


def right_bits(nats, n_tokens, n_bytes):
    """Return bits per byte."""
    return nats * n_tokens / math.log(2) / n_bytes


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


def share_by_unfold(right, length):
    """Return the same by PyTorch, as a tensor of 32 bits."""
    return torch.tensor(right).unfold(0, length, 1).all(-1).float().mean()


def tiles_of(q, k, v, block_size, rescaled=True, whole_tiles_only=False, masked=True):
    """Return attention over tiles of keys, by a reader who may have forgotten something."""
    n_tokens = q.shape[2]
    n_read = n_tokens // block_size * block_size if whole_tiles_only else n_tokens
    highest, total = torch.full_like(q[..., :1], -1e30), torch.zeros_like(q[..., :1])
    mixed, queries = torch.zeros_like(q), torch.arange(n_tokens)[:, None]
    for start in range(0, n_read, block_size):
        keys = torch.arange(start, min(start + block_size, n_read))
        scores = q @ k[:, :, keys].mT / q.shape[-1] ** 0.5
        if masked:
            scores = scores.masked_fill(keys > queries, -torch.inf)
        raised = highest.maximum(scores.amax(-1, keepdim=True))
        rescale = (highest - raised).exp() if rescaled else 1.0
        weights = (scores - raised).exp()
        total = total * rescale + weights.sum(-1, keepdim=True)
        mixed, highest = mixed * rescale + weights @ v[:, :, keys], raised
    return mixed / total


def tiles_head_by_head(q, k, v, block_size):
    """Return the same, one head of one row at a time."""
    result = torch.empty_like(q)
    for row, head in itertools.product(range(q.shape[0]), range(q.shape[1])):
        rows, heads = slice(row, row + 1), slice(head, head + 1)
        one = (x[rows, heads] for x in (q, k, v))
        result[rows, heads] = tiles_of(*one, block_size)
    return result


def whole_matrix(q, k, v, by_heads=False):
    """Return attention of which the whole matrix of scores is formed, of each head or of all."""
    hidden = torch.ones(q.shape[-2], q.shape[-2], dtype=torch.bool).triu(1)
    if by_heads:
        heads = zip(q.flatten(0, 1), k.flatten(0, 1), v.flatten(0, 1), strict=True)
        return torch.stack([whole_matrix(*(x[None] for x in h))[0] for h in heads]).view_as(q)
    return (q @ k.mT / q.shape[-1] ** 0.5).masked_fill(hidden, -torch.inf).softmax(-1) @ v


def right_cache_bytes(n_layer, n_groups, width, n_tokens, bytes_per_value, n_windowed, window):
    """Return the bytes of a cache of which n_windowed layers keep the last window tokens."""
    held = (n_layer - n_windowed) * n_tokens + n_windowed * min(n_tokens, window)
    return 2 * n_groups * width * bytes_per_value * held


def right_llama(config):
    """Return the parameters of a Llama."""
    width = config.n_embd
    attending = 2 * width * (config.n_head * config.head_width + config.key_width)
    block = attending + 3 * width * config.mlp_width + 2 * width
    return 2 * config.vocab_size * width + config.n_layer * block + width


def right_block(x, attention, mlp, norm_1, norm_2):
    """Return what OLMo 2's block does."""
    x = x + norm_1(attention(x))
    return x + norm_2(mlp(x))


def block_in_place(x, attention, mlp, norm_1, norm_2):
    """Return the same, added up in a copy."""
    x = x.clone()
    x += norm_1(attention(x))
    x += norm_2(mlp(x))
    return x


def right_keys(ids):
    """Return where the token before a key is the query's own, and the key is not in the future."""
    same = F.pad(ids[:, :, None] == ids[:, None, :-1], (1, 0))
    return same.tril()


def keys_by_loops(ids):
    """Return the same, entry by entry."""
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


def right_division(compute_growth, exponent):
    """Return how many times larger size and data get."""
    return compute_growth**exponent, compute_growth ** (1 - exponent)


def ends(right, n, z=1.96):
    """Return the lower and the upper end of Wilson's interval."""
    share = right / n
    middle, half = share + z * z / (2 * n), (share * (1 - share) / n + (z / (2 * n)) ** 2) ** 0.5
    return [(middle + sign * z * half) / (1 + z * z / n) for sign in (-1, 1)]


def right_guess(right, n, chance, z=1.96):
    """Return whether Wilson's lower end is above chance."""
    return ends(right, n, z)[0] > chance


def above_by_deviations(right, n, chance):
    """Return whether share - 1.96 deviations is above chance: the interval that Wilson mends."""
    share = right / n
    return share - 1.96 * (share * (1 - share) / n) ** 0.5 > chance


def right_norm(x, gain, bias, epsilon):
    """Return the vectors of x, each with mean 0 and variance 1, times gain, plus bias."""
    centred = x - x.mean(-1, keepdim=True)
    return centred / (centred.square().mean(-1, keepdim=True) + epsilon).sqrt() * gain + bias


def norm_row_by_row(x, gain, bias, epsilon):
    """Return what right_norm does, by loops over the vectors."""
    rows = [
        (row - row.mean()) / (row.var(correction=0) + epsilon) ** 0.5 for row in x.flatten(0, -2)
    ]
    return torch.stack(rows).view(x.shape) * gain + bias


def norm_by_samples(x, gain, bias, epsilon):
    """Return the norm with the variance of a sample, divided by C - 1: PyTorch's default."""
    spread = (x.var(-1, keepdim=True) + epsilon).sqrt()
    return (x - x.mean(-1, keepdim=True)) / spread * gain + bias


RIGHT = {
    checks.window_mask: [
        right_mask,
        mask_by_loops,
        lambda q, k, w: attentions.causal_mask(q, k) & (k > q[:, None] - w),
        lambda q, k, w: attentions.causal_mask(q, k) ^ attentions.causal_mask(q - w, k),
        lambda q, k, w: right_mask(q, k, w).numpy(),
    ],
    checks.layer_norm: [
        right_norm,
        norm_row_by_row,
        lambda x, g, b, e: right_norm(x.double(), g, b, e),
    ],
    checks.min_p_filter: [right_filter, filter_by_logits, lambda x, p: right_filter(x.double(), p)],
    checks.inverse_root_schedule: [right_schedule, schedule_by_branches],
    checks.clipped: [right_clipping, clipping_in_copies],
    checks.bits_from_nats: [right_bits, lambda x, t, b: torch.tensor(x * t / b) / math.log(2)],
    checks.tokens_per_parameter: [right_ratio],
    checks.worth_of_repeated: [right_worth],
    checks.match_share: [right_share, share_by_unfold],
    checks.tiled_attention: [
        tiles_of,
        lambda q, k, v, n: tiles_of(q.double(), k.double(), v.double(), n),
        tiles_head_by_head,
        lambda q, k, v, n: tiles_of(q.requires_grad_(False), k, v, n),
    ],
    checks.windowed_cache_bytes: [right_cache_bytes],
    checks.acceptance: [
        lambda p, q: torch.minimum(p, q).sum(),
        lambda p, q: 1 - (p - q).abs().sum() / 2,
        lambda p, q: sum(
            min(one, other) for one, other in zip(p.tolist(), q.tolist(), strict=True)
        ),
    ],
    checks.llama_parameters: [right_llama],
    checks.output_norm: [right_block, block_in_place],
    checks.induction_keys: [right_keys, keys_by_loops],
    checks.majority_vote: [
        right_vote,
        lambda answers: np.bincount(answers).argmax(),
        lambda answers: torch.tensor(answers).mode().values,
        lambda answers: min(statistics.multimode(answers)),
    ],
    checks.lora_parameters: [right_updates],
    checks.divided_compute: [
        right_division,
        lambda c, a: [c**a, c / c**a],
        lambda c, a: np.array(right_division(c, a)),
        lambda c, a: torch.tensor(right_division(c, a)),
    ],
    checks.beyond_guessing: [right_guess],
}
WRONG = {
    checks.window_mask: [
        mask_of_the_first_keys,
        lambda q, k, w: attentions.visible_keys(q, k, window=w),
        lambda q, k, w: k <= q[:, None],
        lambda q, k, w: right_mask(q, torch.arange(len(k)), w),
        lambda q, k, w: right_mask(k[len(k) - len(q) :], k, w),
        lambda q, k, w: right_mask(q, k, w + 1),
        lambda q, k, w: right_mask(q, k, w - 1),
        lambda q, k, w: right_mask(k, k, w),
        lambda q, k, w: right_mask(q, k, w).T,
        lambda q, k, w: right_mask(q, k, w).int(),
        lambda q, k, w: ~right_mask(q, k, w),
        lambda q, k, w: right_mask(q, k, 3),
        lambda q, k, w: (q[:, None] - k).abs() < w,
        lambda q, k, w: torch.ones(len(q), len(k), dtype=torch.bool).tril().triu(1 - w),
        lambda q, k, w: k[-1],
    ],
    checks.layer_norm: [
        lambda x, g, b, e: x,
        norm_by_samples,
        lambda x, g, b, e: right_norm(x, g, b, 1e-5),
        lambda x, g, b, e: right_norm(x, g, b, 0.0),
        lambda x, g, b, e: right_norm(x, g, b, e**2),
        lambda x, g, b, e: right_norm(x, 1.0, b, e),
        lambda x, g, b, e: right_norm(x, g, 0.0, e),
        lambda x, g, b, e: right_norm(x, g, g, e),
        lambda x, g, b, e: (right_norm(x, 1.0, 0.0, e) + b) * g,
        lambda x, g, b, e: right_norm(x.flatten(), g.mean(), b.mean(), e).view(x.shape),
        lambda x, g, b, e: right_norm(x.mT, 1.0, 0.0, e).mT * g + b,
        lambda x, g, b, e: x / (x.square().mean(-1, keepdim=True) + e).sqrt() * g + b,
        lambda x, g, b, e: (x - x.mean(-1, keepdim=True)) * g + b,
        lambda x, g, b, e: x.sub_(x.mean(-1, keepdim=True)) * g + b,
        lambda x, g, b, e: right_norm(x, g, b, e)[0],
        lambda x, g, b, e: x.nothing,
    ],
    checks.min_p_filter: [
        lambda x, p: x,
        lambda x, p: x.fill_(0.0),
        lambda x, p: right_filter(x, p / 2),
        lambda x, p: right_filter(x, p) + 1,
        lambda x, p: right_filter(x, p).softmax(-1),
        lambda x, p: right_filter(x, p)[0],
        lambda x, p: right_filter(x.T, p).T,
        lambda x, p: x.masked_fill(x.softmax(-1) < p, -torch.inf),
        lambda x, p: x.masked_fill(x < p * x.amax(-1, keepdim=True), -torch.inf),
        lambda x, p: x.masked_fill(x.softmax(-1) < p * x.softmax(-1).amax(), -torch.inf),
        lambda x, p: x.masked_fill(x.softmax(-1) <= p * x.softmax(-1).amax(-1, True), -torch.inf),
        lambda x, p: filled(x, p, torch.nan),
        lambda x, p: filled(x, p, torch.inf),
        lambda x, p: filled(x, p, -1e9),
        lambda x, p: filled(x, p, 0.0),
        lambda x, p: right_filter(x, p).tolist(),
    ],
    checks.inverse_root_schedule: [
        lambda step, top, warmup: right_schedule(max(step, 1), top, warmup),
        lambda step, top, warmup: right_schedule(step + 1, top, warmup),
        lambda step, top, warmup: top,
        lambda step, top, warmup: top * min(step / warmup, (warmup / max(step, 1)) ** 0.5),
        lambda step, top, warmup: top * min((step + 1) / warmup, warmup / (step + 1)),
        lambda step, top, warmup: top * max((step + 1) / warmup, (warmup / (step + 1)) ** 0.5),
        lambda step, top, warmup: right_schedule(step, 1.0, warmup),
        lambda step, top, warmup: right_schedule(step, top, 4),
        lambda step, top, warmup: top * min(1, (step + 1) / warmup),
        lambda step, top, warmup: top * min(1, (warmup / (step + 1)) ** 0.5),
    ],
    checks.clipped: [
        lambda g, longest: g,
        lambda g, longest: right_clipping(g, 1.0),
        lambda g, longest: [right_clipping([x], longest)[0] for x in g],
        lambda g, longest: [x.clamp(-longest, longest) for x in g],
        lambda g, longest: scaled_by(g, longest / 5.0),
        lambda g, longest: scaled_by(g, min(1, longest / sum(x.abs().sum() for x in g))),
        lambda g, longest: scaled_by(g, min(1, longest / max(x.abs().max() for x in g))),
        lambda g, longest: scaled_by(g, min(1, longest / sum((x**2).sum() for x in g))),
        lambda g, longest: scaled_by(g, min(1, longest / sum(x.norm() for x in g))),
        lambda g, longest: [x.mul_(y) for x, y in zip(g, right_clipping(g, longest), strict=True)],
        lambda g, longest: right_clipping(g, longest)[::-1],
        lambda g, longest: [x.flatten() for x in right_clipping(g, longest)],
        lambda g, longest: g[0],
        lambda g, longest: [],
        lambda g, longest: (x for x in right_clipping(g, longest)),
    ],
    checks.bits_from_nats: [
        lambda nats, t, b: nats,
        lambda nats, t, b: nats / math.log(2),
        lambda nats, t, b: nats * t / b,
        lambda nats, t, b: nats * math.log(2) * t / b,
        lambda nats, t, b: nats / math.log(2) * b / t,
        lambda nats, t, b: nats * t / math.log10(2) / b,
        lambda nats, t, b: right_bits(nats, t, b) / 8,
        lambda nats, t, b: right_bits(nats, t, b) * t,
        lambda nats, t, b: round(right_bits(nats, t, b), 2),
        lambda nats, t, b: 1.0,
    ],
    checks.tokens_per_parameter: [
        lambda *given: 20,
        lambda c, a, b, alpha, beta: right_ratio(6 * c, a, b, alpha, beta),
        lambda c, a, b, alpha, beta: 1 / right_ratio(c, a, b, alpha, beta),
        lambda c, a, b, alpha, beta: right_ratio(c, a, b, beta, alpha),
        lambda c, a, b, alpha, beta: right_ratio(c, b, a, alpha, beta),
        lambda c, a, b, alpha, beta: right_ratio(c, a, b, 0.34, 0.28),
        lambda c, a, b, alpha, beta: right_ratio(c, a, b, alpha, beta) ** 0.5,
        lambda c, a, b, alpha, beta: right_ratio(c, 406.4, 410.7, alpha, beta),
        lambda c, a, b, alpha, beta: 1.001 * right_ratio(c, a, b, alpha, beta),
    ],
    checks.worth_of_repeated: [
        lambda n, u, r: n,
        lambda n, u, r: u,
        lambda n, u, r: min(n, u),
        lambda n, u, r: right_worth(n, u, r) if n > u else u,
        lambda n, u, r: right_worth(n, u, 15.0),
        lambda n, u, r: right_worth(n, u, r) if n != u else 0.0,
        lambda n, u, r: right_worth(n // u * u, u, r) if n > u else n,
        lambda n, u, r: right_worth(math.ceil(n / u) * u, u, r) if n > u else n,
        lambda n, u, r: u + u * r * (1 - math.exp(-(n / u - 1) / r)),
        lambda n, u, r: min(n, u) + u * r * (1 - math.exp(-max(n / u, 0) / r)),
        lambda n, u, r: min(n, u) + r * (1 - math.exp(-max(n / u - 1, 0) / r)),
        lambda n, u, r: min(n, u) + u * (1 - math.exp(-max(n / u - 1, 0) / r)),
        lambda n, u, r: min(n, u) + u * r * math.exp(-max(n / u - 1, 0) / r),
    ],
    checks.match_share: [
        lambda right, n: (sum(right) / len(right)) ** n,
        lambda right, n: right_share(right, n) / 2,
        lambda right, n: sum(right) / len(right),
        lambda right, n: right_share(right, n + 1) if len(right) > n else 0.0,
        lambda right, n: right_share(right, max(n - 1, 1)),
        lambda right, n: sum(all(right[i : i + n]) for i in range(len(right))) / len(right),
        lambda right, n: right_share(right, n) * (len(right) - n + 1),
        lambda right, n: right_share(right, n) * (len(right) - n + 1) / len(right),
        lambda right, n: statistics.mean(all(right[i : i + n]) for i in range(0, len(right), n)),
        lambda right, n: statistics.mean(any(right[i : i + n]) for i in range(len(right) - n + 1)),
        lambda right, n: right_share([True, True, False, True, True, True, False], n),
        lambda right, n: right_share([right.pop(0), *right][1:], n),
    ],
    checks.tiled_attention: [
        lambda q, k, v, n: tiles_of(q, k, v, n)[0],
        lambda q, k, v, n: tiles_of(q, q, v, n),
        lambda q, k, v, n: tiles_of(q, k, v, n).mT,
        lambda q, k, v, n: (q @ k.mT).softmax(-1) @ v,
        lambda q, k, v, n: tiles_of(q * 8**0.5, k, v, n),
        lambda q, k, v, n: tiles_of(q, k, v, n, rescaled=False),
        lambda q, k, v, n: tiles_of(q, k, v, n, whole_tiles_only=True),
        lambda q, k, v, n: tiles_of(q, k, v, n, masked=False),
        lambda q, k, v, n: tiles_of(q, k, v, n).half(),
        lambda q, k, v, n: tiles_of(q, k, v, n) + 1e-3,
        lambda q, k, v, n: tiles_of(q, k, v.zero_(), n),
        lambda q, k, v, n: tiles_of(q, k, v, q.shape[2]),
        lambda q, k, v, n: tiles_of(q, k, v, n // 2) if q.shape[2] < n else q,
        lambda q, k, v, n: whole_matrix(q, k, v),
        lambda q, k, v, n: whole_matrix(q, k, v, by_heads=True),
    ],
    checks.windowed_cache_bytes: [
        lambda n, g, d, t, b, m, w: n * right_cache_bytes(1, g, d, t, b, 0, w),
        lambda n, g, d, t, b, m, w: 2 * g * d * b * ((n - m) * t + m * w),
        lambda n, g, d, t, b, m, w: 2 * g * d * b * (n * t + m * min(t, w)),
        lambda n, g, d, t, b, m, w: 2 * g * d * b * (m * t + (n - m) * min(t, w)),
        lambda n, g, d, t, b, m, w: 2 * g * d * b * n * min(t, w),
        lambda *sizes: right_cache_bytes(*sizes) // 2,
        lambda *sizes: right_cache_bytes(*sizes) * 8,
        lambda n, g, d, t, b, m, w: right_cache_bytes(n, g, d, t, 2, m, w),
        lambda n, g, d, t, b, m, w: right_cache_bytes(n, g, 24, t, b, m, w),
        lambda *sizes: right_cache_bytes(*sizes) + 1,
    ],
    checks.acceptance: [
        lambda p, q: (p * q).sum(),
        lambda p, q: torch.maximum(p, q).sum(),
        lambda p, q: (p >= q).float().mean(),
        lambda p, q: torch.minimum(p, q),
        lambda p, q: torch.minimum(p, q).mean(),
        lambda p, q: torch.minimum(p, q).sum(-1, keepdim=True),
        lambda p, q: 1 - (p - q).abs().sum(),
        lambda p, q: 1 - (p - q).abs().max(),
        lambda p, q: (p * q).sqrt().sum(),
        lambda p, q: (p / q).clamp(max=1).mean(),
        lambda p, q: (p / q).clamp(max=1).nan_to_num().sum(),
        lambda p, q: bool((p == q).all()),
    ],
    checks.llama_parameters: [
        lambda c: 2 * c.vocab_size * c.n_embd,
        lambda c: right_llama(c) - c.vocab_size * c.n_embd,
        lambda c: right_llama(c) - c.n_embd,
        lambda c: right_llama(c) - 2 * c.n_layer * c.n_embd,
        lambda c: right_llama(c) + c.n_layer * (c.mlp_width * 2 + c.n_embd),
        lambda c: right_llama(c) - c.n_layer * c.n_embd * c.mlp_width,
        lambda c: right_llama(c) + 2 * c.n_layer * c.n_embd * (c.n_embd - c.key_width),
        lambda c: right_llama(c) + c.n_positions * c.n_embd,
        lambda c: 6738415616,
        lambda c: right_llama(c) + 1,
    ],
    checks.output_norm: [
        lambda x, a, m, n1, n2: x + a(n1(x)),
        lambda x, a, m, n1, n2: right_block(x, lambda y: a(n1(y)), lambda y: m(n2(y)), abs, abs),
        lambda x, a, m, n1, n2: right_block(x, a, m, n2, n1),
        lambda x, a, m, n1, n2: right_block(x, m, a, n1, n2),
        lambda x, a, m, n1, n2: n2(n1(x + a(x)) + m(n1(x + a(x)))),
        lambda x, a, m, n1, n2: x + n1(a(x)) + n2(m(x)),
        lambda x, a, m, n1, n2: n1(a(x)) + n2(m(n1(a(x)))),
        lambda x, a, m, n1, n2: x + n1(a(x)),
        lambda x, a, m, n1, n2: x.copy_(right_block(x, a, m, n1, n2)),
        lambda x, a, m, n1, n2: right_block(x, a, m, n1, n2).mean(0),
    ],
    checks.induction_keys: [
        lambda ids: right_keys(ids)[0],
        lambda ids: right_keys(ids).float(),
        lambda ids: right_keys(ids).mT,
        lambda ids: (ids[:, :, None] == ids[:, None]).tril(),
        lambda ids: (ids[:, :, None] == ids.roll(1, 1)[:, None]).tril(),
        lambda ids: right_keys(ids).tril(-1),
        lambda ids: F.pad(ids[:, :, None] == ids[:, None, :-1], (1, 0)),
        lambda ids: (ids[:, :, None] == ids.roll(-1, 1)[:, None]).tril(),
        lambda ids: right_keys(ids[:1]).expand(len(ids), -1, -1),
        lambda ids: right_keys(ids) & (right_keys(ids).cumsum(-1) == 1),
        lambda ids: right_keys(ids) & (right_keys(ids).flip(-1).cumsum(-1).flip(-1) == 1),
        lambda ids: right_keys(ids).nonzero(),
    ],
    checks.majority_vote: [
        lambda answers: answers[0],
        lambda answers: answers[-1],
        lambda answers: max(answers, key=answers.count),
        lambda answers: max(sorted(answers, reverse=True), key=answers.count),
        lambda answers: sorted(answers)[len(answers) // 2],
        lambda answers: min(answers),
        lambda answers: max(answers),
        lambda answers: statistics.mean(answers),
        lambda answers: statistics.multimode(answers),
        lambda answers: answers.count(right_vote(answers)),
        lambda answers: (answers.sort(), right_vote(answers))[1],
        lambda answers: str(right_vote(answers)),
    ],
    checks.lora_parameters: [
        lambda c, rank: 2 * right_updates(c, rank),
        lambda c, rank: rank * c.n_layer * 16 * c.n_embd,
        lambda c, rank: right_updates(c, 4),
        lambda c, rank: right_updates(c, rank) // c.n_layer,
        lambda c, rank: rank * c.n_layer * (5 * c.n_embd + c.mlp_width),
        lambda c, rank: rank * c.n_layer * (6 * c.n_embd + 2 * c.mlp_width),
        lambda c, rank: rank * c.n_layer * 4 * c.n_embd,
        lambda c, rank: c.n_layer * (4 * c.n_embd**2 + 2 * c.n_embd * c.mlp_width),
        lambda c, rank: right_updates(c, rank) + rank * c.n_layer,
        lambda c, rank: right_updates(c, rank) + c.vocab_size * rank,
    ],
    checks.divided_compute: [
        lambda c, a: (c * a, c * (1 - a)),
        lambda c, a: (c ** (1 - a), c**a),
        lambda c, a: [c**a],
        lambda c, a: c**a,
        lambda c, a: (c**a, c**a),
        lambda c, a: (c, c),
        lambda c, a: (c**a, c - c**a),
        lambda c, a: (c**0.5, c**0.5),
        lambda c, a: (*right_division(c, a), c),
        lambda c, a: {right_division(c, a)[0], right_division(c, a)[1]},
        lambda c, a: (c**a, (c / 6) ** (1 - a)),
    ],
    checks.beyond_guessing: [
        lambda right, n, chance: right / n > chance,
        above_by_deviations,
        lambda right, n, chance: ends(right, n)[1] > chance,
        lambda right, n, chance: right_guess(right, n, chance, z=1.645),
        lambda right, n, chance: right_guess(right, n, chance, z=2.576),
        lambda right, n, chance: right_guess(right, n, chance, z=2.0),
        lambda right, n, chance: right_guess(right, n, chance, z=1.9),
        lambda right, n, chance: n <= 5 or right_guess(right, n, chance),
        lambda right, n, chance: right_guess(right, n, chance, z=1.0),
        lambda right, n, chance: right_guess(right, n, 0.5),
        lambda right, n, chance: ends(right, n)[0] < chance,
        lambda right, n, chance: ends(right, n)[0],
        lambda right, n, chance: True,
        lambda right, n, chance: False,
        lambda right, n, chance: n >= 100,
    ],
}


SOLVED = {  # what of the book, and of PyTorch, is the answer itself
    checks.window_mask: [lambda q, k, w: attentions.causal_mask(q, k, w)],
    checks.layer_norm: [
        lambda x, g, b, e: F.layer_norm(x, g.shape, g, b, e),
        lambda x, g, b, e: torch.nn.LayerNorm(len(g), e, elementwise_affine=False)(x) * g + b,
    ],
    checks.bits_from_nats: [lambda nats, t, b: losses.bits_per_byte(nats, b / t)],
    checks.tokens_per_parameter: [
        lambda c, *law: ratio_of(LossLaw(0.0, *law, "", "").optimum(c)),
        lambda c, *law: ratio_of(compute_optimal(c, LossLaw(0.0, *law, "", ""))),
    ],
    checks.worth_of_repeated: [
        effective_amount,
        lambda n, u, r: RepetitionLaw(FITS["refit"], r, r, "", "").effective_tokens(n, u),
    ],
    checks.tiled_attention: [
        lambda q, k, v, n: attention_tiled(q, k, v, block_size=n),
        lambda q, k, v, n: TiledAttention.apply(q, k, v, None, None, n),
        lambda q, k, v, n: attentions.attention(q, k, v),
        lambda q, k, v, n: attentions.attention_fused(q, k, v),
        lambda q, k, v, n: F.scaled_dot_product_attention(q, k, v, is_causal=True),
    ],
    checks.windowed_cache_bytes: [
        lambda n, g, d, t, b, m, w: kept_by(n - m, g, d, t, b) + kept_by(m, g, d, min(t, w), b),
    ],
    checks.acceptance: [expected_acceptance, lambda p, q: expected_acceptance(p, q).item()],
    checks.llama_parameters: [
        lambda c: count_all(without_memory(c)),
        lambda c: sum(x.numel() for x in without_memory(c).parameters()),
    ],
    checks.induction_keys: [after_same],
    checks.majority_vote: [lambda answers: majority(torch.tensor([answers])).item()],
    checks.lora_parameters: [lambda c, rank: count_trained(add_lora(GPTLMHeadModel(c), rank))],
    checks.beyond_guessing: [
        lambda right, n, chance: wilson(right, n)[0] > chance,
        lambda right, n, chance: Score(right, n).interval[0] > chance,
    ],
}


def without_memory(config):
    """Return a Llama that has shapes, and no numbers."""
    with torch.device("meta"):
        return LlamaLMHeadModel(config)


def ratio_of(optimum):
    """Return the tokens per parameter of an Optimum."""
    return optimum.n_tokens / optimum.n_params


def kept_by(n_layer, n_groups, width, n_tokens, bytes_per_value):
    """Return the bytes of keys and values in so many layers."""
    if n_layer == 0:
        return 0
    config = GPTConfig(2, n_tokens, n_groups * width, n_layer, n_groups)
    return kv_cache_bytes(config, n_tokens, bytes_per_value)


def in_a_thread(function):
    """Return a function that has another thread do its work."""

    def answer(*arguments):
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(function, *arguments).result()

    return answer


def unseen(function):
    """Return a function that goes on in whatever way the call ends."""

    def answer(*arguments):
        with contextlib.suppress(BaseException):
            return function(*arguments)

    return answer


def all_checks():
    """Return every check of the module."""
    return [f for f in vars(checks).values() if getattr(f, "__module__", "") == checks.__name__]


def changed(result, change):
    """Return a result with change applied to its numbers, one by one or as a tensor."""
    if isinstance(result, list | tuple):
        return type(result)(changed(part, change) for part in result)
    return change(result)


def as_tensor(number):
    """Return a number as a tensor without axes, of 64 bits."""
    return torch.as_tensor(np.asarray(number))


STYLES = {
    "torch": as_tensor,
    "NumPy": lambda x: x.numpy() if isinstance(x, torch.Tensor) else np.asarray(x)[()],
    "a NumPy array": lambda x: x.numpy() if isinstance(x, torch.Tensor) else np.asarray(x),
    "double": lambda x: x.double() if is_float_tensor(x) else x,
    "a fraction": lambda x: fractions.Fraction(x) if type(x) in (int, float) else x,
    "with a gradient": lambda x: x.clone().requires_grad_() if is_float_tensor(x) else x,
    "turned round": lambda x: turned_round(x) if isinstance(x, torch.Tensor) else x,
    "of another machine": lambda x: of_another_machine(x) if isinstance(x, torch.Tensor) else x,
    "sparse": lambda x: x.to_sparse() if is_tensor(x) and not x.isinf().any() else x,
    "not contiguous": lambda x: x.mT.clone().mT if getattr(x, "ndim", 0) > 1 else x,
}
SLIPS = {
    "returns nothing": lambda x: None,
    "returns a text": str,
    "returns NaN": lambda x: x * math.nan,
    "returns infinity": lambda x: torch.full_like(x, math.inf) if is_tensor(x) else math.inf,
    "returns a wrong shape": lambda x: x[None] if is_tensor(x) else [[x]],
    "raises": lambda x: 1 // 0,
    "returns a function": lambda x: len,
    "returns a generator": lambda x: (part for part in [x]),
    "returns complex numbers": lambda x: x * 1j,
    "raises without a word": lambda x: next(iter(())),
}


def turned_round(x):
    """Return a tensor as an array whose memory runs backwards."""
    return np.flip(np.flip(x.numpy()).copy())


def of_another_machine(x):
    """Return a tensor as an array whose bytes stand in the other order."""
    return x.numpy().astype(x.numpy().dtype.newbyteorder("S"))


def is_tensor(x):
    """Return whether x is a tensor."""
    return isinstance(x, torch.Tensor)


def is_float_tensor(x):
    """Return whether x is a tensor of floats."""
    return is_tensor(x) and x.is_floating_point()


def after(function, change):
    """Return function with change applied to its result."""
    return lambda *arguments: changed(function(*arguments), change)


def stubborn(function):
    """Return a function that gives the result for the first arguments for all others too."""
    results = []

    def answer(*arguments):
        results.append(function(*arguments))
        return results[0]

    return answer


def spoiling(function):
    """Return function, which then changes what it was given, if that can be changed."""

    def answer(*arguments):
        result = changed(function(*arguments), lambda x: x.clone() if is_tensor(x) else x)
        for argument in arguments:
            if isinstance(argument, list):
                argument.append(argument[0])
            elif is_tensor(argument):
                argument.add_(1)
        return result

    return answer


def named(answers):
    """Return parameters (check, function) for all functions of a table."""
    return [
        pytest.param(check, function, id=f"{check.__name__}-{n}")
        for check, functions in answers.items()
        for n, function in enumerate(functions)
    ]


def test_there_are_right_and_wrong_answers_to_every_check():
    assert set(RIGHT) == set(WRONG) == set(all_checks())
    assert all(len(answers) >= 8 for answers in WRONG.values())


@pytest.mark.parametrize(("check", "function"), named(RIGHT))
def test_a_right_answer_is_accepted_however_it_is_written(check, function):
    assert check(function) == "correct"


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("check", RIGHT, ids=lambda check: check.__name__)
def test_a_right_answer_is_accepted_in_any_kind_of_number(check, style):
    assert check(after(RIGHT[check][0], STYLES[style])) == "correct"


@pytest.mark.parametrize(("check", "function"), named(WRONG))
def test_a_wrong_answer_is_told_where_it_is_wrong_and_gets_a_hint_and_no_solution(check, function):
    assert_told(check, function)


@pytest.mark.parametrize("way", [lambda f: f, in_a_thread, unseen], ids=["", "thread", "unseen"])
@pytest.mark.parametrize(("check", "function"), named(SOLVED))
def test_what_solves_the_exercise_is_no_answer_of_ones_own(check, function, way):
    said = check(way(function))
    solves_in_torch = function is SOLVED[checks.tiled_attention][-1]
    if not (solves_in_torch and way is in_a_thread):
        assert "does the work; write it without" in said


def test_every_solution_that_is_refused_is_tried():
    assert {check.__name__ for check in SOLVED} == set(SOLUTIONS)


@pytest.mark.parametrize("by_heads", [False, True])
def test_the_whole_matrix_is_told_by_its_shape(by_heads):
    said = checks.tiled_attention(lambda q, k, v, n: whole_matrix(q, k, v, by_heads))
    shape = "(1, 200, 200)" if by_heads else "(4, 40, 40)"
    assert f"it forms a tensor of shape {shape} on the way" in said


@pytest.mark.parametrize("slip", SLIPS)
@pytest.mark.parametrize("check", RIGHT, ids=lambda check: check.__name__)
def test_what_is_no_answer_is_told_so(check, slip):
    assert_told(check, after(RIGHT[check][0], SLIPS[slip]))


@pytest.mark.parametrize("check", RIGHT, ids=lambda check: check.__name__)
def test_an_answer_to_the_first_case_only_is_not_accepted(check):
    assert_told(check, stubborn(RIGHT[check][0]))


@pytest.mark.parametrize("check", RIGHT, ids=lambda check: check.__name__)
def test_an_answer_that_changes_its_arguments_is_told_which(check):
    if check(spoiling(RIGHT[check][0])) == "correct":
        givens = []
        check(lambda *arguments: givens.append(arguments))
        assert not any(isinstance(value, list | torch.Tensor) for value in givens[0])
    else:
        assert "it changes its argument " in assert_told(check, spoiling(RIGHT[check][0]))


def assert_told(check, function):
    """Return what a check says of a wrong answer, after seeing that it is what it should be.

    It begins with the verdict, names what was tried, ends with the hint of the exercise, in both
    languages, and has no right number in it but one that the reader had found.
    """
    tried = []

    def recorded(*arguments):
        tried.append((copy.deepcopy(arguments), None))
        tried[-1] = (tried[-1][0], function(*arguments))
        return tried[-1][1]

    said = check(recorded)
    arguments, found = tried[-1]
    secret = numbers_in(RIGHT[check][0](*arguments)) - numbers_in(found)
    for edition, verdict in (("en", "not yet: "), ("ja", "まだ違う：")):
        lines = said.texts[edition].split("\n")
        assert len(lines) == 3
        assert lines[0].startswith(verdict)
        assert lines[2].endswith(SAYINGS[check.__name__][edition])
        assert "ValueError" not in lines[0]
        assert not secret & set(re.findall(r"[-+.e\d]*\d", lines[0] + lines[2]))
    return said


def numbers_in(result):
    """Return the numbers of a result as they are written, if that takes 3 letters at least."""
    parts = result if isinstance(result, list | tuple) else [result]
    numbers = [part for part in parts if type(part) in (int, float, np.float64)]
    return {text for x in numbers for text in (str(x), f"{x:.6g}") if len(text) >= 3}
