"""The Japanese and the English edition say the same: same files, cells, outputs and facts.

Prose is compared by its skeleton. In a pair of Markdown texts these are equal, in order:
heading levels, display equations, listings, labels, citation keys, directives with their
options, images, items of lists and cells of tables; and these as collections, since word
order differs: cross references, links inside the book, code spans, formulas in the text,
and numerals. A numeral is \\d[\\d,]*(.\\d+)? in ASCII digits, outside of code, listings, labels,
roles and link targets, inside of text and formulas; so quantities are written in digits in
both editions ("10 %", not 「1割」).
"""

import importlib.util
import re
from collections import Counter
from pathlib import Path

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from tests.helpers.book import (
    CHAPTERS,
    JAPANESE,
    ROOT,
    captions,
    citations,
    notebooks,
    pages,
    pieces,
    prose,
    read_notebook,
    tags,
    values,
)

TOOL = ROOT / "tools" / "refresh.py"
specification = importlib.util.spec_from_file_location("refresh", TOOL)
refresh = importlib.util.module_from_spec(specification)
specification.loader.exec_module(refresh)

NUMERAL = re.compile(r"\d[\d,]*(?:\.\d+)?", re.ASCII)
IN_ORDER = ("heading", "equation", "listing", "label", "directive", "image", "item", "cell")
QUOTED = re.compile(r"「[^」]*」|『[^』]*』|\"[^\"]*\"|“[^”]*”")


def numerals(text):
    """Return the numerals of a Markdown text as a Counter, without thousands separators."""
    spoken = " ".join(values(text, "text", "math", "equation"))
    return Counter(numeral.replace(",", "") for numeral in NUMERAL.findall(spoken))


def cross_references(text):
    """Return the targets of roles other than citations, and the links inside the book."""
    roles = [role for role in values(text, "role") if not role.startswith("cite")]
    terms = ["term" if role.startswith("term ") else role for role in roles]
    links = [link for link in values(text, "link") if not re.match(r"https?:|mailto:", link)]
    return Counter(terms + links)


def skeleton(text):
    """Return what a Markdown text and its translation have in common."""
    return {
        **{kind: values(text, kind) for kind in IN_ORDER},
        "citation": citations(text),
        "cross reference": cross_references(text),
        "code span": Counter(values(text, "code")),
        "formula": Counter(values(text, "math")),
        "numeral": numerals(text),
    }


def differences(japanese, english):
    """Return how the skeletons of two Markdown texts differ, one line per kind."""
    ours, theirs = skeleton(japanese), skeleton(english)
    found = []
    for kind in ours:
        if ours[kind] != theirs[kind]:
            one, other = ours[kind], theirs[kind]
            if isinstance(one, Counter):
                one, other = sorted((one - other).elements()), sorted((other - one).elements())
            found.append(f"{kind}: ja {one}, en {other}")
    return found


def cell_differences(japanese, english):
    """Return how two notebooks differ in what must be equal: ids, kinds, code, tags, outputs.

    The language that a code cell sets, and an output in two languages, are what a sync makes them.
    """
    ours = [(cell["id"], cell.cell_type) for cell in japanese.cells]
    theirs = [(cell["id"], cell.cell_type) for cell in english.cells]
    if ours != theirs:
        return [f"cells: only or elsewhere in one edition {sorted(set(ours) ^ set(theirs))}"]
    found = []
    for one, other in zip(japanese.cells, english.cells, strict=True):
        if tags(one) != tags(other):
            found.append(f"{one['id']}: tags")
        if one.cell_type == "code":
            keys, wanted = ("source", "outputs", "execution_count"), refresh.paired_cell(one, other)
            found += [f"{one['id']}: {key}" for key in keys if wanted[key] != other[key]]
            found += caption_differences(one, other)
    return found


def caption_differences(japanese, english):
    """Return how the captions and alt texts of a pair of cells differ in kind, or do not differ."""
    ours, theirs = captions(japanese), captions(english)
    if set(ours) != set(theirs):
        return [f"{japanese['id']}: {sorted(set(ours) ^ set(theirs))} in one edition only"]
    return [
        f"{japanese['id']}: {key} is not translated" for key in ours if ours[key] == theirs[key]
    ]


def untranslated(text, language):
    """Return the parts of a Markdown text that are in the language of the other edition."""
    found = [refresh.UNTRANSLATED] if refresh.UNTRANSLATED.strip() in text else []
    for piece in pieces(text):
        if piece.bilingual:
            continue
        if language == "en" and piece.kind in ("text", "html") and JAPANESE.search(piece.value):
            found.append(piece.value)
        if language == "ja" and piece.kind == "paragraph" and is_english(piece.value):
            found.append(piece.value)
    return found


def is_english(paragraph):
    """Return whether a paragraph has more than 12 ASCII words and, outside quotes, no Japanese."""
    said = QUOTED.sub(" ", paragraph)
    return len(re.findall(r"[A-Za-z]{2,}", said)) > 12 and not JAPANESE.search(said)


def pairs():
    """Return the paths of each page in both editions, relative to the edition."""
    return [path.relative_to(CHAPTERS / "ja") for path in pages("ja")]


def test_both_editions_have_the_same_files():
    ours, theirs = (
        {path.relative_to(CHAPTERS / language) for path in pages(language)}
        for language in ("ja", "en")
    )
    assert ours == theirs
    assert any(path.suffix == ".ipynb" for path in ours)


@pytest.mark.parametrize("page", pairs(), ids=str)
def test_both_editions_have_the_same_cells_code_tags_and_outputs(page):
    if page.suffix == ".ipynb":
        ours, theirs = (read_notebook(CHAPTERS / language / page) for language in ("ja", "en"))
        found = cell_differences(ours, theirs)
        assert not found, "\n".join(found)
    else:
        assert prose(CHAPTERS / "ja" / page).keys() == prose(CHAPTERS / "en" / page).keys()


