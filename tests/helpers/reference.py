"""What the tests of behaviour share: small models, their Hugging Face twins, prompts."""

import dataclasses

import pytest
import torch
from hypothesis import settings

from gpt_helpers.architecture.model import GPTLMHeadModel
from gpt_helpers.config import GPTConfig

torch.set_num_threads(1)  # small models; the other cores are for other tests
settings.register_profile("same every time", derandomize=True, deadline=None, max_examples=50)
settings.load_profile("same every time")

SMALL = GPTConfig(vocab_size=61, n_positions=20, n_embd=24, n_layer=3, n_head=4)
ACTIVATIONS = {"gelu": "gelu_new", "gelu_erf": "gelu", "relu": "relu", "swish": "silu"}
CONV1D = ("c_attn.weight", "c_proj.weight", "c_fc.weight")


def random_model(config=SMALL, seed=0, std=None, **changes):
    """Return one of our models in eval mode; std perturbs everything, biases and gains too."""
    torch.manual_seed(seed)
    model = GPTLMHeadModel(dataclasses.replace(config, **changes)).eval()
    if std is not None:
        for parameter in model.parameters():
            is_gain = bool((parameter == 1).all())
            torch.nn.init.normal_(parameter, mean=float(is_gain), std=std)
    return model


def hugging_face(model):
    """Return a GPT2LMHeadModel with the weights of our model (its Conv1D is transposed)."""
    from transformers import GPT2Config, GPT2LMHeadModel  # takes seconds; few tests need it

    config = model.config
    peer = GPT2LMHeadModel(
        GPT2Config(
            vocab_size=config.vocab_size,
            n_positions=config.n_positions,
            n_embd=config.n_embd,
            n_layer=config.n_layer,
            n_head=config.n_head,
            n_inner=config.n_inner,
            activation_function=ACTIVATIONS[config.activation],
            layer_norm_epsilon=config.layer_norm_epsilon,
            resid_pdrop=config.dropout,
            embd_pdrop=config.dropout,
            attn_pdrop=config.dropout,
            bos_token_id=None,
            eos_token_id=None,
        )
    )
    weights = {
        name: value.T if name.endswith(CONV1D) else value
        for name, value in model.state_dict().items()
    }
    peer.load_state_dict(weights)
    return peer.eval()


def random_ids(n_rows, n_tokens, vocab_size=SMALL.vocab_size, seed=0):
    """Return random token ids (n_rows, n_tokens)."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(vocab_size, (n_rows, n_tokens), generator=generator)


def left_padded(prompts, pad=0):
    """Return (input_ids, attention_mask) of prompts of different lengths, padded on the left."""
    longest = max(len(prompt) for prompt in prompts)
    ids = torch.full((len(prompts), longest), pad)
    mask = torch.zeros_like(ids)
    for row, prompt in enumerate(prompts):
        ids[row, longest - len(prompt) :] = prompt
        mask[row, longest - len(prompt) :] = 1
    return ids, mask


def refused(message, function, *args, **kwargs):
    """Check that the call raises a ValueError whose message matches."""
    with pytest.raises(ValueError, match=message) as caught:
        function(*args, **kwargs)
    assert type(caught.value) is ValueError
