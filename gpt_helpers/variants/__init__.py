"""One readable file per family that differs from GPT-2, and facts of published models.

Begin with gpt1, the smallest difference, and llama, whose parts most others change. decoder,
rotary, rope_scaling (Llama 3, YaRN), windows and mlps hold the parts that families share;
hugging_face makes their weights from those of transformers, by the hf_names of each family.
"""
