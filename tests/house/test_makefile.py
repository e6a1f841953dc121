"""make installs once: again only if a pin, the place of the folder or its Python has changed."""

import os
import shutil
import subprocess

import pytest

from tests.helpers.book import ROOT

FILES = ("Makefile", "requirements.txt", "constraints.txt", "pyproject.toml")
# In the place of Python: makes an environment with a copy of itself, and says what it was asked.
PYTHON = """#!/bin/sh
case "$*" in
    *"-m venv --clear .venv") rm -rf .venv; mkdir -p .venv/bin; cp "$0" .venv/bin/python ;;
esac
case "$*" in *"-m "*) echo "$*" >> "$LOG" ;; esac
"""
NEW = "-m venv --clear .venv"
BOOK = "-m pip install -r requirements.txt"
TEST = "-m pip install -r tests/requirements.txt"


@pytest.fixture
def made(tmp_path):
    """Return a function that runs a target in a folder, and returns what was installed for it."""
    python, log = tmp_path / "python", tmp_path / "log"
    python.write_text(PYTHON)
    python.chmod(0o755)

    def run(folder, target=".venv/test"):
        log.write_text("")
        environment = {**os.environ, "LOG": str(log), "LC_ALL": "C"}
        command = ["make", f"PYTHON={python}", target]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return log.read_text().splitlines()

    return run


@pytest.fixture
def checkout(tmp_path):
    """Return a folder, its name with a space and Japanese letters, with what make reads."""
    folder = tmp_path / "教科書 と space"
    (folder / "tests").mkdir(parents=True)
    for name in (*FILES, "tests/requirements.txt"):
        shutil.copy(ROOT / name, folder / name)
    return folder


def test_a_second_make_installs_nothing_even_if_a_pin_file_has_a_new_time(made, checkout):
    assert made(checkout) == [NEW, BOOK, TEST]
    for name in (*FILES, "tests/requirements.txt"):
        (checkout / name).touch()
    assert made(checkout) == []


@pytest.mark.parametrize(
    ("name", "installed"),
    [
        *((name, [BOOK, TEST]) for name in FILES[1:]),
        ("tests/requirements.txt", [TEST]),
    ],
)
def test_a_changed_pin_is_installed_into_the_environment_that_is_there(
    name, installed, made, checkout
):
    made(checkout)
    (checkout / name).write_text("# new\n" + (checkout / name).read_text("utf-8"), "utf-8")
    assert made(checkout) == installed
    assert made(checkout) == []


def test_a_folder_that_was_moved_or_whose_python_is_gone_gets_a_new_environment(
    made, checkout, tmp_path
):
    made(checkout)
    moved = checkout.rename(tmp_path / "moved")
    assert made(moved) == [NEW, BOOK, TEST]
    assert made(moved) == []
    (moved / ".venv" / "bin" / "python").unlink()
    assert made(moved) == [NEW, BOOK, TEST]


def test_a_setting_of_another_tool_installs_nothing(made, checkout):
    made(checkout)
    with (checkout / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write("# new\n")
    assert made(checkout) == []


def test_what_the_book_needs_is_installed_without_what_the_tests_need(made, checkout):
    assert made(checkout, ".venv/book") == [NEW, BOOK]
    assert made(checkout) == [TEST]
