"""The theme: mathematics, Japanese search, tables, and what fails the strict build."""

import ast
import json
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import pandas as pd
import pytest
import quickjs
import yaml
from docutils import nodes
from docutils.utils import new_document
from fontTools.ttLib import TTFont
from hypothesis import given
from hypothesis import strategies as st

from theme.docstrings import to_markup
from theme.markup import CloseUp, PlainScalars
from theme.mathematics import drop_tall_roots, source_of_font, to_mathml, write_font
from theme.rooms import OUTSIDE, changed_pages, modules, page_of, rooms
from theme.search import (
    SPLIT_QUERY,
    EnglishAndNumbers,
    JapanesePairs,
    held,
    name_plainly,
    readable,
    shown,
    weigh,
)
from theme.tables import read_table
from theme.where import read_rows

ROOT = Path(__file__).resolve().parents[2]
TEXT = st.text(alphabet="自己注意機構のトークンABc 1、", max_size=12)
MODULES = [name for room in [*rooms(), OUTSIDE] for name in modules(room)]


def parse(tex):
    """Return the MathML element of a formula."""
    return ElementTree.fromstring(to_mathml(tex, display=True))


def test_letters_of_number_sets_are_the_characters_that_unicode_has_for_them():
    assert "".join(parse(r"\mathbb{R}\mathcal{L}\mathbf{W}\mathbb{E}").itertext()) == "ℝℒ𝐖𝔼"


def test_columns_of_aligned_equations_meet_at_the_sign():
    sides = [
        cell.get("style")[:16] for cell in parse(r"\begin{aligned}a&=b\end{aligned}").iter("mtd")
    ]
    assert sides == ["text-align:right", "text-align:left;"]


def test_a_function_stands_apart_from_its_argument_but_not_from_a_bracket():
    assert len(list(parse(r"\log x").iter("mspace"))) == 1
    assert len(list(parse(r"\log(x)").iter("mspace"))) == 0


def test_a_function_in_a_script_is_one_child():
    [script] = parse(r"C_{\min}").iter("msub")
    assert ["".join(child.itertext()) for child in script] == ["C", "min"]


def test_the_font_of_formulas_has_one_root_and_its_own_font_has_the_tall_ones(tmp_path):
    low = TTFont(source_of_font())
    drop_tall_roots(low)
    for font, name in ((low, "low"), (TTFont(source_of_font()), "tall")):
        write_font(font, "√", tmp_path / name)
    numbers = {name: len(roots(TTFont(tmp_path / name))) for name in ("low", "tall")}
    assert numbers == {"low": 1, "tall": 4}
    assert parse(r"\sqrt{\frac{1}{2}}").find(".//msqrt").get("class") == "tall"
    assert parse(r"\sqrt{D}").find(".//msqrt").get("class") is None


def roots(font):
    """Return the variants of the root that a font has."""
    variants = font["MATH"].table.MathVariants
    place = variants.VertGlyphCoverage.glyphs.index(font.getBestCmap()[ord("√")])
    return variants.VertGlyphConstruction[place].MathGlyphVariantRecord


@pytest.mark.parametrize(
    ("before", "bold", "after", "shown"),
    [
        ("", "効くのか。", " この", "効くのか。この"),
        ("済む ", "ReLU²", " との差", "済むReLU²との差"),
        ("", "違う。", " GPT", "違う。GPT"),
        ("see ", "this", " word", "see this word"),
        ("見る", "語", "を", "見る語を"),
    ],
)
def test_no_space_stands_beside_bold_japanese(before, bold, after, shown):
    document = new_document("page")
    texts = [nodes.Text(before), nodes.strong("", bold), nodes.Text(after)]
    document += nodes.paragraph("", "", *texts)
    CloseUp(document).apply()
    assert document.astext() == shown


def test_a_number_of_numpy_is_shown_as_the_number():
    document = new_document("page")
    for classes in (["output", "text_plain"], []):
        document += nodes.literal_block("", "(np.float64(0.126), np.int64(3))", classes=classes)
    PlainScalars(document).apply()
    assert [b.astext() for b in document] == ["(0.126, 3)", "(np.float64(0.126), np.int64(3))"]


def test_a_title_in_the_search_shows_its_formula_as_it_is_read():
    assert readable(r"なぜ \sqrt{D} で割るのか") == "なぜ √D で割るのか"


@pytest.mark.parametrize("tex", [r"\frac{1}{", r"\unknown{x}", "a_b_c", r"\begin{cases} 1"])
def test_a_formula_that_is_wrong_is_refused(tex):
    with pytest.raises(ValueError, match="KaTeX parse error"):
        to_mathml(tex)


