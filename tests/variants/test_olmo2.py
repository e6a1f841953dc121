"""OLMo 2: norms of what is added, not of what is read, and of all heads together."""

import torch
from torch.testing import assert_close

from gpt_helpers.variants.olmo2 import OLMo2LMHeadModel, normalised_together
from tests.helpers.reference import random_ids
from tests.helpers.twins import FAMILIES, randomised

CONFIG = FAMILIES["olmo2"].config
IDS = random_ids(2, 9)


def logits_with(**factors):
    """Return the logits of one model after each matrix of a name is multiplied by its factor."""
    model = randomised(OLMo2LMHeadModel(CONFIG))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            for part, factor in factors.items():
                if name.endswith(f"{part}.weight"):
                    parameter.mul_(factor)
        return model(IDS)["logits"]


def test_the_scale_of_what_a_sub_layer_adds_is_that_of_its_norm():
    assert_close(logits_with(c_proj=7.0), logits_with(), rtol=1e-3, atol=1e-4)
    assert (logits_with(ln_1=2.0) - logits_with()).abs().max() > 0.1
    assert (logits_with(ln_2=2.0) - logits_with()).abs().max() > 0.1


def test_the_stream_is_read_as_it_is():
    assert (logits_with(wte=2.0) - logits_with()).abs().max() > 0.1


def test_the_heads_of_a_token_are_normalised_together():
    x = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    together = (x.square().sum((1, 3), keepdim=True) / 15).sqrt()
    norm = torch.nn.RMSNorm(15, eps=1e-12)
    assert_close(normalised_together(x, norm), x / together)
    with torch.no_grad():
        norm.weight.copy_(torch.arange(15))
    gains = torch.arange(15.0).view(3, 1, 5)  # by head, then by column
    assert_close(normalised_together(x, norm), gains * x / together)
