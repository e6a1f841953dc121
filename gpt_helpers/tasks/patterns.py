"""Lines of code that follow a pattern: does a model of code go on with it, or copy a name?

An item is 7 different words and a name of two syllables that are drawn by chance. A text has a
line for each word; in line k + 1 the model must write the answer, after k lines as examples.
In some patterns the answer is the name, the same in every line but known from nowhere else; in
others it is the word that the line began with. Nothing is trained: the model has read Python only.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F

from gpt_helpers.architecture.modules import check_model, evaluating
from gpt_helpers.evaluation.accuracy import Score
from gpt_helpers.tasks.answers import padded
from gpt_helpers.tasks.items import check_items
from gpt_helpers.text.tokenizer import check_tokenizer
from gpt_helpers.validation import check_count, check_instance, check_rng, checks

WORDS = (
    "add", "all", "arg", "args", "base", "call", "char", "code", "cur", "data", "default", "end",
    "error", "file", "filename", "format", "get", "header", "key", "len", "line", "list", "method",
    "module", "msg", "name", "new", "num", "object", "one", "option", "other", "out", "path",
    "pos", "pre", "read", "set", "source", "str", "string", "sub", "text", "time", "type", "value",
)  # fmt: skip
SYLLABLES = [consonant + vowel for consonant in "bdfghklmnprstvwz" for vowel in "aeiou"]
N_LINES = 7
check_lines = partial(
    check_items, limits=(len(WORDS),) * N_LINES + (len(SYLLABLES),) * 2, empty=False
)


@dataclass(frozen=True)
class Pattern:
    """A line of code, in two parts: what leads to the answer, and the answer.

    {x} stands for the word of the line, {c} for the name. leading begins with what ends the line
    before; an answer is whole if a token follows it that begins in the same way.
    """

    leading: str
    answer: str

    def lines(self, item):
        """Return the lines of an item (9,), as pairs of texts (leading, answer)."""
        name = "".join(SYLLABLES[index] for index in item[N_LINES:])
        words = [WORDS[index] for index in item[:N_LINES]]
        parts = self.leading, self.answer
        return [tuple(part.format(x=word, c=name) for part in parts) for word in words]

    def prompt(self, item, n_examples):
        """Return the text that ends where the answer belongs, after n_examples whole lines."""
        lines = self.lines(item)
        return "".join(map("".join, lines[:n_examples])) + lines[n_examples][0]


PATTERNS = {
    "x = c": Pattern("\n{x} =", " {c}"),
    "self.x = c": Pattern("\n        self.{x} =", " {c}"),
    "self.x = x": Pattern("\n        self.{x} =", " {x}"),
    "x = c.x": Pattern("\n{x} =", " {c}.{x}"),
}


@checks(rng=check_rng, n_items=check_count)
def draw_lines(rng, n_items):
    """Return n_items items (N, 9): 7 different numbers of WORDS, then two of SYLLABLES."""
    words = rng.permuted(np.tile(np.arange(len(WORDS)), (n_items, 1)), axis=1)[:, :N_LINES]
    return np.column_stack([words, rng.integers(len(SYLLABLES), size=(n_items, 2))])


def row(pattern, item, tokenizer):
    """Return the token ids (T,) of a text and, for each, the number of its answer, or -1."""
    ids, answers = [], []
    for number, parts in enumerate(pattern.lines(item)):
        for text, mark in zip(parts, (-1, number), strict=True):
            found = tokenizer.encode(text).ids
            ids += found
            answers += [mark] * len(found)
    return torch.tensor(ids), torch.tensor(answers)


@checks(pattern=partial(check_instance, kind=Pattern), items=check_lines, batch_size=check_count)
def pattern_scores(model, tokenizer, pattern, items, batch_size=100):
    """Return {k: Score} of the answers that the model writes in full after k lines as examples.

    It writes greedily. As long as all is right, it reads the text itself, so one pass decides
    every k. A right answer in other tokens than the tokenizer's own counts as wrong.
    """
    check_model(model)
    check_tokenizer(tokenizer)
    texts = [row(pattern, item, tokenizer) for item in items]
    tokens = [[index] for index in range(model.config.vocab_size)]
    beginnings = tokenizer.decode_batch(tokens, skip_special_tokens=False)
    ends = torch.tensor([text[:1] == pattern.leading[0] for text in beginnings])
    right = torch.zeros(N_LINES, dtype=torch.long)
    for start in range(0, len(texts), batch_size):
        ids, answers = zip(*texts[start : start + batch_size], strict=True)
        right += written_in_full(model, padded(ids), padded(answers, padding=-1), ends).sum(0)
    return {k: Score(int(count), len(items)) for k, count in enumerate(right)}


def written_in_full(model, ids, answers, ends):
    """Return (B, 7) bool: which answers of ids (B, T) the model writes, and then ends.

    answers (B, T) numbers the tokens of answers; ends (V,) says which tokens end one.
    """
    with evaluating(model), torch.no_grad():
        guessed = model(ids)["logits"].argmax(-1)  # (B, T)
    following = F.pad(answers[:, 1:], (0, 1), value=-1)  # (B, T)
    is_wrong = guessed != F.pad(ids[:, 1:], (0, 1))  # (B, T)
    goes_on = (following != answers) & ~ends[guessed]  # (B, T)
    failed = [
        (is_wrong & (following == number)) | (goes_on & (answers == number))
        for number in range(N_LINES)
    ]
    return ~torch.stack(failed, dim=1).any(-1)  # (B, 7)
