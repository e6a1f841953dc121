"""The checks of a reader's own GPT: right in any style, wrong in many ways, and not ready-made.

An answer stands here as the body of its function, with the signature of the page; what it calls
are the solutions of the page.
"""

import math

import numpy as np
import pytest
import torch

from gpt_helpers.architecture.attention import attention, attention_fused, causal_mask
from gpt_helpers.architecture.model import split_heads
from gpt_helpers.exercises.grading import SAYINGS
from gpt_helpers.exercises.workbook import model_checks
from gpt_helpers.exercises.workbook.calls import CHECK_OF
from tests.exercises.test_checks import SLIPS, after, spoiling, stubborn
from tests.helpers.workbook import solved_names, written

RIGHT = {
    "softmax": [
        "y = x - x.amax(-1, keepdim=True)\n(y - y.logsumexp(-1, keepdim=True)).exp()",
        "e = 2.718281828459045 ** (x.double() - x.double().amax(-1, True))\ne / e.sum(-1, True)",
        "y = x.clone()\ny -= y.max(dim=-1, keepdim=True).values\ny.exp_()\ny.div_(y.sum(-1, True))",
        "r = [[math.exp(v - max(r)) for v in r] for r in x.reshape(-1, x.shape[-1]).tolist()]\n"
        "torch.tensor([[v / sum(r) for v in r] for r in r]).view(x.shape)",
    ],
    "layer_norm": [
        "(x - x.mean(-1, keepdim=True)) / (x.var(-1, correction=0, keepdim=True) + eps) ** 0.5"
        " * gain + bias",
        "m = x.mean(-1, True)\nv = (x * x).mean(-1, True) - m * m\n"
        "gain * (x - m) * torch.rsqrt(v + eps) + bias",
        "m = torch.einsum('...c->...', x)[..., None] / len(gain)\n"
        "v = torch.einsum('...c,...c->...', x - m, x - m)[..., None] / len(gain)\n"
        "torch.addcmul(bias, gain, (x - m) / torch.sqrt(v + eps))",
    ],
    "gelu": [
        "0.5 * x * (1 + torch.tanh((2 / torch.pi) ** 0.5 * (x + 0.044715 * x.pow(3))))",
        "x * torch.sigmoid(2 * math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x))",
    ],
    "causal_mask": [
        "torch.ones(n_queries, n_keys, dtype=torch.bool).tril(n_keys - n_queries)",
        "~torch.triu(torch.ones(n_queries, n_keys), n_keys - n_queries + 1).bool()",
        "torch.tensor([[s <= t + n_keys - n_queries for s in range(n_keys)]"
        " for t in range(n_queries)])",
    ],
    "attention": [
        "s = torch.einsum('...td,...sd->...ts', q, k) / math.sqrt(q.shape[-1])\n"
        "s[..., ~causal_mask(*s.shape[-2:])] = -torch.inf\n"
        "torch.einsum('...ts,...sd->...td', softmax(s), v)",
        "s = (q * q.shape[-1] ** -0.5) @ k.mT\n"
        "w = s.exp() * causal_mask(*s.shape[-2:])\nw @ v / w.sum(-1, keepdim=True)",
        "n = k.shape[-2] - q.shape[-2] + 1\n"
        "y = [softmax(q[..., t:t+1, :] @ k[..., :n+t, :].mT / q.shape[-1]**0.5) @ v[..., :n+t, :]"
        " for t in range(q.shape[-2])]\ntorch.cat(y, -2)",
    ],
    "split_heads": [
        "torch.stack(x.chunk(n_head, dim=-1), 1)",
        "x.unflatten(-1, (n_head, -1)).permute(0, 2, 1, 3)",
        "torch.einsum('bthd->bhtd', x.reshape(*x.shape[:2], n_head, -1))",
    ],
    "join_heads": [
        "torch.cat([x[:, h] for h in range(x.shape[1])], dim=-1)",
        "B, H, T, D = x.shape\nx.permute(0, 2, 1, 3).contiguous().view(B, T, H * D)",
        "torch.einsum('bhtd->bthd', x).reshape(x.shape[0], x.shape[2], -1)",
    ],
    "multi_head": [
        "f = torch.nn.functional.linear\n"
        "qkv = f(x, weights['c_attn.weight'], weights['c_attn.bias'])\n"
        "q, k, v = split_heads(qkv, 3 * n_head).chunk(3, 1)\n"
        "f(join_heads(attention(q, k, v)), weights['c_proj.weight'], weights['c_proj.bias'])",
        "C, W, b = x.shape[-1], weights['c_attn.weight'], weights['c_attn.bias']\n"
        "q, k, v = (x @ W[n:n+C].T + b[n:n+C] for n in (0, C, 2 * C))\n"
        "D = C // n_head\n"
        "y = [attention(q[..., d:d+D], k[..., d:d+D], v[..., d:d+D]) for d in range(0, C, D)]\n"
        "torch.cat(y, -1) @ weights['c_proj.weight'].T + weights['c_proj.bias']",
    ],
    "mlp": [
        "f = torch.nn.functional.linear\n"
        "h = gelu(f(x, weights['c_fc.weight'], weights['c_fc.bias']))\n"
        "f(h, weights['c_proj.weight'], weights['c_proj.bias'])",
        "h = torch.einsum('btc,fc->btf', x, weights['c_fc.weight']) + weights['c_fc.bias']\n"
        "torch.einsum('btf,cf->btc', gelu(h), weights['c_proj.weight']) + weights['c_proj.bias']",
    ],
    "block": [
        "n = lambda x, name: layer_norm(x, *workbook.part_of(weights, name).values(), eps)\n"
        "p = lambda name: workbook.part_of(weights, name)\n"
        "y = x + multi_head(n(x, 'ln_1'), p('attn'), n_head)\ny + mlp(n(y, 'ln_2'), p('mlp'))",
        "y = x.clone()\n"
        "y += multi_head(layer_norm(y, weights['ln_1.weight'], weights['ln_1.bias'], eps),"
        " {name[5:]: w for name, w in weights.items() if name.startswith('attn.')}, n_head)\n"
        "y += mlp(layer_norm(y, weights['ln_2.weight'], weights['ln_2.bias'], eps),"
        " {name[4:]: w for name, w in weights.items() if name.startswith('mlp.')})\ny",
    ],
    "gpt": [
        "f = torch.nn.functional\n"
        "x = f.embedding(ids, weights['wte.weight'])"
        " + f.embedding(torch.arange(ids.shape[1]), weights['wpe.weight'])\n"
        "n = max(int(name.split('.')[1]) for name in weights if name.startswith('h.')) + 1\n"
        "for l in range(n): x = block(x, workbook.part_of(weights, f'h.{l}'), n_head, eps)\n"
        "f.linear(layer_norm(x, weights['ln_f.weight'], weights['ln_f.bias'], eps),"
        " weights['wte.weight'])",
        "one = torch.nn.functional.one_hot(ids, len(weights['wte.weight'])).float()\n"
        "x, l = one @ weights['wte.weight'] + weights['wpe.weight'][None, : ids.shape[-1]], 0\n"
        "while f'h.{l}.ln_1.bias' in weights:"
        " x, l = block(x, workbook.part_of(weights, f'h.{l}'), n_head, eps), l + 1\n"
        "x = layer_norm(x, weights['ln_f.weight'], weights['ln_f.bias'], eps)\n"
        "torch.einsum('btc,vc->btv', x, weights['wte.weight'])",
    ],
}
NORMED = "layer_norm(x, weights['ln_{n}.weight'], weights['ln_{n}.bias'], eps)"
FIRST, SECOND = NORMED.format(n=1), NORMED.format(n=2)
ATTENDED = "multi_head({x}, workbook.part_of(weights, 'attn'), n_head)"
WORKED = "mlp({x}, workbook.part_of(weights, 'mlp'))"
EMBEDDED = "x = weights['wte.weight'][ids] + weights['wpe.weight'][: ids.shape[1]]\n"
COUNTED = "n = sum(name.endswith('ln_1.weight') for name in weights)\n"
LAYERS = "for l in {layers}: x = block(x, workbook.part_of(weights, f'h.{{l}}'), n_head, {eps})\n"
PASSED = LAYERS.format(layers="range(n)", eps="eps")
ENDED = "x = layer_norm(x, weights['ln_f.weight'], weights['ln_f.bias'], eps)\n"
HEAD = "x @ weights['wte.weight'].T"
QKV = "q, k, v = (x @ weights['c_attn.weight'].T + weights['c_attn.bias']).chunk(3, -1)\n"
SPLIT = "q, k, v = (split_heads(part, n_head) for part in (q, k, v))\n"
PROJECTED = "{y} @ weights['c_proj.weight'].T + weights['c_proj.bias']"
MIXED = PROJECTED.format(y="join_heads(attention(q, k, v))")
WRONG = {
    "softmax": [
        "x.exp() / x.exp().sum(-1, keepdim=True)",
        "(x - x.max()).exp() / (x - x.max()).exp().sum()",
        "e = (x - x.amax(0)).exp()\ne / e.sum(0)",
        "e = (x - x.max()).exp()\ne / e.sum(-1, keepdim=True)",
        "e = (x - x.amax(-1, keepdim=True)).exp()\n(e / e.sum(-1, keepdim=True)).log()",
        "a = min(1, x.ndim - 1)\ne = (x - x.amax(a, keepdim=True)).exp()\n"
        "e / e.sum(a, keepdim=True)",
        "e = x - x.amin(-1, keepdim=True)\ne / e.sum(-1, keepdim=True)",
        "e = 2 ** (x - x.amax(-1, keepdim=True))\ne / e.sum(-1, keepdim=True)",
        "e = x.clamp(-50, 50).exp()\ne / e.sum(-1, keepdim=True)",
        "(x - x.logsumexp(-1, keepdim=True)).exp()",  # of scores of 1e4, three digits are right
        "x -= x.amax(-1, keepdim=True)\nx.exp() / x.exp().sum(-1, keepdim=True)",
    ],
    "layer_norm": [
        "c = x - x.mean(-1, keepdim=True)\n"
        "c / (x.var(-1, keepdim=True) + eps).sqrt() * gain + bias",
        "c = x - x.mean()\nc / (c.square().mean() + eps).sqrt() * gain + bias",
        "c = x - x.mean(-1, keepdim=True)\n"
        "c / c.square().mean(-1, keepdim=True).sqrt() * gain + bias",
        "c = x - x.mean(-1, keepdim=True)\n"
        "c / (c.square().mean(-1, keepdim=True).sqrt() + eps) * gain + bias",
        "c = x - x.mean(-1, keepdim=True)\nc / (c.square().mean(-1, keepdim=True) + eps).sqrt()",
        "x / (x.square().mean(-1, keepdim=True) + eps).sqrt() * gain + bias",
        "c = x - x.mean(-1, keepdim=True)\n"
        "(c / (c.square().mean(-1, keepdim=True) + eps).sqrt() + bias) * gain",
        "c = x - x.mean(-1, keepdim=True)\n"
        "c / (c.square().mean(-1, keepdim=True) + 1e-5).sqrt() * gain + bias",
        "c = x - x.mean(0)\nc / (c.square().mean(0) + eps).sqrt() * gain + bias",
    ],
    "gelu": [
        "x / 2 * (1 + torch.erf(x / 2**0.5))",
        "x * torch.sigmoid(1.702 * x)",
        "x * torch.sigmoid(x)",
        "x.clamp(min=0)",
        "x / 2 * (1 + torch.tanh((2 / math.pi) ** 0.5 * x + 0.044715 * x**3))",
        "x / 2 * (1 + torch.tanh(2 / math.pi * (x + 0.044715 * x**3)))",
        "x * (1 + torch.tanh((2 / math.pi) ** 0.5 * (x + 0.044715 * x**3)))",
    ],
    "causal_mask": [
        "torch.ones(n_queries, n_keys, dtype=torch.bool).tril()",
        "torch.ones(n_queries, n_keys, dtype=torch.bool).tril(n_keys - n_queries - 1)",
        "torch.ones(n_queries, n_keys, dtype=torch.bool).triu(n_keys - n_queries)",
        "torch.ones(n_queries, n_keys, dtype=torch.bool)",
        "torch.ones(n_queries, n_keys).tril(n_keys - n_queries)",
        "torch.ones(n_keys, n_keys, dtype=torch.bool).tril()",
        "torch.ones(n_keys, n_queries, dtype=torch.bool).tril(n_keys - n_queries)",
        "torch.ones(n_keys, n_keys, dtype=torch.bool).tril()[:n_queries]",
    ],
    "attention": [
        "s = q @ k.mT\nsoftmax(s.masked_fill(~causal_mask(*s.shape[-2:]), -torch.inf)) @ v",
        "s = q @ k.mT / q.shape[-1]\n"
        "softmax(s.masked_fill(~causal_mask(*s.shape[-2:]), -torch.inf)) @ v",
        "s = q @ k.mT / q.shape[-2] ** 0.5\n"
        "softmax(s.masked_fill(~causal_mask(*s.shape[-2:]), -torch.inf)) @ v",
        "softmax(q @ k.mT / q.shape[-1] ** 0.5) @ v",
        "s = q @ k.mT / q.shape[-1] ** 0.5\n"
        "softmax(s.masked_fill(causal_mask(*s.shape[-2:]), -torch.inf)) @ v",
        "s = q @ k.mT / q.shape[-1] ** 0.5\n"
        "softmax(s.masked_fill(~causal_mask(*s.shape[-2:]), 0)) @ v",
        "s = q @ k.mT / q.shape[-1] ** 0.5\n(softmax(s) * causal_mask(*s.shape[-2:])) @ v",
        "s = q @ k.mT / q.shape[-1] ** 0.5\n"
        "softmax(s.masked_fill(~torch.ones(s.shape[-2:]).tril().bool(), -torch.inf)) @ v",
        "s = q @ k.mT / q.shape[-1] ** 0.5\n"
        "softmax(s.masked_fill(~causal_mask(*s.shape[-2:]), -torch.inf)) @ k",
        "s = k @ q.mT / q.shape[-1] ** 0.5\n"
        "softmax(s.masked_fill(~causal_mask(*s.shape[-2:]), -torch.inf)) @ v",
    ],
    "split_heads": [
        "x.view(x.shape[0], n_head, x.shape[1], -1)",
        "x.view(*x.shape[:2], n_head, -1)",
        "x.view(*x.shape[:2], -1, n_head).permute(0, 3, 1, 2)",
        "x.view(*x.shape[:2], -1, n_head).permute(0, 2, 1, 3)",
        "x.unflatten(-1, (n_head, -1)).transpose(1, 2).transpose(2, 3)",
        "torch.stack(x.chunk(n_head, 1), 1)",
        "torch.stack(x.chunk(n_head, -1), 0)",
    ],
    "join_heads": [
        "x.reshape(x.shape[0], x.shape[2], -1)",
        "x.flatten(2)",
        "x.transpose(1, 2)",
        "torch.cat(x.unbind(1), 1)",
        "x.permute(0, 2, 3, 1).flatten(2)",
        "x.transpose(1, 2).view(x.shape[0], x.shape[2], -1)",
        "x.sum(1)",
    ],
    "multi_head": [
        QKV + SPLIT + "join_heads(attention(q, k, v))",
        QKV + SPLIT + "join_heads(attention(q, k, v)) @ weights['c_proj.weight'].T",
        QKV + SPLIT + PROJECTED.format(y="join_heads(attention(k, q, v))"),
        QKV + SPLIT + PROJECTED.format(y="join_heads(attention(v, k, q))"),
        QKV + PROJECTED.format(y="attention(q, k, v)"),
        QKV + SPLIT + PROJECTED.format(y="attention(q, k, v).flatten(2).view(x.shape)"),
        QKV.replace(".T + weights", " + weights") + SPLIT + MIXED,
        "q, k, v = (x @ weights['c_attn.weight'].T).chunk(3, -1)\n" + SPLIT + MIXED,
        QKV + SPLIT + MIXED.replace("'].T", "']"),
        QKV + "n_head = 2\n" + SPLIT + MIXED,
        "qkv = split_heads(x @ weights['c_attn.weight'].T + weights['c_attn.bias'], n_head)\n"
        "q, k, v = qkv.chunk(3, -1)\n" + MIXED,
    ],
    "mlp": [
        PROJECTED.format(y="(x @ weights['c_fc.weight'].T + weights['c_fc.bias'])"),
        PROJECTED.format(y="(x @ weights['c_fc.weight'].T + weights['c_fc.bias']).relu()"),
        PROJECTED.format(y="gelu(x @ weights['c_fc.weight'].T)"),
        "gelu(x @ weights['c_fc.weight'].T + weights['c_fc.bias']) @ weights['c_proj.weight'].T",
        "gelu(" + PROJECTED.format(y="(x @ weights['c_fc.weight'].T + weights['c_fc.bias'])") + ")",
        "x + " + PROJECTED.format(y="gelu(x @ weights['c_fc.weight'].T + weights['c_fc.bias'])"),
        "gelu(x @ weights['c_fc.weight'] + weights['c_fc.bias'])",
    ],
    "block": [
        f"x = x + {ATTENDED.format(x='x')}\nx + {WORKED.format(x='x')}",
        f"{FIRST}\nx = {ATTENDED.format(x=FIRST)}\nx + {WORKED.format(x=SECOND)}",
        f"x = x + {ATTENDED.format(x=FIRST)}\n{WORKED.format(x=SECOND)}",
        f"x + {ATTENDED.format(x=FIRST)} + {WORKED.format(x=SECOND)}",
        f"x = x + {ATTENDED.format(x=SECOND)}\nx + {WORKED.format(x=FIRST)}",
        f"x = {FIRST}\nx = x + {ATTENDED.format(x='x')}\nx = {SECOND}\nx + {WORKED.format(x='x')}",
        f"x = x + {WORKED.format(x=SECOND)}\nx + {ATTENDED.format(x=FIRST)}",
        f"x = x + {ATTENDED.format(x=FIRST)}\nx = {FIRST}\nx + {WORKED.format(x='x')}",
        f"eps = 1e-5\nx = x + {ATTENDED.format(x=FIRST)}\nx + {WORKED.format(x=SECOND)}",
        f"n_head = 1\nx = x + {ATTENDED.format(x=FIRST)}\nx + {WORKED.format(x=SECOND)}",
        f"x += {ATTENDED.format(x=FIRST)}\nx + {WORKED.format(x=SECOND)}",
    ],
    "gpt": [
        "x = weights['wte.weight'][ids]\n" + COUNTED + PASSED + ENDED + HEAD,
        EMBEDDED + COUNTED + PASSED + HEAD,
        EMBEDDED + ENDED + HEAD,
        EMBEDDED + LAYERS.format(layers="range(1)", eps="eps") + ENDED + HEAD,
        EMBEDDED + LAYERS.format(layers="range(2)", eps="eps") + ENDED + HEAD,
        EMBEDDED + COUNTED + LAYERS.format(layers="range(n)", eps="1e-5") + ENDED + HEAD,
        EMBEDDED + COUNTED + LAYERS.format(layers="reversed(range(n))", eps="eps") + ENDED + HEAD,
        EMBEDDED + LAYERS.format(
            layers="sorted({name.split('.')[1] for name in weights if name[:2] == 'h.'})", eps="eps"
        ) + ENDED + HEAD,
        EMBEDDED + COUNTED + PASSED + ENDED + "x",
        EMBEDDED + COUNTED + PASSED + ENDED + f"softmax({HEAD})",
        EMBEDDED + COUNTED + PASSED + ENDED + f"({HEAD})[:, -1]",
        EMBEDDED.replace("[: ids.shape[1]]", "[1 : ids.shape[1] + 1]") + COUNTED + PASSED + ENDED
        + HEAD,
        EMBEDDED.replace("[: ids.shape[1]]", "[ids.clamp(max=5)]") + COUNTED + PASSED + ENDED
        + HEAD,
    ],
}  # fmt: skip
READY_MADE = {  # what PyTorch has, and what it is called when it is found
    "softmax": [
        ("x.softmax(-1)", "_softmax"),
        ("torch.nn.functional.softmax(x, dim=-1)", "_softmax"),
        ("torch.nn.functional.log_softmax(x, -1).exp()", "_log_softmax"),
    ],
    "layer_norm": [
        ("torch.nn.functional.layer_norm(x, gain.shape, gain, bias, eps)", "native_layer_norm"),
    ],
    "gelu": [("torch.nn.functional.gelu(x, approximate='tanh')", "gelu")],
    "attention": [
        ("mask = torch.ones(q.shape[-2], k.shape[-2]).tril(k.shape[-2] - q.shape[-2]).bool()\n"
         "torch.nn.functional.scaled_dot_product_attention(q, k, v, mask)", "softmax"),
        ("s = q @ k.mT / q.shape[-1] ** 0.5\n"
         "s.masked_fill(~causal_mask(*s.shape[-2:]), -torch.inf).softmax(-1) @ v", "_softmax"),
    ],
    "mlp": [
        (PROJECTED.format(y="torch.nn.functional.gelu(x @ weights['c_fc.weight'].T +"
                            " weights['c_fc.bias'], approximate='tanh')"), "gelu"),
    ],
}  # fmt: skip


