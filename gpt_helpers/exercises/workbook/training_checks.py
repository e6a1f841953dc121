"""The checks of what a GPT is trained and sampled with, from the loss to the learning rate.

Loss, AdamW, learning rate and attention are compared with PyTorch's; what filters and generates,
with loops over single numbers that can be redone on paper.
"""

import functools

import torch
import torch.nn.functional as F
from torch.nn.attention.bias import causal_lower_right
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, SequentialLR

from gpt_helpers.exercises.comparing import Mistake
from gpt_helpers.exercises.grading import is_right
from gpt_helpers.exercises.workbook.calls import of_the_workbook, own
from gpt_helpers.exercises.workbook.model_checks import drawn

ROWS = ("row", "token")
BETAS, EPSILON = (0.9, 0.95), 1e-8  # of AdamW, as the page gives them


@of_the_workbook
def check_loss(function):
    """Try loss(logits, labels): mean nats of the next labels, without -100, and its gradient."""

    def right(logits, labels):
        pairs = logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten()
        return F.cross_entropy(*pairs, ignore_index=-100)

    far = torch.tensor([[[0.0, 300.0, 0.0], [300.0, 0.0, 0.0], [0.0, 0.0, 0.0]]])
    cases = [
        (torch.tensor([[[0.0, 1.0], [2.0, 0.0], [5.0, 0.0]]]), torch.tensor([[0, 1, 0]])),
        (3 * drawn(2, 4, 5), torch.tensor([[4, 0, 1, 3], [2, 2, 4, 0]])),
        (3 * drawn(2, 4, 5), torch.tensor([[-100, 0, 1, -100], [2, -100, -100, 3]])),
        (far, torch.tensor([[1, 0, 2]])),
    ]
    said = own("loss", function, right, cases)
    if not is_right(said):
        return said
    axes = ("row", "position", "token")
    return own("loss", gradient_of(function), gradient_of(right), cases[1:3], axes)


@of_the_workbook
def check_with_temperature(function):
    """Try with_temperature(logits, temperature): below 1 sharper, above 1 flatter."""

    def right(logits, temperature):
        return logits / temperature

    cases = [(torch.tensor([[2.0, 0.0, -1.0]]), 0.5)]
    cases += [(3 * drawn(2, 5), temperature) for temperature in (0.1, 1, 2)]
    return own("with_temperature", function, right, cases, ROWS)


@of_the_workbook
def check_keep_top_k(function):
    """Try keep_top_k(logits, k): all but the k highest of each row are -inf."""

    def right(logits, k):
        return torch.stack([kept(row, sorted(row.tolist())[-k:]) for row in logits])

    cases = [(torch.tensor([[2.0, 0.0, 3.0]]), 2), (torch.tensor([[-1.0, -2.0, -3.0]]), 1)]
    cases += [(3 * drawn(3, 6), k) for k in (1, 4, 6)]
    return own("keep_top_k", function, right, cases, ROWS)


@of_the_workbook
def check_keep_top_p(function):
    """Try keep_top_p(logits, p): the likeliest tokens of each row, until they reach p."""

    def right(logits, p):
        return torch.stack([kept(row, nucleus(row, p)) for row in logits])

    halves = torch.tensor([[0.05, 0.5, 0.3, 0.15], [0.25, 0.1, 0.05, 0.6]]).log()
    cases = [(torch.tensor([[0.2, 0.5, 0.3]]).log(), 0.7)]
    cases += [(halves, p) for p in (0.4, 0.9)]
    cut = torch.tensor([[0.6, 0.4, 0.0], [0.3, 0.0, 0.7]]).log() + 5.0  # after another filter
    cases += [(cut, 0.65), (cut, 0.8), (3 * drawn(4, 9), 0.9), (drawn(4, 9), 0.9)]
    return own("keep_top_p", function, right, cases, ROWS)


@of_the_workbook
def check_generate(function):
    """Try generate(ids, n_new, next_logits, choose, n_positions) with a model that adds digits."""

    def right(ids, n_new, next_logits, choose, n_positions):
        rows = ids.tolist()
        for _ in range(n_new):
            for row in rows:
                row += choose(next_logits(torch.tensor([row[-n_positions:]]))).tolist()
        return torch.tensor(rows)

    highest, lowest = (functools.partial(f, dim=-1) for f in (torch.argmax, torch.argmin))
    cases = [
        (torch.tensor([[1, 1]]), 5, logits_of_sum, highest, 2),
        (torch.tensor([[1, 2, 3], [4, 0, 9]]), 4, logits_of_sum, highest, 5),
        (torch.tensor([[7, 2, 3, 5]]), 3, logits_of_sum, highest, 3),
        (torch.tensor([[3], [8]]), 1, logits_of_sum, lowest, 8),
        (torch.tensor([[3, 4]]), 0, logits_of_sum, highest, 8),
    ]
    return own("generate", function, right, cases, ("row", "position"))


