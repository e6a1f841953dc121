"""What a model accepts: token ids, masks, positions and labels, checked, with clear errors."""

import functools

import torch

from gpt_helpers.architecture.kv_cache import KVCache
from gpt_helpers.architecture.operands import check_devices

IGNORED = -100  # a label that takes no part in the loss
INTEGERS = (torch.int64, torch.int32)  # what an embedding can look up


def padding_of(attention_mask, input_ids, cache=None):
    """Return the bool mask (B, S) that is True at real tokens, or None if all are real.

    Without an attention_mask the new tokens are real, and the cached ones are what they
    were; a cache is told the answer, for the next call.
    """
    padding = None if cache is None else cache.padding
    if attention_mask is not None:
        all_real = not attention_mask.is_meta and attention_mask.all()
        padding = None if all_real else attention_mask.bool()
    elif padding is not None:
        real = torch.ones_like(input_ids, dtype=torch.bool)
        padding = torch.cat([padding, real], dim=1)  # (B, S)
    if cache is not None:
        cache.padding = padding
    return padding


def positions_of(padding, input_ids, cache=None):
    """Return the position (B, T) of each token: the number of real tokens before it.

    Without padding that is the same for every row, and the shape is (1, T).
    """
    n_new, n_seen = input_ids.shape[1], 0 if cache is None else cache.length
    if padding is None:
        return torch.arange(n_seen, n_seen + n_new, device=input_ids.device)[None]
    real_before = padding.cumsum(-1) - 1  # (B, S)
    return real_before.clamp(min=0)[:, -n_new:]  # (B, T)


def check_inputs(config, input_ids, attention_mask=None, position_ids=None, cache=None):
    """Raise ValueError unless a model of this config can read these inputs."""
    check_token_ids(input_ids, config.vocab_size)
    n_seen = 0 if cache is None else check_cache(cache, config, input_ids.shape[0])
    n_tokens = n_seen + input_ids.shape[1]
    if n_tokens > config.n_positions:
        raise ValueError(
            f"{n_tokens} tokens ({n_seen} cached) but n_positions={config.n_positions};"
            f" pass the last {config.n_positions} tokens, with a new cache"
        )
    if attention_mask is not None:
        check_mask(attention_mask, (input_ids.shape[0], n_tokens))
    if position_ids is not None:
        check_position_ids(position_ids, input_ids.shape, config.n_positions)


def refuse_misfits(forward):
    """Make forward(self, x, ...) raise a clear ValueError for an x that does not fit its weights.

    It looks at x only after torch has failed, so it costs nothing while all is well.
    """

    @functools.wraps(forward)
    def checked(self, x, *args, **kwargs):
        try:
            return forward(self, x, *args, **kwargs)
        except (AttributeError, RuntimeError, TypeError, ValueError):
            check_stream(x, next(self.parameters()))
            raise

    return checked


def check_stream(x, weight):
    """Raise ValueError unless x is (B, T, C), C and dtype and device those of a weight (..., C)."""
    width = weight.shape[-1]
    if not isinstance(x, torch.Tensor) or x.ndim != 3 or x.shape[2] != width or not x.numel():
        found = getattr(x, "shape", type(x).__name__)
        raise ValueError(f"x is {found}; it must be a tensor (B, T, {width}), not empty")
    is_cast = x.dtype == weight.dtype or torch.is_autocast_enabled(x.device.type)
    if not is_cast or x.device != weight.device:
        found, needed = f"{x.dtype} on {x.device}", f"{weight.dtype} on {weight.device}"
        raise ValueError(f"x is {found}, the weights {needed}; convert one with .to()")


def check_split(x, n_heads):
    """Raise ValueError unless x is (B, T, N*D), its last size a multiple of n_heads."""
    if type(n_heads) is not int or n_heads < 1:
        raise ValueError(f"n_heads={n_heads!r} must be a positive integer")
    if not isinstance(x, torch.Tensor) or x.ndim != 3 or x.shape[2] % n_heads:
        found = getattr(x, "shape", type(x).__name__)
        raise ValueError(f"x is {found}; it must be (B, T, C), C a multiple of {n_heads}")


