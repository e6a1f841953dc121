"""The words of figures: every label has its Japanese, or is code, and no row is left over.

The labels are those of the figures and charts that the notebooks store, drawn once in English.
"""

import html
import json
import re
from pathlib import Path

import matplotlib
import pytest
from matplotlib.figure import Figure

from gpt_helpers.config import PRESETS
from gpt_helpers.figures import words
from gpt_helpers.figures.drawings.assembly import GRID
from gpt_helpers.figures.drawn import FIGURE, Drawn
from gpt_helpers.figures.style import CONCEPTS, PHONE, STYLE, labelled
from gpt_helpers.figures.vegalite import MIME as CHART
from gpt_helpers.variants.published import load_models
from theme.charts import in_language

CHAPTERS = Path(__file__).parents[2] / "chapters" / "ja"
TERMS = {"query", "key", "value", "uniform", "unigram", "bigram", "chance"}  # not code
TWO_LETTERS = re.compile("[A-Za-z]{2}")
HEAD = re.compile("<th[^>]*>(.*?)</th>")
CODE = re.compile(
    r"[a-z_]\w*(\.\w+)+"  # a.b
    r"|[A-Za-z]*_\w*"  # a_b
    r"|\S+ +[A-Z]\w+\n\([\d, ]+\)"  # a step of a trace, and its shape
    r"|([a-z]+\.)?[a-z]+ = ([a-z]+\.)?[a-z]+"  # a line of Python
    r"|[A-Z]\w*[a-z]\w*[A-Z]\w*"  # a class
    r"|\w+ \([\d, ]+\)"  # a tensor, and its shape
    r"|((wte|wpe|ln_f|lm_head|h\.\d|exp|id|\d+)[ +…,\n]*)+"  # parts of a model
    r"|[A-Z]{2,4}(-norm)?"  # GQA
    r"|[\d.e+ ]+(FLOP|FLOP/s|GB|MB|TB/s|rad)"  # a quantity
)


def stored(chapters, mime):
    """Yield (name, data) of each output of a type in the notebooks of a folder."""
    for path in sorted(chapters.glob("*.ipynb")):
        for cell in json.loads(path.read_text("utf-8"))["cells"]:
            for output in cell.get("outputs", ()):
                if mime in output.get("data", {}):
                    yield f"{path.stem}: {cell['id']}", output["data"][mime]


def labels_of(figures, charts):
    """Return {label: where} of what figures and charts (name, data) ask words.csv for."""
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        for where, spec in figures:
            patch.setattr(words, "spoken_label", noted(found, where))
            Drawn(**spec).frames("en", PHONE)
        for where, spec in charts:
            patch.setattr(words, "spoken_label", noted(found, where))
            in_language(spec, "en")
    return found


def heads_of_tables():
    """Yield the texts of the heads and the names of rows of all data frames in the notebooks."""
    for path in sorted(CHAPTERS.glob("*.ipynb")):
        for cell in json.loads(path.read_text("utf-8"))["cells"]:
            for output in cell.get("outputs", ()):
                table = "".join(output.get("data", {}).get("text/html", ()))
                yield from map(html.unescape, HEAD.findall(table))


def noted(found, where):
    """Return words.spoken_label, but for noting each label in found."""

    def said(text, language):
        found.setdefault(text, where)
        return text

    return said


def is_code(label):
    """Return whether a label is code, a quantity, or names of models, and so has no Japanese."""
    names = " " + "  ".join(model.model for model in load_models()) + " "
    of_models = all(re.search(rf" {re.escape(part)}[^A-Za-z]", names) for part in label.split(", "))
    return bool(CODE.fullmatch(label)) or of_models or label in {*PRESETS, *CONCEPTS} - TERMS


def row_of(label):
    """Return the English of the row that holds for a label, or None."""
    rows = [row["en"] for row in words.all_words()]
    exact = [row for row in rows if row == label and not set("#*") & set(row)]
    patterns = sorted((row for row in rows if set("#*") & set(row)), key=len, reverse=True)
    return next((row for row in [*exact, *patterns] if fits(row, label)), None)


def fits(row, label):
    """Return whether a row holds for a label."""
    return (
        bool(re.fullmatch(words.as_pattern(row), label)) if set("#*") & set(row) else row == label
    )


@pytest.fixture(scope="module")
def labels():
    """Return {label: where} of all that the notebooks show."""
    return labels_of(stored(CHAPTERS, FIGURE), stored(CHAPTERS, CHART))


def test_every_label_of_the_book_has_its_japanese_or_is_code(labels):
    assert len(labels) > 50
    asked = {label: where for label, where in labels.items() if TWO_LETTERS.search(label)}
    asked = {t: w for t, w in asked.items() if not (w == "workbook: map-figure" and t in GRID)}
    assert {
        t: w for t, w in asked.items() if not row_of(" ".join(t.split("\n"))) and not is_code(t)
    } == {}


def test_no_row_is_left_over(labels):
    used = {row_of(label) for label in [*labels, *heads_of_tables()]}
    assert [row["en"] for row in words.all_words() if row["en"] not in used] == []


def test_no_label_has_two_rows_and_each_row_keeps_its_numbers():
    rows = words.all_words()
    assert len({row["en"] for row in rows}) == len(rows)
    for row in rows:
        assert row["ja"].strip(), row
        signs = [re.findall(r"[#*]", row[language]) for language in ("en", "ja")]
        assert signs[0] == signs[1], row


def figure_with(**texts):
    """Return a finished Figure with these texts on its axes, in Japanese."""
    with words.speaking("ja"), matplotlib.rc_context(STYLE):
        figure = Figure()
        axis = figure.subplots()
        axis.plot([0, 1], [1, 2], label="training")
        axis.plot([0, 1], [2, 2], label="held out")
        axis.set_yticks([1, 2], ["uniform", "no_such_word"])
        axis.annotate("greedy", (0, 1))
        axis.set(**texts)
        return labelled(figure)


def test_titles_axes_ticks_notes_and_legends_are_translated():
    figure = figure_with(title="accuracy", xlabel="time (s)", ylabel="layer 3, head 0")
    (axis,) = figure.axes
    assert axis.get_title() == "正解率"
    assert axis.get_xlabel() == "時間（秒）"
    assert axis.get_ylabel() == "第3層のヘッド0"
    assert [tick.get_text() for tick in axis.get_yticklabels()] == ["一様分布", "no_such_word"]
    assert [text.get_text() for text in axis.texts] == ["貪欲法"]
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["学習", "評価用"]


@pytest.mark.parametrize(
    ("label", "japanese"),
    [
        ("3e+11 FLOP", "3 × 10¹¹ FLOP"),
        ("1e-05", "10⁻⁵"),
        ("seed 0", "シード0"),
        ("layer 4, head 1", "第4層のヘッド1"),
        ("accuracy after 8 examples", "8個の例の後の正解率"),
        ("10.0% below the law", "法則より10.0%低い"),
        ("see below", "see below"),
    ],
)
def test_a_label_with_numbers_keeps_them_and_powers_are_raised(label, japanese):
    assert words.word(label, "ja") == japanese


def test_tokens_have_the_signs_of_the_book():
    assert [words.token_name(name) for name in ("Ġand", "ĊĠĠ", "ĉif", "a")] == [
        "␣and", "⏎␣␣", "⇥if", "a",
    ]  # fmt: skip
