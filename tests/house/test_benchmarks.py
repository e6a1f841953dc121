"""The benchmarks run, and compare equal work."""

import importlib
import math
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
import torch

from benchmarks import attention as versus
from benchmarks import pages, race, steps, timing
from gpt_helpers.experiments.speed import recorded_speed
from gpt_helpers.scaling_laws.counts import count_parameters, flops_per_token
from gpt_helpers.training.recipes import RECIPES
from tests.helpers import reference

ROOT = Path(__file__).resolve().parents[2]

MACHINE = {"torch", "transformers", "python", "platform", "cpus"}
STEP_COLUMNS = {
    "method", "shape", "parameters", "batch", "context", "threads", "rounds", "seconds_median",
    "seconds_fastest", "seconds_slowest", "tokens_per_second", "times_hugging_face",
    "share_of_peak", "share_of_peak_whole_square", "peak_tflops", "peak", "product_tflops",
    "device", "dtype", "date", *MACHINE,
}  # fmt: skip
RECIPE_COLUMNS = {
    "seed", "peer_steps", "peer_tokens", "peer_seconds", "peer_loss", "steps_to_reach",
    "tokens_to_reach", "seconds_to_reach", "loss_reached", "times_fewer_tokens",
    "times_fewer_seconds", "times_longer_step", "total_steps", "total_seconds", "final_loss",
    "recipe", "recipe_settings", "peer", "peer_settings", "windows", "evaluated_every",
    "threads", "date", *MACHINE,
}  # fmt: skip
ATTENTION_COLUMNS = {
    "pass", "tokens", "head_width", "method", "rounds", "seconds_median", "seconds_fastest",
    "seconds_slowest", "extra_bytes", "peer", "times_peer_speed", "batch", "heads", "threads",
    "device", "driver", "dtype", "date", "command", *MACHINE,
}  # fmt: skip
TOY = ["--shapes", "toy", "--batch-size", 4, "--rounds", 2, "--threads", 1, "--squares", 64, 96]
HELD_OUT, TRAINED = "m10.py", "m11.py"  # as the hashes of the names say


@pytest.fixture
def benchmark(monkeypatch, capsys):
    """Return the function that runs a program of benchmarks and returns what it printed.

    It runs here: in a process of its own it would first load PyTorch and transformers again.
    """

    def run(name, *arguments):
        monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
        assert importlib.import_module(name).main() == 0
        return capsys.readouterr().out

    return run


def benchmark_alone(*arguments):
    """Run a program of benchmarks in a process of its own, as one that opens a browser needs."""
    subprocess.run([sys.executable, "-m", *map(str, arguments)], check=True, cwd=ROOT)


def corpus_of(folder):
    """Write a corpus of two files, one of them held out, and return its folder."""
    folder.mkdir()
    for name in (HELD_OUT, TRAINED):
        (folder / name).write_text(Path(reference.__file__).read_text())
    return folder


def test_the_generation_benchmark_prints_and_writes_a_row_per_method(benchmark, tmp_path):
    path = tmp_path / "table.csv"
    settings = ["--prompt-tokens", "3", "--new-tokens", "4", "--rounds", "2", "--threads", "1"]
    printed = benchmark("benchmarks.generation", *settings, "--csv", path)
    table = pd.read_csv(path)
    assert table["method"].tolist() == ["Hugging Face, cached", "ours, cached", "ours, uncached"]
    assert (table["tokens_per_second"] > 0).all()
    assert all(method in printed for method in table["method"])
    assert [file.name for file in tmp_path.iterdir()] == ["table.csv"]
    assert list(table.columns) == list(recorded_speed("generation").columns)


def test_the_step_benchmark_writes_a_row_per_method_and_compares_with_the_fastest_peer(
    benchmark, tmp_path
):
    path = tmp_path / "table.csv"
    printed = benchmark("benchmarks.training", "step", *TOY, "--csv", path)
    table = pd.read_csv(path)
    assert set(table.columns) == STEP_COLUMNS
    assert table["method"].tolist() == [*(f"Hugging Face, {name}" for name in steps.PEERS), "ours"]
    assert table["times_hugging_face"][:-1].max() == 1
    assert (table["peak_tflops"] == table["product_tflops"]).all()
    assert all(method in printed for method in table["method"])


def test_the_gpu_benchmark_is_the_step_benchmark_with_a_stated_peak_and_half_precision(
    benchmark, tmp_path
):
    path = tmp_path / "results" / "table.csv"
    options = ["--device", "cpu", "--peak-tflops", "989", "--csv", path]
    benchmark("benchmarks.training", "gpu", *TOY, *options)
    table = pd.read_csv(path)
    assert set(table.columns) == STEP_COLUMNS
    assert set(table["dtype"]) == {"bfloat16"}
    assert set(table["peak_tflops"]) == {989}
    assert set(table["peak"]) == {"stated"}


