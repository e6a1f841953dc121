"""The way of a text's last token through a GPT: what each part of one pass makes, as plain lists.

Nothing is computed a second time: the numbers are what the modules of the model were given and
what they returned. What comes after the logits, the temperature and the dice, is computed here.
"""

import functools
from dataclasses import dataclass

import torch

from gpt_helpers.architecture.model import GPTLMHeadModel, split_heads
from gpt_helpers.architecture.modules import evaluating, hooked
from gpt_helpers.architecture.sampling import cut
from gpt_helpers.architecture.trace import recorded_attention
from gpt_helpers.validation import (
    check_instance,
    check_integer,
    check_real,
    check_sequence,
    checks,
)


@dataclass(frozen=True)
class Journey:
    """What a pass makes of the last of T tokens: of the first block all, of the others the sums.

    ids (T,) are the tokens, and rows (2, C) the token's row of wte and its position's of wpe.
    In the first block normed (C,) is what ln_1 returns, q, k and v (T, D) are those of one head
    and all tokens, weights (T, T) what the head reads, joined (C,) the values that all heads have
    read, side by side, attended (C,) what the attention adds; hidden (F,) is what the second
    matrix of the MLP reads, and added (C,) what the MLP adds. stream (1 + L, C) is the sum of the
    rows, and then that sum after each block. final (C,) is what ln_f returns; logits is (V,).
    With temperature they become probabilities, among which dice, from 0 to 1, chooses.
    """

    ids: list
    rows: list
    head: int
    normed: list
    q: list
    k: list
    v: list
    weights: list
    joined: list
    attended: list
    hidden: list
    added: list
    stream: list
    final: list
    logits: list
    temperature: float
    dice: float

    @property
    def probabilities(self):
        """Return {token id: its probability}, the likeliest first."""
        logits = cut(torch.tensor(self.logits), self.temperature)  # (V,)
        shares = logits.softmax(-1).sort(descending=True, stable=True)
        return dict(zip(shares.indices.tolist(), shares.values.tolist(), strict=True))

    @property
    def chosen(self):
        """Return the token id on whose part of the line from 0 to 1 the dice lies."""
        ids, shares = zip(*self.probabilities.items(), strict=True)
        ends = torch.tensor(shares).double().cumsum(0)  # (V,)
        place = torch.searchsorted(ends, self.dice, right=True)
        return ids[min(int(place), len(ids) - 1)]  # the sum may fall short of 1 by rounding


@checks(
    model=functools.partial(check_instance, kind=GPTLMHeadModel),
    ids=functools.partial(check_sequence, kind=int),
    temperature=functools.partial(check_real, above=0),
    seed=functools.partial(check_integer, at_least=0, at_most=2**63 - 1),
)
def follow(model, ids, head=0, temperature=1.0, seed=0):
    """Return the Journey of the last token of the list ids, with one head of the first block.

    The seed fixes the dice. Errors for ids are those of the model.
    """
    check_integer("head", head, 0, model.config.n_head - 1)
    given, made, weights = record_pass(model, ids)
    n_heads = model.transformer.h[0].attn.heads  # of q, k, v
    heads = split_heads(made["h.0.attn.c_attn"], sum(n_heads))[0]  # (H+2G, T, D)
    q, k, v = heads.split_with_sizes(n_heads)
    group = head * len(k) // len(q)
    blocks = [given["h.0"], *(made[f"h.{layer}"] for layer in range(model.config.n_layer))]
    found = {
        "q": q[head],
        "k": k[group],
        "v": v[group],
        "weights": weights[0][0, head],
        "rows": torch.stack([last_of(made["wte"]), last_of(made["wpe"])]),
        "normed": last_of(made["h.0.ln_1"]),
        "joined": last_of(given["h.0.attn.c_proj"]),
        "attended": last_of(made["h.0.attn.c_proj"]),
        "hidden": last_of(given["h.0.mlp.c_proj"]),
        "added": last_of(made["h.0.mlp.c_proj"]),
        "stream": torch.stack([last_of(x) for x in blocks]),
        "final": last_of(made["ln_f"]),
        "logits": last_of(made["lm_head"]),
    }
    dice = torch.rand((), generator=torch.Generator().manual_seed(seed))
    lists = {name: tensor.tolist() for name, tensor in found.items()}
    return Journey(ids=list(ids), head=head, temperature=temperature, dice=float(dice), **lists)


def record_pass(model, ids):
    """Return what each module was given, what it returned, {name: tensor}, and the weights."""
    given, made = {}, {}
    names = {module: name.removeprefix("transformer.") for name, module in model.named_modules()}

    def keep(module, inputs, keywords, output):
        given[names[module]], made[names[module]] = inputs[0], output

    hooks = [(module, keep) for module in names]
    recorded = recorded_attention(model)
    with evaluating(model), torch.no_grad(), recorded as weights, hooked(after=hooks):
        model(torch.tensor([ids]))
    return given, made, weights


def last_of(x):
    """Return the vector of the last position of x (..., T, N): (N,)."""
    return x.flatten(0, -2)[-1]  # (N,)
