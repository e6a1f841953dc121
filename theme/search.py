"""Search: Japanese text is indexed as overlapping pairs of characters, and numbers as wholes.

Sphinx cuts Japanese into words when it builds the index, but not the query in the browser, so
a word inside a compound is never found. Pairs need no dictionary and are cut alike on both sides.
Signs that writers use or leave out, as in パラメーター and ウォーム・アップ, are no part of them.
A number is one term in both editions, whether it is written 50,257 or 50257, 0.02 or 6e-4.
What is searched is what the built page shows, not its source: cards, figures and the bibliography
too. How results are ordered, and which part of a page they show, is in static/search.js.
"""

import html
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
PAGES = 4  # whose weights are kept for a term: those that are most about it
TELLING = 2.8  # weight that a pair of terms has at least: there are many, most of them by chance
SATURATION, BY_LENGTH = 1.2, 0.5  # of BM25: how soon a term is often enough, how long pages count
INLINE = "a|b|em|i|kbd|small|span|strong|u|wbr"  # tags inside words, as in static/search.js
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


def rewrite(app, error):
    """Write what each page is about, and Sphinx's index anew from what the pages show.

    Sphinx's index says in which pages a term stands, but not how often. Pages that list what
    others are about have no weights: they are found by the names that they list.
    """
    if error or app.builder.name != "html":
        return
    folder, language = Path(app.outdir), languages[app.config.language]({})
    counts = {
        docname: count(language, app.env.get_doctree(docname).astext())
        for docname in sorted(app.env.found_docs)
        if not docname.startswith(LISTS)
    }
    script = f"Search.weights = {to_json(weigh(counts))};\n"
    (folder / "_static" / "search-weights.js").write_text(script, encoding="utf-8")
    path = folder / "searchindex.js"
    call, _, written = path.read_text(encoding="utf-8").partition("(")
    index = json.loads(written.rstrip().removesuffix(")"))
    pages = [(folder / f"{name}.html").read_text("utf-8") for name in index["docnames"]]
    index["terms"] = held(language, [shown(page) for page in pages], index["titleterms"])
    index["works"] = works(app.env.get_domain("cite").citations, index["docnames"])
    name_plainly(index, app.env.get_domain("std").objects)
    path.write_text(f"{call}({to_json(index)})", encoding="utf-8")


def to_json(values):
    """Return JSON without escapes and spaces: a Japanese character takes 3 bytes, not 6."""
    return json.dumps(values, ensure_ascii=False, separators=(",", ":"))


def shown(page):
    """Return the text that the article of a page shows, also what is folded or drawn."""
    article = page.partition("<article")[2].partition("</article>")[0]
    article = re.sub(r"<(script|style|noscript)\b.*?</\1>", " ", article, flags=re.DOTALL)
    text = re.sub(rf"</?(?:{INLINE})\b[^>]*>", "", f"<article{article}")
    return html.unescape(re.sub("<[^>]*>", " ", text))


def held(language, texts, in_titles):
    """Return {term: numbers of the texts that hold it}, as Sphinx writes it.

    A term of a title is in in_titles, of the same kind, and not repeated.
    """
    holders = {}
    for number, text in enumerate(texts):
        for word in {term.lower() for term in language.split(text)}:
            term = language.stem(word)
            is_term = language.word_filter(term) or language.word_filter(word)
            if is_term and number not in to_list(in_titles.get(term, [])):
                holders.setdefault(term, set()).add(number)
    return {term: sorted(numbers) for term, numbers in sorted(holders.items())}


def to_list(numbers):
    """Return a list of what Sphinx writes for a term: a number alone, or several."""
    return numbers if isinstance(numbers, list) else [numbers]


def works(citations, docnames):
    """Return {title of a work that is cited: [number of the page, id]}."""
    return {
        re.sub("[{}]", "", work.entry.fields["title"]): [
            docnames.index(work.bibliography_key.docname),
            work.citation_id,
        ]
        for work in citations
    }


def readable(title):
    """Return a title with the TeX of a formula as it is read: a root, and names without signs."""
    return re.sub(r"[\\{}]", "", re.sub(r"\\sqrt\b\s*", "√", title))


def name_plainly(index, objects):
    """Leave of the general index the glossary, with its own letters, and of titles what is read.

    The search finds what is defined in code as an object. The glossary is read from the objects,
    for Sphinx's index lacks those of pages that this build has not read anew.
    """
    places = index["docnames"].index
    index["indexentries"] = entries = {}
    for (kind, name), (docname, anchor) in objects.items():
        if kind == "term":
            entries.setdefault(name, []).append([places(docname), anchor, True])
    index["titles"] = [readable(title) for title in index["titles"]]
    index["alltitles"] = {readable(title): at for title, at in index["alltitles"].items()}


def count(language, text):
    """Return how often each term, and each pair of neighbours, stands in a text."""
    terms = [language.stem(term.lower()) for term in language.split(text)]
    return Counter(terms) + Counter(map(" ".join, pairwise(terms)))


def weigh(counts):
    """Return {term: {page: weight}}, for each term the pages that are most about it.

    The weight is that of BM25: it grows with how often a page has a term, less so in a long page,
    and is small for a term that most pages have.
    """
    n_holders = Counter(term for terms in counts.values() for term in terms)
    lengths = {page: sum(terms.values()) for page, terms in counts.items()}
    mean = sum(lengths.values()) / len(lengths)
    weights = {}
    for page, terms in counts.items():
        slowness = SATURATION * (1 - BY_LENGTH + BY_LENGTH * lengths[page] / mean)
        for term, number in terms.items():
            rarity = log(1 + (len(counts) - n_holders[term] + 0.5) / (n_holders[term] + 0.5))
            weight = rarity * number * (SATURATION + 1) / (number + slowness)
            if number > 1 and (" " not in term or weight >= TELLING):
                weights.setdefault(term, {})[page] = round(weight, 2)
    return {
        term: dict(sorted(pages.items(), key=lambda page: (-page[1], page[0]))[:PAGES])
        for term, pages in sorted(weights.items())
    }


def setup(app):
    """Replace Sphinx's search in both languages, and the order of results."""
    languages.update(en=EnglishAndNumbers, ja=JapanesePairs)
    app.connect("html-page-context", add_order)
    app.connect("build-finished", rewrite)
