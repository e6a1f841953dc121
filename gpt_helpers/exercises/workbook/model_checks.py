"""The checks of what a GPT computes, from softmax to logits.

Each compares a reader's function with PyTorch, or with what was written by hand. The whole model
is compared with layers of nn.TransformerEncoderLayer, which norms first and masks the future.
"""

import functools
import math

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.attention.bias import causal_lower_right

from gpt_helpers.exercises.workbook.calls import of_the_workbook, own
from gpt_helpers.exercises.workbook.own_gpt import part_of

TWINS = {  # {part of a block: what holds its weights in nn.TransformerEncoderLayer}
    "ln_1.weight": "norm1.weight", "ln_1.bias": "norm1.bias",
    "attn.c_attn.weight": "self_attn.in_proj_weight", "attn.c_attn.bias": "self_attn.in_proj_bias",
    "attn.c_proj.weight": "self_attn.out_proj.weight",
    "attn.c_proj.bias": "self_attn.out_proj.bias",
    "ln_2.weight": "norm2.weight", "ln_2.bias": "norm2.bias",
    "mlp.c_fc.weight": "linear1.weight", "mlp.c_fc.bias": "linear1.bias",
    "mlp.c_proj.weight": "linear2.weight", "mlp.c_proj.bias": "linear2.bias",
}  # fmt: skip
HAND_MASKS = ("1", "10 11", "100 110 111", "1111", "11110 11111", "111000 111100 111110 111111")
STREAM = ("row", "position", "dimension")  # the axes of (B, T, C)
HEADS = ("row", "head", "position", "dimension")  # of (B, H, T, D)


@of_the_workbook
def check_softmax(function):
    """Try softmax(x): exp(x) over its sum, along the last axis, without an overflow."""

    def right(x):
        return F.softmax(x, -1)

    rows = (
        [[0.0, 1.0, 2.0]],
        [[1.0, -1.0], [3.0, 3.0], [0.0, -5.0]],
        [[0.5, -torch.inf, -torch.inf], [-torch.inf, 2.0, 2.0]],
        [[1e4, 1e4 - 1.0, 0.0], [-1e4, -1e4, -1e4]],
    )
    cases = [(torch.tensor(row),) for row in rows]
    cases += [(2 * drawn(2, 3, 4),), (drawn(5),)]
    return own("softmax", function, right, cases, ("tensor", "row", "column"))


@of_the_workbook
def check_layer_norm(function):
    """Try layer_norm(x, gain, bias, eps): mean 0 and variance 1, then times gain, plus bias."""

    def right(x, gain, bias, eps):
        return F.layer_norm(x, gain.shape, gain, bias, eps)

    rows = torch.tensor([[1.0, 2.0, 3.0, 4.0], [1.0, 1.0, 1.0, 1.0]])
    cases = [(x, torch.ones(4), torch.zeros(4), eps) for x, eps in ((rows[:1], 1e-5), (rows, 0.5))]
    cases += [(2 * drawn(2, 3, 8) + 3, drawn(8), drawn(8, seed=1), eps) for eps in (1e-5, 0.1)]
    return own("layer_norm", function, right, cases, STREAM)


@of_the_workbook
def check_gelu(function):
    """Try gelu(x): the form with tanh, number by number."""

    def right(x):
        return F.gelu(x, approximate="tanh")

    rows = (torch.tensor([0.0, 1.0, -1.0]), torch.linspace(-5, 5, 21), torch.tensor([-40.0, 40.0]))
    cases = [(x,) for x in (*rows, drawn(2, 3, 4))]
    return own("gelu", function, right, cases, STREAM)


@of_the_workbook
def check_causal_mask(function):
    """Try causal_mask(n_queries, n_keys): True where one of the last n_queries may read a key."""
    masks = [torch.tensor([[each == "1" for each in row] for row in m.split()]) for m in HAND_MASKS]
    by_shape = {tuple(mask.shape): mask for mask in masks}

    def right(n_queries, n_keys):
        return by_shape[n_queries, n_keys]

    return own("causal_mask", function, right, list(by_shape), ("query", "key"))


