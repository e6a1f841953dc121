"""A small training run, and what can be changed in it: each technique taken away, or overdone.

All runs of an experiment read equally many tokens, on the same schedule but for its change.
"""

import dataclasses
import functools
from dataclasses import dataclass, field

import torch
from torch import nn

from gpt_helpers.architecture.model import GPTLMHeadModel, GPTModel, init_weights
from gpt_helpers.config import GPTConfig
from gpt_helpers.text.batches import Batches, fixed_windows
from gpt_helpers.text.corpus import load_corpus
from gpt_helpers.text.tokenizer import encode, train_tokenizer
from gpt_helpers.training.loop import train
from gpt_helpers.training.settings import TrainingSettings
from gpt_helpers.variants.gpt1 import GPT1Model

CONFIG = GPTConfig(1024, n_positions=128, n_embd=96, n_layer=4, n_head=3, dropout=0.0)
SETTINGS = TrainingSettings(total_steps=200, warmup_steps=20, evaluate_every=20)
BATCH_SIZE = 16
SEEDS = (0, 1, 2)
N_HELD_OUT = 64  # windows


@dataclass(frozen=True)
class Variation:
    """One change of the base run: of its settings, shape, block, batch size, initial scale or data.

    settings are the fields of TrainingSettings that differ, shape those of kind, the class of the
    config that the transformer takes. Without residual_scaling, projections into the stream begin
    as large as other matrices. bad_step is the step, counted from 0, whose batch is replaced by
    random tokens.
    """

    settings: dict = field(default_factory=dict)
    shape: dict = field(default_factory=dict)
    kind: type = GPTConfig
    transformer: type = GPTModel
    batch_size: int = BATCH_SIZE
    initial_std: float | None = None
    residual_scaling: bool = True
    bad_step: int | None = None

    def changes(self):
        """Return what differs from the base run, as one line of text, or "none"."""
        base = Variation()
        others = {
            item.name: getattr(self, item.name)
            for item in dataclasses.fields(self)
            if item.name not in ("settings", "shape")
            and getattr(self, item.name) != getattr(base, item.name)
        }
        differs = self.settings | self.shape | others
        values = {name: getattr(v, "__name__", v) for name, v in differs.items()}
        return " ".join(f"{name}={value}" for name, value in values.items()) or "none"


BASE_RUN = Variation()
LOWER = {"max_lr": 1e-3, "min_lr": 1e-4}
STEPS_800 = {"total_steps": 800, "warmup_steps": 80, "evaluate_every": 80}
STEPS_50 = {"total_steps": 50, "warmup_steps": 5, "evaluate_every": 5}
EXPERIMENTS = {
    "learning rate": {
        "1e-3": Variation(LOWER),
        "3e-3": BASE_RUN,
        "1e-2": Variation({"max_lr": 1e-2, "min_lr": 1e-3}),
    },
    "warm-up": {
        "pre-LN, warm-up": BASE_RUN,
        "pre-LN, none": Variation({"warmup_steps": 0}),
        "post-LN, warm-up": Variation(transformer=GPT1Model),
        "post-LN, none": Variation({"warmup_steps": 0}, transformer=GPT1Model),
        "post-LN, warm-up, 1e-3": Variation(LOWER, transformer=GPT1Model),
        "post-LN, none, 1e-3": Variation({**LOWER, "warmup_steps": 0}, transformer=GPT1Model),
    },
    "schedule": {
        "cosine": BASE_RUN,
        "WSD": Variation({"schedule": "wsd"}),
        "constant": Variation({"schedule": "wsd", "cooldown_share": 0.0}),
        "cosine, ends at 1.5x": Variation({"schedule_steps": 300}),
    },
    "clipping": {
        "clipped": BASE_RUN,
        "not clipped": Variation({"max_grad_norm": None}),
        "clipped, bad batch": Variation(bad_step=100),
        "not clipped, bad batch": Variation({"max_grad_norm": None}, bad_step=100),
    },
    "weight decay": {
        "0.1, embeddings too": BASE_RUN,
        "0.1, no embeddings": Variation({"decay_embeddings": False}),
        "0": Variation({"weight_decay": 0.0}),
        "1, embeddings too": Variation({"weight_decay": 1.0}),
    },
    "initial scale": {
        "0.02": BASE_RUN,
        "0.002": Variation(initial_std=0.002),
        "0.2": Variation(initial_std=0.2),
    },
    "batch size": {
        "4": Variation(STEPS_800, batch_size=4),
        "16": BASE_RUN,
        "64": Variation(STEPS_50, batch_size=64),
    },
}  # fmt: skip
# Of the page on optimization: the same model for four times as many tokens.
LONGER = {
    "key heads": {
        "6": Variation(STEPS_800, {"n_head": 6}),
        "2": Variation(STEPS_800, {"n_head": 6, "n_kv_head": 2}),
        "1": Variation(STEPS_800, {"n_head": 6, "n_kv_head": 1}),
    },
}


