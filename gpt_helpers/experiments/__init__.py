"""The book's own measurements: what was trained, how it was counted, and the rows that came of it.

Begin with small_run, the training that most of them vary, and ablations, the plainest of them. A
page shows the recorded rows, results/*.csv, and repeats a small part; the rest needs a command.
"""
