"""Parameters, FLOPs and bytes of a GPT in closed form. Imports no torch.

One multiplication and one addition count as 2 FLOPs. Only matrix products are counted;
norms, softmax and activations are left out.
"""

from gpt_helpers.config import GPTConfig
from gpt_helpers.validation import check_flag, check_integer


def parameters_by_module(config):
    """Return the number of parameters of each part, summed over the layers.

    The head is not listed: its weights are those of wte. Source: radford2019gpt2.
    """
    check_sizes(config)
    width, inner = config.n_embd, config.mlp_width
    per_layer = {
        "h.ln_1": 2 * width,
        "h.attn": (width + 1) * (2 * width + 2 * config.key_width),
        "h.ln_2": 2 * width,
        "h.mlp": 2 * width * inner + inner + width,
    }
    return {
        "wte": config.vocab_size * width,
        "wpe": config.n_positions * width,
        **{name: config.n_layer * count for name, count in per_layer.items()},
        "ln_f": 2 * width,
    }


def count_parameters(config):
    """Return the number of parameters of GPTLMHeadModel(config), the tied head counted once."""
    return sum(parameters_by_module(config).values())


def non_embedding_parameters(config):
    """Return the number of parameters of neither embedding. The tied head is one of them.

    Kaplan's N is those of matrices only, 12 n_layer n_embd^2, less by norms and biases.
    """
    parts = parameters_by_module(config)
    return sum(parts.values()) - parts["wte"] - parts["wpe"]


def flops_by_module(config, n_positions=None, causal=False):
    """Return the forward FLOPs per token of each part, in a sequence of n_positions tokens.

    The scores and the weighted sum are counted for the full square of queries and keys, as a
    kernel without knowledge of the mask computes them; with causal, for half of it. n_positions
    defaults to the longest sequence. Raises ValueError if it is longer than that.
    """
    check_sizes(config)
    check_flag("causal", causal)
    n_keys = config.n_positions if n_positions is None else n_positions
    n_keys = check_integer("n_positions", n_keys, at_least=1, at_most=config.n_positions)
    width, square = config.n_embd, 2 * 2 * n_keys * config.n_embd
    return {
        "h.attn projections": config.n_layer * 2 * width * (2 * width + 2 * config.key_width),
        "h.attn scores and values": config.n_layer * (square // 2 if causal else square),
        "h.mlp": config.n_layer * 2 * 2 * width * config.mlp_width,
        "lm_head": 2 * width * config.vocab_size,
    }


def flops_per_token(config, n_positions=None, causal=False):
    """Return the forward FLOPs per token; a training step costs three times as many.

    Arguments and errors are those of flops_by_module.
    Source: hoffmann2022chinchilla, app. F, without its embedding term (a look-up).
    """
    return sum(flops_by_module(config, n_positions, causal).values())


def training_flops(config, n_positions=None, causal=None):
    """Return the FLOPs per token that training costs by each published convention, as a dict.

    "6N" and "6P" are 6 per parameter: N those of matrices in the blocks, P all. "kaplan" adds
    the attention to 6N, half the square; "palm" adds it, the full square, to 6 per parameter
    other than positions; "exact" counts every matrix product, and the full square. causal
    makes all three count half (True), or the full square (False).

    Errors are those of flops_by_module.
    Source: kaplan2020scaling, eq. 2.2; chowdhery2022palm, app. B; hoffmann2022chinchilla, app. F.
    """
    if causal is not None:
        check_flag("causal", causal)
    parts = flops_by_module(config, n_positions)
    square = parts["h.attn scores and values"]
    matrices = 3 * (parts["h.attn projections"] + parts["h.mlp"])
    half, full = 3 * square // 2, 3 * square
    if causal is not None:
        half = full = half if causal else full
    total, positions = count_parameters(config), config.n_positions * config.n_embd
    return {
        "6N": matrices,
        "6P": 6 * total,
        "kaplan": matrices + half,
        "palm": 6 * (total - positions) + full,
        "exact": matrices + full + 3 * parts["lm_head"],
    }


def kv_cache_bytes(config, n_tokens, bytes_per_value):
    """Return the bytes that the keys and values of n_tokens tokens take, for one sequence.

    Raises ValueError for counts that are no integers, and for more than n_positions tokens.
    """
    check_sizes(config)
    n_tokens = check_integer("n_tokens", n_tokens, at_least=0, at_most=config.n_positions)
    bytes_per_value = check_integer("bytes_per_value", bytes_per_value, at_least=1)
    return 2 * config.n_layer * config.key_width * n_tokens * bytes_per_value


def check_sizes(config):
    """Raise ValueError unless config has the sizes of a GPT, and is of no other family."""
    if isinstance(config, GPTConfig) and type(config) is not GPTConfig:
        kind = type(config).__name__
        raise ValueError(f"config is a {kind}; these are GPT-2's counts, take those of variants")
    sizes = ("vocab_size", "n_positions", "n_embd", "n_layer", "key_width", "mlp_width")
    missing = [name for name in sizes if not hasattr(config, name)]
    if missing:
        raise ValueError(
            f"config={config!r} has no {missing[0]}; pass a GPTConfig, such as PRESETS['gpt2']"
        )
