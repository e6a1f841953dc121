"""The tables of tests/mutations fit the package, and a few of their faults are made each day."""

import ast
import datetime
import re
import subprocess
import sys

import pytest

from tests.helpers.book import ROOT
from tools import mutate

MUTATIONS = mutate.read_tables()
TODAY = datetime.date.today().toordinal()


def test_each_fault_changes_one_place_and_leaves_valid_code():
    for mutation in MUTATIONS:
        source = (ROOT / "gpt_helpers" / mutation.file).read_text("utf-8")
        changed = mutate.mutated(mutation, source)
        assert ast.dump(ast.parse(changed)) != ast.dump(ast.parse(source)), mutation.fault


def test_no_fault_is_a_name_that_is_nowhere_defined(tmp_path):
    for number, mutation in enumerate(MUTATIONS):
        source = (ROOT / "gpt_helpers" / mutation.file).read_text("utf-8")
        (tmp_path / f"fault_{number}.py").write_text(mutate.mutated(mutation, source), "utf-8")
    command = ["ruff", "check", "--isolated", "--no-cache", "--select=F821", "--quiet", tmp_path]
    found = subprocess.run([sys.executable, "-m", *command], capture_output=True, text=True).stdout
    numbers = {int(number) for number in re.findall(r"fault_(\d+)\.py", found)}
    assert [MUTATIONS[number].fault for number in sorted(numbers)] == []


def test_each_fault_is_listed_once_and_has_tests():
    assert len({mutation.fault for mutation in MUTATIONS}) == len(MUTATIONS) > 500
    for file, tests in {(mutation.file, mutation.tests) for mutation in MUTATIONS}:
        assert mutate.tests_of(mutate.Mutation("", file, tests, "", ""), ()), file


@pytest.mark.parametrize(
    "mutation", mutate.chosen(MUTATIONS, sample=2, turn=TODAY), ids=lambda m: m.fault
)
def test_the_faults_of_the_day_are_caught(mutation):
    caught, by = mutate.outcome(mutation)
    assert caught, f"{mutation.file}: {mutation.fault} ({by})"


def test_samples_of_successive_turns_try_all_faults():
    numbers = range(10)
    turns = [mutate.chosen(numbers, sample=3, turn=turn) for turn in range(4)]
    assert sorted({number for turn in turns for number in turn}) == list(numbers)
    assert all(len(set(turn)) == 3 for turn in turns)


def test_a_mutation_of_text_that_has_changed_is_refused():
    stale = mutate.Mutation("stale", "model.py", (), "text that was", "text")
    with pytest.raises(mutate.StaleMutationError, match="0 times"):
        mutate.mutated(stale, "text that is")
    with pytest.raises(mutate.StaleMutationError, match="2 times"):
        mutate.mutated(stale, "text that was text that was")


@pytest.mark.parametrize(
    "text", ["a fault\n- a\n+ b", "## a.py\n\na fault\n- a", "## a.py\n\n- a\n+ b"]
)
def test_a_table_that_lacks_something_is_refused(text):
    with pytest.raises(ValueError, match="is no fault"):
        mutate.read_table("room", text)


def test_the_harness_tells_a_caught_fault_from_one_that_survives(tmp_path):
    test = tmp_path / "test_states.py"  # of a module without torch, which takes seconds to load
    test.write_text(
        "from gpt_helpers.training.memory import state_bytes\n"
        "def test_mixed_precision_keeps_16_bytes():\n"
        "    assert sum(state_bytes('mixed').values()) == 16\n"
    )
    by_fault = {mutation.fault: mutation for mutation in MUTATIONS}
    fault, other = (
        by_fault["mixed precision keeps no master copy"],
        by_fault["norms keep no statistics"],
    )
    mutate.check_setting(fault, [test])
    assert mutate.outcome(fault, [test]) == (True, "test_mixed_precision_keeps_16_bytes")
    assert not mutate.outcome(other, [test])[0]
    name = mutate.Mutation("a name", fault.file, (), "(2, 2, 4, 4, 4)", "unknown")
    caught, by = mutate.outcome(name, [test])
    assert caught
    assert "NameError" in by
