"""A journey's numbers are those of a pass, recomputed by hand and by transformers, step by step."""

import dataclasses

import numpy as np
import pytest
import torch

from gpt_helpers.architecture.journey import follow
from gpt_helpers.weights import pretrained
from tests.helpers.reference import hugging_face, random_model, refused

LINE, HEAD, TEMPERATURE = "def read(self", 3, 0.8


@pytest.fixture(scope="module")
def shipped():
    """Return the model that ships, the ids of a line, and the journey of its last token."""
    model, tokenizer = pretrained.load_model()
    ids = tokenizer.encode(LINE).ids
    return model, ids, follow(model, ids, HEAD, TEMPERATURE)


@pytest.fixture(scope="module")
def weights(shipped):
    """Return the weights by name, as arrays of 64 bits."""
    named = shipped[0].transformer.state_dict()
    return {name: weight.double().numpy() for name, weight in named.items()}


def close(found, wanted):
    """Compare with what is computed in 64 bits."""
    np.testing.assert_allclose(np.asarray(found), wanted, atol=3e-4, rtol=1e-4)


def normalised(x, weights, name, epsilon=1e-5):
    """Return the layer normalisation of vectors (..., C), with its gain and bias."""
    centred = x - x.mean(-1, keepdims=True)
    scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + epsilon)
    return scaled * weights[f"{name}.weight"] + weights[f"{name}.bias"]


def linear(x, weights, name):
    """Return the product with a matrix (out, in), and its bias."""
    return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]


def gelu(x):
    """Return the tanh form of GELU."""
    return x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))


