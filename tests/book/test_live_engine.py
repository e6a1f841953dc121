"""The engine of the live model, in a real browser, against PyTorch and gpt_helpers."""

import base64
import gzip
import random
import re
from pathlib import Path

import numpy as np
import pytest
import torch
import wasmtime
import yaml

from gpt_helpers.architecture import attention, sampling, trace
from gpt_helpers.text import corpus
from theme import hero, live

LIVE = Path(__file__).resolve().parents[2] / "theme" / "live"
FORWARD = """async ([ids, useWasm, cached]) => {
  const model = window.models[useWasm], cache = new gpt.KVCache(model.config), rows = [];
  if (!cached) rows.push(model.forward(ids, cache));
  for (let n = 1; cached && n <= ids.length; n++)
    rows.push(model.forward(ids.slice(0, n), cache, false));
  const weights = await base64(cache.layers.flatMap((layer) => layer.weights));
  return { wasm: model.wasm, logits: await base64(rows), weights };
}"""
ALPHABETS = (
    "abcdefgh ABC  \n\t.,:;()[]{}=+-*/'\"_#0123456789",
    "漢字仮名交じり文、カタカナ。ーＡｂ１ ｱｲｳ",
    "🙂👩‍👩‍👧🇯🇵é\u0301ñüßþ\u00a0\u2028\u0085\ufeff\u3000 \r\n",
    "'s 't 're 've 'm 'll 'd 'S I'm don't",
)


def floats(base64_text, shape):
    """Return the float32 numbers of a base64 text, in a shape."""
    return np.frombuffer(base64.b64decode(base64_text), np.float32).reshape(shape)


def reference(model, ids):
    """Return PyTorch's logits (T, V) and attention weights (L, H, T, T)."""
    recorded = trace.recorded_attention(model, attention.attention_weights)
    with recorded as maps, torch.no_grad():
        logits = model(torch.tensor([ids]))["logits"][0].numpy()
    return logits, torch.stack([layer[0] for layer in maps]).numpy()


@pytest.mark.parametrize("cached", [False, True], ids=["at once", "token by token"])
@pytest.mark.parametrize("use_wasm", [True, False], ids=["wasm", "plain"])
def test_logits_and_attention_equal_pytorch_at_every_position(engine, shipped, use_wasm, cached):
    model, _ = shipped
    n_positions = model.config.n_positions
    generator = torch.Generator().manual_seed(3)
    ids = torch.randint(0, model.config.vocab_size, (n_positions,), generator=generator).tolist()
    found = engine.evaluate(FORWARD, [ids, use_wasm, cached])
    logits, weights = reference(model, ids)
    assert found["wasm"] is use_wasm
    np.testing.assert_allclose(floats(found["logits"], logits.shape), logits, rtol=0, atol=1e-4)
    np.testing.assert_allclose(floats(found["weights"], weights.shape), weights, rtol=0, atol=1e-5)


def test_a_text_that_changes_in_the_middle_is_computed_anew_from_there(engine):
    worst = engine.evaluate(
        """() => {
          const model = window.models[true], { vocab_size: V, n_positions: S } = model.config;
          const cache = new gpt.KVCache(model.config), random = gpt.randomNumbers(5);
          const any = (n) => Array.from({ length: n }, () => Math.floor(random() * V));
          let ids = any(20), worst = 0;
          const compare = (a, b) => {
            for (const [i, x] of a.entries()) worst = Math.max(worst, Math.abs(x - b[i]));
          };
          for (let round = 0; round < 30; round++) {
            const left = ids.slice(0, Math.floor(random() * ids.length));
            ids = [...left, ...any(1 + Math.floor(random() * 30))].slice(-S);
            const fresh = new gpt.KVCache(model.config), n = ids.length;
            compare(model.forward(ids, cache, false), model.forward(ids, fresh, false));
            cache.layers.forEach((layer, l) => layer.weights.forEach((head, h) => {
              const row = (weights, q) => weights.slice(q * S, q * S + q + 1);
              for (let q = 0; q < n; q++) compare(row(head, q), row(fresh.layers[l].weights[h], q));
            }));
          }
          return worst;
        }"""
    )
    assert worst < 1e-5


def test_a_cache_computes_what_it_lacks_and_nothing_else(engine):
    counted = engine.evaluate(
        """() => {
          const model = window.models[false], cache = new gpt.KVCache(model.config), counts = [];
          for (const ids of [[5, 6, 7], [5, 6, 7, 8], [5, 6, 7, 8], [5, 9, 7, 8, 9], [1]]) {
            counts.push(ids.length - cache.reusable(ids));
            model.forward(ids, cache);
          }
          return counts;
        }"""
    )
    assert counted == [3, 1, 1, 4, 1]


def test_too_many_tokens_are_refused(engine):
    with pytest.raises(Exception, match="257 tokens; need 1 to 256"):
        engine.evaluate("() => window.models[false].forward(Array(257).fill(1))")


