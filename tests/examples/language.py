"""A right call of each door of gpt_helpers.language."""

from gpt_helpers import language
from tests.helpers.misuse import Example


def examples():
    """Yield the examples."""
    yield Example(language.use, {"language": "en"})
    yield Example(language.Translated, {"texts": {"ja": "正解", "en": "correct"}})
