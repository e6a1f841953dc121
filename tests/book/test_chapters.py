"""The rules of the house for the notebooks and the prose, in both editions.

Each rule is a function from a notebook, or from a Markdown text, to a list of faults, and is
itself tested with a planted fault.
"""

import ast
import io
import re
import statistics
import tokenize

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from tests.helpers.book import (
    CHAPTERS,
    JAPANESE,
    ROOT,
    bibliography_keys,
    captions,
    citations,
    code_cells,
    notebooks,
    pages,
    parsed,
    pieces,
    prose,
    read_notebook,
    tags,
)

TAGS = {
    "hide-input",
    "remove-input",
    "nbval-ignore-output",
    "measured",
    "raises-exception",
    "exercise",
    "check",
}
MAX_CELL_LINES, MEDIAN_CELL_LINES, MAX_BYTES = 20, 5, 2_000_000
MAX_EXEMPT_SHARE = 0.05
PAGE_COLUMNS = 86  # what the text column shows beside both sidebars, 1280 px wide
IDENTIFIER = re.compile(r"[a-z]{2,}(-[a-z0-9]+)*")
UNSTABLE = re.compile(
    r"(?<![\w.])/(?:home|root|work|usr|tmp|opt|var|Users)/|site-packages|dist-packages"
    r"|\b0x[0-9a-f]{6,}|Warning:"
)
UNFINISHED = re.compile(
    r"\bTODO\b|\bFIXME\b|\bTBD\b|\bXXX\b|lorem ipsum|coming soon|準備中|工事中|執筆中", re.I
)
POLITE = re.compile(
    r"(?:です|ます|でした|ました|ません|ませんでした|でしょう|ましょう|ください)"
    r"(?:か|ね|よ|が|から|ので|けれど)?(?:[。、！？）」]|\s|$)"
)
QUOTED = re.compile(r"「[^」]*」|『[^』]*』")
FULL_WIDTH = re.compile(r"[０-９Ａ-Ｚａ-ｚ]")


def lines_of(cell):
    """Return the number of lines of a cell that are neither blank nor an import."""
    lines = [line.strip() for line in cell.source.splitlines()]
    return sum(bool(line) and not line.startswith(("import ", "from ")) for line in lines)


def pairs_of(notebook):
    """Return each cell together with the one before it (None for the first)."""
    return list(zip([None, *notebook.cells[:-1]], notebook.cells, strict=True))


def is_ignored(cell):
    """Return whether the outputs of a cell are not compared."""
    return "nbval-ignore-output" in tags(cell)


def has_assert(cell):
    """Return whether a cell asserts something."""
    return any(isinstance(node, ast.Assert) for node in ast.walk(parsed(cell)))


def odd_identifiers(notebook):
    """Return the cell ids that are not words, or that two cells have."""
    ids = [cell.get("id", "") for cell in notebook.cells]
    return [key for key in ids if not IDENTIFIER.fullmatch(key) or ids.count(key) > 1]


def missing_runs(notebook):
    """Return the code cells whose counts are not 1, 2, 3 ..., as after one clean run."""
    counts = [cell.execution_count for cell in code_cells(notebook)]
    return [] if counts == list(range(1, len(counts) + 1)) else [f"execution counts {counts}"]


def long_cells(notebook):
    """Return the code cells that are too long, and a median that is."""
    sizes = {cell["id"]: lines_of(cell) for cell in code_cells(notebook)}
    found = [f"{key}: {size} lines" for key, size in sizes.items() if size > MAX_CELL_LINES]
    median = statistics.median(sizes.values() or [0])
    return [*found, f"median {median} lines"] if median > MEDIAN_CELL_LINES else found


def wide_lines(notebook):
    """Return the lines of code cells and of source listings that a reader has to scroll to see."""
    listings = [
        (cell["id"], output.get("data", {}).get("text/markdown", ""))
        for cell in code_cells(notebook)
        if "remove-input" in tags(cell)
        for output in cell.outputs
    ]
    sources = [(cell["id"], cell.source) for cell in code_cells(notebook)]
    return [
        f"{key}: {line}"
        for key, text in sources + listings
        for line in text.splitlines()
        if len(line) > PAGE_COLUMNS
    ]


