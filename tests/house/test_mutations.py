"""The tables of tests/mutations fit the package, and a few of their faults are made each day."""

import ast
import datetime

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


def test_each_fault_is_listed_once_and_has_tests():
    assert len({mutation.fault for mutation in MUTATIONS}) == len(MUTATIONS) > 500
    for file, tests in {(mutation.file, mutation.tests) for mutation in MUTATIONS}:
        assert mutate.tests_of(mutate.Mutation("", file, tests, "", ""), ()), file


@pytest.mark.parametrize(
    "mutation", mutate.chosen(MUTATIONS, sample=3, turn=TODAY), ids=lambda m: m.fault
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
    test = tmp_path / "test_mask.py"
    test.write_text(
        "import torch\n"
        "from gpt_helpers.architecture.attention import causal_mask\n"
        "def test_a_query_sees_itself():\n"
        "    assert causal_mask(torch.arange(2), torch.arange(2))[1, 1]\n"
    )
    by_fault = {mutation.fault: mutation for mutation in MUTATIONS}
    fault = by_fault["a query does not see itself"]
    mutate.check_setting(fault, [test])
    assert mutate.outcome(fault, [test]) == (True, "test_a_query_sees_itself")
    assert not mutate.outcome(by_fault["scores are not scaled"], [test])[0]
