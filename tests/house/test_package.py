"""The package as others install it: a wheel with every file, and the packages that it asks for."""

import ast
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import distributions

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.helpers.book import ROOT, code_cells, notebooks, read_notebook
from tests.helpers.elsewhere import build_wheel, git, install

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
NOT_NEEDED = {"huggingface_hub"}  # asked for by name, in an error, where a model is to be fetched
PINS = [ROOT / name for name in ("requirements.txt", "constraints.txt", "tests/requirements.txt")]
READ = """
from gpt_helpers import demo
from gpt_helpers.variants.published import published_models
from gpt_helpers.weights.pretrained import load_model
print(demo.__file__)
print(len(demo.sections("ja")), len(demo.sections("en")), sep="\\n")
print(len(published_models()))
print(load_model()[0].config.n_layer)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Return the path of a wheel."""
    return build_wheel(tmp_path_factory.mktemp("wheel"))


def test_the_wheel_holds_every_file_of_the_package_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    known = set(git("ls-files", "gpt_helpers").decode().splitlines())
    assert packed == {name for name in known if (ROOT / name).is_file()}


@pytest.fixture(scope="module")
def run_installed(wheel):
    """Return a function that runs Python in a folder, with the package from the wheel."""
    installed = install(wheel)

    def run(folder, *arguments):
        command = [sys.executable, *arguments]
        environment = {**os.environ, "PYTHONPATH": str(installed)}
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_the_command_of_an_installed_package_runs_in_an_empty_folder(run_installed, tmp_path):
    assert "--language" in run_installed(tmp_path, "-m", "gpt_helpers", "--help")


def test_an_installed_package_finds_its_texts_its_records_and_its_model(run_installed, tmp_path):
    place, *counts = run_installed(tmp_path, "-c", READ).splitlines()
    assert "installed" in place
    assert [int(count) > 1 for count in counts] == [True] * 4


def test_notebooks_are_run_in_an_empty_folder_with_the_installed_package(tmp_path):
    sources = [
        "import os, gpt_helpers; assert os.listdir() == []",
        "assert 'installed' in gpt_helpers.__file__",
        "try:\n    import triton\nexcept ImportError as e:\n    assert e.name == 'triton'\n"
        "else:\n    raise AssertionError('triton is here')",
    ]
    page = new_notebook(cells=[new_code_cell(source) for source in sources])
    nbformat.write(page, tmp_path / "page.ipynb")
    command = [sys.executable, "-m", "pytest", "--nbval", "--nbval-current-env", "-q"]
    command += ["-p", "tests.helpers.elsewhere", "--without", "triton", "--rootdir", str(tmp_path)]
    command += ["-p", "no:cacheprovider", "-c", os.devnull, str(tmp_path / "page.ipynb")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert f"{len(sources)} passed" in done.stdout, done.stdout + done.stderr


def imported():
    """Return the packages that gpt_helpers and the notebooks import, but for those of Python."""
    texts = [path.read_text("utf-8") for path in (ROOT / "gpt_helpers").rglob("*.py")]
    texts += [cell.source for path in notebooks("ja") for cell in code_cells(read_notebook(path))]
    found = set()
    for node in (node for text in texts for node in ast.walk(ast.parse(text))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module.partition(".")[0])
    return {name.lower() for name in found - sys.stdlib_module_names - {"gpt_helpers"}}


def test_the_package_asks_for_what_it_and_the_notebooks_import_with_a_lower_bound():
    asked = {re.match(r"[\w-]+", line)[0]: line for line in PROJECT["dependencies"]}
    assert set(asked) == imported() - NOT_NEEDED
    assert [line for line in asked.values() if ">=" not in line] == []


def test_what_is_pinned_is_what_the_package_may_run_with():
    lines = (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    pins = dict(re.findall(r"^([\w-]+)==([\d.]+)", "\n".join(lines), re.M))
    for line in PROJECT["dependencies"]:
        name, least = re.match(r"([\w-]+)>=([\d.]+)", line).groups()
        assert Version(pins[name]) >= Version(least), line


def test_the_oldest_versions_that_are_tested_are_the_least_that_the_package_asks_for():
    text = (ROOT / "tests/oldest.txt").read_text("utf-8")
    pins = dict(re.findall(r"^([\w-]+)==([\d.]+)", text, re.M))
    for line in PROJECT["dependencies"]:
        name, least = re.match(r"([\w-]+)>=([\d.]+)", line).groups()
        assert Version(pins[name]) == Version(least), line


def test_every_pin_can_be_installed_with_each_python_that_the_package_promises():
    least, most = re.findall(r"3\.\d+", PROJECT["requires-python"])
    releases = [f"{least}.0", f"3.{int(most[2:]) - 1}.0"]
    pins = "\n".join(path.read_text("utf-8") for path in PINS)
    pinned = {canonicalize_name(name) for name in re.findall(r"^([\w.-]+)==", pins, re.M)}
    for found in distributions():
        if canonicalize_name(found.name) not in pinned:
            continue
        wanted = SpecifierSet(found.metadata.get("Requires-Python") or "")
        lacking = [release for release in releases if not wanted.contains(release)]
        assert not lacking, f"{found.name} {found.version} is not for Python {lacking}"