@given(st.tuples(TEXT, TEXT, TEXT))
def test_the_terms_of_a_query_are_terms_of_every_text_that_holds_it(parts):
    before, query, after = parts
    script = f"{SPLIT_QUERY} JSON.stringify(splitQuery({json.dumps(query.strip())}))"
    terms = json.loads(quickjs.Context().eval(script))
    japanese = [term for term in terms if not re.match("[A-Za-z0-9]", term)]
    text = before + query + after
    found = JapanesePairs({}).split(text)
    assert [term for term in japanese if len(term) == 2 and term not in found] == []


def test_what_is_searched_is_what_an_article_shows_and_only_inline_tags_join_it():
    page = """<nav>left</nav><article class="x"><p>a <b>wo</b>rd &amp; 1</p><p>2</p>
    <script>let hidden</script><svg><text>3</text><text>4</text></svg></article><footer>right"""
    assert shown(page).split() == ["a", "word", "&", "1", "2", "3", "4"]


def test_the_index_holds_each_term_once_for_a_page_and_not_again_if_it_is_in_its_title():
    texts = ["50,257 tokens, the token", "tokens and 50257"]
    assert held(EnglishAndNumbers({}), texts, {}) == {"50257": [0, 1], "token": [0, 1]}
    assert held(EnglishAndNumbers({}), texts, {"token": 1}) == {"50257": [0, 1], "token": [0]}
    assert held(JapanesePairs({}), ["注意機構"], {"意機": [0]}).keys() == set("注意機構") | {
        "注意",
        "機構",
    }


def test_a_page_weighs_more_for_a_term_that_it_has_more_often_and_that_few_others_have():
    pages = {"a": {"x": 9, "y": 2}, "b": {"x": 2, "z": 9}, "c": {"x": 2, "z": 2}, "d": {"w": 11}}
    weights = weigh({page: Counter(terms) for page, terms in pages.items()})
    assert max(weights["x"], key=weights["x"].get) == "a"
    assert weights["w"]["d"] > weights["z"]["b"] > weights["x"]["a"]
    assert weigh({"a": Counter({"once": 1, "twice": 2})}).keys() == {"twice"}


def test_a_data_frame_keeps_every_cell_and_its_index_name():
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", "y"]}, index=pd.Index(["p", "q"], name="model"))
    rows = [[e.astext() for e in row] for row in read_table(frame.to_html()).findall(nodes.row)]
    assert rows == [["model", "a", "b"], ["p", "1", "x"], ["q", "2", "y"]]


def test_a_cell_that_spans_rows_is_repeated_in_each():
    index = pd.MultiIndex.from_tuples([("p", "q"), ("p", "r")], names=["i", "j"])
    rows = read_table(pd.DataFrame({"a": [1, 2]}, index=index).to_html()).findall(nodes.row)
    assert [[e.astext() for e in row] for row in rows][1:] == [["p", "q", "1"], ["p", "r", "2"]]


def test_columns_of_numbers_are_marked_and_others_are_not():
    columns = {"a": [1, -2.5], "b": [1, "x"], "c": ["", "0.5"], "d": ["", ""]}
    frame = pd.DataFrame(columns, index=["p", "q"])
    marked = [[e["classes"] for e in row] for row in read_table(frame.to_html()).findall(nodes.row)]
    assert marked == [[[], ["number"], [], ["number"], []]] * 3


def test_a_docstring_keeps_its_indented_lines_and_cites_its_source():
    lines = ["Return 2 * x.", "", "    1 0", "", "Source: vaswani2017attention, eq. 1."]
    to_markup(None, "function", "f", None, None, lines)
    cited = "Source: :cite:t:`vaswani2017attention`, eq. 1."
    assert lines == [r"Return 2 \* x.", "", "::", "", "    1 0", "", cited]


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.parametrize("edition", ["ja", "en"])
def test_an_api_page_lists_every_public_name_and_the_first_links_to_it(site, edition, name):
    first = (site / edition / "api.html").read_text(encoding="utf-8")
    place = re.search(rf'href="(api_\w+\.html)#module-gpt_helpers\.{re.escape(name)}"', first)
    page = (site / edition / place.group(1)).read_text(encoding="utf-8")
    source = (ROOT / "gpt_helpers" / f"{name.replace('.', '/')}.py").read_text(encoding="utf-8")
    names = [
        node.name
        for node in ast.parse(source).body
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
    ]
    assert [n for n in names if f'id="gpt_helpers.{name}.{n}"' not in page] == []


@pytest.fixture
def package(tmp_path):
    """Return the folder of a small package with two rooms."""
    files = {
        "__init__.py": "Rooms:\n\n    walls  what stands\n    floor  what lies\n",
        "paint.py": "",
        "__main__.py": "",
        "floor/__init__.py": "A floor. Begin with tile, then\nplank. Then carpet.",
        **{f"floor/{name}.py": "" for name in ("__main__", "plank", "tile", "rug", "carpet")},
        "walls/__init__.py": "Walls.",
        "walls/inner/__init__.py": "",
        "walls/inner/plaster.py": "",
        "walls/brick.py": "",
        "results/rows.csv": "",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f'"""{text}"""' if text else "")
    return tmp_path