def softmax(scores):
    """Return the softmax of the last axis."""
    powers = np.exp(scores - scores.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def by_hand(weights, ids, n_layer, n_head):
    """Return all vectors of a pass, {name: array}, by loops and matrix products only."""
    x = np.stack([weights["wte.weight"][i] + weights["wpe.weight"][p] for p, i in enumerate(ids)])
    made, width = {"stream": [x[-1]]}, x.shape[1]
    for layer in range(n_layer):
        block = f"h.{layer}"
        normed = normalised(x, weights, f"{block}.ln_1")
        q, k, v = np.split(linear(normed, weights, f"{block}.attn.c_attn"), 3, axis=1)
        joined, heads = np.empty_like(x), []
        for head in range(n_head):
            own = slice(head * width // n_head, (head + 1) * width // n_head)
            scores = q[:, own] @ k[:, own].T / np.sqrt(width / n_head)
            scores[np.triu_indices(len(ids), 1)] = -np.inf
            heads.append((q[:, own], k[:, own], v[:, own], softmax(scores)))
            joined[:, own] = heads[-1][3] @ v[:, own]
        attended = linear(joined, weights, f"{block}.attn.c_proj")
        x = x + attended
        hidden = gelu(linear(normalised(x, weights, f"{block}.ln_2"), weights, f"{block}.mlp.c_fc"))
        added = linear(hidden, weights, f"{block}.mlp.c_proj")
        x = x + added
        made["stream"].append(x[-1])
        if layer == 0:
            made |= {"heads": heads, "normed": normed[-1], "joined": joined[-1]}
            made |= {"attended": attended[-1], "hidden": hidden[-1], "added": added[-1]}
    made["final"] = normalised(x[-1], weights, "ln_f")
    return made | {"logits": made["final"] @ weights["wte.weight"].T}


def test_each_number_is_that_of_matrix_products_by_hand(shipped, weights):
    model, ids, journey = shipped
    made = by_hand(weights, ids, model.config.n_layer, model.config.n_head)
    close(journey.rows, [weights["wte.weight"][ids[-1]], weights["wpe.weight"][len(ids) - 1]])
    for name, wanted in zip(("q", "k", "v", "weights"), made.pop("heads")[HEAD], strict=True):
        close(getattr(journey, name), wanted)
    for name, wanted in made.items():
        close(getattr(journey, name), wanted)


def test_a_pass_of_transformers_has_the_same_numbers(shipped):
    model, ids, journey = shipped
    peer, found = hugging_face(model), {}

    def keep(name):
        return lambda module, inputs, output: found.update({name: (inputs[0], output)})

    for name, module in peer.transformer.named_modules():
        module.register_forward_hook(keep(name))
    peer.set_attn_implementation("eager")
    with torch.no_grad():
        output = peer(torch.tensor([ids]), output_hidden_states=True, output_attentions=True)
    streams = [*output.hidden_states[:-1], found["h.4"][1]]
    streams = [part[0] if isinstance(part, tuple) else part for part in streams]
    close(journey.stream, torch.stack([part[0, -1] for part in streams]))
    close(journey.weights, output.attentions[0][0, HEAD])
    close(journey.final, output.hidden_states[-1][0, -1])
    close(journey.logits, output.logits[0, -1])
    places = {"normed": ("h.0.ln_1", 1), "attended": ("h.0.attn.c_proj", 1),
              "joined": ("h.0.attn.c_proj", 0), "hidden": ("h.0.mlp.c_proj", 0),
              "added": ("h.0.mlp.c_proj", 1)}  # fmt: skip
    for name, (module, side) in places.items():
        close(getattr(journey, name), found[module][side][0, -1])
    heads = found["h.0.attn.c_attn"][1][0].view(len(ids), 3, 4, 48)[:, :, HEAD]
    for part, rows in zip("qkv", heads.unbind(1), strict=True):
        close(getattr(journey, part), rows)


def test_what_a_step_returns_is_what_the_next_one_reads(shipped, weights):
    model, _, journey = shipped
    x, values = np.array(journey.stream[0]), np.array(journey.v)
    close(np.sum(journey.rows, axis=0), x)
    close(normalised(x, weights, "h.0.ln_1"), journey.normed)
    products = linear(np.array(journey.normed), weights, "h.0.attn.c_attn").reshape(3, 4, 48)
    close([journey.q[-1], journey.k[-1], journey.v[-1]], products[:, HEAD])
    scores = np.array(journey.q) @ np.array(journey.k).T / np.sqrt(48)
    for row, found in enumerate(journey.weights):
        close(found, [*softmax(scores[row, : row + 1]), *[0] * (len(scores) - row - 1)])
    own = slice(HEAD * 48, (HEAD + 1) * 48)
    close(np.array(journey.weights[-1]) @ values, journey.joined[own])
    close(linear(np.array(journey.joined), weights, "h.0.attn.c_proj"), journey.attended)
    between = x + journey.attended
    wide = linear(normalised(between, weights, "h.0.ln_2"), weights, "h.0.mlp.c_fc")
    close(gelu(wide), journey.hidden)
    close(linear(np.array(journey.hidden), weights, "h.0.mlp.c_proj"), journey.added)
    close(between + journey.added, journey.stream[1])
    close(normalised(np.array(journey.stream[-1]), weights, "ln_f"), journey.final)
    close(weights["wte.weight"] @ journey.final, journey.logits)
    assert len(journey.stream) == 1 + model.config.n_layer


def test_probabilities_are_those_of_the_logits_divided_by_the_temperature(shipped):
    journey = shipped[2]
    found = softmax(np.array(journey.logits) / TEMPERATURE)
    ids, shares = zip(*journey.probabilities.items(), strict=True)
    np.testing.assert_allclose(shares, found[list(ids)], rtol=1e-5)
    assert sorted(ids) == list(range(len(found)))
    assert list(shares) == sorted(shares, reverse=True)


def test_the_dice_chooses_the_token_on_whose_part_it_lies(shipped):
    journey = shipped[2]
    low = 0.0
    for token, share in list(journey.probabilities.items())[:4]:
        for dice in (low + 1e-6, low + share / 2, low + share - 1e-6):
            assert dataclasses.replace(journey, dice=dice).chosen == token
        low += share
    assert dataclasses.replace(journey, dice=1.0).chosen in list(journey.probabilities)[10:]


def test_the_seed_alone_fixes_the_dice_and_dice_are_spread_evenly():
    model = random_model()
    torch.manual_seed(5)
    before = torch.get_rng_state()
    dice = [follow(model, [1, 2, 3], seed=seed).dice for seed in range(40)]
    assert torch.equal(before, torch.get_rng_state())
    assert dice[7] == follow(model, [4, 5], seed=7).dice
    assert len(set(dice)) == 40
    assert 0 <= min(dice) < 0.2 < 0.8 < max(dice) < 1


def test_dropout_is_off_and_the_model_stays_in_its_mode():
    model = random_model(dropout=0.5).train()
    journeys = [follow(model, [1, 2, 3]) for _ in range(2)]
    assert journeys[0] == journeys[1]
    assert model.training


def test_query_heads_that_share_a_key_show_the_shared_one():
    model = random_model(n_kv_head=2)
    found = [follow(model, [1, 2, 3], head=head) for head in range(4)]
    assert found[0].k == found[1].k != found[2].k == found[3].k
    assert found[0].q != found[1].q
    for journey in found:
        scores = np.array(journey.q[-1]) @ np.array(journey.k).T / np.sqrt(6)
        close(journey.weights[-1], softmax(scores))


def test_what_no_model_reads_is_refused():
    model = random_model()
    refused("head=4 must be an integer from 0 to 3", follow, model, [1], 4)
    refused("temperature=0", follow, model, [1], 0, 0)
    refused("ids", follow, model, [])
    refused("61", follow, model, [61])
