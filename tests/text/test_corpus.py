"""The corpus: which files it holds, and on which side of the split each of them is."""

import ast
import os
import re

import pytest

from gpt_helpers.text.corpus import (
    Document,
    is_held_out,
    load_corpus,
    load_japanese,
    read_source,
)
from tests.helpers.reference import refused
from tools.prose import prose_of


@pytest.fixture(scope="module")
def corpus():
    return load_corpus()


def test_the_corpus_is_the_standard_library_in_one_order(corpus):
    names = [document.name for document in corpus.training]
    assert names == sorted(names, key=lambda name: name.split("/"))
    assert {"abc.py", "json/decoder.py"} <= {*names, *(d.name for d in corpus.held_out)}
    assert sum(len(document.text) for document in corpus.training) > 5_000_000
    assert load_corpus() == corpus


def test_no_file_is_both_trained_on_and_held_out(corpus):
    training, held_out = ({d.name for d in part} for part in (corpus.training, corpus.held_out))
    assert training.isdisjoint(held_out)
    assert 0.02 < len(held_out) / len(training | held_out) < 0.10
    assert all(map(is_held_out, held_out))
    assert not any(map(is_held_out, training))


def test_tests_and_installed_packages_are_left_out(corpus):
    parts = {part for document in corpus.training for part in document.name.split("/")}
    assert parts.isdisjoint({"test", "tests", "site-packages", "__pycache__", "idlelib"})


def test_what_was_read_is_python(corpus):
    for document in corpus.held_out:
        ast.parse(document.text)


def test_a_folder_of_ones_own_is_split_by_name_only(tmp_path):
    (tmp_path / "deep").mkdir()
    names = [f"deep/m{number}.py" for number in range(60)]
    for name in names:
        (tmp_path / name).write_text(f"# {name}\n", encoding="utf-8")
    (tmp_path / "latin.py").write_bytes("# coding: latin-1\n# é\n".encode("latin-1"))
    corpus = load_corpus(str(tmp_path))
    found = {d.name: d.text for d in (*corpus.training, *corpus.held_out)}
    assert set(found) == {*names, "latin.py"}
    assert "é" in found["latin.py"]
    assert {d.name for d in corpus.held_out} == set(filter(is_held_out, found))


def test_what_is_no_file_of_the_folder_itself_is_left_out(tmp_path):
    folder, elsewhere = tmp_path / ".lib", tmp_path / "elsewhere.py"
    (folder / "package.py").mkdir(parents=True)
    for name in ("a.py", "package.py/b.py", "z.pyi"):
        (folder / name).write_text(f"# {name}\n", encoding="utf-8")
    for hidden in (".venv", ".ipynb_checkpoints", "deep/.git"):
        (folder / hidden).mkdir(parents=True)
        (folder / hidden / "a-checkpoint.py").write_text("# hidden\n", encoding="utf-8")
    (folder / ".hidden.py").write_text("# hidden\n", encoding="utf-8")
    elsewhere.write_text("# elsewhere\n", encoding="utf-8")
    (folder / "link.py").symlink_to(elsewhere)
    (folder / "inner.py").symlink_to(folder / "a.py")
    (folder / "dangling.py").symlink_to(folder / "nowhere.py")
    (folder / ".#lock.py").symlink_to("user@host.123")
    (folder / "loop.py").symlink_to(folder / "loop.py")
    (folder / "round").symlink_to(folder)
    os.mkfifo(folder / "pipe.py")
    corpus = load_corpus(folder)
    found = sorted(document.name for document in (*corpus.training, *corpus.held_out))
    assert found == ["a.py", "package.py/b.py"]


def test_a_folder_without_python_is_refused(tmp_path):
    refused("folder=.* holds no .py files", load_corpus, tmp_path)
    refused("folder=.*none.* holds no .py files", load_corpus, tmp_path / "none")
    for wrong in (3, ["lib"], True):
        refused("folder is a .*must be a path", load_corpus, wrong)
    (tmp_path / "link.py").symlink_to(__file__)
    refused("holds no .py files, links to them aside", load_corpus, tmp_path)
    (tmp_path / "bad.py").write_bytes(b"# \xff\xfe\n")
    refused("bad.py' cannot be read as Python", load_corpus, tmp_path)
    refused("bad.py' cannot be read as Python", read_source, tmp_path / "bad.py")


@pytest.mark.parametrize("codec", ["rot13", "hex", "undefined", "idna", "no-such-codec", "\ud800"])
def test_a_file_that_declares_what_is_no_encoding_of_texts_is_refused(tmp_path, codec):
    text = f"# coding: {codec}\nabc = 'é'\n"
    (tmp_path / "a.py").write_bytes(text.encode("utf-8", "surrogatepass"))
    refused("a.py' cannot be read as Python .*; leave the file out", load_corpus, tmp_path)


def test_a_file_whose_name_is_no_text_is_refused(tmp_path):
    (tmp_path / os.fsdecode(b"a\xff.py")).write_text("a = 1\n")
    refused(r"a\\udcff.py' cannot be read .*its name holds '\\udcff' at 1", load_corpus, tmp_path)


@pytest.mark.parametrize("wrong", ["a\ud800", "\udcff"])
def test_half_a_character_is_neither_a_name_nor_a_text(wrong):
    refused("name holds .* half a character", Document, wrong, "a")
    refused("text of 'a.py' holds .* half a character", Document, "a.py", wrong)


def test_japanese_prose_is_that_of_pages_and_two_are_held_out():
    prose = load_japanese()
    assert len(prose.training) == 6
    assert [page.name for page in prose.held_out] == ["index.txt", "optimization.txt"]
    for page in (*prose.training, *prose.held_out):
        letters = re.findall("[ぁ-んァ-ヶ一-龠ー、。]", page.text)
        assert len(letters) > 0.8 * len(page.text)
        assert not set(page.text) & set("`$|{*#")
    assert prose == load_japanese()


def test_a_line_of_japanese_prose_stands_on_one_side_only():
    training, held_out = (
        {line for page in part for line in page.text.splitlines() if len(line) > 20}
        for part in (load_japanese().training, load_japanese().held_out)
    )
    assert training.isdisjoint(held_out)


def test_prose_is_what_is_left_without_headings_boxes_code_and_formulas():
    lines = [
        "(label)=\n", "# 見出し\n", "本文である。`x` を使う。**続き**の文である {cite}`a2020`。\n",
        "$$\n", "x\n", "$$\n", ":::{note}\n", "箱である。\n", ":::\n", "| 表 |\n", "English.\n",
    ]  # fmt: skip
    cells = [{"cell_type": "markdown", "source": lines}, {"cell_type": "code", "source": ["# 注"]}]
    assert prose_of({"cells": cells}) == "本文である。続きの文である。\n"
