"""The code of the book from end to end in a terminal, in two minutes on a CPU: run_gpt_demo.

Each section is a function that computes facts, {name: value}, and knows no language. What is
said about them stands in demo.ja.txt and demo.en.txt: a line "%% name" begins the section of
that name, its first line is the heading, and {placeholders} are the names of facts.
"""

import dataclasses
import functools
import math
import re
import statistics
import sys
import time
from pathlib import Path

import torch

from gpt_helpers.architecture.attention import attention
from gpt_helpers.architecture.model import GPTLMHeadModel
from gpt_helpers.config import PRESETS
from gpt_helpers.evaluation.losses import evaluate, sample_functions
from gpt_helpers.evaluation.ngrams import NGrams
from gpt_helpers.evaluation.syntax import function_text, share_that_parses
from gpt_helpers.experiments import prediction
from gpt_helpers.experiments.evidence import best_sizes, recorded_shares
from gpt_helpers.files import read_rows
from gpt_helpers.language import LANGUAGES
from gpt_helpers.optimization.peak import extra_bytes
from gpt_helpers.optimization.tiled import attention_tiled
from gpt_helpers.scaling_laws import isoflop
from gpt_helpers.scaling_laws.counts import count_parameters, kv_cache_bytes, parameters_by_module
from gpt_helpers.scaling_laws.laws import compute_optimal
from gpt_helpers.text.batches import fixed_windows
from gpt_helpers.text.corpus import load_corpus
from gpt_helpers.text.tokens import encode_corpus
from gpt_helpers.training.loop import train
from gpt_helpers.training.recipes import MODERN
from gpt_helpers.training.runs import Run
from gpt_helpers.validation import check_choice
from gpt_helpers.variants.published import load_models
from gpt_helpers.variants.sizes import built, count_all
from gpt_helpers.weights.pretrained import STDLIB, load_model

TERMINAL_COLUMNS = 80  # of a terminal; a Japanese character takes two
SMALL_GPT = dataclasses.replace(PRESETS["demo"], dropout=0.0)
GOPHER = 5.76e23  # FLOPs. Source: hoffmann2022chinchilla, table 3
BUILT_HERE = (
    "GPT-1", "GPT-3 175B", "GPT-J 6B", "GPT-NeoX-20B", "Llama 3.1 8B", "Qwen3 8B", "gpt-oss-20b",
    "llm-jp-3-172b",
)  # fmt: skip


def run_gpt_demo(language="ja", stream=None):
    """Run the code of the book, write results to a stream, and return all facts.

    language is "ja" or "en"; without a stream it is the standard output. Raises
    ValueError for another language, and where a record lacks what is told.
    """
    texts = sections(language)
    stream = sys.stdout if stream is None else stream
    if not callable(getattr(stream, "write", None)):
        raise ValueError(f"stream={stream!r} cannot be written to; give a text file")
    started, n_threads, facts = time.perf_counter(), torch.get_num_threads(), {}
    torch.set_num_threads(1)  # several wait for each other on a busy machine
    try:
        for name, text in texts.items():
            heading, _, rest = text.partition("\n")
            stream.write(heading + "\n")
            stream.flush()
            facts |= SECTIONS.get(name, dict)()
            facts["seconds"] = time.perf_counter() - started
            stream.write(rest.format_map(facts))
    finally:
        torch.set_num_threads(n_threads)
    return facts


def sections(language):
    """Return {name: text} of the sections in one of LANGUAGES, in order."""
    check_choice("language", language, LANGUAGES)
    template = (Path(__file__).with_name(f"demo.{language}.txt")).read_text("utf-8")
    _, *parts = re.split(r"^%% (\w+)\n", template, flags=re.M)
    return dict(zip(parts[::2], parts[1::2], strict=True))


def new_model():
    """Return a GPT of SMALL_GPT as it starts, the same in every call."""
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        return GPTLMHeadModel(SMALL_GPT).eval()


