"""The rules of the house for the package.

Each rule is a function from source text to a list of faults, and is itself tested with a
planted fault.
"""

import ast
import functools
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.book import CHAPTERS, ROOT, bibliography_keys

PACKAGE = ROOT / "gpt_helpers"
MODULES = sorted(PACKAGE.rglob("*.py"))
MAX_FUNCTION_LINES = 30
MAX_MODULE_LINES = 250
FORBIDDEN_WORDS = {
    "demonstrate", "demonstration", "explain", "visualize", "visualise", "visualization",
    "demo", "trick", "tricks", "technique", "techniques", "util", "utils", "misc",
}  # fmt: skip
FORBIDDEN_NAMES_KEPT = {"run_gpt_demo", "demo"}  # and the module that holds it
DRAWING = {"matplotlib", "seaborn", "IPython", "altair"}
NOTEBOOK_TOOLS = {"nbformat", "nbclient", "nbconvert", "import_ipynb"}
# A program has a main; one that records experiments has a plan, columns and a file of its own.
OF_EACH_PROGRAM = {
    "main", "EXPERIMENTS", "SEEDS", "planned", "complete_rows", "recorded",
    "RECORD", "NUMBERS",
}  # fmt: skip
FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef
DEFINITIONS = FUNCTIONS | ast.ClassDef
WITHOUT_TORCH = "imports no torch"  # what the docstring of a module says that must not load it
KEY = re.compile(r"\b[a-z]+\d{4}[a-z0-9]*\b")


def names_of_module(path):
    """Return the dotted name of a module of the package, without the package: "variants.gpt1"."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def functions(source):
    """Return every function of a source text, methods and nested ones included."""
    return [node for node in ast.walk(ast.parse(source)) if isinstance(node, FUNCTIONS)]


def docstring_lines(node):
    """Return the numbers of the lines of a docstring, none if there is none."""
    if ast.get_docstring(node) is None:
        return set()
    return set(range(node.body[0].lineno, node.body[0].end_lineno + 1))


def long_functions(source):
    """Return the functions that have too many lines, blank ones and docstrings not counted."""
    lines, found = source.splitlines(), []
    for node in functions(source):
        numbers = set(range(node.lineno, node.end_lineno + 1)) - docstring_lines(node)
        count = sum(bool(lines[number - 1].strip()) for number in numbers)
        if count > MAX_FUNCTION_LINES:
            found.append(f"{node.name} has {count} lines")
    return found


def long_module(source):
    """Return the number of lines of a module that has too many, its imports not counted."""
    count = len(source.splitlines())
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            count -= node.end_lineno - node.lineno + 1
    return [f"{count} lines"] if count > MAX_MODULE_LINES else []


def calls_of_print(source):
    """Return the lines that call print."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    return [f"line {call.lineno}: print" for call in calls if ast.unparse(call.func) == "print"]


def defined_names(source):
    """Return every name that a source text gives to something."""
    names = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, DEFINITIONS):
            names.append(node.name)
        elif isinstance(node, ast.arg):
            names.append(node.arg)
        elif isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
            names.append(node.id if isinstance(node, ast.Name) else node.attr)
    return names


def forbidden_words(names):
    """Return the names that hold a word of which nobody can say what it means."""
    found = []
    for name in names:
        words = re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)
        if name not in FORBIDDEN_NAMES_KEPT and FORBIDDEN_WORDS & {word.lower() for word in words}:
            found.append(name)
    return found