def unannounced_cells(notebook):
    """Return the code cells without prose before them.

    The cell that asserts what an exempt cell shows may follow that cell at once.
    """
    found = []
    for before, cell in pairs_of(notebook):
        if cell.cell_type == "code" and (before is None or before.cell_type == "code"):
            checks_exempt_cell = before is not None and is_ignored(before) and has_assert(cell)
            found += [] if checks_exempt_cell else [cell["id"]]
    return found


def misplaced_definitions(notebook):
    """Return the cells that define a class, or a function that is not the reader's to edit."""
    found = []
    for cell in code_cells(notebook):
        for node in ast.walk(parsed(cell)):
            is_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            if isinstance(node, ast.ClassDef) or (is_function and "exercise" not in tags(cell)):
                found.append(f"{cell['id']}: {node.name}")
    return found


def prints_and_semicolons(notebook):
    """Return the cells that print, or that end in a semicolon."""
    found = []
    for cell in code_cells(notebook):
        calls = [node for node in ast.walk(parsed(cell)) if isinstance(node, ast.Call)]
        found += [f"{cell['id']}: print" for call in calls if ast.unparse(call.func) == "print"]
        found += [f"{cell['id']}: ends in ;"] if cell.source.rstrip().endswith(";") else []
    return found


def natural_language(notebook):
    """Return the code cells with a comment (but for shapes), or with more than ASCII."""
    found = []
    for cell in code_cells(notebook):
        for token in tokenize.generate_tokens(io.StringIO(cell.source).readline):
            is_comment = token.type == tokenize.COMMENT
            if is_comment and not re.fullmatch(r"# ?(\([^()]*\)|\S*)", token.string):
                found.append(f"{cell['id']}: {token.string}")
        found += [] if cell.source.isascii() else [f"{cell['id']}: not ASCII"]
    return found


def unknown_tags(notebook):
    """Return the tags that are not in the list of the house."""
    return [f"{c['id']}: {tag}" for c in notebook.cells for tag in tags(c) if tag not in TAGS]


def late_imports(notebook):
    """Return the cells after the first that import; the first must import and set the seed."""
    found = []
    for index, cell in enumerate(code_cells(notebook)):
        imports = any(isinstance(n, ast.Import | ast.ImportFrom) for n in ast.walk(parsed(cell)))
        if imports != (index == 0):
            found.append(f"{cell['id']}: {'imports' if imports else 'does not import'}")
        if index == 0 and "seed" not in cell.source:
            found.append(f"{cell['id']}: sets no seed")
    return found


def unchecked_exemptions(notebook):
    """Return the cells that are exempt from comparison but followed by no assert."""
    found = []
    for before, cell in pairs_of(notebook):
        if before is not None and is_ignored(before):
            asserted = cell.cell_type == "code" and has_assert(cell)
            found += [] if asserted else [before["id"]]
    last = notebook.cells[-1] if notebook.cells else None
    return [*found, last["id"]] if last is not None and is_ignored(last) else found


def shows_image(cell):
    """Return whether a code cell has an image, or a chart with sliders, among its outputs."""
    return any(
        key.startswith(("image/", "application/vnd.vegalite"))
        for output in cell.outputs
        for key in output.get("data", {})
    )


DRAWINGS = (ROOT / "gpt_helpers/figures/drawings").glob("[a-z]*.py")
DRAWING = "|".join([r"show\w*", r"(\w+_)?charts?", *(path.stem for path in DRAWINGS)])


