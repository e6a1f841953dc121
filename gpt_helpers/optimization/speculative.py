"""Speculative decoding: a cheap draft proposes several tokens, the model judges them in one call.

The text has exactly the distribution of the model alone: only the number of calls changes.
p is the target, the distribution of the model; q is that of the draft. These are the names of
leviathan2023speculative. chen2023speculative gives the same algorithm with p and q swapped.
A draft is anything with logits(ids (1, T)) -> (1, V), such as ngrams.NGrams or ModelDraft. One
that reads so many tokens at most says so as n_positions.
"""

import math
from dataclasses import dataclass

import torch

from gpt_helpers.architecture.generation import check_request
from gpt_helpers.architecture.inputs import check_logits, check_settings
from gpt_helpers.architecture.modules import check_model, evaluating
from gpt_helpers.architecture.sampling import cut
from gpt_helpers.tensor_checks import check_generator, check_tensor
from gpt_helpers.validation import check_integer, check_real, checked_by


@dataclass(frozen=True)
class SpeculationRecord:
    """How much was drafted, what became of it, and how often the model was called.

    What was drafted behind a rejected token is neither accepted nor rejected.
    """

    target_calls: int
    drafted: int
    accepted: int
    rejected: int

    @property
    def acceptance(self):
        """Return the share of judged tokens that were accepted; nan where none was judged."""
        judged = self.accepted + self.rejected
        return self.accepted / judged if judged else float("nan")

    @property
    def tokens_per_call(self):
        """Return the tokens per call of the model: each call adds one to those it accepts."""
        calls = self.target_calls
        return (self.accepted + calls) / calls if calls else float("nan")


def check_probabilities(**arrays):
    """Raise ValueError unless each is a tensor (..., V) of probabilities, all with one V."""
    for name, value in arrays.items():
        check_tensor(name, value, "(..., V)", floats=True)
        total = value.double().sum(-1)
        if not ((value >= 0).all() and ((total - 1).abs() < 1e-3).all()):
            bad = total.flatten()[(total - 1).abs().flatten().argmax()].item()
            raise ValueError(f"{name} holds negatives or a row of sum {bad}; apply softmax first")
    sizes = {name: value.shape[-1] for name, value in arrays.items()}
    if len(set(sizes.values())) > 1:
        raise ValueError(f"vocabularies differ, {sizes}; both need the same tokens")


def check_judged(p, q, drafted, generator=None):
    """Raise ValueError unless p (B, K+1, V), q (B, K, V) and drafted (B, K) fit together."""
    check_generator(generator)
    check_probabilities(p=p, q=q)
    check_tensor("drafted", drafted, "(B, K)", integers=True)
    shapes = [tuple(value.shape) for value in (p, q, drafted)]
    batch, places, size = shapes[0] if p.ndim == 3 else (0, 0, 0)
    if batch == 0 or shapes[1:] != [(batch, places - 1, size), (batch, places - 1)]:
        raise ValueError(f"p, q, drafted are {shapes}; need (B, K+1, V), (B, K, V), (B, K)")
    if not ((drafted >= 0) & (drafted < size)).all():
        raise ValueError(f"drafted holds ids outside 0 to {size - 1}; draw them from q")


def expected_acceptance(p, q):
    """Return the probability (...) that a token drawn from q is accepted: the sum of min(p, q).

    p and q are probabilities (..., V). It is 1 where they are equal, 0 where they share no token.
    Raises ValueError for what are no such probabilities, and for two shapes.
    Source: leviathan2023speculative, cor. 3.6.
    """
    check_probabilities(p=p, q=q)
    if p.shape != q.shape:
        raise ValueError(f"p is {tuple(p.shape)}, q {tuple(q.shape)}; give both one shape (..., V)")
    return torch.minimum(p, q).sum(-1)


