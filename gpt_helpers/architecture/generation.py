"""From next tokens to text: the generation loop. Knows no model's class."""

import torch

from gpt_helpers.architecture.modules import check_model, evaluating
from gpt_helpers.architecture.sampling import check_count, check_settings, sample


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
