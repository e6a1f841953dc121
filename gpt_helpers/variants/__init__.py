"""One readable file per family that differs from GPT-2, and facts of published models.

Begin with gpt1, the smallest difference, and llama, on which most others build; rotary and mlps
hold the parts that families share.
"""
