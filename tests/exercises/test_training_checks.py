"""Each check of the loss, of sampling and of training takes right answers in any style, no other.

What the checks compare with is compared here with transformers and with the book's own functions.
"""

import functools
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch.optim import adam, adamw
from transformers import TopKLogitsWarper, TopPLogitsWarper, get_cosine_schedule_with_warmup

from gpt_helpers.architecture.losses import token_losses
from gpt_helpers.architecture.model import GPTLMHeadModel
from gpt_helpers.architecture.sampling import apply_temperature, top_k_filter, top_p_filter
from gpt_helpers.config import GPTConfig
from gpt_helpers.exercises.grading import SAYINGS
from gpt_helpers.exercises.workbook import training_checks
from gpt_helpers.training.optimizers import learning_rate as rate_of_the_book
from tests.helpers.workbook import solved_names

INFINITY = torch.inf


def softmax(x):
    """Return the probabilities of logits (..., V)."""
    shifted = (x - x.amax(-1, keepdim=True)).exp()
    return shifted / shifted.sum(-1, keepdim=True)


def attention(q, k, v):
    """Return causal attention of the last T of S positions."""
    n_queries, n_keys = q.shape[-2], k.shape[-2]
    hidden = torch.ones(n_queries, n_keys, dtype=torch.bool).triu(1 + n_keys - n_queries)
    scores = (q @ k.mT / q.shape[-1] ** 0.5).masked_fill(hidden, -INFINITY)
    return softmax(scores) @ v


def loss(logits, labels):
    """Return the mean loss by the sum of exponentials."""
    logits, targets = logits[:, :-1], labels[:, 1:]
    counted = targets != -100
    hit = logits.gather(-1, targets.clamp(min=0)[..., None])[..., 0]
    return (logits.logsumexp(-1) - hit)[counted].mean()


def loss_by_loops(logits, labels):
    """Return the same, token by token."""
    losses = []
    for row, targets in zip(logits, labels, strict=True):
        for scores, target in zip(row[:-1], targets[1:].tolist(), strict=True):
            if target != -100:
                top = scores.max()
                losses.append(top + (scores - top).exp().sum().log() - scores[target])
    return torch.stack(losses).mean()


def loss_by_marks(logits, labels):
    """Return the same by rows of which one number is 1."""
    logits, targets = logits[:, :-1], labels[:, 1:]
    marks = F.one_hot(targets.clamp(min=0), logits.shape[-1]) * (targets != -100)[..., None]
    top = logits.max(-1, keepdim=True).values
    logs = logits - top - (logits - top).exp().sum(-1, keepdim=True).log()
    return -torch.einsum("btv,btv->", logs, marks.float()) / marks.sum()


def loss_of_chosen(logits, labels):
    """Return the same of pairs that are chosen first."""
    pairs = [(b, t) for b, t in (labels != -100).nonzero().tolist() if t > 0]
    rows = torch.stack([logits[b, t - 1] for b, t in pairs])
    targets = torch.tensor([labels[b, t] for b, t in pairs])
    return (rows.logsumexp(1) - rows[range(len(pairs)), targets]).sum() / len(pairs)


def own_gradient(logits, labels, factor=1.0):
    """Return the loss through a number, so that nothing flows back."""
    return torch.tensor(loss(logits, labels).item() * factor)


def mean_of_rows(logits, labels):
    """Return the mean of the means of rows that count unequally many."""
    rows = zip(logits[:, None], labels[:, None], strict=True)
    return torch.stack([loss(*row) for row in rows]).mean()


def with_temperature(logits, temperature):
    """Return logits over temperature."""
    return logits / temperature


def temperature_in_place(logits, temperature):
    """Return the same in a copy that is changed."""
    logits = logits.clone()
    logits.div_(temperature)
    return logits


def keep_top_k(logits, k):
    """Return the k highest logits of each row."""
    return logits.masked_fill(logits < logits.topk(k).values[..., -1:], -INFINITY)


def top_k_by_rows(logits, k):
    """Return the same, row by row, into an empty tensor."""
    result = torch.full_like(logits, -INFINITY)
    for row, scores in enumerate(logits):
        best = scores.argsort(descending=True)[:k]
        result[row, best] = scores[best]
    return result


