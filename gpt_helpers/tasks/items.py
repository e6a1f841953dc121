"""What is tested and never trained on, by a rule that looks at nothing but the item itself.

An item is a row of integers (K,) that fixes one example of a task. Because held_out is a
function of the item, no draw, no seed and no order can move it to the other side.
"""

import numpy as np
import torch

from gpt_helpers.tasks.answers import padded
from gpt_helpers.validation import (
    check_callable,
    check_count,
    check_flag,
    check_natural,
    check_rng,
    check_sequence,
    checks,
)

SHARE = 8  # one item in so many is held out
MAX_DRAWS = 1000


def held_out(items):
    """Return (N,) bool: which of the items (N, K), rows of integers, are for tests only.

    One in 8 is, scattered as by chance: a hash of the row decides, SplitMix64.
    Raises ValueError for what are no integer rows. Source: steele2014splittable.
    """
    items = np.asarray(items)
    if items.ndim != 2 or items.dtype.kind not in "iu" or not items.shape[1]:
        raise ValueError(f"items are {items.dtype} {items.shape}; they must be integers (N, K)")
    with np.errstate(over="ignore"):
        state = np.zeros(len(items), np.uint64)
        for column in items.astype(np.uint64).T:
            state = (state ^ column) + np.uint64(0x9E3779B97F4A7C15)
            state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            state ^= state >> np.uint64(31)
    return state % np.uint64(SHARE) == 0


def check_items(name, value, limits, empty=True):
    """Raise ValueError unless value is an array (N, K) of integers from 0, below their limits.

    limits is one number for K >= 1 columns, or a tuple with one for each of K columns.
    empty says whether there may be no items.
    """
    n_columns = len(limits) if isinstance(limits, tuple) else None
    is_array = isinstance(value, np.ndarray) and value.dtype.kind in "iu" and value.ndim == 2
    if not is_array or value.shape[1] != (n_columns or max(value.shape[1], 1)):
        found = getattr(value, "dtype", type(value).__name__), getattr(value, "shape", "")
        wanted = f"an array of integers (N, {n_columns or 'K'})"
        raise ValueError("{} is {} {}; it must be {}".format(name, *found, wanted))
    if not empty and not len(value):
        raise ValueError(f"{name} is empty; give at least one item")
    wrong = value[((value < 0) | (value >= limits)).any(1)]
    if len(wrong):
        raise ValueError(f"{name} has the row {wrong[0]}; each must be from 0, and below {limits}")


@checks(draw=check_callable, n_items=check_count, rng=check_rng, for_tests=check_flag,
        is_test=check_callable)  # fmt: skip
def draw_items(draw, n_items, rng, for_tests, is_test=held_out):
    """Return n_items items (N, K) of one side: for tests, or for training.

    draw(rng, n) returns n items of either side, rng being a numpy Generator; it is called
    until enough are of the side that is wanted. is_test(items) says which are for tests; one
    that is stricter than held_out keeps related items on one side.
    Raises ValueError if too few ever are.
    """
    found, n_found = [], 0
    for _ in range(MAX_DRAWS):
        items = draw(rng, n_items)
        found.append(items[is_test(items) == for_tests])
        n_found += len(found[-1])
        if n_found >= n_items:
            return np.concatenate(found)[:n_items]
    side = "tests" if for_tests else "training"
    raise ValueError(f"{n_found} items for {side} in {MAX_DRAWS} draws; {n_items} were asked for")


class ItemBatches:
    """Training data as a list: batches[step] is made from items drawn for that step alone.

    rows(items) turns the items (B, K) of a step into token ids (B, T). A run that stops and goes
    on reads what it would have read.
    """

    @checks(draw=check_callable, rows=check_callable, is_test=check_callable)
    def __init__(self, draw, rows, batch_size, seed=0, is_test=held_out):
        """Remember how to draw items, which are for tests only, and how to write the others."""
        self.draw, self.rows, self.is_test = draw, rows, is_test
        self.batch_size = check_count("batch_size", batch_size)
        self.seed = check_natural("seed", seed)

    def __getitem__(self, step):
        """Return the token ids (B, T) of a step, counted from 0."""
        check_natural("step", step)
        rng = np.random.default_rng([self.seed, step])
        items = draw_items(self.draw, self.batch_size, rng, False, self.is_test)
        return torch.as_tensor(self.rows(items), dtype=torch.long)


class Mixture:
    """Several sources of training data as one: batches[step] has the rows of each, padded."""

    def __init__(self, sources):
        """Remember the sources, each with token ids sources[i][step] (B, T) of its own T."""
        check_sequence("sources", sources, empty=True)
        if not sources or not all(hasattr(source, "__getitem__") for source in sources):
            found = [type(source).__name__ for source in sources]
            raise ValueError(f"{len(sources)} sources {found}; give at least one, all with batches")
        self.sources = sources

    def __getitem__(self, step):
        """Return the token ids (N, longest) of a step, filled up on the right with 0."""
        return padded([row for source in self.sources for row in source[step]])
