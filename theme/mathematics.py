"""Mathematics without JavaScript in the page: TeX becomes MathML when the book is built.

KaTeX reads the TeX; its file lies in the wheel of sphinxcontrib-katex and runs in QuickJS. Its
MathML is older than MathML Core, the part that browsers draw: `modernise` says in MathML Core and
CSS what they would ignore. A formula that KaTeX refuses is a warning, so the strict build fails.
The font, STIX Two Math (SIL Open Font License), lies in the wheel of ziamath.
"""

import json
import unicodedata
from functools import cache
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import quickjs
from docutils import nodes
from fontTools import subset
from fontTools.ttLib import TTFont
from sphinx.locale import _
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number

LOG = logging.getLogger(__name__)
RENDER = """
(function (tex, display) {
  const options = {displayMode: display, output: "mathml", throwOnError: true, strict: "ignore"};
  try {
    return JSON.stringify(katex.renderToString(tex, options));
  } catch (error) {
    return JSON.stringify({error: String(error)});
  }
})
"""
NAMESPACE = ' xmlns="http://www.w3.org/1998/Math/MathML"'
APPLY_FUNCTION = "\u2061"
FENCES = {"|", "\N{DIVIDES}", "\N{PARALLEL TO}"}
FORMULAS = (nodes.math, nodes.math_block)
SCRIPTS = {"msub", "msup", "msubsup", "munder", "mover", "munderover"}
GREEK = {"ϵ": "EPSILON SYMBOL", "ϑ": "THETA SYMBOL", "ϕ": "PHI SYMBOL", "∂": "PARTIAL DIFFERENTIAL"}


@cache
def katex():
    """Return KaTeX as a function of TeX and display mode that returns JSON."""
    context = quickjs.Context()
    context.eval("var self = globalThis;")
    script = Path(find_spec("sphinxcontrib.katex").origin).with_name("katex.min.js")
    context.eval(script.read_text(encoding="utf-8"))
    return context.eval(RENDER)


@cache
def to_mathml(tex, display=False):
    """Return the MathML of a formula. Raises ValueError with what KaTeX says about bad TeX."""
    result = json.loads(katex()(tex, display))
    if isinstance(result, dict):
        raise ValueError(result["error"])
    start, end = result.index("<math"), result.index("</math>") + len("</math>")
    math = ElementTree.fromstring(result[start:end].replace(NAMESPACE, ""))
    math[:] = [math[0][0]]  # <semantics> holds the formula, then its TeX
    modernise(math)
    return ElementTree.tostring(math, encoding="unicode", short_empty_elements=False)


def modernise(math):
    """Rewrite a <math> element, in place, for browsers that draw MathML Core."""
    for element in math.iter():
        if element.tag == "mo" and len(element):
            unwrap_operator(element)
        style_letters(element)
        align_columns(element)
        space_functions(element)
        if element.tag == "msqrt" and element.find(".//mfrac") is not None:
            element.set("class", "tall")
        if element.tag in SCRIPTS:
            drop_function_signs(element)
            tighten_scripts(element)
    for fence in math.iter("mo"):
        if fence.text in FENCES and fence.attrib.keys() & {"fence", "stretchy"}:
            fence.attrib.update(lspace="0", rspace="0")


def unwrap_operator(operator):
    """Give an <mo> that holds an element its text, or make it a row if it holds more."""
    if len(operator) == 1 and not len(operator[0]):
        operator.text = operator[0].text
        operator[:] = []
    else:
        operator.tag = "mrow"


def style_letters(element):
    """Replace mathvariant by the letters that Unicode has for it, such as those of number sets."""
    variant = element.attrib.pop("mathvariant", None)
    if variant == "normal" and element.tag == "mi":
        element.set("mathvariant", variant)  # the one value that MathML Core knows
    elif variant not in (None, "normal"):
        style = variant.upper().replace("BOLD-", "BOLD ")
        element.text = "".join(styled(letter, style) for letter in element.text or "")


def styled(letter, style):
    """Return the mathematical alphanumeric character of a letter, or the letter itself."""
    name = GREEK.get(letter) or unicodedata.name(letter, "").removeprefix("LATIN ")
    name = name.removeprefix("GREEK ").replace("LETTER ", "")
    for full_name in (f"MATHEMATICAL {style} {name}", f"{style} {name}"):
        try:
            return unicodedata.lookup(full_name)
        except KeyError:
            continue
    return letter


