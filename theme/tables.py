"""Data frames as real tables.

The HTML that pandas writes has empty header cells and its own styles, and MyST-NB would number it
as a figure. A cell with "mystnb": {"figure": {"name": ..., "caption": ...}} whose output is a data
frame becomes a table with that caption as its title, numbered and referred to as a table. With
"classes": "sortable" beside them a reader can sort and filter it (static/sortable.js).

Numbers are written for people (numbers.py), headings and names of rows in the page's language. A
caption stands above the box in which its table scrolls; a wide table is printed on a page across.
"""

import re
from xml.etree import ElementTree

from docutils import nodes
from sphinx.locale import _
from sphinx.transforms import SphinxTransform

from gpt_helpers.figures.words import width_in_letters, word
from theme.numbers import share_of_numbers, write_column, write_powers

SORTABLE = "sortable"
LANDSCAPE = "landscape"
PAPER = 95  # letters that a table may be wide on a page of A4 that stands upright
CAPTION = re.compile(r"<caption>(.*?)</caption>\s*", re.DOTALL)
MARKS = {"True": ("✓", "yes"), "False": ("✗", "no")}


class DataFrames(SphinxTransform):
    """Replace the HTML of data frames before Sphinx numbers figures and tables."""

    default_priority = 500

    def apply(self, **options):
        """Rewrite every cell output that holds a data frame."""
        for bundle in list(self.document.findall(nodes.container)):
            html = [raw for raw in bundle.findall(nodes.raw) if 'class="dataframe"' in raw.astext()]
            if bundle.get("nb_element") == "mime_bundle" and html:
                table = read_table(html[0].astext(), self.config.language)
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


def read_table(html, language="en"):
    """Return the docutils table of a data frame's HTML, with headings in a language."""
    source = ElementTree.fromstring(html[html.index("<table") : html.index("</table>") + 8])
    head = merge_index_names(grid(source.find("thead")))
    body = grid(source.find("tbody"))
    n_index = len(source.find("tbody/tr").findall("th")) if body else 0
    numeric = [share_of_numbers(texts) > 1 / 2 for texts in zip(*body, strict=True)]
    body = write_body(head, body, n_index, language)
    head = [[write_heading(text, language) for text in row] for row in head]
    columns = [nodes.colspec(colwidth=1, stub=int(i < n_index)) for i in range(len(head[0]))]
    rows = [[make_row(row, numeric) for row in part] for part in (head, body)]
    parts = [nodes.thead("", *rows[0]), nodes.tbody("", *rows[1])]
    group = nodes.tgroup("", *columns, *parts, cols=len(columns))
    classes = ["data-frame", *[LANDSCAPE] * (width([*head, *body]) > PAPER)]
    return nodes.table("", group, classes=classes)


def write_body(head, body, n_index, language):
    """Return the rows of a body with its numbers and the names of its rows for people."""
    row_names = [row[n_index - 1] if n_index else "" for row in body]
    columns = [
        write_column(texts, name, row_names)
        for name, texts in zip(head[-1], zip(*body, strict=True), strict=True)
    ]
    for column in columns[:n_index]:
        column[:] = [write_heading(text, language) for text in column]
    return [list(row) for row in zip(*columns, strict=True)]


def write_heading(text, language):
    """Return the name of a column or of a row in a language, with powers of ten for people."""
    return write_powers(word(text, language))


def width(rows):
    """Return about how many letters wide a table is, two between its columns."""
    return sum(max(map(width_in_letters, texts)) + 2 for texts in zip(*rows, strict=True))


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


def make_row(texts, numeric):
    """Return a docutils row; cells of columns that hold numbers are marked."""
    row = nodes.row()
    for column, text in enumerate(texts):
        classes = ["number"] if numeric and numeric[column] else []
        row += nodes.entry("", make_cell(text), classes=classes)
    return row


def make_cell(text):
    """Return what stands in a cell: a text, or a mark for who sees and a word for who listens."""
    if text not in MARKS:
        return nodes.paragraph("", text)
    mark, spoken = MARKS[text]
    seen = nodes.raw("", f'<span aria-hidden="true">{mark}</span>', format="html")
    return nodes.paragraph("", "", seen, nodes.inline("", _(spoken), classes=["visually-hidden"]))


def open_table(translator, node):
    """Begin a table, and note where."""
    node["begins"] = len(translator.body)
    type(translator).visit_table(translator, node)


def close_table(translator, node):
    """End a table; a caption comes out of the box in which the table scrolls."""
    type(translator).depart_table(translator, node)
    html = "".join(translator.body[node["begins"] :])
    translator.body[node["begins"] :] = [lift_caption(html, LANDSCAPE in node["classes"])]


def lift_caption(html, is_wide):
    """Return a table's HTML with its caption, if it has one, and its id on a figure around it."""
    caption = CAPTION.search(html)
    if not caption:
        return html
    table = re.search(r'<table[^>]*?( id="([^"]*)")', html)
    name = f"{table[2]}-caption"
    html = html.replace(caption[0], "", 1)
    html = html.replace(table[1], f' aria-labelledby="{name}"', 1)
    classes = f"table-figure {LANDSCAPE}" if is_wide else "table-figure"
    title = f'<figcaption id="{name}"><p>{caption[1]}</p></figcaption>'
    return f'<figure class="{classes}" id="{table[2]}">{title}\n{html}</figure>\n'


def add_script(app, pagename, templatename, context, doctree):
    """Give a page with a table that can be sorted the script that does it."""
    tables = doctree.findall(nodes.table) if doctree else ()
    if any(SORTABLE in table["classes"] for table in tables):
        app.add_js_file("sortable.js", loading_method="defer")


def setup(app):
    """Register the tables."""
    app.add_transform(DataFrames)
    app.add_node(nodes.table, override=True, html=(open_table, close_table))
    app.connect("html-page-context", add_script)
