"""The loss of each token, against the mean that a model returns."""

import torch
from torch.testing import assert_close

from gpt_helpers.architecture.losses import token_losses
from gpt_helpers.architecture.model import next_token_loss
from tests.helpers.reference import random_ids

LOGITS = torch.randn(3, 7, 31, generator=torch.Generator().manual_seed(0))
IDS = random_ids(3, 7, 31)


def test_each_token_but_the_first_has_a_loss_by_hand():
    losses = token_losses(LOGITS, IDS)
    assert losses.shape == (3, 6)
    wanted = -LOGITS[1, 3].log_softmax(-1)[IDS[1, 4]]
    assert_close(losses[1, 3], wanted)
    assert_close(losses.mean(), next_token_loss(LOGITS, IDS))


def test_a_label_that_is_left_out_costs_nothing():
    labels = IDS.clone()
    labels[0, :3] = -100
    losses = token_losses(LOGITS, labels)
    assert (losses[0, :2] == 0).all()
    assert_close(losses[0, 2:], token_losses(LOGITS, IDS)[0, 2:])
    assert_close(losses.sum() / 16, next_token_loss(LOGITS, labels))
