"""Bytes that training takes and sends, in closed form. Imports no torch.

Of each parameter a GPU keeps states (state_bytes), whole or a share of them (training_bytes);
what it exchanges at each step is in communicated_bytes. Of each token it keeps activations
until the backward pass has used them (activation_bytes). What an operation needs only while
it runs comes on top: logits and their gradient, gathered weights, buffers.
"""

import functools

from gpt_helpers.config import check_config
from gpt_helpers.validation import check_choice, check_count, check_integer, checks

STATES = ("weights", "gradients", "master weights", "first moment", "second moment")
STATE_BYTES = {
    "float32": (4, 4, 0, 4, 4),
    "mixed": (2, 2, 4, 4, 4),
    "autocast": (4, 4, 0, 4, 4),
}
SHARDED = {"ddp": (), "zero1": STATES[2:], "zero2": STATES[1:], "fsdp": STATES}
FLOAT, INTEGER = 4, 8  # bytes of a float32 and of an int64
check_strategy = functools.partial(check_choice, choices=tuple(SHARDED))


def state_bytes(precision):
    """Return the bytes per parameter of each state that training with Adam keeps, as a dict.

    "float32" keeps all in 32 bits. "mixed" keeps weights and gradients in 16 bits, and a
    master copy of the weights in 32. "autocast" is what torch.autocast does: as "float32",
    and 16-bit copies of the weights come on top while an operation uses them.

    Raises ValueError for another precision.
    Source: rajbhandari2020zero, sec. 3.1; micikevicius2018mixed, sec. 3.1.
    """
    check_choice("precision", precision, tuple(STATE_BYTES))
    return dict(zip(STATES, STATE_BYTES[precision], strict=True))


@checks(n_parameters=check_count, strategy=check_strategy, n_gpus=check_count)
def training_bytes(n_parameters, strategy, n_gpus, precision="mixed"):
    """Return the bytes that each of n_gpus GPUs keeps of each state, as a dict.

    "ddp" gives every GPU everything. "zero1" shares out master weights and moments, "zero2"
    the gradients too, "fsdp" (ZeRO's stage 3) the weights too; a share is rounded up to
    whole parameters. precision is that of state_bytes.

    Raises ValueError for counts that are no positive integers, and for unknown names.
    Source: rajbhandari2020zero, fig. 1.
    """
    share = share_of(n_parameters, n_gpus)
    return {
        state: n_bytes * (share if state in SHARDED[strategy] else n_parameters)
        for state, n_bytes in state_bytes(precision).items()
    }


@checks(
    n_parameters=check_count,
    strategy=check_strategy,
    n_gpus=check_count,
    bytes_per_value=check_count,
)
def communicated_bytes(n_parameters, strategy, n_gpus, bytes_per_value):
    """Return the bytes that each of n_gpus GPUs sends per step in each collective, as a dict.

    Each collective goes round a ring: a GPU sends its neighbour one share, n_gpus - 1 times;
    an all-reduce does so twice. "fsdp" gathers the weights for the forward pass, drops them,
    and gathers them again for the backward pass: 1.5 times as many bytes as "ddp". Weights
    and gradients take bytes_per_value each. Errors are those of training_bytes.

    Source: rajbhandari2020zero, sec. 7.
    """
    once = (n_gpus - 1) * share_of(n_parameters, n_gpus) * bytes_per_value
    if strategy == "ddp":
        return {"all-reduce gradients": 2 * once}
    if strategy == "fsdp":
        return {
            "all-gather weights, forward": once,
            "all-gather weights, backward": once,
            "reduce-scatter gradients": once,
        }
    return {"reduce-scatter gradients": once, "all-gather weights, after the step": once}


def activation_bytes(config, batch_size, n_tokens):
    """Return the bytes that GPTLMHeadModel(config) keeps of each part for the backward pass.

    They are those of model(ids, labels=ids) in float32 on a CPU, with attention_fused and
    without dropout (config.dropout is not read), for int64 ids (batch_size, n_tokens). The
    names are those of parameters_by_module, summed over the layers, with "lm_head" and
    "loss". A part keeps its input; attention also keeps q, k, v, its result and one number
    per head and query, the MLP its activation's input and result, the loss one number per
    target and token of the vocabulary. Parameters are not counted.

    Raises ValueError unless n_tokens is 2 to n_positions.
    """
    check_config(config)
    batch_size = check_integer("batch_size", batch_size, at_least=1)
    n_tokens = check_integer("n_tokens", n_tokens, at_least=2, at_most=config.n_positions)
    rows = batch_size * n_tokens
    stream = FLOAT * rows * config.n_embd
    norm = stream + 2 * FLOAT * rows  # a mean and a deviation per token
    n_inner = 1 if config.activation == "relu" else 2  # relu needs no more than its result
    per_layer = {
        "h.ln_1": norm,
        "h.attn": 3 * stream + FLOAT * rows * (2 * config.key_width + config.n_head),
        "h.ln_2": norm,
        "h.mlp": stream + n_inner * FLOAT * rows * config.mlp_width,
    }
    return {
        "wte": INTEGER * rows,
        "wpe": INTEGER * n_tokens,
        **{name: config.n_layer * count for name, count in per_layer.items()},
        "ln_f": norm,
        "lm_head": stream,
        "loss": loss_bytes(config, batch_size, n_tokens),
    }


def loss_bytes(config, batch_size, n_tokens):
    """Return the bytes that next_token_loss keeps: log-probabilities, targets, their number.

    The last token has no target. Targets are a copy of the labels, but a view of them where
    one row, or one target per row, makes flattening free.
    """
    n_targets = batch_size * (n_tokens - 1)
    is_view = batch_size == 1 or n_tokens == 2
    targets = 0 if is_view else INTEGER * n_targets
    return FLOAT * n_targets * config.vocab_size + targets + FLOAT


def share_of(n_parameters, n_gpus):
    """Return the number of parameters in the largest of n_gpus equal shares."""
    return -(-n_parameters // n_gpus)
