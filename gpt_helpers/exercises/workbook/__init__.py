"""What the page on which a reader writes a GPT calls, function by function.

calls.py            which functions a reader's calls: those must be right first
model_checks.py     checks of what a GPT computes, from softmax to logits
training_checks.py  checks of what it is trained and sampled with, from the loss on
own_gpt.py          the reader's GPT with the shipped weights, and what is left to write
own_training.py     the reader's GPT, loss and optimizer, trained on the corpus
"""

from gpt_helpers.exercises.workbook.calls import USES
from gpt_helpers.exercises.workbook.model_checks import (
    check_attention,
    check_block,
    check_causal_mask,
    check_gelu,
    check_gpt,
    check_join_heads,
    check_layer_norm,
    check_mlp,
    check_multi_head,
    check_softmax,
    check_split_heads,
)
from gpt_helpers.exercises.workbook.own_gpt import (
    compare_with_book,
    part_of,
    progress,
    shipped_weights,
)
from gpt_helpers.exercises.workbook.own_training import train_own
from gpt_helpers.exercises.workbook.training_checks import (
    check_adamw_step,
    check_attend_with_cache,
    check_generate,
    check_keep_top_k,
    check_keep_top_p,
    check_learning_rate,
    check_loss,
    check_with_temperature,
)

__all__ = [
    "USES", "check_adamw_step", "check_attend_with_cache", "check_attention", "check_block",
    "check_causal_mask", "check_gelu", "check_generate", "check_gpt", "check_join_heads",
    "check_keep_top_k", "check_keep_top_p", "check_layer_norm", "check_learning_rate",
    "check_loss", "check_mlp", "check_multi_head", "check_softmax", "check_split_heads",
    "check_with_temperature", "compare_with_book", "part_of", "progress", "shipped_weights",
    "train_own",
]  # fmt: skip
