"""The model of the book: GPT-2, from token ids to a text, and what can be seen inside it.

Begin with attention, where the causal mask and the equation are, and go on to model, kv_cache,
sampling and generation. The rest is what these accept, and what a pass or a head leaves to see.
"""