@of_the_workbook
def check_attention(function):
    """Try attention(q, k, v): causal, of (..., T, D) with (..., S, D), the last T queries."""

    def right(q, k, v):
        mask = causal_lower_right(q.shape[-2], k.shape[-2])
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)

    shapes = (((1, 2), (1, 2)), ((3, 4), (3, 4)), ((2, 3, 5, 4), (2, 3, 5, 4)))
    shapes += (((2, 2, 2, 8), (2, 2, 6, 8)), ((1, 3, 1, 4), (1, 3, 5, 4)))
    by_hand = torch.ones(2, 1), torch.tensor([[math.log(3)], [0.0]]), torch.tensor([[10.0], [20.0]])
    cases = [by_hand] + [
        (2 * drawn(*queries, seed=0), 2 * drawn(*keys, seed=1), drawn(*keys, seed=2))
        for queries, keys in shapes
    ]
    return own("attention", function, right, cases, HEADS)


@of_the_workbook
def check_split_heads(function):
    """Try split_heads(x, n_head): (B, T, C) to (B, H, T, D), each head its own columns."""

    def right(x, n_head):
        return torch.stack(x.chunk(n_head, -1), 1)

    counted = torch.arange(12.0).view(1, 2, 6)
    cases = [(counted, 3), (counted, 2), (drawn(2, 3, 8), 4), (drawn(2, 5, 6), 1)]
    return own("split_heads", function, right, cases, HEADS)


@of_the_workbook
def check_join_heads(function):
    """Try join_heads(x): (B, H, T, D) to (B, T, C), the heads beside each other."""

    def right(x):
        return torch.cat(x.unbind(1), -1)

    counted = torch.arange(12.0)
    cases = [(counted.view(1, 3, 2, 2),), (counted.view(1, 2, 2, 3),)]
    cases += [(drawn(2, 4, 3, 2),), (drawn(2, 1, 5, 6),)]
    return own("join_heads", function, right, cases, STREAM)


@of_the_workbook
def check_multi_head(function):
    """Try multi_head(x, weights, n_head): c_attn, attention in every head, c_proj."""

    def right(x, weights, n_head):
        width = x.shape[-1]
        with torch.random.fork_rng([]):
            layer = nn.MultiheadAttention(width, n_head, batch_first=True)
        layer.load_state_dict(
            {name.removeprefix("self_attn."): weights[part.removeprefix("attn.")]
             for part, name in TWINS.items() if part.startswith("attn.")}
        )  # fmt: skip
        future = nn.Transformer.generate_square_subsequent_mask(x.shape[1])
        with torch.no_grad():
            return layer(x, x, x, attn_mask=future, need_weights=False)[0]

    cases = [
        (drawn(*shape), part_of(drawn_block(shape[-1], 5), "attn"), n_head)
        for shape, n_head in (((1, 3, 4), 1), ((2, 4, 6), 2), ((2, 3, 8), 4))
    ]
    return own("multi_head", function, right, cases, STREAM)


@of_the_workbook
def check_mlp(function):
    """Try mlp(x, weights): c_fc, GELU, c_proj."""

    def right(x, weights):
        hidden = F.linear(x, weights["c_fc.weight"], weights["c_fc.bias"])
        hidden = F.gelu(hidden, approximate="tanh")
        return F.linear(hidden, weights["c_proj.weight"], weights["c_proj.bias"])

    cases = [
        (drawn(*shape), part_of(drawn_block(shape[-1], n_inner), "mlp"))
        for shape, n_inner in (((1, 3, 4), 5), ((2, 3, 4), 16))
    ]
    return own("mlp", function, right, cases, STREAM)


