"""Weights in files: the book's own format, GPT-2's on Hugging Face, and a model that ships.

Begin with pretrained, which loads a model by any of these ways, then sealed, the file itself.
"""
