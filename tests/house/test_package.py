"""The package as others install it: a wheel with every file, and the packages that it asks for."""

import ast
import io
import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile

import pytest

from tests.helpers.book import ROOT, code_cells, notebooks, read_notebook

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
NOT_NEEDED = {"huggingface_hub"}  # asked for by name, in an error, where a model is to be fetched
READ = """
from gpt_helpers import demo
from gpt_helpers.variants.published import published_models
from gpt_helpers.weights.pretrained import load_model
print(demo.__file__)
print(len(demo.sections("ja")), len(demo.sections("en")), sep="\\n")
print(len(published_models()))
print(load_model()[0].config.n_layer)
"""


def git(*arguments):
    """Return what git writes."""
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, check=True).stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Return the path of a wheel of the files that git knows, as they are in the working tree."""
    folder = tmp_path_factory.mktemp("wheel")
    names = [name for name in git("ls-files", "-z").decode().split("\0") if name]
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name in names:
            if (ROOT / name).is_file():
                tar.add(ROOT / name, name)
    archive.seek(0)
    with tarfile.open(fileobj=archive) as tar:
        tar.extractall(folder / "source", filter="data")
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--quiet"]
    command += ["--wheel-dir", str(folder), str(folder / "source")]
    subprocess.run(command, check=True, capture_output=True)
    return next(folder.glob("*.whl"))


def test_the_wheel_holds_every_file_of_the_package_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    known = set(git("ls-files", "gpt_helpers").decode().splitlines())
    assert packed == {name for name in known if (ROOT / name).is_file()}


@pytest.fixture(scope="module")
def run_installed(wheel):
    """Return a function that runs Python in a folder, with the package from the wheel."""
    installed = wheel.with_name("installed")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(installed)

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
        assert numbers(pins[name]) >= numbers(least), line


def numbers(version):
    """Return the numbers of a version."""
    return [int(part) for part in version.split(".")]