def incomplete_images(notebook):
    """Return the image cells that lack a name, caption or alt text, or end with no call."""
    found = []
    for cell in filter(shows_image, code_cells(notebook)):
        name = cell.metadata.get("mystnb", {}).get("figure", {}).get("name", "")
        said = {"figure.name": name, **captions(cell)}
        lacking = [k for k in ("figure.name", "figure.caption", "image.alt") if not said.get(k)]
        found += [f"{cell['id']}: no {key}" for key in lacking]
        last = ast.unparse(parsed(cell).body[-1])
        if not re.match(rf"({DRAWING})\.\w+\(", last):
            found.append(f"{cell['id']}: does not end with a call of what draws")
    return found


def bad_outputs(notebook):
    """Return the outputs with errors, warnings, paths of one machine or memory addresses."""
    found = []
    for cell in code_cells(notebook):
        for output in cell.outputs:
            if output.output_type == "error":
                found += [] if "raises-exception" in tags(cell) else [f"{cell['id']}: error"]
                continue
            if output.get("name") == "stderr":
                found.append(f"{cell['id']}: stderr")
            texts = [v for k, v in output.get("data", {}).items() if not k.startswith("image/")]
            shown = UNSTABLE.search(" ".join(map(str, [*texts, output.get("text", "")])))
            found += [f"{cell['id']}: {shown[0]}"] if shown else []
    return found


def check_notebooks(rule):
    """Fail with every fault that the rule finds in the notebooks of both editions."""
    paths = [path for language in ("ja", "en") for path in notebooks(language)]
    found = [
        f"{path.relative_to(CHAPTERS)}: {fault}"
        for path in paths
        for fault in rule(read_notebook(path))
    ]
    assert not found, "\n".join(found)
    assert paths


def test_every_cell_id_is_words_and_unique():
    check_notebooks(odd_identifiers)


def test_committed_outputs_come_from_one_clean_run():
    check_notebooks(missing_runs)


def test_code_cells_are_short():
    check_notebooks(long_cells)


def test_code_and_listings_fit_the_page():
    check_notebooks(wide_lines)


def test_prose_stands_before_every_code_cell():
    check_notebooks(unannounced_cells)


def test_notebooks_define_nothing_but_what_a_reader_edits():
    check_notebooks(misplaced_definitions)


def test_no_cell_prints_or_ends_in_a_semicolon():
    check_notebooks(prints_and_semicolons)


def test_code_cells_hold_no_natural_language():
    check_notebooks(natural_language)


def test_tags_are_those_of_the_house():
    check_notebooks(unknown_tags)


def test_the_first_code_cell_imports_and_sets_the_seed_and_no_other_imports():
    check_notebooks(late_imports)


def test_what_is_not_compared_is_asserted_in_the_next_cell():
    check_notebooks(unchecked_exemptions)


def test_at_most_5_percent_of_the_outputs_are_not_compared():
    cells = [c for path in notebooks("ja") for c in code_cells(read_notebook(path)) if c.outputs]
    exempt = [cell["id"] for cell in cells if is_ignored(cell)]
    assert cells
    assert len(exempt) <= MAX_EXEMPT_SHARE * len(cells), f"{exempt} of {len(cells)}"


def test_every_image_has_a_name_a_caption_and_an_alt_text():
    check_notebooks(incomplete_images)


def test_no_output_holds_errors_warnings_paths_or_addresses():
    check_notebooks(bad_outputs)


def test_notebooks_are_small_and_of_the_format_that_has_cell_ids():
    for language in ("ja", "en"):
        for path in notebooks(language):
            assert path.stat().st_size < MAX_BYTES, path
            notebook = read_notebook(path)
            assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5), path


# Prose.


def unknown_citations(text):
    """Return the citation keys that the bibliography lacks."""
    return [key for key in citations(text) if key not in bibliography_keys()]


def unfinished(text):
    """Return the words that say that something is still to be written."""
    return UNFINISHED.findall(text)


def polite_endings(text):
    """Return the polite sentence endings of a Japanese text; the book is in plain style."""
    said = [piece.value for piece in pieces(text) if piece.kind == "paragraph"]
    return [match[0] for part in said for match in POLITE.finditer(QUOTED.sub("", part))]


