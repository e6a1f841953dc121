# ruff: noqa: N803  (what is fixed when a kernel is compiled is written in capitals)
"""FlashAttention-2 backward as Triton kernels: the gradients of q, k and v.

The weights are computed again from q, k and the logarithm of each row's total. The gradients of
keys and values are added up by the programs that own the keys, those of queries by the programs
that own the queries: nothing is added atomically, so a result repeats bit for bit.
"""

from gpt_helpers.optimization.flash_forward import (
    LOG2_E,
    head_of,
    key_bounds,
    load_tile,
    padding_row,
    product,
    query_bounds,
    row_sum,
    rows_of,
    store_tile,
    visible_in_tile,
)
from gpt_helpers.optimization.kernel_language import tl, triton


@triton.jit
def softmax_gradient(scores, d_weights, logsumexp, delta, scale):
    """Return a tile's weights, computed again, and the gradient of its scores.

    logsumexp and delta hold a number per query, as a row or a column like the queries' axis.
    The weight of a hidden pair, whose score is -inf, is 0; so is that of a row past the last
    query, whose logarithm is inf. Gradients of their scores are 0 too.
    """
    weights = tl.exp2(scores * scale - logsumexp)
    return weights, weights * (d_weights - delta)


@triton.jit
def gather_keys(q, k, v, d_output, logsumexp, delta, k_strides, v_strides, padding, positions,
                start, end, n_keys, window, scale, d_q, WIDTH: tl.constexpr, KEYS: tl.constexpr,
                COLUMNS: tl.constexpr, MASKED: tl.constexpr):  # fmt: skip
    """Return d_q with what the tiles of keys from start to end add to it."""
    for first in range(start, end, KEYS):
        k_tile = load_tile(k, k_strides, first, n_keys, WIDTH, KEYS, COLUMNS, MASKED)
        v_tile = load_tile(v, v_strides, first, n_keys, WIDTH, KEYS, COLUMNS, MASKED)
        scores = product(q, k_tile.T)  # queries x keys
        if MASKED:
            keys = first + tl.arange(0, KEYS)
            visible = visible_in_tile(positions[:, None], keys[None, :], window, padding, n_keys)
            scores = tl.where(visible, scores, -float("inf"))
        d_weights = product(d_output, v_tile.T)
        _, d_scores = softmax_gradient(
            scores, d_weights, logsumexp[:, None], delta[:, None], scale)  # fmt: skip
        d_q = product(d_scores.to(k_tile.dtype), k_tile, d_q)
    return d_q


