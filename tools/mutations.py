"""Faults that a person could make, each of which the tests must catch: see tools/mutate.py.

A Mutation replaces one text, which occurs exactly once in its file, by another.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutation:
    """One fault: what is wrong, the file in gpt_helpers, and the text before and after."""

    fault: str
    file: str
    old: str
    new: str


ATTENTION = [
    Mutation("a query does not see itself", "attention.py", "keys <= queries[", "keys < queries["),
    Mutation(
        "a query sees the future only", "attention.py", "keys <= queries[", "keys >= queries["
    ),
    Mutation(
        "mask of keys by queries",
        "attention.py",
        "keys <= queries[:, None]",
        "keys[:, None] <= queries",
    ),
    Mutation(
        "queries are the first, not the last, positions",
        "attention.py",
        "keys[k.shape[-2] - q.shape[-2] :], keys",
        "keys[: q.shape[-2]], keys",
    ),
    Mutation("padding is not read", "attention.py", "visible & padding[", "visible | ~padding["),
    Mutation("padding is inverted", "attention.py", "visible & padding[", "visible & ~padding["),
    Mutation(
        "scores are not scaled",
        "attention.py",
        "visible_softmax(q @ k.mT / q.shape[-1] ** 0.5, visible)",
        "visible_softmax(q @ k.mT, visible)",
    ),
    Mutation(
        "scores are scaled by D",
        "attention.py",
        "visible_softmax(q @ k.mT / q.shape[-1] ** 0.5, visible)",
        "visible_softmax(q @ k.mT / q.shape[-1], visible)",
    ),
    Mutation(
        "scores are scaled by the length",
        "attention.py",
        "visible_softmax(q @ k.mT / q.shape[-1] ** 0.5, visible)",
        "visible_softmax(q @ k.mT / q.shape[-2] ** 0.5, visible)",
    ),
    Mutation(
        "the mask is inverted",
        "attention.py",
        "scores = scores.masked_fill(~visible, -torch.inf)",
        "scores = scores.masked_fill(visible, -torch.inf)",
    ),
    Mutation(
        "masked scores are 0",
        "attention.py",
        "scores = scores.masked_fill(~visible, -torch.inf)",
        "scores = scores.masked_fill(~visible, 0.0)",
    ),
    Mutation(
        "softmax over the queries", "attention.py", "scores.softmax(-1)", "scores.softmax(-2)"
    ),
    Mutation(
        "a row without keys is nan", "attention.py", "weights.masked_fill(~visible, 0.0)", "weights"
    ),
    Mutation(
        "dropout is not applied", "attention.py", "F.dropout(weights, dropout) @ ", "weights @ "
    ),
    Mutation(
        "fused: one new query sees one key",
        "attention.py",
        "is_causal=n_queries > 1",
        "is_causal=True",
    ),
    Mutation("fused: is_causal although T < S", "attention.py", "n_queries in (1, n_keys)", "True"),
    Mutation(
        "fused: the future is not hidden",
        "attention.py",
        "is_causal=n_queries > 1",
        "is_causal=False",
    ),
    Mutation(
        "fused: padding is not read", "attention.py", "if padding is None and within", "if within"
    ),
    Mutation(
        "fused: no dropout with padding",
        "attention.py",
        "attn_mask=visible, **options",
        "attn_mask=visible, enable_gqa=n_head != n_groups",
    ),
]

MODEL = [
    Mutation("keys and queries change places", "model.py", "q, k, v = heads", "k, q, v = heads"),
    Mutation("values and keys change places", "model.py", "q, k, v = heads", "q, v, k = heads"),
    Mutation(
        "heads are not put side by side",
        "model.py",
        "y.transpose(1, 2).flatten(2)",
        "y.flatten(0, 1).reshape(x.shape)",
    ),
    Mutation(
        "heads take every H-th column",
        "model.py",
        "x.view(*x.shape[:2], n_heads, -1).transpose(1, 2)",
        "x.view(*x.shape[:2], -1, n_heads).permute(0, 3, 1, 2)",
    ),
    Mutation(
        "attention drops weights in eval mode",
        "model.py",
        "self.dropout if self.training else 0.0",
        "self.dropout",
    ),
    Mutation(
        "attention does not pass padding on",
        "model.py",
        "self.attend(q, k, v, padding,",
        "self.attend(q, k, v, None,",
    ),
    Mutation("no projection after the heads", "model.py", "y = self.c_proj(y)", "y = y"),
    Mutation(
        "no dropout after attention",
        "model.py",
        "F.dropout(y, self.dropout) if self.training else y",
        "y",
    ),
    Mutation(
        "no dropout after the MLP",
        "model.py",
        "F.dropout(x, self.dropout) if self.training else x",
        "x",
    ),
    Mutation(
        "the MLP drops in eval mode",
        "model.py",
        "F.dropout(x, self.dropout) if self.training else x",
        "F.dropout(x, self.dropout)",
    ),
    Mutation(
        "gelu is the erf form",
        "model.py",
        'F.gelu, approximate="tanh"',
        'F.gelu, approximate="none"',
    ),
    Mutation(
        "gelu_erf is the tanh form",
        "model.py",
        '"gelu_erf": F.gelu',
        '"gelu_erf": functools.partial(F.gelu, approximate="tanh")',
    ),
    Mutation("no activation", "model.py", "self.activation(self.c_fc(x))", "self.c_fc(x)"),
    Mutation(
        "the stream enters attention without norm",
        "model.py",
        "self.attn(self.ln_1(x),",
        "self.attn(x,",
    ),
    Mutation("no residual around attention", "model.py", "x = x + self.attn(", "x = self.attn("),
    Mutation("no residual around the MLP", "model.py", "return x + self.mlp(", "return self.mlp("),
    Mutation(
        "both norms are the first", "model.py", "self.mlp(self.ln_2(x))", "self.mlp(self.ln_1(x))"
    ),
    Mutation(
        "epsilon of ln_1 is PyTorch's",
        "model.py",
        "self.ln_1 = nn.LayerNorm(config.n_embd, eps=config.layer_norm_epsilon)",
        "self.ln_1 = nn.LayerNorm(config.n_embd)",
    ),
    Mutation(
        "epsilon of ln_f is PyTorch's",
        "model.py",
        "self.ln_f = nn.LayerNorm(config.n_embd, eps=config.layer_norm_epsilon)",
        "self.ln_f = nn.LayerNorm(config.n_embd)",
    ),
    Mutation(
        "residual projections are not scaled",
        "model.py",
        "std / (2 * config.n_layer) ** 0.5",
        "std",
    ),
    Mutation(
        "scaled by 1/sqrt(L)", "model.py", "(2 * config.n_layer) ** 0.5", "config.n_layer ** 0.5"
    ),
    Mutation("scaled by 1/2L", "model.py", "(2 * config.n_layer) ** 0.5", "(2 * config.n_layer)"),
    Mutation("no position embedding", "model.py", " + self.wpe(position_ids)", ""),
    Mutation(
        "no dropout of the embeddings",
        "model.py",
        "self.drop(self.wte(input_ids) + self.wpe(position_ids))",
        "self.wte(input_ids) + self.wpe(position_ids)",
    ),
    Mutation("no final norm", "model.py", "return self.ln_f(x)", "return x"),
    Mutation("one cache for all layers", "model.py", "cache.layers[index]", "cache.layers[0]"),
    Mutation(
        "the head is not tied",
        "model.py",
        "        self.lm_head.weight = self.transformer.wte.weight\n",
        "",
    ),
    Mutation(
        "the loss is not shifted",
        "model.py",
        "logits[:, :-1].flatten(0, 1), labels[:, 1:]",
        "logits.flatten(0, 1), labels",
    ),
    Mutation(
        "the loss is shifted backwards",
        "model.py",
        "logits[:, :-1].flatten(0, 1), labels[:, 1:]",
        "logits[:, 1:].flatten(0, 1), labels[:, :-1]",
    ),
    Mutation(
        "label -100 is not ignored",
        "model.py",
        "targets, ignore_index=IGNORED",
        "targets.clamp(min=0)",
    ),
    Mutation(
        "the loss is a sum",
        "model.py",
        "targets, ignore_index=IGNORED",
        'targets, ignore_index=IGNORED, reduction="sum"',
    ),
    Mutation(
        "norm gains start at 0", "model.py", "nn.init.ones_(parameter)", "nn.init.zeros_(parameter)"
    ),
    Mutation("biases keep PyTorch's values", "model.py", "nn.init.zeros_(parameter)", "pass"),
    Mutation(
        "initializer_range is not read", "model.py", "std = config.initializer_range", "std = 0.02"
    ),
    Mutation(
        "positions ignore the cache",
        "inputs.py",
        "torch.arange(n_seen, n_seen + n_new",
        "torch.arange(0, n_new",
    ),
    Mutation(
        "cached positions are one too high",
        "inputs.py",
        "torch.arange(n_seen, n_seen + n_new",
        "torch.arange(n_seen + (n_seen > 0), n_seen + (n_seen > 0) + n_new",
    ),
    Mutation("positions count from 1", "inputs.py", "padding.cumsum(-1) - 1", "padding.cumsum(-1)"),
    Mutation(
        "positions count the padding",
        "inputs.py",
        "padding.cumsum(-1) - 1",
        "torch.ones_like(padding).cumsum(-1) - 1",
    ),
    Mutation(
        "the first positions instead of the last",
        "inputs.py",
        "clamp(min=0)[:, -n_new:]",
        "clamp(min=0)[:, :n_new]",
    ),
    Mutation("the cache forgets the padding", "inputs.py", "cache.padding = padding", "pass"),
    Mutation(
        "one token too many is accepted",
        "inputs.py",
        "n_tokens > config.n_positions",
        "n_tokens > config.n_positions + 1",
    ),
    Mutation(
        "cached tokens are not counted",
        "inputs.py",
        "n_tokens = n_seen + input_ids.shape[1]",
        "n_tokens = input_ids.shape[1]",
    ),
    Mutation("token V is accepted", "inputs.py", "high >= limit", "high > limit"),
    Mutation(
        "the cache gives back the first keys only",
        "cache.py",
        "self.keys.narrow(2, 0, self.length)",
        "self.keys.narrow(2, 0, k.shape[2])",
    ),
    Mutation(
        "the cache is written from the start",
        "cache.py",
        "self.keys.narrow(2, self.length, k",
        "self.keys.narrow(2, 0, k",
    ),
    Mutation("cached values are the keys", "cache.py", "copy_(v)", "copy_(k)"),
]

SAMPLING = [
    Mutation(
        "temperature multiplies",
        "sampling.py",
        "scaled = logits / temperature",
        "scaled = logits * temperature",
    ),
    Mutation(
        "temperature is not read",
        "sampling.py",
        "scaled = logits / temperature",
        "scaled = logits / 1",
    ),
    Mutation(
        "temperature 0 keeps two",
        "sampling.py",
        "return top_k_filter(logits, 1)",
        "return top_k_filter(logits, 2)",
    ),
    Mutation("temperature 0 draws", "sampling.py", "return logits.argmax(-1)", "temperature = 1.0"),
    Mutation(
        "top-k keeps one too many", "sampling.py", "ranking[..., k:]", "ranking[..., k + 1 :]"
    ),
    Mutation("top-k removes the highest", "sampling.py", "ranking[..., k:]", "ranking[..., :k]"),
    Mutation(
        "top-k keeps all ties",
        "sampling.py",
        "logits.scatter(-1, ranking[..., k:], -torch.inf)",
        "logits.masked_fill(logits < logits.sort().values[..., -k:][..., :1], -torch.inf)",
    ),
    Mutation("top-p keeps one too many", "sampling.py", "mass_before >= p", "mass_before > p"),
    Mutation(
        "top-p loses the last one",
        "sampling.py",
        "mass_before = probabilities.cumsum(-1) - probabilities",
        "mass_before = probabilities.cumsum(-1)",
    ),
    Mutation(
        "top-p is not put back in order",
        "sampling.py",
        "removed.scatter(-1, ranking, mass_before >= p)",
        "mass_before >= p",
    ),
    Mutation(
        "top-p ranks by the first row",
        "sampling.py",
        "removed.scatter(-1, ranking, mass_before >= p)",
        "removed.scatter(-1, ranking[:1].expand_as(ranking), mass_before >= p)",
    ),
    Mutation(
        "top-p keeps what it should remove",
        "sampling.py",
        "masked_fill(removed, -torch.inf)",
        "masked_fill(~removed, -torch.inf)",
    ),
    Mutation(
        "top-k is not used",
        "sampling.py",
        "logits = top_k_filter(logits, top_k)",
        "logits = logits.clone()",
    ),
    Mutation(
        "top-p is not used",
        "sampling.py",
        "logits = top_p_filter(logits, top_p)",
        "logits = logits.clone()",
    ),
    Mutation(
        "the generator is not used",
        "sampling.py",
        ".softmax(-1), 1, generator=generator)",
        ".softmax(-1), 1)",
    ),
    Mutation("generate leaves eval mode on", "sampling.py", "module.training = mode", "pass"),
    Mutation(
        "generate restores one mode for all",
        "sampling.py",
        "module.training = mode",
        "module.training = modes[0][1]",
    ),
    Mutation("generate does not turn dropout off", "sampling.py", "    model.eval()\n", ""),
    Mutation("ended rows go on", "sampling.py", "ids[ended, end] = eos_token_id", "pass"),
    Mutation(
        "the end of text is not seen",
        "sampling.py",
        "ended | (ids[:, end] == eos_token_id)",
        "ended",
    ),
    Mutation("one ended row ends all", "sampling.py", "ended.all()", "ended.any()"),
    Mutation("the last token is cut off", "sampling.py", "ids[:, : end + 1]", "ids[:, :end]"),
    Mutation(
        "generation does not read the mask",
        "sampling.py",
        "known = mask[:, :end] if is_prompt else None",
        "known = None",
    ),
    Mutation(
        "the window is one too short",
        "sampling.py",
        "window = ids[:, -n_positions:]",
        "window = ids[:, -n_positions + 1 :]",
    ),
    Mutation(
        "the cache is used beyond the window",
        "sampling.py",
        "if cache is None or ids.shape[1] > n_positions:",
        "if cache is None:",
    ),
    Mutation(
        "right padding is accepted",
        "sampling.py",
        "if not mask[:, -1].all()",
        "if not mask[:, 0].any()",
    ),
]

MEMORY = [
    Mutation(
        "mixed precision keeps no master copy",
        "memory.py",
        '"mixed": (2, 2, 4, 4, 4)',
        '"mixed": (2, 2, 0, 4, 4)',
    ),
    Mutation(
        "16-bit weights under autocast",
        "memory.py",
        '"autocast": (4, 4, 0, 4, 4)',
        '"autocast": (2, 2, 4, 4, 4)',
    ),
    Mutation(
        "zero1 shares the gradients",
        "memory.py",
        '"zero1": STATES[2:]',
        '"zero1": STATES[1:]',
    ),
    Mutation(
        "fsdp does not share the weights",
        "memory.py",
        '"fsdp": STATES}',
        '"fsdp": STATES[1:]}',
    ),
    Mutation(
        "a share is rounded down",
        "memory.py",
        "-(-n_parameters // n_gpus)",
        "n_parameters // n_gpus",
    ),
    Mutation(
        "a ring has as many steps as GPUs",
        "memory.py",
        "(n_gpus - 1) * share_of",
        "n_gpus * share_of",
    ),
    Mutation(
        "an all-reduce goes round the ring once",
        "memory.py",
        'gradients": 2 * once',
        'gradients": once',
    ),
    Mutation(
        "fsdp keeps the weights after the forward pass",
        "memory.py",
        '            "all-gather weights, backward": once,\n',
        "",
    ),
    Mutation(
        "attention keeps nothing for the softmax",
        "memory.py",
        "2 * config.key_width + config.n_head)",
        "2 * config.key_width)",
    ),
    Mutation(
        "relu keeps its input too",
        "memory.py",
        '1 if config.activation == "relu" else 2',
        "2",
    ),
    Mutation(
        "norms keep no statistics",
        "memory.py",
        "norm = stream + 2 * FLOAT * rows",
        "norm = stream",
    ),
    Mutation(
        "the last token has a target",
        "memory.py",
        "n_targets = batch_size * (n_tokens - 1)",
        "n_targets = batch_size * n_tokens",
    ),
    Mutation(
        "targets are always a copy",
        "memory.py",
        "0 if is_view else INTEGER",
        "INTEGER",
    ),
    Mutation(
        "the layers are counted once",
        "memory.py",
        "config.n_layer * count for",
        "count for",
    ),
    Mutation(
        "only the view is counted, not its memory",
        "trace.py",
        "kept.update(storages_of([tensor]))",
        "kept[id(tensor)] = tensor",
    ),
    Mutation(
        "what was saved is never freed",
        "trace.py",
        "return tensor.detach()",
        "return tensor",
    ),
    Mutation(
        "excluded tensors are counted",
        "trace.py",
        " if key not in left_out",
        "",
    ),
]

NGRAMS = [
    Mutation(
        "the range of a context ends one key early",
        "ngrams.py",
        "torch.searchsorted(keys, low + self.vocab_size) - first",
        "torch.searchsorted(keys, low + self.vocab_size - 1) - first",
    ),
    Mutation(
        "the range of a context begins one key late",
        "ngrams.py",
        "first = torch.searchsorted(keys, low)  # (B,)",
        "first = torch.searchsorted(keys, low, right=True)  # (B,)",
    ),
    Mutation(
        "a run counts as its neighbour does",
        "ngrams.py",
        "counts_before[place + 1] - counts_before[place]",
        "counts_before[place] - counts_before[place - 1]",
    ),
    Mutation(
        "different runs are counted, not runs",
        "ngrams.py",
        "return counts_before[last] - counts_before[first]",
        "return last - first",
    ),
    Mutation(
        "runs are not in order", "ngrams.py", "ordered = keys.sort().values", "ordered = keys"
    ),
    Mutation(
        "the digits of a key are added up",
        "ngrams.py",
        "keys = keys * vocab_size + tokens[",
        "keys = keys + tokens[",
    ),
    Mutation(
        "scores are not smoothed",
        "ngrams.py",
        "(seen + self.strength * shorter) / (total + self.strength)",
        "seen / total.clamp(min=1)",
    ),
    Mutation(
        "scores fall back on the uniform distribution",
        "ngrams.py",
        "self.strength * shorter)",
        "self.strength / self.vocab_size)",
    ),
    Mutation(
        "the total of a context lacks the prior",
        "ngrams.py",
        "/ (total + self.strength)  # (B, N)",
        "/ total.clamp(min=1)  # (B, N)",
    ),
    Mutation(
        "logits are those of one order less",
        "ngrams.py",
        "min(self.order, ids.shape[1] + 1) + 1",
        "min(self.order, ids.shape[1] + 1)",
    ),
    Mutation(
        "scores are those of one order less",
        "ngrams.py",
        "min(self.order, rows.shape[1]) + 1",
        "min(self.order, rows.shape[1])",
    ),
    Mutation(
        "the context is the first, not the last, tokens",
        "ngrams.py",
        "ids[:, ids.shape[1] - (n - 1) :]",
        "ids[:, : n - 1]",
    ),
    Mutation(
        "generation reads too short a context",
        "ngrams.py",
        "max(end - self.order, 0)",
        "max(end - self.order + 2, 0)",
    ),
    Mutation(
        "the first token is scored too",
        "ngrams.py",
        "probabilities[:, 1:].log()",
        "probabilities.log()",
    ),
    Mutation(
        "n-grams sample without the generator",
        "ngrams.py",
        "temperature, generator=generator)",
        "temperature)",
    ),
    Mutation(
        "a key of 2**63 is accepted", "ngrams.py", "LARGEST_KEY = 2**63 - 1", "LARGEST_KEY = 2**66"
    ),
]

SYNTAX = [
    Mutation("a cut function may be wrong anywhere", "syntax.py", "is_incomplete(rest) and ", ""),
    Mutation("no statement need be complete", "syntax.py", " and has_statement(lines)", ""),
    Mutation("all lines must parse", "syntax.py", "len(lines), 0, -1", "len(lines), 2, -9999"),
    Mutation(
        "a finished function is treated as cut",
        "syntax.py",
        "        if finished:\n",
        "        if not source:\n",
    ),
    Mutation(
        "a function may lack a line", "syntax.py", "lines[:number]) + ", "lines[: number - 1]) + "
    ),
    Mutation(
        "a closing bracket ends a function",
        "syntax.py",
        " and not line.startswith(CLOSING_BRACKETS)",
        "",
    ),
    Mutation(
        "a blank line ends a function",
        "syntax.py",
        "line.strip() and not line[0].isspace()",
        "not line[:1].isspace()",
    ),
    Mutation(
        "the line of the cut is kept",
        "syntax.py",
        'source.split("\\n")[:-1]]',
        'source.split("\\n")]',
    ),
    Mutation(
        "a continued line is kept in part",
        "syntax.py",
        "lines[-1].endswith(",
        "lines[-1].startswith(",
    ),
    Mutation("two functions are one", "syntax.py", "len(body) == 1 and isinstance", "isinstance"),
    Mutation(
        "what is too deep raises",
        "syntax.py",
        "ValueError, RecursionError, MemoryError, ",
        "ValueError, ",
    ),
    Mutation("null bytes raise", "syntax.py", "(SyntaxError, ValueError, ", "(SyntaxError, "),
    Mutation(
        "warnings about samples are shown",
        "syntax.py",
        '        warnings.simplefilter("ignore")  # sampled',
        "        pass  # sampled",
    ),
    Mutation(
        "methods keep their indentation", "syntax.py", "line.removeprefix(indentation)", "line"
    ),
]

MODERN = [
    Mutation(
        "pairs are sheared, not rotated",
        "variants/rotary.py",
        "second, sines, value=-1)",
        "second, sines)",
    ),
    Mutation(
        "pairs turn backwards",
        "variants/rotary.py",
        "return angles.cos(), angles.sin()",
        "return angles.cos(), -angles.sin()",
    ),
    Mutation(
        "pairs are neighbours",
        "variants/rotary.py",
        "first, second, rest = x.tensor_split((n_pairs, 2 * n_pairs), dim=-1)",
        "first, second, rest = x[..., ::2], x[..., 1::2], x[..., :0]",
    ),
    Mutation(
        "pairs turn at the root of their frequencies",
        "variants/rotary.py",
        "-2 * pairs",
        "-pairs",
    ),
    Mutation("a rotation changes the dtype", "variants/rotary.py", ".type_as(x)", ""),
    Mutation(
        "queries are not normalised",
        "variants/modern.py",
        "rotate(self.qk_norm(q), rotation)",
        "rotate(q, rotation)",
    ),
    Mutation(
        "keys are not normalised",
        "variants/modern.py",
        "rotate(self.qk_norm(k), rotation)",
        "rotate(k, rotation)",
    ),
    Mutation(
        "queries are not rotated",
        "variants/modern.py",
        "rotate(self.qk_norm(q), rotation)",
        "self.qk_norm(q)",
    ),
    Mutation(
        "queries and keys are centred",
        "variants/modern.py",
        "rms_norm(config.head_width, eps=config.layer_norm_epsilon)",
        "nn.LayerNorm(config.head_width, config.layer_norm_epsilon, False)",
    ),
    Mutation(
        "keys are rotated after the cache, by their place in it",
        "variants/rotary.py",
        """        q, k = self.turned(q, k, rotation)
        if cache is not None:
            k, v = cache.append(k, v)  # (B, G, S, D)
