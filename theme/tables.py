"""Data frames as real tables.

The HTML that pandas writes has empty header cells and its own styles, and MyST-NB would number it
as a figure. A cell with "mystnb": {"figure": {"name": ..., "caption": ...}} whose output is a data
frame becomes a table with that caption as its title, numbered and referred to as a table. With
"classes": "sortable" beside them a reader can sort and filter it (static/sortable.js).
"""

import re
from xml.etree import ElementTree

from docutils import nodes
from sphinx.transforms import SphinxTransform

NUMBER = re.compile(r"[-+]?[\d.,]+(e[-+]?\d+)?\s*%?|nan|-?inf", re.IGNORECASE)
SORTABLE = "sortable"


class DataFrames(SphinxTransform):
    """Replace the HTML of data frames before Sphinx numbers figures and tables."""

    default_priority = 500

    def apply(self, **options):
        """Rewrite every cell output that holds a data frame."""
        for bundle in list(self.document.findall(nodes.container)):
            html = [raw for raw in bundle.findall(nodes.raw) if 'class="dataframe"' in raw.astext()]
            if bundle.get("nb_element") == "mime_bundle" and html:
                table = read_table(html[0].astext())
                figure = bundle.parent if isinstance(bundle.parent, nodes.figure) else bundle
                self.take_caption(table, figure)
                figure.replace_self(table)

    def take_caption(self, table, figure):
        """Give the table the caption of a figure as its title, and its name and ids."""
        for attribute in ("ids", "names"):
            table[attribute] = figure[attribute]
        table["classes"] += [name for name in figure["classes"] if name == SORTABLE]
        for identifier in table["ids"]:
            self.document.ids[identifier] = table
        for caption in figure.findall(nodes.caption):
            table.insert(0, nodes.title("", "", *caption.children))


def read_table(html):
    """Return the docutils table of a data frame's HTML."""
    source = ElementTree.fromstring(html[html.index("<table") : html.index("</table>") + 8])
    head = merge_index_names(grid(source.find("thead")))
    body = grid(source.find("tbody"))
    n_columns = max(len(row) for row in head + body)
    n_index = len(source.find("tbody/tr").findall("th")) if body else 0
    columns = [nodes.colspec(colwidth=1, stub=int(i < n_index)) for i in range(n_columns)]
    numeric = [is_numeric(texts) for texts in zip(*body, strict=True)]
    rows = [[make_row(row, numeric, n_index) for row in part] for part in (head, body)]
    parts = [nodes.thead("", *rows[0]), nodes.tbody("", *rows[1])]
    group = nodes.tgroup("", *columns, *parts, cols=n_columns)
    return nodes.table("", group, classes=["data-frame"])


def is_numeric(texts):
    """Say whether the cells of a column are numbers; some of them may be empty."""
    filled = [text for text in texts if text]
    return bool(filled) and all(map(NUMBER.fullmatch, filled))


def grid(part):
    """Return the texts of a table part as rows of equal length: a spanning cell is repeated."""
    rows = [{} for _row in part]
    for number, row in enumerate(part):
        for cell in row:
            column = next(i for i in range(10_000) if i not in rows[number])
            text = "".join(cell.itertext()).strip()
            for down in range(int(cell.get("rowspan", 1))):
                for right in range(int(cell.get("colspan", 1))):
                    rows[number + down][column + right] = text
    return [[row[column] for column in sorted(row)] for row in rows]


def merge_index_names(head):
    """Return the header rows in one when the last only names the index, as pandas writes it."""
    if len(head) > 1 and not any(a and b for a, b in zip(*head[-2:], strict=True)):
        return [*head[:-2], [a or b for a, b in zip(*head[-2:], strict=True)]]
    return head


def make_row(texts, numeric, n_index):
    """Return a docutils row; cells of columns that hold numbers only are marked."""
    row = nodes.row()
    for column, text in enumerate(texts):
        is_number = column >= n_index and column < len(numeric) and numeric[column]
        classes = ["number"] if is_number else []
        row += nodes.entry("", nodes.paragraph("", text), classes=classes)
    return row


def add_script(app, pagename, templatename, context, doctree):
    """Give a page with a table that can be sorted the script that does it."""
    tables = doctree.findall(nodes.table) if doctree else ()
    if any(SORTABLE in table["classes"] for table in tables):
        app.add_js_file("sortable.js", loading_method="defer")


def setup(app):
    """Register the tables."""
    app.add_transform(DataFrames)
    app.connect("html-page-context", add_script)
