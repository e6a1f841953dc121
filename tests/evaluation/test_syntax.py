"""The share of sampled functions that Python accepts."""

import ast
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt_helpers.evaluation.syntax import function_text, functions_of, parses, share_that_parses
from gpt_helpers.text.corpus import load_corpus
from tests.helpers.reference import refused

BODY = "def f(x):\n    y = 1\n"


def accepted(text):
    """Return whether the function at the beginning of a text is accepted."""
    return parses(*function_text(text))


@pytest.fixture(scope="module")
def people_wrote():
    """Return the functions of the held-out files of the standard library."""
    return [source for d in load_corpus().held_out for source in functions_of(d.text)]


@pytest.mark.parametrize(
    "after",
    [
        "x = 1\n",
        "# comment\n",
        "@decorator\n",
        "def g(): pass\n",
        "class C",
        "<|endoftext|>",
        '"""',
    ],
)
def test_a_function_ends_before_the_first_line_in_column_0(after):
    assert function_text(BODY + "\n    return y\n\n" + after + "\n    more\n") == (
        BODY + "\n    return y\n\n",
        True,
    )


def test_blank_lines_do_not_end_a_function_nor_does_a_page_break():
    text = BODY + "\n\n   \n\f\n    return y\n"
    assert function_text(text) == (text, False)
    assert accepted(text)


def test_a_closing_bracket_in_column_0_does_not_end_a_function():
    text = "def f(\n    a,\n    b,\n) -> int:\n    return [\n1][0] if a else {\n}\n"
    assert function_text(text)[0].startswith("def f(\n    a,\n    b,\n) -> int:\n    return [\n")
    for bracket in ("()", "[]", "{}"):
        text = f"def f():\n    x = {bracket[0]}\n{bracket[1]}\n    return x\n"
        assert function_text(text + "g()\n") == (text, True)
        assert accepted(text + "g()\n")


def test_a_text_without_such_a_line_was_cut():
    assert function_text("def f(x):\n    retu") == ("def f(x):\n    retu", False)
    assert function_text("def ") == ("def ", False)


RIGHT = [
    "    return x\n",
    "    pass\n",
    '    """Only a docstring."""\n',
    "    if x:\n        return 1\n    else:\n        return 2\n",
    "    try:\n        x()\n    except E:\n        pass\n    finally:\n        y()\n",
    "    with a as b, c:\n        for d in b:\n            yield d\n",
    "    x = [\n        1,\n  2,\n    ]\n    return x\n",
    "    # comment\n    return x\n  # comment\n",
    '    s = "\\d \\8"\n    return s is 1\n',
    "    @decorated\n    def g():\n        async_ = lambda: 1\n    class C: pass\n",
    "\treturn 1\n",
]
WRONG = [
    "    return (x\n",
    "    return x)\n",
    "    return [x}\n",
    "    x = = 1\n    return x\n",
    "    return x y\n",
    "    if x\n        return 1\n",
    "    if x:\n    return 1\n",
    "    x = 1\n      return x\n",
    "    if x:\n        y = 1\n      return y\n",
    "    return 1\n  x = 2\n",
    "    x = 'open\n    return x\n",
    "    else:\n        return 1\n",
    "    for in x:\n        pass\n",
    "    def g(:\n        pass\n",
    "    try:\n        x = 1\n    return x\n",
    "    x = 1\n    ?\n",
    "    1 = x\n",
    "return 1\n",
    "        return 1\n    return 2\n",
]
EMPTY = ["", "\n\n", "    # only a comment\n", "\n    # and\n\n    # another\n"]
SIGNATURES = [
    "def f(:", "def f(x:", "def f(x)", "def f x():", "def 1f():", "def f():)", "def f(x) - 1:",
    "def f(): return return", "def f(x, x=):", "def f(**k, a):", "def f(): pass pass", "def f(): :",
]  # fmt: skip


@pytest.mark.parametrize("body", RIGHT)
def test_a_function_that_is_right_is_accepted_finished_or_cut(body):
    assert parses("def f(x):\n" + body, finished=True)
    assert parses("def f(x):\n" + body, finished=False)
    assert accepted("def f(x):\n" + body + "\n\nx = 1\n")


@pytest.mark.parametrize("body", WRONG + EMPTY)
def test_a_finished_function_with_a_mistake_or_without_a_body_is_refused(body):
    assert not parses("def f(x):\n" + body, finished=True)


@pytest.mark.parametrize("body", WRONG[1:])  # the first is open, and may yet be closed
@pytest.mark.parametrize("before", ["", '    """Docstring."""\n', "    y = [1,\n    2]\n"])
@pytest.mark.parametrize("after", ["", "    ret"])
def test_a_mistake_in_a_whole_line_is_not_forgiven_to_a_cut_function(body, before, after):
    assert not parses("def f(x):\n" + before + body + after, finished=False)


@pytest.mark.parametrize("body", EMPTY)
def test_a_cut_function_that_has_no_statement_yet_is_refused(body):
    assert not parses("def f(x):\n" + body, finished=False)
    assert not parses("def f(x):\n" + body + "    ret", finished=False)


@pytest.mark.parametrize("signature", SIGNATURES)
def test_a_signature_with_a_mistake_is_refused(signature):
    for text in (signature + "\n    return 1\n", signature + "\n"):
        for finished in (True, False):
            assert not parses(text, finished)


def test_what_is_open_is_a_mistake_only_in_a_finished_function():
    for rest in (
        "    if x:\n",
        "    return g(\n        x,\n",
        '    """Text that goes on\n    for long.\n',
        "    try:\n        return 1\n",
        "    @decorated\n",
    ):
        assert parses("def f(x):\n    y = 1\n" + rest, finished=False)
        assert not parses("def f(x):\n    y = 1\n" + rest, finished=True)


