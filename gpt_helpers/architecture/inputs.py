"""What a model accepts, and what sampling from it accepts, checked, with clear errors."""

import functools

import torch
import torch.nn.functional as F
from torch import nn

from gpt_helpers.architecture.kv_cache import KVCache
from gpt_helpers.architecture.operands import check_devices
from gpt_helpers.tensor_checks import check_generator, check_plain, check_tensor
from gpt_helpers.validation import check_integer, check_real

IGNORED = -100  # a label that takes no part in the loss
READERS = nn.Linear, nn.LayerNorm, nn.RMSNorm  # each says how wide what it reads must be


def padding_of(attention_mask, input_ids, cache=None):
    """Return the bool mask (B, S) that is True at real tokens, or None if all are real.

    Without an attention_mask the new tokens are real, and the cached ones are what they
    were; a cache is told the answer, for the next call.
    """
    padding = None if cache is None else cache.padding
    if attention_mask is not None:
        all_real = not attention_mask.is_meta and attention_mask.all()
        padding = None if all_real else attention_mask.to(torch.bool, copy=True)
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


def check_inputs(model, input_ids, attention_mask=None, position_ids=None, cache=None, labels=None):
    """Raise ValueError unless a model can read these inputs, and learn from these labels."""
    config, wte = model.config, model.wte.weight
    check_tensor("input_ids", input_ids, "(B, T)", integers=True, empty=False, meta=True)
    n_seen = 0 if cache is None else check_cache(cache, config, len(input_ids))
    n_tokens = n_seen + input_ids.shape[1]
    if n_tokens > config.n_positions:
        found = f"{n_tokens} tokens ({n_seen} cached) but n_positions={config.n_positions}"
        raise ValueError(f"{found}; pass the last {config.n_positions} tokens, with a new cache")
    ranges = {"input_ids": (input_ids, "vocab_size", config.vocab_size)}
    if attention_mask is not None:
        check_mask(attention_mask, (len(input_ids), n_tokens))
    if position_ids is not None:
        check_position_ids(position_ids, input_ids.shape)
        ranges["position_ids"] = position_ids, "n_positions", config.n_positions
    if labels is not None:
        check_tensor("labels", labels, "(B, T)", integers=True, meta=True)
        if labels.shape != input_ids.shape:
            raise misplaced_labels(labels, input_ids.shape)
        ranges["labels"] = targets_of(labels), "vocab_size", config.vocab_size
    others = {"input_ids": input_ids, "attention_mask": attention_mask}
    others |= {"position_ids": position_ids, "labels": labels}
    if any(other is not None and other.device != wte.device for other in others.values()):
        check_devices(wte=wte, **others)
    check_ranges(**ranges)


def misplaced_labels(labels, shape):
    """Return the error of labels that are not of the shape (B, T) of the tokens."""
    found = f"labels has shape {tuple(labels.shape)} but input_ids {tuple(shape)}"
    return ValueError(f"{found}; pass input_ids themselves, the shift by one happens inside")


def targets_of(labels):
    """Return (B, T): after each token the label of the next, what is ignored as their highest.

    So IGNORED stands in it only if labels (B, T) leave nothing to predict.
    """
    targets = F.pad(labels[:, 1:], (0, 1), value=IGNORED)  # (B, T)
    return targets.where(targets != IGNORED, targets.amax())  # (B, T)


def check_ranges(**ranges):
    """Raise ValueError unless all values are 0 to limit - 1, of name=(tensor, limit's name, limit).

    All are looked at together, in one wait for the device. A meta tensor has no values.
    """
    if any(values.is_meta for values, *_ in ranges.values()):
        return
    ends = torch.stack([end for values, *_ in ranges.values() for end in values.aminmax()])
    for (name, row), (low, high) in zip(ranges.items(), ends.view(-1, 2).tolist(), strict=True):
        values, limit_name, limit = row
        if name == "labels" and low == high == IGNORED:
            raise ValueError(
                f"labels {tuple(values.shape)} leave nothing to predict; need T >= 2 and, after"
                f" the first column, a label other than {IGNORED}"
            )
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
    check_plain("attention_mask", attention_mask, meta=True)
    if attention_mask.is_complex():
        raise ValueError(f"attention_mask has dtype {attention_mask.dtype}; use 0 and 1")
    if not attention_mask.is_meta and not (attention_mask == attention_mask.bool()).all():
        values = attention_mask.unique().tolist()[:4]
        raise ValueError(f"attention_mask holds {values}; use only 0 and 1, or False and True")