def architecture():
    """Count a model, ask whether its past depends on its future, and score it untrained."""
    model, generator = new_model(), torch.Generator().manual_seed(0)
    ids = torch.randint(SMALL_GPT.vocab_size, (2, 128), generator=generator)  # (B, T)
    changed = ids.clone()  # (B, T)
    changed[:, -1] = (ids[:, -1] + 1) % SMALL_GPT.vocab_size
    with torch.no_grad():
        output = model(ids, labels=ids)
        change = (model(changed)["logits"] - output["logits"]).abs()  # (B, T, V)
    return {
        "n_params": count_all(model),
        "mebibytes": sum(weight.nbytes for weight in model.parameters()) / 2**20,
        "parts": parameters_by_module(SMALL_GPT),
        "logits_shape": tuple(output["logits"].shape),
        "past_change": change[:, :-1].max().item(),
        "last_change": change[:, -1].max().item(),
        "first_loss": output["loss"].item(),
        "uniform_loss": math.log(SMALL_GPT.vocab_size),
    }


def live_training(file_step=6, batch_size=8, n_steps=40, n_windows=32):
    """Train the same model on a part of the standard library, and compare it with counting.

    One of file_step files is read; n_windows held-out windows are scored.
    """
    corpus, started = load_corpus(), time.perf_counter()
    part = dataclasses.replace(corpus, training=corpus.training[::file_step])
    tokens = encode_corpus(part, SMALL_GPT.vocab_size)
    held_out = fixed_windows(tokens.held_out, SMALL_GPT.n_positions, n_windows)
    settings = dataclasses.replace(MODERN, total_steps=n_steps)
    run, model = Run(SMALL_GPT, settings, batch_size), new_model()
    unigram = NGrams(tokens.training, order=1, vocab_size=SMALL_GPT.vocab_size)
    before = evaluate(model, held_out)
    log = train(model, run.batches(tokens.training), settings, held_out=held_out)
    return {
        "n_steps": n_steps,
        "n_tokens": log[-1]["tokens"],
        "loss_before": before,
        "loss_after": log[-1]["held_out_loss"],
        "unigram_loss": -unigram.probability_of(held_out).mean().item(),
        "training_seconds": time.perf_counter() - started,
    }


def shipped_model(n_functions=8, n_tokens=120):
    """Let the model that ships with the book write functions, and have Python parse them."""
    model, tokenizer = load_model()
    generator = torch.Generator().manual_seed(0)
    texts = sample_functions(model, tokenizer, n_functions, n_tokens, 0.8, generator)
    scores = read_rows(STDLIB.with_name("scores.csv"), ("bits per byte", "share that parses"))
    return {
        "shipped_params": count_all(model),
        "function": indented(function_text(texts[0])[0]),
        "n_functions": n_functions,
        "n_parsing": round(n_functions * share_that_parses(texts)),
        "share": {row["writer"]: row["share that parses"] for row in scores},
        "bits": {row["writer"]: row["bits per byte"] for row in scores},
    }


def indented(text, margin=4):
    """Return text as a terminal shows it: ASCII only, wrapped, behind a margin."""
    width, shown = TERMINAL_COLUMNS - margin, []
    for line in text.expandtabs().rstrip().split("\n"):
        plain = "".join(letter if " " <= letter <= "~" else "?" for letter in line)
        starts = range(0, max(len(plain), 1), width)
        shown += [(" " * margin + plain[start : start + width]).rstrip() for start in starts]
    return "\n".join(shown)


def attention_by_tiles(shape=(1, 4, 2048, 64), shorter=(128, 1024)):
    """Compare attention by tiles with the equation on heads of a shape (B, H, T, D).

    What is compared are the results, and the bytes that are held on the way; the ratio of the
    bytes depends on the length, and is measured for shorter ones too.
    """
    heads = random_heads(shape)
    equation, tiles = bytes_held(heads)
    cut = {n: bytes_held(random_heads((*shape[:2], n, shape[3]))) for n in shorter}
    return {
        "long": shape[2],
        "equation_mebibytes": equation / 2**20,
        "tiles_mebibytes": tiles / 2**20,
        "memory_ratio": equation / tiles,
        "memory_ratios": {n: by_equation / by_tiles for n, (by_equation, by_tiles) in cut.items()},
        "tiles_error": (attention(*heads) - attention_tiled(*heads)).abs().max().item(),
    }


