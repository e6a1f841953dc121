"""The same attention in less time and memory, why that is possible, and what was measured.

Begin with roofline, which says what limits the speed, and tiled, which computes in tiles, to be
read; flash and flash_forward do it on a GPU. Speculative decoding is the same for generation.
"""