def top_k_by_numpy(logits, k):
    """Return the same by NumPy."""
    scores = logits.numpy().copy()
    for row in scores:
        row[np.argsort(row)[:-k]] = -np.inf
    return scores


def keep_top_p(logits, p):
    """Return the likeliest logits of each row, by sorting and putting back."""
    probabilities, order = softmax(logits).sort(descending=True)
    before = probabilities.cumsum(-1) - probabilities
    removed = torch.zeros_like(logits, dtype=torch.bool).scatter(-1, order, before >= p)
    return logits.masked_fill(removed, -INFINITY)


def top_p_by_sums(logits, p):
    """Return the same without sorting: what is likelier than a token, summed."""
    probabilities = softmax(logits)
    likelier = probabilities[:, None, :] > probabilities[:, :, None]
    before = (likelier * probabilities[:, None, :]).sum(-1)
    return torch.where(before < p, logits, -INFINITY)


def top_p_by_loops(logits, p):
    """Return the same, token by token."""
    result = torch.full_like(logits, -INFINITY)
    for row, probabilities in enumerate(softmax(logits)):
        mass = 0.0
        for token in probabilities.argsort(descending=True).tolist():
            if mass >= p:
                break
            result[row, token] = logits[row, token]
            mass += probabilities[token].item()
    return result


def top_p_without_the_last(logits, p):
    """Return only tokens whose sum stays within p: the one that reaches it is missing."""
    probabilities, order = softmax(logits).sort(descending=True)
    removed = torch.zeros_like(logits, dtype=torch.bool)
    removed = removed.scatter(-1, order, probabilities.cumsum(-1) > p)
    return logits.masked_fill(removed, -INFINITY)


def top_p_in_sorted_order(logits, p):
    """Return the right logits, at the places of the sorted ones."""
    return keep_top_p(logits.sort(descending=True).values, p)


def generate(ids, n_new, next_logits, choose, n_positions):
    """Return ids with n_new more, one after the other."""
    for _ in range(n_new):
        token = choose(next_logits(ids[:, -n_positions:]))
        ids = torch.cat([ids, token[:, None]], dim=1)
    return ids


def generate_into_room(ids, n_new, next_logits, choose, n_positions):
    """Return the same, written into a tensor that has room for all."""
    n_given = ids.shape[1]
    result = torch.zeros(len(ids), n_given + n_new, dtype=ids.dtype)
    result[:, :n_given] = ids
    for end in range(n_given, n_given + n_new):
        result[:, end] = choose(next_logits(result[:, max(0, end - n_positions) : end]))
    return result


def generate_by_recursion(ids, n_new, next_logits, choose, n_positions):
    """Return the same; the first new token, then all others."""
    if n_new == 0:
        return ids
    token = choose(next_logits(ids[:, -n_positions:])).unsqueeze(1)
    return generate_by_recursion(torch.hstack([ids, token]), n_new - 1, next_logits, choose,
                                 n_positions)  # fmt: skip


def generate_with(window, pick):
    """Return a generate that reads window(ids, n_positions) and picks by pick(choose, logits)."""

    def answer(ids, n_new, next_logits, choose, n_positions):
        for _ in range(n_new):
            token = pick(choose, next_logits(window(ids, n_positions)))
            ids = torch.cat([ids, token[:, None]], dim=1)
        return ids

    return answer


def attend_with_cache(q, k, v, cache):
    """Return attention to all keys so far, and all keys and values so far."""
    if cache is not None:
        k, v = torch.cat([cache[0], k], dim=-2), torch.cat([cache[1], v], dim=-2)
    return attention(q, k, v), (k, v)


def cached_by_zip(q, k, v, cache):
    """Return the same as a list, joined pair by pair."""
    if cache:
        k, v = (torch.cat(pair, 2) for pair in zip(cache, (k, v), strict=True))
    return [attention(q, k, v), [k, v]]


def cached_query_by_query(q, k, v, cache):
    """Return the same, one query at a time."""
    results = []
    for t in range(q.shape[2]):
        one = k[:, :, t : t + 1], v[:, :, t : t + 1]
        cache = (
            one if cache is None else tuple(map(torch.cat, zip(cache, one, strict=True), (2, 2)))
        )
        results.append(attention(q[:, :, t : t + 1], *cache))
    return torch.cat(results, 2), cache