def bodies(answers):
    """Return parameters (name, body) for all answers of a table."""
    return [
        pytest.param(name, body, id=f"{name}-{n}")
        for name, each in answers.items()
        for n, body in enumerate(each)
    ]


def own_checks():
    """Return the names of the functions whose checks stand in the module."""
    return [name for name, check in CHECK_OF.items() if check.__module__ == model_checks.__name__]


def assert_told(name, function):
    """Return what the check says of a wrong answer, after seeing that it is told well."""
    said = CHECK_OF[name](function)
    for edition, verdict in (("en", "not yet: "), ("ja", "まだ違う：")):
        lines = said.texts[edition].split("\n")
        assert len(lines) == 3
        assert lines[0].startswith(verdict)
        assert lines[2].endswith(SAYINGS[name][edition])
        assert "Error" not in lines[0] or "it fails" in said.texts["en"]
    return said


def test_there_are_right_and_wrong_answers_to_every_check():
    assert list(RIGHT) == list(WRONG) == own_checks()
    assert all(len(answers) >= 7 for answers in WRONG.values())
    assert sum(map(len, RIGHT.values())) >= 25


@pytest.mark.parametrize("name", own_checks())
def test_the_solution_of_the_page_is_accepted(name):
    assert CHECK_OF[name](solved_names()[name]) == "correct"


