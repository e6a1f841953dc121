"""Data frames as real tables, and the rule that every image has alt text."""

from docutils import nodes
from sphinx.util import logging

LOG = logging.getLogger(__name__)


def require_alt(app, doctree, docname):
    """Warn of every image without alt text, so that the strict build fails."""
    for image in doctree.findall(nodes.image):
        if not image.get("alt"):
            LOG.warning("image without alt text", location=image, type="alt")


def setup(app):
    """Register the check of alt text."""
    app.connect("doctree-resolved", require_alt)
