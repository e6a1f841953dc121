"""A right call of each door of gpt_helpers.tasks."""

import numpy as np
import torch

from gpt_helpers.tasks import answers, instructions, items, labels, patterns, stories, sums
from gpt_helpers.text.tokenizer import train_tokenizer
from tests.helpers.misuse import Example
from tests.helpers.runs import tiny_model

WHATEVER = "empty -1 huge"  # a model may write what makes no sense: it is a wrong answer


def examples():
    """Yield the examples."""
    yield from of_answers()
    yield from of_items()
    yield from of_sums()
    yield from of_stories()
    yield from of_labels()
    yield from of_patterns()
    yield from of_instructions()


def of_answers():
    """Yield the examples of answers."""
    ids = torch.tensor([[3, 5, 2, 0], [4, 4, 5, 6]])
    settings = {"padding": 0, "end_is_padding": False}
    takes = {"ids": "empty -1 huge", "padding": "0 -1"}  # a model refuses ids of no vocabulary
    yield Example(answers.text_labels, {"ids": ids, **settings}, takes)
    call = {"ids": ids, "marker": 5, **settings}
    yield Example(answers.answer_labels, call, {"ids": "empty", "padding": "0 -1"})
    yield Example(
        answers.answer_loss, {"marker": 5, **settings}, {"marker": "0", "padding": "0 -1"}
    )
    rows = [ids[0], ids[1, :2]]
    call = {"rows": rows, "side": "left", "padding": 7}
    yield Example(answers.padded, call, {"padding": "0 -1"})


def of_items():
    """Yield the examples of items."""
    rng = np.random.default_rng(0)
    chosen = draw(rng, 4)
    yield Example(items.held_out, {"items": chosen}, {"items": "empty"})
    call = {"draw": draw, "n_items": 3, "rng": rng, "for_tests": True, "is_test": items.held_out}
    yield Example(items.draw_items, call)
    call = {"draw": draw, "rows": np.asarray, "batch_size": 2, "seed": 1}
    call["is_test"] = items.held_out
    yield Example(items.ItemBatches, call, {"seed": "0"})
    batches = items.ItemBatches(draw, np.asarray, 2)
    yield Example(batches.__getitem__, {"step": 3}, {"step": "0"})
    yield Example(items.Mixture, {"sources": [batches, batches]})


def of_sums():
    """Yield the examples of sums."""
    rng = np.random.default_rng(0)
    call = {"n_digits": 3, "rng": rng, "n_items": 2}
    yield Example(sums.draw_digits, call)
    digits = sums.draw_digits(3, rng, 2)
    yield Example(sums.sum_of, {"items": digits}, {"items": "empty"})
    yield Example(sums.sum_questions, {"items": digits}, {"items": "empty"})
    call = {"steps_of": sums.FORMATS["steps"], "items": digits}
    yield Example(sums.sum_texts, call, {"items": "empty"})
    written = sums.sum_texts(sums.FORMATS["steps"], digits)
    yield Example(sums.sum_answers, {"written": written}, {"written": WHATEVER})
    call = {"items": digits, "at": 2, "rng": rng}
    yield Example(sums.with_wrong_step, call, {"items": "empty"})


def of_stories():
    """Yield the examples of stories."""
    told = [family.story(stories.DRAFT[name][0]) for name, family in stories.FAMILIES.items()]
    yield Example(stories.story_questions, {"stories": told})
    yield Example(stories.story_texts, {"stories": told, "with_steps": True})
    yield Example(stories.story_results, {"stories": told})
    written = stories.story_texts(told, with_steps=True)
    yield Example(stories.story_answers, {"written": written}, {"written": WHATEVER})


def of_labels():
    """Yield the examples of labels."""
    rng = np.random.default_rng(0)
    for door in (labels.draw_labelled, labels.draw_seen, labels.draw_unseen):
        yield Example(door, {"rng": rng, "n_items": 4})
    drawn = labels.draw_labelled(rng, 3)
    yield Example(labels.labelled_rows, {"items": drawn}, {"items": "empty"})
    yield Example(labels.shuffled_rows, {"items": drawn, "rng": rng}, {"items": "empty"})
    ids, vocab_size = torch.tensor(labels.labelled_rows(drawn)), len(labels.WORDS_AND_LABELS)
    model = tiny_model(vocab_size=vocab_size, n_positions=18)
    call = {"model": model, "ids": ids, "wanted": ids[:, 1::2]}
    yield Example(labels.label_scores, call, {"wanted": "None"})
    yield Example(labels.outside, {"model": model, "ids": ids})
    yield Example(labels.same_class, {"ids": ids})
    yield Example(labels.best_possible, {"k": 3, "n_partners": 5}, {"k": "0"})


def of_patterns():
    """Yield the examples of patterns."""
    rng = np.random.default_rng(0)
    yield Example(patterns.draw_lines, {"rng": rng, "n_items": 2})
    tokenizer = train_tokenizer(["def f(x):\n    return x\n"], 257)
    model = tiny_model(vocab_size=257, n_positions=200)
    call = {"model": model, "tokenizer": tokenizer, "batch_size": 1}
    call |= {"pattern": patterns.PATTERNS["x = c"], "items": patterns.draw_lines(rng, 2)}
    yield Example(patterns.pattern_scores, call)


def of_instructions():
    """Yield the examples of instructions."""
    rng, tools = np.random.default_rng(0), instructions
    yield Example(tools.draw_from, {"commands": tools.SINGLES})
    yield Example(tools.number_items, {})
    yield Example(tools.base_items, {"n_items": 4, "rng": rng, "for_tests": True})
    yield Example(tools.tuning_items, {"n_items": 10, "rng": rng})
    drawn, item = tools.base_items(4, rng), tools.number_items()[42]
    call = {"item": item, "turn": 3}
    yield Example(tools.statement, call, {"turn": "0"})
    yield Example(tools.instruction, call | {"names": tools.TUNED_NAMES}, {"turn": "0"})
    yield Example(tools.response, {"item": item, "polite": True})
    yield Example(tools.questions, {"items": drawn, "names": tools.NEW_NAMES})
    yield Example(tools.unfinished, {"items": drawn})
    texts = [tools.statement(item, turn) for turn in range(3)]
    yield Example(tools.encoded, {"texts": texts, "side": "left"})
    rows = tools.encoded(texts)
    yield Example(tools.judged, {"row": rows[0], "item": item})
    call = {"rows": rows, "n_steps": 2, "batch_size": 3, "rng": rng}
    yield Example(tools.as_steps, call)


def draw(rng, n_items):
    """Draw items of 6 digits."""
    return rng.integers(10, size=(n_items, 6))