def adamw_step(weight, gradient, state, lr, decay):
    """Return the weight and the state after one step."""
    n, mean, square = state
    n = n + 1
    mean = 0.9 * mean + 0.1 * gradient
    square = 0.95 * square + 0.05 * gradient**2
    step = mean / (1 - 0.9**n) / ((square / (1 - 0.95**n)).sqrt() + 1e-8)
    return weight - lr * decay * weight - lr * step, (n, mean, square)


def adamw_in_place(weight, gradient, state, lr, decay):
    """Return the same by what torch.optim does, in copies."""
    n, mean, square = state[0] + 1, state[1].clone(), state[2].clone()
    mean.lerp_(gradient, 0.1)
    square.mul_(0.95).addcmul_(gradient, gradient, value=0.05)
    weight = weight * (1 - lr * decay)
    size = square.sqrt() / math.sqrt(1 - 0.95**n) + 1e-8
    weight.addcdiv_(mean, size, value=-lr / (1 - 0.9**n))
    return weight, [n, mean, square]


def adamw_number_by_number(weight, gradient, state, lr, decay):
    """Return the same by plain numbers."""
    after = [x.clone() for x in (weight, *state[1:])]
    n = state[0] + 1
    for place in np.ndindex(*weight.shape):
        w, g, m, v = (x[place].item() for x in (weight, gradient, *state[1:]))
        m, v = 0.9 * m + 0.1 * g, 0.95 * v + 0.05 * g * g
        w -= lr * (decay * w + (m / (1 - 0.9**n)) / ((v / (1 - 0.95**n)) ** 0.5 + 1e-8))
        for tensor, value in zip(after, (w, m, v), strict=True):
            tensor[place] = value
    return after[0], (n, after[1], after[2])


def adamw_by_pytorch(function, weight, gradient, state, lr, decay, **more):
    """Return a step of AdamW that a function of PyTorch does, without an optimizer."""
    n, mean, square = state[0], state[1].clone(), state[2].clone()
    weight, step = weight.clone(), torch.tensor(float(n))
    function(
        [weight], [gradient], [mean], [square], [], [step], lr=lr, weight_decay=decay, beta1=0.9,
        beta2=0.95, eps=1e-8, amsgrad=False, maximize=False, capturable=False,
        differentiable=False, **more,
    )  # fmt: skip
    return weight, (n + 1, mean, square)


def adamw_but(**slips):
    """Return adamw_step with something of it wrong."""

    def answer(weight, gradient, state, lr, decay):
        n, mean, square = state
        n = n + slips.get("n", 1)
        gradient = gradient + slips.get("l2", 0) * decay * weight
        mean = slips.get("beta", 0.9) * mean + (1 - slips.get("beta", 0.9)) * gradient
        square = 0.95 * square + 0.05 * gradient ** slips.get("power", 2)
        moments = mean, square
        if slips.get("corrected", True):
            moments = mean / (1 - 0.9 ** max(n, 1)), square / (1 - 0.95 ** max(n, 1))
        if "always_first" in slips:
            moments = mean / (1 - 0.9), square / (1 - 0.95)
        inner, outer = slips.get("epsilons", (0.0, 1e-8))
        step = moments[0] / ((moments[1] + inner).sqrt() + outer)
        after = weight - lr * slips.get("decay", 1) * decay * weight - lr * step
        after = after * (1 - slips.get("late", 0) * lr * decay)
        kept = moments if slips.get("keeps_corrected") else (mean, square)
        return after + 2 * slips.get("uphill", 0) * lr * step, (n, *kept)

    return answer


def learning_rate(step, n_steps, warmup, highest):
    """Return the rate of a step by two formulas."""
    done = step + 1
    if done <= warmup:
        return highest * done / warmup
    return highest * (1 + math.cos(math.pi * (done - warmup) / (n_steps - warmup))) / 2


def rate_by_torch(step, n_steps, warmup, highest):
    """Return the same as a tensor, the smaller of two."""
    done = torch.tensor(step + 1.0)
    progress = ((done - warmup) / (n_steps - warmup)).clamp(min=0)
    return highest * torch.minimum(done / warmup, torch.cos(math.pi / 2 * progress) ** 2)


