"""Words to token ids and back: the tokenizer of a task whose words are all known."""

from dataclasses import dataclass

import torch

from gpt_helpers.architecture.inputs import check_ranges
from gpt_helpers.tensor_checks import check_tensor

PADDING = "<pad>"


@dataclass(frozen=True)
class Vocabulary:
    """The words of a task, in the order of their ids; id 0 is padding.

    Raises ValueError for words that are no words, or that stand twice.
    """

    words: tuple[str, ...]

    def __post_init__(self):
        """Refuse what could not be encoded and decoded without loss."""
        wrong = [word for word in self.words if type(word) is not str or word.split() != [word]]
        if wrong or not self.words:
            raise ValueError(f"words={wrong!r:.60} must be texts without spaces, at least one")
        twice = sorted({word for word in self.words if self.words.count(word) > 1})
        if twice or PADDING in self.words:
            raise ValueError(f"the words {twice or [PADDING]} stand twice; give each one once")
        object.__setattr__(self, "ids", {w: i for i, w in enumerate((PADDING, *self.words))})

    def __len__(self):
        """Return V, padding included."""
        return len(self.words) + 1

    def check(self, name, ids, axes="(B, T)"):
        """Raise ValueError unless ids is a tensor of these axes with ids of words, not empty."""
        check_tensor(name, ids, axes, integers=True, empty=False)
        check_ranges(**{name: (ids, "vocabulary", len(self))})

    def encode(self, text):
        """Return the ids (T,) of a text of words with spaces between, or raise ValueError."""
        unknown = [word for word in text.split() if word not in self.ids]
        if unknown:
            raise ValueError(f"the words {unknown[:3]} are not in the vocabulary of {len(self)}")
        return torch.tensor([self.ids[word] for word in text.split()], dtype=torch.long)  # (T,)

    def decode(self, ids):
        """Return the text of ids (T,), padding left out; raise ValueError for an unknown id."""
        found = [int(index) for index in ids]
        wrong = [index for index in found if not 0 <= index < len(self)]
        if wrong:
            raise ValueError(f"ids {wrong[:3]} are out of range; there are {len(self)} words")
        return " ".join(self.words[index - 1] for index in found if index)
