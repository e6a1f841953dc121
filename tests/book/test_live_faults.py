"""Faults that a person could make in the engine: the comparison with PyTorch notices each."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from gpt_helpers.architecture import sampling
from tests.book.test_live_engine import floats, random_rows, random_strings, reference

LIVE = Path(__file__).resolve().parents[2] / "theme" / "live"
ENGINE = ("checkpoint", "data", "linear", "model", "sampling")
FAULTS = [
    ("GELU has another constant", "model.js", "0.044715", "0.0447"),
    ("scores are scaled by another width", "model.js", "/ Math.sqrt(D)", "/ Math.sqrt(D + 1)"),
    ("a query does not see itself", "model.js", "key <= query;\n", "key < query;\n"),
    ("a query sees the next token", "model.js", "key <= query;\n", "key <= query + 1;\n"),
    ("positions start anew under the cache", "model.js", "(start + t) * C + i]", "t * C + i]"),
    ("the cache is written at its beginning", "model.js", "(start + t) * C,", "t * C,"),
    ("a stale cache is read", "model.js", "ids[n] === this.ids[n]", "true"),
    ("the last token may come from the cache", "model.js", "ids.length - 1 &&", "ids.length &&"),
    ("the cache forgets", "model.js", "      cache.ids = ids.slice();\n", ""),
    ("norms have no epsilon", "model.js", "variance + this.epsilon", "variance"),
    ("keys are mixed, not values", "model.js", "cache.values[from + d]", "cache.keys[from + d]"),
    ("weights are not normalised", "model.js", "scores[i] /= sum", "scores[i] /= 1"),
    ("the MLP reads the stream as it is", "model.js", "this.ln_2.forward(x, T, normed)", "x"),
    ("the last norm is left out", "model.js", "this.ln_f.forward(x.", "normed.set(x."),
    ("a bias is left out", "linear.js", "if (b) for", "if (!b) for"),
    ("a row of weights is read twice", "linear.js", "w3 = w2 + nIn", "w3 = w2"),
    ("small float16 numbers become zero", "checkpoint.js", "fraction * 2 ** -24", "0"),
    ("ties go to the highest id", "sampling.js", "|| a - b", "|| b - a"),
    (
        "top-p stops one token late",
        "sampling.js",
        "probabilities[id] >= p",
        "probabilities[id] > p",
    ),
    ("top-k comes before the temperature is 0", "sampling.js", "slice(k)", "slice(k + 1)"),
    ("the second-best pair is joined", "data.js", "=== best;", ">= best;"),
    ("white space is JavaScript's", "data.js", r"[^\p{White_Space}", r"[^\s"),
]
CHECK = """async ({ ns, ids, edited, rows, strings, wte }) => {
  const sealed = await ns.readSealed(window.bytes), result = { halves: [], counts: [] };
  for (const useWasm of [true, false]) {
    const model = new ns.GPTLMHeadModel(sealed, { useWasm }), cache = new ns.KVCache(model.config);
    const last = [];
    for (let n = 1; n <= ids.length; n++) {
      result.counts.push(n - cache.reusable(ids.slice(0, n)));
      last.push(model.forward(ids.slice(0, n), cache, false));
    }
    last.push(model.forward(edited, cache, false), model.forward(edited, cache, false));
    result[useWasm] = await base64([model.forward(ids), ...last]);
  }
  result.wte = await base64([sealed.tensors["transformer.wte.weight"].data]);
  result.kept = rows.map((row) => {
    const left = ns.cut(Float32Array.from(row), { topK: 20, topP: 0.75 });
    return [...left.keys()].filter((id) => left[id] > -Infinity);
  });
  const tokenizer = new ns.Tokenizer(sealed.facts.merges);
  result.tokens = strings.map((text) => tokenizer.encode(text));
  return result;
}"""


def engine_source(file="", old="", new=""):
    """Return the engine's scripts in one, in a namespace of their own, with a fault in one."""
    scripts = []
    for name in ENGINE:
        source = (LIVE / f"{name}.js").read_text(encoding="utf-8")
        if file == f"{name}.js":
            assert source.count(old) == 1, (file, old)
            source = source.replace(old, new)
        scripts.append(source.replace("globalThis.gpt ??= {}", "ns"))
    return "\n".join(scripts)


@pytest.fixture(scope="module")
def expected(shipped):
    """Return what the checks compare with, from PyTorch, gpt_helpers and tokenizers."""
    model, tokenizer = shipped
    ids = torch.randint(0, 1024, (24,), generator=torch.Generator().manual_seed(4)).tolist()
    edited = [*ids[:10], *reversed(ids[11:20])]
    rows = [row.tolist() for row in random_rows(20, 60)] + [[0.0] * 4 + [-50.0] * 20]
    strings = [*random_strings(60), "a\ufeffb \x85."]
    kept = []
    for row in rows:
        left = sampling.top_p_filter(sampling.top_k_filter(torch.tensor(row), 20), 0.75)
        kept.append(left.isfinite().nonzero()[:, 0].tolist())
    full, changed = reference(model, ids)[0], reference(model, edited)[0][-1:]
    return {
        "given": {"ids": ids, "edited": edited, "rows": rows, "strings": strings},
        "logits": np.concatenate([full, full, changed, changed]),
        "wte": model.transformer.wte.weight.detach().numpy(),
        "kept": kept,
        "tokens": [tokenizer.encode(text).ids for text in strings],
    }


def findings(engine, source, expected):
    """Return the names of the checks that fail with an engine of this source."""
    given = json.dumps(expected["given"])
    call = f"({CHECK})({{ ns, ...{given} }})"
    try:
        found = engine.evaluate(f"() => {{ const ns = {{}};\n{source}\nreturn {call}; }}")
    except Exception as error:
        return [f"error: {error}"]
    logits = expected["logits"]
    failing = [
        name
        for name in ("true", "false")
        if not np.allclose(floats(found[name], logits.shape), logits, rtol=0, atol=1e-4)
    ]
    wte = floats(found["wte"], expected["wte"].shape)
    failing += ["weights"] if (wte != expected["wte"]).any() else []
    failing += ["counts"] if set(found["counts"]) != {1} else []
    return failing + [name for name in ("kept", "tokens") if found[name] != expected[name]]


def test_the_engine_without_a_fault_passes_every_check(engine, expected):
    assert findings(engine, engine_source(), expected) == []


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault[0])
def test_a_fault_of_the_engine_is_noticed(engine, expected, fault):
    assert findings(engine, engine_source(*fault[1:]), expected) != []


def test_the_faults_are_at_least_twelve_and_all_different():
    assert len({re.sub(r"\s", "", "".join(fault[1:])) for fault in FAULTS}) == len(FAULTS) >= 12
