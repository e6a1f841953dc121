# ruff: noqa: N803  (what is fixed when a kernel is compiled is written in capitals)
"""FlashAttention-2 as Triton kernels: the way forward, and what both ways share.

A program owns one tile of queries (or, for the gradients of k and v, of keys) of one head and
walks over the tiles on the other side. Tiles whose every pair is visible need no mask; only
those on the diagonal, at the edge of the window and at the ragged end pay for one. Scores are
kept in base 2: exp2 is what the hardware has. Import this module through flash.kernels_for.
"""

from gpt_helpers.optimization.kernel_language import tl, triton

# exp(x) = exp2(x * LOG2_E)
LOG2_E = tl.constexpr(1.4426950408889634)
# The lowest float32. As a first maximum it never gives inf - inf, which -inf would.
LOWEST = tl.constexpr(-3.4028234663852886e38)
# Triton's reductions, decorated once more: a copy of this module can then interpret them.
row_max, row_sum = triton.jit(tl.max.fn), triton.jit(tl.sum.fn)
INTERPRETED = tl.constexpr(triton.knobs.runtime.interpret)


@triton.jit
def head_of(tensor, strides, batch, head):
    """Return the pointer to one head of a (B, H, T, D) tensor."""
    return tensor + tl.cast(batch, tl.int64) * strides[0] + tl.cast(head, tl.int64) * strides[1]


@triton.jit
def product(left, right, sums=None):
    """Return left @ right in float32, plus sums: float32 is multiplied in full, not as tf32."""
    if INTERPRETED:  # its bfloat16 is held as integers, which NumPy would multiply
        left, right = left.to(tl.float32), right.to(tl.float32)
    return tl.dot(left, right, sums, input_precision="ieee")


@triton.jit
def rows_of(values, batch, head, n_heads, n_queries):
    """Return the pointer to one head's numbers in a contiguous (B, H, T) tensor."""
    return values + (tl.cast(batch, tl.int64) * n_heads + head) * n_queries


@triton.jit
def padding_row(padding, batch, n_keys):
    """Return the pointer to one row of padding (B, S), or None."""
    if padding is not None:
        padding += tl.cast(batch, tl.int64) * n_keys
    return padding


