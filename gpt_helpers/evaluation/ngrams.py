"""A language model that only counts: how much of the loss is explained by the last few tokens.

Order 1 knows how frequent each token is, order 2 the pairs, order n what followed the last
n - 1 tokens. A network whose loss is not below theirs has learned no more than that.
"""

import math

import torch

from gpt_helpers.architecture.inputs import check_ranges, check_settings
from gpt_helpers.architecture.sampling import sample
from gpt_helpers.tensor_checks import check_tensor
from gpt_helpers.validation import check_integer, check_real

LARGEST_KEY = 2**63 - 1


class NGrams:
    """The counts of all runs of 1 to order tokens of a text, and predictions from them.

    Each order believes what it has counted, and what it has not from the order below,
    which counts as strength observations (Dirichlet smoothing). With c the last n - 1 tokens,

        p_n(w | c) = (count(c w) + strength * p_{n-1}(w | c without its first))
                     / (count(c) + strength),    p_0 = 1 / V.

    A run of n tokens is one number with n digits in base V, its key, so the runs that begin
    with c are neighbours in the sorted keys. The memory is at most 16 bytes per token and order.
    """

    def __init__(self, tokens, order, vocab_size, strength=100.0):
        """Count the runs of 1 to order tokens in tokens (N,), integers below vocab_size.

        Raises ValueError for tokens that are not such a row, for fewer of them than order,
        for a vocab_size ** order of 2**63 or more, or unless strength is above 0.
        """
        check_settings_of_counts(order, vocab_size, strength)
        check_tokens("tokens", tokens, vocab_size, "(N,)")
        if len(tokens) < order:
            raise ValueError(f"order={order} is more than the {len(tokens)} tokens; give more text")
        self.order, self.vocab_size, self.strength = order, vocab_size, float(strength)
        self.keys, self.counts_before = [], []
        for n in range(1, order + 1):
            keys, counts = counted(keys_of_runs(tokens.long(), n, vocab_size))
            self.keys.append(keys)
            self.counts_before.append(torch.nn.functional.pad(counts.cumsum(0), (1, 0)))

    def count(self, n, low, high):
        """Return how many runs of n tokens have low <= key < high, the shape of low and high."""
        keys, counts_before = self.keys[n - 1], self.counts_before[n - 1]
        first, last = torch.searchsorted(keys, low), torch.searchsorted(keys, high)
        return counts_before[last] - counts_before[first]

    def probability_of(self, windows):
        """Return the log probability, in nats, of each token given those before it in its row.

        windows (B, T) gives (B, T-1), a row (N,) gives (N-1,), float64: nothing precedes the
        first token, which is not predicted. Near the start of a row the order is as high as
        the tokens allow. Raises ValueError for windows of another kind.
        """
        check_tokens("windows", windows, self.vocab_size, "(..., T)")
        rows = torch.atleast_2d(windows.long())  # (B, T)
        probabilities = torch.ones_like(rows, dtype=torch.float64) / self.vocab_size  # (B, T)
        for n in range(1, min(self.order, rows.shape[1]) + 1):
            keys = keys_of_runs(rows, n, self.vocab_size)
            shorter = probabilities[:, n - 1 :]
            probabilities[:, n - 1 :] = self.refined(n, keys, shorter)
        logs = probabilities[:, 1:].log()  # (B, T-1)
        return logs if windows.ndim == 2 else logs[0]

    def refined(self, n, keys, shorter):
        """Return p_n (B, N) of the runs with these keys (B, N); shorter (B, N) is p_{n-1}."""
        contexts = keys - keys % self.vocab_size  # (B, N)
        seen = self.count(n, keys, keys + 1)  # (B, N)
        total = self.count(n, contexts, contexts + self.vocab_size)  # (B, N)
        return (seen + self.strength * shorter) / (total + self.strength)  # (B, N)

    def logits(self, ids):
        """Return the log probabilities (B, V), in nats, of the token after ids (B, T); float64.

        They are logits whose softmax is themselves. Raises ValueError for ids of another kind.
        """
        check_tokens("ids", ids, self.vocab_size, "(B, T)")
        probabilities = torch.tensor(1 / self.vocab_size, dtype=torch.float64)  # ()
        for n in range(1, min(self.order, ids.shape[1] + 1) + 1):
            context = ids[:, ids.shape[1] - (n - 1) :].long()
            seen = self.continuations(n, context)  # (B, V)
            total = seen.sum(1, keepdim=True)  # (B, 1)
            probabilities = (seen + self.strength * probabilities) / (total + self.strength)
        return probabilities.log()  # (B, V)

    def continuations(self, n, context):
        """Return how often each token followed context (B, n-1) in the text, (B, V)."""
        keys, counts_before = self.keys[n - 1], self.counts_before[n - 1]
        low = keys_of_runs(context, n - 1, self.vocab_size)[:, 0] * self.vocab_size  # (B,)
        first = torch.searchsorted(keys, low)  # (B,)
        lengths = torch.searchsorted(keys, low + self.vocab_size) - first  # (B,)
        row = torch.arange(len(low), device=low.device).repeat_interleave(lengths)  # (N,)
        skipped = lengths.cumsum(0) - lengths  # (B,)
        place = torch.arange(len(row), device=low.device) + (first - skipped)[row]  # (N,)
        seen = torch.zeros(len(low), self.vocab_size, dtype=torch.int64, device=low.device)
        seen[row, keys[place] % self.vocab_size] = counts_before[place + 1] - counts_before[place]
        return seen  # (B, V)

    def generate(self, ids, max_new_tokens=50, temperature=1.0, generator=None):
        """Return ids (B, T) with max_new_tokens sampled tokens appended, (B, T + new).

        Raises ValueError for ids of another kind or settings out of range.
        """
        check_tokens("ids", ids, self.vocab_size, "(B, T)")
        check_integer("max_new_tokens", max_new_tokens, at_least=0)
        check_settings(temperature, generator=generator)
        start = ids.shape[1]
        ids = torch.nn.functional.pad(ids.long(), (0, max_new_tokens))
        for end in range(start, ids.shape[1]):
            context = ids[:, max(end - self.order, 0) : end]
            logits = self.logits(context)  # (B, V)
            ids[:, end] = sample.unchecked(logits, temperature, generator=generator)
        return ids