def generate_by_the_book(ids, n_new, next_logits, choose, n_positions):
    """Return what a model of the book writes."""
    return GPTLMHeadModel(GPTConfig(10, 16, 4, 1, 1)).generate(ids, n_new)


RIGHT = {
    "loss": [
        loss, loss_by_loops, loss_by_marks, loss_of_chosen,
        lambda x, y: loss(x.double(), y).float(),
    ],
    "with_temperature": [
        with_temperature, temperature_in_place, lambda x, t: x * (1 / t),
        lambda x, t: torch.stack([torch.stack([number / t for number in row]) for row in x]),
    ],
    "keep_top_k": [keep_top_k, top_k_by_rows, top_k_by_numpy],
    "keep_top_p": [keep_top_p, top_p_by_sums, top_p_by_loops],
    "generate": [generate, generate_into_room, generate_by_recursion],
    "attend_with_cache": [attend_with_cache, cached_by_zip, cached_query_by_query],
    "adamw_step": [adamw_step, adamw_in_place, adamw_number_by_number],
    "learning_rate": [
        learning_rate, rate_by_torch,
        lambda s, n, w, h: np.where(s < w, h * (s + 1) / w, learning_rate(max(s, w), n, w, h))[()],
    ],
}  # fmt: skip
WRONG = {
    "loss": [
        lambda x, y: loss(F.pad(x, (0, 0, 0, 1)), F.pad(y, (1, 0))),  # no shift
        lambda x, y: loss(x.flip(1), y.flip(1)),  # the label before
        lambda x, y: loss(x, y) * (y[:, 1:] != -100).sum(),  # the sum
        lambda x, y: loss(x, y) / math.log(2),  # bits
        lambda x, y: loss(x, y).exp(),  # perplexity
        lambda x, y: -loss(x, y),
        lambda x, y: loss(x, y.clamp(min=0)),  # -100 is token 0
        lambda x, y: loss(x, y) * (y[:, 1:] != -100).float().mean(),  # over all positions
        mean_of_rows,
        lambda x, y: -softmax(x[:, :-1]).gather(2, y[:, 1:, None].clamp(min=0)).log()[
            y[:, 1:] != -100
        ].mean(),  # the logarithm of 0
        own_gradient,
        lambda x, y: loss(x.detach(), y),
        lambda x, y: loss(x.detach(), y) + 0.0 * x.sum(),
        lambda x, y: loss(2 * x.detach() - x, y) + 0.0 * x.sum(),
    ],
    "with_temperature": [
        lambda x, t: x * t,
        lambda x, t: softmax(x / t),
        lambda x, t: x - t,
        lambda x, t: x / t**2,
        lambda x, t: x,
        lambda x, t: x.div_(t),
    ],
    "keep_top_k": [
        lambda x, k: x.topk(k).values,
        lambda x, k: torch.where(keep_top_k(x, k) == x, x, 0.0),
        lambda x, k: -keep_top_k(-x, k),
        lambda x, k: keep_top_k(x, max(k - 1, 1)),
        lambda x, k: x.masked_fill(x <= x.topk(k).values[..., -1:], -INFINITY),
        lambda x, k: x.masked_fill(x < x.topk(k).values.min(), -INFINITY),
        lambda x, k: keep_top_k(softmax(x), k),
        lambda x, k: x.masked_fill_(x < x.topk(k).values[..., -1:], -INFINITY),
    ],
    "keep_top_p": [
        top_p_without_the_last,
        top_p_in_sorted_order,
        lambda x, p: x.masked_fill(softmax(x) < 1 - p, -INFINITY),
        lambda x, p: keep_top_p(x, 1 - p),
        lambda x, p: torch.where(keep_top_p(x, p) == x, x, 0.0),
        lambda x, p: softmax(keep_top_p(x, p)),
        lambda x, p: keep_top_p(x, p).roll(1, 0),
        lambda x, p: x,
        lambda x, p: keep_top_p(x.flatten()[None], p).view_as(x),
    ],
    "generate": [
        generate_with(lambda ids, n: ids, lambda choose, x: choose(x)),  # no limit
        generate_with(lambda ids, n: ids[:, :n], lambda choose, x: choose(x)),  # the first ones
        generate_with(lambda ids, n: ids[:, -1:], lambda choose, x: choose(x)),  # the last one
        generate_with(lambda ids, n: ids[:, -n:], lambda choose, x: x.argmax(-1)),
        generate_with(lambda ids, n: ids[:, 1 - n :], lambda choose, x: choose(x)),
        lambda ids, n, f, choose, w: generate(ids, n + 1, f, choose, w),
        lambda ids, n, f, choose, w: generate(ids, n, f, choose, w)[:, ids.shape[1] :],
        lambda ids, n, f, choose, w: generate(ids[:1], n, f, choose, w).expand(len(ids), -1),
        lambda ids, n, f, choose, w: generate(ids, n, f, choose, w).float(),
        lambda ids, n, f, choose, w: generate(ids, n, f, choose, w).tolist(),
    ],
    "attend_with_cache": [
        lambda q, k, v, cache: (attention(q, k, v), (k, v)),  # nothing is remembered
        lambda q, k, v, cache: (attend_with_cache(q, k, v, cache)[0], (k, v)),
        lambda q, k, v, cache: (attend_with_cache(q, k, v, cache)[0], cache),
        lambda q, k, v, cache: attend_with_cache(q, k, v, cache)[0],
        lambda q, k, v, cache: attend_with_cache(q, k, v, cache)[::-1],
        lambda q, k, v, cache: attend_with_cache(q, v, k, cache),
        lambda q, k, v, cache: attend_with_cache(q, k, v, cache and cache[::-1]),
        lambda q, k, v, cache: attend_with_cache(q, *(cache or (k, v)), (k, v)),
        lambda q, k, v, cache: attend_with_cache(q, k, v, cache or (q[:, :, :1], v[:, :, :1])),
    ],
    "adamw_step": [
        adamw_but(corrected=False),
        adamw_but(n=0),
        adamw_but(always_first=True),
        adamw_but(l2=1, decay=0),  # Adam with L2
        adamw_but(decay=0),
        adamw_but(decay=0, late=1),
        adamw_but(epsilons=(1e-8, 0.0)),
        adamw_but(epsilons=(0.0, 0.0)),
        adamw_but(beta=0.95),
        adamw_but(power=1),
        adamw_but(keeps_corrected=True),
        adamw_but(uphill=1),
        lambda w, g, s, lr, decay: adamw_step(w, g, s, lr, decay)[0],
        lambda w, g, s, lr, decay: (adamw_step(w, g, s, lr, decay)[0], s),
        lambda w, g, s, lr, decay: (w - lr * g - lr * decay * w, (s[0] + 1, s[1], s[2])),
        lambda w, g, s, lr, decay: (w.copy_(adamw_step(w, g, s, lr, decay)[0]),
                                    adamw_step(w, g, s, lr, decay)[1]),
    ],
    "learning_rate": [
        lambda s, n, w, h: learning_rate(max(s - 1, 0), n, w, h),
        lambda s, n, w, h: h * s / w if s < w else learning_rate(s, n, w, h),
        lambda s, n, w, h: learning_rate(s, n + 1, w, h),
        lambda s, n, w, h: h * min((s + 1) / w, (n - s - 1) / (n - w)),  # a line down
        lambda s, n, w, h: h * (1 + math.cos(math.pi * (s + 1) / n)) / 2,  # no warm-up
        lambda s, n, w, h: min(1, (s + 1) / w) * h,  # no way down
        lambda s, n, w, h: learning_rate(s, n, w, 1.0),
        lambda s, n, w, h: h * min((s + 1) / w, (1 + math.cos(math.pi * (s + 1) / n)) / 2),
        lambda s, n, w, h: 0.1 * h + 0.9 * learning_rate(s, n, w, h),
        lambda s, n, w, h: learning_rate(s, n, w, h) if s < w else
        h * math.cos(math.pi / 2 * (s + 1 - w) / (n - w)),
    ],
}  # fmt: skip
SOLVED = {
    "loss": [
        lambda x, y: token_losses(x, y)[y[:, 1:] != -100].mean(),
        lambda x, y: F.cross_entropy(x[:, :-1].flatten(0, 1), y[:, 1:].flatten()),
        lambda x, y: torch.nn.CrossEntropyLoss()(x[:, :-1].mT, y[:, 1:]),
        lambda x, y: F.nll_loss(x[:, :-1].log_softmax(-1).mT, y[:, 1:]),
    ],
    "keep_top_k": [top_k_filter],
    "keep_top_p": [top_p_filter, lambda x, p: top_p_by_sums(x.softmax(-1).log(), p)],
    "attend_with_cache": [
        lambda q, k, v, cache: (F.scaled_dot_product_attention(q, k, v), (k, v)),
    ],
    "with_temperature": [apply_temperature],
    "generate": [generate_by_the_book],
    "adamw_step": [
        training_checks.step_of_torch,
        functools.partial(adamw_by_pytorch, adamw.adamw),
        functools.partial(adamw_by_pytorch, adam.adam, decoupled_weight_decay=True),
        functools.partial(
            adamw_by_pytorch,
            adam._single_tensor_adam,
            decoupled_weight_decay=True,
            grad_scale=None,
            found_inf=None,
            has_complex=False,
        ),
    ],
    "learning_rate": [
        lambda s, n, w, h: rate_of_the_book(s, max_lr=h, min_lr=0.0, warmup_steps=w, total_steps=n),
    ],
}


