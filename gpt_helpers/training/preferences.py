"""Direct preference optimisation: of two answers, make the preferred one the likelier one."""

import torch
import torch.nn.functional as F

from gpt_helpers.architecture.losses import Loss, token_losses
from gpt_helpers.architecture.modules import check_model, evaluating
from gpt_helpers.architecture.operands import widened
from gpt_helpers.tasks.answers import answer_labels
from gpt_helpers.tensor_checks import check_tensor
from gpt_helpers.validation import check_flag, check_integer, check_natural, check_real, checked_by


def check_answered_rows(model, ids, marker, padding=0, end_is_padding=False):
    """Raise ValueError unless model is one, and ids are rows (N, T) of token ids."""
    check_model(model)
    check_tensor("ids", ids, "(N, T)", integers=True, empty=False)


@checked_by(check_answered_rows)
def answer_log_probability(model, ids, marker, padding=0, end_is_padding=False):
    """Return the log-probability (N,), in nats, of what follows the marker in rows ids (N, T).

    Padding stands on the right and is not counted; answers.answer_labels says what it is. Raises
    ValueError for what is no model, and for a row without the marker.
    """
    labels = answer_labels(ids, marker, padding, end_is_padding)  # (N, T)
    return -token_losses(model(ids)["logits"], labels).sum(1)  # (N,)


def check_preferences(policy, reference, beta):
    """Raise ValueError unless policy and reference are pairs of log-probabilities (N, 2)."""
    check_real("beta", beta, above=0)
    for name, nats in (("policy", policy), ("reference", reference)):
        check_tensor(name, nats, "(N, 2)", floats=True, empty=False)
        if not nats.isfinite().all():
            raise ValueError(f"{name} holds {nats[~nats.isfinite()][0].item()}; it must be finite")
    if policy.shape != reference.shape or policy.shape[1:] != (2,):
        found = f"policy is {tuple(policy.shape)}, reference {tuple(reference.shape)}"
        raise ValueError(f"{found}; both must be (N, 2), the preferred answer first")


@checked_by(check_preferences)
def dpo_loss(policy, reference, beta):
    """Return the loss of log-probabilities (N, 2) of a policy: preferred answer, other answer.

    reference (N, 2) are those of the model at the start, beta how dear it is to move away from
    it. Raises ValueError for shapes that differ and for a beta that is not above 0.
    Source: rafailov2023dpo, eq. 7.
    """
    preferred, other = (widened(policy) - widened(reference)).unbind(1)
    return -F.logsigmoid(beta * (preferred - other)).mean()


class PreferenceLoss(Loss):
    """The mean of dpo_loss over pairs (N, 2, T), for loop.train to lower.

    A pair holds the preferred row and the other one, each with the prompt. reference is a
    model that stays as it is: give a copy of the one that is trained. The other arguments and
    the errors are those of dpo_loss and answer_log_probability.
    """

    def __init__(self, reference, marker, beta, padding=0, end_is_padding=False):
        """Remember the model, and how an answer is found in a row."""
        check_model(reference, "reference")
        check_natural("marker", marker)
        check_integer("padding", padding)
        check_flag("end_is_padding", end_is_padding)
        self.reference, self.beta = reference, check_real("beta", beta, above=0)
        self.answer = {"marker": marker, "padding": padding, "end_is_padding": end_is_padding}

    def count(self, pairs):
        """Return N, the number of pairs (N, 2, T)."""
        return pairs.new_tensor(len(pairs))

    def total(self, model, pairs):
        """Return the sum of the losses of pairs (N, 2, T)."""
        policy = self.log_probabilities(model, pairs)  # (N, 2)
        with evaluating(self.reference), torch.no_grad():
            start = self.log_probabilities(self.reference, pairs)  # (N, 2)
        return dpo_loss.unchecked(policy, start, self.beta) * len(pairs)

    def log_probabilities(self, model, pairs):
        """Return those (N, 2) of the answers of pairs (N, 2, T)."""
        rows = pairs.flatten(0, 1)
        nats = answer_log_probability.unchecked(model, rows, **self.answer)
        return nats.unflatten(0, (-1, 2))  # (N, 2)