def unrendered_bold(text):
    """Return the texts in which ** is left over because CommonMark does not make them bold."""
    return [p.value for p in pieces(text) if p.kind == "text" and "**" in p.value]


def full_width(text):
    """Return the full-width digits and letters."""
    return FULL_WIDTH.findall(text)


def broken_paragraphs(text):
    """Return the Japanese paragraphs that are written on more than one line."""
    said = [piece.value for piece in pieces(text) if piece.kind == "paragraph"]
    return [part for part in said if "\n" in part.strip() and JAPANESE.search(part)]


def check_prose(rule, *languages):
    """Fail with every fault that the rule finds in the prose of these editions."""
    found = [
        f"{path.relative_to(CHAPTERS)} {place}: {fault}"
        for language in languages
        for path in pages(language)
        for place, text in prose(path).items()
        for fault in rule(text)
    ]
    assert not found, "\n".join(found)
    assert all(pages(language) for language in languages)


def test_every_citation_is_in_the_bibliography():
    check_prose(unknown_citations, "ja", "en")


def test_nothing_says_that_it_is_unfinished():
    check_prose(unfinished, "ja", "en")


def test_japanese_prose_is_in_plain_style():
    check_prose(polite_endings, "ja")


def test_bold_text_is_bold():
    check_prose(unrendered_bold, "ja", "en")


def test_digits_and_latin_letters_are_half_width():
    check_prose(full_width, "ja")


def test_a_japanese_paragraph_is_one_line():
    check_prose(broken_paragraphs, "ja")


# What the rules are themselves tested with.


def code(source, key="sum", **given):
    """Return a code cell; given are its tags, its outputs and its other metadata."""
    metadata = {"tags": given.pop("tags", []), **given.pop("metadata", {})}
    return new_code_cell(source, id=key, metadata=metadata, **given)


def page(*cells):
    """Return a notebook that begins with a title."""
    return new_notebook(cells=[new_markdown_cell("# Title", id="title"), *cells])


def shown(text, kind="text/plain"):
    """Return the outputs of a cell that shows this text."""
    return [new_output("display_data", {kind: text})]


IMAGE = shown("iVBO", "image/png")
CHART = shown("{}", "application/vnd.vegalite.v5+json")
SAID = {"mystnb": {"figure": {"name": "fig-a", "caption": "A."}, "image": {"alt": "B."}}}
TEXT = new_markdown_cell("Text.", id="text")
ERROR = [new_output("error", ename="ValueError", evalue="5", traceback=[])]
STDERR = [new_output("stream", name="stderr", text="hello")]
IGNORED = ["nbval-ignore-output"]
DRAW = "x = 1\nshow.curves(x)"


