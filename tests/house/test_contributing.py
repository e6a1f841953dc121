"""What CONTRIBUTING.md and the READMEs say is so: paths, commands, times, and private names.

A private name belongs to another package, which may drop it in any version. The list of them is
in CONTRIBUTING.md, for those who upgrade: package, names, file, what happens without them.
"""

import ast
import re

import pytest

from tests.helpers.book import ROOT

DOORS = ("CONTRIBUTING.md", "README.md", "README.ja.md")
FOLDERS = "benchmarks|chapters|docs|gpt_helpers|tests|theme|tools"
PATH = re.compile(rf"(?<![\w/.])((?:{FOLDERS})/[\w./-]*\w)")
PLACEHOLDER = re.compile(r"\b(ROOM|NAME|PAGE)\b")
LIST_ROW = re.compile(r"^\| [^|]+ \| ((?:`\w[\w.]*`(?:, )?)+) \| `([^`]+)` \| [^|]+ \|$", re.M)
OWN = ("self", "cls")
DOCUMENTED = {"_asdict"}  # of named tuples: the underscore keeps it apart from their fields
LONG = ("model", "ablations", "ladder", "sweep", "applications")


def private_names(source):
    """Return the private names of others that a Python source uses: attributes and imports."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and getattr(node.value, "id", "") not in OWN:
            found.add(node.attr)
        elif isinstance(node, ast.ImportFrom):
            found |= {*(node.module or "").split("."), *(alias.name for alias in node.names)}
    return {name for name in found if re.fullmatch(r"_[A-Za-z]\w*", name)} - DOCUMENTED


def private_names_of_script(source):
    """Return the private names of others that a script uses."""
    return set(re.findall(r"(?<!this)\.(_[A-Za-z]\w*)", source))


def used():
    """Return {(name, file)} of the private names in the theme, the tools and the package."""
    found = set()
    for folder in ("theme", "tools", "gpt_helpers"):
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in (".py", ".js"):
                find = private_names if path.suffix == ".py" else private_names_of_script
                names = find(path.read_text("utf-8"))
                found |= {(name, str(path.relative_to(ROOT))) for name in names}
    return found


def listed():
    """Return {(name, file)} of the list in CONTRIBUTING.md."""
    rows = LIST_ROW.findall((ROOT / "CONTRIBUTING.md").read_text("utf-8"))
    return {(name, file) for names, file in rows for name in re.findall(r"`([^`]+)`", names)}


def test_every_private_name_of_another_package_is_on_the_list():
    assert used() - listed() == set()


def test_every_name_on_the_list_is_in_its_file():
    assert len(listed()) > 10
    lost = [(n, f) for n, f in listed() if n not in (ROOT / f).read_text("utf-8")]
    assert lost == []


@pytest.mark.parametrize(
    ("find", "right", "wrong"),
    [
        (private_names, "self._x = other.x", "other._x = 1"),
        (private_names, "def f(self): return self._x", "def f(self): return super()._x()"),
        (private_names, "from sphinx.locale import _", "from a._b import c"),
        (private_names, "from . import a", "from a import _b"),
        (private_names_of_script, "this._x = 1; const _y = 2", "Search._x = 1"),
    ],
)
def test_a_private_name_of_another_is_found_and_an_own_one_is_not(find, right, wrong):
    assert find(right) == set()
    assert len(find(wrong)) == 1


@pytest.mark.parametrize("door", DOORS)
def test_every_path_that_is_named_is_there(door):
    paths = PATH.findall((ROOT / door).read_text("utf-8"))
    assert len(paths) > 10
    known = [path for path in paths if not PLACEHOLDER.search(path)]
    assert [path for path in known if not (ROOT / path).exists()] == []


def makefile():
    """Return the text of the Makefile."""
    return (ROOT / "Makefile").read_text("utf-8")


@pytest.mark.parametrize("door", DOORS)
def test_every_target_of_make_that_is_named_is_there(door):
    targets = re.findall(r"(?:^|`)make ([\w./]+)", (ROOT / door).read_text("utf-8"), re.M)
    assert len(targets) > 2
    assert [target for target in targets if not re.search(rf"^{target}:", makefile(), re.M)] == []


@pytest.mark.parametrize("command", LONG)
def test_makefile_and_readmes_say_the_same_time(command):
    said = [re.search(rf"^# make {command} .*about (\d+) minutes", makefile(), re.M)[1]]
    for door, unit in (("README.md", "minutes"), ("README.ja.md", "分")):
        text = (ROOT / door).read_text("utf-8")
        said.append(re.search(rf"^make {command} .*?(\d+) ?{unit}", text, re.M)[1])
    assert len(set(said)) == 1, said
