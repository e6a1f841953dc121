"""Operations on short words and numbers, as plain text to read and as instructions to follow.

An item is a row of 7 integers: the number of an operation, that of a second one (0: none), and
up to 5 characters, filled up with 0. It is held out by what is asked of which word, in whatever
wording. The base corpus states all 64 binary numbers, but of words only those for training.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from gpt_helpers.tasks.answers import padded
from gpt_helpers.tasks.items import check_items, draw_items, held_out
from gpt_helpers.tasks.vocabulary import Vocabulary
from gpt_helpers.validation import (
    check_count,
    check_flag,
    check_integer,
    check_natural,
    check_rng,
    check_sequence,
    checks,
)

LETTERS, DIGITS = "abcdefghij", "0123456789"
CHARACTERS = LETTERS + DIGITS
SHORTEST, LONGEST = 3, 5
N_NUMBERS = 64


@dataclass(frozen=True)
class Operation:
    """What is done to a word, and three ways to say it, of which the last is never in tuning."""

    apply: Callable[[str], str]
    names: tuple[str, str, str]


OPERATIONS = {
    "reverse": Operation(lambda word: word[::-1], ("reversed", "backwards", "mirrored")),
    "capitals": Operation(str.upper, ("in capitals", "in uppercase", "shouted")),
    "double": Operation(lambda word: word + word, ("doubled", "twice", "repeated")),
    "sort": Operation(lambda word: "".join(sorted(word)), ("sorted", "in order", "arranged")),
    "binary": Operation(lambda number: f"{int(number):b}", ("in binary", "in base two", "in bits")),
    "shorten": Operation(lambda word: word[0], ("shortened", "abridged", "abbreviated")),
}
ON_WORDS = tuple(name for name in OPERATIONS if name != "binary")
SINGLES = tuple((name,) for name in ON_WORDS)
NEW_PAIRS = tuple(zip(ON_WORDS, ON_WORDS[1:] + ON_WORDS[:1], strict=True))
TUNED_PAIRS = tuple(
    (first, second)
    for first in ON_WORDS
    for second in ON_WORDS
    if first != second and (first, second) not in NEW_PAIRS
)
LIMITS = (len(OPERATIONS) + 1,) * 2 + (len(CHARACTERS) + 1,) * LONGEST  # of the numbers of an item
TUNED_NAMES, NEW_NAMES = (0, 1), (2,)  # which of the three names of an operation

STATEMENTS = (
    "{word} {how} is",
    "{word} {how} becomes",
    "{how} , {word} is",
    "{how} , {word} becomes",
)
REQUESTS = ("write the input {how}", "give the input {how}", "say the input {how}")
PROMPT = "instruction: {request} input: {word} response:"
MARKER, END, POLITE = "response:", ".", "sure"

VOCABULARY = Vocabulary(
    tuple(CHARACTERS + LETTERS.upper())
    + tuple(dict.fromkeys(" ".join(n for o in OPERATIONS.values() for n in o.names).split()))
    + ("is", "becomes", ",", END, "instruction:", "input:", MARKER)
    + ("write", "give", "say", "the", "input", "then", POLITE)
)


def draw_from(commands):
    """Return draw(rng, n), which draws n items (n, 7): a command each, and a word.

    commands are tuples of one or two names of OPERATIONS, such as ("reverse",). Words of all
    lengths are equally likely. Raises ValueError for what is no such command.
    """
    check_sequence("commands", commands, (tuple, list))
    numbers = np.array([command_numbers(command) for command in commands])

    def draw(rng, n_items):
        letters = rng.integers(1, len(LETTERS) + 1, size=(n_items, LONGEST))
        lengths = rng.integers(SHORTEST, LONGEST + 1, size=(n_items, 1))
        chosen = numbers[rng.integers(len(numbers), size=n_items)]
        return np.hstack([chosen, letters * (np.arange(LONGEST) < lengths)])

    return draw


def command_numbers(command):
    """Return the first two integers of an item, or raise ValueError for no command on words."""
    if not 1 <= len(command) <= 2 or not all(name in ON_WORDS for name in command):
        raise ValueError(f"command={command!r} of commands must be one or two of {ON_WORDS}")
    numbers = [list(OPERATIONS).index(name) + 1 for name in command]
    return [*numbers, 0][:2]


def number_items():
    """Return the items (64, 7) that ask for the numbers 0 to 63 in binary."""
    binary = list(OPERATIONS).index("binary") + 1
    codes = [[CHARACTERS.index(digit) + 1 for digit in str(n)] for n in range(N_NUMBERS)]
    return np.array([[binary, 0, *code, *[0] * (LONGEST - len(code))] for code in codes])


def read(item):
    """Return (command, word) of an item (7,), such as (("reverse",), "cab")."""
    command = tuple(list(OPERATIONS)[number - 1] for number in item[:2] if number)
    return command, "".join(CHARACTERS[code - 1] for code in item[2:] if code)


def check_item(name, item, n_most=2):
    """Raise ValueError unless item (7,) asks for one operation, or up to n_most, of a word."""
    check_items(name, item[None] if isinstance(item, np.ndarray) else item, LIMITS)
    command, word = read(item)
    is_word = word.isdecimal() if "binary" in command else word
    if not (item[0] and is_word) or len(command) > n_most:
        wanted = f"1 operation, or up to {n_most}, of a word; binary, of a number"
        raise ValueError(f"{name}={item} must ask for {wanted}")


def check_each_item(name, items, n_most=2):
    """Raise ValueError unless items, an array (N, 7) or a list of its rows, ask for something."""
    is_array = isinstance(items, np.ndarray) and items.ndim
    check_sequence(name, list(items) if is_array else items, np.ndarray)
    for place, item in enumerate(items):
        check_item(f"{name}[{place}]", item, n_most)


def check_names(name, value):
    """Raise ValueError unless value is a list of names of operations, by their number."""
    check_sequence(name, value)
    for place, number in enumerate(value):
        check_integer(f"{name}[{place}]", number, at_least=0, at_most=2)


def check_instruction_rows(name, rows):
    """Raise ValueError unless rows (N, T), or pairs of them (N, 2, T), hold ids of VOCABULARY."""
    VOCABULARY.check(name, rows, "(..., T)")
    if rows.ndim != 2 and (rows.ndim != 3 or rows.shape[1] != 2):
        raise ValueError(f"{name} has shape {tuple(rows.shape)}; make it (N, T) or (N, 2, T)")


def right_answer(item):
    """Return the word of an item (7,) after its operations, first to last."""
    command, word = read(item)
    for name in command:
        word = OPERATIONS[name].apply(word)
    return word


def beginning(item, turn):
    """Return a sentence on an item (7,) up to its answer; turn counts through the wordings."""
    (name,), word = read(item)
    names = OPERATIONS[name].names
    kind, which = divmod(turn, len(names))
    sentence = STATEMENTS[kind % len(STATEMENTS)]
    return sentence.format(word=" ".join(word), how=names[which])


@checks(item=partial(check_item, n_most=1), turn=check_natural)
def statement(item, turn):
    """Return an item (7,) of one operation as a sentence; turn counts through the wordings."""
    return f"{beginning(item, turn)} {response.unchecked(item)}"


@checks(item=check_item, turn=check_natural, names=check_names)
def instruction(item, turn, names=TUNED_NAMES):
    """Return the prompt of an item (7,); turn counts through the wordings with these names."""
    command, word = read(item)
    kind, which = divmod(turn, len(names))
    how = " then ".join(OPERATIONS[name].names[names[which]] for name in command)
    request = REQUESTS[kind % len(REQUESTS)].format(how=how)
    return PROMPT.format(request=request, word=" ".join(word))


@checks(item=check_item, polite=check_flag)
def response(item, polite=False):
    """Return the answer to an item (7,) as text, and its end; a polite one begins with "sure"."""
    words = [*right_answer(item), END]
    return " ".join([POLITE, *words] if polite else words)


@checks(item=check_item)
def judged(row, item):
    """Return (polite, right) of a row of ids (T,), prompt and answer to an item (7,).

    A polite answer begins with "sure"; a right one says what the item asks for, in either style.
    """
    VOCABULARY.check("row", row, "(T,)")
    text = VOCABULARY.decode(row).partition(f"{MARKER} ")[2]
    polite = text.startswith(POLITE)
    return polite, text == response.unchecked(item, polite)


@checks(texts=partial(check_sequence, kind=str))
def encoded(texts, side="right"):
    """Return the token ids (N, longest) of texts, filled up with 0 on one side."""
    return padded([VOCABULARY.encode(text) for text in texts], side)


@checks(n_items=check_count, rng=check_rng, for_tests=check_flag)
def base_items(n_items, rng, for_tests=False):
    """Return the items (n_items, 7) of a base corpus: one in four is a number, of all 64.

    For tests there are words only, since a base corpus for training has every number.
    """
    n_numbers = 0 if for_tests else n_items // 4
    words = draw_items(draw_from(SINGLES), n_items - n_numbers, rng, for_tests)
    return rng.permutation(np.concatenate([words, rng.choice(number_items(), n_numbers)]))


@checks(n_items=partial(check_integer, at_least=3), rng=check_rng)
def tuning_items(n_items, rng):
    """Return the items (n_items, 7) to tune on: half of one operation, a tenth numbers, pairs."""
    numbers = number_items()
    parts = [
        draw_items(draw_from(SINGLES), n_items - n_items // 10 - n_items * 2 // 5, rng, False),
        draw_items(draw_from(TUNED_PAIRS), n_items * 2 // 5, rng, False),
        rng.choice(numbers[~held_out(numbers)], n_items // 10),
    ]
    return rng.permutation(np.concatenate(parts))


@checks(items=check_each_item, names=check_names)
def questions(items, names=TUNED_NAMES):
    """Return (prompts (N, T), filled up on the left, and answers (N, A)), wordings in turn."""
    prompts = [instruction.unchecked(item, turn, names) for turn, item in enumerate(items)]
    return encoded(prompts, "left"), encoded([response.unchecked(item) for item in items])


@checks(items=partial(check_each_item, n_most=1))
def unfinished(items):
    """Return (sentences (N, T) up to their answers, and answers (N, A)), as questions does."""
    sentences = [beginning(item, turn) for turn, item in enumerate(items)]
    return encoded(sentences, "left"), encoded([response.unchecked(item) for item in items])


@checks(rows=check_instruction_rows, n_steps=check_count, batch_size=check_count, rng=check_rng)
def as_steps(rows, n_steps, batch_size, rng):
    """Return batches (n_steps, B, T) drawn from rows (N, T), or pairs of rows, for loop.train."""
    return rows[torch.from_numpy(rng.integers(len(rows), size=(n_steps, batch_size)))]
