"""The keys and values of tokens already seen, so that each is computed once."""

import contextlib
import copy

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

    def __copy__(self):
        """Return a cache of its own, for copies share nothing that is written in place."""
        return copy.deepcopy(self)

    def truncate(self, length):
        """Forget all tokens but the first length; what was made from them stays as it is.

        Raises ValueError unless length is an integer in 0 to the number of tokens held.
        """
        length = check_integer("length", length, at_least=0, at_most=self.length)
        for layer in self.layers:
            layer.truncate(length)
        self.padding = None if self.padding is None or length == 0 else self.padding[:, :length]

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

    def __copy__(self):
        """Return a copy that shares no buffer."""
        return copy.deepcopy(self)

    def __deepcopy__(self, memo):
        """Return a copy that holds the same numbers, and of gradients nothing."""
        other = LayerCache(self.n_positions)
        other.length = self.length
        if self.keys is not None:
            with torch.inference_mode(False):
                other.keys, other.values = (x.detach().clone() for x in (self.keys, self.values))
        return other

    def truncate(self, length):
        """Forget all tokens but the first length; what is empty can hold another batch."""
        self.length = length
        if length == 0:
            self.keys = self.values = None

    def append(self, k, v):
        """Store k and v (B, G, T, D) and return everything stored so far, (B, G, S, D).

        v may be of another width than k. A model has checked that they go on from what is
        stored, and that there is room. Raises ValueError for another dtype than what is stored.
        """
        if self.keys is None:
            with torch.inference_mode(False):  # what begins in inference may go on outside of it
                self.keys, self.values = (
                    x.new_empty(*x.shape[:2], self.n_positions, x.shape[3]) for x in (k, v)
                )
        if self.keys.dtype != k.dtype or self.values.dtype != v.dtype:
            raise ValueError(
                f"the cache holds {self.keys.dtype}, this call makes {k.dtype}; go on under the"
                " same autocast, with weights of the same dtype, or start with a new one"
            )
        self.keys.narrow(2, self.length, k.shape[2]).copy_(k)
        self.values.narrow(2, self.length, k.shape[2]).copy_(v)
        self.length += k.shape[2]
        return self.keys.narrow(2, 0, self.length), self.values.narrow(2, 0, self.length)


@contextlib.contextmanager
def unchanged_by_failure(cache):
    """Give a cache back what it held before a block that fails, whatever layers had read by then.

    Without a cache it does nothing.
    """
    held = (cache.length, cache.padding) if isinstance(cache, KVCache) else None
    try:
        yield
    except BaseException:
        if held:
            cache.truncate(held[0])
            cache.padding = held[1]
        raise
