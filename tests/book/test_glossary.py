"""The glossary, in both editions, and the words of the house that it fixes.

An entry is one line for each of its names, the word that the edition uses first, then a line that
explains it. Both editions have the same entries with the same names, each with the same target.
"""

import functools
import re

import pytest

from tests.helpers.book import CHAPTERS, JAPANESE, ROOT, pages, prose, read_notebook, values

LANGUAGES = ("ja", "en")
UNWANTED = {  # what the pages below are not to say: the word that is meant
    r"種(?!類)": "シード",
    r"基盤モデル": "ベースモデル",
    r"(?<!小数)点数": "スコア",
    r"(?<!確率)質量": "確率の合計",
    r"余弦": "コサイン",
    r"歩数": "ステップ数",
    r"記憶域": "メモリ",
    r"専門家": "エキスパート",
    r"持ち帰": "要点",
    r"支える数|限る数": "裏づけ、限界",
    r"活性(?!値)": "活性値",
    r"階数": "ランク",
    r"利得": "低下幅",
    r"正答率": "正解率",
    r"今風": "現代的な構成",
    r"途中を書": "途中式を書く",
    r"自分たちの": "この本の",
}
IN_THE_WORDS_OF_THE_HOUSE = (
    "chapters/ja/summary.ipynb", "chapters/ja/notation.md", "gpt_helpers/demo.ja.txt",
    "README.ja.md",
)  # fmt: skip


@functools.cache
def glossary(language):
    """Return [(names, what is said)] of the entries of the glossary, in order."""
    text = (CHAPTERS / language / "notation.md").read_text("utf-8")
    (body,) = re.findall(r"^:::\{glossary\}\n(.*?)^:::$", text, re.M | re.S)
    entries = [entry.splitlines() for entry in body.strip().split("\n\n")]
    assert all(not name.startswith(" ") for *names, _ in entries for name in names)
    return [(names, said.strip()) for *names, said in entries]


@functools.cache
def said_elsewhere(language):
    """Return all that the other pages of an edition say, in prose and in code, in small letters."""
    others = [path for path in pages(language) if path.stem != "notation"]
    texts = [text for path in others for text in prose(path).values()]
    for path in others:
        if path.suffix == ".ipynb":
            texts += [c.source for c in read_notebook(path).cells if c.cell_type == "code"]
    return "\n".join(texts).lower()


def never_said(names, text):
    """Return whether a text has none of the names."""
    return not any(name.lower() in text for name in names)


def unwanted(text):
    """Return the words of a text for which the house has other words."""
    return [match[0] for word in UNWANTED for match in re.finditer(word, text)]


def test_each_entry_has_its_partner_in_the_other_edition_with_the_same_names_and_target():
    ours, theirs = (
        {frozenset(names): values(said, "role") for names, said in glossary(language)}
        for language in LANGUAGES
    )
    assert ours == theirs
    assert len(ours) > 80


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_name_belongs_to_one_entry(language):
    names = [name.lower() for names, _ in glossary(language) for name in names]
    assert sorted(names) == sorted(set(names))


def test_the_first_name_is_in_the_language_of_the_edition_or_the_same_in_both():
    english = [names[0] for names, _ in glossary("en")]
    assert not any(JAPANESE.search(name) for name in english)
    others = [names[0] for names, _ in glossary("ja") if not JAPANESE.search(names[0])]
    assert set(others) <= set(english)


@pytest.mark.parametrize("language", LANGUAGES)
def test_entries_are_short_and_say_where_more_is_said(language):
    longest = {"ja": 130, "en": 260}[language]
    for names, said in glossary(language):
        assert re.search(r" → \{(ref|doc)\}`[\w-]+`$", said) or names[0] in ("ナット", "nat")
        assert len(said.split(" → ")[0]) <= longest, names


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_term_occurs_on_another_page(language):
    text = said_elsewhere(language)
    assert [names for names, _ in glossary(language) if never_said(names, text)] == []


@pytest.mark.parametrize("path", IN_THE_WORDS_OF_THE_HOUSE)
def test_pages_use_the_words_of_the_house(path):
    texts = (
        prose(ROOT / path) if path.endswith(".ipynb") else {"": (ROOT / path).read_text("utf-8")}
    )
    found = {place: unwanted(text) for place, text in texts.items() if unwanted(text)}
    assert not found, {word: UNWANTED.get(word) for words in found.values() for word in words}


def test_an_entry_that_nobody_uses_and_an_unwanted_word_are_found():
    assert never_said(["自己注意機構", "x-attention"], "注意機構")
    assert not never_said(["自己注意機構", "Attention"], "the attention")
    assert unwanted("三つの種で、点数を余弦にする") == ["種", "点数", "余弦"]
    assert unwanted("三種類のシード、確率質量、活性値") == []
