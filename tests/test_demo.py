"""The chapter in a terminal: what it says is computed, in two languages, on 80 columns."""

import csv
import functools
import io
import math
import re
import string
import subprocess
import sys
import unicodedata

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gpt_helpers import demo
from gpt_helpers.__main__ import main
from gpt_helpers.scaling_laws.laws import FITS
from gpt_helpers.variants.published import load_models
from tests.helpers.book import ROOT
from tests.helpers.reference import refused

SMALLER = {
    "live_training": {"file_step": 40, "batch_size": 2, "n_steps": 12, "n_windows": 2},
    "shipped_model": {"n_functions": 2, "n_tokens": 20},
    "attention_by_tiles": {"shape": (1, 2, 384, 8)},
    "kv_cache": {"n_new": 8},
}
SHOWN = re.compile(r"[\n -~\u3000-\u30ff\u4e00-\u9fff\uff01-\uff5e]*")


@pytest.fixture(scope="module")
def run():
    """Return (facts, text) of a run with little work, in Japanese."""
    stream = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        for name, sizes in SMALLER.items():
            patch.setitem(demo.SECTIONS, name, functools.partial(demo.SECTIONS[name], **sizes))
        facts = demo.run_gpt_demo("ja", stream)
    return facts, stream.getvalue()


@pytest.fixture(scope="module")
def facts(run):
    """Return the facts of that run."""
    return run[0]


def told(language, facts):
    """Return all that is said in a language of these facts."""
    return "".join(demo.sections(language).values()).format_map(facts)


