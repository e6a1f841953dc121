"""Models that write what a function says, for tests of what is made of a written text."""

import torch

from gpt_helpers.config import GPTConfig
from gpt_helpers.tasks import sums


class Writer(torch.nn.Module):
    """A model that writes what a function of the words of a prompt says."""

    def __init__(self, vocabulary, continued):
        """Remember the words and the function."""
        super().__init__()
        self.vocabulary, self.continued = vocabulary, continued
        self.config = GPTConfig(len(vocabulary))

    def generate(self, prompts, n_tokens, **settings):
        """Return prompts, and after each what the function says, filled up with padding."""
        self.settings = settings
        rows = [self.continued(self.vocabulary.decode(row).split()) for row in prompts]
        written = torch.zeros(len(rows), n_tokens, dtype=torch.long)
        for row, words in zip(written, rows, strict=True):
            ids = self.vocabulary.encode(" ".join(words))[:n_tokens]
            row[: len(ids)] = ids
        return torch.cat([prompts, written], 1)


def reading_its_steps(words):
    """Go on from the last running sum, if there is one."""
    colon = words.index(":")
    digits, done = list(map(int, words[:colon])), list(map(int, words[colon + 1 :]))
    total, steps = (done[-1] if done else 0), []
    for digit in digits[len(done) :]:
        total = (total + digit) % 10
        steps.append(str(total))
    return [*steps, "=", str(total)]


def ignoring_its_steps(words):
    """Sum the digits, whatever the steps say."""
    return ["=", str(sum(map(int, words[: words.index(":")])) % 10)]


def wrong_half_of_the_time(words):
    """Add 1 where the first digit is odd."""
    right = int(ignoring_its_steps(words)[1])
    return ["=", str((right + int(words[0]) % 2) % 10)]


def sum_writer(continued):
    """Return the model of sums that writes so."""
    return Writer(sums.SUM_WORDS, continued)
