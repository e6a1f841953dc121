"""The sum of some digits modulo 10, answered at once, or after the running sums are written.

An item is a row of digits (K,). With steps its text is "3 8 4 : 3 1 5 = 5": the digits, their
running sums, and the answer after the equals sign. Formats differ only in what stands between
":" and "=", so all models are asked the same and are scored alike. The loss is meant to count
what follows ":", for nobody can foresee the digits.
"""

from functools import partial

import numpy as np
import torch

from gpt_helpers.tasks.answers import token_after
from gpt_helpers.tasks.items import check_items
from gpt_helpers.tasks.vocabulary import Vocabulary
from gpt_helpers.tensor_checks import check_tensor
from gpt_helpers.validation import check_callable, check_count, check_integer, check_rng, checks

SUM_WORDS = Vocabulary((*"0123456789", ":", "=", "."))
ZERO, ASK, EQUALS, DOT = (SUM_WORDS.ids[word] for word in "0:=.")
NO_ANSWER = -1
check_digits = partial(check_items, limits=10)


@checks(n_digits=check_count, rng=check_rng, n_items=check_count)
def draw_digits(n_digits, rng, n_items):
    """Return n_items rows of n_digits random digits, (N, K)."""
    return rng.integers(10, size=(n_items, n_digits))


def running_sums(items):
    """Return the sums modulo 10 of the first 1, 2, ... K digits of items (N, K), as (N, K)."""
    return np.cumsum(items, axis=1) % 10


@checks(items=check_digits)
def sum_of(items):
    """Return the right answers (N,) of items (N, K) as a tensor."""
    return torch.as_tensor(running_sums(items)[:, -1])


def no_steps(items):
    """Return the ids (N, 0) between ":" and "=" for an answer at once: none."""
    return np.empty((len(items), 0), int)


def steps(items):
    """Return the ids (N, K) between ":" and "=" of the chain of thought: the running sums."""
    return ZERO + running_sums(items)


def shuffled_steps(items):
    """Return the running sums (N, K) in a random order, the same for the same items."""
    return np.random.default_rng(items.ravel()).permuted(steps(items), axis=1)


def dots(items):
    """Return as many dots (N, K) as there are steps: time to compute, but nothing to say."""
    return np.full_like(items, DOT)


FORMATS = {"at once": no_steps, "steps": steps, "shuffled steps": shuffled_steps, "dots": dots}


@checks(items=check_digits)
def sum_questions(items):
    """Return the prompts (N, A) of items (N, K), A = K + 1: the digits, then ":"."""
    return torch.as_tensor(np.c_[ZERO + items, np.full(len(items), ASK)])  # (N, A)


@checks(steps_of=check_callable, items=check_digits)
def sum_texts(steps_of, items):
    """Return the whole texts (N, T) of items (N, K); steps_of is one of FORMATS."""
    equals = torch.full((len(items), 1), EQUALS)  # (N, 1)
    between, answer = torch.as_tensor(steps_of(items)), ZERO + sum_of(items)[:, None]
    return torch.cat([sum_questions(items), between, equals, answer], 1)  # (N, T)


@checks(written=partial(check_tensor, axes="(N, T)", integers=True))
def sum_answers(written):
    """Return the digits (N,) after "=" in what models wrote (N, T), NO_ANSWER where there is none.

    No text is refused because it makes no sense: it is a wrong answer like any other.
    """
    tokens = token_after(EQUALS, written)
    is_digit = (tokens >= ZERO) & (tokens < ZERO + 10)
    return (tokens - ZERO).where(is_digit, NO_ANSWER)


@checks(items=check_digits, rng=check_rng)
def with_wrong_step(items, at, rng):
    """Return prompts that end in a wrong running sum, and the answers that would follow from it.

    The prompts (N, A), A = K + 1 + at, hold the first at steps of items (N, K); in place of the
    last stands one of the nine other digits. The answers (N,) are its sum with the digits left.
    Raises ValueError unless 1 <= at < K, so that there are digits left.
    """
    n_items, n_digits = items.shape
    check_integer("at", at, at_least=1)
    if at >= n_digits:
        raise ValueError(f"at={at} must be in 1 to {n_digits - 1}, so that digits are left")
    error = torch.as_tensor(rng.integers(1, 10, n_items))
    begun = torch.as_tensor(running_sums(items)[:, :at])
    begun[:, -1] = (begun[:, -1] + error) % 10
    return torch.cat([sum_questions(items), ZERO + begun], 1), (sum_of(items) + error) % 10
