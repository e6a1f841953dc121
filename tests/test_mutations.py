"""The list of tools/mutations.py fits the package: each fault can be made, at one place."""

import ast
import sys

import pytest
from book import ROOT

sys.path.insert(0, str(ROOT / "tools"))
import mutate
from mutations import MUTATIONS, Mutation


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.fault)
def test_a_mutation_changes_one_place_and_leaves_valid_code(mutation):
    source = (ROOT / "gpt_helpers" / mutation.file).read_text("utf-8")
    changed = mutate.mutated(mutation, source)
    assert ast.dump(ast.parse(changed)) != ast.dump(ast.parse(source))


def test_no_fault_is_listed_twice():
    assert len({mutation.fault for mutation in MUTATIONS}) == len(MUTATIONS)
    assert len(MUTATIONS) >= 20


def test_a_mutation_of_text_that_has_changed_is_refused():
    stale = Mutation("stale", "model.py", "text that was", "text")
    with pytest.raises(mutate.StaleMutationError, match="0 times"):
        mutate.mutated(stale, "text that is")
    with pytest.raises(mutate.StaleMutationError, match="2 times"):
        mutate.mutated(stale, "text that was text that was")


def test_the_harness_tells_a_caught_fault_from_one_that_survives(tmp_path):
    test = tmp_path / "test_mask.py"
    test.write_text(
        "import torch\n"
        "from gpt_helpers.attention import causal_mask\n"
        "def test_a_query_sees_itself():\n"
        "    assert causal_mask(torch.arange(2), torch.arange(2))[1, 1]\n"
    )
    mutate.check_setting("attention.py", [test])
    by_fault = {mutation.fault: mutation for mutation in MUTATIONS}
    caught = mutate.outcome(by_fault["a query does not see itself"], [test])
    assert caught == (True, "test_a_query_sees_itself")
    assert not mutate.outcome(by_fault["scores are not scaled"], [test])[0]