def keys_of_runs(tokens, n, vocab_size):
    """Return the keys (..., T-n+1) of all runs of n tokens in each row of tokens (..., T)."""
    n_runs = tokens.shape[-1] - n + 1
    keys = torch.zeros(*tokens.shape[:-1], n_runs, dtype=torch.int64, device=tokens.device)
    for place in range(n):
        keys = keys * vocab_size + tokens[..., place : place + n_runs]
    return keys


def counted(keys):
    """Return the different keys (M,) in ascending order, and how often each occurs (M,)."""
    ordered = keys.sort().values
    return torch.unique_consecutive(ordered, return_counts=True)


def check_settings_of_counts(order, vocab_size, strength):
    """Raise ValueError unless the keys of runs of order tokens fit, and strength is above 0."""
    check_integer("order", order, at_least=1)
    check_integer("vocab_size", vocab_size, at_least=1)
    check_real("strength", strength, above=0)
    if order * math.log2(vocab_size) > 64 or vocab_size**order > LARGEST_KEY:
        found = f"order={order} with vocab_size={vocab_size} makes keys of 2**63 or more"
        raise ValueError(f"{found}; lower the order")


def check_tokens(name, tokens, vocab_size, axes):
    """Raise ValueError unless tokens are ids below vocab_size, not empty, of these axes."""
    check_tensor(name, tokens, axes, integers=True, empty=False)
    if tokens.ndim > 2:
        raise ValueError(f"{name} has shape {tuple(tokens.shape)}; it must be (N,) or (B, T)")
    check_ranges(**{name: (tokens, "vocab_size", vocab_size)})
