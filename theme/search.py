"""Search: Japanese text is indexed as overlapping pairs of characters, and numbers as wholes.

Sphinx cuts Japanese into words when it builds the index, but not the query in the browser, so
a word inside a compound is never found. Pairs need no dictionary and are cut alike on both sides.
Signs that writers use or leave out, as in パラメーター and ウォーム・アップ, are no part of them.
A number is one term in both editions, whether it is written 50,257 or 50257, 0.02 or 6e-4.
How results are ordered is in static/search.js.
"""

import json
import re
import unicodedata
from collections import Counter
from itertools import pairwise
from math import log
from pathlib import Path

from sphinx.search import SearchLanguage, languages
from sphinx.search.en import SearchEnglish

CJK = r"\u3005-\u3007\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
OPTIONAL = "ー・"
LISTS = ("api", "where")
TELLING = 800  # terms of a page
GROUPED, DECIMAL = r"[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])(?:\.[0-9]+)?", r"[0-9]+\.[0-9]+"
NUMBER = rf"{GROUPED}|{DECIMAL}(?:e[-+]?[0-9]+)?|[0-9]+e[-+][0-9]+"  # others are words
RUN = re.compile(rf"{NUMBER}|[{CJK}]+|[^\W{CJK}]+", re.IGNORECASE)
SPLIT_QUERY = f"""
function splitQuery(query) {{
  const plain = query.normalize("NFKC").replace(/[{OPTIONAL}]/g, "");
  const runs = plain.match(/{NUMBER}|[{CJK}]+|(?:(?![{CJK}])[\\p{{L}}\\p{{N}}_])+/giu) || [];
  return runs.flatMap((run) => {{
    if (/^[0-9]/.test(run)) return [run.replace(/,/g, "")];
    if (run.length === 1 || !/^[{CJK}]/.test(run)) return [run];
    return Array.from({{ length: run.length - 1 }}, (_, i) => run.slice(i, i + 2));
  }});
}}
"""


def runs(text):
    """Return the numbers, words and runs of Japanese in a text, in order."""
    plain = re.sub(f"[{OPTIONAL}]", "", unicodedata.normalize("NFKC", text))
    return [run.replace(",", "") for run in RUN.findall(plain)]


class EnglishAndNumbers(SearchEnglish):
    """Index words as Sphinx does, and numbers as wholes."""

    js_splitter_code = SPLIT_QUERY

    def split(self, text):
        """Return the terms of a text, in order."""
        return runs(text)


class JapanesePairs(SearchLanguage):
    """Index runs of Japanese as pairs of characters and single kanji, the rest as words."""

    lang = "ja"
    language_name = "Japanese"
    js_splitter_code = SPLIT_QUERY

    def split(self, text):
        """Return the terms of a text, in order."""
        return [term for run in runs(text) for term in cut(run)]

    def stem(self, word):
        """Return the word in lower case, like the script in the page; it has no stems."""
        return word.lower()

    def word_filter(self, word):
        """Keep every term: one kanji is a word."""
        return bool(word)


def cut(run):
    """Return the search terms of one run of Japanese, or of one other word."""
    if len(run) == 1 or not re.match(f"[{CJK}]", run):
        return [run]
    pairs = [run[i : i + 2] for i in range(len(run) - 1)]
    return pairs + [character for character in run if "\u3400" <= character <= "\u9fff"]


def add_order(app, pagename, templatename, context, doctree):
    """Let the search page order its results."""
    if pagename == "search":
        app.add_js_file("search-weights.js", loading_method="defer")
        app.add_js_file("search.js", loading_method="defer")


def write_weights(app, error):
    """Write what each page is about: its own terms, and pairs of terms that stand side by side.

    Sphinx's index says in which pages a term stands, but not how often. Pages that list what
    others are about have no weights: they are found by the names that they list.
    """
    if error or app.builder.name != "html":
        return
    language = languages[app.config.language]({})
    counts = {
        docname: count(language, app.env.get_doctree(docname).astext())
        for docname in sorted(app.env.found_docs)
        if not docname.startswith(LISTS)
    }
    script = f"Search.weights = {json.dumps(weigh(counts), ensure_ascii=False)};\n"
    (Path(app.outdir) / "_static" / "search-weights.js").write_text(script, encoding="utf-8")
    objects = app.env.get_domain("std").objects
    terms = {name.lower(): name for kind, name in objects if kind == "term"}
    write_plainly(Path(app.outdir) / "searchindex.js", terms)


def readable(title):
    """Return a title with the TeX of a formula as it is read: a root, and names without signs."""
    return re.sub(r"[\\{}]", "", re.sub(r"\\sqrt\b\s*", "√", title))


def write_plainly(path, terms):
    """Rewrite Sphinx's index without escapes: a Japanese character takes 3 bytes, not 6.

    Of the entries of the general index only those of the glossary stay: the search finds what is
    defined in code as an object. terms are those entries, from small letters to their own.
    """
    call, _, written = path.read_text(encoding="utf-8").partition("(")
    index = json.loads(written.rstrip().removesuffix(")"))
    index["indexentries"] = {
        terms.get(entry, entry): places
        for entry, places in index["indexentries"].items()
        if any(place[1].startswith("term-") for place in places)
    }
    index["titles"] = [readable(title) for title in index["titles"]]
    index["alltitles"] = {readable(title): at for title, at in index["alltitles"].items()}
    plain = json.dumps(index, ensure_ascii=False, separators=(",", ":"))
    path.write_text(f"{call}({plain})", encoding="utf-8")


def count(language, text):
    """Return how often each term, and each pair of neighbours, stands in a text."""
    terms = [language.stem(term.lower()) for term in language.split(text)]
    return Counter(terms) + Counter(map(" ".join, pairwise(terms)))


def weigh(counts):
    """Return {term: {page: weight}}, for each page the terms that tell it from the others.

    The weight grows with how often a page has a term and shrinks with how many pages have it.
    """
    n_holders = Counter(term for terms in counts.values() for term in terms)
    weights = {}
    for page, terms in counts.items():
        own = {
            term: (1 + log(number)) * log(1 + len(counts) / n_holders[term])
            for term, number in terms.items()
            if number > 1
        }
        for term in sorted(own, key=lambda term: (-own[term], term))[:TELLING]:
            weights.setdefault(term, {})[page] = round(own[term], 1)
    return weights


def setup(app):
    """Replace Sphinx's search in both languages, and the order of results."""
    languages.update(en=EnglishAndNumbers, ja=JapanesePairs)
    app.connect("html-page-context", add_order)
    app.connect("build-finished", write_weights)
