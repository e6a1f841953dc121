"""Notebooks run as a reader runs them: in an empty folder, with the package from a wheel.

    python -m pytest -p tests.helpers.elsewhere chapters/ja
    python -m pytest -p tests.helpers.elsewhere --without triton chapters/ja

So a notebook that reads the repository, or a file that the wheel lacks, fails. --without hides a
package from the notebooks, as on a machine where it is not installed.
"""

import functools
import io
import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path
from unittest import mock

from nbval import plugin
from nbval.kernel import RunningKernel

from tests.helpers.book import ROOT

HIDDEN = 'raise ModuleNotFoundError("No module named {0}", name="{0}")\n'


def git(*arguments):
    """Return what git writes."""
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, check=True).stdout


def build_wheel(folder):
    """Return the path of a wheel of the files that git knows, as they are in the working tree."""
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


def install(wheel):
    """Return the folder that holds what is in the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(wheel.with_name("installed"))
    return wheel.with_name("installed")


def hide(names, folder):
    """Return the folder, with modules of these names that cannot be imported."""
    folder.mkdir()
    for name in names:
        (folder / f"{name}.py").write_text(HIDDEN.format(name))
    return folder


class Elsewhere:
    """Kernels that find the package where it is installed, and nothing else."""

    def __init__(self, folder, hidden):
        """Install the package into folder when a kernel is first asked for; hide some others."""
        self.folder, self.hidden = folder, hidden

    @functools.cached_property
    def path(self):
        """What comes first on the path of a kernel."""
        places = hide(self.hidden, self.folder / "hidden"), install(build_wheel(self.folder))
        return os.pathsep.join(map(str, places))

    def kernel(self, name, cwd, startup_timeout):
        """Return a running kernel, in an empty folder instead of the notebook's."""
        empty = tempfile.mkdtemp(dir=self.folder)
        with mock.patch.dict(os.environ, PYTHONPATH=self.path):
            return RunningKernel(name, empty, startup_timeout)


def pytest_addoption(parser):
    """Add the option that hides packages."""
    parser.addoption("--without", action="append", default=[], help="hide a package from notebooks")


def pytest_configure(config):
    """Start the kernels of nbval elsewhere."""
    folder = tempfile.TemporaryDirectory()
    config.add_cleanup(folder.cleanup)
    plugin.RunningKernel = Elsewhere(Path(folder.name), config.getoption("without")).kernel
