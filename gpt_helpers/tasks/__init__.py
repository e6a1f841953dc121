"""Small tasks whose right answers are known: one file each, and what they share.

    vocabulary  words to token ids and back
    items       what is tested and never trained on; batches drawn without end
    scores      answers written by a model, how many are right, and how sure that is
"""
