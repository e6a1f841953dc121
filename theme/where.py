"""The {where-is} directive: where each concept is, in the code and in the book.

A row of chapters/where.csv is a concept in both languages, its object below gpt_helpers, a page
and a label of it (architecture#causal-mask), and its test. The page shows all but the test, with
links, as a table that a reader can sort and filter.
"""

import csv
from pathlib import Path

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.util.docutils import SphinxDirective

from .tables import SORTABLE

ROWS = Path(__file__).resolve().parents[1] / "chapters" / "where.csv"
HEADER = {
    "ja": ("どこにあるか", "コード", "本"),
    "en": ("where is ...?", "in the code", "in the book"),
}


def read_rows(path=ROWS):
    """Return the rows, each a dict from column to text."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


class WhereIs(SphinxDirective):
    """Put the table on the page."""

    def run(self):
        """Return the table."""
        self.env.note_dependency(str(ROWS))
        head = [nodes.Text(text) for text in HEADER[self.config.language]]
        rows = [self.cells(row) for row in read_rows()]
        columns = [nodes.colspec(colwidth=1, stub=int(i == 0)) for i in range(len(head))]
        parts = [nodes.thead("", to_row(head)), nodes.tbody("", *map(to_row, rows))]
        group = nodes.tgroup("", *columns, *parts, cols=len(head))
        return [nodes.table("", group, classes=["where-is", SORTABLE])]

    def cells(self, row):
        """Return what stands in the cells of a row: the concept, its object, its section."""
        label = row["section"].partition("#")[2]
        concept = nodes.Text(row[f"concept_{self.config.language}"])
        code = nodes.literal("", row["object"], classes=["xref"])
        section = nodes.inline("", label)
        return [
            concept,
            self.link(code, "py", "obj", f"gpt_helpers.{row['object']}", explicit=True),
            self.link(section, "std", "ref", label, explicit=False),
        ]

    def link(self, content, domain, kind, target, explicit):
        """Return a link that Sphinx resolves; one that is not explicit takes its target's title."""
        return pending_xref(
            "", content, refdomain=domain, reftype=kind, reftarget=target,
            refexplicit=explicit, refwarn=True, refdoc=self.env.docname,
        )  # fmt: skip


def to_row(cells):
    """Return a docutils row."""
    entries = [nodes.entry("", nodes.paragraph("", "", cell)) for cell in cells]
    return nodes.row("", *entries)


def setup(app):
    """Register the directive."""
    app.add_directive("where-is", WhereIs)
