"""What a reader's function calls must be right before it is tried itself."""

import pytest
import torch

from gpt_helpers.exercises.workbook.calls import CHECK_OF, USES, first_left, names_loaded
from tests.helpers.workbook import solved_names, written_by_reader


def left_in(**replaced):
    """Return what the check of gpt says first, where these functions stand for the solutions."""
    names = {**solved_names(), **replaced}
    for name, (_, solution) in written_by_reader().items():
        if name not in replaced:
            exec(solution, names)
    return CHECK_OF["gpt"](names["gpt"]).split("\n")[0]


def test_the_map_names_what_the_solutions_call():
    assert list(USES) == list(written_by_reader()) == list(CHECK_OF)
    for name, used in USES.items():
        called = names_loaded(solved_names()[name].__code__) & set(USES)
        assert called == set(used), name


def test_the_first_function_that_is_left_is_named_however_deep_it_is_called():
    assert left_in() == "correct"
    assert left_in(softmax=lambda x: None) == "not yet: softmax is not right yet; write it first"
    assert left_in(softmax=None).startswith("not yet: softmax is not right yet")
    assert left_in(mlp=lambda x, weights: x).startswith("not yet: mlp is not right yet")
    wrong = {"gelu": torch.relu, "attention": lambda q, k, v: v}
    assert left_in(**wrong).startswith("not yet: gelu is not right yet")


def test_what_is_not_called_need_not_be_there():
    names = {"__name__": "page"}
    exec("def mlp(x, weights): return 1 / 0", names)
    assert CHECK_OF["mlp"](names["mlp"]).startswith("not yet: it fails (ZeroDivisionError")
    exec("def mlp(x, weights): return gelu(x)", names)
    assert CHECK_OF["mlp"](names["mlp"]).startswith("not yet: gelu is not right yet")


def test_a_method_of_the_same_name_is_no_call_of_the_function():
    names = {"softmax": None}
    exec("def attention(q, k, v): return q.softmax(-1)", names)
    assert first_left(names["attention"], "attention") is None


def test_calls_inside_of_a_comprehension_and_a_nested_function_are_seen():
    names = {}
    exec("def mlp(x, weights): return [(lambda row: gelu(row))(row) for row in x]", names)
    assert first_left(names["mlp"], "mlp") == "gelu"


def test_functions_that_call_each_other_in_a_circle_are_answered():
    names = {}
    exec("def softmax(x): return attention(x, x, x)", names)
    exec("def attention(q, k, v): return softmax(q)", names)
    assert CHECK_OF["softmax"](names["softmax"]).startswith("not yet: it fails (RecursionError")
    assert CHECK_OF["attention"](names["attention"]).startswith("not yet: softmax is not right yet")


@pytest.mark.parametrize("strange", [None, 3, torch.relu, torch.nn.ReLU(), print])
def test_what_has_no_code_of_python_calls_nothing(strange):
    assert first_left(strange, "mlp") is None
