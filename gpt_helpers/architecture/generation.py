"""From next tokens to text: the generation loop. Knows no model's class."""

import torch
import torch.nn.functional as F

from gpt_helpers.architecture.inputs import check_mask, check_settings
from gpt_helpers.architecture.modules import check_model, evaluating, fast_attribute_lookup
from gpt_helpers.architecture.operands import check_devices
from gpt_helpers.architecture.sampling import sample
from gpt_helpers.tensor_checks import check_tensor, check_values
from gpt_helpers.validation import check_integer

MOST_NEW_TOKENS = 2**24  # room for all is made first; that of more would be beyond memory


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
    check_request(model, input_ids, max_new_tokens, eos_token_id, use_cache, chunk_size)
    check_settings(temperature, top_k, top_p, generator)
    mask = F.pad(prompt_mask(input_ids, attention_mask), (0, max_new_tokens), value=True)
    ids = F.pad(input_ids, (0, max_new_tokens))
    with evaluating(model), fast_attribute_lookup(model), torch.inference_mode():
        cache = model.new_cache() if use_cache else None

        def predict(read):
            return next_logits(model, read, mask[:, : read.shape[1]], cache, chunk_size)

        def choose(logits):
            return sample.unchecked(logits, temperature, top_k, top_p, generator)

        ids = write_on(ids, input_ids.shape[1], predict, choose, eos_token_id)
    return ids.clone()


def write_on(ids, n_prompt, predict, choose, eos_token_id=None):
    """Return ids (B, T) with the columns from n_prompt on written, token by token.

    predict returns the logits (B, V) after ids, choose a token (B,) from them. A row
    that has ended goes on with eos_token_id, until all have; without one, none ends.
    """
    ended = torch.zeros(len(ids), dtype=torch.bool, device=ids.device)  # (B,)
    for end in range(n_prompt, ids.shape[1]):
        logits = predict(ids[:, :end])  # (B, V)
        ids[:, end] = choose(logits)
        if eos_token_id is not None:
            ids[ended, end] = eos_token_id
            ended = ids[:, end] == eos_token_id
            if ended.all():
                return ids[:, : end + 1]
    return ids


def next_logits(model, ids, mask, cache=None, chunk_size=None):
    """Return the logits (B, V) after ids (B, T), mask (B, T), of which a cache may hold a part."""
    if cache is None or ids.shape[1] > model.config.n_positions:
        return read_window(model, ids, mask)  # (B, V)
    if cache.length == 0:
        return prefill(model, ids, mask, cache, chunk_size)  # (B, V)
    return decode_one_token(model, ids[:, -1:], cache)  # (B, V)


def prefill(model, ids, mask, cache, chunk_size=None):
    """Read the prompt ids (B, T), mask (B, T), into an empty cache; return the last logits (B, V).

    chunk_size tokens are read at a time, all of them if it is None.
    """
    n_prompt = ids.shape[1]
    for start in range(0, n_prompt, chunk_size or n_prompt):
        end = min(start + (chunk_size or n_prompt), n_prompt)
        output = model(ids[:, start:end], attention_mask=mask[:, :end], cache=cache)
    return output["logits"][:, -1]  # (B, V)


def decode_one_token(model, token, cache):
    """Return the logits (B, V) after one token (B, 1) more than the cache holds."""
    return model(token, cache=cache)["logits"][:, -1]  # (B, V)


def read_window(model, ids, mask):
    """Return the logits (B, V) after ids (B, T), mask (B, T): without a cache, from the start.

    Of more than n_positions tokens only the last n_positions are read.
    """
    n_positions = model.config.n_positions
    window = ids[:, -n_positions:]
    return model(window, attention_mask=mask[:, -n_positions:])["logits"][:, -1]  # (B, V)


def check_request(
    model, input_ids, max_new_tokens, eos_token_id=None, use_cache=True, chunk_size=None
):
    """Raise ValueError unless this model can make that many tokens and has this end of text."""
    check_model(model)
    check_values("model", model)
    check_tensor("input_ids", input_ids, "(B, T)", integers=True, empty=False)
    check_integer("max_new_tokens", max_new_tokens, at_least=0, at_most=MOST_NEW_TOKENS)
    if eos_token_id is not None:
        check_integer("eos_token_id", eos_token_id, at_least=0, at_most=model.config.vocab_size - 1)
    if type(use_cache) is not bool:
        raise ValueError(f"use_cache={use_cache!r} must be True or False")
    if chunk_size is not None:
        check_integer("chunk_size", chunk_size, at_least=1)


def prompt_mask(input_ids, attention_mask):
    """Return the bool mask (B, T) of a prompt; raise ValueError for padding after a token."""
    if attention_mask is None:
        return torch.ones_like(input_ids, dtype=torch.bool)
    check_mask(attention_mask, tuple(input_ids.shape))
    check_devices(attention_mask=attention_mask, input_ids=input_ids)
    mask = attention_mask.bool()
    misplaced = ~mask[:, -1] | (mask[:, :-1] & ~mask[:, 1:]).any(1)  # (B,)
    if misplaced.any():
        rows = misplaced.nonzero()[:, 0].tolist()
        raise ValueError(
            f"attention_mask: rows {rows} have padding after a token; pad on the left only"
        )
    return mask
