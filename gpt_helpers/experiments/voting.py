"""Self-consistency: several sampled chains of thought, and the answer that most of them give.

The votes are those of a model that has learned half of its task.
"""

import copy

import torch

from gpt_helpers.evaluation.accuracy import written
from gpt_helpers.experiments.reasoning import agreement, score_row, sum_items, sum_score
from gpt_helpers.tasks import sums
from gpt_helpers.tensor_checks import check_tensor
from gpt_helpers.validation import check_integer

VOTES = (1, 3, 5, 11, 21)
N_VOTED = 1000  # sums


def majority(answers):
    """Return the answer (N,) that each row of answers (N, A) gives most often.

    Of answers given equally often it is the smallest. A negative number is no answer and has no
    vote; without any other it remains. Source: wang2022selfconsistency, sec. 2.
    """
    check_tensor("answers", answers, "(N, A)", integers=True, empty=False)
    votes = (answers[:, :, None] == answers[:, None]).sum(2).where(answers >= 0, 0)  # (N, A)
    has_most = votes == votes.amax(1, keepdim=True)  # (N, A)
    return answers.where(has_most, answers.amax()).amin(1)  # (N,)


def sampled_answers(model, items, n_samples, seed=0):
    """Return the answers (N, A) of A = n_samples chains of thought sampled for each sum (N, K).

    They are sampled at temperature 1. Raises ValueError for no samples.
    """
    check_integer("n_samples", n_samples, at_least=1)
    prompts = sums.sum_questions(items).repeat_interleave(n_samples, 0)
    generator = torch.Generator().manual_seed(seed)
    texts = written(model, prompts, items.shape[1] + 2, temperature=1.0, generator=generator)
    return sums.sum_answers(texts).view(len(items), n_samples)  # (N, A)


def exchanged_errors(answers, right, seed=0):
    """Return answers (N, A) with as many errors of each kind, but shared out among all items.

    An error is the difference from right (N,) modulo 10. What an item is answered in one vote
    then tells nothing of the next: this is how votes would go if errors were independent.
    """
    errors = (answers - right[:, None]).remainder(10).where(answers >= 0, sums.NO_ANSWER)
    order = torch.randperm(errors.numel(), generator=torch.Generator().manual_seed(seed))
    errors = errors.flatten()[order].view_as(answers)  # (N, A)
    return (errors + right[:, None]).remainder(10).where(errors >= 0, sums.NO_ANSWER)


def keep_halfway(kept):
    """Return the after_step that keeps the first (model, step) with half of its samples right.

    It looks every 4 steps, at sums that are no test items.
    """
    items = sum_items(n_items=200, for_tests=False)

    def after_step(row, model):
        if not kept and row["step"] % 4 == 0:
            generator = torch.Generator().manual_seed(row["step"])
            if sum_score(model, items, temperature=1.0, generator=generator).share >= 0.5:
                kept.append((copy.deepcopy(model), row["step"]))

    return after_step


def vote_rows(model, log, n_items=N_VOTED):
    """Return rows of "greedy", "votes" and "independent votes", x being the number of votes."""
    items = sum_items(n_items=n_items)
    right = sums.sum_of(items)
    answers = sampled_answers(model, items, max(VOTES))
    kinds = {"votes": answers, "independent votes": exchanged_errors(answers, right)}
    return [score_row("greedy", 1, sum_score(model, items), log)] + [
        score_row(kind, n, agreement(majority(votes[:, :n]), right), log)
        for kind, votes in kinds.items()
        for n in VOTES
    ]