def test_a_cut_function_needs_one_complete_statement():
    for rest in ("    if x:\n", "    g(\n        x,\n", '    """Text that\n    goes on.\n'):
        assert not parses("def f(x):\n" + rest, finished=False)
    assert parses('def f(x):\n    """Docstring."""\n    if x:\n', finished=False)


def test_a_cut_function_loses_the_line_that_the_cut_went_through_and_no_other():
    assert parses(BODY + "    retu rn (x", finished=False)
    assert parses(BODY + "    return x + \\\n        y + \\\n  (", finished=False)
    assert not parses(BODY + "    retu rn (x\n", finished=False)
    assert not parses(BODY + "    return x y + \\\n        y\n", finished=False)
    assert not parses(BODY + "    retu rn (x", finished=True)


@pytest.mark.parametrize(
    "text",
    ["def ", "def f(x", "def f(x):", "def f(x):\n", "def f(x):\n    ret", "def f(\n    x,\n"],
)
def test_a_cut_function_without_a_whole_line_of_its_body_is_refused(text):
    assert not accepted(text)


def test_one_function_is_asked_for():
    assert parses("def f(): return 1\n", finished=True)
    assert parses("def f(): return 1\n", finished=False)
    for text in ("def f(): pass\rx = 1\n", "def f(): pass\rdef g(): pass\n"):
        assert not parses(text, finished=True)
        assert not parses(text, finished=False)


@pytest.mark.parametrize(
    "line",
    [
        "return '\0'",
        "return '\ud800'",
        "return " + "(" * 5000 + ")" * 5000,
        "return " + "-" * 100_000 + "1",
        "return " + "not " * 100_000 + "1",
        "return x" + ".y" * 100_000,
        "return \ufffd",
    ],
    ids=["null", "surrogate", "brackets", "minus", "not", "dots", "replacement"],
)
def test_what_the_parser_cannot_read_is_not_accepted_and_raises_nothing(line):
    for finished in (True, False):
        assert not parses(f"def f(y):\n    {line}\n", finished)


def test_warnings_about_sampled_text_stay_silent():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for text in (
            "def f():\n    return '\\d' is 1\n",
            "def f():\n    x = '\\d'\n    if 1 is 2:\n",
        ):
            assert accepted(text)
        assert functions_of("x = '\\d'\ndef f(): return '\\d'\n")


@given(st.text(alphabet='defx()[]:="\\\n\t #1,', max_size=40))
def test_every_text_has_an_answer_and_what_is_accepted_finished_is_python(text):
    source, finished = function_text("def " + text)
    if parses(source, finished) and finished:
        assert isinstance(ast.parse(source).body[0], ast.FunctionDef)


def test_the_share_is_that_of_the_texts():
    texts = [BODY, BODY + "    return )\n", BODY + "x", "def f(:\n    return 1\n    "]
    assert share_that_parses(texts) == 0.5
    assert share_that_parses(iter(texts[:1])) == 1.0


def test_functions_are_found_at_the_top_and_in_classes_and_moved_to_column_0():
    text = (
        "import a\n@b\ndef f():\n    def inner(): pass\n\n    return 1\n# c\n"
        "class C:\n    x = 1\n    @d\n"
        "    def g(self):\n        if x:\n            y = '''\nz\n'''\n"
        "    async def h(self): pass\n    class D:\n\t    def i(self): pass\n"
    )
    assert functions_of(text) == [
        "def f():\n    def inner(): pass\n\n    return 1\n",
        "def g(self):\n    if x:\n        y = '''\nz\n'''\n",
        "def i(self): pass\n",
    ]
    assert functions_of("x = 1") == []


def test_what_people_wrote_is_accepted(people_wrote):
    assert len(people_wrote) > 300
    ended = [source for source in people_wrote if function_text(source)[1]]
    assert all(parses(source, finished=True) for source in people_wrote)
    assert len(ended) / len(people_wrote) < 0.02
    assert share_that_parses([s for s in people_wrote if s not in ended]) > 0.99


def test_what_people_wrote_is_accepted_wherever_it_is_cut_behind_a_statement(people_wrote):
    sources = [s for s in people_wrote[::7] if not function_text(s)[1]]
    cuts = [
        source[:cut] for source in sources for cut in range(body_start(source), len(source), 29)
    ]
    assert len(cuts) > 500
    assert [text for text in cuts if not accepted(text)] == []


def body_start(source):
    """Return where the first statement of a function ends."""
    end = ast.parse(source).body[0].body[0].end_lineno
    return len("\n".join(source.split("\n")[:end])) + 1


def test_a_text_that_does_not_begin_with_def_is_not_accepted_in_a_share():
    assert share_that_parses([BODY, "define", "", " def f(): pass"]) == 0.25


def test_texts_that_are_no_samples_are_refused():
    for wrong in ("", "define", "def\n", " def f(): pass", "class C: pass", None, 3, b"def f(): 0"):
        for function in (function_text, lambda text: parses(text, True)):
            refused("must be a string that begins with 'def '", function, wrong)
    refused("texts is a str; it must be a list", share_that_parses, BODY)
    refused("texts is empty", share_that_parses, [])
    for wrong in (1, None, "yes"):
        refused(f"finished={wrong!r} must be True or False", parses, BODY, wrong)


@pytest.mark.parametrize("wrong", ["def f(:\n", "x = '\0'"], ids=repr)
def test_a_file_that_does_not_parse_is_refused(wrong):
    refused("text .* does not parse .*give a whole file", functions_of, wrong)


@pytest.mark.parametrize("wrong", [None, 3, b"def f(): 0"], ids=repr)
def test_what_is_no_text_is_refused(wrong):
    refused("text is a .*; it must be a text", functions_of, wrong)
