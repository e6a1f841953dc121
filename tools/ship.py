"""Score a model that make model has trained, and put it into the package: python tools/ship.py F.

F is the folder of a finished run of the recipe "stdlib". What goes to gpt_helpers/weights/stdlib
are the model, the log of its training, its scores, and a card that says what it is.
"""

import argparse
import platform
import sys
from pathlib import Path

try:
    import pandas as pd
    import torch

    from gpt_helpers.commands import command
    from gpt_helpers.evaluation import losses, ngrams, syntax
    from gpt_helpers.files import replace_files
    from gpt_helpers.text.corpus import load_corpus
    from gpt_helpers.text.tokenizer import encode
    from gpt_helpers.weights.pretrained import STDLIB, load_model
except ModuleNotFoundError as error:
    raise SystemExit(f"{error}; run make .venv/book, then this by .venv/bin/python") from None

N_SAMPLES, N_TOKENS, TEMPERATURE, SEEDS = 200, 200, 0.8, (0, 1, 2)
CARD = """# The model that ships with the book

A GPT in the layout of GPT-2, trained on the Python standard library by `make model`. It is
for teaching: small enough for a page in a browser, good enough to write lines that look like
Python. It writes nothing that should be run.

| | |
|---|---|
| parameters | {parameters:,} |
| vocabulary, context | {V:,} byte-level BPE tokens, {T} positions |
| width, layers, heads | {C}, {L}, {H} |
| training data | {n_training} files, {training_mb:.1f} MB of Python {python}'s standard library, \
without tests |
| held out | {n_held_out} other files, {held_out_mb:.1f} MB, chosen by a hash of their names |
| training | {tokens:,} tokens in {steps:,} steps, {minutes:.0f} minutes on {cpus} CPU cores, \
recipe `stdlib` |
| weights | float16, {size_mb:.2f} MB, with config and merges in the metadata |

## Scores

{scores}

Bits per byte are those of all held-out files, whole; a token is predicted from the 128 tokens
before it at least, or from all there are. The share is that of {n_samples} functions, sampled
from `def` with temperature {temperature}, {n_tokens} tokens each, that Python accepts, as
`syntax.parses` says; people are the held-out files, cut at as many tokens.

## Limits

It knows one kind of text, and of that what {minutes:.0f} minutes teach. It invents names,
forgets what it began after {T} tokens, and repeats lines of the library, which is published
under the PSF License. Another version of Python has another library, so `make model` there
gives another model.
"""


def shares(model, tokenizer, corpus, tokens):
    """Return the share of functions that parse, by who wrote them."""
    five = ngrams.NGrams(tokens, 5, model.config.vocab_size)
    found = {}
    for name, writer in {"model": model, "5-gram": five}.items():
        generators = [torch.Generator().manual_seed(seed) for seed in SEEDS]
        texts = [
            text
            for generator in generators
            for text in losses.sample_functions(
                writer, tokenizer, N_SAMPLES, N_TOKENS, TEMPERATURE, generator
            )
        ]
        found[name] = syntax.share_that_parses(texts)
    people = [
        tokenizer.decode(tokenizer.encode(source).ids[:N_TOKENS])
        for document in corpus.held_out
        for source in syntax.functions_of(document.text)
    ]
    return found | {"people": syntax.share_that_parses(people)}, five


def score(model, tokenizer, corpus):
    """Return the scores of the model and of what it is compared with, a row per writer."""
    tokens = encode(tokenizer, corpus.training)
    held_out = encode(tokenizer, corpus.held_out)
    parsed, five = shares(model, tokenizer, corpus, tokens)
    n_bytes = sum(len(document.text.encode()) for document in corpus.held_out)
    nats = -five.probability_of(held_out).mean().item()
    bits = {
        "model": losses.document_bits_per_byte(model, tokenizer, corpus.held_out, stride=128),
        "5-gram": losses.bits_per_byte(nats, n_bytes / len(held_out)),
    }
    table = pd.DataFrame({"bits per byte": bits, "share that parses": parsed})
    return table.loc[["people", "model", "5-gram"]].round(3).rename_axis("writer")


def card(model, corpus, log, scores, size_bytes):
    """Return the text of the model card."""
    config = model.config
    megabytes = [
        sum(len(document.text.encode()) for document in part) / 1e6
        for part in (corpus.training, corpus.held_out)
    ]
    header = "| writer | bits per byte | share that parses |\n|---|---|---|\n"
    lines = [
        f"| {row.Index} | {'' if pd.isna(row[1]) else row[1]} | {row[2]} |"
        for row in scores.itertuples()
    ]
    return CARD.format(
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        V=config.vocab_size, T=config.n_positions, C=config.n_embd, L=config.n_layer,
        H=config.n_head, n_training=len(corpus.training), n_held_out=len(corpus.held_out),
        training_mb=megabytes[0], held_out_mb=megabytes[1], python=platform.python_version(),
        tokens=int(log["tokens"].iloc[-1]), steps=len(log), cpus=torch.get_num_threads(),
        minutes=log["seconds"].iloc[-1] / 60, size_mb=size_bytes / 1e6,
        scores=header + "\n".join(lines), n_samples=N_SAMPLES * len(SEEDS), n_tokens=N_TOKENS,
        temperature=TEMPERATURE,
    )  # fmt: skip


@command("not shipped")
def main():
    """Score, write the card, and copy; the package changes when all of it is there."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="a finished run of the recipe stdlib")
    folder = parser.parse_args().folder
    model, tokenizer = load_model(folder / "model.safetensors")
    corpus, log = load_corpus(), pd.read_csv(folder / "log.csv")
    scores = score(model, tokenizer, corpus)
    print(scores.to_string())
    size = (folder / "model.safetensors").stat().st_size
    STDLIB.parent.mkdir(exist_ok=True)
    contents = {
        "README.md": card(model, corpus, log, scores, size).encode(),
        "scores.csv": scores.to_csv().encode(),
    }
    contents |= {name: (folder / name).read_bytes() for name in ("log.csv", "model.safetensors")}
    replace_files({STDLIB.with_name(name): data for name, data in contents.items()})


if __name__ == "__main__":
    sys.exit(main())
