"""Single attention heads: what they read, and what the model cannot do without them.

An induction head looks for what stood before: at a token that has occurred already, it reads the
token that came next then, A B ... A -> B. Source: olsson2022induction.
"""

import contextlib

import torch
import torch.nn.functional as F

from gpt_helpers.architecture.attention import causal_mask
from gpt_helpers.architecture.inputs import check_ranges
from gpt_helpers.architecture.losses import token_losses
from gpt_helpers.architecture.modules import check_model, evaluating, hooked
from gpt_helpers.architecture.trace import recorded_attention
from gpt_helpers.tensor_checks import check_tensor
from gpt_helpers.validation import check_integer

MOST_DRAWS = 2**30  # numbers that are drawn at once; more are beyond most memories


def repeated(vocab_size, n_tokens, batch_size, generator=None):
    """Return ids (B, 2T): rows of T = n_tokens random tokens, all different, written twice.

    Token 0, which is padding or the end of a text, does not occur. Raises ValueError if there
    are not so many other tokens.
    """
    for name, value in (("n_tokens", n_tokens), ("batch_size", batch_size)):
        check_integer(name, value, at_least=1)
    check_integer("vocab_size", vocab_size, at_least=1)
    if batch_size * vocab_size > MOST_DRAWS:
        found = f"{batch_size=} rows of {vocab_size=} tokens"
        raise ValueError(f"{found} are more than {MOST_DRAWS} draws; lower one of them")
    if n_tokens >= vocab_size:
        raise ValueError(f"n_tokens={n_tokens} different tokens need a larger {vocab_size=}")
    draws = torch.rand(batch_size, vocab_size - 1, generator=generator, dtype=torch.float32)
    order = draws.argsort(1)  # (B, V-1)
    once = 1 + order[:, :n_tokens]  # (B, T)
    return torch.cat([once, once], dim=1)  # (B, 2T)


def after_same(ids):
    """Return (B, T, T) bool: True where the token before a key is the same as the query.

    ids are (B, T). An induction head at a query reads these keys; none lies in the future.
    """
    check_two_tokens(ids)
    at = torch.arange(ids.shape[1], device=ids.device)  # (T,)
    same = ids[:, :, None] == ids[:, None, :-1]  # (B, T, T-1)
    return F.pad(same, (1, 0)) & causal_mask(at, at)  # (B, T, T)


def attention_to(model, ids, marked):
    """Return (L, H): the attention that each head pays to marked keys, at queries that have any.

    marked is (B, T, T) bool, queries by keys, for ids (B, T): the weights of the marked keys of
    a query are added up, and the mean is taken over all queries with at least one. Raises
    ValueError for shapes that do not fit, or if nothing is marked.
    """
    check_two_tokens(ids, model)
    check_tensor("marked", marked, "(B, T, T)")
    if marked.shape != (*ids.shape, ids.shape[1]) or marked.dtype != torch.bool:
        raise ValueError(
            f"marked is {marked.dtype} {tuple(marked.shape)}; for ids {tuple(ids.shape)} make it"
            f" bool {(*ids.shape, ids.shape[1])}, queries by keys"
        )
    queries = marked.any(-1)  # (B, T)
    if not queries.any():
        raise ValueError("marked holds no True; mark at least one key of one query")
    with recorded_attention(model) as layers, evaluating(model), torch.no_grad():
        model(ids)
    sums = torch.stack([(weights * marked[:, None]).sum((0, 2, 3)) for weights in layers])
    return sums / queries.sum()  # (L, H)


def induction_scores(model, ids):
    """Return (L, H): how far each head is an induction head, from 0 to 1, on ids (B, T).

    It is the attention paid to tokens that came next after an earlier occurrence of the present
    token, over all tokens that have one. Source: olsson2022induction.
    """
    return attention_to(model, ids, after_same(ids))  # (L, H)


def previous_scores(model, ids):
    """Return (L, H): the attention that each head pays to the token just before, on ids (B, T)."""
    check_two_tokens(ids)
    at = torch.arange(ids.shape[1], device=ids.device)  # (T,)
    before = at == at[:, None] - 1  # (T, T)
    return attention_to(model, ids, before.expand(len(ids), -1, -1))  # (L, H)


def repetition_losses(model, ids):
    """Return the mean loss of each half of ids (B, T), in nats per token.

    The halves are the same, as in repeated. The first token of each, which nothing that stood
    before can tell, is not counted.
    """
    check_two_tokens(ids, model)
    n_half = ids.shape[1] // 2
    with evaluating(model), torch.no_grad():
        losses = token_losses(model(ids)["logits"], ids)  # (B, T-1)
    return losses[:, : n_half - 1].mean().item(), losses[:, n_half:].mean().item()


def ranked(scores):
    """Return all heads (layer, head) of scores (L, H), the highest score first."""
    check_tensor("scores", scores, "(L, H)", floats=True, empty=False)
    if not scores.isfinite().all():
        raise ValueError("scores hold a number that is not finite; no head can have it")
    order = scores.flatten().argsort(descending=True, stable=True).tolist()
    return [divmod(index, scores.shape[1]) for index in order]


@contextlib.contextmanager
def without_heads(model, heads):
    """Leave out what the heads, pairs (layer, head), add to the stream, inside of the block.

    Layers and heads are counted from 0. The weights stay as they are, and another thread has all
    heads meanwhile. Raises ValueError for a head that the model does not have.
    """
    check_model(model)
    config = model.config
    if not isinstance(heads, list | tuple | set) or not all(map(is_pair, heads)):
        raise ValueError(f"heads={heads!r:.60} must be a list of pairs (layer, head)")
    for head in (heads := set(heads)):
        layer, index = head
        if not (0 <= layer < config.n_layer and 0 <= index < config.n_head):
            raise ValueError(
                f"there is no head {head}; layers are 0 to {config.n_layer - 1}, heads 0 to"
                f" {config.n_head - 1}"
            )
    silenced = [
        (
            model.transformer.h[layer].attn.c_proj,
            silencing(sorted(index for other, index in heads if other == layer), config.n_head),
        )
        for layer in sorted({layer for layer, _ in heads})
    ]
    with hooked(before=silenced):
        yield model


def is_pair(head):
    """Return whether this is a tuple of two integers."""
    return isinstance(head, tuple) and len(head) == 2 and all(type(part) is int for part in head)


def silencing(heads, n_head):
    """Return the hook that sets the columns of these heads, each W wide, to 0."""

    def hook(module, inputs, keywords):
        parts = inputs[0].unflatten(-1, (n_head, -1)).clone()  # (B, T, H, W)
        parts[:, :, heads] = 0
        return (parts.flatten(2),), keywords

    return hook


def check_two_tokens(ids, model=None):
    """Raise ValueError unless ids is a tensor (B, T) with T >= 2, and a model can read them."""
    check_tensor("ids", ids, "(B, T)", integers=True, empty=False)
    if ids.shape[1] < 2:
        raise ValueError(f"ids has shape {tuple(ids.shape)}; it must be (B, T) with T >= 2")
    if model is not None:
        check_model(model)
        check_ranges(ids=(ids, "vocab_size", model.config.vocab_size))
