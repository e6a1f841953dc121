"""The ladder's runs and times: complete, and compared as it is said."""

import functools
import math
import statistics

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gpt_helpers.config import GPTConfig
from gpt_helpers.experiments import ablations, ladder
from gpt_helpers.experiments.ladder_models import (
    GPT2,
    LADDER,
    LLAMA,
    RUNGS,
    TIMED,
    WIDE,
    ladder_rungs,
    rungs_beside,
    with_wide_start,
)
from gpt_helpers.experiments.small_run import SEEDS
from gpt_helpers.files import write_rows
from gpt_helpers.text.tokens import Tokens
from gpt_helpers.training.runs import Run
from gpt_helpers.training.settings import TrainingSettings
from gpt_helpers.variants import sizes
from tests.helpers.reference import refused

LOSSES = st.fixed_dictionaries(
    {rung: st.fixed_dictionaries(dict.fromkeys(SEEDS, st.floats(1, 9))) for rung in RUNGS}
)


SMALL = Run(
    GPTConfig(50, n_positions=8, n_embd=8, n_layer=2, n_head=2, dropout=0.0),
    TrainingSettings(total_steps=4, warmup_steps=1, evaluate_every=2),
    batch_size=16,
)
TIMED_SMALL = ladder_rungs(SMALL) | rungs_beside(SMALL)
SMALL_RUNGS = TIMED_SMALL | with_wide_start(TIMED_SMALL)
IDS = torch.randint(50, (3000,), generator=torch.Generator().manual_seed(0))
TOKENS = Tokens(None, IDS, IDS[:600])


def small_rows(rung, seed, **settings):
    """Return the rows of a rung of the small ladder, on made-up tokens."""
    run = SMALL_RUNGS[rung].run.varied(settings | {"seed": seed})
    return ladder.complete_rows((rung, run), TOKENS)


@pytest.fixture
def written(tmp_path):
    """Return a function that writes made-up curves and times, and returns the two paths.

    The loss of a run falls from that of step 20 by so much per step; a step takes so long.
    """

    def write(start=lambda rung, seed: 5.0, slope=0.01, seconds=lambda rung, number: 1.0):
        rows = [
            {"rung": rung, "seed": seed, "step": step, "tokens": 2048 * step,
             "held_out_loss": start(rung, seed) - slope * (step - 20)}
            for rung in reversed(RUNGS) for seed in SEEDS for step in range(20, 201, 20)
        ]  # fmt: skip
        times = [
            {"rung": rung, "round": number, "seconds": seconds(rung, number)}
            for number in (1, 2, 3) for rung in TIMED
        ]  # fmt: skip
        write_rows(tmp_path / "runs.csv", rows, ladder.RECORD.columns)
        write_rows(tmp_path / "times.csv", times, ladder.TIMES.columns)
        return tmp_path / "runs.csv", tmp_path / "times.csv"

    return write


@pytest.mark.parametrize("rung", [*TIMED, "experts" + WIDE])
def test_every_rung_trains_and_has_all_columns(rung):
    rows = small_rows(rung, 1)
    assert [(row["rung"], row["seed"], row["step"]) for row in rows] == [(rung, 1, 2), (rung, 1, 4)]
    assert set(ladder.RECORD.columns) <= set(rows[0])
    assert rows[-1]["tokens"] == 4 * SMALL.step_tokens
    assert math.isfinite(rows[-1]["held_out_loss"])
    assert rows[0]["n_active"] > 400
    assert (rows[0]["n_params"] > rows[0]["n_active"]) == rung.startswith("experts")


def test_rungs_end_at_different_losses():
    losses = [small_rows(rung, 0)[-1]["held_out_loss"] for rung in TIMED]
    losses.append(small_rows(LLAMA + WIDE, 0)[-1]["held_out_loss"])
    assert len(set(losses)) == len(TIMED) + 1


