"""Break the package on purpose and see whether the tests notice.

    python tools/mutate.py                        every mutation of tools/mutations.py
    python tools/mutate.py attention "top-p"      those whose file or fault holds a word
    python tools/mutate.py --tests tests/test_sampling.py sampling

Each mutation is applied to a copy of gpt_helpers in a temporary folder, which stands before
the repository on the path, and the tests that belong to the file run until one fails. Prints a
table, and exits 1 if a mutation survives. It takes minutes, so it is not part of make test.
First it makes sure that the copy is what the tests import, and that they pass without faults.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from mutations import MUTATIONS

ROOT = Path(__file__).resolve().parents[1]
TESTS = {
    "attention.py": ["tiled", "attention", "grouped", "model", "cache"],
    "flash.py": ["flash"],
    "flash_kernels.py": ["flash"],
    "flash_backward.py": ["flash"],
    "layout.py": ["layout", "generation_copies"],
    "speculative.py": ["speculative"],
    "roofline.py": ["roofline"],
    "peak.py": ["peak"],
    "show_tiles.py": ["show_tiles"],
    "model.py": ["model", "cache", "sampling", "modern"],
    "inputs.py": ["inputs", "model", "cache", "sampling"],
    "cache.py": ["cache", "grouped", "deepseek3", "model", "sampling"],
    "sampling.py": ["sampling", "generate", "generation", "cache"],
    "variants/rotary.py": ["rotary", "modern", "deepseek3", "families"],
    "variants/mlps.py": ["mlps", "modern", "gemma2", "families"],
    "variants/modern.py": ["modern"],
    "variants/gpt3.py": ["gpt3", "gpt_oss", "families"],
    "variants/gpt_neo.py": ["sinks", "families"],
    "variants/gpt_j.py": ["families"],
    "variants/gpt_neox.py": ["families"],
    "variants/llama.py": ["rotary", "families"],
    "variants/qwen2.py": ["families"],
    "variants/olmo2.py": ["olmo2", "families"],
    "variants/gemma2.py": ["gemma2", "gemma3", "families"],
    "variants/gemma3.py": ["gemma3", "families"],
    "variants/qwen3.py": ["families"],
    "variants/gpt_oss.py": ["gpt_oss", "rotary", "families"],
    "variants/plamo.py": ["plamo", "families"],
    "variants/latent.py": ["deepseek3", "families"],
    "variants/deepseek3.py": ["deepseek3", "families"],
    "variants/costs.py": ["costs", "deepseek3"],
    "variants/sinks.py": ["sinks", "families"],
    "variants/sizes.py": ["sizes"],
    "rungs.py": ["rungs", "ladder"],
    "ladder.py": ["ladder"],
    "formation.py": ["formation"],
    "rows.py": ["rows"],
    "ngrams.py": ["ngrams"],
    "syntax.py": ["syntax"],
    "memory.py": ["memory"],
    "trace.py": ["trace", "gpt3", "memory", "families"],
    "data.py": ["data"],
    "batches.py": ["batches"],
    "scoring.py": ["scoring"],
    "checkpoint.py": ["checkpoint"],
    "state.py": ["state"],
    "training.py": ["training", "state"],
    "pretrained.py": ["pretrained"],
    "gpt2_layout.py": ["gpt2_layout", "pretrained"],
    "hub_files.py": ["hub_files"],
    "published.py": ["published"],
    "command.py": ["command"],
    "distributed.py": ["distributed"],
    "charts.py": ["charts"],
    "sampling_chart.py": ["charts"],
    "vegalite.py": ["charts"],
    "scaling.py": ["scaling"],
    "laws.py": ["laws"],
    "constraints.py": ["constraints"],
    "fits.py": ["fits"],
    "isoflop.py": ["isoflop"],
    "budgets.py": ["budgets"],
    "sweep.py": ["sweep"],
    "prediction.py": ["sweep"],
    "tasks/items.py": ["items"],
    "tasks/answers.py": ["answers"],
    "tasks/scores.py": ["scores"],
    "tasks/labels.py": ["labels"],
    "tasks/sums.py": ["sums"],
    "tasks/stories.py": ["stories"],
    "tasks/instructions.py": ["instructions"],
    "heads.py": ["heads", "families"],
    "voting.py": ["voting"],
    "reasoning.py": ["reasoning"],
    "lora.py": ["lora"],
    "preferences.py": ["preferences"],
}
SECONDS = 600


class StaleMutationError(Exception):
    """A mutation whose text is no longer in its file exactly once."""


def mutated(mutation, source):
    """Return the source with the fault; raise StaleMutationError if its text is not there once."""
    count = source.count(mutation.old)
    if count != 1:
        raise StaleMutationError(f"{mutation.file}: {mutation.old!r} occurs {count} times")
    return source.replace(mutation.old, mutation.new)


def run_tests(folder, tests):
    """Run the tests on the package in folder until one fails; return status and report."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "--tb=line"]
    command += ["-c", str(ROOT / "pyproject.toml"), "--rootdir", str(folder)]
    command += ["-o", "pythonpath=", "-o", "addopts=", *map(str, tests)]
    path = os.pathsep.join([str(folder), str(ROOT)])
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=SECONDS
        )
    except subprocess.TimeoutExpired:
        return 1, f"FAILED no end within {SECONDS} s"
    return done.returncode, done.stdout + done.stderr