def imports(source):
    """Return the dotted names of all that a source text imports, wherever it does."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            whole = base in ("gpt_helpers", ".")
            found |= {f"{base}.{alias.name}" for alias in node.names} if whole else {base}
    return found


def forbidden_imports(name, source):
    """Return what the module of this name must not import from other packages."""
    foreign = NOTEBOOK_TOOLS | (set() if name.startswith("figures.") else DRAWING)
    found = []
    for imported in sorted(imports(source)):
        package = imported.partition(".")[0]
        if package == "":
            found.append(f"{imported}: write the whole name")
        elif package in foreign:
            found.append(imported)
    return found


def undocumented(source):
    """Return the public module, classes, functions and methods that have no docstring."""

    def visit(node, path):
        found = [] if ast.get_docstring(node) else [path]
        inner = [] if isinstance(node, FUNCTIONS) else node.body
        for child in inner:
            if isinstance(child, DEFINITIONS) and not re.match(r"_(?!_init__)", child.name):
                found += visit(child, f"{path}.{child.name}".lstrip("."))
        return found

    return visit(ast.parse(source), "")


def unknown_sources(source, keys):
    """Return what a "Source: ..." names that is no key of the bibliography."""
    found = []
    for match in re.finditer(r"Source:\s+(.*?)(?:\n\s*\n|\"\"\"|\Z)", source, re.S):
        named = KEY.findall(match[1])
        found += [key for key in named if key not in keys] or [] if named else [match[0].strip()]
    return found


def top_level_names(source):
    """Return the public names that a module defines at its top level."""
    names = []
    for node in ast.parse(source).body:
        if isinstance(node, DEFINITIONS):
            names.append(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names += [target.id for target in targets if isinstance(target, ast.Name)]
    return [name for name in names if not name.startswith("_")]


def defined_twice(sources):
    """Return the public names that more than one of the modules {name: source} defines.

    What belongs to a program, such as its main, is no concept: each program has its own.
    """
    places = {}
    for module, source in sources.items():
        for name in set(top_level_names(source)) - OF_EACH_PROGRAM:
            places.setdefault(name, []).append(module)
    return [f"{name}: {', '.join(where)}" for name, where in places.items() if len(where) > 1]


def other_masks(source):
    """Return where a source builds a triangle of its own; causal_mask compares positions."""
    return re.findall(r"\b(?:tril|triu)\w*", source)


def faults_in_package(rule):
    """Return the faults that rule(name, source) finds in the modules of the package."""
    found = []
    for path in MODULES:
        source = path.read_text("utf-8")
        found += [
            f"{path.relative_to(ROOT)}: {fault}" for fault in rule(names_of_module(path), source)
        ]
    return found


def sources():
    """Return {module name: source} of the package."""
    return {names_of_module(path): path.read_text("utf-8") for path in MODULES}


def check_package(rule):
    """Fail with every fault that the rule finds in the package."""
    found = faults_in_package(rule)
    assert not found, "\n".join(found)
    assert len(MODULES) > 5


def test_no_function_is_longer_than_30_lines():
    check_package(lambda name, source: long_functions(source))


def test_no_module_is_longer_than_250_lines():
    check_package(lambda name, source: long_module(source))


def test_nothing_is_printed():
    check_package(lambda name, source: calls_of_print(source))


def test_no_name_holds_a_word_without_meaning():
    check_package(lambda name, source: forbidden_words([name, *defined_names(source)]))


def test_only_figures_import_what_draws_and_nothing_imports_notebook_tools():
    check_package(forbidden_imports)


def test_rooms_import_one_way():
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Contracts: 1 kept, 0 broken" in done.stdout


def test_everything_public_has_a_docstring():
    check_package(lambda name, source: undocumented(source))


def test_every_source_named_in_the_package_is_in_the_bibliography():
    check_package(lambda name, source: unknown_sources(source, bibliography_keys()))


def test_every_public_name_is_defined_once():
    assert defined_twice(sources()) == []


def test_the_causal_mask_is_defined_once_and_compares_positions():
    check_package(lambda name, source: other_masks(source))
    defined = [
        name
        for name, source in sources().items()
        for f in functions(source)
        if f.name == "causal_mask"
    ]
    assert defined == ["architecture.attention"]


def loaded_after_importing(modules, watched):
    """Return which of the watched packages each module loads, all in one new interpreter."""
    code = (
        "import importlib, sys\n"
        f"for module in {modules!r}:\n"
        "    importlib.import_module(module)\n"
        f"    for name in {sorted(watched)!r}:\n"
        "        if name in sys.modules: print(module, 'loads', name)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def says(source, promise=WITHOUT_TORCH):
    """Return whether the docstring of a module makes a promise, in whatever lines."""
    return promise in " ".join((ast.get_docstring(ast.parse(source)) or "").lower().split())


def test_a_promise_is_found_across_lines_and_in_the_docstring_only():
    assert says('"""Counts. Imports\nno torch."""')
    assert not says('"""Counts."""\nPROMISE = "imports no torch"')


def test_a_module_that_says_so_does_not_load_torch():
    modules = [f"gpt_helpers.{name}" for name, source in sources().items() if says(source)]
    assert len(modules) > 5
    assert loaded_after_importing(modules, {"torch"}) == []
    assert loaded_after_importing(["gpt_helpers.architecture.attention"], {"torch"})


def test_only_what_draws_loads_a_drawing_library():
    modules = [
        f"gpt_helpers.{name}".rstrip(".")
        for name, source in sources().items()
        if not name.startswith("figures.")
    ]
    assert loaded_after_importing(modules, DRAWING) == []


def words(source):
    """Return the forbidden names in a source text."""
    return forbidden_words(defined_names(source))


def sources_unknown_to_a_small_bibliography(source):
    """Return the sources that a bibliography with one entry lacks."""
    return unknown_sources(source, {"a2020x"})


def twice_beside_x(source):
    """Return what a source text and another module, which has X, both define."""
    return defined_twice({"a": source, "b": "X = 1"})


def imports_of(name):
    """Return the rule for the imports of the module of this name."""
    return functools.partial(forbidden_imports, name)


@pytest.mark.parametrize(
    ("rule", "right", "wrong"),
    [
        (long_functions, "def f():\n" + "    x = 1\n\n" * 29, "def f():\n" + "    x = 1\n" * 30),
        (long_module, "x = 1\n" * 250, "x = 1\n" * 251),
        (calls_of_print, "printed = 'print(1)'", "def f():\n    print(1)"),
        (undocumented, "'M.'\ndef _f(): pass", "'M.'\ndef f(): pass"),
        (undocumented, "'M.'\nclass A:\n  'A.'", "'M.'\nclass A:\n  'A.'\n  def g(s): 0"),
        (undocumented, "'M.'", "x = 1"),
        (other_masks, "keys <= queries", "mask = torch.tril(ones)"),
        (sources_unknown_to_a_small_bibliography, "# Source: a2020x, eq. 1", "# Source: b2020x"),
        (sources_unknown_to_a_small_bibliography, "# Source:\n# a2020x.", "# Source: a paper"),
        (words, "def run_gpt_demo(): 0", "def show_demo(): 0"),
        (words, "x = 'explain'", "def f(explain_it): 0"),
        (words, "utility = 1", "class MaskUtils: 0"),
        (imports_of("architecture.model"), "import gpt_helpers.config", "import matplotlib"),
        (imports_of("training.memory"), "import gpt_helpers.config", "import altair"),
        (imports_of("architecture.model"), "import torch", "from . import config"),
        (imports_of("figures.show"), "import matplotlib", "import nbclient"),
        (twice_beside_x, "_X = Y = 1", "X: int = 2"),
        (twice_beside_x, "def main(): 0", "def X(): 0"),
    ],
)
def test_each_rule_finds_a_planted_fault_and_nothing_else(rule, right, wrong):
    assert rule(right) == []
    assert rule(wrong) != []


def test_the_bibliography_is_found():
    assert (CHAPTERS / "references.bib").is_file()
    assert len(bibliography_keys()) > 10