def width(line):
    """Return the columns that a line takes in a terminal."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in line)


def placeholders(language):
    """Return the names of the facts that a language tells."""
    text = "".join(demo.sections(language).values())
    fields = [field for _, field, _, _ in string.Formatter().parse(text) if field]
    return {re.split(r"[.\[]", field)[0] for field in fields}


def bounds(text):
    """Return where a text calls a rounded number a bound: rounding may have crossed it."""
    number, after = r"\{[^{}]*:[^{}]*[%f]\}", "以上|以下|未満|まで|を超え|or (?:more|less)"
    before = r"at (?:most|least) |(?:less|more) than |up to |above |below "
    return re.findall(rf"(?:{before}){number}|{number}\s*(?:{after})", text)


def recorded(name):
    """Return the rows of a file of results, as they stand there."""
    with (ROOT / "gpt_helpers" / name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("language", demo.LANGUAGES)
def test_a_language_tells_every_fact_and_nothing_else(language, facts):
    assert placeholders(language) == set(facts)
    assert list(demo.sections(language)) == ["opening", *demo.SECTIONS, "closing"]


@pytest.mark.parametrize("language", demo.LANGUAGES)
def test_what_is_told_fits_into_80_columns_and_is_ascii_or_japanese(language, facts):
    text = told(language, facts)
    assert max(width(line) for line in text.split("\n")) <= 80
    assert SHOWN.fullmatch(text)
    assert text.isascii() == (language == "en")


@pytest.mark.parametrize("language", demo.LANGUAGES)
def test_no_rounded_number_is_called_a_bound(language):
    assert bounds("".join(demo.sections(language).values())) == []


@pytest.mark.parametrize("text", ["{a[b][0]:.1%} 以上になる", "{a:.2f} or more", "at most {a:.1%}"])
def test_a_rounded_number_that_is_called_a_bound_is_found(text):
    assert bounds(text) == [text.removesuffix("になる")]


def test_numbers_that_run_long_fit_too(facts):
    long = facts | {"speed": 12345.6, "slow_speed": 1234.5, "seconds": 119.9, "past_change": 1e-7}
    for language in demo.LANGUAGES:
        assert max(width(line) for line in told(language, long).split("\n")) <= 80


def test_what_is_written_is_the_template_with_the_facts(run):
    facts, text = run
    seconds = f"{facts['seconds']:.0f}"
    assert text.splitlines()[:-1] == told("ja", facts).splitlines()[:-1]
    assert seconds in text.splitlines()[-1]


def test_the_small_model_is_counted_by_the_formula(facts):
    vocabulary, positions, wide, layers = 1000, 128, 128, 4
    per_layer = 12 * wide**2 + 13 * wide
    n_params = (vocabulary + positions + 2) * wide + layers * per_layer
    assert facts["n_params"] == n_params == sum(facts["parts"].values()) == 937_728
    assert round(facts["mebibytes"], 2) == round(4 * n_params / 1024**2, 2) == 3.58


def test_the_past_does_not_change_and_the_untrained_model_knows_nothing(facts):
    assert facts["past_change"] < 1e-5 < 0.1 < facts["last_change"]
    assert facts["logits_shape"] == (2, 128, 1000)
    assert facts["uniform_loss"] == math.log(1000)
    assert abs(facts["first_loss"] - facts["uniform_loss"]) < 0.2


def test_training_lowers_the_loss_and_counts_what_it_read(facts):
    assert facts["loss_after"] < facts["loss_before"]
    assert facts["n_tokens"] == facts["n_steps"] * 2 * 128 == 12 * 2 * 128
    assert 3 < facts["unigram_loss"] < facts["uniform_loss"]
    assert 0 < facts["training_seconds"] < facts["seconds"]


def test_the_shipped_model_writes_a_function_and_its_scores_are_those_of_the_record(facts):
    assert facts["shipped_params"] == 2_470_464
    assert facts["function"].lstrip().startswith("def ")
    assert 0 <= facts["n_parsing"] <= facts["n_functions"] == 2
    for row in recorded("weights/stdlib/scores.csv"):
        assert facts["share"][row["writer"]] == float(row["share that parses"])
        if row["bits per byte"]:
            assert facts["bits"][row["writer"]] == float(row["bits per byte"])


def test_tiles_return_what_the_equation_does_and_hold_less(facts):
    assert facts["long"] == 384
    assert facts["tiles_error"] < 1e-5
    # The equation holds at least scores and weights, each of H T^2 numbers of 4 bytes.
    assert facts["equation_mebibytes"] >= 2 * 2 * 384**2 * 4 / 2**20
    ratio = facts["equation_mebibytes"] / facts["tiles_mebibytes"]
    assert facts["memory_ratio"] == pytest.approx(ratio)
    assert ratio > 2
    shorter, longer = facts["memory_ratios"][128], facts["memory_ratios"][1024]
    assert shorter < ratio < longer  # it grows with the length: 128, 384, 1,024


def test_the_cache_takes_its_published_bytes_and_changes_no_token(facts):
    assert facts["cache_bytes"] == {"gpt2": 2 * 12 * 768 * 2, "gpt3": 2 * 96 * 12288 * 2}
    assert facts["full_mebibytes"] == {"gpt2": 36, "gpt3": 9 * 1024}
    assert facts["n_same"] == facts["n_new"] == 8
    assert min(facts["speed"], facts["slow_speed"]) > 0


def test_the_sizes_of_gpt2_are_the_published_ones(facts):
    sizes = {"gpt2": 124_439_808, "gpt2-medium": 354_823_168, "gpt2-large": 774_030_080,
             "gpt2-xl": 1_557_611_200}  # fmt: skip
    assert facts["gpt2"] == sizes


@pytest.mark.parametrize("fit", ["printed", "refit"])
def test_no_other_use_of_the_budget_is_better(fit, facts):
    best = facts[fit]
    assert 6 * best.n_params * best.n_tokens == pytest.approx(facts["budget"]) == 5.76e23
    others = [FITS[fit].loss(best.n_params * f, best.n_tokens / f) for f in (0.9, 1.1)]
    assert best.loss < min(others)


def test_our_own_runs_are_those_of_the_record(facts):
    assert facts["budget_growth"] == pytest.approx(100)
    assert facts["size_growth"] == pytest.approx(9.0, abs=0.05)  # as the page on scaling laws says
    assert 0.46 < facts["exponent"] < 0.53
    (largest,) = [
        row for row in recorded("experiments/results/sweep.csv") if row["purpose"] == "largest"
    ]
    (chosen,) = [
        row for row in recorded("experiments/results/prediction.csv") if row["chosen"] == "1"
    ]
    measured, predicted = float(largest["held_out_loss"]), float(chosen["predicted_loss"])
    assert facts["outcome"]["difference"] == pytest.approx(measured / predicted - 1)


@pytest.mark.parametrize(
    ("path", "experiment", "variant", "measure", "x"),
    [
        (("initial", "own"), "labels", "GPT-2, AdamW", "accuracy", 8),
        (("initial", "larger"), "labels", "GPT-2, std 0.15", "accuracy", 8),
        (("pairs", "seen"), "new pairs", "modern, Muon", "accuracy, seen pairs", 8),
        (("pairs", "unseen"), "new pairs", "modern, Muon", "accuracy, unseen pairs", 8),
        (("sums", "at once"), "sum of 12 digits", "at once, 2 layers", "answer", 12),
        (("sums", "steps"), "sum of 12 digits", "steps, 2 layers", "answer", 12),
        (("base",), "instructions", "base", "inputs", 0),
        (("tuned", "inputs"), "instructions", "tuned", "inputs", 0),
        (("tuned", "pairs"), "instructions", "tuned", "pairs", 0),
        (("tuned", "new pairs"), "instructions", "tuned", "new pairs", 0),
    ],
)
def test_recorded_shares_are_those_of_the_file_lowest_first(
    path, experiment, variant, measure, x, facts
):
    fact = facts
    for name in path:
        fact = fact[name]
    wanted = shares(experiment, variant, measure, x)
    assert len(wanted) == 3
    assert fact == pytest.approx(sorted(wanted))


def test_the_curve_of_examples_is_the_mean_of_the_seeds(facts):
    for k, mean in facts["few_shot"].items():
        wanted = shares("labels", "modern, Muon", "accuracy", k)
        assert mean == pytest.approx(sum(wanted) / 3)


def shares(experiment, variant, measure, x):
    """Return the shares of right answers of every seed, from the rows of the file."""
    key = experiment, variant, measure
    return [
        int(row["right"]) / int(row["n"])
        for row in recorded("experiments/results/applications.csv")
        if (row["experiment"], row["variant"], row["measure"]) == key and float(row["x"]) == x
    ]


def test_families_have_the_parameters_of_their_published_shapes(facts):
    published = {model.model: model for model in load_models()}
    assert facts["counts"] == {name: published[name].n_params for name in demo.BUILT_HERE}
    assert facts["counts"]["GPT-3 175B"] == 174_604_259_328
    assert facts["published"]["GPT-NeoX-20B"] == str(facts["counts"]["GPT-NeoX-20B"])


@given(st.text())
def test_any_text_is_indented_into_lines_that_a_terminal_shows(text):
    lines = demo.indented(text).split("\n")
    assert all(len(line) <= 80 and re.fullmatch(r"(    [ -~]*)?", line) for line in lines)


def test_a_function_keeps_its_lines_and_a_long_one_is_wrapped():
    assert demo.indented("def f():\n\treturn 1\n") == "    def f():\n            return 1"
    assert demo.indented("x" * 100) == "    " + "x" * 76 + "\n    " + "x" * 24
    assert demo.indented("a\n\né\x1b") == "    a\n\n    ??"


def test_what_cannot_be_written_to_is_refused():
    refused("stream=3 cannot be written to", demo.run_gpt_demo, "en", 3)


def test_another_language_is_refused():
    refused(r"language='de' is unknown; use one of \('ja', 'en'\)", demo.run_gpt_demo, "de")


def test_the_number_of_threads_is_as_before_even_if_a_section_fails(monkeypatch):
    before, seen = torch.get_num_threads(), []

    def fail():
        seen.append(torch.get_num_threads())
        raise ValueError("nothing is recorded")

    monkeypatch.setattr(demo, "SECTIONS", {"architecture": fail})
    torch.set_num_threads(2)
    try:
        refused("nothing is recorded", demo.run_gpt_demo, "en", io.StringIO())
        assert (seen, torch.get_num_threads()) == ([1], 2)
    finally:
        torch.set_num_threads(before)


def test_a_heading_is_written_before_its_section_is_computed(monkeypatch, facts):
    stream, seen = io.StringIO(), []
    sections = {"architecture": lambda: seen.append(stream.getvalue()) or facts}
    monkeypatch.setattr(demo, "SECTIONS", sections)
    demo.run_gpt_demo("en", stream)
    assert seen[0].endswith("== 1. Architecture ==\n")


@pytest.mark.parametrize("arguments", [[], ["--language", "ja"], ["--language", "en"]])
def test_the_command_tells_the_chapter_and_ends_with_0(arguments, monkeypatch, capsys, facts):
    monkeypatch.setattr(demo, "SECTIONS", {"architecture": lambda: facts})
    assert main(arguments) == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[:-1] == told((arguments or ["ja"])[-1], facts).splitlines()[:-1]
    assert err == ""


def test_what_is_not_recorded_ends_the_command_with_1_and_a_reason(monkeypatch, capsys):
    def fail():
        raise ValueError("no 'answer' in results.csv")

    monkeypatch.setattr(demo, "SECTIONS", {"architecture": fail})
    assert main(["--language", "en"]) == 1
    assert capsys.readouterr().err == "stopped: no 'answer' in results.csv\n"


def test_an_interrupted_command_ends_with_130(monkeypatch):
    def interrupt():
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "SECTIONS", {"architecture": interrupt})
    assert main([]) == 130


def test_the_command_has_help():
    command = [sys.executable, "-m", "gpt_helpers", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0
    assert "usage: python -m gpt_helpers [-h] [--language {ja,en}]" in done.stdout
    assert done.stderr == ""