def expected_tokens_per_call(acceptance, n_drafted):
    """Return how many tokens a call of the model yields if each token is accepted by chance.

    It is 1 + a + a^2 + ... + a^n for a = acceptance and n = n_drafted: token k counts only if
    all before it were accepted, and a last one always comes from the model itself.

    Raises ValueError unless acceptance is 0 to 1 and n_drafted a positive integer.
    Source: leviathan2023speculative, eq. 1.
    """
    a = check_real("acceptance", acceptance, at_least=0, at_most=1)
    n = check_integer("n_drafted", n_drafted, at_least=1)
    if a in (0, 1):
        return 1 + n * a
    # (1 - a^(n+1)) / (1 - a), of which the numerator keeps its digits where a is close to 1.
    return -math.expm1((n + 1) * math.log(a)) / (1 - a)


@checked_by(check_judged)
def accept_or_replace(p, q, drafted, generator=None):
    """Return how many drafted tokens are kept (B,), and the one that follows (B,).

    p (B, K+1, V) are the target's probabilities at the K drafted places and one more,
    q (B, K, V) the draft's, and drafted (B, K) was drawn from q. Token x is accepted
    with probability min(1, p(x) / q(x)). The first that is not is replaced by a draw
    from norm(max(0, p - q)), what q was lacking; what comes after it is dropped. If
    all are accepted, one more is drawn from p.

    Raises ValueError for shapes that do not fit, and for what are no probabilities.
    Source: leviathan2023speculative, alg. 1; chen2023speculative, alg. 2.
    """
    p, q = p.double(), q.double()
    chosen, places = drafted.long()[..., None], drafted.shape[1]
    p_chosen = p[:, :places].gather(-1, chosen)[..., 0]  # (B, K)
    q_chosen = q.gather(-1, chosen)[..., 0]  # (B, K)
    options = {"generator": generator, "dtype": q.dtype, "device": q.device}
    draws = torch.rand(q_chosen.shape, **options)  # (B, K)
    accepted = draws * q_chosen < p_chosen  # (B, K)
    n_accepted = accepted.long().cumprod(-1).sum(-1)  # (B,)
    # Beyond the last drafted token q is 0, so what it lacks there is all of p.
    q = torch.nn.functional.pad(q, (0, 0, 0, 1))  # (B, K+1, V)
    lacking = (p - q).clamp(min=0)  # (B, K+1, V)
    lacking = lacking[torch.arange(len(p), device=p.device), n_accepted]  # (B, V)
    token = torch.multinomial(lacking, 1, generator=generator)[:, 0]  # (B,)
    return n_accepted, token


def generate_speculatively(
    model,
    draft,
    input_ids,
    max_new_tokens=50,
    n_drafted=4,
    temperature=1.0,
    top_k=None,
    top_p=None,
    generator=None,
):
    """Return input_ids (1, T) with max_new_tokens appended, (1, T + new), and the record.

    The text is distributed as that of model.generate with these settings, and equal to it at
    temperature 0, up to the rounding of logits. Both distributions are filtered alike.

    Raises ValueError for arguments out of range, for more than one row, for a draft of another
    vocabulary, and for more than n_positions tokens: the cache cannot slide.
    """
    check_one_row(model, draft, input_ids, max_new_tokens, n_drafted)
    check_settings(temperature, top_k, top_p, generator)
    filters = temperature, top_k, top_p
    ids, end, rounds = input_ids.long(), input_ids.shape[1] + max_new_tokens, []
    with evaluating(model), torch.inference_mode():
        cache = model.new_cache()
        while ids.shape[1] < end:
            n = min(n_drafted, end - ids.shape[1] - 1)  # the call itself adds one
            drafted, q = propose(draft, ids, n, model.config.vocab_size, filters, generator)
            text = torch.cat([ids, drafted], 1)
            logits = model(text[:, cache.length :], cache=cache)["logits"][:, -n - 1 :]
            check_logits(logits)
            p = probabilities_of(logits, *filters)  # (..., V)
            n_accepted, token = accept_or_replace.unchecked(p, q, drafted, generator)  # (B,)
            kept = drafted[:, : n_accepted.item()]
            ids = torch.cat([ids, kept, token[:, None]], 1)
            cache.truncate(ids.shape[1] - 1)  # the new token is read by the next call
            rounds.append((n, kept.shape[1]))
    return ids.clone(), record_of(rounds)


