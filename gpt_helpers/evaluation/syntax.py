"""The share of sampled functions that Python accepts: needs no judge. Imports no torch.

A sample is a text that begins with "def ". Its function ends before the first line that
starts in column 0, and is then finished; or the text ends first, and it was cut. A finished
function is accepted if it parses. A cut one is accepted if nothing is wrong with it so far,
its last line apart, which may have been cut within a word.
"""

import ast
import codeop
import warnings
from collections.abc import Iterator

from gpt_helpers.validation import check_flag, check_sequence, check_text

START = "def "
CLOSING_BRACKETS = (")", "]", "}")
ERRORS = (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError)


def function_text(text):
    """Return (source, finished): the function that begins text, and whether it ends.

    It ends before the first line after the first that is not blank and starts in
    column 0: a statement, a comment, a decorator, the name of an end-of-text token.
    Only a line that starts with a closing bracket still belongs to it, as in a
    signature of many lines. Where there is no such line the text was cut, and
    source is all of it.

    A line in column 0 within a string of many lines ends the function too: the
    price of finding the end of a function that does not parse. Of the functions of
    the standard library 0.3 % have one; they are not accepted.

    Raises ValueError unless text begins with "def ".
    """
    check_start("text", text)
    lines = text.split("\n")
    for number, line in enumerate(lines[1:], 1):
        in_column_0 = line.strip() and not line[0].isspace()
        if in_column_0 and not line.startswith(CLOSING_BRACKETS):
            return "\n".join(lines[:number]) + "\n", True
    return text, False


def parses(source, finished):
    """Return whether Python accepts source as one function.

    A finished function is accepted if ast.parse takes all of it as one function
    definition; nothing is removed. A cut one loses the line that the cut went
    through: what follows the last newline, and lines before it that end in a
    backslash. Of the rest, ast.parse must take all up to the end of some line as one
    function definition: so at least one statement of its body is complete (a
    docstring is one). What follows that line must be not wrong but incomplete: a
    string or a bracket still open, a block without a statement, a try without an
    except. No mistake in it is forgiven.

    Nesting too deep for the parser, and characters it does not read, are not
    accepted. Raises ValueError unless source begins with "def " and finished is
    True or False.
    """
    check_start("source", source)
    check_flag("finished", finished)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # sampled text is full of invalid escapes
        if finished:
            return is_one_function(source)
        lines = whole_lines(source)
        rest = "".join(lines)
        return is_one_function(rest) or (is_incomplete(rest) and has_statement(lines))


def whole_lines(source):
    """Return the lines of source, each with its newline, before the one that a cut went through."""
    lines = [line + "\n" for line in source.split("\n")[:-1]]
    while lines and lines[-1].endswith("\\\n"):
        lines.pop()
    return lines


def has_statement(lines):
    """Return whether the first lines, up to one of them, are a function with a statement."""
    return any(is_one_function("".join(lines[:end])) for end in range(len(lines), 0, -1))


def is_one_function(source):
    """Return whether ast.parse takes source as exactly one function definition."""
    try:
        body = ast.parse(source).body
    except ERRORS:
        return False
    return len(body) == 1 and isinstance(body[0], ast.FunctionDef)


def is_incomplete(source):
    """Return whether nothing is wrong with source but that it ends too early."""
    try:
        return codeop.compile_command(source, symbol="exec") is None
    except ERRORS:
        return False


def share_that_parses(texts):
    """Return the share, 0 to 1, of texts whose function Python accepts.

    A text that does not begin with "def " is not accepted. Raises ValueError for no texts.
    """
    texts = list(texts) if isinstance(texts, Iterator) else texts
    check_sequence("texts", texts, str)
    accepted = [t.startswith(START) and parses(*function_text(t)) for t in texts]
    return sum(accepted) / len(accepted)


def functions_of(text):
    """Return the source of each function of a module and of its classes, from "def " on.

    They are what share_that_parses measures, from people: methods are moved to column 0,
    decorators left out; async functions and functions within functions are no samples.
    Raises ValueError if text is not valid Python.
    """
    check_text("text", text)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
    except ERRORS as error:
        raise ValueError(
            f"text {text!r:.40} does not parse ({error}); give a whole file"
        ) from error
    scopes = [tree, *(node for node in ast.walk(tree) if isinstance(node, ast.ClassDef))]
    found = [node for scope in scopes for node in scope.body if isinstance(node, ast.FunctionDef)]
    lines = text.split("\n")
    return [moved_left(lines[node.lineno - 1 : node.end_lineno]) for node in found]


def moved_left(lines):
    """Return lines as one text, each without the indentation of the first."""
    indentation = lines[0][: len(lines[0]) - len(lines[0].lstrip())]
    return "".join(line.removeprefix(indentation) + "\n" for line in lines)


def check_start(name, text):
    """Raise ValueError unless text begins with "def "."""
    if not isinstance(text, str) or not text.startswith(START):
        raise ValueError(f"{name} {text!r:.40} must be a string that begins with {START!r}")
