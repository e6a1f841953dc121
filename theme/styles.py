"""One style sheet for every page: the sheets of all packages, without rules that no page uses.

The packages bring half a megabyte of rules and every icon there is; a page would wait for all of
it before its first word. A rule stays when each class and id of its selector occurs in a page or
as a word in a script; Bootstrap's script counts for the components that a page switches on. The
font of icons keeps the icons that are left.
"""

import posixpath
import re
from importlib.util import find_spec
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTFont
from sphinx.builders.html._assets import _CascadingStyleSheet

THEME = ("_static/styles/theme.css", "_static/styles/pydata-sphinx-theme.css")
BOOTSTRAP = "_static/scripts/bootstrap.js"
SILENT = ("_static/scripts/fontawesome.js", "_static/charts/vega.js", "_static/locales/")
STATES = {"show", "fade", "active", "disabled"}
JOINED = "_static/styles/joined.css"
OLD = (JOINED, "_static/basic.css")
ICONS = "_static/vendor/fontawesome/webfonts"
COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
PIECE = re.compile(r""""(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|\([^(){}"']*\)|[{}();,]|[^{}();,"']+""")
NAME = re.compile(r"[.#](-?[A-Za-z_][\w-]*)")
FUNCTION = re.compile(r":[\w-]+\([^()]*\)")
NESTS = ("@media", "@supports", "@layer", "@container")
PROPERTY = re.compile(r"(--[\w-]+)\s*:")
READ = re.compile(r"var\(\s*(--[\w-]+)")
PRIVATE = re.compile(r"\\([ef][0-9a-f]{3})\b|([\ue000-\uf8ff])")


def use_one_sheet(app, pagename, templatename, context, doctree):
    """Replace the sheets that all pages share by the joined one; a page keeps its own."""
    shared = app.builder._orig_css_files
    own = [sheet for sheet in context["css_files"] if sheet not in shared]
    context["css_files"] = [_CascadingStyleSheet(JOINED), *own]


def write_sheet(app, error):
    """Write the joined sheet and the font of icons, once the pages are there to be searched.

    A build that finds every page up to date collects no sheets, and keeps those it wrote.
    """
    if error or app.builder.format != "html" or not hasattr(app.builder, "_orig_css_files"):
        return
    out = Path(app.outdir)
    shared = sorted(app.builder._orig_css_files, key=lambda sheet: sheet.priority)
    names = dict.fromkeys([*THEME, *(str(sheet.filename) for sheet in shared)])
    css = "".join(read_sheet(out, name) for name in names)
    used = used_names(out)
    css = drop_unread(keep_used(css, used), used | read_elsewhere(out, names))
    (out / JOINED).write_text(f'@charset "UTF-8";\n{css}', encoding="utf-8")
    write_icons(out, PRIVATE.findall(css))


def read_sheet(out, name):
    """Return a style sheet without comments, and the sheets that it imports in their places.

    Addresses are written as from the folder of the joined sheet.
    """
    css = COMMENT.sub("", (out / name).read_text(encoding="utf-8")).replace('@charset "UTF-8";', "")
    here, there = posixpath.dirname(name), posixpath.dirname(JOINED)

    def move(match):
        address = match[1].strip("\"'")
        if address.startswith(("data:", "#", "/")):
            return match[0]
        return f'url("{posixpath.relpath(posixpath.join(here, address), there)}")'

    def include(match):
        return read_sheet(out, posixpath.normpath(posixpath.join(here, match[1])))

    return re.sub(r'@import "([^":]*)";', include, re.sub(r"url\(([^)]*)\)", move, css))


def used_names(out):
    """Return the classes and ids of all pages, and the words of the scripts they may load."""
    used, components = set(), set()
    for path in out.rglob("*.html"):
        if "_static" not in path.parts:
            page = path.read_text(encoding="utf-8")
            for value in re.findall(r'\s(?:class|id)="([^"]*)"', page):
                used.update(value.split())
            components.update(re.findall(r'data-bs-toggle="(\w+)"', page))
    for path in (out / "_static").rglob("*.js"):
        name = path.relative_to(out).as_posix()
        words = set(re.findall(r"[\w-]+", path.read_text(encoding="utf-8")))
        if name == BOOTSTRAP:
            used |= {word for word in words if belongs(word, components)}
        elif not name.startswith(SILENT):
            used |= words
    return used


