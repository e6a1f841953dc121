"""Where everything is: each row of chapters/where.csv, and the tables of the two READMEs.

The page "Where is what?" and the READMEs read that one table. A README has one of its rows for
each room of the package, in both languages the same:

    | where is ...? | in the code | in the book |
    |---|---|---|
    | the causal mask | `architecture.attention.causal_mask` | [...](chapters/en/architecture.ipynb#causal-mask) |
"""  # noqa: E501

import ast
import functools
import importlib
import re

import pytest

from tests.helpers.book import CHAPTERS, ROOT, prose, values
from theme.rooms import rooms
from theme.where import HEADER, read_rows

README = {"en": "README.md", "ja": "README.ja.md"}
TABLE_ROW = re.compile(r"\| ([^|]+) \| `([^`|]+)` \| \[[^\]]+\]\(([^)]+)\) \|")


@functools.cache
def labels(path):
    """Return the labels on the page at path; none if it is not there."""
    texts = prose(path).values() if path.is_file() else ()
    return {label for text in texts for label in values(text, "label")}


def page(name, language, chapters):
    """Return the path of a page, a notebook or Markdown."""
    notebook = chapters / language / f"{name}.ipynb"
    return notebook if notebook.is_file() else notebook.with_suffix(".md")


def is_defined(dotted):
    """Return whether "module.name", perhaps with more dots, is an object of the package."""
    parts = dotted.split(".")
    for split in range(len(parts) - 1, 0, -1):
        try:
            found = importlib.import_module(".".join(["gpt_helpers", *parts[:split]]))
            for part in parts[split:]:
                found = getattr(found, part)
        except (ModuleNotFoundError, AttributeError):
            continue
        return True
    return False


@functools.cache
def functions_in(path):
    """Return the names of the functions that a file of tests defines; none if it is not there."""
    tree = ast.parse(path.read_text("utf-8")) if path.is_file() else ast.Module([], [])
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def faults_of(row, root=ROOT):
    """Return what in a row does not exist: object, section in either edition, test."""
    found = [] if is_defined(row["object"]) else [f"no object {row['object']}"]
    name, _, label = row["section"].partition("#")
    found += [
        f"no section {row['section']} in {language}"
        for language in README
        if label not in labels(page(name, language, root / "chapters"))
    ]
    file, _, test = row["test"].partition("::")
    found += [] if test in functions_in(root / file) else [f"no test {row['test']}"]
    return [f"{row['concept_en']}: {fault}" for fault in found]


def test_every_row_names_an_object_a_section_in_both_editions_and_a_test():
    found = [fault for row in read_rows() for fault in faults_of(row)]
    assert not found, "\n".join(found)


def test_no_concept_stands_twice_and_none_is_lost():
    rows = read_rows()
    for column in ("concept_en", "concept_ja"):
        names = [row[column] for row in rows]
        assert [name for name in names if names.count(name) > 1 or not name.strip()] == []
    assert len(rows) >= 90


@pytest.mark.parametrize(
    ("column", "text"),
    [
        ("object", "architecture.attention.causal_masks"),
        ("object", "architecture.attentions.causal_mask"),
        ("section", "book#mask"),
        ("section", "page#masks"),
        ("section", "page"),
        ("section", "english#mask"),
        ("test", "tests/test_house.py::test_that_is_not_there"),
        ("test", "tests/test_none.py::test_x"),
    ],
)
def test_a_row_that_names_nothing_is_found(tmp_path, column, text):
    for name in ("ja/page", "en/page", "en/english"):
        path = tmp_path / "chapters" / f"{name}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("(mask)=\n# Mask\n")
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_house.py").write_text("def test_x(): pass\n")
    row = {
        "concept_en": "the mask",
        "object": "architecture.attention.causal_mask",
        "section": "page#mask",
        "test": "tests/test_house.py::test_x",
    }
    assert faults_of(row, tmp_path) == []
    assert faults_of({**row, column: text}, tmp_path) != []


def readme_rows(language):
    """Return the rows of a README's table as (concept, object, path of the section)."""
    text = (ROOT / README[language]).read_text("utf-8")
    _, _, table = text.partition(f"| {' | '.join(HEADER[language])} |\n")
    lines = table.partition("\n\n")[0].splitlines()[1:]
    return [TABLE_ROW.fullmatch(line).groups() for line in lines]


@pytest.mark.parametrize("language", README)
def test_a_readme_has_a_row_of_the_table_for_each_room(language):
    known = []
    for row in read_rows():
        name, _, label = row["section"].partition("#")
        path = page(name, language, CHAPTERS).relative_to(ROOT)
        known.append((row[f"concept_{language}"], row["object"], f"{path}#{label}"))
    shown = readme_rows(language)
    assert [row for row in shown if row not in known] == []
    assert [row[1].partition(".")[0] for row in shown] == rooms()


def test_both_readmes_have_the_same_rows_and_as_many_lines():
    assert [row[1] for row in readme_rows("en")] == [row[1] for row in readme_rows("ja")]
    english, japanese = (
        (ROOT / README[language]).read_text("utf-8").splitlines() for language in ("en", "ja")
    )
    kinds = [[line[:2] if line[:1] in "#|`-!" else bool(line) for line in text]
             for text in (english, japanese)]  # fmt: skip
    assert kinds[0] == kinds[1]
    assert len(english) <= 90