def test_the_recipe_benchmark_appends_a_row_per_seed_and_refuses_other_settings(
    benchmark, tmp_path
):
    path, corpus = tmp_path / "table.csv", corpus_of(tmp_path / "corpus")
    toy = ["--shape", "toy", "--windows", "8", "--threads", "1", "--corpus", corpus, "--csv", path]
    benchmark("benchmarks.training", "recipes", *toy, "--steps", 80, 80, "--seeds", 0)
    first = pd.read_csv(path)
    benchmark("benchmarks.training", "recipes", *toy, "--steps", 80, 80, "--seeds", 0, 1)
    table = pd.read_csv(path)
    assert set(table.columns) == RECIPE_COLUMNS
    assert table["seed"].tolist() == [0, 1]
    assert table.head(1).equals(first)
    assert (table["loss_reached"] <= table["peer_loss"]).all()
    assert (table["tokens_to_reach"] == table["steps_to_reach"] * 16 * 16).all()
    facts = {"recipe": "live-modern", "windows": 8}
    assert [row["seed"] for row in race.rows_of_before(path, facts)] == [0, 1]
    with pytest.raises(ValueError, match="has windows=8, here it is 9; write to another file"):
        race.rows_of_before(path, facts | {"windows": 9})


def test_the_attention_benchmark_has_a_row_per_method_pass_and_size(benchmark, tmp_path):
    path = tmp_path / "results" / "table.csv"
    sizes = ["--tokens", 16, 40, "--widths", 8, "--heads", 2, "--rounds", 2]
    printed = benchmark("benchmarks.attention", *sizes, "--csv", path)
    table = pd.read_csv(path)
    assert set(table.columns) == ATTENTION_COLUMNS
    for tokens in (16, 40):
        for name in ("forward", "forward and backward"):
            rows = table[(table["tokens"] == tokens) & (table["pass"] == name)]
            assert rows["method"].tolist() == ["reference", "tiled", "fused"]
            assert rows["times_peer_speed"].tolist()[-1] == 1
    assert set(table["peer"]) == {"fused"}
    assert (table["seconds_fastest"] <= table["seconds_median"]).all()
    held = table[table["method"] == "reference"].groupby("pass")["extra_bytes"]
    assert (held.max() > held.min()).all()
    assert "reference" in printed


def test_the_reference_is_left_out_where_its_matrices_would_not_fit(benchmark, tmp_path):
    path = tmp_path / "table.csv"
    sizes = ["--tokens", 16, "--widths", 8, "--heads", 2, "--rounds", 1]
    benchmark("benchmarks.attention", *sizes, "--reference-gib", 1e-6, "--csv", path)
    assert set(pd.read_csv(path)["method"]) == {"tiled", "fused"}


def test_attentions_that_disagree_are_not_timed():
    right = (torch.ones(2, 3),)
    versus.check_equal({"fused": lambda: right, "tiled": lambda: right})
    for wrong in (1.01, math.nan):
        ours = (torch.full((2, 3), wrong),)
        with pytest.raises(ValueError, match="tiled is off by"):
            versus.check_equal({"fused": lambda: right, "tiled": lambda ours=ours: ours})


def test_contestants_take_turns_in_both_orders():
    order = []
    contestants = {name: lambda name=name: order.append(name) for name in "abc"}
    seconds = timing.alternate(contestants, 3, finish=lambda: order.append("."))
    assert "".join(order) == "c.b.a." + "a.b.c." + "c.b.a."
    assert {name: len(values) for name, values in seconds.items()} == {"a": 3, "b": 3, "c": 3}


def test_steps_with_unequal_losses_are_not_timed():
    equal = {"ours": lambda number, ids: 2.0, "theirs": lambda number, ids: 2.0}
    steps.check_equal_losses(equal, None, (1e-5, 1e-5))
    later = {"ours": lambda number, ids: 2.0, "theirs": lambda number, ids: 2.0 + number}
    steps.check_equal_losses(later, None, (1e-5,))
    with pytest.raises(ValueError, match="at step 1 the losses differ"):
        steps.check_equal_losses(later, None, (1e-5, 1e-5))
    with pytest.raises(ValueError, match="at step 0 the losses differ"):
        steps.check_equal_losses(equal | {"third": lambda number, ids: math.nan}, None, (1e-5,))


def test_a_training_step_costs_three_forward_passes_and_less_with_half_of_the_scores():
    config = RECIPES["live"].config
    half, whole = steps.training_flops(config)
    assert whole == 3 * flops_per_token(config)
    assert whole - half == 3 * config.n_layer * 2 * config.n_positions * config.n_embd


