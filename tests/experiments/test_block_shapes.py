"""Block shapes: each arm changes what it says, rates are chosen apart, the record is complete."""

import functools
import math

import pytest
import torch
from scipy import stats

from gpt_helpers.architecture.model import GPTLMHeadModel
from gpt_helpers.config import GPTConfig
from gpt_helpers.experiments import block_shapes
from gpt_helpers.experiments.block_shapes import ARMS, LEARNING_RATES, SEEDS, TUNING_SEED, WHOLE
from gpt_helpers.text.tokens import Tokens
from gpt_helpers.training.runs import Run
from gpt_helpers.training.settings import TrainingSettings
from tests.helpers.reference import refused

SMALL = GPTConfig(50, n_positions=8, n_embd=8, n_layer=2, n_head=2, dropout=0.0)
SHORT = Run(SMALL, TrainingSettings(total_steps=3, warmup_steps=1), batch_size=2)
IDS = torch.randint(50, (200_000,), generator=torch.Generator().manual_seed(0))
TOKENS = Tokens(None, IDS, IDS[:2000])


def rows_of(run, tokens=TOKENS):
    """Return the row of a short run."""
    return block_shapes.complete_rows(("small", run), tokens)


def test_arms_differ_in_heads_or_in_the_mlp_only():
    for arm, run in ARMS.items():
        changes = run.changes_from(ARMS[WHOLE])
        assert changes == "none" or len(changes.split()) == 1, arm
    counts = {
        arm: sum(p.numel() for p in run.new_model().parameters()) for arm, run in ARMS.items()
    }
    assert counts["1 head"] == counts[WHOLE]
    width = ARMS[WHOLE].config.n_embd
    n_mlp = 2 * (2 * 4 * width * width + 5 * width + 2 * width)  # of two layers, with its norm
    assert counts[WHOLE] - counts["no MLP"] == n_mlp
    per_width = 2 * (2 * width * width + width)  # parameters of both layers, for C of the MLP
    assert counts[WHOLE] - counts["MLP C"] == 3 * per_width
    assert counts["MLP 8C"] - counts[WHOLE] == 4 * per_width


def test_without_an_mlp_a_block_adds_its_attention_only():
    model = GPTLMHeadModel(SMALL, transformer=block_shapes.ModelWithoutMLP).eval()
    x = torch.randn(1, 5, 8, generator=torch.Generator().manual_seed(0))
    for block in model.transformer.h:
        assert torch.equal(block(x), x + block.attn(block.ln_1(x)))
    assert not any("mlp" in name or "ln_2" in name for name, _ in model.named_parameters())
    refused("8", model.transformer.h[0], x[..., :5])


def test_a_run_has_a_row_with_its_losses():
    (row,) = rows_of(SHORT)
    assert row["n_params"] == sum(p.numel() for p in SHORT.new_model().parameters())
    assert row["first_loss"] == pytest.approx(math.log(50), abs=0.1)
    assert row["held_out_loss"] != row["validation_loss"]
    assert set(block_shapes.RECORD.columns) <= {*row}


def test_what_rates_are_chosen_by_is_not_trained_on():
    batches = block_shapes.batches_of(SHORT, TOKENS)
    assert len(batches.tokens) == len(IDS) - block_shapes.N_SET_ASIDE
    assert torch.equal(batches.tokens, IDS[: len(batches.tokens)])
    other = torch.cat([IDS[: -block_shapes.N_SET_ASIDE], IDS[: block_shapes.N_SET_ASIDE]])
    (one,), (two,) = rows_of(SHORT), rows_of(SHORT, Tokens(None, other, IDS[:2000]))
    assert one["held_out_loss"] == two["held_out_loss"]
    assert one["validation_loss"] != two["validation_loss"]


def test_a_run_that_diverges_has_no_losses():
    (row,) = rows_of(SHORT.varied({"max_lr": 1e30, "max_grad_norm": None}))
    assert math.isnan(row["held_out_loss"])


