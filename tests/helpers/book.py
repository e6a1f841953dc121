"""The sources of the book, as the tests read them: pages, cells, and the pieces of prose.

Markdown is read with the parser and the extensions of the book itself. Prose becomes a flat
list of Pieces, so that a test can ask for headings, equations, citations or numerals and is
never deceived by a sign inside a code listing.

A page marks text in the other language by the class "bilingual": [自己注意]{.bilingual} in a
line, {.bilingual} above a paragraph or table, or ":class: bilingual" in a directive. The terms
of a glossary (not what is said about them) need no mark.
"""

import ast
import dataclasses
import functools
import re
from pathlib import Path

import nbformat
from markdown_it.renderer import RendererHTML
from myst_parser.config.main import MdParserConfig
from myst_parser.parsers.mdit import create_md_parser

ROOT = Path(__file__).resolve().parents[2]
CHAPTERS = ROOT / "chapters"
EXTENSIONS = {"amsmath", "attrs_block", "attrs_inline", "colon_fence", "deflist", "dollarmath"}
PARSER = create_md_parser(MdParserConfig(enable_extensions=EXTENSIONS), RendererHTML)
VERBATIM = {
    "bibliography", "code", "code-block", "eval-rst", "hero", "raw", "tableofcontents", "toctree",
}  # fmt: skip
SPOKEN = ("alt", "caption", "unit", "what")  # options of directives that are in a language
JAPANESE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uff66-\uff9f]")
MARK = "bilingual"


@dataclasses.dataclass(frozen=True)
class Piece:
    """One piece of prose: its kind, what it says, and whether it may be in the other language.

    Kinds: heading ("h2"), label, equation, directive, listing, math, role, code, image, link,
    item and cell (of lists and tables), text, and paragraph, which is all the text of a block.
    """

    kind: str
    value: str
    bilingual: bool = False


def pages(language):
    """Return the paths of the pages of one edition, notebooks and Markdown files."""
    folder = CHAPTERS / language
    return sorted(path for path in folder.rglob("*") if path.suffix in (".ipynb", ".md"))


def notebooks(language):
    """Return the paths of the notebooks of one edition."""
    return [path for path in pages(language) if path.suffix == ".ipynb"]


@functools.cache
def read_notebook(path):
    """Return the notebook at path; it is not to be changed."""
    return nbformat.read(path, as_version=4)


def code_cells(notebook):
    """Return the code cells of a notebook."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def tags(cell):
    """Return the tags of a cell."""
    return cell.metadata.get("tags", [])


def captions(cell):
    """Return {"figure.caption": text, "check": text, ...}: what a cell's metadata say."""
    said = cell.metadata.get("mystnb", {})
    found = {"check": said["check"]} if "check" in said else {}
    for part, options in said.items():
        for key in ("caption", "alt"):
            if isinstance(options, dict) and key in options:
                found[f"{part}.{key}"] = options[key]
    return found


def prose(path):
    """Return {place: Markdown text} of a page: its cells with their captions, or the whole file."""
    if path.suffix == ".md":
        return {"page": path.read_text("utf-8")}
    texts = {}
    for cell in read_notebook(path).cells:
        if cell.cell_type == "markdown":
            texts[cell["id"]] = cell.source
        for key, text in captions(cell).items():
            texts[f"{cell['id']} {key}"] = text
    return texts


@functools.cache
def pieces(text, bilingual=False):
    """Return the Pieces of a Markdown text, in order."""
    tokens = with_marks(PARSER.parse(text), bilingual)
    return [piece for token, marked in tokens for piece in block_pieces(token, marked)]


def with_marks(tokens, marked):
    """Yield each token with whether it, or what stands around it, carries the mark."""
    marks = [marked]
    for token in tokens:
        here = marks[-1] or MARK in str(token.attrs.get("class", "")).split()
        if token.nesting == 1:
            marks.append(here)
        elif token.nesting == -1:
            marks.pop()
        yield token, here


