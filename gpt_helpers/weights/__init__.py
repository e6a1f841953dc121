"""Weights in files: the book's own format, GPT-2's on Hugging Face, and a model that ships.

Begin with pretrained, whose load_model and load_gpt2 load a model, then sealed, the file itself.
"""