def test_a_rung_that_diverges_is_recorded_without_a_loss():
    (row,) = small_rows("RoPE", 2, max_lr=1e38, warmup_steps=0)
    assert (row["rung"], row["seed"]) == ("RoPE", 2)
    assert math.isnan(row["held_out_loss"])


def test_a_step_of_every_rung_is_timed_in_each_round_in_an_order_that_turns():
    rows = ladder.step_times(3, TIMED_SMALL, TOKENS)
    assert [row["round"] for row in rows] == [number for number in (1, 2, 3) for _ in TIMED]
    orders = [[row["rung"] for row in rows if row["round"] == number] for number in (1, 2, 3)]
    assert orders == [list(reversed(TIMED)), list(TIMED), list(reversed(TIMED))]
    assert all(row["seconds"] > 0 for row in rows)
    assert set(ladder.TIMES.columns) <= set(rows[0])


def test_losses_at_equal_tokens_are_those_of_the_last_step(written):
    runs, _ = written(start=lambda rung, seed: len(rung) + seed)
    losses = ladder.at_equal_tokens(runs)
    assert list(losses) == list(RUNGS)
    assert losses["RoPE"] == pytest.approx({seed: 4 + seed - 1.8 for seed in SEEDS})


def test_losses_at_equal_time_are_read_where_the_fastest_rung_ends(written):
    seconds = {"GQA": 0.8, GPT2: 1.0, "experts": 2.0}
    paths = written(seconds=lambda rung, number: seconds.get(rung, 1.25))
    losses = ladder.at_equal_time(*paths)
    for rung in RUNGS:
        step = 200 * 0.8 / seconds.get(rung.removesuffix(WIDE), 1.25)
        assert losses[rung][1] == pytest.approx(5 - 0.01 * (step - 20))


def test_where_all_steps_take_the_same_time_both_comparisons_agree(written):
    runs, times = written(start=lambda rung, seed: len(rung) + seed)
    assert ladder.at_equal_time(runs, times) == ladder.at_equal_tokens(runs)


def test_a_time_is_the_median_of_ratios_within_a_round_so_a_slow_round_changes_nothing(written):
    slow = {1: 1.0, 2: 7.0, 3: 1.1}
    own = {"Muon": 1.5, GPT2: 0.5}
    _, times = written(seconds=lambda rung, number: slow[number] * own.get(rung, 1.0))
    assert ladder.relative_times(times)["Muon"] == pytest.approx(3)
    assert ladder.relative_times(times)[GPT2] == 1
    _, times = written(seconds=lambda rung, number: 9.0 if (rung, number) == ("RoPE", 2) else 1.0)
    assert ladder.relative_times(times)["RoPE"] == 1


def test_a_file_that_lacks_a_rung_is_refused_with_the_command(tmp_path, written):
    refused("run python -m gpt_helpers.experiments.ladder", ladder.recorded, tmp_path / "none.csv")
    runs, times = written()
    for path, record, read in (
        (runs, ladder.RECORD, ladder.recorded),
        (times, ladder.TIMES, ladder.relative_times),
    ):
        rows = [row for row in record.rows(path) if row["rung"] != "Muon"]
        write_rows(path, rows, record.columns)
        refused(r"no \['Muon'\]", read, path)


@given(LOSSES)
def test_gains_add_up_along_the_ladder_and_lie_in_their_range(losses):
    table = ladder.compared(losses)
    without = {rung for rung, row in table.items() if "gain" not in row}
    assert without == {"post-LN", "post-LN" + WIDE}
    climbed = sum(table[rung].get("gain", 0) for rung in LADDER)
    whole = table["post-LN"]["loss"] - table[LLAMA]["loss"]
    assert climbed == pytest.approx(whole, abs=1e-9)
    for rung, row in table.items():
        assert row["loss"] == pytest.approx(statistics.fmean(losses[rung].values()))
        assert row["lowest"] <= row["loss"] + 1e-9
        assert row["loss"] <= row["highest"] + 1e-9
        if "gain" in row:
            assert row["least"] - 1e-9 <= row["gain"] <= row["most"] + 1e-9


