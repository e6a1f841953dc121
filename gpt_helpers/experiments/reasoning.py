"""Experiments on chains of thought: one small model, with steps to write and without.

Every model is a modern GPT, trained by Muon and AdamW with a loss on what follows the question.
Whatever the format, a step of training reads the same number of tokens, within a row. Rows count
in x the digits of a sum, the events or legs of a story, the steps before the wrong one, or votes.
"""

import copy
import functools

import numpy as np
import torch

from gpt_helpers.config import GPTConfig
from gpt_helpers.evaluation.accuracy import exactly, written
from gpt_helpers.experiments.voting import exchanged_errors, majority, sampled_answers
from gpt_helpers.tasks import stories, sums
from gpt_helpers.tasks.answers import answer_loss
from gpt_helpers.tasks.items import ItemBatches, Mixture, draw_items
from gpt_helpers.training.loop import train
from gpt_helpers.training.settings import TrainingSettings
from gpt_helpers.validation import check_choice
from gpt_helpers.variants.modern import ModernLMHeadModel

SUM_STEPS, STORY_STEPS = 130, 300  # of training
DIGIT_TOKENS = 576  # of one of them, for each digit of the longest sum, padding included
N_PROBLEMS = 2000  # of each test of sums; of stories, which are longer, half
N_DIGITS = 12
LENGTHS, LONGER = (3, 4), (14, 16)
WRONG_AT = (3, 6, 9)
VOTES = (1, 3, 5, 11, 21)
STORY_SIZES = (2, 3, 4)
STORY_ROWS = {"at once": 125, "steps": 80}  # of a step of training: as many tokens


def taught(batches, vocabulary, marker, seed, n_steps, n_layer=2, after_step=None):
    """Return a model trained on batches of texts, with the loss after the marker, and its log."""
    config = GPTConfig(
        len(vocabulary), n_positions=192, n_embd=64, n_layer=n_layer, n_head=4, dropout=0.0
    )
    torch.manual_seed(seed)
    model = ModernLMHeadModel(config)
    settings = TrainingSettings(
        total_steps=n_steps, max_lr=1e-2, min_lr=0.0, warmup_steps=min(10, n_steps),
        schedule="wsd", cooldown_share=0.7, optimizer="muon", seed=seed,
    )  # fmt: skip
    loss_of = answer_loss(marker)
    return model, train(model, batches, settings, loss_of=loss_of, after_step=after_step)


def agreement(found, wanted):
    """Return the Score of answers found (N,) against those wanted (N,)."""
    return exactly(found[:, None], wanted[:, None])


def score_row(measure, x, score, log):
    """Return the row of results of a Score, of a model that was trained as its log says."""
    done = {"steps": log[-1]["step"], "tokens": log[-1]["tokens"]}
    return {"measure": measure, "x": x, "right": score.right, "n": score.n} | done


# Sums of digits.


def sum_model(written_as, seed=0, n_layer=2, n_digits=N_DIGITS, n_steps=SUM_STEPS, **settings):
    """Return a model trained on sums of n_digits digits in a format of sums.FORMATS, and its log.

    settings go to taught.
    """
    check_choice("written_as", written_as, sums.FORMATS)
    draw = functools.partial(sums.draw_digits, n_digits)
    rows = functools.partial(sums.sum_texts, sums.FORMATS[written_as])
    n_rows = DIGIT_TOKENS * n_digits // rows(np.zeros((1, n_digits), int)).shape[1]
    batches = ItemBatches(draw, rows, n_rows, seed)
    return taught(batches, sums.SUM_WORDS, sums.ASK, seed, n_steps, n_layer, **settings)


def sum_items(n_digits=N_DIGITS, n_items=N_PROBLEMS, for_tests=True):
    """Return n_items sums of n_digits digits (N, K): the same in every call.

    Of the sums of 3 digits 131 are held out, so among 2000 drawn each occurs 15 times: their
    score is more certain of the model than it is of other sums. Longer ones hardly recur.
    """
    draw = functools.partial(sums.draw_digits, n_digits)
    return draw_items(draw, n_items, np.random.default_rng(n_digits), for_tests)


def sum_score(model, items, **settings):
    """Return the Score of what a model writes after the questions of items (N, K).

    It writes greedily, unless settings of generation.generate say otherwise.
    """
    texts = written(model, sums.sum_questions(items), items.shape[1] + 2, **settings)
    return agreement(sums.sum_answers(texts), sums.sum_of(items))


def sums_by_length(written_as, n_layer, seed):
    """Return rows of models of n_layer layers, one for each of LENGTHS: "answer"."""
    rows = []
    for n in LENGTHS:
        model, log = sum_model(written_as, seed, n_layer, n)
        rows.append(score_row("answer", n, sum_score(model, sum_items(n)), log))
    return rows


def twelve_digits(written_as, n_layer, seed):
    """Return rows of a model trained on 12 digits: "answer", and what else the format allows.

    With steps: "answer" for longer sums, "follows" and "ignores" a wrong step, and votes.
    """
    kept = []
    after_step = keep_halfway(kept) if written_as == "steps" else None
    model, log = sum_model(written_as, seed, n_layer, after_step=after_step)
    rows = [score_row("answer", N_DIGITS, sum_score(model, sum_items()), log)]
    if written_as == "steps":
        rows += [score_row("answer", n, sum_score(model, sum_items(n)), log) for n in LONGER]
        rows += [row for at in WRONG_AT for row in wrong_step_rows(model, at, log)]
        rows += [row for halfway, step in kept for row in vote_rows(halfway, log[:step])]
    return rows


