"""Docstrings are plain text: the API page keeps indented lines as they are and cites sources."""

import re

MARKUP = re.compile(r"[*`|\\]|_\b")
CITATION = re.compile(r"\b[a-z]+\d{4}[a-z0-9]*\b")


def to_markup(app, what, name, obj, options, lines):
    """Rewrite a docstring, in place, as the reStructuredText that shows it as it was written."""
    written = []
    literal = False
    for line in lines:
        if line.startswith(" ") and not literal:
            written += ["::", ""]
        literal = line.startswith(" ") or (literal and not line)
        written.append(line if literal else cite(escape(line)))
    lines[:] = written


def escape(line):
    """Return the line with a backslash before each character that would be markup."""
    return MARKUP.sub(lambda match: "\\" + match.group(), line)


def cite(line):
    """Return the line with the keys of the bibliography as citations: vaswani2017attention."""
    return CITATION.sub(lambda match: f":cite:t:`{match.group()}`", line)


def skip_parts(app, what, name, obj, skip, options):
    """Leave out what a class says of its parts, a class each: they are listed by themselves."""
    return True if what == "class" and isinstance(obj, type) else None


def setup(app):
    """Register the rewriting of docstrings, and what is left out."""
    app.connect("autodoc-process-docstring", to_markup)
    app.connect("autodoc-skip-member", skip_parts)
