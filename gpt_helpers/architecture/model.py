"""GPT-2, as nn.Modules whose parameter names are those of the published weights."""

import functools

import torch.nn as nn
import torch.nn.functional as F

from gpt_helpers.architecture.attention import attention_fused
from gpt_helpers.architecture.generation import generate
from gpt_helpers.architecture.inputs import (
    IGNORED,
    check_inputs,
    padding_of,
    positions_of,
    refuse_misfits,
)
from gpt_helpers.architecture.kv_cache import KVCache, unchanged_by_failure
from gpt_helpers.architecture.losses import check_predictions
from gpt_helpers.architecture.operands import widened
from gpt_helpers.config import GPTConfig, check_config
from gpt_helpers.tensor_checks import check_module
from gpt_helpers.validation import check_callable, check_flag, check_real, checked_by

ACTIVATIONS = {
    "gelu": functools.partial(F.gelu, approximate="tanh"),
    "gelu_erf": F.gelu,
    "relu": F.relu,
    "swish": F.silu,
}


class GPTAttention(nn.Module):
    """Multi-head causal self-attention, (B, T, C) to (B, T, C).

    attend is any function with the signature of attention.attention.
    Source: vaswani2017attention, sec. 3.2.2.
    """

    def __init__(self, config, attend=attention_fused, qkv_bias=True):
        """Make the two projections."""
        super().__init__()
        check_config(config)
        check_callable("attend", attend)
        check_flag("qkv_bias", qkv_bias)
        self.heads = config.n_head, config.key_heads, config.key_heads  # of q, k, v
        self.attend = attend
        self.dropout = config.dropout
        width = config.n_embd + 2 * config.key_width
        self.c_attn = nn.Linear(config.n_embd, width, bias=qkv_bias)
        self.c_proj = nn.Linear(config.n_embd, config.n_embd)

    @refuse_misfits
    def forward(self, x, padding=None, cache=None):
        """Return (B, T, C) for x (B, T, C), padding (B, S) and the layer's cache."""
        heads = split_heads(self.c_attn(x), sum(self.heads))  # (B, H+2G, T, D)
        q, k, v = heads.split_with_sizes(self.heads, dim=1)
        if cache is not None:
            k, v = cache.append(k, v)  # (B, G, S, D)
        dropout = self.dropout if self.training else 0.0
        y = self.attend(q, k, v, padding, dropout)  # (B, H, T, D)
        y = y.transpose(1, 2).flatten(2)  # (B, T, C)
        y = self.c_proj(y)  # (B, T, C)
        return F.dropout(y, self.dropout) if self.training else y  # (B, T, C)


def split_heads(x, n_heads):
    """Return x (B, T, N*D) as (B, N, T, D): N = n_heads heads get D columns each."""
    return x.view(*x.shape[:2], n_heads, -1).transpose(1, 2)  # (B, N, T, D)


class GPTMLP(nn.Module):
    """Two projections with an activation between, for each position by itself."""

    def __init__(self, config):
        """Make the two projections."""
        super().__init__()
        check_config(config)
        self.c_fc = nn.Linear(config.n_embd, config.mlp_width)
        self.c_proj = nn.Linear(config.mlp_width, config.n_embd)
        self.activation = ACTIVATIONS[config.activation]
        self.dropout = config.dropout

    @refuse_misfits
    def forward(self, x):
        """Return (B, T, C) for x (B, T, C)."""
        x = self.activation(self.c_fc(x))  # (B, T, F)
        x = self.c_proj(x)  # (B, T, C)
        return F.dropout(x, self.dropout) if self.training else x  # (B, T, C)


class GPTBlock(nn.Module):
    """Attention, then the MLP; each reads a normalised copy of the stream and adds to it.

    Source: radford2019gpt2 (pre-LN: the norm comes before the sub-layer).
    """

    def __init__(self, config, attend=attention_fused, attention=GPTAttention):
        """Make the two sub-layers, attention of the class given, and their norms."""
        super().__init__()
        check_config(config)
        check_callable("attention", attention)
        self.ln_1 = nn.LayerNorm(config.n_embd, eps=config.layer_norm_epsilon)
        self.attn = attention(config, attend)
        self.ln_2 = nn.LayerNorm(config.n_embd, eps=config.layer_norm_epsilon)
        self.mlp = GPTMLP(config)

    @refuse_misfits
    def forward(self, x, padding=None, cache=None):
        """Return (B, T, C) for x (B, T, C)."""
        x = x + self.attn(self.ln_1(x), padding, cache)  # (B, T, C)
        return x + self.mlp(self.ln_2(x))  # (B, T, C)


