"""The reader is answered in the language that the notebook sets."""

import pytest
from IPython.core.formatters import DisplayFormatter

from gpt_helpers import language
from tests.helpers.reference import refused

TEXTS = {"ja": "正解", "en": "correct"}


@pytest.mark.parametrize("name", language.LANGUAGES)
def test_a_text_is_in_the_chosen_language_and_knows_all(name):
    language.use(name)
    text = language.Translated(TEXTS)
    assert text == str(text) == repr(text) == TEXTS[name]
    assert text.texts == TEXTS


def test_a_notebook_shows_the_chosen_language_and_stores_all():
    language.use("ja")
    data, metadata = DisplayFormatter().format(language.Translated(TEXTS))
    assert data == {"text/plain": "正解"}
    assert metadata == {"text/plain": TEXTS}


@pytest.mark.parametrize("wrong", ["fr", "", None, 3, "JA", ["ja"]])
def test_another_language_is_refused_and_changes_nothing(wrong):
    refused("language=.* is unknown; use one of", language.use, wrong)
    assert language.chosen == "en"


@pytest.mark.parametrize("wrong", [None, "correct", {}, {"ja": "正解"}, {"ja": "正解", "en": None}])
def test_a_text_that_lacks_a_language_is_refused(wrong):
    refused("texts=.* must be a text for each of", language.Translated, wrong)