@pytest.mark.parametrize(("losses", "steps_to_reach"), [([3, 2, 1], 20), ([3, 2.5, 2.1], None)])
def test_two_recipes_end_together_and_the_first_loss_at_or_below_the_target_counts(
    monkeypatch, losses, steps_to_reach
):
    turns, left = [], iter([*losses, 2.0])
    monkeypatch.setattr(race, "evaluate", lambda model, windows: next(left))

    def run(name, total):
        def advance(end):
            turns.append((name, end))
            made.done, made.seconds = end, float(end)

        trainer = SimpleNamespace(model=None)
        made = SimpleNamespace(
            total=total, done=0, seconds=0.0, step_tokens=8, trainer=trainer, advance=advance
        )
        return made

    row = race.compare_recipes(run("ours", 25), run("peer", 50), None, every=10)
    ends = [("peer", 20), ("ours", 10), ("ours", 20), ("peer", 40), ("peer", 50), ("ours", 25)]
    assert turns == ends
    assert row["final_loss"] == losses[-1]
    if steps_to_reach is None:
        assert math.isnan(row["steps_to_reach"])
        assert math.isnan(row["times_fewer_tokens"])
    else:
        assert (row["steps_to_reach"], row["tokens_to_reach"]) == (20, 160)
        assert row["times_fewer_tokens"] == row["times_fewer_seconds"] == 50 / 20


def test_the_committed_table_has_both_numbers_of_threads():
    table = recorded_speed("generation")
    assert set(table["threads"]) == {1, 2}
    assert set(table.columns) >= MACHINE


def test_the_committed_table_of_steps_has_both_shapes_on_two_threads():
    table = recorded_speed("steps")
    assert set(table.columns) == STEP_COLUMNS
    cases = table.groupby(["shape", "threads"])["method"].apply(set)
    assert set(cases.index) == {("live", 2), ("3M", 2)}
    assert all(
        case == {"ours", *(f"Hugging Face, {name}" for name in steps.PEERS)} for case in cases
    )
    sizes = table["shape"].map(lambda shape: count_parameters(steps.SHAPES[shape]))
    assert (table["parameters"] == sizes).all()
    assert table["rounds"].min() >= 20
    assert (table["share_of_peak"] <= table["share_of_peak_whole_square"]).all()
    assert table["share_of_peak_whole_square"].between(0, 1, inclusive="neither").all()


def test_the_committed_table_of_recipes_has_three_seeds_of_the_recipes_as_they_are():
    table = recorded_speed("recipes")
    assert set(table.columns) == RECIPE_COLUMNS
    assert table["seed"].tolist() == [0, 1, 2]
    assert set(table["windows"]) == {128}
    assert set(table["recipe_settings"]) == {race.described(RECIPES["live-modern"])}
    assert set(table["peer_settings"]) == {race.described(RECIPES["live"])}
    assert (table["loss_reached"] <= table["peer_loss"]).all()


def test_the_benchmark_of_the_live_model_compares_equal_texts(tmp_path, site):
    path = tmp_path / "table.csv"
    benchmark_alone("benchmarks.live", "--new-tokens", "3", "--rounds", "1", "--csv", path)
    table = pd.read_csv(path)
    assert table["method"].str.startswith("page").sum() == 3
    assert (table["tokens_per_second"] > 0).all()
    assert set(table["seconds_from_click_to_first_token"] > 0) == {True}
    committed = recorded_speed("live")
    assert committed.columns.tolist() == table.columns.tolist()


def test_the_curves_of_a_page_are_those_of_lighthouse():
    for _, ninetieth, median in pages.CURVES.values():
        assert pages.log_normal(ninetieth, ninetieth, median) == pytest.approx(0.9, abs=1e-4)
        assert pages.log_normal(median, ninetieth, median) == pytest.approx(0.5)
    assert sum(weight for weight, _, _ in pages.CURVES.values()) == pytest.approx(1)
    slow = {"FCP": 5900, "LCP": 6200, "SI": 5900, "TBT": 0, "CLS": 0}
    assert pages.score(slow) == pytest.approx(63, abs=1)  # as Lighthouse 12 said of such a page


def test_blocking_time_is_what_tasks_after_the_first_paint_take_beyond_50_ms():
    thread = {"pid": 1, "tid": 2}
    paint = {**thread, "name": "firstContentfulPaint", "ph": "R", "ts": 1000}
    times = ((500, 90_000), (2000, 30_000), (3000, 10_000))
    tasks = [
        {**thread, "name": pages.TASK, "ph": "X", "ts": ts, "tdur": took} for ts, took in times
    ]
    other = {**tasks[1], "tid": 3}
    assert pages.blocking_time([*tasks, other, paint], slowdown=4) == 4 * 30 - 50


def test_the_benchmark_of_the_pages_sees_both_paints_and_writes_a_row_per_page(tmp_path, site):
    path = tmp_path / "table.csv"
    benchmark_alone("benchmarks.pages", "ja/index", "--loads", 1, "--csv", path)
    table = pd.read_csv(path)
    assert table["page"].tolist() == ["ja/index"]
    assert (table[["FCP_ms", "LCP_ms", "work_ms"]] > 0).all(axis=None)
    assert table["score"].between(0, 100).all()
    committed = recorded_speed("pages")
    assert committed.columns.tolist() == table.columns.tolist()


def test_every_page_of_the_committed_table_is_one_that_lighthouse_calls_fast():
    table = recorded_speed("pages")
    assert table["page"].tolist() == pages.PAGES
    assert (table["score"] >= 95).all()
