"""GPT-2 as Hugging Face stores it: its settings by their names, its matrices by columns."""

import re

import torch

from gpt_helpers.config import GPTConfig

CONV1D = ("attn.c_attn.weight", "attn.c_proj.weight", "mlp.c_fc.weight", "mlp.c_proj.weight")
BARE_NAMES = ("wte.", "wpe.", "h.", "ln_f.")
MASKS = re.compile(r"transformer\.h\.\d+\.attn\.(masked_)?bias")
BLOCK = re.compile(r"transformer\.h\.(\d+)\.")
READABLE = (torch.float32, torch.float16, torch.bfloat16)
SAME_NAMES = (
    "vocab_size", "n_positions", "n_embd", "n_layer", "n_head", "n_inner",
    "layer_norm_epsilon", "initializer_range",
)  # fmt: skip
REQUIRED = SAME_NAMES[:5]
DROPOUTS = ("embd_pdrop", "attn_pdrop", "resid_pdrop")
ACTIVATION_FUNCTIONS = {
    "gelu_new": "gelu",
    "gelu": "gelu_erf",
    "relu": "relu",
    "silu": "swish",
    "gelu_pytorch_tanh": "gelu",
    "gelu_fast": "gelu",
    "swish": "swish",
}
FIXED = {
    "model_type": "gpt2",
    "scale_attn_weights": True,
    "scale_attn_by_inverse_layer_idx": False,
    "add_cross_attention": False,
    "tie_word_embeddings": True,
}


def config_of(settings, source):
    """Return the GPTConfig of settings, the content of a config.json; source names it in errors.

    Raises ValueError for settings of another architecture, that lack a size, or that no
    GPTConfig can have.
    """
    check_architecture(settings, source)
    missing = [name for name in REQUIRED if name not in settings]
    if missing:
        raise ValueError(f"{source} does not say {missing}; without them there is no shape")
    dropouts = [settings.get(name, 0.1) for name in DROPOUTS]
    if any(dropout != dropouts[0] for dropout in dropouts):
        found = dict(zip(DROPOUTS, dropouts, strict=True))
        raise ValueError(f"{source} has {found}; GPTConfig has one dropout, make them equal")
    activation = settings.get("activation_function", "gelu_new")
    if not isinstance(activation, str) or activation not in ACTIVATION_FUNCTIONS:
        known = sorted(ACTIVATION_FUNCTIONS)
        raise ValueError(f"{source} has activation_function={activation!r}; known are {known}")
    same = {name: settings[name] for name in SAME_NAMES if name in settings}
    try:
        return GPTConfig(**same, activation=ACTIVATION_FUNCTIONS[activation], dropout=dropouts[0])
    except ValueError as error:
        raise ValueError(f"{source} is wrong: {error}") from error


def check_architecture(settings, source):
    """Raise ValueError unless settings are a dict, and those of GPT-2 in all that is fixed."""
    if not isinstance(settings, dict):
        raise ValueError(f"{source} holds {settings!r:.40}, no settings; copy it again")
    for name, needed in FIXED.items():
        found = settings.get(name, None if name == "model_type" else needed)
        if found != needed:
            raise ValueError(
                f"{source} says {name}={found!r}, GPT-2 has {needed!r}:"
                " it is of another architecture"
            )
    if settings.get("quantization_config"):
        raise ValueError(f"{source} is of a quantized model; give one of 16 or 32 bits")


def gpt2_settings(config, end_of_text=None):
    """Return what a config.json says of a GPTConfig; end_of_text is the id of that token.

    Raises ValueError for shared heads of keys and values, which this format does not know.
    """
    if config.key_heads != config.n_head:
        raise ValueError(
            f"n_kv_head={config.n_kv_head} differs from n_head={config.n_head}:"
            " the format of GPT-2 has no shared heads; use save_model"
        )
    theirs = {}
    for name, ours in ACTIVATION_FUNCTIONS.items():
        theirs.setdefault(ours, name)
    return {
        "architectures": ["GPT2LMHeadModel"],
        **FIXED,
        **{name: getattr(config, name) for name in SAME_NAMES},
        **dict.fromkeys(DROPOUTS, config.dropout),
        "activation_function": theirs[config.activation],
        "bos_token_id": end_of_text,
        "eos_token_id": end_of_text,
    }


def stored_weights(model):
    """Return {name: weight} of a model in the layout of the file, sharing the model's memory.

    Hugging Face's Conv1D multiplies by matrices (in, out), nn.Linear by (out, in). The head
    is the token embedding, once. What is copied into these tensors is in the model.
    """
    return {
        name: weight.detach().T if name.endswith(CONV1D) else weight.detach()
        for name, weight in model.named_parameters()
    }


def named_alike(tensors, source):
    """Return tensors of a file under the names of GPTLMHeadModel, without masks and tied head.

    Files of the bare model lack "transformer."; older ones hold each layer's causal mask, or the
    head beside the token embedding, or in place of it. Raises ValueError for a name that comes
    twice, and for a head of its own.
    """
    found = {}
    for name, tensor in tensors.items():
        full = f"transformer.{name}" if name.startswith(BARE_NAMES) else name
        if full in found:
            raise ValueError(f"{source} holds {full} twice, with and without transformer.")
        if not MASKS.fullmatch(full):
            found[full] = tensor
    head = found.pop("lm_head.weight", None)
    embedding = found.setdefault("transformer.wte.weight", head) if head is not None else head
    if head is not None and not torch.equal(head.nan_to_num(), embedding.nan_to_num()):
        raise ValueError(f"{source} has a lm_head.weight other than wte.weight; GPT-2 ties them")
    return found


def check_finite_weights(tensors, source):
    """Raise ValueError for a tensor that is not of finite numbers of 16 or 32 bits with a point."""
    for name, tensor in tensors.items():
        if tensor.dtype not in READABLE:
            found = str(tensor.dtype).removeprefix("torch.")
            raise ValueError(
                f"{source} holds {name} as {found}; float32, float16 and bfloat16 can be read"
            )
        if not tensor.isfinite().all():
            raise ValueError(
                f"{source} holds numbers in {name} that are not finite; was the training sound?"
            )


def check_depth(config, tensors, source):
    """Raise ValueError unless tensors are of as many blocks as a GPTConfig has."""
    blocks = {found[1] for found in map(BLOCK.match, tensors) if found}
    if len(blocks) != config.n_layer:
        raise ValueError(
            f"{source} holds {len(blocks)} blocks, its settings say n_layer={config.n_layer};"
            " give files of one model"
        )


def check_orientation(expected, tensors, source):
    """Raise ValueError for matrices that lie (out, in), as in nn.Linear, and not (in, out).

    The square ones, attn.c_proj, look the same both ways. The others tell how a file was
    written, so a file is refused whole if it holds any of them the other way round.
    """
    shapes = {
        name: (weight.shape, tensors[name].shape)
        for name, weight in expected.items()
        if name.endswith(CONV1D) and name in tensors
    }
    telling = [name for name, (needed, _) in shapes.items() if needed != needed[::-1]]
    turned = [name for name in telling if shapes[name][1] == shapes[name][0][::-1]]
    if turned:
        raise ValueError(
            f"{source} holds {len(turned)} of {len(telling)} matrices as (out, in), such as"
            f" {turned[:3]}; GPT-2 stores (in, out): transpose these, and the square ones too"
        )
