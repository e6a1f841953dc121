"""Break the package on purpose and see whether the tests notice.

    python -m tools.mutate                        every fault of tests/mutations/
    python -m tools.mutate attention "top-p"      those whose room, file or name holds a word
    python -m tools.mutate --sample 3 --turn 7    three of them, others in each turn
    python -m tools.mutate --tests tests/architecture/test_sampling.py -- sampling
    python -m tools.mutate --processes 2          two at a time, as make mutations does

The faults of a room stand in tests/mutations/ROOM.txt, as text: below the name of a file, each
fault has a name, the text before ("- ") and the text after ("+ "). The tests of a file are those
of its own name; after "also:" stand others that may notice.

Each fault is made in a copy of gpt_helpers in a temporary folder, which stands before the
repository on the path, and the tests of the file run until one fails. Prints a table, and exits
1 if a fault survives. First it makes sure that the copy is what the tests import, and that they
pass without faults. All faults take hours, so make test tries a few, others every day. The table
names what is raised if it is no AssertionError: a fault that is a TypeError proves little.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

try:
    from gpt_helpers.commands import command, positive
except ModuleNotFoundError as error:
    raise SystemExit(f"{error}; run make .venv/book, then this by .venv/bin/python") from None

ROOT = Path(__file__).resolve().parents[1]
TABLES = ROOT / "tests" / "mutations"
HEADER = re.compile(r"## (\S+\.py)(?: {2}\(also: (.*)\))?")
SECONDS = 600


class StaleMutationError(Exception):
    """A mutation whose text is no longer in its file exactly once."""


@dataclass(frozen=True)
class Mutation:
    """One fault: its name, the file in gpt_helpers, its tests, the text before and after."""

    fault: str
    file: str
    tests: tuple[str, ...]
    old: str
    new: str


def read_table(room, text):
    """Return the Mutations of a table; raise ValueError for a line that does not fit."""
    found, file, tests = [], None, ()
    for block in re.split(r"\n{2,}", text.strip("\n")):
        header = HEADER.fullmatch(block)
        if header:
            file = header[1] if room == "files" else f"{room}/{header[1]}"
            stem = Path(header[1]).stem
            names = [stem, *filter(None, (header[2] or "").split(", "))]
            tests = tuple(name if "/" in name else f"{room}/{name}" for name in names)
            continue
        fault, *lines = block.split("\n")
        sides = {sign: [line[2:] for line in lines if line[0] == sign] for sign in "-+"}
        if file is None or not all(sides.values()) or {line[0] for line in lines} != {"-", "+"}:
            raise ValueError(f"{room}: {block!r} is no fault; write a name, then - and + lines")
        old, new = ("\n".join(sides[sign]) for sign in "-+")
        found.append(Mutation(fault, file, tests, old, new))
    return found


def read_tables(folder=TABLES):
    """Return all Mutations, room by room."""
    return [
        mutation
        for path in sorted(folder.glob("*.txt"))
        for mutation in read_table(path.stem, path.read_text("utf-8"))
    ]


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
    command += ["-o", "pythonpath=", "-o", "addopts=--import-mode=importlib", *map(str, tests)]
    path = os.pathsep.join([str(folder), str(ROOT)])
    environment = {"OMP_NUM_THREADS": "1", **os.environ, "PYTHONPATH": path}
    environment["PYTHONDONTWRITEBYTECODE"] = "1"
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


def tests_of(mutation, given):
    """Return the test files for a fault: those given, or those of its file that exist."""
    if given:
        return [path.resolve() for path in given]
    rooms = [name.rpartition("/") for name in mutation.tests]
    paths = [ROOT / "tests" / room / f"test_{stem}.py" for room, _, stem in rooms]
    return [path for path in paths if path.exists()]


def check_setting(mutation, given=()):
    """Exit unless the tests of a fault import the copy, and pass on one that is not changed."""
    tests = tests_of(mutation, given)
    if not tests:
        raise SystemExit(f"there is no test for {mutation.file}")
    _, report = try_fault("__init__.py", lambda text: text + "\nraise ImportError('canary')", tests)
    if "canary" not in report:
        raise SystemExit(f"the tests do not import the copy of the package:\n{report}")
    status, report = try_fault(mutation.file, str, tests)
    if status:
        raise SystemExit(f"the tests of {mutation.file} fail without any fault:\n{report}")


def outcome(mutation, given=()):
    """Return (caught, what caught it) for one mutation."""
    tests = tests_of(mutation, given)
    status, report = try_fault(mutation.file, lambda text: mutated(mutation, text), tests)
    first = re.search(r"^(?:FAILED|ERROR) (?:\S*::)?(.*?)(?: - .*)?$", report, re.M)
    if first is None:
        return status != 0, report.strip().splitlines()[-1]
    raised = re.search(r"^E +(?!Assertion)(\w+Error)\b", report, re.M)
    return status != 0, f"{first[1]} ({raised[1]})" if raised else first[1]


def chosen(mutations, words=(), sample=None, turn=0):
    """Return the mutations that hold one of the words; of these a sample, others in each turn."""
    found = [m for m in mutations if not words or any(w in f"{m.file} {m.fault}" for w in words)]
    if sample is None or sample >= len(found):
        return found
    step = len(found) // sample  # far apart, so of several rooms
    return [found[(turn + number * step) % len(found)] for number in range(sample)]


@command("not tried")
def main(arguments=None):
    """Try the mutations that the command line chooses; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("words", nargs="*", help="part of a room, a file or a fault")
    parser.add_argument("--tests", nargs="+", type=Path, help="test files to run instead")
    parser.add_argument("--sample", type=positive, help="how many to try")
    parser.add_argument("--turn", type=int, default=0, help="which sample")
    parser.add_argument("--processes", type=positive, default=1, help="how many to try at a time")
    options = parser.parse_args(arguments)
    mutations = chosen(read_tables(), options.words, options.sample, options.turn)
    if not mutations:
        raise ValueError(f"no fault holds {' or '.join(options.words)}; tests/mutations has them")
    files = {mutation.file: mutation for mutation in mutations}
    survived = 0
    with ThreadPoolExecutor(options.processes) as pool:  # a thread waits for its process
        list(pool.map(lambda mutation: check_setting(mutation, options.tests), files.values()))
        print("| file | fault | result | by |\n|---|---|---|---|", flush=True)
        outcomes = pool.map(lambda mutation: outcome(mutation, options.tests), mutations)
        for mutation, (caught, by) in zip(mutations, outcomes, strict=True):
            survived += not caught
            result = f"{'caught' if caught else 'SURVIVED'} | {by if caught else ''}"
            print(f"| {mutation.file} | {mutation.fault} | {result} |", flush=True)
    print(f"\n{len(mutations) - survived} of {len(mutations)} caught")
    return int(survived > 0)


if __name__ == "__main__":
    sys.exit(main())