def check_of(name):
    """Return the check of a function of the workbook."""
    return getattr(training_checks, f"check_{name}")


def named(answers):
    """Return parameters (name, function) for all functions of a table."""
    return [
        pytest.param(name, function, id=f"{name}-{n}")
        for name, functions in answers.items()
        for n, function in enumerate(functions)
    ]


@pytest.mark.parametrize(("name", "function"), named(RIGHT))
def test_a_right_answer_is_accepted_however_it_is_written(name, function):
    assert check_of(name)(function).texts["en"] == "correct"


@pytest.mark.parametrize(("name", "function"), named(WRONG))
def test_a_wrong_answer_is_told_the_first_wrong_place_and_a_hint(name, function):
    said = check_of(name)(function)
    for edition, verdict in (("en", "not yet: "), ("ja", "まだ違う：")):
        lines = said.texts[edition].split("\n")
        assert len(lines) == 3
        assert lines[0].startswith(verdict)
        assert lines[2].endswith(SAYINGS[name][edition])
    assert "Error" not in said.texts["en"]


@pytest.mark.parametrize(("name", "function"), named(SOLVED))
def test_what_is_ready_made_is_no_answer_of_ones_own(name, function):
    assert "does the work; write it without" in check_of(name)(function).texts["en"]


@pytest.mark.parametrize("name", RIGHT)
def test_what_is_not_written_yet_is_told_so(name):
    assert "returns nothing (None)" in check_of(name)(lambda *arguments: None).texts["en"]