@pytest.mark.parametrize("page", pairs(), ids=str)
def test_both_editions_have_the_same_skeleton_and_numerals(page):
    ours, theirs = (prose(CHAPTERS / language / page) for language in ("ja", "en"))
    shared = [place for place in ours if place in theirs]
    found = [
        f"{place}: {line}" for place in shared for line in differences(ours[place], theirs[place])
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("language", ["ja", "en"])
def test_every_text_is_in_the_language_of_its_edition(language):
    found = [
        f"{path.name} {place}: {part}"
        for path in pages(language)
        for place, text in prose(path).items()
        for part in untranslated(text, language)
    ]
    assert not found, "\n".join(found)


def test_the_english_notebooks_are_what_a_sync_would_write():
    names = [str(path.stem) for path in notebooks("ja")]
    assert refresh.main(["--check", *names]) == 0


# What the checks are themselves tested with.

JA = """(mask)=
# 因果マスク

式 $k \\le q$ と `mask` は {cite}`a2020x,b2021y` の1,024個に効く。{ref}`mask` と [表](#tab)。

$$
y = x + 1
$$

:::{admonition} 要点
:class: dropdown
- 2つある
:::
"""
EN = """(mask)=
# The causal mask

`mask` and $k \\le q$ act on 1024 tokens {cite}`a2020x,b2021y` ({ref}`mask`, [table](#tab)).

$$
y = x + 1
$$

:::{admonition} To take away
:class: dropdown
- There are 2
:::
"""


def test_a_faithful_translation_has_no_difference():
    assert differences(JA, EN) == []
    assert untranslated(JA, "ja") == untranslated(EN, "en") == []


@pytest.mark.parametrize(
    ("kind", "old", "new"),
    [
        ("heading", "# The", "## The"),
        ("equation", "x + 1", "x + 2"),
        ("label", "(mask)=", "(masks)="),
        ("citation", "a2020x,b2021y", "b2021y,a2020x"),
        ("cross reference", "{ref}`mask`", "{ref}`head`"),
        ("cross reference", "(#tab)", "(#fig)"),
        ("code span", "`mask` and", "the mask and"),
        ("formula", "$k \\le q$", "$k < q$"),
        ("directive", "{admonition}", "{note}"),
        ("directive", ":class: dropdown", ":class: tip"),
        ("item", "- There are 2", "There are 2"),
        ("numeral", "1024 tokens", "1,025 tokens"),
        ("numeral", "There are 2", "There are two"),
        ("listing", "- There", "```\ncode\n```\n- There"),
        ("image", "- There", "![x](x.png)\n- There"),
        ("cell", "- There", "| a |\n|---|\n\n- There"),
    ],
)
def test_a_planted_difference_between_the_editions_is_found(kind, old, new):
    assert EN.count(old) == 1
    assert any(line.startswith(f"{kind}: ") for line in differences(JA, EN.replace(old, new)))


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "The 注意 of a head."),
        ("en", "A paragraph.\n\n:::{note} 注意\nBody\n:::"),
        ("en", "| 注意 |\n|---|"),
        ("en", "![注意](x.png)"),
        ("en", "```{glossary}\nattention\n  重みつき平均。\n```"),
        ("en", refresh.UNTRANSLATED + "A title"),
        ("ja", "This is a paragraph of more than twelve words that nobody has translated yet."),
        ("ja", "- An item of a list is a paragraph too, and this one has not been translated."),
    ],
)
def test_text_in_the_wrong_language_is_found(language, text):
    assert untranslated(text, language)


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "The token `注意` is text."),
        ("en", "```\n注意\n```"),
        ("en", "The term [注意]{.bilingual} is attention."),
        ("en", "{.bilingual}\n| attention | 注意 |\n|---|---|"),
        ("en", ":::{div} bilingual\n注意\n:::"),
        ("en", "```{glossary}\nattention (注意)\n  A weighted mean.\n```"),
        ("ja", "Attention Is All You Need"),
        ("ja", "論文の題は Attention is all you need and some more words to be read here である。"),
    ],
)
def test_marked_text_and_code_may_be_in_the_other_language(language, text):
    assert untranslated(text, language) == []


def small_notebook(**changes):
    """Return a notebook of two cells, with the changes given."""
    given = {"source": "1 + 1", "tags": ["hide-input"], "caption": "和", "id": "sum", "text": "2"}
    given |= changes
    output = new_output("execute_result", {"text/plain": given["text"]}, execution_count=1)
    metadata = {"tags": given["tags"], "mystnb": {"figure": {"caption": given["caption"]}}}
    code = new_code_cell(
        given["source"], id=given["id"], metadata=metadata, outputs=[output], execution_count=1
    )
    return new_notebook(cells=[new_markdown_cell("題", id="title"), code])


@pytest.mark.parametrize(
    "change",
    [
        {"source": "1 + 2"},
        {"tags": []},
        {"id": "total"},
        {"text": "3"},
        {"caption": "和"},
    ],
)
def test_a_planted_difference_between_notebooks_is_found(change):
    japanese, english = small_notebook(), small_notebook(caption="The sum")
    assert cell_differences(japanese, english) == []
    assert cell_differences(japanese, small_notebook(**{"caption": "The sum", **change}))


def test_a_cell_in_another_place_is_found():
    japanese, english = small_notebook(), small_notebook(caption="The sum")
    english.cells.reverse()
    assert cell_differences(japanese, english)


def test_the_tool_that_marks_untranslated_text_is_the_one_in_the_repository():
    assert Path(refresh.__file__) == TOOL
