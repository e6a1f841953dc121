"""Small tasks whose right answers are known: one file each, and what they share.

vocabulary    words to token ids and back
items         what is tested and never trained on; batches drawn without end
answers       prompts and answers in rows, and which tokens the loss counts
scores        what a model writes, how much of it is right, and how sure that is

labels        words with labels that each text draws afresh: few-shot learning
patterns      patterns in code, for the model that ships with the book
sums          sums of digits, at once or with steps written out: chain of thought
stories       word problems, generated
instructions  operations on words, by instruction
"""