@of_the_workbook
def check_block(function):
    """Try block(x, weights, n_head, eps): x plus attention of its norm, plus the MLP of a norm."""

    def right(x, weights, n_head, eps):
        return after_blocks(x, [weights], n_head, eps)

    cases = [
        (drawn(*shape), drawn_block(shape[-1], n_inner), n_head, eps)
        for shape, n_inner, n_head, eps in (((1, 3, 4), 7, 2, 1e-5), ((2, 4, 6), 24, 3, 0.1))
    ]
    return own("block", function, right, cases, STREAM)


@of_the_workbook
def check_gpt(function):
    """Try gpt(ids, weights, n_head, eps): from token ids (B, T) to logits (B, T, V)."""

    def right(ids, weights, n_head, eps):
        n_layer = len([name for name in weights if name.endswith("ln_1.weight")])
        x = F.embedding(ids, weights["wte.weight"]) + weights["wpe.weight"][: ids.shape[1]]
        blocks = [part_of(weights, f"h.{layer}") for layer in range(n_layer)]
        x = after_blocks(x, blocks, n_head, eps)
        x = F.layer_norm(x, x.shape[-1:], weights["ln_f.weight"], weights["ln_f.bias"], eps)
        return F.linear(x, weights["wte.weight"])

    generator = torch.Generator().manual_seed(0)
    cases = [
        (torch.randint(9, shape, generator=generator), drawn_gpt(width, n_layer), n_head, eps)
        for shape, width, n_layer, n_head, eps in (
            ((1, 3), 4, 1, 2, 1e-5), ((2, 5), 6, 2, 3, 0.1), ((2, 4), 4, 11, 1, 1e-5),
        )
    ]  # fmt: skip
    return own("gpt", function, right, cases, ("row", "position", "token"))


def after_blocks(x, blocks, n_head, eps):
    """Return x (B, T, C) after layers of PyTorch's encoder with the weights of the blocks."""
    future = nn.Transformer.generate_square_subsequent_mask(x.shape[1])
    for weights in blocks:
        inner, width = weights["mlp.c_fc.weight"].shape
        with torch.random.fork_rng([]):
            layer = nn.TransformerEncoderLayer(
                width, n_head, inner, dropout=0.0, layer_norm_eps=eps, batch_first=True,
                activation=functools.partial(F.gelu, approximate="tanh"), norm_first=True,
            )  # fmt: skip
        layer.load_state_dict({TWINS[part]: weight for part, weight in weights.items()})
        with torch.no_grad():
            x = layer.eval()(x, src_mask=future)
    return x


def drawn(*shape, seed=0):
    """Return normal random numbers, equal on every call."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def drawn_block(width, inner, seed=0):
    """Return the weights of a block that is width wide and inner wide in its MLP."""
    shapes = {
        "ln_1": (width,), "attn.c_attn": (3 * width, width), "attn.c_proj": (width, width),
        "ln_2": (width,), "mlp.c_fc": (inner, width), "mlp.c_proj": (width, inner),
    }  # fmt: skip
    weights = {}
    for n, (name, shape) in enumerate(shapes.items()):
        weights[f"{name}.weight"] = drawn(*shape, seed=100 * seed + n) / shape[-1] ** 0.5 + 0.1
        weights[f"{name}.bias"] = drawn(shape[0], seed=100 * seed + n + 50) / 2
    return weights


def drawn_gpt(width, n_layer, n_tokens=9, n_positions=6):
    """Return the weights of a GPT by name."""
    weights = {"wte.weight": drawn(n_tokens, width), "wpe.weight": drawn(n_positions, width) / 2}
    for layer in range(n_layer):
        block = drawn_block(width, 3 * width, seed=layer + 1)
        weights |= {f"h.{layer}.{name}": weight for name, weight in block.items()}
    return weights | {"ln_f.weight": drawn(width), "ln_f.bias": drawn(width, seed=1)}