def test_gains_are_taken_seed_by_seed():
    losses = {rung: {0: 4.0, 1: 6.0, 2: 5.0} for rung in RUNGS}
    losses["QK-norm"] = {0: 3.9, 1: 6.2, 2: 4.9}
    row = ladder.compared(losses)["QK-norm"]
    expected = {"loss": 5, "lowest": 3.9, "highest": 6.2, "gain": 0, "least": -0.2, "most": 0.1}
    assert row == pytest.approx(expected, abs=1e-9)


def test_the_committed_runs_are_complete():
    runs = ladder.recorded()
    steps = range(20, 201, 20)
    for seeds in runs.values():
        assert sorted(seeds) == list(SEEDS)
        for rows in seeds.values():
            assert [(row["step"], row["tokens"]) for row in rows] == [(s, 2048 * s) for s in steps]
            assert rows[-1]["seconds"] > 0
    for rung, (run, _) in RUNGS.items():
        n_params = sizes.count_all(run.new_model())
        assert {row["n_params"] for row in runs[rung][0]} == {n_params}
    assert {row["threads"] for row in ladder.RECORD.rows()} == {"1"}
    assert ladder.RECORD.missing(ladder.planned(), ladder.RECORD.rows()) == []


def test_the_committed_run_of_gpt2_is_that_of_the_ablations():
    ours, theirs = ladder.recorded()[GPT2], ablations.recorded("learning rate")["3e-3"]
    for seed in SEEDS:
        for row, other in zip(ours[seed], theirs[seed], strict=True):
            # Another CPU rounds otherwise, and what it rounds grows from step to step.
            most = 2e-4 if row["step"] == 20 else 0.03
            assert row["held_out_loss"] == pytest.approx(other["held_out_loss"], abs=most)


def test_the_committed_times_are_complete_and_equal_models_take_equal_times():
    times = ladder.relative_times()
    assert len(ladder.TIMES.rows()) >= 20 * len(TIMED)
    assert times["pre-LN"] == pytest.approx(1, abs=0.05)
    assert times["post-LN, 3e-4"] == pytest.approx(times["post-LN"], abs=0.05)


def test_the_command_runs_only_what_is_missing(tmp_path):
    ladder.recorded()  # what is missing would be run for real
    path = tmp_path / "all.csv"
    path.write_bytes(ladder.RECORD.path.read_bytes())
    before = path.read_bytes()
    assert ladder.main(["--csv", str(path), "--processes", "1"]) == 0
    assert path.read_bytes() == before


def test_the_command_times_the_steps_on_demand(tmp_path):
    path, before = tmp_path / "times.csv", ladder.TIMES.path.read_bytes()
    timed = functools.partial(ladder.step_times, rungs=TIMED_SMALL, tokens=TOKENS)
    assert ladder.main(["--times", "--csv", str(path), "--rounds", "2"], timed) == 0
    assert set(ladder.relative_times(path)) == set(TIMED)
    assert {row["round"] for row in ladder.TIMES.rows(path)} == {1, 2}
    assert ladder.TIMES.path.read_bytes() == before


@pytest.mark.parametrize(
    ("losses", "reason"),
    [
        ({"pre-LN": {0: 3.0}}, r"losses\['pre-LN'\] has seeds \[0\], 'post-LN' has not all"),
        ({"post-LN": {1: 3.0}, "pre-LN": {0: 3.0}}, r"losses\['pre-LN'\] has seeds \[0\]"),
        ({"post-LN": {}}, r"losses\['post-LN'\] has seeds \[\]"),
        ({"post-LN": {0: float("nan")}}, r"losses\['post-LN'\]\[0\]=nan"),
        ({"no rung": {0: 3.0}}, "a rung of losses='no rung' is unknown"),
    ],
)
def test_losses_that_cannot_be_compared_are_refused(losses, reason):
    refused(reason, ladder.compared, losses)