def check_token_ids(input_ids, vocab_size):
    """Raise ValueError unless input_ids is a non-empty (B, T) tensor of integers below V."""
    check_integers("input_ids", input_ids)
    if input_ids.ndim != 2 or input_ids.numel() == 0:
        raise ValueError(
            f"input_ids has shape {tuple(input_ids.shape)}; it must be (B, T) with at least"
            " one token, such as tokens[None]"
        )
    check_range("input_ids", input_ids, vocab_size, "vocab_size")


def check_integers(name, value):
    """Raise ValueError unless value is a tensor of integers that an embedding can look up."""
    if not isinstance(value, torch.Tensor):
        raise ValueError(f"{name} is a {type(value).__name__}; make it a tensor of integers")
    if value.dtype not in INTEGERS:
        raise ValueError(f"{name} has dtype {value.dtype}; convert it with .long()")


def check_range(name, value, limit, limit_name):
    """Raise ValueError unless 0 <= value < limit everywhere (a meta tensor has no values)."""
    if value.is_meta:
        return
    low, high = (bound.item() for bound in value.aminmax())
    if low < 0 or high >= limit:
        allowed = f"0 to {limit_name} - 1 = {limit - 1}"
        raise ValueError(f"{name} spans {low} to {high}, but must lie in {allowed}")


def check_mask(attention_mask, shape):
    """Raise ValueError unless attention_mask is a (B, S) tensor of 0 and 1."""
    if not isinstance(attention_mask, torch.Tensor) or attention_mask.shape != shape:
        found = getattr(attention_mask, "shape", type(attention_mask).__name__)
        raise ValueError(
            f"attention_mask is {found}; it must be a tensor of shape {shape}, counting cached"
            " tokens, with 1 at real tokens and 0 at padding"
        )
    if attention_mask.is_meta:
        return
    if not ((attention_mask == 0) | (attention_mask == 1)).all():
        values = attention_mask.unique().tolist()[:4]
        raise ValueError(f"attention_mask holds {values}; use only 0 and 1, or False and True")


def check_position_ids(position_ids, shape, n_positions):
    """Raise ValueError unless position_ids are integers below n_positions, one per token."""
    check_integers("position_ids", position_ids)
    if position_ids.shape not in (shape, (1, shape[1])):
        raise ValueError(
            f"position_ids has shape {tuple(position_ids.shape)}; it must be {tuple(shape)},"
            " one position per token"
        )
    check_range("position_ids", position_ids, n_positions, "n_positions")


def check_cache(cache, config, batch_size):
    """Return the number of tokens in the cache; raise ValueError if it is another model's."""
    if not isinstance(cache, KVCache):
        raise ValueError(f"cache={cache!r} must be True, or the cache of an earlier call")
    sizes = len(cache.layers), cache.layers[0].n_positions, cache.batch_size or batch_size
    expected = config.n_layer, config.n_positions, batch_size
    if cache.length:
        sizes += cache.layers[0].keys.shape[1], cache.layers[0].keys.shape[3]
        expected += config.key_heads, config.cached_widths[0]
    if sizes != expected:
        raise ValueError(
            f"the cache has (layers, positions, batch, heads, width) = {sizes}, this call"
            f" {expected}; start with a new one, cache=True"
        )
    return cache.length


def check_labels(labels, shape, vocab_size):
    """Raise ValueError unless labels, of shape (B, T), give at least one token to predict."""
    check_integers("labels", labels)
    if labels.shape != shape:
        raise ValueError(
            f"labels has shape {tuple(labels.shape)} but input_ids {tuple(shape)};"
            " pass input_ids themselves, the shift by one happens inside"
        )
    if labels.is_meta:
        return
    targets = labels[:, 1:][labels[:, 1:] != IGNORED]
    if targets.numel() == 0:
        raise ValueError(
            f"labels {tuple(labels.shape)} leave nothing to predict; need T >= 2 and, after the"
            " first column, a label other than -100"
        )
    check_range("labels", targets, vocab_size, "vocab_size")


def check_predictions(logits, labels):
    """Raise ValueError unless logits (B, T, V) and labels (B, T) give a loss."""
    if not isinstance(logits, torch.Tensor) or logits.ndim != 3:
        found = getattr(logits, "shape", type(logits).__name__)
        raise ValueError(f"logits are {found}; they must be a tensor (B, T, V)")
    check_labels(labels, logits.shape[:2], logits.shape[2])
    check_devices(labels=labels, logits=logits)