def propose(draft, ids, n_drafted, vocab_size, filters, generator=None):
    """Return n_drafted tokens (B, K) drawn after ids (B, T), and their distributions (B, K, V)."""
    start, q = ids.shape[1], torch.zeros(len(ids), n_drafted, vocab_size, dtype=torch.float64)
    q = q.to(ids.device)  # (B, K, V)
    for place in range(n_drafted):
        logits = draft.logits(ids)  # (B, V)
        check_draft_logits(logits, len(ids), vocab_size)
        q[:, place] = probabilities_of(logits, *filters)
        ids = torch.cat([ids, torch.multinomial(q[:, place], 1, generator=generator)], 1)
    return ids[:, start:], q


def probabilities_of(logits, temperature=1.0, top_k=None, top_p=None):
    """Return the probabilities (..., V), float64, that sampling.sample draws from.

    logits is (..., V). Temperature 0 gives the highest all of it, so no case is needed for it.
    """
    return cut.unchecked(logits, temperature, top_k, top_p).double().softmax(-1)  # (..., V)


def record_of(rounds):
    """Return the SpeculationRecord of rounds, a list of (drafted, accepted) per call."""
    return SpeculationRecord(
        target_calls=len(rounds),
        drafted=sum(drafted for drafted, _ in rounds),
        accepted=sum(accepted for _, accepted in rounds),
        rejected=sum(accepted < drafted for drafted, accepted in rounds),
    )


class ModelDraft:
    """A language model as a draft. It keeps a cache, and reads only what is new to it."""

    def __init__(self, model):
        """Start with nothing read."""
        check_model(model)
        self.model, self.read, self.n_positions = model, None, model.config.n_positions

    def logits(self, ids):
        """Return the logits (1, V) after ids (1, T), of up to n_positions tokens.

        What was read is taken away meanwhile: a call that fails, or another thread, begins anew.
        """
        seen, cache = vars(self).pop("read", None) or (ids[:, :0], self.model.new_cache())
        n_common = min(seen.shape[1], ids.shape[1] - 1)
        same = seen[:, :n_common] == ids[:, :n_common]  # (B, N)
        n_same = same.long().cumprod(-1).sum().item()
        with evaluating(self.model), torch.inference_mode():
            cache.truncate(n_same)
            output = self.model(ids[:, n_same:], cache=cache)
        self.read = ids.clone(), cache
        return output["logits"][:, -1]  # (B, V)


def check_draft_logits(logits, n_rows, vocab_size):
    """Raise ValueError unless the draft's logits are (n_rows, vocab_size)."""
    check_logits(logits)
    if logits.shape != (n_rows, vocab_size):
        found, needed = tuple(logits.shape), f"{(n_rows, vocab_size)}, the model's V"
        raise ValueError(f"the draft's logits are {found}; need {needed}")


def check_one_row(model, draft, input_ids, max_new_tokens, n_drafted):
    """Raise ValueError unless model and draft can continue one row of tokens by so many."""
    check_request(model, input_ids, max_new_tokens)
    check_integer("n_drafted", n_drafted, at_least=1)
    if not callable(getattr(draft, "logits", None)):
        raise ValueError(f"draft is a {type(draft).__name__}; it needs a method logits(ids)")
    (n_rows, n_tokens), n_positions = input_ids.shape, model.config.n_positions
    if n_rows != 1:
        raise ValueError(f"input_ids has {n_rows} rows; give one, rows accept unequally many")
    if n_tokens + max_new_tokens > n_positions:
        found = f"{n_tokens} + {max_new_tokens} tokens exceed n_positions={n_positions}"
        raise ValueError(f"{found}; lower max_new_tokens")
    n_read = n_tokens + max_new_tokens - 2  # of two tokens at least: from the last nothing follows
    if max_new_tokens > 1 and n_read > getattr(draft, "n_positions", n_read):
        found = f"draft reads up to {n_read} tokens, but has n_positions={draft.n_positions}"
        raise ValueError(f"{found}; lower max_new_tokens")