def random_rows(n_rows, n_tokens):
    """Return logits (n_rows, n_tokens) of several scales; every other row has many ties."""
    generator = torch.Generator().manual_seed(0)
    scale = torch.tensor([0.3, 1.0, 4.0, 12.0]).repeat(n_rows // 4)[:, None]
    rows = scale * torch.randn(n_rows, n_tokens, generator=generator)
    rows[::2] = rows[::2].round()
    return rows


def test_cuts_keep_the_tokens_that_gpt_helpers_keeps_on_200_rows(engine):
    rows = random_rows(200, 300)
    choices = [
        (1.0, None, None),
        (0.7, 20, None),
        (1.3, None, 0.9),
        (0.9, 40, 0.5),
        (0, None, None),
    ]
    expected = []
    for number, row in enumerate(rows):
        temperature, k, p = choices[number % 5]
        left = sampling.apply_temperature(row, temperature)
        left = left if k is None else sampling.top_k_filter(left, k)
        expected.append(left if p is None else sampling.top_p_filter(left, p))
    found = engine.evaluate(
        """([rows, choices]) => rows.map((row, i) => {
          const [temperature, topK, topP] = choices[i % 5];
          const left = gpt.cut(Float32Array.from(row), { temperature, topK, topP });
          const kept = [...left.keys()].filter((id) => left[id] > -Infinity);
          return { kept, shares: [...gpt.softmax(left)] };
        })""",
        [rows.tolist(), choices],
    )
    for ours, theirs in zip(found, expected, strict=True):
        assert ours["kept"] == theirs.isfinite().nonzero()[:, 0].tolist()
        np.testing.assert_allclose(ours["shares"], theirs.double().softmax(-1), rtol=0, atol=1e-6)


def test_drawn_tokens_have_the_frequencies_of_their_probabilities(engine):
    found = engine.evaluate(
        """() => {
          const logits = Float32Array.of(1, 0.5, 0, -0.5, 1.5), counts = [0, 0, 0, 0, 0];
          const random = gpt.randomNumbers(9);
          for (let i = 0; i < 20000; i++) counts[gpt.sample(logits, { topK: 4 }, random())]++;
          return counts.map((count) => count / 20000);
        }"""
    )
    expected = sampling.top_k_filter(torch.tensor([1.0, 0.5, 0.0, -0.5, 1.5]), 4).softmax(-1)
    np.testing.assert_allclose(found, expected, atol=0.015)
    assert found[3] == 0


def random_strings(n_strings):
    """Return strings of several scripts, with the end of text in some."""
    rng = random.Random(7)
    strings = [
        "",
        "<|endoftext|>",
        "a<|endoftext|>b",
        corpus.HUMAN_RIGHTS["ja"],
        "def f(x):\n    pass\n",
    ]
    while len(strings) < n_strings:
        alphabet = rng.choice((*ALPHABETS, "".join(ALPHABETS)))
        strings.append("".join(rng.choices(alphabet, k=rng.randint(1, 60))))
    return strings


def test_500_strings_have_the_tokens_that_tokenizers_gives_them(engine, shipped):
    _, tokenizer = shipped
    strings = random_strings(500)
    found = engine.evaluate(
        """(strings) => strings.map((text) => {
          const ids = window.live.tokenizer.encode(text);
          return [ids, window.live.tokenizer.decode(ids)];
        })""",
        strings,
    )
    for text, (ids, decoded) in zip(strings, found, strict=True):
        assert ids == tokenizer.encode(text).ids, text
        assert decoded == tokenizer.decode(ids), text


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        ("bytes.slice(0, bytes.byteLength - 1000)", "cut short"),
        ("bytes.slice(0, 1000)", "no sealed file"),
        ("flipped(2_000_000)", "does not fit its seal"),
        ("flipped(4_960_000)", "does not fit its seal"),
        ("new TextEncoder().encode('<html>no model</html>').buffer", "no sealed file"),
    ],
)
def test_a_damaged_file_is_refused(engine, damage, found):
    message = engine.evaluate(
        f"""async () => {{
          const flipped = (at) => {{
            const copy = new Uint8Array(bytes.slice(0));
            copy[at] ^= 1;
            return copy.buffer;
          }};
          const bytes = window.bytes;
          const told = (error) => `${{error.reason}}: ${{error.message}}`;
          return gpt.readSealed({damage}).then(() => "accepted", told);
        }}"""
    )
    assert message.startswith("damaged: ")
    assert found in message


def test_the_assembled_kernel_is_the_one_in_the_text():
    parts = re.findall('"([A-Za-z0-9+/=]{20,})"', (LIVE / "linear.js").read_text())
    assert base64.b64decode("".join(parts)) == wasmtime.wat2wasm((LIVE / "linear.wat").read_text())


def test_the_panel_is_small_to_download(site):
    folder = site / "ja" / "_static" / "live"
    code = [folder / name for name in ("start.js", "live.js", "panel.css", "hero.css")]
    assert sum(len(gzip.compress(path.read_bytes())) for path in code) <= 19_000
    assert (folder / "model.safetensors").stat().st_size <= 6_000_000


def test_both_editions_have_the_same_words_and_the_scripts_ask_for_no_others():
    words = {}
    for language in ("ja", "en"):
        path = LIVE / f"words.{language}.yml"
        words[language] = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert words["ja"].keys() == words["en"].keys()
    for key, text in words["ja"].items():
        holes = [sorted(re.findall(r"\{\w+\}", t)) for t in (text, words["en"][key])]
        assert holes[0] == holes[1], key
    scripts = "".join(path.read_text() for path in LIVE.glob("*.js"))
    asked = set(re.findall(r'say\("([a-z-]+)"', scripts))
    assert len(asked) > 20
    assert asked <= words["ja"].keys()
    quoted = set(re.findall(r'"([a-zA-Z-]+)"', scripts))
    in_html = {*live.IN_HTML, *(f"hero-{key}" for key in hero.IN_HTML)}
    assert words["ja"].keys() - quoted <= {*in_html, "separator"}