def align_columns(table):
    """Say in CSS how the columns of an <mtable> are aligned and how far they stand apart."""
    sides = table.attrib.pop("columnalign", "").split()
    gaps = table.attrib.pop("columnspacing", "").split()
    for row in table.findall("mtr") if sides else ():
        for column, cell in enumerate(row):
            side = sides[min(column, len(sides) - 1)]
            gap = gaps[min(column, len(gaps)) - 1] if column and gaps else "0"
            cell.set("style", f"text-align:{side};padding-inline:{gap} 0")


def space_functions(row):
    """Put a thin space between a function's name and its argument, unless a bracket follows."""
    for child, following in pairwise(list(row)):
        named = child.tag in SCRIPTS and any(mo.text == APPLY_FUNCTION for mo in child.iter("mo"))
        bracket = following.tag == "mo" or (len(following) and following[0].tag == "mo")
        if (named or child.text == APPLY_FUNCTION) and not bracket:
            row.insert(list(row).index(child) + 1, ElementTree.Element("mspace", width="0.17em"))


def drop_function_signs(element):
    """Drop the sign after a name in a script, as in C_{min}, where it is a child too many."""
    for child in list(element)[1:]:
        if child.tag == "mo" and child.text == APPLY_FUNCTION:
            element.remove(child)


def tighten_scripts(element):
    """Set operators inside sub- and superscripts without space, as TeX does."""
    for script in list(element)[1:]:
        for operator in script.iter("mo"):
            operator.attrib.update(lspace="0", rspace="0")


def render(translator, node, display):
    """Return the MathML of a docutils node; a bad formula is a warning and shows its TeX."""
    try:
        return to_mathml(node.astext().strip(), display)
    except ValueError as error:
        LOG.warning("%s", error, location=node, type="mathematics")
        return f"<code>{translator.encode(node.astext())}</code>"


def visit_inline(translator, node):
    """Write a formula that stands in a line."""
    translator.body.append(render(translator, node, display=False))
    raise nodes.SkipNode


def visit_display(translator, node):
    """Write a formula that stands alone: a box that scrolls when it is wider than the page."""
    translator.body.append(translator.starttag(node, "div", CLASS="equation"))
    translator.body.append(f'<div class="scrolls">{render(translator, node, display=True)}</div>')
    if node["number"]:
        translator.body.append(f'<span class="eqno">({get_node_equation_number(translator, node)})')
        translator.add_permalink_ref(node, _("Link to this equation"))
        translator.body.append("</span>")
    translator.body.append("</div>\n")
    raise nodes.SkipNode


def write_fonts(app, error):
    """Write the mathematical font, cut down to the characters that the formulas use.

    Chrome leaves room beside each root for the widest that its font has: the font of all formulas
    has the low one only, and a font of its own has the others, for what is tall.
    """
    if error or app.builder.format != "html":
        return
    folder = Path(app.outdir) / "_static"
    low = TTFont(source_of_font())
    drop_tall_roots(low)
    write_font(low, characters(app.env), folder / "mathematics.woff2")
    write_font(TTFont(source_of_font()), "√", folder / "roots.woff2")


def source_of_font():
    """Return the path of STIX Two Math."""
    return next(Path(find_spec("ziamath").origin).parent.glob("fonts/STIXTwoMath*.ttf"))


def drop_tall_roots(font):
    """Leave a font, in place, no root but the lowest."""
    variants = font["MATH"].table.MathVariants
    place = variants.VertGlyphCoverage.glyphs.index(font.getBestCmap()[ord("√")])
    root = variants.VertGlyphConstruction[place]
    root.MathGlyphVariantRecord = root.MathGlyphVariantRecord[:1]
    root.MathGlyphVariantCount, root.GlyphAssembly = 1, None


def write_font(font, text, path):
    """Write a font with no characters but those of a text."""
    options = subset.Options(layout_features=["*"], name_IDs=["*"])  # the names hold the licence
    cutter = subset.Subsetter(options)
    cutter.populate(text=text)
    cutter.subset(font)
    font.flavor = "woff2"
    font.save(path)


def characters(env):
    """Return every character that the formulas of the book need, italic letters included."""
    used = set()
    for docname in env.found_docs:
        for node in env.get_doctree(docname).findall(lambda n: isinstance(n, FORMULAS)):
            try:
                math = ElementTree.fromstring(
                    to_mathml(node.astext().strip(), node.tagname != "math")
                )
            except ValueError:
                continue  # the page shows its TeX, in the font of code
            used.update("".join(math.itertext()))
    return "".join(
        used | {styled(letter, "ITALIC") for letter in used} | {"√", "\N{PLANCK CONSTANT}"}
    )


def setup(app):
    """Make this the renderer that html_math_renderer: mathml names."""
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_display, None))
    app.connect("build-finished", write_fonts)