def block_pieces(token, marked):
    """Return the Pieces of one block token."""
    if token.type == "inline":
        return inline_pieces(token.children, marked)
    if token.type in ("fence", "colon_fence") and token.info.strip().startswith("{"):
        return directive_pieces(token, marked)
    kinds = {
        "myst_target": "label", "math_block": "equation", "math_block_label": "equation",
        "amsmath": "equation", "code_block": "listing", "html_block": "html",
    }  # fmt: skip
    if token.type == "fence":
        return [Piece("listing", f"{token.info}\n{token.content}", marked)]
    if token.type == "heading_open":
        return [Piece("heading", token.tag, marked)]
    if token.type in ("list_item_open", "td_open", "th_open"):
        return [Piece("item" if token.type == "list_item_open" else "cell", "", marked)]
    if token.type in kinds:
        label = [Piece("label", token.info, marked)] if token.type == "math_block_label" else []
        return [*label, Piece(kinds[token.type], token.content, marked)]
    return []


def directive_pieces(token, marked):
    """Return the Pieces of a directive: its name and options, then its title and its body."""
    name, title = re.match(r"\{([^}]+)\}\s*(.*)", token.info.strip()).groups()
    options = dict(re.findall(r"^:([\w-]+):[ \t]*(.*)$", header_of(token.content), re.M))
    body = token.content.removeprefix(header_of(token.content))
    marked = marked or MARK in f"{title} {options.get('class', '')}".split()
    spoken = [options.pop(key) for key in SPOKEN if key in options]
    found = [Piece("directive", f"{name} {sorted(options.items())}", marked)]
    if name == "math":
        return [*found, Piece("equation", body, marked)]
    if name in VERBATIM or MARK in title.split():
        found.append(Piece("directive", title, marked))
    elif name in ("image", "figure"):
        found.append(Piece("image", title, marked))
    else:
        spoken.insert(0, title)
    if name in VERBATIM:
        return [*found, Piece("listing", body, marked)]
    if name == "glossary":
        return found + glossary_pieces(body, marked)
    return [*found, *(piece for text in [*spoken, body] for piece in pieces(text, marked))]


def glossary_pieces(body, marked):
    """Return the Pieces of a glossary, whose terms stand in both languages."""
    found = []
    for line in filter(str.strip, body.splitlines()):
        is_term = not line.startswith((" ", "\t"))
        found += [Piece("item", "", marked)] if is_term else []
        found += pieces(line.strip(), marked or is_term)
    return found


def header_of(content):
    """Return the lines of options, such as ":class: dropdown", that open a directive."""
    return re.match(r"(?:[ \t]*:[\w-]+:.*(?:\n|$))*", content)[0]


def inline_pieces(tokens, marked):
    """Return the Pieces of the tokens of one block, and last their text as one paragraph."""
    found, said = [], []
    for token, here in with_marks(tokens, marked):
        found += inline_piece(token, here)
        if token.type in ("text", "softbreak", "hardbreak") and not here:
            said.append("\n" if "break" in token.type else token.content)
        elif token.nesting == 0:
            said.append(" ")
    return [*found, Piece("paragraph", "".join(said).strip(" "), marked)]


def inline_piece(token, marked):
    """Return the Pieces of one token inside a line: one, or none for emphasis and breaks."""
    if token.type == "myst_role":
        name, target = token.meta["name"], re.sub(r".*<(.+)>$", r"\1", token.content)
        return [Piece("role", f"{name} {target}", marked)]
    if token.type == "link_open":
        return [Piece("link", str(token.attrs["href"]), marked)]
    if token.type == "image":
        alt = Piece("text", token.content, marked)
        return [Piece("image", str(token.attrs["src"]), marked), alt]
    kinds = {"text": "text", "code_inline": "code", "math_inline": "math"}
    kinds |= {"math_inline_double": "equation", "html_inline": "html"}
    if token.type in kinds and token.content:
        return [Piece(kinds[token.type], token.content, marked)]
    return []


def values(text, *kinds):
    """Return the values of the pieces of these kinds."""
    return [piece.value for piece in pieces(text) if piece.kind in kinds]


def citations(text):
    """Return the citation keys of a Markdown text, in order."""
    roles = [role.split(" ", 1) for role in values(text, "role")]
    keys = [target.split(",") for name, target in roles if name.startswith("cite")]
    return [key.strip() for group in keys for key in group]


def bibliography_keys():
    """Return the set of keys of chapters/references.bib."""
    text = (CHAPTERS / "references.bib").read_text("utf-8")
    return set(re.findall(r"^@\w+\{\s*([^,\s]+)\s*,", text, re.M))


def parsed(cell):
    """Return the syntax tree of a code cell."""
    return ast.parse(cell.source)