@pytest.mark.parametrize(("name", "body"), bodies(RIGHT))
def test_a_right_answer_is_accepted_however_it_is_written(name, body):
    assert CHECK_OF[name](written(name, body)) == "correct"


@pytest.mark.parametrize(("name", "body"), bodies(WRONG))
def test_a_wrong_answer_is_refused_with_a_hint(name, body):
    assert_told(name, written(name, body))


@pytest.mark.parametrize(("name", "body"), bodies(READY_MADE))
def test_what_pytorch_has_ready_made_is_no_answer_of_ones_own(name, body):
    body, operation = body
    said = assert_told(name, written(name, body))
    assert operation in said.split("\n")[0]
    assert "does the work; write it without that call" in said


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("attention", lambda q, k, v: attention(q, k, v)),
        ("attention", lambda q, k, v: attention_fused(q[None, None], k[None, None], v)),
        ("causal_mask", lambda t, s: causal_mask(torch.arange(s - t, s), torch.arange(s))),
        ("split_heads", lambda x, n_head: split_heads(x, n_head)),
    ],
)
def test_what_the_book_has_is_no_answer_of_ones_own(name, function):
    assert "does the work" in assert_told(name, function) or "it fails" in CHECK_OF[name](function)


@pytest.mark.parametrize("slip", SLIPS)
@pytest.mark.parametrize("name", own_checks())
def test_what_is_no_answer_is_told_so(name, slip):
    assert_told(name, after(solved_names()[name], SLIPS[slip]))


