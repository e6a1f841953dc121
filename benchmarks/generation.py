"""Tokens per second of greedy generation, beside Hugging Face's generate with equal weights.

    python -m benchmarks.generation [demo shipped long gpt2] [--csv FILE]

One process runs every method of a case in turn, again and again, so that a slow moment of the
machine meets all of them alike; the medians are compared. Methods must produce equal tokens,
but for the shipped model: it is modern, so its peer is the GPT-2 of its size.
"""

import argparse
import copy
import dataclasses
import sys

import pandas as pd
import torch

from benchmarks.timing import alternate, machine, publish, spread, write_table
from gpt_helpers.architecture.model import GPTLMHeadModel
from gpt_helpers.architecture.modules import store_by_columns
from gpt_helpers.commands import command, new_file, positive
from gpt_helpers.config import PRESETS, GPTConfig
from gpt_helpers.training.recipes import SHIPPED
from gpt_helpers.validation import check_choice
from gpt_helpers.weights.pretrained import load_model
from tests.helpers.reference import hugging_face, left_padded, random_ids

PEER, UNCACHED = "Hugging Face, cached", "ours, uncached"
PLAIN, BY_COLUMNS = "ours, cached", "ours, cached, by columns"
OTHER = "ours, cached, the shipped model (no exact peer)"


@dataclasses.dataclass(frozen=True)
class Case:
    """A model, the methods that run it, and how much; batches are (rows, are they padded)."""

    config: GPTConfig
    methods: tuple
    batches: tuple = ((1, False),)
    prompt_tokens: int = 16
    new_tokens: int = 64
    rounds: int = 11
    threads: tuple = (1, 2)


CASES = {
    "demo": Case(PRESETS["demo"], (PEER, PLAIN, UNCACHED), rounds=25),
    "shipped": Case(
        SHIPPED, (PEER, PLAIN, BY_COLUMNS, OTHER), batches=((1, False), (8, False), (8, True))
    ),
    "long": Case(
        dataclasses.replace(SHIPPED, n_positions=528), (PEER, PLAIN, BY_COLUMNS, UNCACHED),
        new_tokens=512, rounds=3, threads=(1,),
    ),
    "gpt2": Case(
        PRESETS["gpt2"], (PEER, PLAIN, BY_COLUMNS), batches=((1, False), (8, False)),
        new_tokens=32, rounds=3, threads=(1,),
    ),
}  # fmt: skip


def prompts(case, n_rows, is_padded):
    """Return ids and mask (B, T) of random prompts; if padded, no two are of equal length."""
    ids = random_ids(n_rows, case.prompt_tokens, case.config.vocab_size)
    if not is_padded:
        return ids, torch.ones_like(ids)
    return left_padded([row[min(index, len(row) - 1) :] for index, row in enumerate(ids)])


def methods(case, model, ids, mask):
    """Return {name: function that generates greedily} of the methods of the case."""

    def ours(model, use_cache=True):
        return lambda: model.generate(
            ids, case.new_tokens, temperature=0, attention_mask=mask, use_cache=use_cache
        )

    def theirs(peer):
        settings = {"max_new_tokens": case.new_tokens, "do_sample": False, "pad_token_id": 0}
        return lambda: peer.generate(ids, attention_mask=mask, **settings)

    made = {
        PEER: lambda: theirs(hugging_face(model)),
        PLAIN: lambda: ours(model),
        BY_COLUMNS: lambda: ours(store_by_columns(copy.deepcopy(model))),
        OTHER: lambda: ours(load_model()[0]),
        UNCACHED: lambda: ours(model, use_cache=False),
    }
    return {name: made[name]() for name in case.methods}


def check_equal_tokens(contestants):
    """Raise ValueError unless all methods generate the same; it also warms them up."""
    tokens = {name: generate() for name, generate in contestants.items()}
    if not all(torch.equal(tokens[PEER], tokens[name]) for name in tokens if name != OTHER):
        raise ValueError("the methods generate different tokens, so their times say nothing")


def compare(name, case):
    """Return the rows of a case: one per method, batch and number of threads."""
    torch.manual_seed(0)
    model, rows = GPTLMHeadModel(case.config).eval(), []
    for n_rows, is_padded in case.batches:
        contestants = methods(case, model, *prompts(case, n_rows, is_padded))
        for n_threads in case.threads:
            torch.set_num_threads(n_threads)
            check_equal_tokens(contestants)
            times = alternate(contestants, case.rounds)
            setting = {"model": name, "batch": n_rows, "padded": is_padded, "threads": n_threads}
            rows += table_rows(case, setting, {key: spread(row) for key, row in times.items()})
    return rows


def table_rows(case, setting, times):
    """Return one row per method from the columns {name: seconds of its rounds}."""
    medians = {name: columns["seconds_median"] for name, columns in times.items()}
    return [
        {
            "method": name,
            **setting,
            "prompt_tokens": case.prompt_tokens,
            "new_tokens": case.new_tokens,
            **columns,
            "tokens_per_second": round(setting["batch"] * case.new_tokens / medians[name]),
            "times_hugging_face": round(medians[PEER] / medians[name], 2),
            "times_uncached": round(medians.get(UNCACHED, float("nan")) / medians[name], 2),
        }
        for name, columns in times.items()
    ]


@command("not measured")
def main():
    """Measure, print the table, and write it if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases", nargs="*", default=["demo"], help=f"of {', '.join(CASES)}")
    parser.add_argument("--csv", type=new_file, help="where to write the table")
    parser.add_argument("--prompt-tokens", type=positive)
    parser.add_argument("--new-tokens", type=positive)
    parser.add_argument("--rounds", type=positive)
    parser.add_argument("--threads", type=positive, nargs="+")
    options = vars(parser.parse_args())
    cases, path = options.pop("cases"), options.pop("csv")
    for name in cases:
        check_choice("case", name, CASES)
    given = {name: value for name, value in options.items() if value is not None}
    rows = []
    for name in cases:
        rows += compare(name, dataclasses.replace(CASES[name], **given))
        if path:  # after each case: a run that is stopped keeps what it has measured
            write_table(path, pd.DataFrame(rows).assign(dtype="float32", **machine()))
    publish(pd.DataFrame(rows))


if __name__ == "__main__":
    sys.exit(main())
