"""Tokens per second of greedy generation, beside Hugging Face's generate with equal weights.

    python benchmarks/generation.py [--csv benchmarks/generation.csv]

One process runs every method in turn, again and again, so that a slow moment of the machine
meets all of them alike; the medians are compared. All methods must produce equal tokens.
"""

import argparse
import sys
from pathlib import Path

import pandas as pd
import torch
from timing import alternate, machine, publish, spread, write_table

from gpt_helpers.config import PRESETS
from gpt_helpers.model import GPTLMHeadModel

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from reference import hugging_face


def methods(model, prompt, n_new):
    """Return {name: function that generates n_new tokens greedily}."""
    peer, mask = hugging_face(model), torch.ones_like(prompt)

    def ours(use_cache):
        return model.generate(prompt, n_new, temperature=0, use_cache=use_cache)

    def theirs():
        return peer.generate(prompt, attention_mask=mask, max_new_tokens=n_new, do_sample=False)

    return {
        "Hugging Face, cached": theirs,
        "ours, cached": lambda: ours(use_cache=True),
        "ours, uncached": lambda: ours(use_cache=False),
    }


def check_equal_tokens(contestants):
    """Raise ValueError unless all methods generate the same; it also warms them up."""
    tokens = [generate() for generate in contestants.values()]
    if not all(torch.equal(tokens[0], other) for other in tokens):
        raise ValueError("the methods generate different tokens, so their times say nothing")


def compare(n_prompt, n_new, n_rounds, n_threads):
    """Return one row per method, for the model of demo size and batch 1."""
    torch.set_num_threads(n_threads)
    torch.manual_seed(0)
    model = GPTLMHeadModel(PRESETS["demo"]).eval()
    prompt = torch.randint(model.config.vocab_size, (1, n_prompt))
    contestants = methods(model, prompt, n_new)
    check_equal_tokens(contestants)
    times = {name: spread(row) for name, row in alternate(contestants, n_rounds).items()}
    peer = times["Hugging Face, cached"]["seconds_median"]
    return [
        {
            "method": name,
            "threads": n_threads,
            "prompt_tokens": n_prompt,
            "new_tokens": n_new,
            **columns,
            "tokens_per_second": round(n_new / columns["seconds_median"]),
            "times_hugging_face": round(peer / columns["seconds_median"], 2),
        }
        for name, columns in times.items()
    ]


def main():
    """Measure, print the table, and write it if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--csv", type=Path, help="where to write the table")
    parser.add_argument("--prompt-tokens", type=int, default=16)
    parser.add_argument("--new-tokens", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    options = parser.parse_args()
    rows = [
        row
        for n_threads in options.threads
        for row in compare(options.prompt_tokens, options.new_tokens, options.rounds, n_threads)
    ]
    table = pd.DataFrame(rows)
    publish(table)
    if options.csv:
        facts = {"model": "demo", "batch": 1, "dtype": "float32"}
        write_table(options.csv, table.assign(**facts, **machine()))


if __name__ == "__main__":
    main()
