"""FLOPs and bytes of attention, and the speed that they allow. Imports no torch.

A device computes no faster than its arithmetic, and no faster than its memory delivers the
operands: attainable is the lower of both. Which one it is depends on the FLOPs that each
byte is used for. peak.measured_ceilings measures the two limits of this machine.
"""

from gpt_helpers.validation import (
    check_count,
    check_real,
    check_rows,
    check_text,
    checks,
    optional,
)

# Dense products of 16-bit floats per second, and bytes of device memory per second.
# Source: nvidia2021a100; nvidia2024h100.
PUBLISHED_CEILINGS = {
    "A100 SXM 80 GB": {"flops": 312e12, "bandwidth": 2039e9},
    "H100 SXM": {"flops": 989.4e12, "bandwidth": 3350e9},
}
SOFTMAX_FLOPS = 5  # per score: highest, difference, exponential, sum, quotient
LOGSUMEXP_BYTES = 4  # a float32 per head and query
CHECK_OF_SIZE = {  # of attention, each with its check
    **dict.fromkeys(
        ("batch_size", "n_head", "n_queries", "head_width", "element_bytes"), check_count
    ),
    **dict.fromkeys(("n_keys", "n_groups"), optional(check_count)),
}


def attainable(flops_per_byte, flops, bandwidth):
    """Return the FLOP/s that a device reaches at best: min(flops, flops_per_byte * bandwidth).

    flops are the FLOP/s of its arithmetic, bandwidth the bytes/s of its memory. Below
    flops / bandwidth FLOP/byte, the ridge, memory is the limit; above it, arithmetic.

    Raises ValueError unless all are positive numbers. Source: williams2009roofline.
    """
    flops_per_byte = check_real("flops_per_byte", flops_per_byte, above=0)
    flops = check_real("flops", flops, above=0)
    bandwidth = check_real("bandwidth", bandwidth, above=0)
    return min(flops, flops_per_byte * bandwidth)


@checks(**CHECK_OF_SIZE)
def unfused_steps(
    batch_size, n_head, n_queries, head_width, element_bytes, n_keys=None, n_groups=None
):
    """Return a row (dict) per step of attention in one layer, each step a pass over memory.

    The steps are those of attention.attention: every one reads its operands and writes its
    result, element_bytes each, and computes the whole (T, S) matrix, whatever the mask hides.
    The mask itself comes from positions and is not counted. n_keys is n_queries unless
    given; n_queries=1 is a step of decoding. n_groups is the number of key/value heads,
    n_head unless given. A row has step, flops, bytes_read, bytes_written, flops_per_byte.

    Raises ValueError for what is no positive integer, and for heads or keys that do not fit.
    """
    n_keys = n_queries if n_keys is None else n_keys
    n_groups = n_head if n_groups is None else n_groups
    check_query_groups(n_head, n_queries, n_keys, n_groups)
    scores = batch_size * n_head * n_queries * n_keys
    queries = batch_size * n_head * n_queries * head_width
    keys = batch_size * n_groups * n_keys * head_width
    product = 2 * scores * head_width
    counts = {
        "scores": (product, queries + keys, scores),
        "scale and mask": (scores, scores, scores),
        "softmax": (SOFTMAX_FLOPS * scores, scores, scores),
        "weights · V": (product, scores + keys, queries),
    }
    return [
        row_of(step, flops, read * element_bytes, written * element_bytes)
        for step, (flops, read, written) in counts.items()
    ]


@checks(**CHECK_OF_SIZE, block_size=check_count)
def fused_pass(
    batch_size, n_head, n_queries, head_width, element_bytes,
    n_keys=None, n_groups=None, block_size=128,
):  # fmt: skip
    """Return the row of one layer's attention computed in one pass, as FlashAttention does.

    A tile of block_size queries is read once and stays; the keys and values up to its last
    position pass by it, once for all query heads that share them. Scores never reach
    memory: written are the result and a logsumexp per head and query. Keys that come after
    a whole tile of queries are neither read nor computed. Arguments, errors and columns are
    those of unfused_steps. Source: dao2022flash, alg. 1; dao2023flash2, sec. 3.1.
    """
    n_keys = n_queries if n_keys is None else n_keys
    n_groups = n_head if n_groups is None else n_groups
    check_query_groups(n_head, n_queries, n_keys, n_groups)
    n_read = pairs = 0
    for start in range(0, n_queries, block_size):
        stop = min(start + block_size, n_queries)
        n_read += n_keys - n_queries + stop
        pairs += (stop - start) * (n_keys - n_queries + stop)
    queries = batch_size * n_head * n_queries
    read = queries * head_width + 2 * batch_size * n_groups * n_read * head_width
    written = queries * head_width * element_bytes + queries * LOGSUMEXP_BYTES
    flops = (4 * head_width + 1 + SOFTMAX_FLOPS) * batch_size * n_head * pairs
    return row_of("fused", flops, read * element_bytes, written)


def total(steps, name="unfused"):
    """Return the row that adds up the rows of steps, under another name.

    Raises ValueError unless steps are such rows, and name is a text.
    """
    columns = ("flops", "bytes_read", "bytes_written")
    check_rows("steps", steps, columns)
    check_text("name", name)
    return row_of(name, *(sum(row[column] for row in steps) for column in columns))


def row_of(step, flops, bytes_read, bytes_written):
    """Return a row with the FLOPs per byte that is read or written."""
    return {
        "step": step,
        "flops": flops,
        "bytes_read": bytes_read,
        "bytes_written": bytes_written,
        "flops_per_byte": flops / (bytes_read + bytes_written),
    }


def check_query_groups(n_head, n_queries, n_keys, n_groups):
    """Raise ValueError unless there are keys for all queries, and query heads for all groups."""
    if n_queries > n_keys:
        raise ValueError(f"T={n_queries} queries but S={n_keys} keys; need S >= T")
    if n_head % n_groups:
        raise ValueError(f"n_head={n_head} is no multiple of n_groups={n_groups}")