def test_rooms_and_modules_come_as_their_docstrings_say_and_then_by_the_alphabet(package):
    assert rooms(package) == ["walls", "floor"]
    floor = ["floor.tile", "floor.plank", "floor.carpet", "floor.rug", "floor.__main__"]
    assert modules("floor", package) == floor
    assert modules("walls", package) == ["walls.brick", "walls.inner.plaster"]
    assert modules(OUTSIDE, package) == ["paint", "__main__"]


def test_a_module_that_is_added_changes_the_page_of_its_room_and_the_first():
    found = {room: modules(room) for room in [*rooms(), OUTSIDE]}
    facts = {page_of(room): {"modules": names} for room, names in found.items()}
    env = SimpleNamespace(metadata={**facts, "api": {"modules": found}, "training": {}})
    assert changed_pages(None, env, set(), set(), set()) == []
    env.metadata["api_text"] = {"modules": found["text"][1:]}
    env.metadata["api"] = {"modules": {**found, "text": found["text"][1:]}}
    assert sorted(changed_pages(None, env, set(), set(), set())) == ["api", "api_text"]


@pytest.mark.parametrize("ending", ["", ".en"])
def test_each_room_has_its_page_in_the_table_of_contents_in_order(ending):
    parts = yaml.safe_load((ROOT / f"_toc{ending}.yml").read_text(encoding="utf-8"))["parts"]
    names = [entry["file"] for entry in parts[-1]["chapters"]]
    assert names == ["api", *map(page_of, [*rooms(), OUTSIDE])]
    for name, room in zip(names[1:], [*rooms(), OUTSIDE], strict=True):
        language = "en" if ending else "ja"
        text = (ROOT / "chapters" / language / f"{name}.md").read_text(encoding="utf-8")
        assert f"\n```{{room}} {room}".rstrip() + "\n```\n" in text


def test_the_table_of_where_everything_is_links_to_code_and_sections(site):
    for edition in ("ja", "en"):
        page = (site / edition / "where.html").read_text(encoding="utf-8")
        links = re.findall(r'<td><p><a class="reference internal" href="(\w+)\.html#(.*?)"', page)
        code, sections = links[::2], links[1::2]
        assert [name for _, name in code] == [f"gpt_helpers.{r['object']}" for r in read_rows()]
        assert [name for name, _ in sections] == [
            r["section"].partition("#")[0] for r in read_rows()
        ]


def make_book(book, page):
    """Write a book of one page in each edition into a folder and return the command to build it."""
    for name in ("theme", "tools"):
        shutil.copytree(ROOT / name, book / name)
    for path in [*ROOT.glob("_config*.yml"), ROOT / "constraints.txt"]:
        shutil.copy(path, book)
    for edition, ending in (("ja", ""), ("en", ".en")):
        (book / "chapters" / edition).mkdir(parents=True)
        (book / f"_toc{ending}.yml").write_text("format: jb-book\nroot: index\n")
        shutil.copy(ROOT / "theme/static/favicon.svg", book / "chapters" / edition)
        (book / "chapters" / edition / "index.md").write_text(page)
    (book / "chapters/references.bib").touch()
    return [sys.executable, str(book / "tools/build.py")]


@pytest.fixture(scope="module")
def log_of_a_faulty_book(tmp_path_factory):
    """Build a book of one faulty page in each edition and return the exit status and the log."""
    page = "# Page\n\n$\\unknown{x}$ {doc}`nowhere` {cite}`nobody2000`\n\n![](favicon.svg)\n"
    command = make_book(tmp_path_factory.mktemp("book"), page)
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_book_that_is_up_to_date_can_be_built_again(tmp_path):
    command = make_book(tmp_path, "# Page\n\n$x$\n")
    sheet = tmp_path / "_build/html/en/_static/styles/joined.css"
    sheets = []
    for _ in range(2):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout
        sheets.append(sheet.read_text(encoding="utf-8"))
    assert sheets[0] == sheets[1] != ""


@pytest.mark.parametrize(
    "fault", ["Undefined control sequence", "nowhere", "nobody2000", "image without alt text"]
)
def test_the_strict_build_fails_and_names_the_fault(log_of_a_faulty_book, fault):
    assert log_of_a_faulty_book.returncode != 0
    assert fault in log_of_a_faulty_book.stdout


def test_the_glossary_is_in_the_index_also_if_its_page_was_not_read_anew():
    index = {"docnames": ["a", "notation"], "titles": [], "alltitles": {}, "indexentries": {}}
    objects = {("term", "Token"): ("notation", "term-Token"), ("label", "b"): ("a", "b")}
    name_plainly(index, objects)
    assert index["indexentries"] == {"Token": [[1, "term-Token", True]]}
