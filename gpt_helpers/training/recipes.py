"""Complete trainings by name: the runs of the command line."""

import dataclasses

from gpt_helpers.config import GPTConfig
from gpt_helpers.training.runs import Run
from gpt_helpers.training.settings import TrainingSettings
from gpt_helpers.variants.modern import ModernLMHeadModel

# Muon for the hidden matrices, and a learning rate that stays high until the run cools down.
MODERN = TrainingSettings(
    optimizer="muon", schedule="wsd", max_lr=1e-2, min_lr=0.0, warmup_steps=10, cooldown_share=0.7
)
LIVE = GPTConfig(1024, n_positions=256, n_embd=128, n_layer=4, n_head=4, dropout=0.0)
SHIPPED = GPTConfig(1024, n_positions=256, n_embd=192, n_layer=5, n_head=4, dropout=0.0)

RECIPES = {
    # To see the command work, in seconds.
    "smoke": Run(
        GPTConfig(300, n_positions=32, n_embd=32, n_layer=3, n_head=4),
        TrainingSettings(total_steps=30, warmup_steps=3, evaluate_every=10, save_every=1),
        batch_size=8,
    ),
    # To compare processes: Adam divides by at least epsilon, so a large one does not magnify
    # the rounding errors of gradients that are almost 0.
    "pair": Run(
        GPTConfig(300, n_positions=32, n_embd=32, n_layer=2, n_head=4, dropout=0.0),
        TrainingSettings(total_steps=10, warmup_steps=3, epsilon=1e-4),
        batch_size=8,
    ),
    # The live run of the training page, as GPT-2 and GPT-3 were trained, and its modern rival.
    "live": Run(LIVE, TrainingSettings(total_steps=400, evaluate_every=50), batch_size=16),
    "live-modern": Run(
        LIVE,
        dataclasses.replace(MODERN, total_steps=140, evaluate_every=10),
        batch_size=16,
        model=ModernLMHeadModel,
    ),
    # The model that ships with the book.
    "stdlib": Run(
        SHIPPED,
        dataclasses.replace(
            MODERN, total_steps=4500, max_lr=3e-3, warmup_steps=100, cooldown_share=0.6,
            evaluate_every=250, save_every=250,
        ),
        batch_size=16,
    ),
    # GPT-2 (124M), for a GPU.
    "gpt2": Run(
        GPTConfig(50304, dropout=0.0),
        TrainingSettings(
            total_steps=100, max_lr=6e-4, min_lr=6e-5, warmup_steps=10, accumulation=1,
            precision="bfloat16",
        ),
        batch_size=32,
    ),
}  # fmt: skip