@functools.cache
def tokens_of_corpus(n_held_out=N_HELD_OUT):
    """Return the training tokens (N,) and the held-out windows (n_held_out, T)."""
    corpus = load_corpus()
    texts = (document.text for document in corpus.training)
    tokenizer = train_tokenizer(texts, CONFIG.vocab_size)
    held_out = encode(tokenizer, corpus.held_out)
    return (
        encode(tokenizer, corpus.training),
        fixed_windows(held_out, CONFIG.n_positions, n_held_out),
    )


class WithBadBatch:
    """Batches of which one is replaced by random tokens."""

    def __init__(self, batches, bad_step):
        """Remember which."""
        self.batches, self.bad_step = batches, bad_step

    def __getitem__(self, step):
        """Return the batch of a step."""
        batch = self.batches[step]
        if step != self.bad_step:
            return batch
        generator = torch.Generator().manual_seed(step)
        return torch.randint(CONFIG.vocab_size, batch.shape, generator=generator)


def settings_of(variation, seed):
    """Return the TrainingSettings of a variation."""
    return dataclasses.replace(SETTINGS, seed=seed, **variation.settings)


def model_of(variation, seed):
    """Return the model of a variation, as it is before the first step."""
    torch.manual_seed(seed)
    config = variation.kind(**dataclasses.asdict(CONFIG) | variation.shape)
    model = GPTLMHeadModel(config, transformer=variation.transformer)
    if variation.initial_std is not None or not variation.residual_scaling:
        std = variation.initial_std or config.initializer_range
        n_sums = 2 * config.n_layer if variation.residual_scaling else 1
        init_weights(model, std, residual_std=std / n_sums**0.5)
    return model


def run(variation, seed, stop_after=None):
    """Train one variation and return a list of rows, one per evaluation.

    stop_after ends the run early, on the same schedule. A row's loss is the mean, and its
    gradient_norm the highest, of the steps since the row before.
    """
    settings = settings_of(variation, seed)
    if stop_after is not None:
        ends = settings.schedule_steps or settings.total_steps
        settings = dataclasses.replace(settings, total_steps=stop_after, schedule_steps=ends)
    model = model_of(variation, seed)
    tokens, held_out = tokens_of_corpus()
    batches = Batches(tokens, variation.batch_size, CONFIG.n_positions, seed)
    norms = []
    log = train(
        model,
        WithBadBatch(batches, variation.bad_step),
        settings,
        held_out=held_out,
        after_step=lambda row, model: "held_out_loss" in row and norms.append(weight_norms(model)),
    )
    return summarised(log, norms, settings.evaluate_every)


def summarised(log, norms, every):
    """Return the rows of a log that were evaluated, each with a summary of those before it."""
    rows = []
    for index, norm in enumerate(norms):
        part = log[index * every : (index + 1) * every]
        mean_loss = sum(row["loss"] for row in part) / len(part)
        highest = max(row["gradient_norm"] for row in part)
        rows.append({**part[-1], **norm, "loss": mean_loss, "gradient_norm": highest})
    return rows


def weight_norms(model):
    """Return the lengths of all hidden matrices together and of the token embedding."""
    matrices = [p for p in model.transformer.h.parameters() if p.ndim == 2]
    with torch.no_grad():
        return {
            "matrix_norm": nn.utils.get_total_norm(matrices).item(),
            "embedding_norm": model.transformer.wte.weight.norm().item(),
        }
