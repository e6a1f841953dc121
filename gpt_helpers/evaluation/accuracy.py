"""Answers that a model writes, how many of them are right, and how sure that is."""

import math
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from gpt_helpers.architecture.inputs import check_ranges
from gpt_helpers.architecture.modules import check_model
from gpt_helpers.tensor_checks import check_tensor
from gpt_helpers.validation import (
    check_fields,
    check_instance,
    check_integer,
    check_natural,
    check_real,
    check_sequence,
    checks,
)

Z95 = 1.959963984540054  # 95 % of a normal distribution lie within so many deviations
MOST_DEVIATIONS = 1e6  # whose square a float holds, with all counts


@dataclass(frozen=True)
class Score:
    """So many right answers of n.

    Raises ValueError unless 0 <= right <= n and n >= 1.
    """

    right: int
    n: int

    def __post_init__(self):
        """Refuse counts that no test can have, and keep others as plain numbers."""
        check_fields(self, check_integer, "n", at_least=1)
        check_fields(self, check_integer, "right", at_least=0, at_most=self.n)

    @property
    def share(self):
        """Return the share of right answers."""
        return self.right / self.n

    @property
    def interval(self):
        """Return (lowest, highest) of the 95 % interval of the share, as wilson gives it."""
        return wilson(self.right, self.n)

    def __add__(self, other):
        """Return the score of both tests together, such as those of several seeds."""
        if not isinstance(other, Score):
            return NotImplemented
        return Score(self.right + other.right, self.n + other.n)


check_scores = partial(check_sequence, kind=Score)


@checks(scores=check_scores)
def pooled(scores):
    """Return (share of all together, lowest, highest) of the Scores of several seeds.

    The interval spans the 95 % intervals of every seed. Raises ValueError for no scores.
    """
    lowest = min(score.interval[0] for score in scores)
    highest = max(score.interval[1] for score in scores)
    return sum(scores[1:], scores[0]).share, lowest, highest


def wilson(right, n, z=Z95):
    """Return (lowest, highest): the shares that right of n answers are compatible with.

    z is the number of standard deviations. Unlike share +- z * deviation it stays within 0
    and 1, and is no point where all answers are right. It takes the answers as independent.
    Raises ValueError for counts that no test can have. Source: wilson1927interval.
    """
    score = Score(right, n)
    right, n, share = score.right, score.n, score.share
    z = check_real("z", z, above=0, at_most=MOST_DEVIATIONS)
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    deviation = math.sqrt(share * (1 - share) / n + (z / (2 * n)) ** 2)
    half = z * deviation / (1 + z * z / n)
    low = middle - half if right else 0.0
    high = middle + half if right < n else 1.0
    return low, high


def written(model, prompts, n_tokens, **settings):
    """Return the n_tokens tokens (N, n_tokens) that a model writes after prompts (N, T).

    It takes the likeliest token each time, unless settings of generation.generate say otherwise;
    attention_mask (N, T) is one of them, for prompts that are padded on the left. Raises
    ValueError for what is no model, no prompts that it can read, and no number of tokens.
    """
    check_model(model)
    check_tensor("prompts", prompts, "(N, T)", integers=True, empty=False)
    check_ranges(prompts=(prompts, "vocab_size", model.config.vocab_size))
    check_natural("n_tokens", n_tokens)
    settings = {"temperature": 0} | settings
    return model.generate(prompts, n_tokens, **settings)[:, prompts.shape[1] :]  # (N, A)


def exactly(found, wanted, ignored=None):
    """Return the Score of found (N, A) against wanted (N, A): a row counts if all of it is right.

    Where wanted is the id ignored, such as padding, anything may stand. Raises ValueError for
    what are no integers, and for shapes that differ.
    """
    found, wanted = answers_of("found", found), answers_of("wanted", wanted)
    if ignored is not None:
        ignored = check_integer("ignored", ignored)
    if found.shape != wanted.shape:
        raise ValueError(
            f"found is {tuple(found.shape)}, wanted {tuple(wanted.shape)}; both (N, A)"
        )
    same = found == wanted
    if ignored is not None:
        same = same | (wanted == ignored)
    return Score(same.all(1).sum().item(), len(wanted))


def answers_of(name, answers):
    """Return answers (N, A), an array or a tensor, as a tensor on the CPU.

    Raises ValueError unless they are integers.
    """
    check_instance(name, answers, (torch.Tensor, np.ndarray))
    if isinstance(answers, np.ndarray):
        if answers.dtype.kind not in "iu":
            raise ValueError(f"{name} has dtype {answers.dtype}; convert it with .astype(int)")
        answers = torch.from_numpy(answers.astype(np.int64))
    check_tensor(name, answers, "(N, A)", integers=True, empty=False)
    return answers.cpu()
