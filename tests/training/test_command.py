"""The command line: what it writes, what it answers, and that it goes on where it stopped."""

import csv
import dataclasses
import functools
import signal

import pytest
import torch

from gpt_helpers.scaling_laws.counts import count_parameters
from gpt_helpers.text.corpus import load_corpus
from gpt_helpers.text.tokenizer import encode
from gpt_helpers.training.__main__ import LOG_COLUMNS, chosen_recipe, main, parser
from gpt_helpers.training.checkpoint import FILE_NAME
from gpt_helpers.training.recipes import RECIPES
from gpt_helpers.weights.pretrained import load_model
from gpt_helpers.weights.sealed import read_sealed
from tests.helpers.runs import (
    are_equal,
    has_within,
    smoke_arguments,
    start_training,
    without_seconds,
    write_corpus,
)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Return the folder of a small corpus."""
    return write_corpus(tmp_path_factory.mktemp("text") / "corpus")


@pytest.fixture(scope="module")
def finished(tmp_path_factory, corpus):
    """Return the folder of a finished run of twelve steps."""
    folder = tmp_path_factory.mktemp("runs") / "new" / "run"
    assert main(smoke_arguments(folder, corpus, "--steps", 12)) == 0
    return folder


def failed(capfd, arguments):
    """Run a command line that must be refused, and return what it reports in one line."""
    assert main(arguments) == 1
    errors = capfd.readouterr().err
    assert "Traceback" not in errors
    (report,) = [line for line in errors.splitlines() if line.startswith("not trained: ")]
    return report


def test_help_is_printed_and_nothing_is_trained(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0
    printed = capsys.readouterr().out
    assert "python -m gpt_helpers.training" in printed
    assert all(f"--{name}" in printed for name in ("preset", "folder", "corpus", "strategy"))


@pytest.mark.parametrize(
    "arguments",
    [
        ["--preset", "unknown", "--folder", "x"],
        ["--preset", "smoke"],
        ["--folder", "x"],
        ["--preset", "smoke", "--folder", "x", "--steps", "many"],
        ["--preset", "smoke", "--folder", "x", "--strategy", "dp"],
    ],
    ids=" ".join,
)
def test_wrong_usage_exits_with_2(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: python -m gpt_helpers.training" in capsys.readouterr().err


def test_a_finished_run_leaves_a_checkpoint_a_log_and_a_model(finished):
    names = sorted(path.name for path in finished.iterdir())
    assert names == [FILE_NAME, "log.csv", "model.safetensors"]


def test_the_log_has_the_documented_columns(finished):
    with open(finished / "log.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == LOG_COLUMNS
    assert LOG_COLUMNS[:3] == ("step", "tokens", "loss")
    _, facts = read_sealed(finished / FILE_NAME)
    for row, logged in zip(rows, facts["log"], strict=True):
        found = {name: float(text) for name, text in row.items() if text}
        assert found == pytest.approx(logged, rel=1e-6)
    scored = [int(row["step"]) for row in rows if row["held_out_loss"]]
    assert scored == [10, 12]
    assert int(rows[-1]["tokens"]) == 12 * 8 * 32
    assert float(rows[-1]["loss"]) < float(rows[0]["loss"])


def test_the_model_can_be_loaded_and_is_that_of_the_checkpoint(finished, corpus):
    model, tokenizer = load_model(finished / "model.safetensors")
    tensors, _ = read_sealed(finished / FILE_NAME)
    weights = {name: weight.detach() for name, weight in model.named_parameters()}
    assert are_equal(weights, {name: tensors[name].half().float() for name in weights})
    ids = encode(tokenizer, load_corpus(corpus).held_out)[None, :32]
    assert model(ids, labels=ids)["loss"] < 5.7  # the logarithm of 300


def test_the_command_of_a_finished_run_changes_nothing(finished, corpus):
    before = {path.name: path.read_bytes() for path in finished.iterdir()}
    model = read_sealed(finished / "model.safetensors")
    assert main(smoke_arguments(finished, corpus, "--steps", 12)) == 0
    assert (finished / "log.csv").read_bytes() == before["log.csv"]
    assert (finished / FILE_NAME).read_bytes() == before[FILE_NAME]
    again = read_sealed(finished / "model.safetensors")
    assert are_equal(again[0], model[0])
    assert again[1] == model[1]


def test_the_folder_of_another_run_is_refused_with_the_difference(finished, corpus, capfd):
    before = {path.name: path.read_bytes() for path in finished.iterdir()}
    report = failed(capfd, smoke_arguments(finished, corpus, "--steps", 12, "--seed", 5))
    assert "seed=0, here 5" in report
    assert "train into another folder" in report
    assert "total_steps=12, here 9" in failed(
        capfd, smoke_arguments(finished, corpus, "--steps", 9)
    )
    assert {path.name: path.read_bytes() for path in finished.iterdir()} == before


def test_what_cannot_be_trained_exits_with_1_and_the_reason(tmp_path, corpus, capfd):
    smoke = functools.partial(smoke_arguments, tmp_path / "run")
    assert "total_steps=0 must be a positive" in failed(capfd, smoke(corpus, "--steps", 0))
    assert "batch_size=0 must be a positive" in failed(capfd, smoke(corpus, "--batch-size", 0))
    assert "batch_size=9999 needs more" in failed(capfd, smoke(corpus, "--batch-size", 9999))
    assert "8 rows cannot be divided" in failed(capfd, smoke(corpus, "--accumulation", 3))
    assert "seed=-1" in failed(capfd, smoke(corpus, "--seed", -1))
    assert "holds no .py files" in failed(capfd, smoke(tmp_path / "none"))
    for device in ("bogus", "meta", "cuda:99"):
        report = failed(capfd, smoke(corpus, "--device", device))
        assert f"device={device!r} cannot be used here" in report
    for threads in (0, -1):
        with pytest.raises(SystemExit, match="2"):
            main(smoke(corpus, "--threads", threads))
        assert f"--threads: '{threads}' must be a positive integer" in capfd.readouterr().err
    assert not (tmp_path / "run").exists()
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / FILE_NAME).write_text("a text")
    assert "is no sealed file" in failed(capfd, smoke(corpus))
    (tmp_path / "file").write_text("")
    failed(capfd, smoke_arguments(tmp_path / "file", corpus))


def test_a_corpus_too_small_to_hold_anything_out_is_refused(tmp_path, capfd):
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "m1.py").write_text("x = 1\n" * 2000)
    report = failed(capfd, smoke_arguments(tmp_path / "run", tmp_path / "corpus"))
    assert "no file of the corpus is held out: 1 are too few; add some" in report


def test_an_interrupted_run_exits_with_130_and_the_same_command_goes_on(tmp_path, corpus):
    folder = tmp_path / "run"
    arguments = smoke_arguments(folder, corpus, "--steps", 120)
    with open(tmp_path / "errors", "wb") as errors:
        process = start_training(arguments, errors)
        try:
            assert has_within(240, (folder / FILE_NAME).exists, process)
            process.send_signal(signal.SIGINT)
            assert process.wait(240) == 130
        finally:
            process.kill()
    report = (tmp_path / "errors").read_text("utf-8")
    assert "interrupted; the same command goes on from the last checkpoint" in report
    assert "Traceback" not in report
    before = read_sealed(folder / FILE_NAME)[1]["log"]
    assert 0 < len(before) < 120
    assert not (folder / "model.safetensors").exists()
    assert main(arguments) == 0
    log = read_sealed(folder / FILE_NAME)[1]["log"]
    assert log[: len(before)] == before
    assert len(without_seconds(log)) == 120


def options(*more):
    """Return parsed options of a command line."""
    return parser().parse_args(["--preset", "stdlib", "--folder", "x", *more])


def test_options_change_the_recipe_and_nothing_else_does():
    recipe = RECIPES["stdlib"]
    assert chosen_recipe(options()) == recipe
    changes = ["--steps", "50", "--batch-size", "4", "--accumulation", "2", "--seed", "3"]
    found = chosen_recipe(options(*changes, "--precision", "bfloat16"))
    assert (found.batch_size, found.config, found.model) == (4, recipe.config, recipe.model)
    settings = found.settings
    assert (settings.total_steps, settings.warmup_steps) == (50, 50)
    assert (settings.accumulation, settings.seed, settings.precision) == (2, 3, "bfloat16")
    assert settings.schedule_arguments["total_steps"] == 50
    assert settings.muon_lr == recipe.settings.muon_lr


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_is_a_run_that_can_be(name):
    recipe = RECIPES[name]
    assert recipe.batch_size % recipe.settings.accumulation == 0
    with torch.device("meta"):
        model = recipe.model(recipe.config)
    assert model.config == recipe.config


def test_the_recipe_to_try_is_very_small():
    assert count_parameters(RECIPES["smoke"].config) < 60_000
    assert RECIPES["smoke"].settings.total_steps == 30
    with pytest.raises(ValueError, match="batch_size=0 must be a positive integer"):
        dataclasses.replace(RECIPES["smoke"], batch_size=0)