@pytest.mark.parametrize("name", own_checks())
def test_an_answer_to_the_first_case_only_is_not_accepted(name):
    assert_told(name, stubborn(solved_names()[name]))


@pytest.mark.parametrize("name", own_checks())
def test_an_answer_that_changes_its_arguments_is_told_which(name):
    if name == "causal_mask":
        return  # its arguments are numbers
    assert "it changes its argument " in assert_told(name, spoiling(solved_names()[name]))


@pytest.mark.parametrize("name", ["multi_head", "mlp", "block", "gpt"])
def test_an_answer_that_changes_a_weight_is_told(name):
    function = solved_names()[name]

    def answer(x, weights, *others):
        result = function(x, weights, *others)
        next(iter(weights.values())).mul_(2)
        return result

    assert "it changes its argument weights" in assert_told(name, answer)


@pytest.mark.parametrize("wrong", [None, 3, torch.zeros(2), "f"])
@pytest.mark.parametrize("name", own_checks())
def test_what_is_no_function_is_told_so(name, wrong):
    assert "is no function; pass the function itself" in CHECK_OF[name](wrong)


@pytest.mark.parametrize("name", own_checks())
def test_a_check_leaves_random_numbers_and_gradients_as_they_are(name):
    function = solved_names()[name]
    before = torch.get_rng_state(), np.random.get_state()[1].tolist()
    CHECK_OF[name](function)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.random.get_state()[1].tolist() == before[1]
    assert torch.is_grad_enabled()


