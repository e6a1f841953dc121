"""The baseline of the book's own scripts: browsers of the end of 2021.

Safari 15, Chrome 95 and Firefox 95 have what ECMAScript 2021 has. What came later is not written
in the scripts, and is taken away from a browser in which the pages are then used. (Formulas are
MathML, which Chrome draws from version 109 on and shows as plain letters before.)
"""

import re
from pathlib import Path

import pytest

from tests.book.test_failures import try_all
from tests.book.test_pages import listen

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = sorted((ROOT / "theme").rglob("*.js"))
# {whose: names} of what is younger, in the language and in browsers.
YOUNGER = {
    "Array.prototype": "at findLast findLastIndex toSorted toReversed toSpliced with group",
    "Object.getPrototypeOf(Int8Array.prototype)": "at findLast findLastIndex toSorted with",
    "String.prototype": "at isWellFormed toWellFormed",
    "RegExp.prototype": "hasIndices unicodeSets",
    "Object": "hasOwn groupBy",
    "Map": "groupBy",
    "Array": "fromAsync",
    "Promise": "withResolvers try",
    "ArrayBuffer.prototype": "transfer resize",
    "Set.prototype": "union intersection difference symmetricDifference isSubsetOf isSupersetOf",
    "Iterator.prototype": "map filter take drop flatMap reduce toArray forEach some every find",
    "Uint8Array": "fromBase64 fromHex",
    "globalThis": "structuredClone Iterator URLPattern scheduler reportError",
    "URL": "canParse parse",
    "AbortSignal": "timeout any",
    "Response": "json",
    "Element.prototype": "checkVisibility setHTMLUnsafe ariaHidden ariaDisabled ariaLabel"
    " ariaPressed ariaSort ariaExpanded ariaSelected ariaValueText ariaLive",
    "HTMLElement.prototype": "showPopover popover inert",
    "HTMLDialogElement.prototype": "requestClose",
    "CSSStyleSheet.prototype": "replace",
    "Document.prototype": "startViewTransition adoptedStyleSheets",
    "navigator.constructor.prototype": "userAgentData",
    "Blob.prototype": "bytes",
    "CanvasRenderingContext2D.prototype": "roundRect reset",
    "FileSystemHandle.prototype": "move",
    "WebAssembly": "Tag JSTag",
}
# Calls and reads of these names in a script; those that other objects have too are left to the
# browser below.
COMMON = {
    "map", "filter", "take", "drop", "flatMap", "reduce", "toArray", "forEach", "some", "every",
    "find", "with", "group", "replace", "reset", "parse", "json", "any", "try", "move", "union",
    "timeout", "popover", "transfer", "resize", "difference", "intersection", "bytes",
}  # fmt: skip
SYNTAX = {
    "a private method or a static block": r"static\s*\{|#\w+\s+in\s",
    "an expression that looks behind": r"\(\?<[=!]",
    "a flag of 2022 or later": r"/[gimsuy]*[dv][gimsuy]*[.,;)]",
    "an import of JSON": r"\bimport\b",
    "await at the top": r"^await\b",
    "using": r"^\s*(?:await )?using\s+\w+\s*=",
}


def younger_names():
    """Return the names that only younger browsers have and no older object does."""
    return {name for names in YOUNGER.values() for name in names.split()} - COMMON


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_a_script_uses_nothing_younger_than_the_baseline(path):
    text = path.read_text(encoding="utf-8")
    bare = re.sub(r"//.*|/\*.*?\*/", "", text) if path.name != "linear.js" else text
    found = [n for n in younger_names() if re.search(rf"(?:\.|\?\.)\b{n}\b", bare)]
    assert found == []
    assert [name for name, sign in SYNTAX.items() if re.search(sign, bare, re.M)] == []


def test_the_scan_finds_what_is_planted():
    assert {"toSorted", "hasOwn", "structuredClone", "ariaHidden", "findLast"} <= younger_names()
    assert re.search(SYNTAX["an expression that looks behind"], r"/(?<!\w)a/")


TAKE_AWAY = """(() => {
  for (const [owner, names] of Object.entries(%s)) {
    let object;
    try { object = (0, eval)(owner); } catch { continue; }
    for (const name of names.split(" ")) delete object[name];
  }
})()"""


@pytest.mark.parametrize("edition", ["ja", "en"])
def test_every_page_works_in_a_browser_of_the_baseline(page, address, edition):
    page.add_init_script(TAKE_AWAY % YOUNGER)
    outside, errors = listen(page, address)
    try_all(page, address, edition)
    assert page.evaluate("'toSorted' in Array.prototype || 'hasOwn' in Object") is False
    assert (outside, errors) == ([], [])
