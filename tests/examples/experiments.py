"""A right call of each door of gpt_helpers.experiments."""

import dataclasses

import torch

from gpt_helpers.architecture.model import GPTLMHeadModel
from gpt_helpers.experiments import (
    ablations,
    applications,
    block_shapes,
    budgets,
    copying,
    evidence,
    few_shot,
    induction,
    ladder,
    ladder_models,
    prediction,
    reasoning,
    small_run,
    speed,
    story_chains,
    sweep,
    tuning,
    voting,
)
from gpt_helpers.tasks import instructions, labels, stories, sums
from gpt_helpers.text.tokens import Tokens
from gpt_helpers.training.runs import Run
from gpt_helpers.training.settings import TrainingSettings
from tests.helpers.misuse import Example
from tests.helpers.runs import TINY, TOKENS, brief_setup, tiny_model
from tests.helpers.sweeps import made_up_rows

BRIEF = TrainingSettings(total_steps=2, warmup_steps=1, evaluate_every=1)
RUN = Run(TINY, BRIEF, batch_size=2)
CORPUS = Tokens(None, *[TOKENS.repeat(16)] * 2)  # enough for the largest run, too


def examples():
    """Yield the examples."""
    yield from of_records()
    yield from of_shapes()
    yield from of_ladder()
    yield from of_sweep()
    yield from of_runs()
    yield from of_labels()
    yield from of_chains()
    yield from of_tuning()
    answers = torch.tensor([[3, 3, 1], [-1, 2, 2]])
    yield Example(voting.majority, {"answers": answers}, {"answers": "-1 huge"})


def of_records():
    """Yield the examples of what reads ablations.csv, applications.csv and copying.csv."""
    call = {"experiment": "schedule", "column": "held_out_loss"}
    yield Example(ablations.finals, call)
    yield Example(ablations.mean_curves, call)
    yield Example(ablations.recorded, {"experiment": "schedule"})
    rows = [{"tokens": 10, "loss": 3.0}, {"tokens": 20, "loss": 2.0}]
    yield Example(ablations.mean_curve, {"seeds": {0: rows, 1: rows}, "column": "loss"})
    runs = {"schedule": {"cosine": RUN}}
    yield Example(ablations.planned, {"experiments": runs}, {"experiments": "empty"})
    runs = {"labels": {"GPT-2": few_shot.label_rows}}
    yield Example(applications.planned, {"experiments": runs}, {"experiments": "empty"})
    path = applications.RECORD.path
    yield Example(applications.recorded_rows, {"path": path}, {"path": "missing"})
    call = {"experiment": "labels", "measure": "accuracy", "path": path}
    yield Example(applications.recorded, call)
    yield Example(applications.scores, call)
    yield Example(applications.values, call | {"measure": "outside"})
    call = {"experiment": "labels", "measure": "accuracy", "variant": "GPT-2, AdamW", "x": 8}
    yield Example(evidence.recorded_shares, call, {"x": "0"})
    yield Example(evidence.best_sizes, {"size": "n_params"})
    yield Example(evidence.four_reasons, {})
    yield Example(speed.recorded_speed, {"name": "generation"})
    yield Example(copying.recorded_copying, {"path": copying.COPYING}, {"path": "missing"})
    yield Example(speed.recorded_speed, {"name": "generation"})


def of_shapes():
    """Yield the examples of what reads block_shapes.csv."""
    path = block_shapes.RECORD.path
    yield Example(block_shapes.comparison, {"path": path})
    yield Example(block_shapes.recorded, {"path": path})
    long = Tokens(None, *[TOKENS.repeat(500)] * 2)
    call = {"arm": block_shapes.WHOLE, "tokens": long, "seed": 1, "path": path}
    yield Example(block_shapes.begun_again, call)


def of_ladder():
    """Yield the examples of what reads ladder.csv and ladder_times.csv."""
    call = {"path": ladder.RECORD.path, "times": ladder.TIMES.path}
    yield Example(ladder.at_equal_time, call)
    yield Example(ladder.at_equal_tokens, {"path": ladder.RECORD.path})
    yield Example(ladder.recorded, {"path": ladder.RECORD.path})
    yield Example(ladder.relative_times, {"path": ladder.TIMES.path})
    losses = {"post-LN": {0: 4.0, 1: 4.2}, "pre-LN": {0: 3.9, 1: 4.1}}
    yield Example(ladder.compared, {"losses": losses}, {"losses": "empty"})
    yield Example(ladder_models.wide_std, {"config": TINY})