def read_elsewhere(out, names):
    """Return the custom properties that pages read, and the sheets of single pages."""
    paths = [*out.rglob("*.html"), *(out / "_static").rglob("*.css")]
    files = (path for path in paths if path.relative_to(out).as_posix() not in {*names, *OLD})
    return {name for path in files for name in READ.findall(path.read_text(encoding="utf-8"))}


def belongs(word, components):
    """Return whether a word of Bootstrap's script is a class of one of these components."""
    return word in STATES or word.removeprefix("bs-").split("-")[0] in components


def keep_used(css, used):
    """Return the rules of a style sheet of which each name is used, in order."""
    kept = []
    for head, body in split_rules(css):
        if body is None:
            kept.append(f"{head};")
        elif head.startswith(NESTS):
            inner = keep_used(body, used)
            kept.append(f"{head}{{{inner}}}\n" if inner else "")
        elif head.startswith("@"):
            kept.append(f"{head}{{{body}}}\n")
        else:
            selectors = [s for s in split_at(head, ",") if used.issuperset(names_in(s))]
            kept.append(f"{','.join(selectors)}{{{squeeze(body)}}}\n" if selectors else "")
    return "".join(kept)


def drop_unread(css, read):
    """Return the rules without the custom properties that neither they nor others read."""
    read = read.union(READ.findall(css))

    def keep(match):
        parts = split_at(match[1], ";")
        named = [(part, PROPERTY.match(part)) for part in parts]
        return "{" + ";".join(part for part, name in named if not name or name[1] in read) + "}"

    return re.sub(r"\{([^{}]*--[^{}]*)\}", keep, css)


def split_rules(css):
    """Return the rules of a style sheet as (head, body); a statement has no body."""
    rules, start, opened, depth = [], 0, 0, 0
    for piece in PIECE.finditer(css):
        if piece[0] == "{":
            opened = piece.end() if depth == 0 else opened
            depth += 1
        elif piece[0] == "}":
            depth -= 1
            if depth == 0:
                head = squeeze(css[start : opened - 1])
                rules.append((head, css[opened : piece.start()]))
                start = piece.end()
        elif piece[0] == ";" and depth == 0:
            rules.append((squeeze(css[start : piece.start()]), None))
            start = piece.end()
    return rules


def split_at(css, sign):
    """Return the parts between commas or semicolons; those inside brackets or quotes are text."""
    parts, depth = [""], 0
    for piece in PIECE.findall(css):
        depth += (piece == "(") - (piece == ")")
        if piece == sign and depth == 0:
            parts.append("")
        else:
            parts[-1] += piece
    return [part.strip() for part in parts]


def names_in(selector):
    """Return the classes and ids that an element must have; those in :is() or :not() may lack."""
    while (shorter := FUNCTION.sub("", selector)) != selector:
        selector = shorter
    return NAME.findall(re.sub(r"\[[^]]*\]", "", selector))


def squeeze(css):
    """Return a piece of a style sheet with single spaces."""
    return re.sub(r"\s+", " ", css).strip()


def write_icons(out, characters):
    """Cut the fonts of icons down to the characters that the sheet still draws."""
    wanted = {int(code, 16) if code else ord(letter) for code, letter in characters}
    package = Path(find_spec("pydata_sphinx_theme").origin).parent / "theme/pydata_sphinx_theme"
    for source in (package / "static" / ICONS.removeprefix("_static/")).glob("*.woff2"):
        font = TTFont(source)
        cutter = subset.Subsetter(subset.Options(name_IDs=["*"]))  # the names hold the licence
        cutter.populate(unicodes=wanted)
        cutter.subset(font)
        font.flavor = "woff2"
        font.save(out / ICONS / source.name)


def setup(app):
    """Register the joining of style sheets."""
    app.connect("html-page-context", use_one_sheet, priority=900)
    app.connect("build-finished", write_sheet, priority=900)  # other parts write scripts first