@pytest.mark.parametrize(
    ("rule", "right", "wrong"),
    [
        (odd_identifiers, [code("1", "mask-figure-2")], [code("1", "3f2a9c1e")]),
        (odd_identifiers, [code("1", "sum"), code("1", "total")], [code("1"), code("1")]),
        (missing_runs, [code("1", execution_count=1)], [code("1")]),
        (missing_runs, [code("1", execution_count=1)], [code("1", execution_count=2)]),
        (long_cells, [code("x\n" * 5)], [code("x\n" * 6)]),
        (long_cells, [code("x"), code("x"), code("x\n" * 20)], [code("x"), code("x\n" * 21)]),
        (wide_lines, [code("x" * 86)], [code("x" * 87)]),
        (
            wide_lines,
            [code("1", outputs=shown("x" * 87, "text/markdown"))],
            [code("1", outputs=shown("x" * 87, "text/markdown"), tags=["remove-input"])],
        ),
        (unannounced_cells, [code("1"), TEXT, code("2")], [code("1"), code("2")]),
        (
            unannounced_cells,
            [code("1", tags=IGNORED), code("assert 1")],
            [code("1"), code("assert 1")],
        ),
        (misplaced_definitions, [code("def f(): 0", tags=["exercise"])], [code("def f(): 0")]),
        (misplaced_definitions, [code("f = abs")], [code("class A: 0", tags=["exercise"])]),
        (prints_and_semicolons, [code("'print(1);'")], [code("print(1)")]),
        (prints_and_semicolons, [code("1")], [code("fig = 1;")]),
        (natural_language, [code("x  # (B, T)")], [code("x  # the sum")]),
        (natural_language, [code("x = '# a'")], [code("x = '\u548c'")]),
        (unknown_tags, [code("1", tags=["exercise"])], [code("1", tags=["hide-output"])]),
        (late_imports, [code("import torch\ntorch.manual_seed(0)")], [code("import torch")]),
        (late_imports, [code("import random\nrandom.seed(0)")], [code("seed = 0")]),
        (
            late_imports,
            [code("import a\nseed"), code("1")],
            [code("import a\nseed"), code("import b")],
        ),
        (
            unchecked_exemptions,
            [code("1", tags=IGNORED), code("assert 1")],
            [code("1", tags=IGNORED)],
        ),
        (unchecked_exemptions, [code("1")], [code("1", tags=IGNORED), code("1"), code("assert 1")]),
        (
            incomplete_images,
            [code(DRAW, outputs=IMAGE, metadata=SAID)],
            [code(DRAW, outputs=IMAGE)],
        ),
        (
            incomplete_images,
            [code("1", outputs=shown("1"))],
            [code("plt.plot()", outputs=IMAGE, metadata=SAID)],
        ),
        (
            incomplete_images,
            [code("charts.loss_explorer()", outputs=CHART, metadata=SAID)],
            [code("charts.loss_explorer()", outputs=CHART)],
        ),
        (
            incomplete_images,
            [code("sampling_chart.sampling_explorer(x, f)", outputs=CHART, metadata=SAID)],
            [code("alt.Chart()", outputs=CHART, metadata=SAID)],
        ),
        (
            bad_outputs,
            [code("1", outputs=ERROR, tags=["raises-exception"])],
            [code("1", outputs=ERROR)],
        ),
        (bad_outputs, [code("1", outputs=shown("1/2"))], [code("1", outputs=STDERR)]),
        (
            bad_outputs,
            [code("1", outputs=shown("400x200"))],
            [code("1", outputs=shown("<f at 0x7f1234>"))],
        ),
        (
            bad_outputs,
            [code("1", outputs=shown("a/usr/b"))],
            [code("1", outputs=shown("/usr/lib"))],
        ),
        (bad_outputs, [code("1", outputs=IMAGE)], [code("1", outputs=shown("UserWarning: no"))]),
    ],
)
def test_each_rule_for_notebooks_finds_a_planted_fault_and_nothing_else(rule, right, wrong):
    assert rule(page(*right)) == []
    assert rule(page(*wrong)) != []


@pytest.mark.parametrize(
    ("rule", "right", "wrong"),
    [
        (unknown_citations, "{cite}`vaswani2017attention`", "{cite}`nobody1900nothing`"),
        (unfinished, "The todos of life", "TODO"),
        (unfinished, "準備", "準備中である。"),
        (polite_endings, "これは本である。", "これは本です。"),
        (polite_endings, "「本です。」と書く。", "本を読みますが、書かない。"),
        (polite_endings, "`です。` と書き、ますます読む。", "- 読みましょう"),
        (polite_endings, "| 表 |\n|---|\n| 読む |", "| 表 |\n|---|\n| 読みます |"),
        (unrendered_bold, "これは「**本**」である。", "これは**「本」**である。"),
        (unrendered_bold, "**本**である。", "これは**`x`**である。"),
        (full_width, "2個のA", "\uff12個"),
        (broken_paragraphs, "これは本。\n\n次の段落。", "これは\n本である。"),
        (broken_paragraphs, "- 一つ\n- 二つ", "- 一つ\n  の項目"),
    ],
)
def test_each_rule_for_prose_finds_a_planted_fault_and_nothing_else(rule, right, wrong):
    assert rule(right) == []
    assert rule(wrong) != []
