"""From scores to a next token, and from next tokens to text. Knows no model's class.

The three filters take logits (..., V) and return logits of the same shape, so they can
be chained, looked at and drawn one by one.
"""

import contextlib

import torch


def apply_temperature(logits, temperature):
    """Return logits / temperature, (..., V). Below 1 sharpens, above 1 flattens.

    Temperature 0 keeps the highest logit only (of equal ones, the lowest token id).
    Raises ValueError for a negative temperature, or one so small that it overflows.
    """
    check_logits(logits)
    check_temperature(temperature)
    if temperature == 0:
        return top_k_filter(logits, 1)
    scaled = logits / temperature  # (..., V)
    if not scaled.amax(-1).isfinite().all():
        found = f"temperature={temperature} is out of range for {logits.dtype}"
        raise ValueError(f"{found}; use 0 for argmax")
    return scaled


def top_k_filter(logits, k):
    """Return logits with all but the k highest set to -inf, (..., V).

    Exactly k stay: among equal logits those with the lowest token ids. A k of V or
    more keeps all. Raises ValueError for k < 1.
    """
    check_logits(logits)
    check_count("top_k", k)
    ranking = logits.argsort(dim=-1, descending=True, stable=True)  # (..., V)
    return logits.scatter(-1, ranking[..., k:], -torch.inf)  # (..., V)


def top_p_filter(logits, p):
    """Return logits with all but the smallest set of mass >= p set to -inf, (..., V).

    Tokens are taken from the likeliest down (equal ones by token id) until their
    probabilities reach p; the likeliest always stays. Raises ValueError unless
    0 < p <= 1. Source: holtzman2020nucleus, sec. 3.1.
    """
    check_logits(logits)
    check_mass(p)
    if p == 1:
        return logits.clone()
    ranking = logits.argsort(dim=-1, descending=True, stable=True)  # (..., V)
    probabilities = logits.gather(-1, ranking).double().softmax(-1)  # (..., V)
    mass_before = probabilities.cumsum(-1) - probabilities  # (..., V)
    removed = torch.empty_like(ranking, dtype=torch.bool)  # (..., V)
    removed = removed.scatter(-1, ranking, mass_before >= p)  # (..., V)
    return logits.masked_fill(removed, -torch.inf)  # (..., V)


def sample(logits, temperature=1.0, top_k=None, top_p=None, generator=None):
    """Return one token id (B,) per row of logits (B, V): temperature, then top-k, then top-p.

    Temperature 0 is argmax and draws nothing. Raises ValueError for settings out of range.
    """
    check_settings(temperature, top_k, top_p, generator)
    if not isinstance(logits, torch.Tensor) or logits.ndim != 2:
        found = getattr(logits, "shape", type(logits).__name__)
        raise ValueError(f"logits are {found}; they must be a tensor (B, V), one row per text")
    if temperature == 0:
        return logits.argmax(-1)  # (B,)
    logits = apply_temperature(logits, temperature)  # (B, V)
    if top_k is not None:
        logits = top_k_filter(logits, top_k)  # (B, V)
    if top_p is not None:
        logits = top_p_filter(logits, top_p)  # (B, V)
    return torch.multinomial(logits.softmax(-1), 1, generator=generator)[:, 0]  # (B,)


def generate(
    model,
    input_ids,
    max_new_tokens=50,
    temperature=1.0,
    top_k=None,
    top_p=None,
    attention_mask=None,
    eos_token_id=None,
    generator=None,
    use_cache=True,
    chunk_size=None,
):
    """Return input_ids (B, T) with up to max_new_tokens tokens appended, (B, T + new).

    attention_mask (B, T) is 0 at padding, which must stand on the left. A row that has
    produced eos_token_id is filled up with it; when all rows have, generation stops.
    With a cache, chunk_size tokens of the prompt are read at a time (None: all of them).
    Beyond n_positions the model reads the last n_positions tokens: learned positions make every
    cached key stale when that window slides, so each step computes the whole window again.
    Every module's train or eval mode is left as it was found.

    Raises ValueError for arguments out of range.
    """
    check_request(model, max_new_tokens, eos_token_id, use_cache, chunk_size)
    check_settings(temperature, top_k, top_p, generator)
    mask = check_prompt(input_ids, attention_mask)
    ids = torch.nn.functional.pad(input_ids, (0, max_new_tokens))
    mask = torch.nn.functional.pad(mask, (0, max_new_tokens), value=True)
    ended = torch.zeros_like(ids[:, 0], dtype=torch.bool)  # (B,)
    with evaluating(model), torch.inference_mode():
        cache = model.new_cache() if use_cache else None
        for end in range(input_ids.shape[1], ids.shape[1]):
            logits = last_logits(model, ids[:, :end], mask[:, :end], cache, chunk_size)  # (B, V)
            ids[:, end] = sample(logits, temperature, top_k, top_p, generator)
            if eos_token_id is not None:
                ids[ended, end] = eos_token_id
                ended = ended | (ids[:, end] == eos_token_id)  # (B,)
                if ended.all():
                    return ids[:, : end + 1].clone()
    return ids.clone()


