"""HTML of other packages, written anew where it is in English or lost on assistive technology."""

import re
from pathlib import Path

from docutils import nodes
from myst_nb.sphinx_ import HideCodeCellNode
from pygments.formatters import HtmlFormatter
from pygments.token import Token
from sphinx.highlighting import PygmentsBridge
from sphinx.locale import _
from sphinx.transforms import SphinxTransform
from sphinx.util import logging
from sphinx.util.images import get_image_size

LOG = logging.getLogger(__name__)
CJK = "[\u3000-\u30ff\u3400-\u9fff\uf900-\ufaff\uff01-\uff60]"
STOPS = tuple("。、」』）！？：")
SCALAR = re.compile(r"\bnp\.(?:float|int|uint|bool|str)\w*\(([^()]*)\)")
PLAIN = {Token.Name, Token.Operator, Token.Punctuation, Token.Text.Whitespace}


class NameEmptyHeaders(SphinxTransform):
    """Name header cells without text, as in a column of row names, for those who listen."""

    default_priority = 510  # after the data frames have become tables

    def apply(self, **options):
        """Give every empty header cell a word that is read and not seen."""
        for head in self.document.findall(nodes.thead):
            for entry in head.findall(nodes.entry):
                if not entry.astext():
                    word = nodes.inline("", _("row"), classes=["visually-hidden"])
                    entry[:] = [nodes.paragraph("", "", word)]


class CloseUp(SphinxTransform):
    """Take out the spaces that Markdown wants around bold Japanese, as in **…。** 次."""

    default_priority = 510

    def apply(self, **options):
        """Take a space beside a bold or slanted text and a Japanese character."""
        for node in self.document.findall(lambda n: isinstance(n, nodes.strong | nodes.emphasis)):
            place = node.parent.index(node)
            ends = node.astext().endswith(STOPS)
            close_up(node.parent[:place][-1:], f"(?<={CJK}) $")
            close_up(node.parent[place + 1 :][:1], "^ " if ends else f"^ (?={CJK})")


def close_up(neighbours, space):
    """Take what a pattern finds out of a text that stands beside a node, if there is one."""
    for text in neighbours:
        if isinstance(text, nodes.Text):
            text.parent.replace(text, nodes.Text(re.sub(space, "", text)))


class PlainScalars(SphinxTransform):
    """Show np.float64(0.126), as NumPy 2 writes it, as the number that it is."""

    default_priority = 510

    def apply(self, **options):
        """Rewrite what cells have printed of their values."""
        for block in self.document.findall(nodes.literal_block):
            if "text_plain" in block["classes"]:
                text = SCALAR.sub(r"\1", block.astext())
                block.rawsource, block[:] = text, [nodes.Text(text)]


def require_alt(app, doctree, docname):
    """Warn of every image without alt text, so that the strict build fails."""
    for image in doctree.findall(nodes.image):
        if not image.get("alt"):
            LOG.warning("image without alt text", location=image, type="alt")


def open_hidden_code(translator, node):
    """Write the prompt of a cell's hidden code, without MyST-NB's English label."""
    prompt = translator.encode(node["prompt_show"])
    translator.body.append(f'<details class="hidden-code"><summary>{prompt}</summary>\n')


def close_hidden_code(translator, node):
    """End what open_hidden_code began."""
    translator.body.append("</details>\n")


def open_citation(translator, node):
    """Write an entry of the bibliography, without the roles that ARIA has withdrawn."""
    if not isinstance(node.previous_sibling(), nodes.citation):
        translator.body.append('<div class="citation-list">\n')
    translator.body.append(translator.starttag(node, "div", CLASS="citation"))


def close_citation(translator, node):
    """End an entry, and the list after the last one."""
    last = not isinstance(node.next_node(descend=False, siblings=True), nodes.citation)
    translator.body.append("</div>\n</div>\n" if last else "</div>\n")


class LeanFormatter(HtmlFormatter):
    """Highlight code without a tag around each name and bracket, which look like their context."""

    def _get_css_classes(self, ttype):
        """Return no class for tokens in the colour of plain text."""
        return "" if ttype in PLAIN else super()._get_css_classes(ttype)


def write_image(translator, node):
    """Write an image that is fetched when it comes near, with its size so that nothing moves."""
    size = get_image_size(Path(translator.builder.srcdir, node["uri"]))
    node["loading"] = "lazy"
    type(translator).visit_image(translator, node)
    if size and translator.body[-1].startswith("<img"):
        attributes = f'<img width="{size[0]}" height="{size[1]}"'
        translator.body[-1] = translator.body[-1].replace("<img", attributes, 1)


def setup(app):
    """Register the nodes written anew and the checks."""
    PygmentsBridge.html_formatter = LeanFormatter
    app.add_node(nodes.image, override=True, html=(write_image, None))
    for transform in (NameEmptyHeaders, CloseUp, PlainScalars):
        app.add_transform(transform)
    app.add_node(HideCodeCellNode, override=True, html=(open_hidden_code, close_hidden_code))
    app.add_node(nodes.citation, override=True, html=(open_citation, close_citation))
    app.connect("doctree-resolved", require_alt)