class GPTModel(nn.Module):
    """Embeddings, L blocks and a final norm: token ids (B, T) to hidden states (B, T, C).

    block is the class of a block, attend the attention that each block is given, norm the
    class of the final norm.
    """

    config_kind = GPTConfig

    def __init__(self, config, attend=attention_fused, block=GPTBlock, norm=nn.LayerNorm):
        """Make the layers and draw their initial weights."""
        super().__init__()
        check_config(config, self.config_kind, exact=True)
        check_callable("block", block)
        check_callable("norm", norm)
        self.config = config
        self.wte = nn.Embedding(config.vocab_size, config.n_embd)
        self.wpe = nn.Embedding(config.n_positions, config.n_embd)
        self.drop = nn.Dropout(config.dropout)
        self.h = nn.ModuleList([block(config, attend) for _ in range(config.n_layer)])
        self.ln_f = norm(config.n_embd, eps=config.layer_norm_epsilon)
        std = config.initializer_range
        init_weights(self, std, residual_std=std / (2 * config.n_layer) ** 0.5)

    def forward(self, input_ids, attention_mask=None, position_ids=None, cache=None, labels=None):
        """Return hidden states (B, T, C); the arguments are those of GPTLMHeadModel.

        The labels are only checked, with the rest: what they are for comes after this model.
        """
        check_inputs(self, input_ids, attention_mask, position_ids, cache, labels)
        padding = padding_of(attention_mask, input_ids, cache)
        if position_ids is None:
            position_ids = positions_of(padding, input_ids, cache)
        return self.hidden_states(input_ids, position_ids, padding, cache)  # (B, T, C)

    def hidden_states(self, input_ids, position_ids, padding=None, cache=None):
        """Return (B, T, C): two embeddings, their sum through L blocks, a final norm."""
        x = self.drop(self.wte(input_ids) + self.wpe(position_ids))  # (B, T, C)
        for index, block in enumerate(self.h):
            layer_cache = None if cache is None else cache.layers[index]
            x = block(x, padding, layer_cache)  # (B, T, C)
        return self.ln_f(x)  # (B, T, C)


def tied_head(config, embedding):
    """Return a head, (B, T, C) to (B, T, V), whose weights are the token embedding itself.

    Source: press2017tying.
    """
    head = nn.Linear(config.n_embd, config.vocab_size, bias=False)
    head.weight = embedding.weight
    return head


class GPTLMHeadModel(nn.Module):
    """GPTModel with a head that scores every token of the vocabulary as the next one.

    head(config, embedding) makes the head; here its weights are the token embedding itself.
    """

    def __init__(self, config, attend=attention_fused, transformer=GPTModel, head=tied_head):
        """Make the model, and the head, which is given the token embedding."""
        super().__init__()
        check_callable("transformer", transformer)
        check_callable("head", head)
        self.transformer = transformer(config, attend)
        self.lm_head = head(config, self.transformer.wte)

    @functools.wraps(generate)
    def generate(self, *args, **kwargs):
        """Return generation.generate(self, ...)."""
        return generate(self, *args, **kwargs)

    @property
    def config(self):
        """Return the GPTConfig of the model."""
        return self.transformer.config

    def new_cache(self):
        """Return an empty KVCache for sequences of up to n_positions tokens."""
        return KVCache(self.config)

    def forward(self, input_ids, attention_mask=None, position_ids=None, labels=None, cache=None):
        """Return a dict with "logits" (B, T, V), and with "loss" and "cache" when asked for.

        input_ids (B, T) are integers below V. attention_mask (B, S) is 1 or True at real
        tokens and 0 at padding; S counts the tokens in the cache too. position_ids (B, T)
        default to the number of real tokens before each one. labels (B, T) are the
        input_ids themselves (the shift by one happens here), -100 where no loss is
        wanted; the loss is in nats per token. cache is True for a new KVCache, or the
        one of an earlier call, which is extended in place.

        Raises ValueError for ids, masks, positions or labels that do not fit, and for
        more than n_positions tokens.
        """
        if cache is True:
            cache = self.new_cache()
        inputs = input_ids, attention_mask, position_ids, cache, labels
        with unchanged_by_failure(cache):
            output = self.predictions(self.transformer(*inputs), labels)
        if cache is not None:
            output["cache"] = cache
        return output

    def predictions(self, hidden, labels=None):
        """Return {"logits": (B, T, V)} of hidden (B, T, C), with labels also "loss"."""
        output = {"logits": self.lm_head(hidden)}
        if labels is not None:
            output["loss"] = next_token_loss.unchecked(output["logits"], labels)
        return output


@checked_by(check_predictions)
def next_token_loss(logits, labels):
    """Return the mean cross-entropy, in nats, of labels[:, t + 1] at position t.

    logits is (B, T, V), labels (B, T); a label of -100 is left out. It is computed in
    float32 at least. Raises ValueError for shapes that do not fit and for labels that
    leave nothing to predict.
    """
    predictions = widened(logits[:, :-1]).flatten(0, 1)
    targets = labels[:, 1:].flatten().long()
    return F.cross_entropy(predictions, targets, ignore_index=IGNORED)


def init_weights(model, std, residual_std):
    """Draw every matrix from N(0, std), the projections into the stream from N(0, residual_std).

    Biases become 0 and the gains of norms 1. Source: radford2019gpt2, sec. 2.3, which divides
    by the square root of the number of residual layers, 2L.
    """
    check_module("model", model)
    check_real("std", std, at_least=0)
    check_real("residual_std", residual_std, at_least=0)
    for name, parameter in model.named_parameters():
        if parameter.is_meta:
            continue  # it has a shape and no values; drawing none takes long
        if name.endswith("bias"):
            nn.init.zeros_(parameter)
        elif parameter.ndim == 1:
            nn.init.ones_(parameter)
        else:
            nn.init.normal_(parameter, std=residual_std if "c_proj" in name else std)