def try_fault(file, change, tests):
    """Run the tests on a copy of the package in which change(source) replaced the file."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "gpt_helpers"
        shutil.copytree(ROOT / "gpt_helpers", copy, ignore=shutil.ignore_patterns("__pycache__"))
        path = copy / file
        path.write_text(change(path.read_text("utf-8")), "utf-8")
        return run_tests(Path(folder), tests)


def tests_of(file, given):
    """Return the test files for a file of the package: those given, or those of its name."""
    if given:
        return [path.resolve() for path in given]
    paths = [ROOT / "tests" / f"test_{name}.py" for name in TESTS[file]]
    return [path for path in paths if path.exists()]


def check_setting(file, given):
    """Exit unless the tests import the copy, and pass on one that is not changed."""
    tests = tests_of(file, given)
    if not tests:
        raise SystemExit(f"there is no test for {file}")
    _, report = try_fault("__init__.py", lambda text: text + "\nraise ImportError('canary')", tests)
    if "canary" not in report:
        raise SystemExit(f"the tests do not import the copy of the package:\n{report}")
    status, report = try_fault(file, str, tests)
    if status:
        raise SystemExit(f"the tests of {file} fail without any fault:\n{report}")


def outcome(mutation, given):
    """Return (caught, what caught it) for one mutation."""
    tests = tests_of(mutation.file, given)
    status, report = try_fault(mutation.file, lambda text: mutated(mutation, text), tests)
    first = re.search(r"^(?:FAILED|ERROR) (?:\S*::)?(.*?)(?: - .*)?$", report, re.M)
    return status != 0, first[1] if first else report.strip().splitlines()[-1]


def chosen(words):
    """Return the mutations whose file or fault holds one of the words, all without words."""
    texts = {mutation: f"{mutation.file} {mutation.fault}" for mutation in MUTATIONS}
    return [m for m, text in texts.items() if not words or any(word in text for word in words)]


def main(arguments=None):
    """Try the mutations that the command line chooses; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("words", nargs="*", help="part of a file name or of a fault")
    parser.add_argument("--tests", nargs="+", type=Path, help="test files to run instead")
    options = parser.parse_args(arguments)
    mutations = chosen(options.words)
    for file in dict.fromkeys(mutation.file for mutation in mutations):
        check_setting(file, options.tests)
    print("| file | fault | result | by |\n|---|---|---|---|")
    survived = 0
    for mutation in mutations:
        caught, by = outcome(mutation, options.tests)
        survived += not caught
        result = f"{'caught' if caught else 'SURVIVED'} | {by if caught else ''}"
        print(f"| {mutation.file} | {mutation.fault} | {result} |", flush=True)
    print(f"\n{len(mutations) - survived} of {len(mutations)} caught")
    return int(survived > 0)


if __name__ == "__main__":
    sys.exit(main())
