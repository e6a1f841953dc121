"""A proof in one line: what a cell has checked, and on a press the code that checked it.

A cell with the tag "check" and "mystnb": {"check": "what was checked"} shows True. The page says
the sentence, in which `code` may stand, and folds the cell away.
"""

import re

from docutils import nodes
from sphinx.transforms import SphinxTransform

CODE = re.compile(r"`([^`]+)`")


class Check(nodes.General, nodes.Element):
    """A cell that is folded away; its first child is the sentence that is in sight."""


class Checked(nodes.General, nodes.TextElement):
    """The sentence of a Check."""


class FoldChecks(SphinxTransform):
    """Fold the cells that check something into what they have checked."""

    default_priority = 510

    def apply(self, **options):
        """Put each cell that carries the tag into a Check."""
        for cell in list(self.document.findall(is_check)):
            sentence = cell["cell_metadata"]["mystnb"]["check"]
            cell[:] = [Check("", Checked("", "", *spoken(sentence)), *cell.children)]


def is_check(node):
    """Return whether a node is a code cell with the tag."""
    tags = (
        node.get("cell_metadata", {}).get("tags", ()) if isinstance(node, nodes.container) else ()
    )
    return "check" in tags


def spoken(sentence):
    """Return a sentence as nodes: `code` in it is a literal, the rest is text."""
    parts = CODE.split(sentence)
    kinds = nodes.Text, lambda text: nodes.literal("", text)
    return [kinds[index % 2](part) for index, part in enumerate(parts) if part]


def open_check(translator, node):
    """Begin the box that opens."""
    translator.body.append('<details class="check">')


def close_check(translator, node):
    """End the box."""
    translator.body.append("</details>\n")


def open_sentence(translator, node):
    """Begin what is seen of a closed box."""
    translator.body.append("<summary>")


def close_sentence(translator, node):
    """End it."""
    translator.body.append("</summary>\n")


def setup(app):
    """Register the fold."""
    app.add_node(Check, html=(open_check, close_check))
    app.add_node(Checked, html=(open_sentence, close_sentence))
    app.add_transform(FoldChecks)
