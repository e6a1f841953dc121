"""The pages of the API: a section for each module of a room of gpt_helpers, found and not listed.

```{room} training
```

is a section for each module of the room; without a name, for those outside of all rooms.

```{rooms}
```

is a list of the pages, api_training and so on, with links to the modules of each.

Both go by the docstring of the package or the room: first come what begins its indented lines,
then what its sentence "Begin with ..." names, then the rest by the alphabet.
"""

import ast
import re
from pathlib import Path

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

import gpt_helpers

PACKAGE = Path(gpt_helpers.__file__).parent
OUTSIDE = ""  # the room of the modules that are in none
BESIDES = "api_package"  # their page
SIGNS = {"ja": ("：", "、"), "en": (": ", ", ")}
SECTION = """```{{eval-rst}}
.. automodule:: gpt_helpers.{name}
   :members:
```"""


def rooms(package=PACKAGE):
    """Return the names of the rooms, in order."""
    found = [path.parent.name for path in package.glob("*/__init__.py")]
    return in_order(found, package / "__init__.py")


def modules(room, package=PACKAGE):
    """Return the dotted names of a room's modules, the room's own first: training.loop."""
    folder = package / room
    paths = folder.rglob("*.py") if room else folder.glob("*.py")
    found = [path.relative_to(folder).with_suffix("") for path in paths]
    names = [".".join(path.parts) for path in found if path.name != "__init__"]
    prefix = f"{room}." if room else ""
    return [prefix + name for name in in_order(names, folder / "__init__.py")]


def in_order(names, path):
    """Return the names in the order of the docstring of the file at path."""
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")), clean=False) or ""
    begin = re.search(r"Begin with ([^.]*)", docstring)
    said = re.findall(r"^ +(\w+)", docstring, re.M) + re.findall(r"\w+", begin[1] if begin else "")
    place = {name: number for number, name in reversed(list(enumerate(said)))}
    return sorted(names, key=lambda name: (place.get(name, len(said)), name.startswith("_"), name))


def within(name, room):
    """Return the name of a module as its room calls it: "loop" of "training.loop"."""
    return name.removeprefix(f"{room}.")


def page_of(room):
    """Return the name of a room's page."""
    return f"api_{room}" if room else BESIDES


class Room(SphinxDirective):
    """Put a section for each module of a room on the page."""

    optional_arguments = 1

    def run(self):
        """Return the sections."""
        room = self.arguments[0] if self.arguments else OUTSIDE
        names = modules(room)
        if not names:
            raise self.error(f"gpt_helpers has no room {room!r}; there are {rooms()}")
        self.env.metadata[self.env.docname]["modules"] = names
        return [self.section(name, within(name, room)) for name in names]

    def section(self, name, title):
        """Return the section of a module."""
        section = nodes.section(names=[title])
        section += nodes.title("", "", nodes.literal("", title))
        self.state.document.note_implicit_target(section, section)
        lines = SECTION.format(name=name).splitlines()
        self.state.nested_parse(StringList(lines), self.content_offset, section)
        return section


class Rooms(SphinxDirective):
    """List the pages of the rooms, and the modules on each."""

    def run(self):
        """Return a list with an item for each page."""
        found = {room: modules(room) for room in [*rooms(), OUTSIDE]}
        self.env.metadata[self.env.docname]["modules"] = found
        colon, comma = SIGNS[self.config.language]
        lines = []
        for room, names in found.items():
            links = (f"{{py:mod}}`{within(n, room)} <gpt_helpers.{n}>`" for n in names)
            lines.append(f"- {{doc}}`{page_of(room)}`{colon}{comma.join(links)}")
        node = nodes.Element()
        self.state.nested_parse(StringList(lines), self.content_offset, node)
        return node.children


def changed_pages(app, env, added, changed, removed):
    """Return the pages whose rooms have other modules than when they were read."""
    everything = {room: modules(room) for room in [*rooms(), OUTSIDE]}
    now = {page_of(room): names for room, names in everything.items()}
    shown = {page: facts["modules"] for page, facts in env.metadata.items() if "modules" in facts}
    return [page for page, names in shown.items() if now.get(page, everything) != names]


def setup(app):
    """Register the directives."""
    app.add_directive("room", Room)
    app.add_directive("rooms", Rooms)
    app.connect("env-get-outdated", changed_pages)
