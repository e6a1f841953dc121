"""One readable file per family that differs from GPT-2, and the parts that families share.

A family is a config, an attention, a block and a model that names its parts, and a table of the
names that its weights have in transformers. Parts: decoder (attention, blocks, model, head of the
rotary families), rotary, rope_scaling, windows, sinks, latent, mlps. Facts: sizes, costs and
published.
"""
