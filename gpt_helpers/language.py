"""The language in which a reader is answered, Japanese or English. Imports no torch.

The first cell of a notebook says which edition it is, language.use("ja"). In no other code do
the editions differ: tools/refresh.py writes the English one.
"""

from gpt_helpers.validation import check_choice

LANGUAGES = ("ja", "en")
chosen = "en"


def use(language):
    """Answer in "ja" or "en" from now on; raise ValueError for another language."""
    global chosen
    check_choice("language", language, LANGUAGES)
    chosen = language


class Translated(str):
    """A text in the chosen language that knows itself in all: texts is {language: text}.

    A notebook shows it without quotes, and stores texts beside it, from which tools/refresh.py
    takes what the other edition shows.
    """

    def __new__(cls, texts):
        """Make the text of {language: text}; raise ValueError unless there is one in each."""
        has_each = isinstance(texts, dict) and texts.keys() == set(LANGUAGES)
        if not has_each or not all(isinstance(text, str) for text in texts.values()):
            raise ValueError(f"texts={texts!r} must be a text for each of {LANGUAGES}")
        text = super().__new__(cls, texts[chosen])
        text.texts = texts
        return text

    def __repr__(self):
        """Return the text, without quotes."""
        return str(self)

    def _repr_mimebundle_(self, include=None, exclude=None):
        return {"text/plain": str(self)}, {"text/plain": self.texts}
