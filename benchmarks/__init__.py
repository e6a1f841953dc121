"""Speed and memory beside a peer, measured in one run: python -m benchmarks.attention.

The tables that the book shows are in gpt_helpers/experiments/results/speed: its pages read them
wherever the package is installed.
"""
