"""The model and kernel code that every page of the book imports.

Axis letters, in shape comments and docstrings only:

    B  batch (sequences side by side)     H  attention heads
    T  queries (tokens being computed)    G  heads of keys and values, H or fewer
    S  keys (tokens that may be read)     D  width of one head
    V  vocabulary                         C  model width, C = H * D
    L  layers (blocks)                    F  width inside the MLP

Rooms (folders), in reading order; each says in its __init__.py where to begin:

    architecture  GPT-2, from token ids to a text
    text          corpus, tokenizer, batches
    optimization  the same in less time and memory
    scaling_laws  counts, laws of the loss, their fits, plans
    evaluation    losses, accuracy, n-gram baselines
    training      the loop, its settings, runs and checkpoints
    weights       files of weights, GPT-2's, and the model that ships
    variants      the families since GPT-1, and published models
    tasks         small tasks whose right answers are known
    experiments   what was trained for the book, and its records
    figures       what draws
    exercises     what checks a reader's answers
"""

import sys

if sys.argv[:1] == ["-m"]:  # python -m gpt_helpers..., which now loads torch, for seconds
    from gpt_helpers.commands import say_why_imports_end

    say_why_imports_end()