def test_the_examples_that_the_page_does_by_hand_are_right():
    names = solved_names()
    row = names["softmax"](torch.tensor([0.0, 1.0, 2.0]))
    assert [round(x, 3) for x in row.tolist()] == [0.090, 0.245, 0.665]
    row = names["layer_norm"](torch.arange(1.0, 5), torch.ones(4), torch.zeros(4), 0.0)
    assert [round(x, 3) for x in row.tolist()] == [-1.342, -0.447, 0.447, 1.342]
    assert [round(x, 5) for x in names["gelu"](torch.tensor([1.0, -1.0])).tolist()] == [
        0.84119, -0.15881,
    ]  # fmt: skip
    q, k, v = ([[1.0], [1.0]], [[math.log(3)], [0.0]], [[10.0], [20.0]])
    assert torch.allclose(
        names["attention"](*map(torch.tensor, (q, k, v))), torch.tensor([[10.0], [12.5]])
    )
    weights = {"c_fc.weight": torch.tensor([[1.0], [-1.0]]), "c_fc.bias": torch.zeros(2)}
    weights |= {"c_proj.weight": torch.ones(1, 2), "c_proj.bias": torch.zeros(1)}
    assert round(names["mlp"](torch.ones(1, 1, 1), weights).item(), 3) == 0.682
    assert not math_overflows(88.0)
    assert math_overflows(89.0)


def math_overflows(x):
    """Return whether the exponential of x is infinite in 32 bits."""
    return torch.tensor(x).exp().isinf().item()
