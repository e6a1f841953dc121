"""Tokens per second of the live model in the page, beside the same model in PyTorch.

    python -m benchmarks.live [--csv FILE]

Builds nothing: needs the built book and Chromium, as the page tests do. The engine in the page,
with WebAssembly and without, and PyTorch on one thread write the same greedy text in turn. The
seconds from the click to the first distribution are those of fresh pages, from a local server.
"""

import argparse
import statistics
import sys

import pandas as pd
import torch
from playwright.sync_api import sync_playwright

from benchmarks.pages import check_built
from benchmarks.timing import alternate, machine, publish, spread, today, write_table
from gpt_helpers.commands import command, new_file, positive
from gpt_helpers.weights import pretrained
from tests.helpers.browser import QUIET, QuietHandler, find_chromium, serving
from tests.helpers.live import BOTH_ENGINES, WEIGHTS, start

WRITE = """([useWasm, useCache, prompt, length]) => {
  const model = window.models[useWasm], cache = new gpt.KVCache(model.config);
  const ids = prompt.slice();
  for (let n = 0; n < length; n++) {
    if (!useCache) cache.ids = [];
    const logits = model.forward(ids, cache, false);
    ids.push(logits.indexOf(Math.max(...logits)));
  }
  return ids;
}"""


def seconds_to_first_token(browser, url, n_rounds):
    """Return the seconds from the click to the table of probabilities, in n_rounds fresh pages."""
    seconds = []
    for _ in range(n_rounds):
        context = browser.new_context()
        page = context.new_page()
        page.goto(url)
        seconds.append(
            page.evaluate(
                """() => new Promise((resolve) => {
                  const box = document.querySelector(".live-model"), start = performance.now();
                  new MutationObserver(() => {
                    if (!box.querySelector(".live-next td")) return;
                    resolve((performance.now() - start) / 1000);
                  }).observe(box, { childList: true, subtree: true });
                  box.querySelector(".live-start").click();
                })"""
            )
        )
        context.close()
    return seconds


def methods(page, model, prompt, n_new):
    """Return {name: function that writes n_new tokens greedily and returns all tokens}."""
    ids = torch.tensor([prompt])

    def in_page(use_wasm, use_cache):
        return page.evaluate(WRITE, [use_wasm, use_cache, prompt, n_new])

    return {
        "PyTorch, cached": lambda: model.generate(ids, n_new, temperature=0)[0].tolist(),
        "page, cached": lambda: in_page(True, True),
        "page, cached, plain JavaScript": lambda: in_page(False, True),
        "page, uncached": lambda: in_page(True, False),
    }


def compare(browser, edition, n_new, n_rounds):
    """Return one row per method, for the front page of the edition at this address."""
    torch.set_num_threads(1)
    model, tokenizer = pretrained.load_model()
    prompt = tokenizer.encode("def read(self, size):\n    if size").ids
    first = statistics.median(seconds_to_first_token(browser, f"{edition}/index.html", n_rounds))
    page = browser.new_page()
    start(page, f"{edition}/index.html")
    page.evaluate(BOTH_ENGINES, f"{edition}/{WEIGHTS}")
    contestants = methods(page, model, prompt, n_new)
    if len({tuple(write()) for write in contestants.values()}) > 1:
        raise ValueError("the methods write different tokens, so their times say nothing")
    times = {name: spread(row) for name, row in alternate(contestants, n_rounds).items()}
    peer = times["PyTorch, cached"]["seconds_median"]
    return [
        {
            "method": name,
            "prompt_tokens": len(prompt),
            "new_tokens": n_new,
            **columns,
            "tokens_per_second": round(n_new / columns["seconds_median"]),
            "times_pytorch": round(peer / columns["seconds_median"], 2),
            "seconds_from_click_to_first_token": round(first, 3),
        }
        for name, columns in times.items()
    ]


@command("not measured")
def main():
    """Measure, print the table, and write it if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--csv", type=new_file, help="where to write the table")
    parser.add_argument("--new-tokens", type=positive, default=128)
    parser.add_argument("--rounds", type=positive, default=11)
    options = parser.parse_args()
    check_built(["en/index"])
    with serving(QuietHandler) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(playwright), args=QUIET)
        table = pd.DataFrame(compare(browser, f"{address}/en", options.new_tokens, options.rounds))
        version = browser.version
        browser.close()
    publish(table)
    if options.csv:
        facts = {"threads": 1, "browser": f"Chromium {version}", "date": today()}
        write_table(options.csv, table.assign(**facts, **machine()))


if __name__ == "__main__":
    sys.exit(main())
