"""From text to batches: the corpus, the tokenizer, and the windows that a training step reads.

Begin with corpus, then tokenizer and batches; tokens is a corpus as a model reads it.
"""
