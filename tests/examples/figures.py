"""A right call of each door of gpt_helpers.figures."""

import importlib
from pathlib import Path

import numpy as np
import torch

from gpt_helpers.architecture.trace import Step
from gpt_helpers.evaluation.accuracy import Score
from gpt_helpers.figures import charts, sampling_chart, show, show_laws, show_scores
from gpt_helpers.figures import show_tiles as tiles
from tests.helpers.misuse import Example

TRUSTING = {
    "gpt_helpers.figures.show_laws.Mark": "a record; marks, which draws it, checks it",
}
TEXT = "unknown empty"  # a label may say anything, and nothing
LABELS = "strangers none-inside"


def examples():
    """Yield the examples."""
    yield from explorers()
    yield from listings()
    yield from panels()
    yield from laws_and_scores()
    yield from tiles_and_devices()
    yield from drawings()


def drawings():
    """Yield the examples of drawings, which stand in a file for each of their topics."""
    for file in sorted(Path(__file__).parent.glob("figures_*.py")):
        yield from importlib.import_module(f"tests.examples.{file.stem}").examples()


def explorers():
    """Yield the examples of charts with sliders."""
    logits = torch.randn(12, dtype=torch.float64)
    yield Example(charts.schedule_explorer, {"run_steps": 20, "height": 200.0})
    yield Example(charts.memory_explorer, {"sizes": ["gpt2"], "height": 200.0})
    loss = {"fits": ["refit"], "flops_exponent": 21.0, "height": 200.0}
    yield Example(charts.loss_explorer, loss)
    sampling = {"logits": logits, "token_of": str, "n_shown": 5}
    yield Example(sampling_chart.sampling_explorer, sampling, {"logits": "integers sparse float8"})


def listings():
    """Yield the examples of what is shown as text."""
    yield Example(show.source, {"item": Score})
    yield Example(show.texts, {"samples": {"a": "text"}})


def panels():
    """Yield the examples of panels side by side."""
    shape = {"xlabel": "x", "height": 2.0}
    takes = {"xlabel": TEXT, "ylabel": TEXT}
    ticks = {"xticks": ["a", "b"], "yticks": ["c"]}
    yield Example(
        show.heatmaps,
        {"matrices": {"t": np.ones((1, 2))}, "ylabel": "y", "vmax": 1.0, **ticks, **shape},
        takes | {"vmax": "None", "xticks": "empty", "yticks": "empty"},
    )
    yield Example(
        show.curves,
        {"panels_of_lines": {"t": {"a": ([1, 2], [1.0, 2.0])}}, "ylabels": ["y"],
         "log": ["x"], **shape},
        takes | {"log": "empty"},
    )  # fmt: skip
    shares = {"probabilities": {"t": [0.5, 0.5]}, "labels": ["a", "b"], "ylabel": "p"}
    yield Example(show.distributions, shares | {"height": 2.0}, takes)
    yield Example(show.shares, {"rows": {"a": {"b": 1, "c": 2}}, **shape}, takes)
    yield Example(show.diagrams, {"traces": {"t": [Step("a", "Linear", (None,), (1,), 2)]}})


def laws_and_scores():
    """Yield the examples of laws, and of shares of right answers."""
    rows = [{"n_params": 1.0, "held_out_loss": 3.0, "n_tokens": 2.0}]
    mark = show_laws.Mark("line", [1, 10], [3.0, 2.0], "a", 1)
    yield Example(
        show_laws.marks,
        {"panels_of_marks": {"t": [mark]}, "xlabels": ["N"], "ylabels": ["loss"], "log": ["x"],
         "height": 2.0},
        {"log": "empty"},
    )  # fmt: skip
    yield Example(
        show_laws.run_mark,
        {"kind": "line", "rows": rows, "label": "a", "colour": 1, "x": "n_params", "y": "n_tokens"},
        {"label": TEXT, "colour": "None 0"},
    )
    scores = {1: [Score(1, 2)]}
    yield Example(
        show_scores.accuracy,
        {"panels_of_scores": {"t": {"a": scores}}, "xlabel": "x", "height": 2.0, "chance": 0.5,
         "known": {"law": ([1, 2], [0.1, 0.2])}},
        {"xlabel": TEXT, "known": "None", "chance": "None 0"},
    )  # fmt: skip
    yield Example(
        show_scores.bars,
        {
            "panels_of_scores": {"t": {"a": [Score(1, 2)]}},
            "xlabel": "x",
            "chance": 0.5,
            "height": 2.0,
        },
        {"xlabel": TEXT, "chance": "None 0"},
    )


def tiles_and_devices():
    """Yield the examples of tiles and devices."""
    yield Example(
        tiles.tile_map,
        {"n_queries": 8, "n_keys": 8, "block_size": 4, "window": 4, "height": 3.0},
        {"window": "None"},
    )
    device = {"flops": 1e12, "bandwidth": 1e11}
    roof = {"ceilings": {"a": device}, "points": {"p": (2.0, None)}, "height": 3.0}
    yield Example(tiles.roofline, roof)