@of_the_workbook
def check_attend_with_cache(function):
    """Try attend_with_cache(q, k, v, cache): attention to the keys of before, and the new cache."""

    def right(q, k, v, cache):
        earlier = cache or (k[..., :0, :], v[..., :0, :])
        k, v = (torch.cat(pair, -2) for pair in zip(earlier, (k, v), strict=True))
        mask = causal_lower_right(q.shape[-2], k.shape[-2])
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask), (k, v)

    q, k, v = 2 * drawn(2, 2, 6, 4), 2 * drawn(2, 2, 6, 4, seed=1), drawn(2, 2, 6, 4, seed=2)
    cases = []
    for start, end in ((0, 3), (3, 4), (2, 5), (0, 1), (5, 6)):
        cache = (k[..., :start, :], v[..., :start, :]) if start else None
        cases.append((*(x[..., start:end, :] for x in (q, k, v)), cache))
    axes = ("result", "tensor", "row", "head", "position", "dimension")
    return own("attend_with_cache", function, right, cases, axes)


@of_the_workbook
def check_adamw_step(function):
    """Try adamw_step(weight, gradient, state, lr, decay) at several steps of torch.optim.AdamW."""
    cases = []
    for gradients, decay in (
        (torch.tensor([[2.0], [-1.0], [0.5], [0.5]]), 0.1),
        (torch.tensor([[1e-8, 0.0, -3.0]] * 3), 0.0),
        (2 * drawn(4, 2, 3), 0.5),
    ):
        weight = 2 * torch.ones_like(gradients[0])
        state = 0, torch.zeros_like(weight), torch.zeros_like(weight)
        for gradient in gradients:
            cases.append((weight, gradient, state, 0.1, decay))
            weight, state = step_of_torch(*cases[-1])
    axes = ("result", "element", "row", "column")
    return own("adamw_step", function, step_of_torch, cases, axes)


@of_the_workbook
def check_learning_rate(function):
    """Try learning_rate(step, n_steps, warmup, highest): up in a line, down along a cosine."""

    def right(step, n_steps, warmup, highest):
        return rates_of_torch(n_steps, warmup, highest)[step]

    cases = [
        (step, *plan)
        for plan in ((10, 4, 1.0), (100, 10, 3e-3), (5, 1, 0.5))
        for step in sorted({0, 1, plan[1] - 1, plan[1], plan[0] // 2, plan[0] - 1})
    ]
    return own("learning_rate", function, right, cases)


def gradient_of(loss):
    """Return the function of logits and labels that is the gradient of a loss by the logits."""

    def gradient(logits, labels):
        logits = logits.detach().requires_grad_()
        value = loss(logits, labels)
        if not isinstance(value, torch.Tensor) or not value.requires_grad:
            raise Mistake("no gradient")
        return torch.autograd.grad(value, logits)[0]

    return gradient


def kept(row, values):
    """Return a row of logits (V,) in which only these values are left, and -inf elsewhere."""
    return torch.tensor([x if x in values else -torch.inf for x in row.tolist()])


def nucleus(row, p):
    """Return the highest of a row of logits (V,), as few as have a probability of p together."""
    chosen, mass = [], 0.0
    pairs = zip(row.tolist(), F.softmax(row, -1).tolist(), strict=True)
    for value, probability in sorted(pairs, reverse=True):
        if mass < p:
            chosen.append(value)
        mass += probability
    return chosen


def logits_of_sum(ids):
    """Return logits (B, 10) of ids (B, T): highest at the last digit of their sum, falling on."""
    ahead = torch.arange(10) - ids.sum(-1, keepdim=True)
    return -(ahead % 10).float()


def step_of_torch(weight, gradient, state, lr, decay):
    """Return what torch.optim.AdamW makes of a weight, and of a state (n, mean, square)."""
    n, mean, square = state
    parameter = weight.clone()
    parameter.grad = gradient
    optimizer = torch.optim.AdamW([parameter], lr, BETAS, EPSILON, decay)
    moments = {"exp_avg": mean.clone(), "exp_avg_sq": square.clone()}
    optimizer.state[parameter] = {"step": torch.tensor(float(n)), **moments}
    optimizer.step()
    after = optimizer.state[parameter]
    return parameter, (n + 1, after["exp_avg"], after["exp_avg_sq"])


@functools.cache
def rates_of_torch(n_steps, warmup, highest):
    """Return the learning rates of PyTorch's schedulers: a line, then half a cosine down to 0."""
    optimizer = torch.optim.SGD([torch.zeros(1)], highest)
    up = LinearLR(optimizer, 1 / warmup, total_iters=warmup - 1)
    down = CosineAnnealingLR(optimizer, n_steps - warmup)
    schedule = SequentialLR(optimizer, [up, down], [warmup - 1]) if warmup > 1 else down
    rates = []
    for _ in range(n_steps):
        rates.append(round(optimizer.param_groups[0]["lr"], 12))
        optimizer.step()
        schedule.step()
    return rates
