"""Patterns that the shipped model goes on with: every one is an experiment of its own."""

from gpt_helpers.experiments import patterns
from gpt_helpers.tasks.patterns import PATTERNS


def test_every_pattern_is_scored_after_0_to_6_lines_by_seed():
    runs = patterns.EXPERIMENTS["patterns"]
    assert list(runs) == list(PATTERNS)
    run = runs[next(iter(runs))]
    one, again, other = (run(seed, n_items=8) for seed in (0, 0, 1))
    assert [(row["measure"], row["x"]) for row in one] == [("accuracy", x) for x in range(7)]
    assert {(row["n"], row["steps"], row["tokens"]) for row in one} == {(8, 0, 0)}
    assert one == again
    assert one != other


def test_patterns_are_scored_on_a_thousand_items():
    assert patterns.N_PATTERN_ITEMS >= 1000
