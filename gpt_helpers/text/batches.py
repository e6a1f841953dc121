"""Windows of tokens: what a training step reads, and what a model is scored on."""

import numpy as np
import torch

from gpt_helpers.tensor_checks import check_generator, check_tensor
from gpt_helpers.validation import check_integer

MOST_TOKENS = 2**30  # of a batch; more are beyond most memories


class Batches:
    """Training data as a list: batches[step] is (B, T), a function of the seed and the step.

    An epoch cuts the tokens (N,) into windows of T = n_tokens, from a random first token on,
    and shuffles them. So no token is read twice in an epoch, and all are read but those at the
    edges and in windows that fill no batch. A run that stops and goes on reads what it would
    have read.
    """

    def __init__(self, tokens, batch_size, n_tokens, seed=0):
        """Remember the tokens; raise ValueError if they do not fill one batch."""
        check_tensor("tokens", tokens, "(N,)", integers=True)
        batch_size = check_integer("batch_size", batch_size, at_least=1)
        n_tokens = check_integer("n_tokens", n_tokens, at_least=1)
        seed = check_integer("seed", seed, at_least=0)
        self.n_windows = (len(tokens) - n_tokens + 1) // n_tokens
        if self.n_windows < batch_size:
            raise ValueError(
                f"{len(tokens)} tokens hold {max(self.n_windows, 0)} windows of {n_tokens};"
                f" batch_size={batch_size} needs more"
            )
        self.tokens, self.batch_size, self.n_tokens, self.seed = tokens, batch_size, n_tokens, seed

    @property
    def steps_per_epoch(self):
        """Return the number of batches until the tokens are shuffled anew."""
        return self.n_windows // self.batch_size

    def __getitem__(self, step):
        """Return the windows (B, T) of a step, counted from 0 over all epochs."""
        check_integer("step", step, at_least=0)
        epoch, index = divmod(step, self.steps_per_epoch)
        rng = np.random.default_rng([self.seed, epoch])
        offset, order = rng.integers(self.n_tokens), rng.permutation(self.n_windows)
        chosen = torch.from_numpy(order[index * self.batch_size :][: self.batch_size])
        starts = chosen[:, None] * self.n_tokens + offset
        return self.tokens[starts + torch.arange(self.n_tokens)].long()  # (B, T)


def fixed_windows(tokens, n_tokens, n_windows=None):
    """Return (n_windows, T) windows of T = n_tokens, evenly spread over tokens (N,).

    Without n_windows as many as fit side by side. Raises ValueError if there are not so many.
    """
    check_tensor("tokens", tokens, "(N,)", integers=True)
    check_integer("n_tokens", n_tokens, at_least=1)
    available = len(tokens) // n_tokens
    if available == 0:
        raise ValueError(f"{len(tokens)} tokens hold no window of {n_tokens}; give more of them")
    wanted = available if n_windows is None else n_windows
    check_integer("n_windows", wanted, at_least=1)
    if wanted > available:
        raise ValueError(f"n_windows={wanted}, but {len(tokens)} tokens hold {available}")
    chosen = torch.arange(wanted) * available // wanted
    return tokens[chosen[:, None] * n_tokens + torch.arange(n_tokens)].long()


def sample_batch(tokens, batch_size, n_tokens, generator=None):
    """Return (B, T) windows of T = n_tokens tokens that start at random places of tokens (N,).

    They serve as input_ids and as labels: the model shifts by one itself. Raises ValueError
    if tokens is not one row of integers at least n_tokens long.
    """
    check_integer("batch_size", batch_size, at_least=1)
    check_integer("n_tokens", n_tokens, at_least=1)
    check_tensor("tokens", tokens, "(N,)", integers=True)
    check_generator(generator)
    if len(tokens) < n_tokens:
        raise ValueError(f"n_tokens={n_tokens} is more than the {len(tokens)} tokens there are")
    if batch_size * n_tokens > MOST_TOKENS:
        found = f"{batch_size=} windows of {n_tokens=}"
        raise ValueError(f"{found} are more than {MOST_TOKENS} tokens; lower one of them")
    starts = torch.randint(len(tokens) - n_tokens + 1, (batch_size, 1), generator=generator)
    return tokens[starts + torch.arange(n_tokens)]  # (B, T)