def wrong_step_scores(model, items, at, seed=0):
    """Return (follows, ignores) of sums whose step number at is replaced by a wrong one.

    Two Scores: answers that are right but for the wrong step, and those that are right.
    """
    begun, following = sums.with_wrong_step(items, at, np.random.default_rng(seed))
    found = sums.sum_answers(written(model, begun, items.shape[1] - at + 2))
    return agreement(found, following), agreement(found, sums.sum_of(items))


def wrong_step_rows(model, at, log):
    """Return the rows of wrong_step_scores on sums of 12 digits."""
    scores = wrong_step_scores(model, sum_items(), at)
    measures = ("follows", "ignores")
    return [score_row(name, at, score, log) for name, score in zip(measures, scores, strict=True)]


# Voting, by a model that has learned half of it.


def keep_halfway(kept):
    """Return the after_step that keeps the first (model, step) with half of its samples right.

    It looks every 4 steps, at sums that are no test items.
    """
    items = sum_items(n_items=200, for_tests=False)

    def after_step(row, model):
        if not kept and row["step"] % 4 == 0:
            generator = torch.Generator().manual_seed(row["step"])
            if sum_score(model, items, temperature=1.0, generator=generator).share >= 0.5:
                kept.append((copy.deepcopy(model), row["step"]))

    return after_step


def vote_rows(model, log, n_items=1000):
    """Return rows of "greedy", "votes" and "independent votes", x being the number of votes."""
    items = sum_items(n_items=n_items)
    right = sums.sum_of(items)
    answers = sampled_answers(model, items, max(VOTES))
    kinds = {"votes": answers, "independent votes": exchanged_errors(answers, right)}
    return [score_row("greedy", 1, sum_score(model, items), log)] + [
        score_row(kind, n, agreement(majority(found[:, :n]), right), log)
        for kind, found in kinds.items()
        for n in VOTES
    ]


# Stories.


def story_batches(family, size, with_steps, n_rows, seed):
    """Return batches of n_rows stories of a stories.Family, all of a size."""

    def rows(items):
        return stories.story_texts([family.story(item) for item in items], with_steps)

    draw = functools.partial(family.draw, size)
    return ItemBatches(draw, rows, n_rows, seed, family.is_test)


def story_model(written_as, seed=0, sizes=STORY_SIZES, n_steps=STORY_STEPS, **settings):
    """Return a model trained on stories of both families, "at once" or with "steps"; its log.

    sizes are the numbers of events and of legs. settings go to taught.
    """
    check_choice("written_as", written_as, STORY_ROWS)
    families = stories.FAMILIES.values()
    chosen = [(family, size) for family in families for size in sizes if size in family.sizes]
    n_rows, with_steps = STORY_ROWS[written_as] // len(chosen), written_as == "steps"
    parts = [story_batches(family, size, with_steps, n_rows, seed) for family, size in chosen]
    vocabulary, marker = stories.STORY_WORDS, stories.ASK
    return taught(Mixture(parts), vocabulary, marker, seed, n_steps, **settings)


def story_items(name, size, n_items=N_PROBLEMS // 2):
    """Return n_items stories, of a family by name, whose calculations are held out."""
    family = stories.FAMILIES[name]
    draw, rng = functools.partial(family.draw, size), np.random.default_rng(size)
    items = draw_items(draw, n_items, rng, True, family.is_test)
    return [family.story(item) for item in items]


def written_stories(model, told):
    """Return what a model writes (N, T) after the questions of N stories, as ids, greedily."""
    prompts = stories.story_questions(told)
    longest = stories.story_texts(told, with_steps=True).shape[1] - prompts.shape[1]
    settings = {"attention_mask": prompts != 0, "eos_token_id": stories.END}
    return written(model, prompts, longest, **settings)


def stories_by_size(written_as, seed):
    """Return rows of a model trained on stories: "things" and "legs", also one more than trained.

    x is the number of events or of legs.
    """
    model, log = story_model(written_as, seed)
    rows = []
    for name, family in stories.FAMILIES.items():
        for size in (*family.sizes, family.sizes[-1] + 1):
            told = story_items(name, size)
            found = stories.story_answers(written_stories(model, told))
            rows.append(score_row(name, size, agreement(found, stories.story_results(told)), log))
    return rows


def variants(run, chosen):
    """Return {name: run of it}, for chosen formats and numbers of layers."""
    return {
        f"{written_as}, {n_layer} layers": functools.partial(run, written_as, n_layer)
        for written_as, n_layer in chosen
    }


EXPERIMENTS = {
    "sum of 12 digits": variants(twelve_digits, [(written_as, 2) for written_as in sums.FORMATS]),
    "sums by length": variants(
        sums_by_length, [("at once", 1), ("at once", 2), ("at once", 4), ("steps", 2)]
    ),
    "stories": {name: functools.partial(stories_by_size, name) for name in STORY_ROWS},
}