def last_logits(model, ids, mask, cache=None, chunk_size=None):
    """Return the logits (B, V) after the last of the tokens ids (B, T), mask (B, T).

    A cache is fed what it lacks, chunk_size tokens at a time; without one, or beyond
    n_positions, the last n_positions tokens are computed from the start.
    """
    check_model(model)
    if not isinstance(ids, torch.Tensor) or not isinstance(mask, torch.Tensor):
        found = f"{type(ids).__name__} and {type(mask).__name__}"
        raise ValueError(f"ids and mask are {found}; they must be tensors (B, T)")
    n_positions = model.config.n_positions
    if cache is None or ids.shape[1] > n_positions:
        window = ids[:, -n_positions:]
        return model(window, attention_mask=mask[:, -n_positions:])["logits"][:, -1]  # (B, V)
    is_prompt = cache.length == 0
    for start in range(cache.length, ids.shape[1], chunk_size or ids.shape[1]):
        end = min(start + (chunk_size or ids.shape[1]), ids.shape[1])
        known = mask[:, :end] if is_prompt else None
        logits = model(ids[:, start:end], attention_mask=known, cache=cache)["logits"]
    return logits[:, -1]  # (B, V)


@contextlib.contextmanager
def evaluating(model):
    """Put every module into eval mode, and afterwards back into the mode it was in."""
    if not isinstance(model, torch.nn.Module):
        raise ValueError(f"model is a {type(model).__name__}; it must be an nn.Module")
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


def check_logits(logits):
    """Raise ValueError unless logits (..., V) are scores of which each row has a finite highest."""
    if not isinstance(logits, torch.Tensor) or not logits.dtype.is_floating_point:
        found = getattr(logits, "dtype", type(logits).__name__)
        raise ValueError(f"logits are {found}; they must be a floating tensor (..., V)")
    if logits.ndim == 0 or logits.numel() == 0:
        raise ValueError(f"logits have shape {tuple(logits.shape)}; need (..., V), not empty")
    highest = logits.amax(-1)
    if not highest.isfinite().all():
        bad = highest[~highest.isfinite()][0].item()
        raise ValueError(f"a row of logits has the maximum {bad}; every row needs a finite one")


def check_model(model):
    """Raise ValueError unless model is a language model."""
    if not isinstance(model, torch.nn.Module) or not hasattr(model, "config"):
        raise ValueError(f"model is a {type(model).__name__}; it must be a GPTLMHeadModel")


def check_request(model, max_new_tokens, eos_token_id, use_cache, chunk_size):
    """Raise ValueError unless this model can make that many tokens and has this end of text."""
    check_model(model)
    highest, is_int = model.config.vocab_size - 1, type(eos_token_id) is int
    if eos_token_id is not None and not (is_int and 0 <= eos_token_id <= highest):
        raise ValueError(
            f"eos_token_id={eos_token_id!r} must be an integer in 0 to {highest}; None never stops"
        )
    if type(use_cache) is not bool:
        raise ValueError(f"use_cache={use_cache!r} must be True or False")
    if chunk_size is not None:
        check_count("chunk_size", chunk_size)
    if type(max_new_tokens) is not int or max_new_tokens < 0:
        raise ValueError(f"max_new_tokens={max_new_tokens!r} must be an integer of at least 0")


def check_settings(temperature, top_k, top_p, generator):
    """Raise ValueError for a setting out of range."""
    if generator is not None and not isinstance(generator, torch.Generator):
        raise ValueError(f"generator={generator!r} must be a torch.Generator, or None")
    check_temperature(temperature)
    if top_k is not None:
        check_count("top_k", top_k)
    if top_p is not None:
        check_mass(top_p)


def check_temperature(temperature):
    """Raise ValueError unless temperature is a finite number of at least 0."""
    if not is_number(temperature) or not 0 <= temperature < float("inf"):
        raise ValueError(f"temperature={temperature!r} must be a finite number >= 0; 0 is argmax")


def is_number(value):
    """Return whether value is an int or a float (a bool is neither here)."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def check_count(name, value):
    """Raise ValueError unless value is an integer of at least 1."""
    if type(value) is not int or value < 1:
        raise ValueError(f"{name}={value!r} must be an integer >= 1; None keeps all tokens")


def check_mass(p):
    """Raise ValueError unless p is a probability mass that can be kept."""
    if not is_number(p) or not 0 < p <= 1:
        raise ValueError(f"top_p={p!r} must be above 0 and at most 1; None keeps all tokens")


def check_prompt(input_ids, attention_mask):
    """Return the bool mask (B, T) of a prompt; raise ValueError if a row ends in padding."""
    if not isinstance(input_ids, torch.Tensor) or input_ids.ndim != 2 or input_ids.numel() == 0:
        found = getattr(input_ids, "shape", type(input_ids).__name__)
        raise ValueError(f"input_ids is {found}; it must be (B, T) with at least one token")
    if input_ids.dtype not in (torch.int64, torch.int32):
        raise ValueError(f"input_ids has dtype {input_ids.dtype}; convert it with .long()")
    if attention_mask is None:
        return torch.ones_like(input_ids, dtype=torch.bool)
    if not isinstance(attention_mask, torch.Tensor) or attention_mask.shape != input_ids.shape:
        found = getattr(attention_mask, "shape", type(attention_mask).__name__)
        raise ValueError(f"attention_mask is {found}; it must be {tuple(input_ids.shape)}")
    if attention_mask.device != input_ids.device:
        found = f"attention_mask on {attention_mask.device}, input_ids on {input_ids.device}"
        raise ValueError(f"{found}; move both to one device with .to(device)")
    mask = attention_mask.bool()
    if not (mask == attention_mask).all():
        values = attention_mask.unique().tolist()[:4]
        raise ValueError(f"attention_mask holds {values}; use only 0 and 1, or False and True")
    if not mask[:, -1].all():
        rows = (~mask[:, -1]).nonzero()[:, 0].tolist()
        raise ValueError(f"rows {rows} end in padding; pad on the left, text is continued")
    return mask