def random_heads(shape):
    """Return queries, keys and values of a shape (B, H, T, D), the same in every call."""
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(shape, generator=generator) for _ in range(3)]


def bytes_held(heads):
    """Return the bytes that attention holds besides its result: by the equation, and by tiles."""
    return [extra_bytes(lambda f=f: f(*heads)) for f in (attention, attention_tiled)]


def kv_cache(n_new=100):
    """Return the bytes of keys and values in 16 bits, and the speed with them and without.

    n_new tokens are written with the cache, and again without.
    """
    model, tokenizer = load_model()
    prompt = torch.tensor([tokenizer.encode("\n\n\ndef").ids])
    texts, speeds = {}, {}
    for use_cache in (True, False):
        started = time.perf_counter()
        texts[use_cache] = model.generate(prompt, n_new, temperature=0, use_cache=use_cache)
        speeds[use_cache] = n_new / (time.perf_counter() - started)
    per_token = {name: kv_cache_bytes(PRESETS[name], 1, 2) for name in ("gpt2", "gpt3")}
    return {
        "cache_bytes": per_token,
        "full_mebibytes": {
            name: count * PRESETS[name].n_positions / 2**20 for name, count in per_token.items()
        },
        "n_new": n_new,
        "n_same": int((texts[True] == texts[False])[:, prompt.shape[1] :].sum()),
        "speed": speeds[True],
        "slow_speed": speeds[False],
    }


def scaling_laws():
    """Count GPT-2's sizes, share out a budget by two fits, and recall our own runs."""
    sizes = best_sizes()
    low, high = min(sizes), max(sizes)
    return {
        "gpt2": {name: count_parameters(PRESETS[name]) for name in PRESETS if "gpt2" in name},
        "budget": GOPHER,
        "printed": compute_optimal(GOPHER, "printed"),
        "refit": compute_optimal(GOPHER, "refit"),
        "exponent": isoflop.fit_power(list(sizes), list(sizes.values()))[1],
        "budget_growth": high / low,
        "size_growth": sizes[high] / sizes[low],
        "outcome": prediction.outcome(),
    }


def recorded_applications():
    """Recall what small models learned: from examples, by writing steps, to follow orders."""
    labels = functools.partial(recorded_shares, "labels", "accuracy")
    pairs = functools.partial(recorded_shares, "new pairs", variant="modern, Muon", x=8)
    sums = functools.partial(recorded_shares, "sum of 12 digits", "answer", x=12)
    orders = functools.partial(recorded_shares, "instructions", x=0)
    return {
        "few_shot": {k: statistics.mean(labels("modern, Muon", k)) for k in (0, 1, 2, 4, 8)},
        "initial": {"own": labels("GPT-2, AdamW", 8), "larger": labels("GPT-2, std 0.15", 8)},
        "pairs": {kind: pairs(f"accuracy, {kind} pairs") for kind in ("seen", "unseen")},
        "sums": {kind: sums(f"{kind}, 2 layers") for kind in ("at once", "steps")},
        "base": orders("inputs", "base"),
        "tuned": {name: orders(name, "tuned") for name in ("inputs", "pairs", "new pairs")},
    }


def families():
    """Count families other than GPT-2, built without memory, beside what is published."""
    models = {model.model: model for model in load_models()}
    return {
        "counts": {name: count_all(built(name)) for name in BUILT_HERE},
        "published": {name: models[name].n_params_printed for name in BUILT_HERE},
    }


SECTIONS = {
    section.__name__: section
    for section in (
        architecture, live_training, shipped_model, attention_by_tiles, kv_cache, scaling_laws,
        recorded_applications, families,
    )
}  # fmt: skip
