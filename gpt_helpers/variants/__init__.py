"""One readable file per family that differs from GPT-2, and facts of published models.

Begin with gpt1, the smallest difference, and llama, whose parts most others change. decoder,
rotary, rope_scaling, windows and mlps hold the parts that families share; hugging_face loads
their weights.
"""
