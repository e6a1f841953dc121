"""tools/refresh.py: running the Japanese notebooks and syncing the English ones."""

import importlib.util
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

TOOL = Path(__file__).resolve().parents[2] / "tools" / "refresh.py"
specification = importlib.util.spec_from_file_location("refresh", TOOL)
refresh = importlib.util.module_from_spec(specification)
specification.loader.exec_module(refresh)

FIGURE = {"figure": {"name": "fig-sum", "caption": "合計。"}, "image": {"alt": "棒が2本。"}}


def notebook(*cells):
    """Return a notebook of (id, kind, source, metadata) cells with clutter in its metadata."""
    make = {"code": new_code_cell, "markdown": new_markdown_cell}
    clutter = {"language_info": {"name": "python", "version": "3.11.7"}, "widgets": {"x": 1}}
    made = [make[kind](text, id=key, metadata=metadata) for key, kind, text, metadata in cells]
    return new_notebook(cells=made, metadata=clutter)


@pytest.fixture
def chapters(tmp_path):
    """Return a folder with a small notebook in ja and an older translation in en."""
    japanese = notebook(
        ("title", "markdown", "# 題", {}),
        ("sum", "code", "{'b': 1 + 1}", {"mystnb": FIGURE, "execution": {"started": "now"}}),
        ("reading", "markdown", "2になる。", {}),
        ("text", "code", "'x' * 3", {"tags": ["hide-input"]}),
    )
    english = notebook(
        ("title", "markdown", "# Title", {}),
        ("gone", "markdown", "An old cell.", {}),
        ("sum", "code", "old", {"mystnb": {"figure": {"caption": "The sum."}, "old": 1}}),
    )
    for language, content in {"ja": japanese, "en": english}.items():
        (tmp_path / language).mkdir()
        nbformat.write(content, tmp_path / language / "page.ipynb")
    return tmp_path


def files(chapters):
    """Return the bytes of both notebooks."""
    return [(chapters / language / "page.ipynb").read_bytes() for language in ("ja", "en")]


def read(chapters, language):
    """Return the notebook of one edition as {cell id: cell}."""
    return {c["id"]: c for c in nbformat.read(chapters / language / "page.ipynb", 4).cells}


def test_a_refresh_runs_ja_and_copies_code_tags_and_outputs_to_en(chapters):
    assert refresh.main(["--chapters", str(chapters)]) == 0
    japanese, english = read(chapters, "ja"), read(chapters, "en")
    assert list(english) == list(japanese) == ["title", "sum", "reading", "text"]
    assert japanese["text"].outputs[0].data["text/plain"] == "'xxx'"
    assert [japanese[key].execution_count for key in ("sum", "text")] == [1, 2]
    for key in ("sum", "text"):
        assert english[key].source == japanese[key].source
        assert english[key].outputs == japanese[key].outputs
        assert english[key].metadata.get("tags") == japanese[key].metadata.get("tags")


def test_a_refresh_keeps_translations_and_marks_what_has_none(chapters):
    refresh.main(["--chapters", str(chapters), "--sync-only"])
    english = read(chapters, "en")
    assert english["title"].source == "# Title"
    assert english["reading"].source == refresh.UNTRANSLATED + "2になる。"
    captioned = english["sum"].metadata["mystnb"]
    assert captioned["figure"] == {"name": "fig-sum", "caption": "The sum."}
    assert captioned["image"]["alt"] == refresh.UNTRANSLATED + "棒が2本。"


def test_a_refresh_removes_unstable_metadata(chapters):
    refresh.main(["--chapters", str(chapters)])
    for language in ("ja", "en"):
        metadata = nbformat.read(chapters / language / "page.ipynb", 4).metadata
        assert metadata == refresh.NOTEBOOK_METADATA
        assert "execution" not in read(chapters, language)["sum"].metadata


def test_a_second_refresh_gives_the_same_bytes_of_text_and_figures(chapters):
    path = chapters / "ja" / "page.ipynb"
    plotting = nbformat.read(path, 4)
    plotting.cells[-1].source = "from matplotlib.pyplot import plot\nlines = plot([1, 2])"
    nbformat.write(plotting, path)
    refresh.main(["--chapters", str(chapters)])
    assert "image/png" in read(chapters, "en")["text"].outputs[0].data
    first = files(chapters)
    refresh.main(["--chapters", str(chapters)])
    assert files(chapters) == first


def test_a_failing_notebook_leaves_both_files_and_names_its_cell(chapters, capsys):
    path = chapters / "ja" / "page.ipynb"
    failing = nbformat.read(path, 4)
    failing.cells[-1].source = "1 / 0"
    nbformat.write(failing, path)
    before = files(chapters)
    assert refresh.main(["--chapters", str(chapters)]) == 1
    assert files(chapters) == before
    message = capsys.readouterr().err
    assert "'text'" in message
    assert "ZeroDivisionError" in message


def test_a_check_changes_nothing_and_fails_until_the_editions_agree(chapters):
    before = files(chapters)
    assert refresh.main(["--chapters", str(chapters), "--check"]) == 1
    assert files(chapters) == before
    refresh.main(["--chapters", str(chapters), "--sync-only"])
    assert refresh.main(["--chapters", str(chapters), "--check"]) == 0


def test_a_missing_translation_file_is_created_and_an_unknown_name_is_refused(chapters):
    (chapters / "en" / "page.ipynb").unlink()
    assert refresh.main(["--chapters", str(chapters), "--sync-only", "page.ipynb"]) == 0
    assert read(chapters, "en")["title"].source.startswith(refresh.UNTRANSLATED)
    with pytest.raises(SystemExit, match="other"):
        refresh.main(["--chapters", str(chapters), "other"])


def test_each_edition_sets_its_language_and_shows_what_an_output_says_in_it(chapters):
    path = chapters / "ja" / "page.ipynb"
    answering = nbformat.read(path, 4)
    answering.cells[-1].source = (
        'from gpt_helpers import language\nlanguage.use("ja")\n'
        'language.Translated({"ja": "a", "en": "b"})'
    )
    nbformat.write(answering, path)
    for options in ([], ["--sync-only"], ["--check"]):
        assert refresh.main(["--chapters", str(chapters), *options]) == 0
        for edition, text in (("ja", "a"), ("en", "b")):
            cell = read(chapters, edition)["text"]
            assert f'language.use("{edition}")' in cell.source
            assert cell.outputs[0].data == {"text/plain": text}
            known = {"text/plain": {"ja": "a", "en": "b"}}  # of use to a sync only
            assert cell.outputs[0].metadata == (known if edition == "ja" else {})