def test_there_are_many_answers_to_every_check():
    assert set(RIGHT) == set(WRONG)
    assert all(len(answers) >= 3 for answers in RIGHT.values())
    assert all(len(answers) >= 6 for answers in WRONG.values())


def test_a_loss_through_which_no_gradient_flows_is_told_so():
    said = check_of("loss")(own_gradient).texts["en"]
    assert said.startswith("not yet: no gradient flows from the loss to the logits")


def test_a_wrong_number_of_the_cache_is_told_with_all_its_places():
    said = check_of("attend_with_cache")(WRONG["attend_with_cache"][1]).texts["en"]
    assert said.startswith(
        "not yet: result 1, tensor 0: the shape is (2, 2, 1, 4), not (2, 2, 4, 4)"
    )


def test_the_cache_needs_an_attention_that_is_right():
    names = {"torch": torch}
    source = "def attention(q, k, v): ...\ndef f(q, k, v, cache): return attention(q, k, v), (k, v)"
    exec(source, names)
    said = check_of("attend_with_cache")(names["f"]).texts["en"]
    assert said == "not yet: attention is not right yet; write it first"


# What the checks compare with.


def test_the_filters_that_are_right_are_those_of_transformers():
    logits = 3 * torch.randn(20, 50, generator=torch.Generator().manual_seed(1))
    for p in (0.1, 0.5, 0.9, 0.99):
        ours = [training_checks.kept(row, training_checks.nucleus(row, p)) for row in logits]
        assert torch.equal(torch.stack(ours), TopPLogitsWarper(p)(None, logits.clone()))
    for k in (1, 5, 50):
        ours = [training_checks.kept(row, sorted(row.tolist())[-k:]) for row in logits]
        assert torch.equal(torch.stack(ours), TopKLogitsWarper(k)(None, logits.clone()))