def of_sweep():
    """Yield the examples of what plans the sweep, reads sweep.csv and predicts from it."""
    yield Example(budgets.best_rate, {"width": 64})
    yield Example(budgets.run_on, {"width": 64, "flops": 1e12, "seed": 1}, {"seed": "0"})
    path = sweep.RECORD.path
    yield Example(sweep.recorded_runs, {"path": path}, {"path": "missing"})
    yield Example(sweep.largest, {"path": sweep.PREDICTION})
    rows = made_up_rows()
    yield Example(sweep.runs_on, {"rows": rows, "flops": 1e11})
    call = {"rows": rows, "purposes": ("profile", "repeated"), "size": "n_params"}
    yield Example(prediction.law_runs, call)
    yield Example(prediction.extrapolation_errors, {"rows": rows})
    yield Example(prediction.predictions, {"path": sweep.PREDICTION})
    yield Example(prediction.outcome, {"path": sweep.PREDICTION, "sweep": path})


def of_runs():
    """Yield the examples of what trains a run, on made-up tokens."""
    call = {"run": RUN, "folder": None, "tokens": CORPUS, "n_scored": 10}
    yield Example(budgets.do, call, {"folder": "None"})
    call = {"variation": RUN, "seed": 1, "stop_after": 1, "tokens": CORPUS}
    yield Example(small_run.run, call, {"seed": "0", "stop_after": "None"})
    call = {"n_layer": 1, "seed": 1, "stop_after": 1, "run": RUN, "tokens": CORPUS, "every": 1}
    call["ids"] = TOKENS[:8].repeat(2, 2)[:, :12]
    yield Example(induction.watched, call, {"seed": "0", "stop_after": "None", "run": "None"})


def of_labels():
    """Yield the examples of few_shot."""
    call = {"draw": labels.draw_labelled, "n_items": 2}
    yield Example(few_shot.items_for_tests, call)
    config = dataclasses.replace(few_shot.LABEL_CONFIG, n_embd=8, n_layer=1, n_head=1)
    call = {"seed": 1, "settings": BRIEF, "make": GPTLMHeadModel, "config": config}
    call |= {"draw": labels.draw_labelled, "after_step": lambda row, model: None}
    yield Example(few_shot.trained, call, {"seed": "0", "after_step": "None"})


def of_chains():
    """Yield the examples of chains of thought."""
    call = {"n_digits": 3, "n_items": 2, "for_tests": False}
    yield Example(reasoning.sum_items, call)
    call = {"written_as": "steps", "seed": 1, "n_layer": 1, "n_digits": 2, "n_steps": 1}
    call |= {"digit_tokens": 20, "after_step": lambda row, model: None}
    yield Example(reasoning.sum_model, call, {"seed": "0", "after_step": "None"})
    model = tiny_model(vocab_size=len(sums.SUM_WORDS), n_positions=20)
    call = {"model": model, "items": reasoning.sum_items(3, 2)}
    yield Example(reasoning.sum_score, call)
    yield Example(reasoning.wrong_step_scores, call | {"at": 2, "seed": 1}, {"seed": "0"})
    call = {"written_as": "steps", "seed": 1, "sizes": (2,), "n_steps": 1}
    yield Example(story_chains.story_model, call, {"seed": "0"})
    told = [family.story(stories.DRAFT[name][0]) for name, family in stories.FAMILIES.items()]
    model = tiny_model(vocab_size=len(stories.STORY_WORDS), n_positions=100)
    yield Example(story_chains.written_stories, {"model": model, "told": told})


def of_tuning():
    """Yield the examples of tuning."""
    yield Example(tuning.base_model, {"seed": 1, "setup": brief_setup()}, {"seed": "0"})
    call = {"n_examples": 4, "seed": 1, "polite_share": 0.5}
    yield Example(tuning.examples, call, {"seed": "0", "polite_share": "0"})
    call = {"seed": 1, "commands": instructions.SINGLES, "n_tests": 2}
    yield Example(tuning.unseen_items, call, {"seed": "0"})
    prompts, answers = instructions.questions(tuning.unseen_items(0, n_tests=2))
    model = tiny_model(vocab_size=len(instructions.VOCABULARY), n_positions=48)
    call = {"model": model, "prompts": prompts, "answers": answers}
    yield Example(tuning.answered, call)
    call = {"model": model, "rows": tuning.examples(4, 0), "seed": 1, "settings": BRIEF}
    call |= {"loss_of": tuning.ANSWER, "batch_size": 2}
    yield Example(tuning.tuned, call, {"seed": "0"})
    yield Example(speed.recorded_speed, {"name": "steps"})
