"""What a model pays for each token that it predicts."""

import torch.nn.functional as F

from gpt_helpers.architecture.inputs import IGNORED


def token_losses(logits, labels):
    """Return the cross-entropy (B, T-1), in nats, of predicting labels[:, t + 1] at position t.

    logits is (B, T, V), labels (B, T); a label of -100 costs nothing.
    """
    predictions, targets = logits[:, :-1].mT, labels[:, 1:]
    return F.cross_entropy(predictions, targets, ignore_index=IGNORED, reduction="none")  # (B, T-1)
