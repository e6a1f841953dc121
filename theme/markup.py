"""HTML of other packages, written anew where it is in English or lost on assistive technology."""

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
WIDE = 700  # pixels
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
    """Write an image that is fetched when it comes near, with its size so that nothing moves.

    A wide one gets a box in which it scrolls on a phone, where its letters would be too small.
    """
    size = get_image_size(Path(translator.builder.srcdir, node["uri"]))
    node["loading"] = "lazy"
    type(translator).visit_image(translator, node)
    if size and translator.body[-1].startswith("<img"):
        attributes = f'<img width="{size[0]}" height="{size[1]}"'
        image = translator.body[-1].replace("<img", attributes, 1)
        is_wide = size[0] > WIDE and isinstance(node.parent, nodes.figure)
        translator.body[-1] = f'<div class="scrolls wide">{image}</div>\n' if is_wide else image


def setup(app):
    """Register the nodes written anew and the checks."""
    PygmentsBridge.html_formatter = LeanFormatter
    app.add_node(nodes.image, override=True, html=(write_image, None))
    app.add_transform(NameEmptyHeaders)
    app.add_node(HideCodeCellNode, override=True, html=(open_hidden_code, close_hidden_code))
    app.add_node(nodes.citation, override=True, html=(open_citation, close_citation))
    app.connect("doctree-resolved", require_alt)
