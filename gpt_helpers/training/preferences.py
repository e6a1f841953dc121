"""Direct preference optimisation: of two answers, make the preferred one the likelier one."""

import torch
import torch.nn.functional as F

from gpt_helpers.architecture.losses import token_losses
from gpt_helpers.architecture.modules import check_model, evaluating
from gpt_helpers.tasks.answers import answer_labels
from gpt_helpers.validation import check_real


def answer_log_probability(model, ids, marker):
    """Return the log-probability (N,), in nats, of what follows the marker in rows ids (N, T).

    Padding, id 0, stands on the right and is not counted. Raises ValueError for a row without
    the marker.
    """
    nats = token_losses(model(ids)["logits"], answer_labels(ids, marker))  # (N, T-1)
    return -nats.sum(1)  # (N,)


def dpo_loss(policy, reference, beta):
    """Return the loss of log-probabilities (N, 2) of a policy: preferred answer, other answer.

    reference (N, 2) are those of the model at the start, beta how dear it is to move away from
    it. Raises ValueError for shapes that differ and for a beta that is not above 0.
    Source: rafailov2023dpo, eq. 7.
    """
    check_real("beta", beta, above=0)
    if policy.shape != reference.shape or policy.shape[1:] != (2,):
        found = f"policy is {tuple(policy.shape)}, reference {tuple(reference.shape)}"
        raise ValueError(f"{found}; both must be (N, 2), the preferred answer first")
    preferred, other = (policy - reference).unbind(1)
    return -F.logsigmoid(beta * (preferred - other)).mean()


def preference_loss(reference, marker, beta):
    """Return the function (model, pairs (N, 2, T)) -> loss that loop.train lowers.

    A pair holds the preferred row and the other one, each with the prompt. reference is a
    model that stays as it is: give a copy of the one that is trained.
    """
    check_model(reference)

    def loss_of(model, pairs):
        rows = pairs.flatten(0, 1)
        policy = answer_log_probability(model, rows, marker).unflatten(0, (-1, 2))  # (N, 2)
        with evaluating(reference), torch.no_grad():
            start = answer_log_probability(reference, rows, marker).unflatten(0, (-1, 2))  # (N, 2)
        return dpo_loss(policy, start, beta)

    return loss_of
