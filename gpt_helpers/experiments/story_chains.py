"""Chains of thought about stories of two families: things that change hands, and legs counted.

EXPERIMENTS is {experiment: {variant: function of a seed}}; applications.py runs them all. x counts
the events or legs of a story.
"""

import functools

import numpy as np

from gpt_helpers.architecture.modules import check_model
from gpt_helpers.evaluation.accuracy import written
from gpt_helpers.experiments.reasoning import agreement, score_row, taught
from gpt_helpers.tasks import stories
from gpt_helpers.tasks.items import ItemBatches, Mixture, draw_items
from gpt_helpers.validation import check_choice, check_count, check_natural, check_sequence, checks

STORY_STEPS = 300  # of training
N_STORIES = 1000  # of each test
STORY_SIZES = (2, 3, 4)
STORY_ROWS = {"at once": 125, "steps": 80}  # of a step of training: as many tokens


def story_batches(family, size, with_steps, n_rows, seed):
    """Return batches of n_rows stories of a stories.Family, all of a size."""

    def rows(items):
        return stories.story_texts([family.story(item) for item in items], with_steps)

    draw = functools.partial(family.draw, size)
    return ItemBatches(draw, rows, n_rows, seed, family.is_test)


def story_mixture(written_as, seed=0, sizes=STORY_SIZES):
    """Return batches of stories of both families, "at once" or with "steps".

    sizes are the numbers of events and of legs.
    """
    families = stories.FAMILIES.values()
    chosen = [(family, size) for family in families for size in sizes if size in family.sizes]
    n_rows, with_steps = STORY_ROWS[written_as] // len(chosen), written_as == "steps"
    return Mixture([story_batches(*one, with_steps, n_rows, seed) for one in chosen])


def check_story_sizes(name, value):
    """Raise ValueError unless value is a sequence of STORY_SIZES."""
    check_sequence(name, value)
    for place, size in enumerate(value):
        check_choice(f"{name}[{place}]", size, STORY_SIZES)


@checks(
    written_as=functools.partial(check_choice, choices=STORY_ROWS),
    seed=check_natural,
    sizes=check_story_sizes,
    n_steps=check_count,
)
def story_model(written_as, seed=0, sizes=STORY_SIZES, n_steps=STORY_STEPS):
    """Return a model trained on a story_mixture, and its log."""
    batches = story_mixture(written_as, seed, sizes)
    return taught(batches, stories.STORY_WORDS, stories.ASK, seed, n_steps)


def story_items(name, size, n_items=N_STORIES):
    """Return n_items stories, of a family by name, whose calculations are held out."""
    family = stories.FAMILIES[name]
    draw, rng = functools.partial(family.draw, size), np.random.default_rng(size)
    items = draw_items(draw, n_items, rng, True, family.is_test)
    return [family.story(item) for item in items]


@checks(told=stories.check_stories)
def written_stories(model, told):
    """Return what a model writes (N, T) after the questions of N stories, as ids, greedily."""
    check_model(model)
    prompts = stories.story_questions(told)
    longest = stories.story_texts(told, with_steps=True).shape[1] - prompts.shape[1]
    settings = {"attention_mask": prompts != 0, "eos_token_id": stories.END}
    return written(model, prompts, longest, **settings)


def stories_by_size(written_as, seed, n_items=N_STORIES, **settings):
    """Return rows of a model trained on stories: "things" and "legs", also one more than trained.

    settings go to story_model.
    """
    model, log = story_model(written_as, seed, **settings)
    rows = []
    for name, family in stories.FAMILIES.items():
        for size in (*family.sizes, family.sizes[-1] + 1):
            told = story_items(name, size, n_items)
            answers = stories.story_answers(written_stories(model, told))
            score = agreement(answers, stories.story_results(told))
            rows.append(score_row(name, size, score, log))
    return rows


EXPERIMENTS = {
    "stories": {name: functools.partial(stories_by_size, name) for name in STORY_ROWS},
}