@triton.jit
def tile_at(head, strides, first, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    """Return the pointers (ROWS, COLUMNS) to a tile of a head; first is its first row."""
    # In 64 bits: a long sequence of wide rows passes 2**31 elements.
    start = head + tl.cast(first, tl.int64) * strides[2]
    rows, columns = tl.arange(0, ROWS), tl.arange(0, COLUMNS)
    return start + rows[:, None] * strides[2] + columns[None, :] * strides[3]


@triton.jit
def inside(first, n_rows, WIDTH: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    """Return the mask (ROWS, COLUMNS) of what a tile has in common with the tensor."""
    rows, columns = first + tl.arange(0, ROWS), tl.arange(0, COLUMNS)
    return (rows < n_rows)[:, None] & (columns < WIDTH)[None, :]


@triton.jit
def load_tile(head, strides, first, n_rows, WIDTH: tl.constexpr, ROWS: tl.constexpr,
              COLUMNS: tl.constexpr, RAGGED: tl.constexpr):  # fmt: skip
    """Return a tile of a head; rows and columns that the tensor lacks are 0."""
    pointers = tile_at(head, strides, first, ROWS, COLUMNS)
    if RAGGED or WIDTH < COLUMNS:
        tile = tl.load(pointers, mask=inside(first, n_rows, WIDTH, ROWS, COLUMNS), other=0.0)
    else:
        tile = tl.load(pointers)
    return tile


@triton.jit
def store_tile(tile, head, strides, first, n_rows, WIDTH: tl.constexpr, ROWS: tl.constexpr,
               COLUMNS: tl.constexpr):  # fmt: skip
    """Write what a tile has in common with the tensor, in the tensor's own precision."""
    pointers = tile_at(head, strides, first, ROWS, COLUMNS)
    mask = inside(first, n_rows, WIDTH, ROWS, COLUMNS)
    tl.store(pointers, tile.to(head.dtype.element_ty), mask=mask)


@triton.jit
def visible_in_tile(positions, keys, window, padding, n_keys):
    """Return which queries, at these positions, may read which keys of a tile.

    One of the two is a row and the other a column, so either can be the rows of the
    mask. padding points to the batch row's real tokens, or is None.
    """
    visible = (keys <= positions) & (keys > positions - window)
    if padding is not None:
        real = tl.load(padding + keys, mask=keys < n_keys, other=0)
        visible = visible & (real != 0)
    return visible


@triton.jit
def online_softmax(scores, highest, total, output, scale):
    """Take in one tile of scores: return its weights, and the three, rescaled.

    highest is the greatest score of a row so far; total (the sum of its weights) and
    output were added up relative to it. Where it rises, they shrink.
    """
    raised = tl.maximum(highest, row_max(scores, 1) * scale)
    weights = tl.exp2(scores * scale - raised[:, None])
    shrink = tl.exp2(highest - raised)
    total = total * shrink + row_sum(weights, 1)
    return weights, raised, total, output * shrink[:, None]


@triton.jit
def key_bounds(first, n_keys, window, padding, QUERIES: tl.constexpr, KEYS: tl.constexpr):
    """Return where the keys of a tile of queries start, become whole tiles, cease to, and end.

    Of a whole tile every query reads every key, so it needs no mask; the others do. first is
    the position of the first query.
    """
    last = tl.minimum(first + QUERIES, n_keys) - 1
    start = tl.maximum(first - window + 1, 0) // KEYS * KEYS
    whole = (tl.maximum(last - window + 1, 0) + KEYS - 1) // KEYS * KEYS
    if padding is not None:  # any key can be hidden
        whole = last + 1
    whole = tl.minimum(whole, last + 1)
    return start, whole, tl.maximum((first + 1) // KEYS * KEYS, whole), last + 1


@triton.jit
def query_bounds(first, n_queries, n_keys, window, padding, QUERIES: tl.constexpr,
                 KEYS: tl.constexpr):  # fmt: skip
    """Return where the queries of a tile of keys start, become whole tiles, cease to, and end."""
    nearest = first - (n_keys - n_queries)  # the query at the position of the first key
    start = tl.maximum(nearest, 0) // QUERIES * QUERIES
    end = tl.maximum(tl.minimum(nearest + KEYS - 1 + window, n_queries), start)
    whole = (tl.maximum(nearest + KEYS - 1, 0) + QUERIES - 1) // QUERIES * QUERIES
    if padding is not None:  # any key can be hidden
        whole = end
    whole = tl.minimum(whole, end)
    last = tl.maximum(tl.minimum(nearest + window, n_queries), 0) // QUERIES * QUERIES
    return start, whole, tl.maximum(last, whole), end


@triton.jit
def read_keys(q, k, v, k_strides, v_strides, padding, positions, start, end, n_keys,
              window, scale, highest, total, output, WIDTH: tl.constexpr,
              KEYS: tl.constexpr, COLUMNS: tl.constexpr,
              MASKED: tl.constexpr):  # fmt: skip
    """Return the state of the softmax after the tiles of keys from start to end."""
    for first in range(start, end, KEYS):
        k_tile = load_tile(k, k_strides, first, n_keys, WIDTH, KEYS, COLUMNS, MASKED)
        scores = product(q, k_tile.T)  # queries x keys
        if MASKED:
            keys = first + tl.arange(0, KEYS)
            queries, keys = positions[:, None], keys[None, :]
            visible = visible_in_tile(queries, keys, window, padding, n_keys)
            scores = tl.where(visible, scores, -float("inf"))
        weights, highest, total, output = online_softmax(
            scores, highest, total, output, scale)  # fmt: skip
        v_tile = load_tile(v, v_strides, first, n_keys, WIDTH, KEYS, COLUMNS, MASKED)
        output = product(weights.to(v_tile.dtype), v_tile, output)
    return highest, total, output


@triton.jit
def forward_kernel(q, k, v, output, logsumexp, padding, q_strides, k_strides,
                   v_strides, o_strides, n_queries, n_keys, window, scale,
                   GROUP: tl.constexpr, WIDTH: tl.constexpr, COLUMNS: tl.constexpr,
                   QUERIES: tl.constexpr, KEYS: tl.constexpr):  # fmt: skip
    """Write the results of a tile of queries, and log2 of the total of each row."""
    # Late queries read the most keys; they go first, so that short work fills gaps.
    first = (tl.num_programs(0) - 1 - tl.program_id(0)) * QUERIES
    head, batch = tl.program_id(1), tl.program_id(2)
    rows, earlier = first + tl.arange(0, QUERIES), n_keys - n_queries
    q = head_of(q, q_strides, batch, head)
    output = head_of(output, o_strides, batch, head)
    shared = head // GROUP
    k, v = head_of(k, k_strides, batch, shared), head_of(v, v_strides, batch, shared)
    padding = padding_row(padding, batch, n_keys)
    q_tile = load_tile(q, q_strides, first, n_queries, WIDTH, QUERIES, COLUMNS, True)
    highest = tl.full((QUERIES,), LOWEST, tl.float32)
    total = tl.full((QUERIES,), 0.0, tl.float32)
    result = tl.full((QUERIES, COLUMNS), 0.0, tl.float32)
    bounds = key_bounds(first + earlier, n_keys, window, padding, QUERIES, KEYS)
    for part in tl.static_range(3):
        highest, total, result = read_keys(
            q_tile, k, v, k_strides, v_strides, padding, rows + earlier, bounds[part],
            bounds[part + 1], n_keys, window, scale * LOG2_E, highest, total, result,
            WIDTH, KEYS, COLUMNS, part != 1)  # fmt: skip
    total = tl.where(total == 0, 1.0, total)  # a row that saw no key gives zeros
    store_tile(result / total[:, None], output, o_strides, first, n_queries,
               WIDTH, QUERIES, COLUMNS)  # fmt: skip
    row = rows_of(logsumexp, batch, head, tl.num_programs(1), n_queries) + rows
    tl.store(row, highest + tl.log2(total), mask=rows < n_queries)
