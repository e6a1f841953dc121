"""The keys and values of tokens already seen, so that each is computed once."""

import torch

from gpt_helpers.config import check_config
from gpt_helpers.validation import check_integer


class KVCache:
    """The keys and values of the tokens seen so far, one LayerCache per layer.

    length is their number and batch_size that of the sequences (None while empty). padding
    (B, length) is True at real tokens, or None if all are real. For inference only: the
    buffers are written in place.
    """

    def __init__(self, config):
        """Make empty caches for one batch of sequences of up to n_positions tokens."""
        check_config(config)
        self.layers = [LayerCache(config.n_positions) for _ in range(config.n_layer)]
        self.padding = None

    @property
    def length(self):
        """Return the number of tokens held."""
        return self.layers[0].length

    def truncate(self, length):
        """Forget all tokens but the first length; what was made from them stays as it is.

        Raises ValueError unless length is an integer in 0 to the number of tokens held.
        """
        if type(length) is not int or not 0 <= length <= self.length:
            raise ValueError(f"length={length!r} must be an integer in 0 to {self.length}")
        for layer in self.layers:
            layer.length = length
        self.padding = None if self.padding is None else self.padding[:, :length]

    @property
    def batch_size(self):
        """Return B, or None while nothing is held."""
        return None if self.layers[0].keys is None else self.layers[0].keys.shape[0]


class LayerCache:
    """The keys and values of one layer, in buffers that are allocated once."""

    def __init__(self, n_positions):
        """Remember the size; the first append allocates."""
        check_integer("n_positions", n_positions, at_least=1)
        self.n_positions, self.length = n_positions, 0
        self.keys = self.values = None

    def append(self, k, v):
        """Store k and v (B, G, T, D) and return everything stored so far, (B, G, S, D).

        v may be of another width than k.
        """
        self.check_append(k, v)
        if self.keys is None:
            self.keys, self.values = (
                x.new_empty(*x.shape[:2], self.n_positions, x.shape[3]) for x in (k, v)
            )
        self.keys.narrow(2, self.length, k.shape[2]).copy_(k)
        self.values.narrow(2, self.length, k.shape[2]).copy_(v)
        self.length += k.shape[2]
        return self.keys.narrow(2, 0, self.length), self.values.narrow(2, 0, self.length)

    def check_append(self, k, v):
        """Raise ValueError unless k and v go together, fit what is stored, and find room."""
        if not (isinstance(k, torch.Tensor) and isinstance(v, torch.Tensor)):
            found = f"{type(k).__name__} and {type(v).__name__}"
            raise ValueError(f"k and v are {found}; they must be tensors (B, G, T, D)")
        stored = (k, v) if self.keys is None else (self.keys, self.values)
        n_new = k.shape[-2] if k.ndim == 4 else 0
        wanted = [(*x.shape[:-2], n_new, x.shape[-1]) for x in stored]
        if k.ndim != 4 or [k.shape, v.shape] != wanted or k.shape[:3] != v.shape[:3]:
            found = f"k {tuple(k.shape)} and v {tuple(v.shape)}"
            raise ValueError(f"{found} must be (B, G, T, D) as stored, {tuple(stored[0].shape)}")
        if self.length + n_new > self.n_positions:
            raise ValueError(
                f"{self.length} + {n_new} tokens exceed n_positions={self.n_positions};"
                " start with a new cache"
            )
