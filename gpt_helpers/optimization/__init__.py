"""The same attention in less time and memory, why that is possible, and what was measured.

Begin with roofline, which says what limits the speed, and tiled, which computes in tiles by
the online softmax, to be read; flash and flash_forward do it on a GPU. In speculative a cheap model
proposes several tokens, which another judges in one call: that makes generation faster.
"""