""",
        """        q = self.turned(q, k, rotation)[0]
        if cache is not None:
            k, v = cache.append(k, v)  # (B, G, S, D)
        places = torch.arange(k.shape[2])[None]
        k = self.turned(k, k, rotary_angles(places, k.shape[3]))[1]
""",
    ),
    Mutation(
        "modern attention does not read the padding",
        "variants/rotary.py",
        "self.attend(q, k, v, padding)",
        "self.attend(q, k, v)",
    ),
    Mutation(
        "given positions are not used",
        "model.py",
        "if position_ids is None:",
        "if True:",
    ),
    Mutation(
        "relu is not squared",
        "variants/modern.py",
        "F.relu(self.c_fc(x)).square()",
        "F.relu(self.c_fc(x))",
    ),
    Mutation(
        "the gate and what it gates are exchanged",
        "variants/mlps.py",
        "self.activation(gate) * x",
        "self.activation(x) * gate",
    ),
    Mutation(
        "attention reads the stream without a norm",
        "variants/rotary.py",
        "self.attn(self.ln_1(x), rotation",
        "self.attn(x, rotation",
    ),
    Mutation(
        "the MLP reads the stream without a norm",
        "variants/rotary.py",
        "self.mlp(self.ln_2(x))",
        "self.mlp(x)",
    ),
    Mutation(
        "there is no modern final norm",
        "variants/rotary.py",
        "self.ln_f = norm(config.n_embd, eps=config.layer_norm_epsilon)",
        "self.ln_f = nn.Identity()",
    ),
    Mutation(
        "norms have gains",
        "variants/modern.py",
        "elementwise_affine=False",
        "elementwise_affine=True",
    ),
    Mutation(
        "the epsilon of the config is not used",
        "variants/modern.py",
        "eps=eps",
        "eps=1e-5",
    ),
    Mutation(
        "the attention has biases",
        "variants/rotary.py",
        "query_width + 2 * config.key_width, bias=bias",
        "query_width + 2 * config.key_width",
    ),
    Mutation(
        "blocks change the stream at first",
        "variants/modern.py",
        "init_weights(self, config.initializer_range, residual_std=0)",
        "init_weights(self, config.initializer_range, residual_std=0.02)",
    ),
    Mutation(
        "the table of positions is left",
        "variants/rotary.py",
        "del self.wpe, self.drop",
        "del self.drop",
    ),
    Mutation(
        "the modern head is tied",
        "variants/rotary.py",
        "        self.lm_head = nn.Linear(config.n_embd, config.vocab_size, bias=bias)\n",
        "",
    ),
    Mutation("dropout is accepted", "variants/rotary.py", "if config.dropout:", "if False:"),
]

FAMILIES = [
    Mutation(
        "the rest of a head turns too",
        "variants/rotary.py",
        "torch.cat([turned_first, turned_second, rest], dim=-1)",
        "torch.cat([turned_first, turned_second, -rest], dim=-1)",
    ),
    Mutation(
        "neighbours that turned stay in the order of halves",
        "variants/rotary.py",
        "rotation)[..., order.argsort()]",
        "rotation)",
    ),
    Mutation("a stretch is not used", "variants/rotary.py", "if stretch is not None", "if False"),
    Mutation("the base is that of RoPE", "variants/rotary.py", "= base **", "= BASE **"),
    Mutation(
        "heads are as wide as C / H",
        "variants/rotary.py",
        "config.n_head * config.head_width",
        "config.n_embd",
    ),
    Mutation(
        "a head never has a bias",
        "variants/rotary.py",
        "config.vocab_size, bias=bias)",
        "config.vocab_size, bias=False)",
    ),
    Mutation(
        "a rotation may be wider than a head",
        "variants/rotary.py",
        " or 2 * n_pairs > width",
        "",
    ),
    Mutation("experts are not weighted", "variants/mlps.py", " * shares[rows, places, None]", ""),
    Mutation(
        "the softmax is over all experts",
        "variants/mlps.py",
        "return scores.softmax(-1), chosen",
        "return self.router(tokens).softmax(-1).gather(-1, chosen), chosen",
    ),
    Mutation(
        "every token uses one expert more",
        "variants/mlps.py",
        "topk(self.n_chosen,",
        "topk(min(self.n_chosen + 1, len(self.experts)),",
    ),
    Mutation(
        "experts that are used rarely are used least",
        "variants/mlps.py",
        "dim=-1)  # (N, K)\n        return",
        "dim=-1, largest=False)  # (N, K)\n        return",
    ),
    Mutation(
        "more experts are chosen than there are",
        "variants/mlps.py",
        "if config.n_chosen > config.n_experts:",
        "if False:",
    ),
    Mutation("the other layers are banded", "variants/gpt3.py", "self.h[1::2]", "self.h[::2]"),
    Mutation("every layer is banded", "variants/gpt3.py", "self.h[1::2]", "self.h"),
    Mutation(
        "the window of a layer is one token longer",
        "variants/gpt3.py",
        "window=window)",
        "window=window + 1)",
    ),
    Mutation(
        "a window may be no number of tokens",
        "variants/gpt3.py",
        'check_positive_integer("window", self.window)',
        "pass",
    ),
    Mutation(
        "a layer of Gemma 3 with a window turns as one without",
        "variants/gemma3.py",
        "block.attn.reads_all = False",
        "pass",
    ),
    Mutation("scores of GPT-Neo are scaled", "variants/gpt_neo.py", "q * q.shape[-1] ** 0.5", "q"),
    Mutation(
        "GPT-Neo has biases of queries",
        "variants/gpt_neo.py",
        "2 * config.key_width, bias=False",
        "2 * config.key_width",
    ),
    Mutation(
        "the MLP of GPT-J reads what attention added",
        "variants/gpt_j.py",
        "return x + self.attn(y, rotation, padding, cache) + self.mlp(y)",
        "x = x + self.attn(y, rotation, padding, cache)\n        return x + self.mlp(self.ln_1(x))",
    ),
    Mutation(
        "GPT-J turns halves",
        "variants/gpt_j.py",
        "return rotate_neighbours(q, rotation), rotate_neighbours(k, rotation)",
        "return super().turned(q, k, rotation)",
    ),
    Mutation(
        "GPT-J turns all columns",
        "variants/gpt_j.py",
        "self.config.rotary_width or self.config.head_width)",
        "self.config.head_width)",
    ),
    Mutation(
        "GPT-NeoX is always parallel",
        "variants/gpt_neox.py",
        "x if self.parallel else y",
        "x",
    ),
    Mutation(
        "GPT-NeoX is never parallel",
        "variants/gpt_neox.py",
        "x if self.parallel else y",
        "y",
    ),
    Mutation(
        "attention and MLP of GPT-NeoX share a norm",
        "variants/gpt_neox.py",
        "self.ln_2(x if",
        "self.ln_1(x if",
    ),
    Mutation(
        "Llama's frequencies are kept",
        "variants/llama.py",
        "(1 - kept) / self.config.stretch)",
        "(1 - kept))",
    ),
    Mutation(
        "Llama keeps what turned twice", "variants/llama.py", "(turns - 1) / (4 - 1)", "turns - 1"
    ),
    Mutation(
        "turns are counted in radians", "variants/llama.py", " / (2 * math.pi)  # (P,)", "  # (P,)"
    ),
    Mutation(
        "a Llama never has experts",
        "variants/llama.py",
        "if config.n_experts is None else",
        "if True else",
    ),
    Mutation(
        "queries of Qwen2.5 have no bias",
        "variants/qwen2.py",
        "self.c_attn.out_features)",
        "self.c_attn.out_features, bias=False)",
    ),
    Mutation(
        "the projection of Qwen2.5 has a bias",
        "variants/qwen2.py",
        "super().__init__(config, attend)\n        self.c_attn",
        "super().__init__(config, attend, bias=True)\n        self.c_attn",
    ),
    Mutation(
        "attention of OLMo 2 reads a normalised stream",
        "variants/olmo2.py",
        "self.ln_1(self.attn(x, rotation, padding, cache))",
        "self.attn(self.ln_1(x), rotation, padding, cache)",
    ),
    Mutation(
        "OLMo 2 normalises the sum",
        "variants/olmo2.py",
        "return x + self.ln_2(self.mlp(x))",
        "return self.ln_2(x + self.mlp(x))",
    ),
    Mutation(
        "each head of OLMo 2 is normalised with the next position",
        "variants/olmo2.py",
        "x.transpose(1, 2).flatten(2), x.shape[1]",
        "x.flatten(1, 2).unflatten(1, (x.shape[2], -1)).flatten(2), x.shape[1]",
    ),
    Mutation(
        "keys of OLMo 2 are not normalised",
        "variants/olmo2.py",
        "normalised_together(k, self.k_norm)",
        "k",
    ),
    Mutation(
        "scores of Gemma 2 are not capped",
        "variants/gemma2.py",
        "scores = capped(scores, SCORE_CAP)",
        "scores = scores * 1",
    ),
    Mutation(
        "what is capped does not keep its slope",
        "variants/gemma2.py",
        "return cap * (x / cap).tanh()",
        "return cap * x.tanh()",
    ),
    Mutation(
        "logits of Gemma 2 are not capped",
        "variants/gemma2.py",
        "capped(super().forward(hidden), LOGIT_CAP)",
        "super().forward(hidden)",
    ),
    Mutation(
        "queries of Gemma 2 are scaled by the width",
        "variants/gemma2.py",
        "q * (q.shape[-1] / score_width) ** 0.5",
        "q",
    ),
    Mutation(
        "embeddings of Gemma are not scaled",
        "variants/gemma2.py",
        "x * self.config.n_embd**0.5, rotation",
        "x, rotation",
    ),
    Mutation(
        "Gemma adds what is not normalised",
        "variants/gemma2.py",
        "self.ln_2_out(self.mlp(self.ln_2(x)))",
        "self.mlp(self.ln_2(x))",
    ),
    Mutation(
        "the other layers of Gemma 2 read a window",
        "variants/gemma2.py",
        "return self.h[::2]",
        "return self.h[1::2]",
    ),
    Mutation(
        "the gate of Gemma is GELU by erf",
        "variants/mlps.py",
        'ACTIVATIONS["gelu"]',
        'ACTIVATIONS["gelu_erf"]',
    ),
    Mutation(
        "every layer of Gemma 3 turns as one with a window",
        "variants/gemma3.py",
        "far if self.reads_all else near",
        "near",
    ),
    Mutation(
        "Gemma 3 is not stretched",
        "variants/gemma3.py",
        "return frequencies / self.config.stretch",
        "return frequencies * 1",
    ),
    Mutation(
        "four layers of Gemma 3 read a window, then one all",
        "variants/gemma3.py",
        "PERIOD = 6",
        "PERIOD = 5",
    ),
    Mutation(
        "scores of Gemma 3 are scaled by the width",
        "variants/gemma3.py",
        "return scaled_queries(q, self.score_width), k",
        "return q, k",
    ),
    Mutation(
        "queries and keys of Qwen3 share a norm",
        "variants/qwen3.py",
        "rotate(self.k_norm(k), rotation)",
        "rotate(self.q_norm(k), rotation)",
    ),
    Mutation(
        "Qwen3 turns before it normalises",
        "variants/qwen3.py",
        "rotate(self.q_norm(q), rotation)",
        "self.q_norm(rotate(q, rotation))",
    ),
    Mutation(
        "a sink reads the first key",
        "variants/sinks.py",
        ".softmax(-1)[..., :-1]",
        ".softmax(-1)[..., 1:]",
    ),
    Mutation(
        "a sink takes no weight",
        "variants/sinks.py",
        "if sinks is None:",
        "if True:",
    ),
    Mutation("the gate has no limit", "variants/gpt_oss.py", "gate.clamp(max=LIMIT)", "gate"),
    Mutation(
        "the gate is limited below",
        "variants/gpt_oss.py",
        "gate.clamp(max=LIMIT)",
        "gate.clamp(-LIMIT, LIMIT)",
    ),
    Mutation(
        "what is gated is not 1 more",
        "variants/gpt_oss.py",
        "x.clamp(-LIMIT, LIMIT) + 1",
        "x.clamp(-LIMIT, LIMIT)",
    ),
    Mutation(
        "what is gated is limited after 1 is added",
        "variants/gpt_oss.py",
        "x.clamp(-LIMIT, LIMIT) + 1",
        "(x + 1).clamp(-LIMIT, LIMIT)",
    ),
    Mutation(
        "the gate is a plain swish",
        "variants/gpt_oss.py",
        "(ALPHA * gate).sigmoid()",
        "gate.sigmoid()",
    ),
    Mutation(
        "the other layers of gpt-oss read a window",
        "variants/gpt_oss.py",
        "narrow_layers(self.h[::2]",
        "narrow_layers(self.h[1::2]",
    ),
    Mutation(
        "scores do not grow with the stretch",
        "variants/gpt_oss.py",
        "length = sharpening(self.config.stretch)",
        "length = 1",
    ),
    Mutation(
        "gpt-oss keeps frequencies as Llama does",
        "variants/gpt_oss.py",
        "(turns.log() / math.log(32))",
        "((turns - 1) / (32 - 1))",
    ),
    Mutation(
        "the router of gpt-oss has no bias",
        "variants/gpt_oss.py",
        "GPTOSSMLP, bias=True)",
        "GPTOSSMLP)",
    ),
    Mutation(
        "a cache of latents keeps their keys as wide as the latent",
        "cache.py",
        "x.new_empty(*x.shape[:2], self.n_positions, x.shape[3]) for x in (k, v)",
        "k.new_empty(*k.shape[:2], self.n_positions, k.shape[3]) for _ in (k, v)",
    ),
    Mutation(
        "a cache of latents is counted as keys and values",
        "variants/costs.py",
        "sum(model.config.cached_widths)",
        "2 * model.config.head_width",
    ),
    Mutation(
        "DeepSeek's latent of queries is not normalised",
        "variants/latent.py",
        "self.q_norm(self.q_down(x))",
        "self.q_down(x)",
    ),
    Mutation(
        "DeepSeek's latent of keys is not normalised",
        "variants/latent.py",
        "latent = self.kv_norm(latent)",
        "latent = 1 * latent",
    ),
    Mutation(
        "DeepSeek's cached key is not turned",
        "variants/latent.py",
        "return latent, rotate_neighbours(turning, rotation)",
        "return latent, turning",
    ),
    Mutation(
        "DeepSeek's queries are not turned",
        "variants/latent.py",
        "torch.cat([plain, rotate_neighbours(turning, rotation)], dim=-1)",
        "torch.cat([plain, turning], dim=-1)",
    ),
    Mutation(
        "the key that turns comes first",
        "variants/latent.py",
        "torch.cat([plain, turned], dim=-1)",
        "torch.cat([turned, plain], dim=-1)",
    ),
    Mutation(
        "DeepSeek's scores grow by the length, not by its square",
        "variants/latent.py",
        "sharpening(config.stretch) ** 2",
        "sharpening(config.stretch)",
    ),
    Mutation(
        "DeepSeek's queries are not sharpened",
        "variants/latent.py",
        "return self.sharpness * q",
        "return 1 * q",
    ),
    Mutation(
        "values are filled up at their beginning",
        "variants/latent.py",
        "F.pad(v, (0, k.shape[-1] - v.shape[-1]))",
        "F.pad(v, (k.shape[-1] - v.shape[-1], 0))",
    ),
    Mutation(
        "DeepSeek's shared expert is left out",
        "variants/deepseek3.py",
        "super().forward(x) + self.shared(x)",
        "super().forward(x)",
    ),
    Mutation(
        "DeepSeek's router is a softmax",
        "variants/deepseek3.py",
        "self.router.weight).sigmoid()",
        "self.router.weight).softmax(-1)",
    ),
    Mutation(
        "the bias that balances weighs too",
        "variants/deepseek3.py",
        "self.router.weight).sigmoid()",
        "self.router.weight).sigmoid() + self.router.bias",
    ),
    Mutation(
        "the bias that balances does not choose",
        "variants/deepseek3.py",
        "scores.detach() + self.router.bias",
        "scores.detach()",
    ),
    Mutation(
        "the bias that balances learns by the gradient",
        "variants/deepseek3.py",
        "self.router.bias.requires_grad_(False)",
        "self.router.bias.requires_grad_(True)",
    ),
    Mutation(
        "shares are not scaled",
        "variants/deepseek3.py",
        "self.share_scale * shares / shares.sum",
        "shares / shares.sum",
    ),
    Mutation(
        "shares are not normalised",
        "variants/deepseek3.py",
        "self.share_scale * shares / shares.sum(-1, keepdim=True)",
        "self.share_scale * shares",
    ),
    Mutation(
        "experts of any group are chosen",
        "variants/deepseek3.py",
        "allowed = self.in_best_groups(scores.detach() + self.router.bias)",
        "allowed = scores.detach() + self.router.bias",
    ),
    Mutation(
        "a group is as good as its best expert",
        "variants/deepseek3.py",
        "grouped.topk(2, dim=-1)",
        "grouped.topk(1, dim=-1)",
    ),
    Mutation(
        "neighbouring experts are in different groups",
        "variants/deepseek3.py",
        "grouped = scores.unflatten(1, (n_groups, -1))",
        "grouped = scores.unflatten(1, (-1, n_groups)).mT",
    ),
    Mutation(
        "the last layers are dense",
        "variants/deepseek3.py",
        "self.h[: config.n_dense]",
        "self.h[-config.n_dense :]",
    ),
    Mutation(
        "dense layers of DeepSeek are drawn as by torch",
        "variants/deepseek3.py",
        "init_weights(block.mlp, std, residual_std=std / (2 * config.n_layer) ** 0.5)",
        "block.mlp",
    ),
    Mutation(
        "DeepSeek turns by the width of a whole head",
        "variants/deepseek3.py",
        "width, base = self.config.rotary_width",
        "width, base = self.config.head_width",
    ),
    Mutation(
        "one more pair of DeepSeek is slowed down",
        "variants/deepseek3.py",
        "((turns >= 32).sum() - 1)",
        "((turns >= 32).sum() - 2)",
    ),
    Mutation(
        "one pair fewer of DeepSeek is kept in part",
        "variants/deepseek3.py",
        ", (turns > 1).sum()",
        ", (turns > 1).sum() - 1",
    ),
    Mutation(
        "values may be wider than keys",
        "variants/latent.py",
        "config.value_width > config.head_width",
        "config.value_width > 2 * config.head_width",
    ),
    Mutation(
        "PLaMo's heads in a row share a key",
        "variants/plamo.py",
        "in_rows = dealt(q, n_groups)",
        "in_rows = 1 * q",
    ),
    Mutation(
        "PLaMo's heads are not put back",
        "variants/plamo.py",
        "return dealt(y, q.shape[1] // n_groups)",
        "return 1 * y",
    ),
    Mutation(
        "PLaMo's heads are put back by the number of groups",
        "variants/plamo.py",
        "return dealt(y, q.shape[1] // n_groups)",
        "return dealt(y, n_groups)",
    ),
    Mutation(
        "PLaMo deals to as many piles as heads share a key",
        "variants/plamo.py",
        "in_rows = dealt(q, n_groups)",
        "in_rows = dealt(q, q.shape[1] // n_groups)",
    ),
    Mutation(
        "PLaMo's block is not parallel",
        "variants/plamo.py",
        "forward = GPTJBlock.forward",
        "forward = LlamaBlock.forward",
    ),
    Mutation(
        "a norm of PLaMo is left over",
        "variants/plamo.py",
        "        del self.ln_2",
        "        _ = self.ln_2",
    ),
    Mutation(
        "idle experts count",
        "variants/sizes.py",
        "return count_all(model) - idle",
        "return count_all(model)",
    ),
    Mutation(
        "the window of a layer is not recorded",
        "trace.py",
        "functools.partial(attend_and_record, **bound)",
        "lambda *args: attend_and_record(*args)",
    ),
]


TRAINING = [
    Mutation("the first step has a rate of 0", "training.py", "min(step + 1,", "min(step,"),
    Mutation(
        "the warm-up is left out",
        "training.py",
        "    if done <= warmup_steps:\n",
        "    if False:\n",
    ),
    Mutation(
        "the warm-up is one step longer",
        "training.py",
        "max_lr * done / warmup_steps",
        "max_lr * done / (warmup_steps + 1)",
    ),
    Mutation(
        "the cosine ignores the warm-up",
        "training.py",
        "(done - warmup_steps) / (total_steps - warmup_steps)",
        "done / total_steps",
    ),
    Mutation(
        "the cosine ends at 0",
        "training.py",
        "return min_lr + (max_lr - min_lr) * (1 + math.cos",
        "return max_lr * (1 + math.cos",
    ),
    Mutation("the cosine is a whole wave", "training.py", "math.pi *", "2 * math.pi *"),
    Mutation(
        "the rate rises again after the end",
        "training.py",
        "min(step + 1, total_steps)",
        "step + 1",
    ),
    Mutation(
        "wsd ends at 0",
        "training.py",
        "return min_lr + (max_lr - min_lr) * (total_steps",
        "return max_lr * (total_steps",
    ),
    Mutation(
        "wsd cools down one step too late",
        "training.py",
        "if done <= total_steps - cooldown_steps:",
        "if done <= total_steps - cooldown_steps + 1:",
    ),
    Mutation("biases decay", "training.py", "weight.ndim >= 2 and", "parameter.ndim >= 1 and"),
    Mutation(
        "embeddings never decay",
        "training.py",
        "(decay_embeddings or weight not in embeddings)",
        "(parameter not in embeddings)",
    ),
    Mutation(
        "the tied weight is there twice",
        "training.py",
        "for weight in (weight for weight in model.parameters()",
        "for weight in (weight for weight in [*model.parameters(), model.lm_head.weight]",
    ),
    Mutation(
        "nothing decays", "training.py", '"weight_decay": weight_decay}', '"weight_decay": 0.0}'
    ),
    Mutation(
        "Muon gets the embeddings", "training.py", "model.transformer.h.p", "model.transformer.p"
    ),
    Mutation("the epsilon of the settings is dropped", "training.py", " eps=settings.epsilon,", ""),
    Mutation("the betas of the settings are dropped", "training.py", " betas=settings.betas,", ""),
    Mutation(
        "every optimizer has the rate of AdamW", "training.py", 'lr * group["lr_ratio"]', "lr"
    ),
    Mutation(
        "gradients are clipped after the step",
        "training.py",
        """        norm = self.clip()
        if not self.scaler""",
        """        for optimizer in self.optimizers:
            self.scaler.step(optimizer)
        norm = self.clip()
        if not self.scaler""",
    ),
    Mutation(
        "the norm is that after clipping",
        "training.py",
        "return distributed.whole(norm).item()",
        "return nn.utils.get_total_norm([w.grad for w in self.raw.parameters()]).item()",
    ),
    Mutation(
        "gradients are never clipped",
        "training.py",
        "math.inf if longest is None else longest",
        "math.inf",
    ),
    Mutation(
        "gradients are clipped before they are unscaled",
        "training.py",
        "self.scaler.unscale_(optimizer)",
        "pass",
    ),
    Mutation(
        "the gradients of the passes add up",
        "training.py",
        "self.loss_of(self.model, ids) / len(passes)",
        "self.loss_of(self.model, ids)",
    ),
    Mutation("gradients add up from step to step", "training.py", "optimizer.zero_grad()", "pass"),
    Mutation(
        "dropout is the same in every step",
        "training.py",
        "self.settings.seed, number, distributed.rank())",
        "self.settings.seed, distributed.rank())",
    ),
    Mutation(
        "dropout does not depend on the seed",
        "training.py",
        "self.settings.seed, number, distributed.rank())",
        "number, distributed.rank())",
    ),
    Mutation(
        "the generator of the caller is seeded",
        "training.py",
        'with torch.random.fork_rng([device] if device.type == "cuda" else []):',
        "with contextlib.nullcontext():",
    ),
    Mutation("autocast is never on", "training.py", "enabled=dtype is not None", "enabled=False"),
    Mutation(
        "a loss that is not finite goes on",
        "training.py",
        'check_finite("loss", loss, number)',
        "pass",
    ),
    Mutation(
        "a gradient that is not finite reaches the weights",
        "training.py",
        'check_finite("gradient norm", norm, number)',
        "pass",
    ),
    Mutation(
        "an overflow skips one optimizer only",
        "training.py",
        "self.optimizers if math.isfinite(norm) else []",
        "self.optimizers",
    ),
    Mutation("the scale is never lowered", "training.py", "self.scaler.update()", "pass"),
    Mutation("tokens do not add up", "training.py", 'log[-1]["tokens"] if log else 0', "0"),
    Mutation(
        "the last step is not scored",
        "training.py",
        "held_out is not None and (is_last or row",
        "held_out is not None and (row",
    ),
    Mutation(
        "the last step is not saved",
        "training.py",
        "folder is not None and (is_last or row",
        "folder is not None and (row",
    ),
    Mutation(
        "a run that goes on begins its batches anew",
        "training.py",
        "trainer.step(step, batches[step])",
        "trainer.step(step, batches[step - steps.start])",
    ),
    Mutation(
        "states are not restored",
        "state.py",
        'self.owners[weight].state[weight][name.partition("/")[0]] = value',
        "pass",
    ),
    Mutation(
        "states are not saved", "state.py", "return self.weights | states", "return self.weights"
    ),
    Mutation(
        "the scale is not restored",
        "state.py",
        'self.scaler.load_state_dict(facts["scaler"])',
        "pass",
    ),
    Mutation(
        "another run's checkpoint is accepted",
        "state.py",
        'check_identity(path, facts.get("identity"), self.identity)',
        "pass",
    ),
    Mutation(
        "other data are accepted",
        "state.py",
        "hashlib.sha256(batches[0].numpy().tobytes()).hexdigest()",
        '""',
    ),
    Mutation("the log begins anew", "state.py", 'return facts["log"]', "return []"),
    Mutation(
        "states are checked after weights are copied",
        "state.py",
        "        check_shapes(named, shaped, path, partly=True)\n",
        "",
    ),
    Mutation(
        "the seal is not checked", "checkpoint.py", ".hexdigest() != seal:", ".hexdigest() is seal:"
    ),
    Mutation(
        "the seal replaces the first zeros", "checkpoint.py", """f'"sha256":"{seal}"'""", "seal"
    ),
    Mutation("the length is not checked", "checkpoint.py", "len(data) < length", "False"),
    Mutation(
        "the file is written in place",
        "checkpoint.py",
        'partial = path.with_name(path.name + ".partial")',
        "partial = path",
    ),
    Mutation(
        "the file is not flushed", "checkpoint.py", "os.fsync(file.fileno())", "file.fileno()"
    ),
    Mutation(
        "shapes are not checked",
        "checkpoint.py",
        "targets[name].shape != tensor.shape",
        "False",
    ),
    Mutation(
        "missing tensors are accepted", "checkpoint.py", "if missing or foreign:", "if foreign:"
    ),
    Mutation(
        "every epoch has one order",
        "batches.py",
        "default_rng([self.seed, epoch])",
        "default_rng([self.seed])",
    ),
    Mutation(
        "every seed has one order",
        "batches.py",
        "default_rng([self.seed, epoch])",
        "default_rng([0, epoch])",
    ),
    Mutation(
        "epochs begin at the first token",
        "batches.py",
        "* self.n_tokens + offset",
        "* self.n_tokens",
    ),
    Mutation(
        "windows are read in order",
        "batches.py",
        "chance.permutation(self.n_windows)",
        "np.arange(self.n_windows)",
    ),
    Mutation(
        "batches overlap",
        "batches.py",
        "order[index * self.batch_size :]",
        "order[index :]",
    ),
    Mutation(
        "windows run over the end", "batches.py", "(len(tokens) - n_tokens + 1)", "len(tokens)"
    ),
    Mutation(
        "fixed windows are the first ones",
        "batches.py",
        "torch.arange(wanted) * available // wanted",
        "torch.arange(wanted)",
    ),
    Mutation(
        "a small last batch counts as much as the others",
        "scoring.py",
        ".item() * len(ids)\n    return total / len(windows)",
        ".item() * batch_size\n    return total / len(windows)",
    ),
    Mutation("bits are nats", "scoring.py", " / math.log(2)", ""),
    Mutation(
        "tokens are scored in every window that holds them",
        "scoring.py",
        "losses[-fresh:].sum()",
        "losses.sum()",
    ),
    Mutation("windows do not overlap", "scoring.py", "+ stride, stride):", "+ stride, context):"),
    Mutation(
        "the end of a document is not scored",
        "scoring.py",
        "max(len(ids) - context, 0) + stride, stride)",
        "max(len(ids) - context, 0) + 1, stride)",
    ),
    Mutation(
        "weights beyond float16 are saved", "pretrained.py", "    if beyond:\n", "    if False:\n"
    ),
    Mutation(
        "a loaded model is in train mode",
        "pretrained.py",
        '(GPTConfig(**facts["config"])).eval()',
        '(GPTConfig(**facts["config"]))',
    ),
    Mutation(
        "a model with other parts is saved",
        "pretrained.py",
        '    check_shapes(rebuilt, dict(model.named_parameters()), f"this {kind}")\n',
        "",
    ),
    Mutation(
        "a merge may come before its parts",
        "data.py",
        "if len(pair) != 2 or not all(part in ids for part in pair):",
        "if len(pair) != 2:",
    ),
    Mutation("merges are in another order", "data.py", '["merges"]]', '["merges"][::-1]]'),
    Mutation(
        "every process reads the first rows",
        "distributed.py",
        "batch.chunk(n_parts)[rank() * n_passes :][:n_passes]",
        "batch.chunk(n_parts)[:n_passes]",
    ),
    Mutation(
        "ddp averages in no pass",
        "distributed.py",
        "contextlib.nullcontext() if is_last else model.no_sync()",
        "model.no_sync()",
    ),
    Mutation(
        "the loss is the sum over the processes",
        "distributed.py",
        "        value /= n_processes()\n",
        "",
    ),
    Mutation(
        "fsdp does not average in the last pass",
        "distributed.py",
        "model.set_requires_gradient_sync(is_last)",
        "model.set_requires_gradient_sync(False)",
    ),
    Mutation(
        "fsdp shards nothing",
        "distributed.py",
        'if strategy == "ddp":',
        "if True:",
    ),
    Mutation("an interrupted command exits with 1", "command.py", "return 130", "return 1"),
    Mutation("the command ignores its seed", "command.py", '        "seed": options.seed,\n', ""),
]

SCALING = [
    Mutation(
        "the printed 1.69 of Chinchilla's E is rounded on",
        "laws.py",
        "LossLaw(1.69, 406.4",
        "LossLaw(1.7, 406.4",
    ),
    Mutation("an exponent of the refit is wrong", "laws.py", "0.3478, 0.3658", "0.3658, 0.3478"),
    Mutation("a budget is 3ND", "laws.py", "FLOPS_PER_PARAMETER = 6", "FLOPS_PER_PARAMETER = 3"),
    Mutation(
        "a and b are swapped",
        "laws.py",
        "return self.beta / total, self.alpha / total",
        "return self.alpha / total, self.beta / total",
    ),
    Mutation("G is its inverse", "laws.py", "return ratio ** (1 /", "return ratio ** (-1 /"),
    Mutation(
        "Kaplan's table is read in FLOPs", "laws.py", "pf_days = flops / PF_DAY", "pf_days = flops"
    ),
    Mutation(
        "the joint law has the exponent of the size outside",
        "laws.py",
        "(by_size + by_data) ** self.tokens_exponent",
        "(by_size + by_data) ** self.params_exponent",
    ),
    Mutation(
        "the floor is inside the power",
        "laws.py",
        "self.floor + (by_size + by_data)",
        "(self.floor + by_size + by_data)",
    ),
    Mutation(
        "a joint optimum forgets the slope",
        "laws.py",
        "balance = self.ratio * self.params_scale",
        "balance = self.params_scale",
    ),
    Mutation("one positive amount is enough", "laws.py", "is_positive.all()", "is_positive.any()"),
    Mutation(
        "epochs count from 0", "constraints.py", "-(amount / unique - 1)", "-(amount / unique)"
    ),
    Mutation("repetitions never lose", "constraints.py", "if amount <= unique:", "if True:"),
    Mutation(
        "excess parameters keep their worth",
        "constraints.py",
        "worth(n_params, self.law.best_size(n_unique), self.params_decay)",
        "n_params",
    ),
    Mutation(
        "a token of use costs as much as one of training",
        "constraints.py",
        "n_inference_tokens / (3 * n_tokens)",
        "n_inference_tokens / n_tokens",
    ),
    Mutation(
        "training costs twice the forward pass of attention",
        "scaling.py",
        "half, full = 3 * square // 2, 3 * square",
        "half, full = 2 * square // 2, 2 * square",
    ),
    Mutation(
        "half the square is the whole",
        "scaling.py",
        "(square // 2 if causal else square)",
        "square",
    ),
    Mutation("every expert is active", "scaling.py", "n_active * n_per", "n_experts * n_per"),
    Mutation(
        "positions are counted by PaLM's formula",
        "scaling.py",
        "6 * (total - positions)",
        "6 * total",
    ),
    Mutation(
        "token embeddings are no embeddings",
        "scaling.py",
        ' - parts["wte"] - parts["wpe"]',
        ' - parts["wpe"]',
    ),
    Mutation("bytes are rounded down", "memory.py", "-int(-n_parameters *", "int(n_parameters *"),
    Mutation(
        "the objective is a mean",
        "fits.py",
        "abs(error) - delta / 2)).sum()",
        "abs(error) - delta / 2)).mean()",
    ),
    Mutation(
        "large errors count like small ones",
        "fits.py",
        "np.clip(error, -delta, delta)",
        "error",
    ),
    Mutation(
        "the grid is not searched", "fits.py", 'kind="stable")[:N_STARTS]', 'kind="stable")[-1:]'
    ),
    Mutation(
        "every sample is the same",
        "fits.py",
        "chance.integers(len(runs), size=len(runs))",
        "np.arange(len(runs)) + 0 * chance.integers(9)",
    ),
    Mutation(
        "a new run has no error of its own", "fits.py", " * chance.choice(errors) for", " for"
    ),
    Mutation("an interval is one-sided", "fits.py", "(1 - share) / 2, (1", "0, (1"),
    Mutation(
        "the floor has no gradient",
        "fits.py",
        "[above * slopes, rest[None]]",
        "[slopes, rest[None]]",
    ),
    Mutation(
        "a parabola is fitted to sizes", "isoflop.py", "np.log10(n_params)", "np.array(n_params)"
    ),
    Mutation("a maximum is a minimum", "isoflop.py", "if curvature <= 0:", "if curvature == 0:"),
    Mutation(
        "a run's schedule is not its own",
        "budgets.py",
        "total_steps=self.n_steps,",
        "total_steps=self.n_steps, schedule_steps=2 * self.n_steps,",
    ),
    Mutation(
        "repeated runs read the beginning of the corpus",
        "budgets.py",
        "tokens = fixed_windows(tokens, CONFIG.n_positions, n_windows).flatten()",
        "tokens = tokens[: n_windows * CONFIG.n_positions]",
    ),
    Mutation(
        "the seed is not the run's",
        "budgets.py",
        "torch.manual_seed(run.seed)",
        "torch.manual_seed(0)",
    ),
    Mutation("a run keeps no checkpoint", "budgets.py", "folder=folder)", "folder=None)"),
    Mutation("runs are done again", "sweep.py", "if run.key not in done", "if run.key"),
    Mutation(
        "repeated runs are fitted too",
        "prediction.py",
        'if row["purpose"] in purposes',
        "if purposes",
    ),
    Mutation(
        "what is foretold is known",
        "prediction.py",
        "known = law_runs([row for row in rows if row not in highest])",
        "known = law_runs(rows)",
    ),
    Mutation(
        "the worst form is chosen", "prediction.py", "chosen = min(errors", "chosen = max(errors"
    ),
    Mutation(
        "a known run is predicted",
        "prediction.py",
        'if any(row["purpose"] == "largest"',
        'if all(row["purpose"] == "largest"',
    ),
]

CHARTS = [
    Mutation(
        "T = 0 of the chart samples",
        "sampling_chart.py",
        "T == 0 ? (datum.rank == 1 ? 1 : 0) : exp",
        "T == 0 ? 1 : exp",
    ),
    Mutation(
        "the chart divides by no temperature",
        "sampling_chart.py",
        "exp((datum.data - highest) / T)",
        "exp(datum.data - highest)",
    ),
    Mutation(
        "the chart keeps one token more than k",
        "sampling_chart.py",
        '"datum.rank <= k ? datum.tempered : 0"',
        '"datum.rank <= k + 1 ? datum.tempered : 0"',
    ),
    Mutation(
        "top-p of the chart stops a token early",
        "sampling_chart.py",
        "(datum.reached - datum.weight) / datum.weight_sum < p",
        "datum.reached / datum.weight_sum < p",
    ),
    Mutation(
        "top-p of the chart comes before top-k",
        "sampling_chart.py",
        "(datum.reached - datum.weight) / datum.weight_sum",
        "(datum.reached - datum.weight) / datum.tempered_sum",
    ),
    Mutation(
        "the mass is a share of what top-k left",
        "sampling_chart.py",
        'mass="datum.kept_sum / datum.tempered_sum"',
        'mass="datum.kept_sum / datum.weight_sum"',
    ),
    Mutation(
        "equal logits stand from the highest id down",
        "sampling_chart.py",
        "(-values[token], token)",
        "(-values[token], -token)",
    ),
    Mutation(
        "-inf is drawn",
        "sampling_chart.py",
        "    if odd:\n",
        "    if False:\n",
    ),
    Mutation(
        "the chart counts steps from 1",
        "charts.py",
        'done="min(datum.step + 1, total_steps)"',
        'done="min(datum.step, total_steps)"',
    ),
    Mutation(
        "the rate of the chart rises after the end",
        "charts.py",
        'done="min(datum.step + 1, total_steps)"',
        'done="datum.step + 1"',
    ),
    Mutation(
        "the cosine of the chart is a whole wave",
        "charts.py",
        "cos(PI * (datum.done",
        "cos(2 * PI * (datum.done",
    ),
    Mutation(
        "the cosine of the chart begins at step 0",
        "charts.py",
        "(total_steps - warm))) / 2",
        "total_steps)) / 2",
    ),
    Mutation(
        "a long warm-up of the chart is not cut",
        "charts.py",
        '"min(warmup_steps, total_steps)"',
        '"warmup_steps"',
    ),
    Mutation(
        "the cool-down of the chart falls to 0",
        "charts.py",
        ": min_lr + (1 - min_lr) * (total_steps - datum.done) / cooldown",
        ": (total_steps - datum.done) / cooldown",
    ),
    Mutation(
        "the chart forgets the positions",
        "charts.py",
        "(V + T + 2) * C",
        "(V + 2) * C",
    ),
    Mutation(
        "the chart's layer keeps one stream less",
        "charts.py",
        "2 * norm + 6 * stream",
        "2 * norm + 5 * stream",
    ),
    Mutation(
        "targets of one row take memory in the chart",
        "charts.py",
        "B == 1 || T == 2 ? 0 :",
        "T == 2 ? 0 :",
    ),
    Mutation(
        "the chart's cache forgets the batch",
        "charts.py",
        "2 * L * C * T * B *",
        "2 * L * C * T *",
    ),
    Mutation(
        "the optimiser of the chart has no master copy",
        "charts.py",
        "sum(row[2:])]",
        "sum(row[3:])]",
    ),
    Mutation(
        "the curve of the loss reads C / N tokens",
        "charts.py",
        'f"(C / ({FLOPS_PER_PARAMETER} * {n_params}))"',
        'f"(C / {n_params})"',
    ),
    Mutation(
        "the exponents of the optimum change places",
        "charts.py",
        "datum.beta / (datum.alpha + datum.beta)",
        "datum.alpha / (datum.alpha + datum.beta)",
    ),
    Mutation(
        "a slider may start outside its ends",
        "vegalite.py",
        "    if not low <= value <= high:\n",
        "    if False:\n",
    ),
]

TILED = [
    Mutation(
        "a window has one key too many",
        "attention.py",
        "keys > queries[:, None] - window",
        "keys >= queries[:, None] - window",
    ),
    Mutation(
        "the window is not read",
        "attention.py",
        "visible = visible & (keys > queries",
        "visible = visible | (keys > queries",
    ),
    Mutation(
        "the equation has no window",
        "attention.py",
        """visible_keys(*positions(q, k), padding, window)
    k =""",
        """visible_keys(*positions(q, k), padding)
    k =""",
    ),
    Mutation(
        "fused: the window is not read",
        "attention.py",
        "if padding is None and within and",
        "if padding is None and",
    ),
    Mutation(
        "padding is looked up at the start of each tile",
        "attention.py",
        "padding[:, None, None, keys]",
        "padding[:, None, None, : len(keys)]",
    ),
    Mutation(
        "query heads take turns with the key heads",
        "attention.py",
        "repeat_interleave(n_head // x.shape[1], dim=1)",
        "repeat(1, n_head // x.shape[1], 1, 1)",
    ),
    Mutation(
        "tiled: the sums are not rescaled",
        "attention.py",
        "total = total * rescale +",
        "total = total +",
    ),
    Mutation(
        "tiled: the values are not rescaled",
        "attention.py",
        "mixed = mixed * rescale +",
        "mixed = mixed +",
    ),
    Mutation(
        "tiled: sums are rescaled the other way",
        "attention.py",
        "(highest - new_highest).exp()",
        "(new_highest - highest).exp()",
    ),
    Mutation(
        "tiled: the highest score is that of the last tile",
        "attention.py",
        "highest.maximum(scores.amax(-1, keepdim=True))",
        "scores.amax(-1, keepdim=True)",
    ),
    Mutation(
        "tiled: the highest score stays the first",
        "attention.py",
        "return new_highest, total, mixed",
        "return highest, total, mixed",
    ),
    Mutation(
        "tiled: weights are relative to no maximum",
        "attention.py",
        "weights = (scores - new_highest).exp()",
        "weights = scores.exp()",
    ),
    Mutation(
        "tiled: the first maximum is -inf",
        "attention.py",
        "torch.finfo(total.dtype).min)",
        "-torch.inf)",
    ),
    Mutation(
        "tiled: a row without keys divides by 0",
        "attention.py",
        "total.clamp(min=1)",
        "total.clamp(min=0)",
    ),
    Mutation(
        "tiled: small totals are cut to 2",
        "attention.py",
        "total.clamp(min=1)",
        "total.clamp(min=2)",
    ),
    Mutation(
        "tiled: log sums without the highest score",
        "attention.py",
        "log_sums[:, :, rows] = highest + total.log()",
        "log_sums[:, :, rows] = total.log()",
    ),
    Mutation(
        "tiled: the mask is not read",
        "attention.py",
        "return scores.masked_fill(~visible, -torch.inf)",
        "return scores",
    ),
    Mutation(
        "tiled: scores are scaled by D",
        "attention.py",
        """q.shape[-1] ** 0.5  # (B, H, T, S)
    return scores""",
        """q.shape[-1]  # (B, H, T, S)
    return scores""",
    ),
    Mutation(
        "tiled: sums in the precision of the input",
        "attention.py",
        "torch.promote_types(x.dtype, torch.float32)",
        "x.dtype",
    ),
    Mutation(
        "tiled: the last key is not read",
        "attention.py",
        "block_size, last + 1, block_size)",
        "block_size, last, block_size)",
    ),
    Mutation(
        "tiled: the last tile is one key short",
        "attention.py",
        "min(at + block_size, last + 1)",
        "min(at + block_size, last)",
    ),
    Mutation(
        "tiled: tiles start one key inside the window",
        "attention.py",
        "first - window + 1)",
        "first - window + 2)",
    ),
    Mutation(
        "tiled: tiles start where the window does",
        "attention.py",
        "start // block_size * block_size",
        "start",
    ),
    Mutation(
        "tiled: tiles before the window are computed",
        "attention.py",
        "0 if window is None else max(0, first - window + 1)",
        "0",
    ),
    Mutation(
        "tiled: earlier keys are not read",
        "attention.py",
        "n_earlier + rows.stop - 1",
        "rows.stop - 1",
    ),
    Mutation(
        "tiled: windows start as if no key came earlier",
        "attention.py",
        "first, last = n_earlier + rows.start",
        "first, last = rows.start",
    ),
    Mutation(
        "tiled: the softmax has no delta",
        "attention.py",
        "pull @ v_tile.mT - delta[:, :, rows]",
        "pull @ v_tile.mT",
    ),
    Mutation(
        "tiled: the gradients of queries and keys are not scaled",
        "attention.py",
        "slopes = slopes * scale",
        "slopes = slopes * 1",
    ),
    Mutation(
        "tiled: the gradient of a query is that of its last tile",
        "attention.py",
        "q_gradient[:, :, rows] +=",
        "q_gradient[:, :, rows] =",
    ),
    Mutation(
        "tiled: the gradient of a key is that of the last queries",
        "attention.py",
        "k_gradient[:, :, columns] +=",
        "k_gradient[:, :, columns] =",
    ),
    Mutation(
        "tiled: the gradient of a value is that of the last queries",
        "attention.py",
        "v_gradient[:, :, columns] +=",
        "v_gradient[:, :, columns] =",
    ),
    Mutation(
        "tiled: the backward pass does not read padding",
        "attention.py",
        """padding, window)
                scores = tile_scores(q_tile, k_tile""",
        """None, window)
                scores = tile_scores(q_tile, k_tile""",
    ),
    Mutation(
        "tiled: the backward pass has no window",
        "attention.py",
        """padding, window)
                scores = tile_scores(q_tile, k_tile""",
        """padding)
                scores = tile_scores(q_tile, k_tile""",
    ),
    Mutation(
        "shared heads: the mean of gradients",
        "attention.py",
        "(n_groups, -1)).sum(2)",
        "(n_groups, -1)).mean(2)",
    ),
    Mutation(
        "shared heads: the gradient of the first only",
        "attention.py",
        "(n_groups, -1)).sum(2)",
        "(n_groups, -1))[:, :, 0]",
    ),
    Mutation(
        "shared heads: gradients of heads that take turns",
        "attention.py",
        "(n_groups, -1)).sum(2)",
        "(-1, n_groups)).sum(1)",
    ),
    Mutation(
        "tiled: a second derivative is given, wrongly",
        "attention.py",
        """    @staticmethod
    @once_differentiable
""",
        """    @staticmethod
""",
    ),
]

KERNELS = [
    Mutation(
        "kernel: values are not rescaled", "flash_kernels.py", "output * shrink[:, None]", "output"
    ),
    Mutation(
        "kernel: sums are not rescaled",
        "flash_kernels.py",
        "total * shrink + row_sum",
        "total + row_sum",
    ),
    Mutation(
        "kernel: a query does not see itself",
        "flash_kernels.py",
        "(keys <= positions)",
        "(keys < positions)",
    ),
    Mutation(
        "kernel: a window has one key too many",
        "flash_kernels.py",
        "keys > positions - window",
        "keys >= positions - window",
    ),
    Mutation(
        "kernel: logarithms without the highest score",
        "flash_kernels.py",
        "highest + tl.log2(total)",
        "tl.log2(total)",
    ),
    Mutation(
        "kernel: padding adds to what is visible",
        "flash_kernels.py",
        "visible = visible & (real",
        "visible = visible | (real",
    ),
    Mutation(
        "kernel: each row has the padding of the first",
        "flash_kernels.py",
        "padding += tl.cast(batch, tl.int64) * n_keys",
        "padding += 0 * n_keys",
    ),
    Mutation(
        "kernel: tiles on the diagonal count as whole",
        "flash_kernels.py",
        "(first + 1) // KEYS * KEYS, whole",
        "(first + KEYS) // KEYS * KEYS, whole",
    ),
    Mutation(
        "kernel: tiles at the window's edge count as whole",
        "flash_kernels.py",
        "whole = (tl.maximum(last - window + 1, 0) + KEYS - 1)",
        "whole = (tl.maximum(last - window + 1, 0))",
    ),
    Mutation(
        "kernel: keys start inside the window",
        "flash_kernels.py",
        "start = tl.maximum(first - window + 1, 0) // KEYS",
        "start = tl.maximum(first - window + KEYS, 0) // KEYS",
    ),
    Mutation(
        "kernel: the first maximum is -inf",
        "flash_kernels.py",
        "tl.constexpr(-3.4028234663852886e38)",
        "tl.constexpr(-float('inf'))",
    ),
    Mutation(
        "kernel: the last queries of a window are left out",
        "flash_kernels.py",
        "nearest + KEYS - 1 + window, n_queries",
        "nearest + window, n_queries",
    ),
    Mutation(
        "kernel: queries on the diagonal count as whole tiles",
        "flash_kernels.py",
        "whole = (tl.maximum(nearest + KEYS - 1, 0) + QUERIES - 1)",
        "whole = (tl.maximum(nearest, 0) + QUERIES - 1)",
    ),
    Mutation(
        "kernel: products in half precision",
        "flash_kernels.py",
        "tl.dot(left, right, sums",
        "tl.dot(left.to(tl.float16), right.to(tl.float16), sums",
    ),
    Mutation(
        "kernel: the softmax has no delta",
        "flash_backward.py",
        "weights * (d_weights - delta)",
        "weights * d_weights",
    ),
    Mutation(
        "kernel: weights are computed again without scale",
        "flash_backward.py",
        "scores * scale - logsumexp",
        "scores - logsumexp",
    ),
    Mutation(
        "kernel: the gradient of the queries is not scaled",
        "flash_backward.py",
        "store_tile(gradient * scale",
        "store_tile(gradient",
    ),
    Mutation(
        "kernel: the gradient of the keys is not scaled",
        "flash_backward.py",
        "store_tile(k_sum * scale",
        "store_tile(k_sum",
    ),
    Mutation(
        "kernel: keys have the gradient of one head",
        "flash_backward.py",
        "range(group * GROUP, (group + 1) * GROUP)",
        "range(group * GROUP, group * GROUP + 1)",
    ),
    Mutation(
        "kernel: the gradient of the queries has no window",
        "flash.py",
        'launch("query", q, tensors, padding, ctx.window)',
        'launch("query", q, tensors, padding, k.shape[2])',
    ),
    Mutation(
        "a cache forgets nothing", "cache.py", "layer.length = length", "layer.length = self.length"
    ),
    Mutation(
        "a cache keeps the padding of what it forgets",
        "cache.py",
        "self.padding[:, :length]",
        "self.padding",
    ),
    Mutation(
        "only the first layer of a cache forgets",
        "cache.py",
        "for layer in self.layers:",
        "for layer in self.layers[:1]:",
    ),
    Mutation(
        "what is high is not stored by columns, what is wide is",
        "layout.py",
        "parameter.shape[0] > parameter.shape[1]",
        "parameter.shape[0] < parameter.shape[1]",
    ),
    Mutation(
        "square matrices are stored by columns",
        "layout.py",
        "parameter.shape[0] > parameter.shape[1]",
        "parameter.shape[0] >= parameter.shape[1]",
    ),
    Mutation(
        "matrices are transposed, not stored by columns",
        "layout.py",
        ".data.T.contiguous().T",
        ".data.T.contiguous()",
    ),
    Mutation(
        "matrices stay stored by rows", "layout.py", ".data.T.contiguous().T", ".data.contiguous()"
    ),
]

SPECULATIVE = [
    Mutation(
        "too much of the draft is accepted",
        "speculative.py",
        "chance * q_chosen < p_chosen",
        "chance * q_chosen < 1.2 * p_chosen",
    ),
    Mutation(
        "draft and target change places",
        "speculative.py",
        "chance * q_chosen < p_chosen",
        "chance * p_chosen < q_chosen",
    ),
    Mutation(
        "tokens behind a rejected one are counted",
        "speculative.py",
        ".cumprod(-1).sum(-1)  # (B,)",
        ".sum(-1)  # (B,)",
    ),
    Mutation(
        "a rejected token is replaced by a draw from the target",
        "speculative.py",
        "lacking = (p - q).clamp(min=0)",
        "lacking = p.clone()",
    ),
    Mutation(
        "every token is replaced as the last",
        "speculative.py",
        "lacking[torch.arange(len(p), device=p.device), n_accepted]",
        "lacking[:, -1]",
    ),
    Mutation(
        "the cache forgets a token too many",
        "speculative.py",
        "cache.truncate(ids.shape[1] - 1)",
        "cache.truncate(ids.shape[1] - 2)",
    ),
    Mutation(
        "the draft is not filtered",
        "speculative.py",
        "q[:, place] = probabilities_of(logits, *filters)",
        "q[:, place] = probabilities_of(logits)",
    ),
]

ROOFLINE = [
    Mutation(
        "a multiplication and an addition are one FLOP",
        "roofline.py",
        "product = 2 * scores * head_width",
        "product = scores * head_width",
    ),
    Mutation(
        "keys in the future are read",
        "roofline.py",
        "n_read += n_keys - n_queries + stop",
        "n_read += n_keys",
    ),
    Mutation(
        "the roof is the higher of both limits",
        "roofline.py",
        "return min(flops, flops_per_byte * bandwidth)",
        "return max(flops, flops_per_byte * bandwidth)",
    ),
    Mutation(
        "blocks in the order of the tree",
        "peak.py",
        "sorted(found, key=lambda block: block[0])",
        "found",
    ),
    Mutation(
        "blocks inside a kernel are not seen",
        "peak.py",
        "waiting += event.children",
        "waiting += []",
    ),
    Mutation(
        "the peak is what is held at the end", "peak.py", "most = max(most, now)", "most = now"
    ),
    Mutation(
        "a tile with a visible key is drawn as full",
        "show_tiles.py",
        "keys[columns], window).all())",
        "keys[columns], window).any())",
    ),
]

PRETRAINED = [
    Mutation(
        "the matrices of Conv1D are not turned",
        "gpt2_layout.py",
        "weight.detach().T if name.endswith(CONV1D) else weight.detach()",
        "weight.detach()",
    ),
    Mutation(
        "only matrices that are not square are turned",
        "gpt2_layout.py",
        '"attn.c_proj.weight", "mlp.c_fc.weight"',
        '"mlp.c_fc.weight"',
    ),
    Mutation(
        "the orientation is not checked", "gpt2_layout.py", "    if turned:\n", "    if False:\n"
    ),
    Mutation(
        "a square matrix tells the orientation",
        "gpt2_layout.py",
        "if needed != needed[::-1]]",
        "]",
    ),
    Mutation(
        "GELU is exact where it was tanh",
        "gpt2_layout.py",
        '"gelu_new": "gelu"',
        '"gelu_new": "gelu_erf"',
    ),
    Mutation(
        "the architecture is not checked",
        "gpt2_layout.py",
        "    check_architecture(settings, source)\n    missing",
        "    missing",
    ),
    Mutation(
        "a file without a type is a GPT-2",
        "gpt2_layout.py",
        'settings.get(name, None if name == "model_type" else needed)',
        "settings.get(name, needed)",
    ),
    Mutation("sizes may be missing", "gpt2_layout.py", "    if missing:\n", "    if False:\n"),
    Mutation(
        "dropouts may differ",
        "gpt2_layout.py",
        "    if any(dropout != dropouts[0]",
        "    if False and any(dropout != dropouts[0]",
    ),
    Mutation(
        "shared heads are written", "gpt2_layout.py", "config.key_heads != config.n_head", "False"
    ),
    Mutation(
        "a bias is taken for a mask",
        "gpt2_layout.py",
        r'r"transformer\.h\.\d+\.attn\.(masked_)?bias"',
        r'r"transformer\.h\.\d+\.attn\..*bias"',
    ),
    Mutation(
        "a head of its own is accepted",
        "gpt2_layout.py",
        "not torch.equal(head, embedding)",
        "False",
    ),
    Mutation(
        "a tensor may come twice",
        "gpt2_layout.py",
        "        if full in found:\n",
        "        if False:\n",
    ),
    Mutation(
        "integers are weights",
        "gpt2_layout.py",
        "        if tensor.dtype not in READABLE:\n",
        "        if False:\n",
    ),
    Mutation(
        "old settings stand beside new weights",
        "hub_files.py",
        "        (folder / CONFIG_FILE).unlink(missing_ok=True)\n",
        "",
    ),
    Mutation(
        "weights are written in place",
        "hub_files.py",
        "save_file(weights, partial,",
        "save_file(weights, folder / WEIGHTS_FILE,",
    ),
    Mutation(
        "a name comes before a folder",
        "hub_files.py",
        "    if path.is_dir():\n",
        "    if path.is_dir() and not HUB_NAME.fullmatch(str(path_or_name)):\n",
    ),
    Mutation(
        "any file is read as weights",
        "hub_files.py",
        "        if path.name != WEIGHTS_FILE:\n",
        "        if False:\n",
    ),
    Mutation(
        "anything is a name on the hub",
        "hub_files.py",
        "    if not HUB_NAME.fullmatch(str(path_or_name)):\n",
        "    if False:\n",
    ),
    Mutation(
        "errors of the library pass through",
        "hub_files.py",
        "except (SafetensorError, OSError, ValueError) as error:",
        "except OSError as error:",
    ),
    Mutation(
        "everything of a repository is fetched",
        "hub_files.py",
        "allow_patterns=[CONFIG_FILE, WEIGHTS_FILE, TOKENIZER_FILE]",
        'allow_patterns=["*"]',
    ),
    Mutation(
        "the head of a loaded GPT-2 is untied",
        "pretrained.py",
        "    model.lm_head.weight = model.transformer.wte.weight",
        "    model.lm_head.weight.data = model.transformer.wte.weight.data",
    ),
    Mutation("any model is saved as a GPT-2", "pretrained.py", "    check_is_gpt2(model)\n", ""),
    Mutation(
        "blocks of another kind are saved as GPT-2's",
        "pretrained.py",
        "        if type(part) is not kinds.get(name):\n",
        "        if False:\n",
    ),
    Mutation(
        "parts of another shape are saved as GPT-2's",
        "pretrained.py",
        '    check_shapes(stored_weights(twin), stored_weights(model), "model")\n',
        "",
    ),
    Mutation(
        "a tokenizer may have more tokens than the model",
        "pretrained.py",
        "if found > config.vocab_size:",
        "if found > config.vocab_size + 999:",
    ),
    Mutation(
        "a loaded GPT-2 is in train mode",
        "pretrained.py",
        "empty_model(config).eval()",
        "empty_model(config)",
    ),
    Mutation(
        "a file of integers is loaded", "pretrained.py", "    check_precision(tensors, file)\n", ""
    ),
    Mutation(
        "a file of transposed matrices is loaded",
        "pretrained.py",
        "    check_orientation(stored, tensors, file)\n",
        "",
    ),
    Mutation(
        "the end of a text is not written",
        "pretrained.py",
        "gpt2_settings(model.config, end)",
        "gpt2_settings(model.config)",
    ),
]

PUBLISHED = [
    Mutation(
        "what is undisclosed is unknown",
        "published.py",
        "        if name in self.undisclosed:\n            return UNDISCLOSED\n",
        "",
    ),
    Mutation(
        "what is computed is reported",
        "published.py",
        'return "computed" if name in self.computed else "reported"',
        'return "reported"',
    ),
    Mutation(
        "counts are floats",
        "published.py",
        "return int(number) if number.is_integer() else number",
        "return number",
    ),
    Mutation(
        "a source may be missing",
        "published.py",
        '("model", "organisation", "family", "sources", "seen", "as_of")',
        '("model", "organisation", "family", "seen", "as_of")',
    ),
    Mutation(
        "a part may be more than the whole",
        "published.py",
        "if numbers.get(part, 0) > numbers.get(whole, math.inf):",
        "if False:",
    ),
    Mutation(
        "undisclosed values may be there",
        "published.py",
        "        if getattr(model, name, None) is not None:\n",
        "        if False:\n",
    ),
    Mutation("a model may come twice", "published.py", "len(names) < len(models)", "False"),
    Mutation("months have any number", "published.py", "(0[1-9]|1[0-2])", r"(\d\d)"),
    Mutation(
        "no row is left out of the scaling page's points",
        "published.py",
        'if row["basis"] != UNDISCLOSED]',
        "]",
    ),
]

TASKS = [
    Mutation(
        "the side is that of the first number",
        "tasks/items.py",
        "items.astype(np.uint64).T:",
        "items.astype(np.uint64).T[:1]:",
    ),
    Mutation(
        "the order of numbers does not matter",
        "tasks/items.py",
        "state = (state ^ column) + np.uint64(0x9E3779B97F4A7C15)",
        "state = state + column * np.uint64(0x9E3779B97F4A7C15)",
    ),
    Mutation(
        "training draws tests",
        "tasks/items.py",
        "items[is_test(items) == for_tests]",
        "items[is_test(items) | (not for_tests)]",
    ),
    Mutation(
        "every step draws the same items",
        "tasks/items.py",
        "default_rng([self.seed, step])",
        "default_rng([self.seed])",
    ),
    Mutation(
        "batches forget a stricter rule",
        "tasks/items.py",
        "self.batch_size, chance, False, self.is_test)",
        "self.batch_size, chance, False)",
    ),
    Mutation(
        "the middle of an interval is the share",
        "tasks/scores.py",
        "(share + z * z / (2 * n)) / (1 + z * z / n)",
        "share",
    ),
    Mutation("an interval is the normal one", "tasks/scores.py", "+ (z / (2 * n)) ** 2)", ")"),
    Mutation(
        "one right token is enough",
        "tasks/scores.py",
        "torch.as_tensor(same).all(1)",
        "torch.as_tensor(same).any(1)",
    ),
    Mutation(
        "padding found counts as right",
        "tasks/scores.py",
        "same | (wanted == ignored)",
        "same | (found == ignored)",
    ),
    Mutation(
        "answers are drawn, not the likeliest",
        "tasks/scores.py",
        'settings = {"temperature": 0} | settings',
        "settings = {} | settings",
    ),
    Mutation(
        "the marker is learned too",
        "tasks/answers.py",
        "is_marker.cumsum(1) - is_marker.long() > 0",
        "is_marker.cumsum(1) > 0",
    ),
    Mutation(
        "what follows a second marker only",
        "tasks/answers.py",
        "is_marker.cumsum(1) - is_marker.long() > 0",
        "is_marker.cumsum(1) - is_marker.long() > 1",
    ),
]

HEADS = [
    Mutation(
        "the occurrence, not what follows it",
        "heads.py",
        "F.pad(same, (1, 0)) &",
        "F.pad(same, (0, 1)) &",
    ),
    Mutation(
        "the query's own place is left out",
        "heads.py",
        "& causal_mask(at, at)",
        "& (at < at[:, None])",
    ),
    Mutation(
        "the mean is over all queries", "heads.py", "sums / queries.sum()", "sums / queries.numel()"
    ),
    Mutation(
        "positions are silenced, not heads",
        "heads.py",
        "parts[:, :, heads] = 0",
        "parts[:, heads] = 0",
    ),
    Mutation(
        "a head is as wide as there are heads",
        "heads.py",
        "unflatten(-1, (n_head, -1))",
        "unflatten(-1, (-1, n_head))",
    ),
    Mutation(
        "weights of keys that are not there are recorded",
        "trace.py",
        "torch.cat(read, dim=-1)[..., :n_keys]",
        "torch.cat(read, dim=-1)",
    ),
    Mutation(
        "what only one attention is told is not recorded",
        "trace.py",
        "padding=padding, window=window, **others)",
        "padding=padding, window=window)",
    ),
    Mutation("the hooks stay", "heads.py", "            handle.remove()", "            pass"),
    Mutation("heads of later layers go too", "heads.py", "if other == layer", "if other >= layer"),
    Mutation("token 0 is repeated too", "heads.py", "once = 1 + order", "once = order"),
    Mutation(
        "the loss is of the words",
        "tasks/labels.py",
        "labels[:, ::2] = IGNORED",
        "labels[:, 1::2] = IGNORED",
    ),
    Mutation(
        "a key has the class of the next word",
        "tasks/labels.py",
        "classes.roll(1, 1)",
        "classes.roll(-1, 1)",
    ),
    Mutation(
        "unseen pairs are trained on",
        "tasks/labels.py",
        "return items[~is_unseen(items)]",
        "return items",
    ),
]

CHAINS = [
    Mutation(
        "running sums run over items",
        "tasks/sums.py",
        "np.cumsum(items, axis=1)",
        "np.cumsum(items, axis=0)",
    ),
    Mutation(
        "running sums are shuffled between items",
        "tasks/sums.py",
        "steps(items), axis=1",
        "steps(items), axis=0",
    ),
    Mutation(
        "a wrong step may be right",
        "tasks/sums.py",
        "chance.integers(1, 10, n_items))",
        "chance.integers(10, size=n_items))",
    ),
    Mutation(
        "a wrong step changes nothing",
        "tasks/sums.py",
        "(sum_of(items) + error) % 10",
        "sum_of(items)",
    ),
    Mutation(
        "the last marker counts too",
        "tasks/answers.py",
        "is_marker & (is_marker.cumsum(1) == 1)",
        "is_marker",
    ),
    Mutation(
        "the draft's problems are trained on",
        "tasks/stories.py",
        "held_out(calculations) | is_draft",
        "held_out(calculations)",
    ),
    Mutation(
        "other words free a calculation",
        "tasks/stories.py",
        "held_out(calculations) | is_draft",
        "held_out(items) | is_draft",
    ),
    Mutation(
        "who does not answer votes for 0",
        "voting.py",
        "answers.clamp(min=-1) + 1)[..., 1:]",
        "answers.clamp(min=0) + 1)[..., 1:]",
    ),
    Mutation("the model kept goes on learning", "reasoning.py", "copy.deepcopy(model)", "model"),
    Mutation(
        "padding of prompts is read", "reasoning.py", '{"attention_mask": prompts != 0, ', "{"
    ),
]

TUNING = [
    Mutation(
        "B of an update is not zero at first",
        "lora.py",
        "weight.new_zeros(n_outputs, rank)",
        "weight.new_ones(n_outputs, rank)",
    ),
    Mutation(
        "alpha is not divided by the rank",
        "lora.py",
        "self.scale = alpha / rank",
        "self.scale = alpha",
    ),
    Mutation("an update is subtracted", "lora.py", "weight + self.scale", "weight - self.scale"),
    Mutation("nothing is frozen", "lora.py", "    model.requires_grad_(False)\n", ""),
    Mutation(
        "merging throws the update away",
        "lora.py",
        "leave_parametrized=True",
        "leave_parametrized=False",
    ),
    Mutation(
        "the other answer is preferred",
        "preferences.py",
        "preferred, other = (policy",
        "other, preferred = (policy",
    ),
    Mutation(
        "beta is not used",
        "preferences.py",
        "F.logsigmoid(beta * (preferred - other))",
        "F.logsigmoid(preferred - other)",
    ),
    Mutation(
        "a long answer counts no more than a short one",
        "preferences.py",
        "-nats.sum(1)",
        "-nats.mean(1)",
    ),
    Mutation(
        "numbers held out are tuned on",
        "tasks/instructions.py",
        "numbers[~held_out(numbers)]",
        "numbers",
    ),
    Mutation(
        "a second operation is ignored",
        "tasks/instructions.py",
        "for name in command:\n        word",
        "for name in command[:1]:\n        word",
    ),
]

LADDER = [
    Mutation(
        "post-LN begins with scaled projections",
        "rungs.py",
        "UNSCALED_RUN = Variation(residual_scaling=False)",
        "UNSCALED_RUN = Variation()",
    ),
    Mutation(
        "the rung of rotary positions is parallel too",
        "rungs.py",
        '"parallel": False',
        '"parallel": True',
    ),
    Mutation(
        "a bias of the ungated MLP stays",
        "rungs.py",
        "self.c_fc.bias = self.c_proj.bias = None",
        "self.c_fc.bias = None",
    ),
    Mutation(
        "the ungated block keeps LayerNorm",
        "rungs.py",
        "super().__init__(config, nn.RMSNorm,",
        "super().__init__(config, nn.LayerNorm,",
    ),
    Mutation(
        "an expert is as wide as the MLP",
        "rungs.py",
        '"n_inner": 128, ',
        '"n_inner": 256, ',
    ),
    Mutation(
        "the wide start is as narrow",
        "rungs.py",
        "replace(variation, initial_std=WIDE_STD)",
        "replace(variation)",
    ),
    Mutation(
        "a wide rung is compared with a narrow one",
        "rungs.py",
        "on and on + WIDE",
        "on",
    ),
    Mutation(
        "times of different rounds are divided",
        "ladder.py",
        "found[rung][number] / unit[number] for",
        "found[rung][number] / unit[1] for",
    ),
    Mutation(
        "the round that warms up is kept",
        "ladder.py",
        "return rows[len(TIMED) :]",
        "return rows",
    ),
    Mutation(
        "the slowest rung sets the time",
        "ladder.py",
        "min(relative.values())",
        "max(relative.values())",
    ),
    Mutation(
        "a slow rung is read late",
        "ladder.py",
        "most / relative[rung]",
        "most * relative[rung]",
    ),
    Mutation(
        "gains are losses",
        "ladder.py",
        "[before[seed] - loss for",
        "[loss - before[seed] for",
    ),
    Mutation(
        "the first evaluation is compared",
        "ladder.py",
        'rows[-1]["held_out_loss"]',
        'rows[0]["held_out_loss"]',
    ),
]

FORMATION = [
    Mutation(
        "the watched model has the layers of the largest run",
        "formation.py",
        "dataclasses.replace(plan.config, n_layer=n_layer)",
        "plan.config",
    ),
    Mutation(
        "a run that is stopped early ends its schedule early",
        "formation.py",
        "schedule_steps=plan.n_steps",
        "schedule_steps=n_steps",
    ),
    Mutation(
        "every seed begins with the same weights",
        "formation.py",
        "torch.manual_seed(seed)",
        "torch.manual_seed(0)",
    ),
    Mutation("the gain is negative", "formation.py", "first - second", "second - first"),
    Mutation(
        "the mean of all heads is taken",
        "formation.py",
        "induction_scores(model, ids).max()",
        "induction_scores(model, ids).mean()",
    ),
    Mutation(
        "the head before is looked for among those that look back",
        "formation.py",
        '"previous_score": previous_scores(',
        '"previous_score": induction_scores(',
    ),
    Mutation(
        "steps without a loss are kept",
        "formation.py",
        'if "held_out_loss" not in row:',
        "if False:",
    ),
    Mutation(
        "rows count the steps in windows",
        "formation.py",
        '"x": row["step"]',
        '"x": row["tokens"]',
    ),
    Mutation(
        "what is empty comes back as nan",
        "rows.py",
        'return "" if math.isnan(value) else ',
        "return ",
    ),
]

MUTATIONS = (
    ATTENTION
    + MODEL
    + SAMPLING
    + MEMORY
    + NGRAMS
    + SYNTAX
    + MODERN
    + FAMILIES
    + TRAINING
    + SCALING
    + CHARTS
    + TILED
    + KERNELS
    + SPECULATIVE
    + ROOFLINE
    + PRETRAINED
    + PUBLISHED
    + TASKS
    + HEADS
    + CHAINS
    + TUNING
    + LADDER
    + FORMATION
)