def test_the_learning_rates_that_are_right_are_those_of_transformers_one_step_later():
    optimizer = torch.optim.SGD([torch.zeros(1)], 0.5)
    schedule = get_cosine_schedule_with_warmup(optimizer, 4, 10)
    rates = training_checks.rates_of_torch(10, 4, 0.5)
    for rate in rates:
        optimizer.step()
        schedule.step()
        assert rate == pytest.approx(optimizer.param_groups[0]["lr"], abs=1e-9)
    assert rates[:4] == [0.125, 0.25, 0.375, 0.5]
    assert rates[-1] == 0.0


def test_the_steps_that_are_right_are_those_of_one_run_of_adamw():
    generator = torch.Generator().manual_seed(2)
    gradients = torch.randn(5, 3, generator=generator)
    parameter = torch.ones(3)
    optimizer = torch.optim.AdamW([parameter], 0.1, (0.9, 0.95), 1e-8, 0.2)
    weight, state = parameter.clone(), (0, torch.zeros(3), torch.zeros(3))
    for gradient in gradients:
        parameter.grad = gradient
        optimizer.step()
        weight, state = training_checks.step_of_torch(weight, gradient, state, 0.1, 0.2)
        torch.testing.assert_close(weight, parameter)
    assert state[0] == 5


def test_the_model_that_adds_continues_the_numbers_of_fibonacci():
    ids = [1, 1]
    for _ in range(6):
        ids.append(training_checks.logits_of_sum(torch.tensor([ids[-2:]])).argmax().item())
    assert ids == [1, 1, 2, 3, 5, 8, 3, 1]


def test_the_examples_that_the_page_does_by_hand_are_right():
    names = solved_names()
    logits, labels = torch.tensor([[[0.0, 1.0], [2.0, 0.0], [5.0, 0.0]]]), torch.tensor([[0, 1, 0]])
    losses = [names["loss"](logits[:, :2], labels[:, :2]), names["loss"](logits, labels)]
    assert [round(x.item(), 3) for x in losses] == [0.313, 0.220]
    assert round(2 * losses[1].item() - losses[0].item(), 3) == 0.127
    assert names["with_temperature"](torch.tensor([[2.0, 0.0, -1.0]]), 0.5).tolist() == [[4, 0, -2]]
    assert [round(math.exp(difference), 1) for difference in (2, 4)] == [7.4, 54.6]
    assert names["keep_top_k"](torch.tensor([[2.0, 0.0, 3.0]]), 2).tolist() == [[2, -INFINITY, 3]]
    kept = names["keep_top_p"](torch.tensor([[0.2, 0.5, 0.3]]).log(), 0.7)
    assert kept.isfinite().tolist() == [[False, True, True]]
    following, choose = training_checks.logits_of_sum, lambda logits: logits.argmax(-1)
    ids = names["generate"](torch.tensor([[1, 1]]), 5, following, choose, 2)
    assert ids.tolist() == [[1, 1, 2, 3, 5, 8, 3]]
    two, zero = torch.tensor(2.0), torch.tensor(0.0)
    weight, state = names["adamw_step"](two, two, (0, zero, zero), 0.1, 0.1)
    assert [round(float(x), 4) for x in (weight, *state)] == [1.88, 1, 0.2, 0.2]
    rates = [names["learning_rate"](step, 10, 4, 1.0) for step in (0, 1, 2, 3, 6, 9)]
    assert rates == pytest.approx([0.25, 0.5, 0.75, 1.0, 0.5, 0.0])


@pytest.mark.parametrize("name", RIGHT)
def test_the_solution_of_the_page_is_accepted(name):
    assert check_of(name)(solved_names()[name]).texts["en"] == "correct"
