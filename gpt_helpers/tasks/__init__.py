"""Small tasks whose right answers are known, so that what a model has learned can be counted.

Begin with items, which keeps what is tested out of training, and labels, the plainest task. A task
draws items, rows of integers, and writes them as text; it knows no model and no training.
"""
