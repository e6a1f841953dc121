"""How good a language model is: nats per token, bits per byte, and functions to judge."""

import math

import torch
from tokenizers import Tokenizer

from gpt_helpers.architecture.inputs import check_ranges
from gpt_helpers.architecture.losses import token_losses
from gpt_helpers.architecture.modules import check_model, evaluating
from gpt_helpers.tensor_checks import check_tensor, check_values
from gpt_helpers.text.corpus import Document
from gpt_helpers.text.tokenizer import END_OF_TEXT, check_tokenizer, encode
from gpt_helpers.validation import (
    check_count,
    check_instance,
    check_integer,
    check_natural,
    check_real,
    check_sequence,
)


def evaluate(model, windows, batch_size=16):
    """Return the mean loss, in nats per token, of a model on windows (N, T) of token ids.

    Every token but the first of each window is predicted from those before it in the window.
    Train or eval mode is left as it was found. Raises ValueError for what is no model, or no
    (N, T) that it can read.
    """
    batch_size = check_count("batch_size", batch_size)
    check_windows("windows", windows, model)
    total = 0.0
    with evaluating(model), torch.no_grad():
        device = next(model.parameters()).device
        for rows in windows.split(batch_size):
            ids = rows.to(device)
            total += model(ids, labels=ids)["loss"].item() * len(ids)
    return total / len(windows)


def exact_match(model, windows, lengths, batch_size=16):
    """Return {length: share of the runs of so many tokens that greedy decoding gets all right}.

    A run begins after each token of windows (B, T) that has so many after it. The model writes
    it token by token; as long as all are right it reads the window itself, so one pass decides.
    Raises ValueError for what is no model or no windows, and for lengths not in 1 to T - 1.
    """
    check_windows("windows", windows, model)
    batch_size = check_count("batch_size", batch_size)
    check_sequence("lengths", lengths)
    longest = windows.shape[1] - 1
    lengths = [check_integer("lengths", n, at_least=1, at_most=longest) for n in lengths]
    with evaluating(model), torch.no_grad():
        device = next(model.parameters()).device
        right = [
            (model(rows.to(device))["logits"][:, :-1].argmax(-1).cpu() == rows[:, 1:])
            for rows in windows.split(batch_size)
        ]
    runs = torch.cat(right)  # (B, T-1)
    return {n: runs.unfold(1, n, 1).all(-1).double().mean().item() for n in lengths}


def bits_per_byte(nats_per_token, bytes_per_token):
    """Return a loss in bits per byte of text, which does not depend on the tokenizer.

    Raises ValueError for a negative loss, or no bytes.
    """
    nats_per_token = check_real("nats_per_token", nats_per_token, at_least=0)
    bytes_per_token = check_real("bytes_per_token", bytes_per_token, above=0)
    return nats_per_token / math.log(2) / bytes_per_token


def document_nats(model, ids, context, stride):
    """Return the nats that a model pays for all tokens of one document, ids (N,), but the first.

    Windows of context tokens begin every stride tokens, and each scores what the one before
    did not: so a token is predicted from at least context - stride tokens before it, or from
    all there are. Raises ValueError unless 1 <= stride < context.
    """
    check_tensor("ids", ids, "(N,)", integers=True)
    check_integer("stride", stride, at_least=1)
    check_integer("context", context, at_least=1)
    if stride >= context:
        raise ValueError(f"stride={stride} must be below context={context}")
    nats, scored = 0.0, 1
    with evaluating(model), torch.no_grad():
        device = next(model.parameters()).device
        for start in range(0, max(len(ids) - context, 0) + stride, stride):
            window = ids[None, start : start + context].to(device)
            fresh = start + window.shape[1] - scored
            if fresh <= 0:
                break
            losses = token_losses(model(window)["logits"], window)[0]  # (T-1,)
            nats += losses[-fresh:].sum().item()
            scored = start + window.shape[1]
    return nats


def document_bits_per_byte(model, tokenizer, documents, stride):
    """Return the bits per byte that a model pays for whole documents, their ends included.

    Each document is read by itself, after an end of text, in windows of n_positions tokens
    that begin every stride tokens, as in document_nats. Raises ValueError for what is no model,
    no tokenizer, no documents, or no stride.
    """
    check_model(model)
    check_tokenizer(tokenizer)
    check_sequence("documents", documents, Document)
    end = torch.tensor([tokenizer.token_to_id(END_OF_TEXT)])
    nats = sum(
        document_nats(
            model,
            torch.cat([end, encode(tokenizer, [document])]),
            model.config.n_positions,
            stride,
        )
        for document in documents
    )
    n_bytes = sum(len(document.text.encode()) for document in documents)
    return bits_per_byte(nats, n_bytes)


def sample_functions(model, tokenizer, n_samples, n_tokens, temperature, generator=None):
    """Return n_samples texts that begin with "def", each of n_tokens sampled tokens.

    The prompt ends in "def": the space after it belongs to the next token, as in every text
    that the tokenizer has read. model is a GPT or an n-gram model, anything that generates.
    Raises ValueError for what is none, no tokenizer, and for numbers out of range.
    """
    if not hasattr(model, "generate"):
        raise ValueError(f"model is a {type(model).__name__}, which cannot generate; give a GPT")
    check_instance("tokenizer", tokenizer, Tokenizer)
    check_count("n_samples", n_samples)
    check_natural("n_tokens", n_tokens)
    prompt = tokenizer.encode("\n\n\ndef").ids
    ids = torch.tensor([prompt] * n_samples)
    written = model.generate(ids, n_tokens, temperature=temperature, generator=generator)
    texts = tokenizer.decode_batch(written.tolist(), skip_special_tokens=False)
    return [text.lstrip("\n") for text in texts]


def window_losses(model, windows, batch_size=16):
    """Return the loss (N, T-1) of every token but the first of windows (N, T), in nats.

    Raises ValueError for what is no model, or no windows that it can read.
    """
    check_windows("windows", windows, model)
    batch_size = check_count("batch_size", batch_size)
    with evaluating(model), torch.no_grad():
        losses = [token_losses(model(ids)["logits"], ids) for ids in windows.split(batch_size)]
    return torch.cat(losses)  # (N, T-1)


def check_windows(name, windows, model):
    """Raise ValueError unless windows are token ids (N, T) of which a model can predict all."""
    check_model(model)
    check_values("model", model)
    check_tensor(name, windows, "(N, T)", integers=True, empty=False)
    if not 2 <= windows.shape[1] <= model.config.n_positions:
        found = f"{name} has shape {tuple(windows.shape)}"
        raise ValueError(f"{found}; need (N, T) with T from 2 to {model.config.n_positions}")
    check_ranges(**{name: (windows, "vocab_size", model.config.vocab_size)})
