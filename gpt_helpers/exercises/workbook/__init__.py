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

__all__ = [
    "USES", "check_attention", "check_block", "check_causal_mask", "check_gelu", "check_gpt",
    "check_join_heads", "check_layer_norm", "check_mlp", "check_multi_head", "check_softmax",
    "check_split_heads", "compare_with_book", "part_of", "progress", "shipped_weights",
]  # fmt: skip