def check_position_ids(position_ids, shape):
    """Raise ValueError unless position_ids are integers, one per token, or one row for all."""
    check_tensor("position_ids", position_ids, "(B, T)", integers=True, meta=True)
    if position_ids.shape not in (shape, (1, shape[1])):
        found = f"position_ids has shape {tuple(position_ids.shape)}"
        raise ValueError(f"{found}; it must be {tuple(shape)}, one position per token")


def check_cache(cache, config, n_rows):
    """Return the number of tokens in the cache; raise ValueError if it is another model's."""
    if not isinstance(cache, KVCache):
        raise ValueError(f"cache={cache!r} must be True, or the cache of an earlier call")
    sizes = len(cache.layers), cache.layers[0].n_positions, cache.batch_size or n_rows
    expected = config.n_layer, config.n_positions, n_rows
    if cache.length:
        sizes += cache.layers[0].keys.shape[1], cache.layers[0].keys.shape[3]
        expected += config.key_heads, config.cached_widths[0]
    if sizes != expected:
        raise ValueError(
            f"the cache has (layers, positions, batch, heads, width) = {sizes}, this call"
            f" {expected}; start with a new one, cache=True"
        )
    return cache.length


def check_temperature(logits, temperature):
    """Raise ValueError unless logits can be divided by this temperature."""
    check_settings(temperature=temperature)
    check_logits(logits)


def check_top_k(logits, k):
    """Raise ValueError unless the k highest logits can be kept."""
    check_integer("k", k, at_least=1)
    check_logits(logits)


def check_top_p(logits, p):
    """Raise ValueError unless p is a share of probability that logits can keep."""
    check_real("p", p, above=0, at_most=1)
    check_logits(logits)


def check_cut(logits, temperature=1.0, top_k=None, top_p=None):
    """Raise ValueError unless these settings of sampling can be used on logits (..., V)."""
    check_settings(temperature, top_k, top_p)
    check_logits(logits)


def check_logit_rows(logits, *settings, **others):
    """Raise ValueError unless tokens can be drawn from logits (B, V) with these settings."""
    check_settings(*settings, **others)
    check_tensor("logits", logits, "(B, V)")
    check_logits(logits)


def check_logits(logits):
    """Raise ValueError unless logits (..., V) are scores of which each row has a finite highest."""
    check_tensor("logits", logits, "(..., V)", floats=True, empty=False)
    highest = logits.amax(-1)
    if not highest.isfinite().all():
        bad = highest[~highest.isfinite()][0].item()
        raise ValueError(f"a row of logits has the maximum {bad}; every row needs a finite one")


def check_settings(temperature=1.0, top_k=None, top_p=None, generator=None):
    """Raise ValueError for a setting of sampling that is out of range; None keeps all tokens."""
    check_generator(generator)
    check_real("temperature", temperature, at_least=0)
    if top_k is not None:
        check_integer("top_k", top_k, at_least=1)
    if top_p is not None:
        check_real("top_p", top_p, above=0, at_most=1)


def refuse_misfits(forward):
    """Make forward(self, x, ...) raise a clear ValueError for an x that does not fit its weights.

    It looks at x only after torch has failed, so it costs nothing while all is well; if x fits,
    the error is passed on as it is.
    """

    @functools.wraps(forward)
    def forward_or_refuse(self, x, *args, **kwargs):
        try:
            return forward(self, x, *args, **kwargs)
        except (AttributeError, RuntimeError, TypeError, ValueError) as error:
            misfit = misfit_of(x, self)
            if misfit is None:
                raise
            raise ValueError(misfit) from error

    return forward_or_refuse


def misfit_of(x, module):
    """Return what is wrong with x (B, T, C) for a module, or None if its first layer can read it.

    Attention reads across T, and experts sort the tokens of B and T; any other layer takes
    each position by itself, whatever the axes before the last.
    """
    layers = list(module.modules())
    reader = next((layer for layer in layers if isinstance(layer, READERS)), None)
    if reader is None:
        return None
    width = getattr(reader, "in_features", None) or reader.normalized_shape[-1]
    fits = torch.is_tensor(x) and x.shape[-1:] == (width,) and x.numel()
    needs_axes = any(hasattr(layer, name) for layer in layers for name in ("attend", "experts"))
    if not fits or (needs_axes and x.ndim != 3):
        found = getattr(x, "shape", type(x).__name__)
        return f"x is {found}; it must be a tensor (B, T, {width}), not empty"
    weight = reader.weight
    if weight is None or (x.device == weight.device and is_cast(x, weight.dtype)):
        return None
    found, needed = f"{x.dtype} on {x.device}", f"{weight.dtype} on {weight.device}"
    return f"x is {found}, the weights {needed}; convert one with .to()"


def is_cast(x, dtype):
    """Return whether x has this dtype, or autocast gives it to both."""
    return x.dtype == dtype or torch.is_autocast_enabled(x.device.type)
