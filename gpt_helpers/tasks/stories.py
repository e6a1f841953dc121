"""Word problems of few words, answered at once, or after the calculation is written.

There are two families. In "things", somebody gains and loses things: an item is a row of integers
(person, thing, start, verb, amount, verb, amount, ...). In "legs", a vehicle travels: an item is
(vehicle, miles per hour, hours, miles per hour, hours, ...). Persons, things, verbs and vehicles
are places in the tables below. In the texts every number is one word.

The calculation alone decides what is held out: no test can be answered by having seen the same
numbers in a story about somebody else. The two problems of this book's first draft are held out.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from gpt_helpers.tasks.answers import padded, token_after
from gpt_helpers.tasks.items import held_out
from gpt_helpers.tasks.vocabulary import Vocabulary
from gpt_helpers.tensor_checks import check_tensor
from gpt_helpers.validation import check_choice, check_flag, check_integer, check_sequence, checks

PERSONS = ("Jack He his", "Ken He his", "Tom He his", "Emma She her", "Yuki She her", "Ann She her")
THINGS = ("apples", "books", "coins", "stamps", "pens", "cards")
VERBS = ("buys {} more {}", "finds {} more {}", "gives {} {} to {} friend", "loses {} {}")
SIGNS = np.array([1, 1, -1, -1])  # of the verbs
VEHICLES = ("train", "bus", "car", "truck", "ship", "tram")
MOST_AT_ONCE, MOST_THINGS = 9, 20
SPEEDS, MOST_HOURS, MOST_LEGS = np.arange(10, 70, 10), 3, 4

STORY_NUMBERS = sorted({*range(MOST_THINGS + 1), *range(0, MOST_LEGS * MOST_HOURS * 60 + 1, 10)})
OTHER_WORDS = """+ - * = , . ? answer has and then more to friend How many does have now
    buys finds gives loses If a travels at mph for hour hours what is the total distance traveled
    miles """ + " ".join((*THINGS, *VEHICLES, *PERSONS))
STORY_WORDS = Vocabulary(tuple(dict.fromkeys((*map(str, STORY_NUMBERS), *OTHER_WORDS.split()))))
ASK, END, ANSWER = (STORY_WORDS.ids[word] for word in ("?", ".", "answer"))


@dataclass(frozen=True)
class Story:
    """One problem in words: the question, the calculation step by step, and its result."""

    question: str
    steps: tuple[str, ...]
    result: int
    unit: str

    def answer(self, with_steps):
        """Return the text to write after the question."""
        written = self.steps if with_steps else ()
        return " , ".join([*written, f"answer {self.result} {self.unit} ."])


@dataclass(frozen=True)
class Family:
    """A kind of stories.

    draw(size, rng, n) returns n items of a size, the number of events or legs; story(item) is
    the Story of one; calculations(items) returns the numbers (N, A) that an answer depends on.
    draft is the calculation of the problem that the first draft of the book printed.
    """

    draw: Callable
    story: Callable
    calculations: Callable
    sizes: tuple[int, ...]
    draft: tuple[int, ...]

    def is_test(self, items):
        """Return (N,) bool: which items (N, K) are held out. One calculation in 8 is."""
        calculations = self.calculations(items)
        draft = np.array(self.draft)
        is_draft = calculations.shape[1:] == draft.shape and (calculations == draft).all(1)
        return held_out(calculations) | is_draft


def draw_things(n_events, rng, n_items):
    """Return n_items random items (N, 3 + 2 * n_events) of things gained and lost.

    Nobody ever has less than none, or more than 20. Raises ValueError for no events.
    """
    check_integer("n_events", n_events, at_least=1)
    person, thing = rng.integers(len(PERSONS), size=(2, n_items))
    owned = rng.integers(1, MOST_AT_ONCE + 1, n_items)
    columns = [person, thing, owned]
    for _ in range(n_events):
        amount = rng.integers(1, MOST_AT_ONCE + 1, n_items)
        gains = rng.random(n_items) < 0.5
        gains = (gains & (owned + amount <= MOST_THINGS)) | (owned < amount)
        verb = np.where(gains, 0, 2) + rng.integers(2, size=n_items)
        owned = owned + SIGNS[verb] * amount
        columns += [verb, amount]
    return np.stack(columns, 1)


def things_calculations(items):
    """Return the start and the changes, losses below 0, of items (N, K)."""
    return np.c_[items[:, 2], SIGNS[items[:, 3::2]] * items[:, 4::2]]


def things_story(item):
    """Return the Story of one item (K,) of things gained and lost."""
    name, subject, whose = PERSONS[item[0]].split()
    thing, (start, *changes) = THINGS[item[1]], things_calculations(item[None])[0].tolist()
    verbs = [VERBS[verb] for verb in item[3::2]]
    events = [verb.format(abs(n), thing, whose) for verb, n in zip(verbs, changes, strict=True)]
    pairs = [" and then ".join(events[i : i + 2]) for i in range(0, len(events), 2)]
    told = " ".join(f"{subject} {pair} ." for pair in pairs)
    owned, steps = start, []
    for change in changes:
        sign = "+" if change > 0 else "-"
        steps.append(f"{owned} {sign} {abs(change)} = {owned + change}")
        owned += change
    question = f"{name} has {start} {thing} . {told} How many {thing} does {name} have now ?"
    return Story(question, tuple(steps), owned, thing)


def draw_legs(n_legs, rng, n_items):
    """Return n_items random items (N, 1 + 2 * n_legs) of a journey.

    Raises ValueError for no legs, or more than 4: their distance is in no vocabulary.
    """
    check_choice("n_legs", n_legs, range(1, MOST_LEGS + 1))
    columns = [rng.integers(len(VEHICLES), size=n_items)]
    for _ in range(n_legs):
        columns += [rng.choice(SPEEDS, n_items), rng.integers(1, MOST_HOURS + 1, n_items)]
    return np.stack(columns, 1)


def legs_calculations(items):
    """Return the speeds and hours of items (N, K)."""
    return items[:, 1:]


def legs_story(item):
    """Return the Story of one item (K,) of a journey."""
    legs = item[1:].reshape(-1, 2).tolist()
    told = [f"at {speed} mph for {n} {'hour' if n == 1 else 'hours'}" for speed, n in legs]
    total, steps = 0, []
    for speed, hours in legs:
        distance = speed * hours
        steps.append(f"{speed} * {hours} = {distance}")
        if total:
            steps.append(f"{total} + {distance} = {total + distance}")
        total += distance
    journey = " , then ".join(told)
    question = f"If a {VEHICLES[item[0]]} travels {journey} , what is the total distance traveled ?"
    return Story(question, tuple(steps), total, "miles")


FAMILIES = {
    "things": Family(draw_things, things_story, things_calculations, (2, 3, 4), (5, 3, -2)),
    "legs": Family(draw_legs, legs_story, legs_calculations, (2, 3), (60, 2, 40, 1)),
}
DRAFT = {"things": np.array([[0, 0, 5, 0, 3, 2, 2]]), "legs": np.array([[0, 60, 2, 40, 1]])}


check_stories = partial(check_sequence, kind=Story)


@checks(stories=check_stories)
def story_questions(stories):
    """Return the prompts (N, longest) of N stories, padded on the left, for text to follow."""
    return padded([STORY_WORDS.encode(story.question) for story in stories], side="left")


@checks(stories=check_stories, with_steps=check_flag)
def story_texts(stories, with_steps):
    """Return questions and answers (N, longest) of N stories, padded on the right."""
    rows = [f"{story.question} {story.answer(with_steps)}" for story in stories]
    return padded([STORY_WORDS.encode(row) for row in rows])


@checks(stories=check_stories)
def story_results(stories):
    """Return the id (N,) of the number that answers each of N stories."""
    return torch.cat([STORY_WORDS.encode(str(story.result)) for story in stories])


@checks(written=partial(check_tensor, axes="(N, T)", integers=True))
def story_answers(written):
    """Return the id (N,) of what stands after "answer" in texts (N, T); 0 without an answer."""
    return token_after(ANSWER, written)
