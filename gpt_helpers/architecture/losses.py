"""What a model pays for each token that it predicts, and the mean of it that training lowers."""

import torch
import torch.nn.functional as F

from gpt_helpers.architecture.inputs import IGNORED, check_ranges, misplaced_labels, targets_of
from gpt_helpers.architecture.modules import check_model
from gpt_helpers.architecture.operands import check_devices, widened
from gpt_helpers.tensor_checks import check_tensor
from gpt_helpers.validation import check_callable, checked_by


def check_predictions(logits, labels):
    """Raise ValueError unless logits (B, T, V) and labels (B, T) give a loss."""
    check_pair(logits, labels)
    check_ranges(labels=(targets_of(labels), "vocab_size", logits.shape[2]))


def check_labels(logits, labels):
    """Raise ValueError unless labels (B, T), of which all may be ignored, fit logits (B, T, V)."""
    check_pair(logits, labels)
    learned = labels.masked_fill(labels == IGNORED, 0)  # (B, T)
    check_ranges(labels=(learned, "vocab_size", logits.shape[2]))


def check_pair(logits, labels):
    """Raise ValueError unless logits are a tensor (B, T, V), and labels integers (B, T)."""
    check_tensor("logits", logits, "(B, T, V)", floats=True, empty=False)
    check_tensor("labels", labels, "(B, T)", integers=True, empty=False)
    if labels.shape != logits.shape[:2]:
        raise misplaced_labels(labels, logits.shape[:2])
    check_devices(labels=labels, logits=logits)


@checked_by(check_labels)
def token_losses(logits, labels):
    """Return the cross-entropy (B, T-1), in nats, of predicting labels[:, t + 1] at position t.

    logits is (B, T, V), labels (B, T); a label of -100 costs nothing. It is computed in float32
    at least. Raises ValueError for shapes and labels that do not fit.
    """
    predictions, targets = widened(logits[:, :-1]), labels[:, 1:].long()
    pairs = predictions.flatten(0, 1), targets.flatten()
    return F.cross_entropy(*pairs, ignore_index=IGNORED, reduction="none").view_as(targets)


class Loss:
    """What training lowers: loss(model, ids) is a mean, of which total and count are the parts.

    Passes and processes that read parts of a batch need the two apart, for a part counts more
    or fewer tokens than another, or none; the mean of their means would be another number.
    """

    def count(self, ids):
        """Return of how many values ids hold the losses, as a tensor ()."""
        raise NotImplementedError

    def total(self, model, ids):
        """Return the sum of these losses, as a tensor (), in nats; 0 if there are none."""
        raise NotImplementedError

    def __call__(self, model, ids):
        """Return the mean of these losses, (); raise ValueError for no model, or none of them."""
        check_model(model)
        n_counted = check_sum("count(ids)", self.count(ids))
        if not n_counted:
            raise ValueError(f"ids {tuple(ids.shape)} leave nothing to predict: no token counts")
        return check_sum("total(model, ids)", self.total(model, ids)) / n_counted


def check_sum(name, value):
    """Return value, what a method of a Loss gave; raise ValueError unless it is a tensor ()."""
    if not isinstance(value, torch.Tensor) or value.ndim:
        found = tuple(value.shape) if isinstance(value, torch.Tensor) else type(value).__name__
        raise ValueError(f"{name} of the loss is {found}; it must be a tensor (), a sum")
    return value


class TokenLoss(Loss):
    """The loss of predicting tokens, in nats per token.

    labels_of(ids) returns the labels (B, T) of ids (B, T): the ids, but -100 where no loss is
    wanted. Raises ValueError for what is no function.
    """

    def __init__(self, labels_of):
        """Remember which tokens are labels."""
        check_callable("labels_of", labels_of)
        self.labels_of = labels_of

    def checked_labels(self, ids):
        """Return the labels (B, T) of ids (B, T); raise ValueError if labels_of gives others."""
        labels = self.labels_of(ids)
        check_tensor("labels_of(ids)", labels, "(B, T)", integers=True)
        return labels

    def count(self, ids):
        """Return how many tokens of ids (B, T) are predicted and have a label."""
        return (self.checked_labels(ids)[:, 1:] != IGNORED).sum()

    def total(self, model, ids):
        """Return what the model pays for these tokens of ids (B, T), in nats."""
        return token_losses(model(ids)["logits"], self.checked_labels(ids)).sum()


language_model_loss = TokenLoss(lambda ids: ids)  # of every token but the first