def test_each_arm_is_given_the_rate_with_the_lowest_loss_on_validation_windows():
    rows = [
        {"arm": "a", "seed": 0, "max_lr": 1.0, "validation_loss": 2.0, "held_out_loss": 1.0},
        {"arm": "a", "seed": 0, "max_lr": 2.0, "validation_loss": 1.0, "held_out_loss": 2.0},
        {"arm": "a", "seed": 1, "max_lr": 3.0, "validation_loss": 0.0, "held_out_loss": 0.0},
        {"arm": "b", "seed": 0, "max_lr": 4.0, "validation_loss": math.nan, "held_out_loss": 0.0},
        {"arm": "b", "seed": 0, "max_lr": 5.0, "validation_loss": 9.0, "held_out_loss": 0.0},
    ]
    assert block_shapes.chosen_rates(rows) == {"a": 2.0, "b": 5.0}


def test_an_interval_is_that_of_students_t():
    differences = [0.1, 0.3, 0.2, 0.4, 0.0]
    found = block_shapes.paired_interval(differences)
    reference = stats.ttest_1samp(differences, 0).confidence_interval(0.95)
    assert found["difference"] == pytest.approx(0.2)
    assert (found["low"], found["high"]) == pytest.approx((reference.low, reference.high))


def test_the_committed_file_has_every_planned_run_and_no_other():
    rows = block_shapes.RECORD.rows()
    planned = block_shapes.tuning() | block_shapes.comparing(rows)
    keys = [(row["arm"], row["max_lr"], row["seed"]) for row in rows]
    assert len(keys) == len(set(keys))
    assert set(keys) == set(planned)
    assert len(planned) == len(ARMS) * (len(LEARNING_RATES) + len(SEEDS))
    assert TUNING_SEED not in SEEDS


def test_no_chosen_rate_stands_at_an_end_of_those_that_were_tried():
    rates = block_shapes.chosen_rates(block_shapes.RECORD.rows())
    assert set(rates) == set(ARMS)
    assert all(min(LEARNING_RATES) < rate < max(LEARNING_RATES) for rate in rates.values())


def test_of_four_predictions_two_held_and_two_missed():
    differences = {arm: row.get("difference") for arm, row in block_shapes.comparison().items()}
    assert differences["no MLP"] >= 0.1
    assert differences["MLP C"] >= 0.02
    assert differences["1 head"] < 0.05
    assert differences["MLP 8C"] < -0.05


def test_differences_are_taken_seed_by_seed():
    runs, table = block_shapes.recorded(), block_shapes.comparison()
    assert [*table] == [*ARMS]
    for arm in ARMS:
        losses = [runs[arm][seed]["held_out_loss"] for seed in SEEDS]
        assert table[arm]["loss"] == pytest.approx(sum(losses) / len(losses))
    assert "difference" not in table[WHOLE]
    base = [runs[WHOLE][seed]["held_out_loss"] for seed in SEEDS]
    first = [runs["1 head"][seed]["held_out_loss"] for seed in SEEDS]
    found = stats.ttest_rel(first, base).confidence_interval(0.95)
    assert table["1 head"]["low"] == pytest.approx(found.low)


def test_a_file_without_all_runs_is_refused(tmp_path):
    path = tmp_path / "runs.csv"
    path.write_bytes(b"".join(block_shapes.RECORD.path.read_bytes().splitlines(True)[:-1]))
    refused("lacks runs", block_shapes.recorded, path)


def test_a_recorded_run_begins_again_as_it_began(monkeypatch):
    short = SHORT.varied({"total_steps": 40})
    monkeypatch.setattr(block_shapes, "ARMS", {"small": short})
    (row,) = rows_of(short.varied({"max_lr": 1e-3, "seed": 1}))
    monkeypatch.setattr(block_shapes, "recorded", lambda path: {"small": {1: row}})
    state = torch.get_rng_state()
    again, recorded = block_shapes.begun_again.unchecked("small", TOKENS, 1)
    assert again == recorded == row["first_loss"]
    assert torch.equal(torch.get_rng_state(), state)


def test_the_program_chooses_rates_and_resumes(tmp_path, monkeypatch):
    path = tmp_path / "runs.csv"
    work = functools.partial(block_shapes.complete_rows, tokens=TOKENS)
    monkeypatch.setattr(block_shapes, "complete_rows", work)
    for plan in (block_shapes.tuning, block_shapes.comparing):
        monkeypatch.setattr(plan, "__defaults__", ({"small": SHORT},))
    arguments = ["--csv", str(path), "--processes", "0"]
    assert block_shapes.main(arguments) == 0
    rows = path.read_bytes()
    assert len(rows.splitlines()) == 1 + len(LEARNING_RATES) + len(SEEDS)
    assert block_shapes.main(arguments) == 0
    assert path.read_bytes() == rows
