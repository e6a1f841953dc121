"""The keys and values of tokens already seen, so that each is computed once."""

import torch


class KVCache:
    """The keys and values of the tokens seen so far, one LayerCache per layer.

    length is their number and batch_size that of the sequences (None while empty). padding
    (B, length) is True at real tokens, or None if all are real. For inference only: the
    buffers are written in place.
    """

    def __init__(self, config):
        """Make empty caches for one batch of sequences of up to n_positions tokens."""
        self.layers = [LayerCache(config.n_positions) for _ in range(config.n_layer)]
        self.padding = None

    @property
    def length(self):
        """Return the number of tokens held."""
        return self.layers[0].length

    @property
    def batch_size(self):
        """Return B, or None while nothing is held."""
        return None if self.layers[0].keys is None else self.layers[0].keys.shape[0]


class LayerCache:
    """The keys and values of one layer, in buffers that are allocated once."""

    def __init__(self, n_positions):
        """Remember the size; the first append allocates."""
        self.n_positions, self.length = n_positions, 0
        self.keys = self.values = None

    def append(self, k, v):
        """Store k and v (B, H, T, D) and return everything stored so far, (B, H, S, D)."""
        start, self.length = self.length, self.length + k.shape[2]
        if self.keys is None:
            batch, heads, _, width = k.shape
            self.keys = k.new_empty(batch, heads, self.n_positions, width)
            self.values = torch.empty_like(self.keys)
        self.keys[:, :, start : self.length] = k
        self.values[:, :, start : self.length] = v
        return self.keys[:, :, : self.length], self.values[:, :, : self.length]
