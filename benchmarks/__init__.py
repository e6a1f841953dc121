"""Speed and memory beside a peer, measured in one run: python -m benchmarks.attention.

The tables that the book shows are in gpt_helpers/experiments/results/speed: its pages read them
wherever the package is installed.
"""

import importlib.util

import gpt_helpers  # noqa: F401 - it says which package is missing

if importlib.util.find_spec("transformers") is None:
    raise SystemExit("not measured: the peers are in tests/requirements.txt; run make .venv/test")