@triton.jit
def query_kernel(q, k, v, output, d_output, logsumexp, delta, d_q, padding, q_strides, k_strides,
                 v_strides, o_strides, d_strides, dq_strides, n_queries, n_keys, window, scale,
                 GROUP: tl.constexpr, WIDTH: tl.constexpr, COLUMNS: tl.constexpr,
                 QUERIES: tl.constexpr, KEYS: tl.constexpr):  # fmt: skip
    """Write the gradient of a tile of queries, and delta, walking over keys as on the way forward.

    delta is the sum of a row of output * d_output: the softmax subtracts it from each gradient.
    """
    first = (tl.num_programs(0) - 1 - tl.program_id(0)) * QUERIES
    head, batch = tl.program_id(1), tl.program_id(2)
    rows, earlier = first + tl.arange(0, QUERIES), n_keys - n_queries
    k, v = head_of(k, k_strides, batch, head // GROUP), head_of(v, v_strides, batch, head // GROUP)
    q, d_q = head_of(q, q_strides, batch, head), head_of(d_q, dq_strides, batch, head)
    output = head_of(output, o_strides, batch, head)
    d_output = head_of(d_output, d_strides, batch, head)
    padding = padding_row(padding, batch, n_keys)
    q_tile = load_tile(q, q_strides, first, n_queries, WIDTH, QUERIES, COLUMNS, True)
    d_tile = load_tile(d_output, d_strides, first, n_queries, WIDTH, QUERIES, COLUMNS, True)
    shift = rows_of(0, batch, head, tl.num_programs(1), n_queries) + rows
    logarithm = tl.load(logsumexp + shift, mask=rows < n_queries, other=float("inf"))
    result = load_tile(output, o_strides, first, n_queries, WIDTH, QUERIES, COLUMNS, True)
    delta_row = row_sum(result.to(tl.float32) * d_tile.to(tl.float32), 1)
    tl.store(delta + shift, delta_row, mask=rows < n_queries)
    gradient = tl.full((QUERIES, COLUMNS), 0.0, tl.float32)
    bounds = key_bounds(first + earlier, n_keys, window, padding, QUERIES, KEYS)
    for part in tl.static_range(3):
        gradient = gather_keys(
            q_tile, k, v, d_tile, logarithm, delta_row, k_strides, v_strides, padding,
            rows + earlier, bounds[part], bounds[part + 1], n_keys, window, scale * LOG2_E,
            gradient, WIDTH, KEYS, COLUMNS, part != 1)  # fmt: skip
    store_tile(gradient * scale, d_q, dq_strides, first, n_queries, WIDTH, QUERIES, COLUMNS)


@triton.jit
def gather_queries(k, v, q, d_output, logsumexp, delta, q_strides, d_strides, padding, keys,
                   start, end, n_queries, n_keys, window, scale, d_k, d_v, WIDTH: tl.constexpr,
                   QUERIES: tl.constexpr, COLUMNS: tl.constexpr, MASKED: tl.constexpr):  # fmt: skip
    """Return d_k and d_v with what the tiles of queries from start to end add to them."""
    for first in range(start, end, QUERIES):
        q_tile = load_tile(q, q_strides, first, n_queries, WIDTH, QUERIES, COLUMNS, MASKED)
        d_tile = load_tile(d_output, d_strides, first, n_queries, WIDTH, QUERIES, COLUMNS, MASKED)
        rows = first + tl.arange(0, QUERIES)
        logarithm = tl.load(logsumexp + rows, mask=rows < n_queries, other=float("inf"))
        delta_row = tl.load(delta + rows, mask=rows < n_queries, other=0.0)
        # Keys are the rows here, so that neither product below needs its left side transposed.
        scores = product(k, q_tile.T)  # keys x queries
        if MASKED:
            at = rows + n_keys - n_queries
            visible = visible_in_tile(at[None, :], keys[:, None], window, padding, n_keys)
            scores = tl.where(visible, scores, -float("inf"))
        d_weights = product(v, d_tile.T)
        weights, d_scores = softmax_gradient(
            scores, d_weights, logarithm[None, :], delta_row[None, :], scale)  # fmt: skip
        d_v = product(weights.to(d_tile.dtype), d_tile, d_v)
        d_k = product(d_scores.to(q_tile.dtype), q_tile, d_k)
    return d_k, d_v


@triton.jit
def key_kernel(q, k, v, d_output, logsumexp, delta, d_k, d_v, padding, q_strides, k_strides,
               v_strides, d_strides, dk_strides, dv_strides, n_queries, n_keys, window, scale,
               GROUP: tl.constexpr, WIDTH: tl.constexpr, COLUMNS: tl.constexpr,
               QUERIES: tl.constexpr, KEYS: tl.constexpr):  # fmt: skip
    """Write the gradients of a tile of keys and values, from every query head of their group."""
    first, group, batch = tl.program_id(0) * KEYS, tl.program_id(1), tl.program_id(2)
    k, v = head_of(k, k_strides, batch, group), head_of(v, v_strides, batch, group)
    d_k, d_v = head_of(d_k, dk_strides, batch, group), head_of(d_v, dv_strides, batch, group)
    padding = padding_row(padding, batch, n_keys)
    k_tile = load_tile(k, k_strides, first, n_keys, WIDTH, KEYS, COLUMNS, True)
    v_tile = load_tile(v, v_strides, first, n_keys, WIDTH, KEYS, COLUMNS, True)
    k_sum = tl.full((KEYS, COLUMNS), 0.0, tl.float32)
    v_sum = tl.full((KEYS, COLUMNS), 0.0, tl.float32)
    bounds = query_bounds(first, n_queries, n_keys, window, padding, QUERIES, KEYS)
    for head in range(group * GROUP, (group + 1) * GROUP):
        shift = rows_of(0, batch, head, tl.num_programs(1) * GROUP, n_queries)
        for part in tl.static_range(3):
            k_sum, v_sum = gather_queries(
                k_tile, v_tile, head_of(q, q_strides, batch, head),
                head_of(d_output, d_strides, batch, head), logsumexp + shift, delta + shift,
                q_strides, d_strides, padding, first + tl.arange(0, KEYS), bounds[part],
                bounds[part + 1], n_queries, n_keys, window, scale * LOG2_E, k_sum, v_sum,
                WIDTH, QUERIES, COLUMNS, part != 1)  # fmt: skip
    store_tile(k_sum * scale, d_k, dk_strides, first, n_keys, WIDTH, KEYS, COLUMNS)
    store_tile(v_sum, d_v, dv_strides, first, n_keys, WIDTH, KEYS, COLUMNS)
